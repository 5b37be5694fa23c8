"""Tests of the sandbox's refusals and its end; tests/e2e/test_lifecycle.py covers a whole session."""

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
