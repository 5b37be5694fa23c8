"""The study of interrupted deployments: its points, the commands of the page, and its waits."""

import os
import signal
import subprocess
import sys

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


class LingeringStack(InterruptedStack):
    """A stack whose plugins outlive the kill."""

    def kill(self, verb: str, after: int) -> int:
        """Fail as `wait_for_session` does."""
        raise CommandError(f"plugins of {verb} did not end after {after}")


def test_failed_kill_is_a_failed_recovery() -> None:
    """The study counts it, and does not end with a traceback."""
    assert recover(LingeringStack(environ={}), "up", 1, removes=False).failure == "plugins of up did not end after 1"
