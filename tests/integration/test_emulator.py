"""The emulator starts quickly, keeps this machine's credentials out, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from rehearsal.cloud.ministack import ACCOUNT_ID, Emulator, EmulatorError
from rehearsal.support.clients import Clients
from tests.support.waiting import WAIT_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[2]


def is_running(process_id: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children_of(group: int) -> list[int]:
    """Return the ids of all processes of a group that run."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and is_running(int(entry.name)):
            try:
                if os.getpgid(int(entry.name)) == group:
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


def test_answers_as_the_one_account_in_every_region() -> None:
    """A client of any region is that account; how long the start took was measured."""
    started = time.monotonic()
    with Emulator() as emulator:
        elapsed_seconds = time.monotonic() - started
        clients = Clients(emulator.url)
        accounts = {clients("sts", region).get_caller_identity()["Account"] for region in ("us-east-1", "eu-west-1")}
        clients.close()
        assert accounts == {ACCOUNT_ID}
        assert 0 < emulator.start_seconds < elapsed_seconds
        assert (emulator.resident_bytes() or 0) > 10_000_000


def test_stop_ends_every_process_and_removes_the_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After `stop`, which may be called twice, no process and no file is left; the log's end can still be read."""
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


def test_this_machine_s_credentials_do_not_reach_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real keys, profiles and proxies stay outside; what the caller adds gets in."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECRET_ACCESS_KEY", "HTTP_PROXY", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "real-and-private")
    with Emulator(environment={"ADDED": "by-the-caller"}) as emulator:
        environment = Path(f"/proc/{emulator.process_id}/environ").read_text()
    assert "real-and-private" not in environment
    assert "ADDED=by-the-caller" in environment


def test_an_early_death_is_reported_with_the_log() -> None:
    """A ministack that can't start says why in the error, long before the time that it had is over."""
    started = time.monotonic()
    with pytest.raises(EmulatorError, match=r"died with status 1[\s\S]*ValueError"):
        Emulator(environment={"GATEWAY_PORT": "no-number"}, start_timeout_seconds=10 * WAIT_SECONDS).start()
    assert time.monotonic() - started < WAIT_SECONDS


def test_a_later_death_is_noticed() -> None:
    """Who checks learns that the emulator is gone."""
    with Emulator() as emulator:
        emulator.check_alive()
        os.kill(emulator.process_id, signal.SIGKILL)

        def is_noticed() -> bool:
            try:
                emulator.check_alive()
            except EmulatorError as error:
                return "died with status -9" in str(error)
            return False

        assert wait_until(is_noticed)


def test_it_dies_with_us_however_we_die() -> None:
    """A rehearsal that is killed, so that no cleaning up can run, leaves no emulator behind."""
    program = (
        "import os, signal, threading\n"
        "from rehearsal.cloud.ministack import Emulator\n"
        "emulator = Emulator()\n"
        # Started by a thread that ends at once: it is the process that counts, not the thread.
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
