"""The cycles of one invocation, at a steady interval until a successor takes the lease.

Two cycles never begin less than an interval apart by the same clock. Late cycles are skipped, not made up for.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil

from .cycle import Cycle
from .model import Policy
from .ports import StateConflictError
from .state_update import seconds_between

LOOP_SECONDS = 120.0
"""The schedule starts an invocation each minute, up to 60 s late, so a successor normally starts within this time."""
CALL_SECONDS = 22.0
"""Time reserved at the end for a failover call: 10 s to connect, 10 s to answer, and a margin."""


def run_cycles(
    cycle: Cycle,
    *,
    holder: str,
    policy: Policy,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    remaining_seconds: Callable[[], float],
    limit: int | None = None,
) -> dict[str, object]:
    """Run cycles until a successor holds the lease, the time is up or `limit` is reached; return a summary in JSON types.

    `ended` is successor, deadline, cycles or concurrent (another invocation took the lease at the same moment).
    """
    summary: dict[str, object] = {"cycles": 0, "last": None, "ended": "cycles"}
    if limit is not None and limit <= 0:
        return summary  # without the lease, which a running invocation would lose
    cycle.begin(holder)
    try:
        cycle.take_lease()
    except StateConflictError:
        return {**summary, "ended": "concurrent"}
    pace = _Pace(policy.interval_seconds, started=clock(), last_cycle_at=cycle.last_cycle_at)
    reserve = 2 * policy.observation_deadline_seconds + policy.pause_seconds + CALL_SECONDS
    cycles = 0
    while limit is None or cycles < limit:
        delay = pace.delay(clock())
        if pace.elapsed(clock()) + delay >= LOOP_SECONDS or remaining_seconds() - delay < reserve:
            summary["ended"] = "deadline"
            break
        sleep(delay)
        if not cycle.has_lease:  # the lease was unreadable
            try:
                cycle.take_lease()
            except StateConflictError:
                summary["ended"] = "concurrent"
                break
        result = cycle.run(policy.interval_seconds)
        if result.decision is None:
            summary["ended"] = "successor"
            break
        cycles += 1
        summary |= {
            "cycles": cycles,
            "last": {"action": str(result.decision.action), "reason": str(result.decision.reason)},
        }
        cycle.report(result, pace.next(clock()))
    cycle.finish(max(0.0, min(CALL_SECONDS, remaining_seconds() - 1)))
    return summary


class _Pace:
    """When the next cycle is due. The first is due one interval after the predecessor's last cycle."""

    def __init__(self, interval_seconds: float, *, started: datetime, last_cycle_at: datetime | None) -> None:
        self._interval_seconds = interval_seconds
        self._started = started
        wait = 0.0
        if last_cycle_at is not None:
            # At most one interval, as another machine's clock may differ.
            wait = min(interval_seconds, max(0.0, interval_seconds - seconds_between(last_cycle_at, started)))
        self._due = started + timedelta(seconds=wait)

    def elapsed(self, now: datetime) -> float:
        return seconds_between(self._started, now)

    def delay(self, now: datetime) -> float:
        """Return the seconds until the due cycle; at most one interval, as the clock may have been set back."""
        return min(self._interval_seconds, max(0.0, seconds_between(now, self._due)))

    def next(self, now: datetime) -> float:
        """Advance to the next due time that is not past and return the seconds until it."""
        late = seconds_between(self._due, now) / self._interval_seconds
        self._due += timedelta(seconds=self._interval_seconds * max(1, ceil(late)))
        return self.delay(now)
