"""Counts of right, wrong and missed failover calls of one detector.

Every outage longer than MISSED_AFTER_SECONDS is exactly one of timed, missed or after an earlier call.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.controller import DetectorResult
from benchmarks.simulated_regions import GRACE_SECONDS, Cause, Episode, SimulatedOutage

MISSED_AFTER_SECONDS = 300.0
"""An outage longer than this without a call before its end is missed."""


def is_right(outages: Iterable[SimulatedOutage], called_at: float) -> bool:
    """Return whether a call was during an outage that lasts longer than the grace period."""
    return any(outage.start <= called_at < outage.end and outage.seconds > GRACE_SECONDS for outage in outages)


@dataclass(kw_only=True)
class CallCounts:
    """Results of one detector. Keys are plain strings, because the counts cross process borders."""

    right: int = 0
    wrong: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(faults at the call, reason of the detector) -> wrong failovers."""
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Cause of the outage -> seconds from its start to the call."""
    missed: Counter[str] = field(default_factory=Counter)
    requested: Counter[str] = field(default_factory=Counter)
    """Missed outages in which approval was requested, as the policy demands."""
    unnecessary: Counter[str] = field(default_factory=Counter)
    """Faults at the request -> episodes with a request whose approval would have been a wrong failover."""
    after_call: Counter[str] = field(default_factory=Counter)
    """Outages after an earlier call in the same episode, with an unknown result."""
    cycles: int = 0

    def add_episode(self, episode: Episode, result: DetectorResult, memory_seconds: float) -> None:
        """Add one episode's result."""
        self.cycles += result.cycles
        outages, called_at = episode.outages, result.called_at
        if called_at is not None:
            if is_right(outages, called_at):
                self.right += 1
            else:
                causes = episode.causes_between(called_at - memory_seconds, called_at)
                self.wrong[" + ".join(causes) or "no fault", result.reason or ""] += 1
        unnecessary = [requested for requested in result.requested_at if not is_right(outages, requested)]
        if unnecessary:
            self.unnecessary[
                " + ".join(episode.causes_between(unnecessary[0] - memory_seconds, unnecessary[0])) or "no fault"
            ] += 1
        for outage in outages:
            if outage.seconds > MISSED_AFTER_SECONDS:
                self._add_outage(outage, result)

    def add(self, other: "CallCounts") -> None:
        """Add the counts of another chunk."""
        self.right += other.right
        self.cycles += other.cycles
        for own, added in (
            (self.missed, other.missed),
            (self.requested, other.requested),
            (self.unnecessary, other.unnecessary),
            (self.after_call, other.after_call),
        ):
            own.update(added)
        self.wrong.update(other.wrong)
        for cause, seconds in other.seconds.items():
            self.seconds.setdefault(cause, []).extend(seconds)

    def _add_outage(self, outage: SimulatedOutage, result: DetectorResult) -> None:
        cause, called_at = str(outage.cause), result.called_at
        if called_at is not None and called_at < outage.start:
            self.after_call[cause] += 1
        elif called_at is not None and called_at < outage.end:
            self.seconds.setdefault(cause, []).append(called_at - outage.start)
        else:
            self.missed[cause] += 1
            self.requested[cause] += any(outage.start <= requested < outage.end for requested in result.requested_at)


LOSSES = (Cause.REGION_LOSS, Cause.GRADUAL_LOSS)
"""Losses of a whole region. A half-lost region is a separate kind."""
