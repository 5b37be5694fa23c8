"""The operating-system processes in which the embedded AWS runs a function."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from rehearsal.environment import Environment


def kill_processes(environment: Environment, function: str, region: str) -> int:
    """Send SIGKILL to every process of a function in a region; return their number."""
    killed = 0
    for process_id in process_ids(environment.emulator.process_id, function, region):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)
            killed += 1
    return killed


def process_ids(group_id: int, function: str, region: str) -> list[int]:
    """Return the ids of a process group's processes whose environment names the function and the region."""
    # `e` appends the environment to the command, on Linux and macOS.
    listing = subprocess.run(
        ["ps", "axeww", "-o", "pid=,pgid=,command="], capture_output=True, text=True, errors="replace", check=True
    ).stdout
    return parse_processes(listing, group_id, function, region)


def parse_processes(listing: str, group_id: int, function: str, region: str) -> list[int]:
    """Return the matching process ids in the output of `ps` (process id, group id, command, environment)."""
    wanted = {f"AWS_LAMBDA_FUNCTION_NAME={function}", f"AWS_REGION={region}"}
    found: list[int] = []
    for line in listing.splitlines():
        process_id, group, *environment_and_command = line.split()
        if int(group) == group_id and wanted <= set(environment_and_command):
            found.append(int(process_id))
    return found
