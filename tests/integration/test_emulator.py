"""Tests of ministack's process: start, isolation from this machine's credentials, and end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.ministack import Emulator, EmulatorError
from rehearsal.support.clients import ACCOUNT_ID, BotoClients
from tests.support.waiting import WAIT_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[2]


def is_running(process_id: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children_of(group: int) -> list[int]:
    """Return the ids of all running processes of a group."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and is_running(int(entry.name)):
            try:
                if os.getpgid(int(entry.name)) == group:
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


def test_every_region_has_the_same_account() -> None:
    """The duration of the start is measured."""
    started = time.monotonic()
    with Emulator() as emulator:
        elapsed_seconds = time.monotonic() - started
        clients = BotoClients(emulator.url)
        accounts = {clients("sts", region).get_caller_identity()["Account"] for region in ("us-east-1", "eu-west-1")}
        clients.close()
        assert accounts == {ACCOUNT_ID}
        assert 0 < emulator.start_seconds < elapsed_seconds
        assert (emulator.resident_bytes() or 0) > 10_000_000


def test_stop_ends_all_processes_and_removes_the_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`stop` may be called twice, and the end of the log stays available."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    emulator = Emulator()
    emulator.start()
    group = emulator.process_id
    emulator.stop()
    emulator.stop()
    assert children_of(group) == []
    assert list(tmp_path.iterdir()) == []
    assert isinstance(emulator.log_tail(), str)
    with pytest.raises(EmulatorError, match="not running"):
        _ = emulator.url


def test_credentials_of_the_machine_do_not_reach_ministack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator's environment has only the caller's additional variables."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECRET_ACCESS_KEY", "HTTP_PROXY", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "real-and-private")
    with Emulator(environment={"ADDED": "by-the-caller"}) as emulator:
        environment = Path(f"/proc/{emulator.process_id}/environ").read_text()
    assert "real-and-private" not in environment
    assert "ADDED=by-the-caller" in environment


def test_exit_during_start_is_reported_with_the_log() -> None:
    """The error does not wait for the timeout."""
    started = time.monotonic()
    with pytest.raises(EmulatorError, match=r"exited with status 1[\s\S]*ValueError"):
        Emulator(environment={"GATEWAY_PORT": "no-number"}, start_timeout_seconds=10 * WAIT_SECONDS).start()
    assert time.monotonic() - started < WAIT_SECONDS


def test_port_is_bound_before_ministack_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other program can take it meanwhile."""
    start_process = subprocess.Popen
    tried: list[str] = []

    def take_the_port_first(*arguments: Any, **named: Any) -> Any:
        tried.append(named["env"]["GATEWAY_PORT"])
        with pytest.raises(OSError, match="in use"):
            socket.create_server(("127.0.0.1", int(tried[-1])))
        return start_process(*arguments, **named)

    monkeypatch.setattr(subprocess, "Popen", take_the_port_first)
    with Emulator() as emulator:
        assert [emulator.url] == [f"http://127.0.0.1:{port}" for port in tried]


def test_later_exit_is_detected() -> None:
    """`check_alive` raises an error."""
    with Emulator() as emulator:
        emulator.check_alive()
        os.kill(emulator.process_id, signal.SIGKILL)

        def is_detected() -> bool:
            try:
                emulator.check_alive()
            except EmulatorError as error:
                return "exited with status -9" in str(error)
            return False

        assert wait_until(is_detected)


def test_ministack_ends_when_its_parent_is_killed() -> None:
    """A killed rehearsal runs no cleanup."""
    program = (
        "import os, signal, threading\n"
        "from rehearsal.cloud.ministack import Emulator\n"
        "emulator = Emulator()\n"
        # The starting thread ends at once; only the end of the process counts.
        "starter = threading.Thread(target=emulator.start)\n"
        "starter.start(); starter.join()\n"
        "emulator.check_alive()\n"
        "print(emulator.process_id, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == -signal.SIGKILL
    group = int(finished.stdout)
    assert wait_until(lambda: children_of(group) == [])
