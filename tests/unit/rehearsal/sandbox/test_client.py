"""Tests of the client's errors while no sandbox answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rehearsal.sandbox import client as client_module
from rehearsal.sandbox.client import Address, SandboxClient, SandboxError
from tests.support.ports import reserve_port


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """Yield the URL of a port that answers one request with these bytes, or never."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                if answer is None:
                    done.wait()
                else:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        done.set()
        thread.join()


def error_of(url: str) -> str:
    """Return the text of the error that a request raises."""
    with pytest.raises(SandboxError) as raised:
        SandboxClient(Address(url=url, token="t", pid=4711)).status()
    return str(raised.value)


ENDED = "the sandbox (process 4711) has ended. Start another one: `python -m rehearsal.sandbox start`."


def test_closed_port_is_an_ended_sandbox() -> None:
    """The error has no text of the HTTP library."""
    with reserve_port() as reserved:
        assert ENDED == error_of(f"http://127.0.0.1:{reserved.getsockname()[1]}")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.0 200 OK\r\n\r\nhello"])
def test_port_of_another_program_is_an_ended_sandbox(answer: bytes) -> None:
    """The port was reused: the answer is not a sandbox's."""
    with listening(answer) as url:
        assert ENDED == error_of(url)


def test_hanging_sandbox_is_named_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may still run: the hint leads to its terminal."""
    monkeypatch.setattr(client_module, "TIMEOUT_SECONDS", 0.05)
    with listening(None) as url:
        assert error_of(url).startswith(
            "the sandbox (process 4711) did not respond within 0.05 s. Look at its terminal"
        )
