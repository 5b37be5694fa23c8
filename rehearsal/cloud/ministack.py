"""Starts and stops ministack, the embedded AWS, as a child process on loopback.

No credential, profile or proxy setting of this machine reaches ministack or a function that it runs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from rehearsal.cloud.permission_log import PermissionCheck, read_checks
from rehearsal.support.clients import ACCOUNT_ID, SECRET_ACCESS_KEY
from rehearsal.support.run_directory import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Mapping

READY_PATH = "/_ministack/ready"
POLL_SECONDS = 0.05
PERMISSION_LOG = "permissions.jsonl"
"""The launcher's log of permission checks, in ministack's directory."""

LAUNCHER = Path(__file__).parent / "ministack_launcher.py"

INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE", "SYSTEMROOT")


class EmulatorError(RuntimeError):
    """Ministack did not start or has died; the text ends with its log."""


class Emulator:
    """Ministack as a context manager: `with Emulator() as emulator: ... emulator.url`.

    `environment` is added to the environment of ministack and its Lambda workers: `AWS_ENDPOINT_URL` is the functions'
    AWS endpoint, `PYTHONPATH` has modules that the workers import at start. With `enforce_permissions`, ministack verifies
    signatures and enforces each function's policies.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        enforce_permissions: bool = False,
        start_timeout_seconds: float = 90.0,
    ) -> None:
        self._environment = {"AUTH": "true" if enforce_permissions else "false", **(environment or {})}
        self._start_timeout_seconds = start_timeout_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._directory: RunDirectory | None = None
        self._port = 0
        self._last_log = ""
        self.start_seconds = 0.0
        """The duration of the last start, until ministack was ready."""

    @property
    def url(self) -> str:
        """The endpoint URL. Raises EmulatorError before `start`."""
        self._running()
        return f"http://127.0.0.1:{self._port}"

    @property
    def process_id(self) -> int:
        """The id of ministack's process and process group. Raises EmulatorError before `start`."""
        return self._running().pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start ministack on a free loopback port and wait until it is ready.

        Raises: EmulatorError if it dies or is not ready in time.
        """
        if self._process is not None:
            raise EmulatorError("ministack is already running. Call `stop` first")
        self._directory = RunDirectory()
        directory = self._directory.path
        started = time.monotonic()
        try:
            # Ministack inherits the bound socket: until it listens, no other process can bind the port.
            with socket.socket() as bound, (directory / "ministack.log").open("wb") as log:
                bound.bind(("127.0.0.1", 0))
                self._port = bound.getsockname()[1]
                self._process = self._spawn(directory, log, bound.fileno())
            self._wait_until_ready(started + self._start_timeout_seconds)
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - started

    def stop(self) -> None:
        """Kill the whole process group, Lambda workers included, and remove its directory. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            # No orderly shutdown: its state is only in memory and in the directory that is removed below.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if process.stdin is not None:
                process.stdin.close()
            process.wait()
        directory, self._directory = self._directory, None
        if directory is not None:
            self._last_log = _tail(directory.path / "ministack.log", lines=40)
            directory.remove()

    def check_alive(self) -> None:
        """Raise EmulatorError with the end of the log if ministack has died."""
        status = self._running().poll()
        if status is not None:
            raise EmulatorError(f"ministack exited with status {status}\n{self.log_tail()}")

    def log_tail(self, *, lines: int = 40) -> str:
        """Return the last lines of ministack's log, also after `stop`."""
        return _tail(self._directory.path / "ministack.log", lines=lines) if self._directory else self._last_log

    def permission_checks(self) -> list[PermissionCheck]:
        """Return the distinct permission checks of all roles. Raises EmulatorError before `start`."""
        if self._directory is None:
            raise EmulatorError("ministack is not running. Call `start` first")
        log = self._directory.path / PERMISSION_LOG
        return read_checks(log.read_text(encoding="utf-8").splitlines()) if log.exists() else []

    def resident_bytes(self) -> int | None:
        """Return the resident memory of ministack and its Lambda workers; None without /proc."""
        if self._process is None or not Path("/proc/self/statm").exists():
            return None
        page_bytes = os.sysconf("SC_PAGE_SIZE")
        total_bytes = 0
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError, IndexError, ValueError):
                if os.getpgid(int(entry.name)) == self._process.pid:
                    total_bytes += int((entry / "statm").read_text().split()[1]) * page_bytes
        return total_bytes

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise EmulatorError("ministack is not running. Call `start` first")
        return self._process

    def _spawn(self, directory: Path, log: IO[bytes], bound_fd: int) -> subprocess.Popen[bytes]:
        for name in ("home", "tmp"):
            (directory / name).mkdir()
        return subprocess.Popen(
            [sys.executable, "-P", str(LAUNCHER), str(bound_fd)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=self._child_environment(directory),
            pass_fds=[bound_fd],
            start_new_session=True,
        )

    def _child_environment(self, directory: Path) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own = {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self._port),
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            # No other listener, and no container.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LAMBDA_EXECUTOR": "local",
            "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
            # No state on disk after the run.
            "PERSIST_STATE": "0",
            "S3_PERSIST": "0",
            "STATE_DIR": str(directory / "state"),
            "S3_DATA_DIR": str(directory / "s3"),
            "HOME": str(directory / "home"),
            "TMPDIR": str(directory / "tmp"),
            # The functions' AWS clients must not use this machine's credentials.
            "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "*",
            # Creates AWS's managed policies on first use.
            "MINISTACK_AUTOCREATE_AWS_MANAGED": "1",
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
            "PERMISSION_LOG": str(directory / PERMISSION_LOG),
        }
        return {**inherited, **own, **self._environment}

    def _wait_until_ready(self, deadline: float) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while True:
            self.check_alive()
            with contextlib.suppress(urllib.error.URLError, OSError), opener.open(self.url + READY_PATH, timeout=2):
                return
            if time.monotonic() > deadline:
                raise EmulatorError(
                    f"ministack was not ready after {self._start_timeout_seconds:g} s\n{self.log_tail()}"
                )
            time.sleep(POLL_SECONDS)


def _tail(path: Path, *, lines: int) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
