"""Runs probes in parallel and returns their reports by the deadline."""

import threading
import time
from collections.abc import Callable, Sequence

from .attempt import ConnectionAttempt
from .model import ProbeFailure, ProbeReport, Target

MAX_ABANDONED_PROBES = 2
"""Abandoned probes of one endpoint that may still run. Only name resolution cannot be interrupted."""


class ProbeRunner:
    """Runs `probe` for each target in its own thread. One per process, as it counts the abandoned threads."""

    def __init__(self, probe: Callable[[ConnectionAttempt], None]) -> None:
        self._probe = probe
        self._abandoned: dict[tuple[str, int], list[threading.Thread]] = {}

    def run(self, targets: Sequence[Target], *, started_at: float, deadline_ms: float) -> list[ProbeReport]:
        """Return a report for each target, in order, at most `deadline_ms` after `started_at` (time.monotonic)."""
        deadline = started_at + deadline_ms / 1000
        running: list[tuple[ConnectionAttempt, threading.Thread | None]] = []
        for target in targets:
            attempt = ConnectionAttempt(target, started_at=started_at, deadline=deadline)
            running.append((attempt, self._start(attempt)))
        reports: list[ProbeReport] = []
        for attempt, thread in running:
            if thread is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
            if thread is None or not thread.is_alive():
                reports.append(attempt.report())
                continue
            reports.append(attempt.abandon())
            self._abandoned.setdefault((attempt.target.host, attempt.target.port), []).append(thread)
        return reports

    def abandoned(self) -> int:
        """Return the number of abandoned probes that still run."""
        self._forget_ended()
        return sum(map(len, self._abandoned.values()))

    def _start(self, attempt: ConnectionAttempt) -> threading.Thread | None:
        self._forget_ended()
        target = attempt.target
        running = len(self._abandoned.get((target.host, target.port), ()))
        if running >= MAX_ABANDONED_PROBES:
            failure = f"{ProbeFailure.TIMEOUT}: connect: {running} earlier probes of this endpoint still run"
            attempt.note(failure=failure)
            return None
        # A daemon, as Lambda must be able to end the process while the thread waits.
        thread = threading.Thread(target=self._probe, args=(attempt,), name=f"probe-{target.cluster}", daemon=True)
        thread.start()
        return thread

    def _forget_ended(self) -> None:
        alive = {
            endpoint: [thread for thread in threads if thread.is_alive()]
            for endpoint, threads in self._abandoned.items()
        }
        self._abandoned = {endpoint: threads for endpoint, threads in alive.items() if threads}
