"""Runs probes side by side and answers in time, whatever they do.

Owns: the threads, and the deadline that they share.
Does not own: what a probe does (probe.py).
Invariant: the answer comes at the deadline at the latest; a probe that hangs delays no other, keeps nothing open, and
doesn't pile up over invocations.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from .attempt import Attempt
from .model import ProbeFailure, ProbeReport, Target

MOST_LEFT_BEHIND = 2
"""How many abandoned probes of one endpoint may still be ending. Only name resolution can't be woken; it ends by itself."""


class ProbeRunner:
    """Runs `probe` for each target in a thread of its own. One per process: it remembers who was left behind."""

    def __init__(self, probe: Callable[[Attempt], None]) -> None:
        self._probe = probe
        self._left_behind: dict[tuple[str, int], list[threading.Thread]] = {}

    def run(self, targets: Sequence[Target], *, started_at: float, deadline_ms: float) -> list[ProbeReport]:
        """Return a report for each target, in their order, at the latest `deadline_ms` after `started_at`."""
        deadline = started_at + deadline_ms / 1000
        running: list[tuple[Attempt, threading.Thread | None]] = []
        for target in targets:
            attempt = Attempt(target, started_at=started_at, deadline=deadline)
            running.append((attempt, self._start(attempt)))
        reports: list[ProbeReport] = []
        for attempt, thread in running:
            if thread is None:
                reports.append(attempt.report())
                continue
            thread.join(max(0.0, deadline - time.monotonic()))
            if not thread.is_alive():
                reports.append(attempt.report())
                continue
            reports.append(attempt.abandon())
            self._left_behind.setdefault((attempt.target.host, attempt.target.port), []).append(thread)
        return reports

    def left_behind(self) -> int:
        """Return how many abandoned probes have not ended yet."""
        self._forget_ended()
        return sum(map(len, self._left_behind.values()))

    def _start(self, attempt: Attempt) -> threading.Thread | None:
        self._forget_ended()
        target = attempt.target
        before = len(self._left_behind.get((target.host, target.port), ()))
        if before >= MOST_LEFT_BEHIND:
            attempt.note(
                failure=f"{ProbeFailure.TIMEOUT}: connect: {before} earlier probes of this endpoint haven't ended"
            )
            return None
        # A daemon: Lambda must be able to end the process whatever this thread waits for.
        thread = threading.Thread(target=self._probe, args=(attempt,), name=f"probe-{target.cluster}", daemon=True)
        thread.start()
        return thread

    def _forget_ended(self) -> None:
        for endpoint, threads in list(self._left_behind.items()):
            alive = [thread for thread in threads if thread.is_alive()]
            self._left_behind[endpoint] = alive
            if not alive:
                with suppress(KeyError):
                    del self._left_behind[endpoint]
