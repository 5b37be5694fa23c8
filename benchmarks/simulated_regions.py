"""State of the simulated regions over an episode: paths, database and outages.

Every field of `Paths` is 0 when healthy; of simultaneous faults the larger value counts in each field.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

GRACE_SECONDS = 120.0
"""An outage up to this length heals without a failover; a failover because of it is wrong."""


class Cause(StrEnum):
    """The kinds of faults."""

    BLIP = "blip"
    PACKET_LOSS = "packet loss"
    SLOW_PROBE = "slow probe"
    SATURATED_WRITER = "saturated writer"
    CRASH = "self-healing crash"
    ZONE_FAILURE = "zone failure"
    CRASH_IN_API_OUTAGE = "crash in an API outage"
    IN_REGION_FAILURE = "in-region failure"
    PARTITION = "peering partition"
    WIDE_PARTITION = "wide partition"
    BROWN_OUT = "API brown-out"
    OBSERVER_FAULT = "observer fault"
    REPLICATION_LAG = "replication lag"
    SWITCHOVER = "planned switchover"
    REGION_LOSS = "region loss"
    GRADUAL_LOSS = "gradual region loss"
    LOSS_IN_API_OUTAGE = "region loss in an API outage"
    HALF_LOSS = "half-lost region"
    FLAPPING = "flapping region"
    ISOLATION = "full isolation"


class Paths(NamedTuple):
    """Fault levels: a flag (0 or 1), a probability for each try, or seconds. The observer is the standby region's controller."""

    writer_down: float = 0.0
    """The database serves no client, not even in its own region."""
    peering_cut: float = 0.0
    stream_cut: float = 0.0
    """Storage replication between the regions has stopped."""
    api_unreachable: float = 0.0
    """The other region's Lambda and RDS APIs are unreachable for the observer, but work inside their region."""
    api_silent: float = 0.0
    """Probability for each try that the other region's Lambda API does not respond to any client."""
    rds_api_silent: float = 0.0
    """The same for the other region's RDS API."""
    api_errors: float = 0.0
    """Probability for each try that the other region's Lambda API answers with an error."""
    loss: float = 0.0
    """Packet loss on the peering, one way."""
    backbone_loss: float = 0.0
    """Packet loss on every path between the regions, one way."""
    slow_login: float = 0.0
    """Probability for each try that a new log-in misses the probe's deadline. Open connections work."""
    slow_query: float = 0.0
    """Probability for each try that a statement of the probe is late."""
    slow_peering: float = 0.0
    """Probability for each try that the probe across the peering is late."""
    slow_function: float = 0.0
    """Probability for each try that the observer's own probe function is late."""
    own_function_down: float = 0.0
    own_network_down: float = 0.0
    """The observer's network reaches neither database."""
    rds_unreachable: float = 0.0
    lag_seconds: float = 0.0
    operation: float = 0.0
    """A planned switchover is in progress."""
    swapped: float = 0.0
    """The roles are swapped: the observer's cluster is the writer."""
    isolated: float = 0.0
    """The region is unreachable from outside."""

    @property
    def is_random(self) -> bool:
        """Whether two observations at the same time may differ."""
        chances = (
            self.api_silent,
            self.rds_api_silent,
            self.api_errors,
            self.slow_login,
            self.slow_query,
            self.slow_peering,
            self.slow_function,
        )
        return self.loss > 0 or self.backbone_loss > 0 or any(0 < chance < 1 for chance in chances)

    @property
    def may_seem_silent(self) -> bool:
        """Whether neither API of the other region may respond to the observer."""
        return bool(self.api_unreachable or self.backbone_loss or (self.api_silent and self.rds_api_silent))

    @property
    def can_cause_failover(self) -> bool:
        """Whether a failover is possible: the writer's port may seem unreachable, or the roles unclear."""
        if self.swapped:
            return self.rds_unreachable > 0
        return bool(
            self.writer_down
            or self.peering_cut
            or self.own_network_down
            or self.own_function_down
            or self.rds_unreachable
            or self.operation
            or self.slow_peering
            or self.slow_login
            or self.slow_query
            or self.slow_function
            or self.loss
            or self.backbone_loss
        )


HEALTHY = Paths()
REGION_LOST = Paths(
    writer_down=1, peering_cut=1, stream_cut=1, api_unreachable=1, api_silent=1, rds_api_silent=1, isolated=1
)  # a region is unreachable from everywhere


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """One fault from `start` to `end` (seconds since the year began)."""

    start: float
    end: float
    cause: Cause
    paths: Paths


