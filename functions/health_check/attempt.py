"""One probe under way: what it has learnt so far, and how to end it from outside.

Owns: the notes and the sockets of one probe.
Does not own: what is asked (probe.py), how long it may take (deadline.py).
Invariant: once it is abandoned, its notes don't change, its connection is shut, and it opens no other.

PyMySQL's time-outs count from one received byte to the next, so a peer that trickles bytes is never late for them. So the
end comes from outside: shutting a duplicate of the socket wakes whatever waits on the connection, in any of its stages.
"""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace

from .model import ProbeFailure, ProbeReport, Target


class Attempt:
    """A probe of one target. `started_at` and `deadline` are of time.monotonic, in seconds."""

    def __init__(self, target: Target, *, started_at: float, deadline: float) -> None:
        self.target = target
        self.started_at = started_at
        self.deadline = deadline
        self._lock = threading.Lock()
        self._report = ProbeReport(cluster=target.cluster)
        self._stage = "connect"
        self._socket: socket.socket | None = None
        self._is_abandoned = False
        self._is_complete = False

    @property
    def stage(self) -> str:
        """What the probe is doing."""
        return self._stage

    @property
    def is_logged_in(self) -> bool:
        """Tell whether the database has let the probe in."""
        return self._report.reachable

    def enter(self, stage: str) -> None:
        """Say what comes next."""
        self._stage = stage

    def note(self, **learnt: object) -> None:
        """Keep facts, by their names in ProbeReport."""
        with self._lock:
            if not self._is_abandoned:
                self._report = replace(self._report, **learnt)  # pyright: ignore[reportArgumentType]

    def complete(self) -> None:
        """Say that all that matters is known: what comes now may fail or be late without being a failure of the probe."""
        with self._lock:
            self._is_complete = True

    def remaining_seconds(self) -> float:
        """Return what is left until the deadline. Raises TimeoutError when nothing is."""
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the deadline has passed")
        return remaining

    def watch(self, sock: socket.socket) -> None:
        """Let `abandon` reach this socket, before it connects. Raises TimeoutError when the probe is abandoned already."""
        duplicate = sock.dup()  # TLS takes the socket object over; a duplicate stays valid whatever becomes of it
        with self._lock:
            previous, self._socket = self._socket, None if self._is_abandoned else duplicate
            if self._is_abandoned:
                duplicate.close()
                raise TimeoutError("the deadline has passed")
        if previous is not None:
            previous.close()

    def abandon(self) -> ProbeReport:
        """End the probe, whatever it is doing, and return what it knew: it is late."""
        with self._lock:
            self._is_abandoned = True
            elapsed_ms = (time.monotonic() - self.started_at) * 1000
            failure = f"{ProbeFailure.TIMEOUT}: {self._stage}: no answer within {elapsed_ms:.0f} ms"
            report = (
                self._report if self._is_complete or self._report.failure else replace(self._report, failure=failure)
            )
        self.release(shut=True)
        return report

    def release(self, *, shut: bool = False) -> None:
        """Let go of the socket; with `shut`, end the connection for everybody who holds it."""
        with self._lock:
            duplicate, self._socket = self._socket, None
        if duplicate is None:
            return
        if shut:
            with suppress(OSError):  # it may not be connected, or no longer
                duplicate.shutdown(socket.SHUT_RDWR)
        duplicate.close()

    def report(self) -> ProbeReport:
        """Return what is known by now."""
        with self._lock:
            return self._report
