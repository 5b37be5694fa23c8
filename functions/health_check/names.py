"""Resolves names as the VPC does: what a client in it gets for `writer.<zone>`, which nobody outside can ask.

Owns: the questions to the resolver, side by side. Does not own: what the addresses mean (the asker compares them).
Invariant: the answer comes at the deadline at the latest; a question that hangs delays no other.
"""

import socket
import threading
import time
from collections.abc import Sequence

from .model import NameReport

LATE = "no answer within the deadline"


def resolve(names: Sequence[str], *, port: int, started_at: float, deadline_ms: float) -> list[NameReport]:
    """Return a report for each name, in their order, at the latest `deadline_ms` after `started_at` (time.monotonic)."""
    reports: dict[str, NameReport] = {}

    def ask(name: str) -> None:
        reports[name] = _report(name, port)

    # Daemons: name resolution can't be woken, and Lambda must be able to end the process whatever it waits for.
    threads = [threading.Thread(target=ask, args=(name,), name=f"resolve-{name}", daemon=True) for name in names]
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
