"""The private zone's resolver for Lambda functions in the VPC: a loopback port that returns Route 53's answers.

A request is the line `<region> <name>`, and the response is the endpoint or an empty line. lambda_site/sitecustomize.py sends
the names that the names file doesn't contain.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from typing import Self

RESOLVER_VARIABLE = "AURORA_REHEARSAL_RESOLVER"
MAX_REQUEST_BYTES = 512

Resolve = Callable[[str, str], str]
"""Maps a name and the region of the querying VPC to the endpoint, or to an empty string."""


class NameServer:
    """A resolver on 127.0.0.1; a context manager. Until `resolve` is set, no name exists."""

    def __init__(self) -> None:
        self.resolve: Resolve = lambda name, region: ""
        server = self

        class RequestHandler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line = self.rfile.readline(MAX_REQUEST_BYTES).decode("utf-8", errors="replace").split()
                endpoint = server.resolve(line[1], line[0]) if len(line) == 2 else ""
                self.wfile.write(f"{endpoint}\n".encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), RequestHandler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="name-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return self._server.server_address[1]

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make Lambda workers use this resolver."""
        return {RESOLVER_VARIABLE: str(self.port)}
