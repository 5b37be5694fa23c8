"""A probe in progress: its partial report, and a way to end it from another thread.

PyMySQL's time-outs restart with each received byte, so a peer that sends single bytes never reaches them. `abandon`
therefore shuts down a duplicate of the socket, which interrupts any wait on the connection.
"""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import replace

from .model import ProbeFailure, ProbeReport, Target


class ConnectionAttempt:
    """A probe of one target. `started_at` and `deadline` are seconds of time.monotonic."""

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
        """Name of the current stage."""
        return self._stage

    @property
    def is_logged_in(self) -> bool:
        """Whether the database accepted the log-in."""
        return self._report.reachable

    def enter(self, stage: str) -> None:
        """Set the current stage."""
        self._stage = stage

    def note(self, **values: object) -> None:
        """Set fields of the ProbeReport; has no effect after `abandon`."""
        with self._lock:
            if not self._is_abandoned:
                self._report = replace(self._report, **values)  # pyright: ignore[reportArgumentType]

    def complete(self) -> None:
        """Mark all required values as known. Later errors and time-outs no longer fail the probe."""
        with self._lock:
            self._is_complete = True

    def remaining_seconds(self) -> float:
        """Return the seconds until the deadline. Raises TimeoutError after it."""
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the deadline has passed")
        return remaining

    def watch(self, sock: socket.socket) -> None:
        """Let `abandon` shut down this socket; call before connecting. Raises TimeoutError after `abandon`."""
        duplicate = sock.dup()  # TLS takes over the socket object; a duplicate stays valid
        with self._lock:
            previous, self._socket = self._socket, None if self._is_abandoned else duplicate
            if self._is_abandoned:
                duplicate.close()
                raise TimeoutError("the deadline has passed")
        if previous is not None:
            previous.close()

    def abandon(self) -> ProbeReport:
        """End the probe in any stage and return its report so far, with a time-out failure unless it is complete."""
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
        """Close the duplicate of the socket; with `shut`, shut down the connection too."""
        with self._lock:
            duplicate, self._socket = self._socket, None
        if duplicate is None:
            return
        if shut:
            with suppress(OSError):  # not connected
                duplicate.shutdown(socket.SHUT_RDWR)
        duplicate.close()

    def report(self) -> ProbeReport:
        """Return the report so far."""
        with self._lock:
            return self._report
