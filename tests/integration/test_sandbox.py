"""Tests of the sandbox's refusals and its end; tests/e2e/test_lifecycle.py is the complete lifecycle."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox_terminal import Terminal, open_terminal

EAST, WEST = "us-east-1", "eu-west-1"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Yield an operator's terminals, and stop the sandbox afterwards."""
    with open_terminal(tmp_path) as terminal:
        yield terminal


def test_sandbox_refusals_have_a_reason(terminal: Terminal) -> None:
    """The cases are a second sandbox, a missing sandbox, an unknown region, a wrong token, and two engines at once."""
    assert "no sandbox is running in" in terminal.sandbox("up", code=1)
    terminal.start()
    assert "a sandbox runs here already" in terminal.sandbox("start", code=1)
    assert f"there are {EAST}, {WEST}" in terminal.sandbox("fail", "us-west-2", code=1)
    address = json.loads((terminal.directory / "sandbox.json").read_text())
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(f"{address['url']}/state", headers={"X-Sandbox-Token": "guess"}))
    taken = urllib.request.Request(
        f"{address['url']}/engine",
        data=json.dumps({"pid": os.getpid(), "doing": "up"}).encode(),
        headers={"X-Sandbox-Token": address["token"]},
    )
    urllib.request.urlopen(taken).close()
    assert "busy: up is under way" in terminal.sandbox("destroy", code=1)
    assert terminal.started is not None
    terminal.started.send_signal(signal.SIGTERM)
    terminal.wait(terminal.started_ended, "the sandbox ends after SIGTERM")
    assert not (terminal.directory / "sandbox.json").exists()
