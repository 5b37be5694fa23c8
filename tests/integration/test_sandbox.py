"""Tests of the sandbox's engine in Python, its refusals and its end; tests/e2e/test_lifecycle.py covers a day with the Pulumi CLI."""

from __future__ import annotations

import json
import os
import signal
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox_terminal import Terminal, open_terminal

EAST, WEST = "us-east-1", "eu-west-1"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Yield an operator's terminals; end every process at the end."""
    with open_terminal(tmp_path) as terminal:
        yield terminal


def test_refusals_name_their_reason(terminal: Terminal) -> None:
    """A second sandbox, a command without one, an unknown region, a wrong token, two engines at once."""
    assert "no sandbox is running in" in terminal.sandbox("up", code=1)
    terminal.start()
    assert "a sandbox is already running in" in terminal.sandbox("start", code=1)
    assert f"Use one of: {EAST}, {WEST}" in terminal.sandbox("fail", "us-west-2", code=1)
    address = json.loads((terminal.directory / "sandbox.json").read_text())
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(f"{address['url']}/state", headers={"X-Sandbox-Token": "guess"}))
    taken = urllib.request.Request(
        f"{address['url']}/engine",
        data=json.dumps({"pid": os.getpid(), "doing": "up"}).encode(),
        headers={"X-Sandbox-Token": address["token"]},
    )
    urllib.request.urlopen(taken).close()
    assert "busy: up is in progress" in terminal.sandbox("destroy", code=1)
    assert terminal.started is not None
    terminal.started.send_signal(signal.SIGTERM)
    terminal.wait(terminal.started_ended, "SIGTERM stops it")
    assert not (terminal.directory / "sandbox.json").exists()


def test_stack_of_the_engine_in_python(terminal: Terminal) -> None:
    """A second `up` changes nothing, neither does a change of roles; a destroy waits for the way back and leaves nothing."""
    terminal.start("--interval", "2", "--cooldown", "5")
    terminal.sandbox("up")
    assert stat.S_IMODE(terminal.outputs.stat().st_mode) == 0o600
    count = terminal.status()["resources"]
    assert terminal.sandbox("up").splitlines()[0] == f"Plan: {count} same"
    switch_over(terminal, WEST)
    planned = json.loads(terminal.sandbox("preview", "--refresh", "--json"))
    assert planned["counts"] == {"same": count}, [one for one in planned["steps"] if one["change"] != "same"]
    assert "masterUsername" in {name for step in planned["steps"] for name in step["ignored"]}
    assert "Switch back first" in terminal.sandbox("destroy", code=3)
    assert terminal.status()["resources"] == count
    switch_over(terminal, EAST)
    assert "Both regions are empty." in terminal.sandbox("destroy")
    assert not terminal.outputs.exists()


def switch_over(terminal: Terminal, region: str) -> None:
    """Move the writer to a region, when the operator's command finds the stack ready."""
    printed: list[str] = []

    def is_there() -> bool:
        done = terminal.try_operations("switchover", "--to", region, "--no-dns", "--confirm", "payments-global-dev")
        printed.append(done.stderr)
        return terminal.writer() == region

    terminal.wait(is_there, f"{region} has the writer", lambda: printed[-1])
