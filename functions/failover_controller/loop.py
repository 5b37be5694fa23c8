"""The beats of one invocation: a steady pace until a successor takes over, without a pause at the hand-over.

Owns the lease's use and the pace. Does not own what happens in a beat (`cycle.py`). Invariant: two beats never begin
less than a beat apart by the same clock, and a late one is followed by the next full one: beats are skipped, never
made up for.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol

from .cycle import Beat
from .model import Policy
from .ports import ConflictError
from .state_update import seconds_between

LOOP_SECONDS = 120.0
"""The schedule starts an invocation each minute, up to 60 s late: within this time a successor has come, or something is wrong."""
CALL_SECONDS = 22.0
"""What a failover call may take (10 s to connect, 10 s to answer); kept free at the end, so that a beat can be ended properly."""


class Beating(Protocol):
    """What the loop needs of a cycle."""

    @property
    def has_lease(self) -> bool:
        """Whether this invocation took the lease."""
        ...

    @property
    def last_beat_at(self) -> datetime | None:
        """When the last known beat began."""
        ...

    def begin(self, holder: str) -> None:
        """Start an invocation."""
        ...

    def take_lease(self) -> None:
        """Take the lease."""
        ...

    def beat(self, budget_seconds: float) -> Beat:
        """Do one beat."""
        ...

    def report(self, beat: Beat, budget_seconds: float) -> None:
        """Send what the beat has to tell."""
        ...

    def finish(self, budget_seconds: float) -> None:
        """End the invocation."""
        ...


def run_beats(
    cycle: Beating,
    *,
    holder: str,
    policy: Policy,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    remaining_seconds: Callable[[], float],
    limit: int | None = None,
) -> dict[str, object]:
    """Beat until a successor holds the lease, the time is up, or `limit` beats are done; return a JSON-ready summary.

    `ended` is one of successor, deadline, beats, concurrent (another invocation started at the same moment and took the lease).
    """
    cycle.begin(holder)
    summary: dict[str, object] = {"beats": 0, "last": None, "ended": "beats"}
    try:
        cycle.take_lease()
    except ConflictError:
        return {**summary, "ended": "concurrent"}
    pace = _Pace(policy.beat_seconds, started=clock(), last_beat_at=cycle.last_beat_at)
    reserve = 2 * policy.observation_deadline_seconds + CALL_SECONDS
    beats = 0
    while limit is None or beats < limit:
        delay = pace.delay(clock())
        if pace.elapsed(clock()) + delay >= LOOP_SECONDS or remaining_seconds() - delay < reserve:
            summary["ended"] = "deadline"
            break
        sleep(delay)
        if not cycle.has_lease and not _took_lease(cycle):
            summary["ended"] = "concurrent"
            break
        beat = cycle.beat(policy.beat_seconds)
        if beat.decision is None:
            summary["ended"] = "successor"
            break
        beats += 1
        summary |= {"beats": beats, "last": {"action": str(beat.decision.action), "reason": str(beat.decision.reason)}}
        cycle.report(beat, pace.next(clock()))
    cycle.finish(max(0.0, min(CALL_SECONDS, remaining_seconds() - 1)))
    return summary


def _took_lease(cycle: Beating) -> bool:
    """Try again for a lease that could not be read before; only losing it to somebody else ends the invocation."""
    try:
        cycle.take_lease()
    except ConflictError:
        return False
    return True


class _Pace:
    """When the next beat is due. The first one is due a beat after the predecessor's last, so that the rhythm goes on."""

    def __init__(self, beat_seconds: float, *, started: datetime, last_beat_at: datetime | None) -> None:
        self._beat_seconds = beat_seconds
        self._started = started
        wait = 0.0
        if last_beat_at is not None:
            # Never longer than a beat, whatever another machine's clock wrote.
            wait = min(beat_seconds, max(0.0, beat_seconds - seconds_between(last_beat_at, started)))
        self._due = started + timedelta(seconds=wait)

    def elapsed(self, now: datetime) -> float:
        return seconds_between(self._started, now)

    def delay(self, now: datetime) -> float:
        """Seconds until the beat that is due; at most a beat, should the clock have been set back."""
        return min(self._beat_seconds, max(0.0, seconds_between(now, self._due)))

    def next(self, now: datetime) -> float:
        """Move on to the next due time that is not past, and return the seconds until then."""
        late = seconds_between(self._due, now) / self._beat_seconds
        self._due += timedelta(seconds=self._beat_seconds * max(1, ceil(late)))
        return self.delay(now)