class Segment(NamedTuple):
    """A time without change."""

    start: float
    end: float
    paths: Paths
    can_cause_failover: bool
    """Cached value of its paths."""


class SimulatedOutage(NamedTuple):
    """A time in which the writer's database serves no client."""

    start: float
    end: float
    cause: Cause

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.end - self.start


class Episode:
    """Faults that overlap or have short gaps, with healthy times before and after."""

    def __init__(self, effects: Iterable[Effect]) -> None:
        self.effects = sorted(effects, key=lambda effect: (effect.start, effect.end))
        self.start = self.effects[0].start
        self.end = max(effect.end for effect in self.effects)
        self.segments = _segments(self.effects)
        before = _segment(float("-inf"), self.start, HEALTHY)
        after = _segment(self.end, float("inf"), HEALTHY)
        self._timeline = [before, *self.segments, after]
        self._starts = [segment.start for segment in self._timeline]
        self._last = self.segments[0]
        self.unserved = self._runs(lambda paths: bool(paths.writer_down or paths.isolated))
        """The times in which the writer's database serves no client outside its region."""
        down = self._runs(lambda paths: bool(paths.writer_down))
        self.outages = [SimulatedOutage(start, end, self._cause_of_outage(start, end)) for start, end in down]
        """The times in which the writer's database serves no client, each with its most severe cause."""

    def segment_at(self, moment: float) -> Segment:
        """Return the segment at `moment`; healthy outside the episode."""
        # Times increase in small steps, so the last segment is usually the right one.
        last = self._last
        if not last.start <= moment < last.end:
            self._last = last = self._timeline[bisect_right(self._starts, moment) - 1]
        return last

    def cut_since(self, moment: float) -> float:
        """Return when the replication was cut, for a moment at which it is. Heartbeats arrived in any gap before."""
        index = bisect_right(self._starts, moment) - 1
        while self._timeline[index - 1].paths.stream_cut:
            index -= 1
        return self._timeline[index].start

    def extended_harmless_segment(self, first: Segment) -> Segment:
        """Return `first` extended to the end of the time in which no failover is possible and the roles stay the same."""
        end = first.end
        for segment in self._timeline:
            if segment.start == end and not segment.can_cause_failover and segment.paths.swapped == first.paths.swapped:
                end = segment.end
        return first._replace(end=end)

    def paths_at(self, moment: float) -> Paths:
        """Return the paths at `moment`."""
        return self.segment_at(moment).paths

    def causes_between(self, start: float, end: float) -> tuple[Cause, ...]:
        """Return the causes active between two times, in the order of `Cause`."""
        found = {effect.cause for effect in self.effects if effect.start <= end and effect.end >= start}
        return tuple(cause for cause in Cause if cause in found)

    def _runs(self, holds: Callable[[Paths], bool]) -> list[tuple[float, float]]:
        """Return the joined times in which a condition holds, without times of swapped roles."""
        runs: list[tuple[float, float]] = []
        for segment in self.segments:
            if segment.paths.swapped or not holds(segment.paths):
                continue
            if runs and runs[-1][1] == segment.start:
                runs[-1] = (runs[-1][0], segment.end)
            else:
                runs.append((segment.start, segment.end))
        return runs

    def _cause_of_outage(self, start: float, end: float) -> Cause:
        causes = [
            effect.cause
            for effect in self.effects
            if effect.paths.writer_down and effect.start < end and effect.end > start
        ]
        return max(causes, key=list(Cause).index)


def combined(faults: Iterable[Paths]) -> Paths:
    """Return simultaneous faults: the maximum of each field."""
    return Paths(*map(max, zip(HEALTHY, *faults, strict=True)))


def _segments(effects: list[Effect]) -> list[Segment]:
    if len(effects) == 1:
        only = effects[0]
        return [_segment(only.start, only.end, only.paths)]
    edges = sorted({edge for effect in effects for edge in (effect.start, effect.end)})
    return [
        _segment(
            start, end, combined(effect.paths for effect in effects if effect.start <= start and effect.end >= end)
        )
        for start, end in pairwise(edges)
    ]


def _segment(start: float, end: float, paths: Paths) -> Segment:
    return Segment(start, end, paths, paths.can_cause_failover)
