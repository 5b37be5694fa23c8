"""Start and stop ministack, the embedded AWS, as a child process on loopback.

Owns: the child process, its environment, its temporary directory, its log, and that nothing of it outlives us.
Does not own: what is created in it (deployment.py), or what it cannot do (control_plane.py).
Invariant: no real credential, profile or proxy setting of this machine reaches the emulator or a function that it runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from rehearsal.cloud.permission_log import PermissionCheck, read_checks
from rehearsal.support.clients import ACCOUNT_ID, SECRET_ACCESS_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

READY_PATH = "/_ministack/ready"
POLL_SECONDS = 0.05
START_ATTEMPTS = 3
PERMISSION_NOTES = "permissions.jsonl"
"""What the launcher writes the roles' checks to, in the emulator's directory."""

LAUNCHER = Path(__file__).parent / "ministack_launcher.py"

PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE", "SYSTEMROOT")


class EmulatorError(RuntimeError):
    """The emulator did not start, or is gone; the text carries the end of its log."""


class Emulator:
    """Ministack as a context manager: `with Emulator() as emulator: ... emulator.url`.

    `environment` is added to the emulator's and so to that of every Lambda worker: `AWS_ENDPOINT_URL` there decides
    where the functions find AWS, `PYTHONPATH` what the workers import at start. With `enforce_permissions` every
    function acts under its own role: signatures are verified, and what its policies don't allow is refused.
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
        self._directory: Path | None = None
        self._port = 0
        self._last_log = ""
        self.start_seconds = 0.0
        """How long the last start took, until the emulator said that it is ready."""

    @property
    def url(self) -> str:
        """The endpoint URL that every AWS client takes. Raises `EmulatorError` before `start`."""
        if self._process is None:
            raise EmulatorError("the emulator is not running")
        return f"http://127.0.0.1:{self._port}"

    @property
    def process_id(self) -> int:
        """The process id of ministack and of its process group. Raises `EmulatorError` before `start`."""
        if self._process is None:
            raise EmulatorError("the emulator is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start ministack on a free loopback port and wait until it is ready.

        Raises:
            EmulatorError: it died or was not ready in time; the message ends with its log.
        """
        if self._process is not None:
            raise EmulatorError("the emulator is already running")
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                self._start_once()
            except EmulatorError as error:
                # Between our choice of a free port and the child's bind, somebody else may take it.
                if "already in use" not in str(error) or attempt == START_ATTEMPTS:
                    raise
            else:
                return

    def stop(self) -> None:
        """Kill the whole process group, Lambda workers included, and remove its directory. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            # Nothing in it is worth an orderly end: all its state lives in memory and in the directory removed below.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if process.stdin is not None:
                process.stdin.close()
            process.wait()
        directory, self._directory = self._directory, None
        if directory is not None:
            self._last_log = _tail(directory / "ministack.log", lines=40)
            shutil.rmtree(directory, ignore_errors=True)

    def check_alive(self) -> None:
        """Raise `EmulatorError` with the end of the log when the emulator has died."""
        if self._process is None:
            raise EmulatorError("the emulator is not running")
        status = self._process.poll()
        if status is not None:
            raise EmulatorError(f"the emulator died with status {status}\n{self.log_tail()}")

    def log_tail(self, *, lines: int = 40) -> str:
        """The last lines that ministack logged; after `stop`, those that it had logged by then."""
        if self._directory is None:
            return self._last_log
        return _tail(self._directory / "ministack.log", lines=lines)

    def permission_checks(self) -> list[PermissionCheck]:
        """What the roles were asked for so far, each once. Raises `EmulatorError` before `start`."""
        if self._directory is None:
            raise EmulatorError("the emulator is not running")
        notes = self._directory / PERMISSION_NOTES
        return read_checks(notes.read_text(encoding="utf-8").splitlines()) if notes.exists() else []

    def resident_bytes(self) -> int | None:
        """Resident memory of the emulator and its Lambda workers together, or None where /proc is missing."""
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

    def _start_once(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="aurora-rehearsal-"))
        self._port = _free_port()
        started = time.monotonic()
        with (self._directory / "ministack.log").open("wb") as log:
            self._process = self._spawn(self._directory, log)
        try:
            self._wait_until_ready(started + self._start_timeout_seconds)
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.monotonic() - started

    def _spawn(self, directory: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
        for name in ("home", "tmp"):
            (directory / name).mkdir()
        return subprocess.Popen(
            [sys.executable, "-P", str(LAUNCHER)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=self._child_environment(directory),
            start_new_session=True,
        )

    def _child_environment(self, directory: Path) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        ours = {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self._port),
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            # No listener but the one port, and no container: not even a look for Docker.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LAMBDA_EXECUTOR": "local",
            "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
            # Nothing outlives the run.
            "PERSIST_STATE": "0",
            "S3_PERSIST": "0",
            "STATE_DIR": str(directory / "state"),
            "S3_DATA_DIR": str(directory / "s3"),
            "HOME": str(directory / "home"),
            "TMPDIR": str(directory / "tmp"),
            # The functions' AWS clients find this account and nothing of this machine's real one.
            "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "*",
            # AWS attaches its managed policies by name; ministack makes them on first use with this.
            "MINISTACK_AUTOCREATE_AWS_MANAGED": "1",
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
            "PERMISSION_NOTES": str(directory / PERMISSION_NOTES),
        }
        return {**inherited, **ours, **self._environment}

    def _wait_until_ready(self, deadline: float) -> None:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while True:
            self.check_alive()
            with contextlib.suppress(urllib.error.URLError, OSError), opener.open(self.url + READY_PATH, timeout=2):
                return
            if time.monotonic() > deadline:
                raise EmulatorError(
                    f"the emulator was not ready after {self._start_timeout_seconds:g} s\n{self.log_tail()}"
                )
            time.sleep(POLL_SECONDS)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tail(path: Path, *, lines: int) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
