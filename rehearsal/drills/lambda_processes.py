"""The processes in which the emulator runs a function: found by what stands in their environment, and killed.

Owns: finding them among the emulator's own process group, and SIGKILL. Does not own: starting them again (the emulator does, at the
next invocation). Invariant: nothing outside the emulator's process group is ever touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from rehearsal.environment import Environment


def kill_sandboxes(world: Environment, function: str, region: str) -> int:
    """Kill every process that runs a function in a region, without a word of warning; return how many there were."""
    killed = 0
    for process_id in sandboxes(world.emulator.process_id, function, region):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)
            killed += 1
    return killed


def sandboxes(group_id: int, function: str, region: str) -> list[int]:
    """The ids of the processes of a group that have a function's name and region in their environment."""
    # `e` shows the environment after the command, on Linux and macOS alike.
    listing = subprocess.run(
        ["ps", "axeww", "-o", "pid=,pgid=,command="], capture_output=True, text=True, errors="replace", check=True
    ).stdout
    return read_listing(listing, group_id, function, region)


def read_listing(listing: str, group_id: int, function: str, region: str) -> list[int]:
    """The process ids in what `ps` printed (process id, group id, command, environment) that fit."""
    wanted = {f"AWS_LAMBDA_FUNCTION_NAME={function}", f"AWS_REGION={region}"}
    found: list[int] = []
    for line in listing.splitlines():
        process_id, group, *words = line.split()
        if int(group) == group_id and wanted <= set(words):
            found.append(int(process_id))
    return found
