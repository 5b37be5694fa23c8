"""Client of a running sandbox, found through a file in the sandbox's directory.

The file holds the access token and is readable by its owner only.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.engine.state import StackState

TOKEN_HEADER = "X-Sandbox-Token"
FILE = "sandbox.json"
OUTPUTS = "outputs.json"
CLI_FOLDER = "pulumi"
"""The folder of the Pulumi CLI's backend, home, plugins and settings."""
TIMEOUT_SECONDS = 120.0


class SandboxError(Exception):
    """A command failed; the text gives the reason and a hint."""


class SandboxRefusedError(SandboxError):
    """A command was refused; no changes were made."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Address of a running sandbox."""

    url: str
    token: str
    pid: int


def write_private_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON atomically, readable by the owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
    temporary.replace(path)


def write_address(directory: Path, address: Address) -> None:
    """Write the sandbox's address to its directory."""
    write_private_json(directory / FILE, asdict(address))


def find(directory: Path) -> SandboxClient:
    """Return the client of a directory's sandbox.

    Raises: SandboxError if no sandbox runs in the directory, or if the sandbox file is invalid.
    """
    start = "Start one in another terminal: `python -m rehearsal.sandbox start`."
    try:
        return SandboxClient(Address(**json.loads((directory / FILE).read_text(encoding="utf-8"))))
    except FileNotFoundError as error:
        raise SandboxError(f"no sandbox is running in {directory}. {start}") from error
    except (ValueError, TypeError) as error:
        raise SandboxError(f"{directory / FILE} is not a valid sandbox file. Delete it. {start}") from error


class SandboxClient:
    """Sends requests to a running sandbox."""

    def __init__(self, address: Address) -> None:
        self.address = address
        # No proxy: the sandbox is on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def status(self) -> dict[str, Any]:
        """Return the sandbox's status."""
        return self._ask("GET", "/sandbox")

    def state(self) -> StackState:
        """Return the state of the deployed stack, empty before the first deployment."""
        from rehearsal.engine.state import StackState  # Imports Pulumi, which is slow.

        kept = self._ask("GET", "/state")["state"]
        return StackState() if kept is None else StackState.from_json(kept)

    def store_state(self, state: StackState) -> None:
        """Store the state, also after an interrupted operation."""
        self._ask("PUT", "/state", {"state": state.to_json()})

    def set_outputs(self, outputs: Mapping[str, Any] | None) -> None:
        """Set the outputs of the deployed stack, None if there is none."""
        self._ask("PUT", "/outputs", {"outputs": None if outputs is None else dict(outputs)})

    @contextmanager
    def stack_lock(self, doing: str) -> Iterator[None]:
        """Hold the lock of the stack. Raises: SandboxError while another command holds it."""
        self._ask("POST", "/engine", {"pid": os.getpid(), "doing": doing})
        try:
            yield
        finally:
            self._ask("DELETE", "/engine")

    def change_region(self, region: str, action: str) -> None:
        """Fail or restore a region. Raises: SandboxError for an unknown region."""
        self._ask("POST", f"/regions/{region}/{action}")

    def stop(self) -> None:
        """Stop the sandbox."""
        self._ask("POST", "/stop")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self.address.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={TOKEN_HEADER: self.address.token, "Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            raise SandboxError(_error_of(said) or f"the sandbox failed: {error.code} {said[:500]}") from error
        except (OSError, HTTPException, ValueError) as error:  # URLError is an OSError
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise SandboxError(
                    f"the sandbox (process {self.address.pid}) did not respond within {TIMEOUT_SECONDS:g} s. "
                    "Look at its terminal; stop it with Ctrl-C there, and start another one"
                ) from error
            raise SandboxError(
                f"the sandbox (process {self.address.pid}) has ended. "
                "Start another one: `python -m rehearsal.sandbox start`."
            ) from error


def _error_of(body: str) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return ""
