"""Name resolution as a client inside the VPC sees it, for names such as `writer.<zone>` in a private zone."""

import socket
import threading
import time
from collections.abc import Sequence

from .model import NameReport

LATE = "no answer within the deadline"


def resolve(names: Sequence[str], *, port: int, started_at: float, deadline_ms: float) -> list[NameReport]:
    """Return a report for each name, in order, at most `deadline_ms` after `started_at` (time.monotonic)."""
    reports: dict[str, NameReport] = {}

    def run(name: str) -> None:
        reports[name] = _report(name, port)

    # Daemons: name resolution cannot be interrupted, and Lambda must be able to end the process.
    threads = [threading.Thread(target=run, args=(name,), name=f"resolve-{name}", daemon=True) for name in names]
    deadline = started_at + deadline_ms / 1000
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [reports.get(name, NameReport(name=name, failure=LATE)) for name in names]


def _report(name: str, port: int) -> NameReport:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return NameReport(name=name, failure=str(error) or type(error).__name__)
    addresses = sorted({f"{address[0]}:{address[1]}" for *_, address in found})
    return NameReport(name=name, addresses=tuple(addresses))
