"""The private zone's resolver, for the functions in the VPC: a loopback port that answers what Route 53 would.

Owns: the socket, and the line protocol that lambda_site/sitecustomize.py speaks: `<region> <name>` in, the endpoint that
the name leads to (or nothing) out.
Does not own: the answer (route53.py), or which names are asked here (the sitecustomize: those that no listener publishes).
Invariant: a question that can't be answered gets an empty line, as a resolver says NXDOMAIN, never another name.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

RESOLVER_VARIABLE = "AURORA_REHEARSAL_RESOLVER"
LONGEST_QUESTION = 512

Resolve = Callable[[str, str], str]
"""(name, region of the asking VPC) -> the endpoint, or an empty text."""


class NameServer:
    """Answers on 127.0.0.1; a context manager. `resolve` may be set later: until then no name exists."""

    def __init__(self) -> None:
        self.resolve: Resolve = lambda name, region: ""
        server = self

        class Question(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line = self.rfile.readline(LONGEST_QUESTION).decode("utf-8", errors="replace").split()
                answer = server.resolve(line[1], line[0]) if len(line) == 2 else ""
                self.wfile.write(f"{answer}\n".encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Question, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind()
        self._server.server_activate()
        self._thread = threading.Thread(target=self._server.serve_forever, name="name-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return self._server.server_address[1]

    def environment(self) -> dict[str, str]:
        """Return what the emulator's environment needs so that its Lambda workers ask here."""
        return {RESOLVER_VARIABLE: str(self.port)}
