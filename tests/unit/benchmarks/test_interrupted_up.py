"""The study of interrupted deployments: its points, the commands of the page, and its waits."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.interrupted_up import (
    LAST_POINT,
    PAGE,
    CommandError,
    InterruptedStack,
    points_of,
    recover,
    steps_of,
    wait_for_session,
)

PLUGIN = "import subprocess; print(subprocess.Popen(['sleep', '600'], process_group=0, stdout=subprocess.DEVNULL).pid)"
"""A program that starts a process in a group of its own, as Pulumi starts a plugin, and ends before it."""


def test_page_s_commands_are_cancel_show_repair_and_continue() -> None:
    """The study runs the commands of the page, and no others."""
    assert steps_of(PAGE.read_text(encoding="utf-8")) == [
        "pulumi cancel --stack dev",
        "python -m operations recover --stack dev",
        "python -m operations recover --stack dev --run",
        "pulumi up --stack dev --policy-pack policy",
    ]


def test_seed_fixes_the_points() -> None:
    """A failure can be repeated, and each point is within the run."""
    points = points_of(1, 50)
    assert points == points_of(1, 50) != points_of(2, 50)
    assert [verb for verb, _ in points] == ["up", "destroy"] * 50
    assert all(1 <= after <= LAST_POINT for verb, after in points)


def test_plugin_that_outlives_the_engine_is_waited_for() -> None:
    """It has the engine's session, but a process group of its own."""
    with subprocess.Popen([sys.executable, "-c", PLUGIN], stdout=subprocess.PIPE, start_new_session=True) as engine:
        plugin = int(engine.communicate()[0])
    with pytest.raises(CommandError, match=rf"did not end within 0 s: processes \[{plugin}\]"):
        wait_for_session(engine.pid, 0.0)
    os.kill(plugin, signal.SIGKILL)
    wait_for_session(engine.pid)


def stack_whose_run(directory: Path, ends: str) -> InterruptedStack:
    """Return a stack whose `pulumi` creates three resources and then `ends`."""
    cli = directory / "pulumi"
    cli.write_text(f"#!/bin/sh\nfor name in a b c; do echo + $name created; done\n{ends}\n")
    cli.chmod(0o755)
    return InterruptedStack(environ={"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"})


def test_run_is_killed_after_so_many_resources(tmp_path: Path) -> None:
    """The study says after how many."""
    assert stack_whose_run(tmp_path, "exec sleep 600").kill("up", 3) == 3


def test_run_that_ends_before_the_kill_is_an_error(tmp_path: Path) -> None:
    """Otherwise the study would count it as recovered."""
    with pytest.raises(CommandError, match="ended after 3 resources, before the kill after 4"):
        stack_whose_run(tmp_path, "exit 0").kill("up", 4)


class LingeringStack(InterruptedStack):
    """A stack whose plugins outlive the kill."""

    def kill(self, verb: str, after: int) -> int:
        """Fail as `wait_for_session` does."""
        raise CommandError(f"plugins of {verb} did not end after {after}")


def test_failed_kill_is_a_failed_recovery() -> None:
    """The study counts it, and does not end with a traceback."""
    assert recover(LingeringStack(environ={}), "up", 1, removes=False).failure == "plugins of up did not end after 1"
