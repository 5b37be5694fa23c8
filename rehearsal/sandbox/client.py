"""The way from a command to the running sandbox: its file, its port, its token.

Owns: where the sandbox of a directory is found, and the requests. Does not own: what the commands mean (sandbox.py).
Invariant: the file, which holds the token, is readable by its owner alone.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.engine.state import StackState

TOKEN_HEADER = "X-Sandbox-Token"
FILE = "sandbox.json"
OUTPUTS = "outputs.json"
TIMEOUT_SECONDS = 120.0


class SandboxError(Exception):
    """A command can't be done; the text says why, and the hint."""


class RefusedError(SandboxError):
    """A command would lose something, or can't be done now: nothing was changed."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a running sandbox is."""

    url: str
    token: str
    pid: int


def write_privately(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON that only the owner may read; whoever reads sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    temporary.replace(path)


def announce(directory: Path, address: Address) -> None:
    """Say in a directory where the sandbox is."""
    write_privately(directory / FILE, asdict(address))


def find(directory: Path) -> SandboxClient:
    """Return the client of a directory's sandbox.

    Raises: SandboxError when none was started there, or the file is no sandbox's.
    """
    start = "Start one in another terminal: `python -m rehearsal.sandbox start`."
    try:
        return SandboxClient(Address(**json.loads((directory / FILE).read_text(encoding="utf-8"))))
    except FileNotFoundError as error:
        raise SandboxError(f"no sandbox runs here ({directory}). {start}") from error
    except (ValueError, TypeError) as error:
        raise SandboxError(f"{directory / FILE} is not a sandbox's file. Remove it. {start}") from error


class SandboxClient:
    """Asks a running sandbox."""

    def __init__(self, address: Address) -> None:
        self.address = address
        # Never through a proxy: it is on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def picture(self) -> dict[str, Any]:
        """Return what the sandbox says of itself."""
        return self._ask("GET", "/sandbox")

    def state(self) -> StackState:
        """Return the state of what is deployed; an empty one before."""
        from rehearsal.engine.state import StackState  # With Pulumi, which takes its time: few commands need it.

        kept = self._ask("GET", "/state")["state"]
        return StackState() if kept is None else StackState.from_json(kept)

    def keep(self, state: StackState) -> None:
        """Leave the state there, also of work that ended half-way."""
        self._ask("PUT", "/state", {"state": state.to_json()})

    def follow(self, outputs: Mapping[str, Any] | None) -> None:
        """Tell the sandbox that a stack is up, with its outputs, or None: that it isn't any more."""
        self._ask("PUT", "/outputs", {"outputs": None if outputs is None else dict(outputs)})

    @contextmanager
    def engine(self, doing: str) -> Iterator[None]:
        """Be the one that changes the stack. Raises: SandboxError while another is at it."""
        self._ask("POST", "/engine", {"pid": os.getpid(), "doing": doing})
        try:
            yield
        finally:
            self._ask("DELETE", "/engine")

    def turn(self, region: str, turn: str) -> None:
        """Darken or restore a region. Raises: SandboxError for one that isn't here."""
        self._ask("POST", f"/regions/{region}/{turn}")

    def stop(self) -> None:
        """Let it end."""
        self._ask("POST", "/stop")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self.address.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={TOKEN_HEADER: self.address.token, "Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            raise SandboxError(_error_of(said) or f"the sandbox failed: {error.code} {said[:500]}") from error
        except (urllib.error.URLError, OSError) as error:
            raise SandboxError(
                f"the sandbox of process {self.address.pid} does not answer ({error}): it was killed, or hangs. "
                "Start another one: `python -m rehearsal.sandbox start`."
            ) from error


def _error_of(body: str) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return ""
