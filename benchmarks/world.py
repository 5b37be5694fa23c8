"""What is true at each instant of an episode: which paths work, and whether the writer's database serves.

Owns the meaning of trouble (`Paths`), its course over time (`Episode`), and the truth that calls are judged by (`Outage`). Does not own
how trouble is drawn (`histories.py`) or who sees what (`looks.py`, `baselines.py`). Invariant: every field of `Paths` is a badness,
0 when all is well, and of two troubles at once the worse counts in each field.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

GRACE_SECONDS = 120.0
"""An outage no longer than this heals without anybody: to fail over because of it is wrong."""


class Cause(StrEnum):
    """The kinds of trouble."""

    BLIP = "blip"
    PACKET_LOSS = "packet loss"
    SLOW_PROBE = "slow probe"
    SATURATED_WRITER = "saturated writer"
    CRASH = "self-healing crash"
    IN_REGION_FAILURE = "in-region failure"
    PARTITION = "peering partition"
    WIDE_PARTITION = "wide partition"
    BROWN_OUT = "API brown-out"
    OBSERVER_TROUBLE = "observer's trouble"
    REPLICATION_LAG = "replication lag"
    SWITCHOVER = "planned switchover"
    REGION_LOSS = "region loss"
    GRADUAL_LOSS = "gradual region loss"
    HALF_LOSS = "half-lost region"
    FLAPPING = "flapping region"
    ISOLATION = "full isolation"


class Paths(NamedTuple):
    """How bad it is: a flag (0 or 1), a probability for each try, or seconds. The observer is the standby region's controller."""

    writer_down: float = 0.0
    """The database serves nobody, not even in its own region."""
    peering_cut: float = 0.0
    stream_cut: float = 0.0
    """The storage replication between the regions stands still."""
    api_unreachable: float = 0.0
    """The other region's Lambda API does not answer us, but works inside."""
    api_silent: float = 0.0
    """Its Lambda API answers nobody: probability for each try."""
    api_errors: float = 0.0
    """Its Lambda API answers with errors: probability for each try."""
    loss: float = 0.0
    """Packet loss on the peering, one way."""
    backbone_loss: float = 0.0
    """Packet loss on every path between the regions, one way."""
    slow_login: float = 0.0
    """Nobody new gets in within the probe's deadline: probability for each try. Who is connected goes on working."""
    slow_query: float = 0.0
    """Log-ins work, the probe's statements are late: probability for each try."""
    slow_peering: float = 0.0
    """The probe across the peering is late: probability for each try."""
    slow_function: float = 0.0
    """The observer's own probe function is late: probability for each try."""
    own_function_dead: float = 0.0
    own_network_dead: float = 0.0
    """The observer's own network: it reaches neither database."""
    rds_blind: float = 0.0
    lag_seconds: float = 0.0
    operation: float = 0.0
    """A planned switchover is under way."""
    swapped: float = 0.0
    """The roles are swapped: the observer's cluster is the writer."""
    unseen: float = 0.0
    """The region can't be reached from anywhere outside."""

    @property
    def is_random(self) -> bool:
        """Whether two looks at the same moment may see different things."""
        chances = (
            self.api_silent,
            self.api_errors,
            self.slow_login,
            self.slow_query,
            self.slow_peering,
            self.slow_function,
        )
        return self.loss > 0 or self.backbone_loss > 0 or any(0 < chance < 1 for chance in chances)

    @property
    def can_hurt(self) -> bool:
        """Whether the writer's port may look dead, or the roles be unclear: else each cycle forgets the one before, and none can act."""
        if self.swapped:
            return self.rds_blind > 0
        return bool(
            self.writer_down
            or self.peering_cut
            or self.own_network_dead
            or self.own_function_dead
            or self.rds_blind
            or self.operation
            or self.slow_peering
            or self.slow_login
            or self.slow_query
            or self.slow_function
            or self.loss
            or self.backbone_loss
        )


CALM = Paths()
DARK = Paths(
    writer_down=1, peering_cut=1, stream_cut=1, api_unreachable=1, api_silent=1, unseen=1
)  # a region is gone, as seen from everywhere


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """One trouble, from `start` to `end` (seconds since the year began)."""

    start: float
    end: float
    cause: Cause
    paths: Paths


class Segment(NamedTuple):
    """A time without change."""

    start: float
    end: float
    paths: Paths
    can_hurt: bool
    """What its paths say of themselves: asked at every cycle."""


class Outage(NamedTuple):
    """A time in which the writer's database served nobody."""

    start: float
    end: float
    cause: Cause

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.start


class Episode:
    """Troubles that overlap or follow each other closely, with calm before and after."""

    def __init__(self, effects: Iterable[Effect]) -> None:
        self.effects = sorted(effects, key=lambda effect: (effect.start, effect.end))
        self.start = self.effects[0].start
        self.end = max(effect.end for effect in self.effects)
        self.segments = _segments(self.effects)
        before = _segment(float("-inf"), self.start, CALM)
        after = _segment(self.end, float("inf"), CALM)
        self._course = [before, *self.segments, after]
        self._starts = [segment.start for segment in self._course]
        self._last = self.segments[0]
        self.unserved = self._runs(lambda paths: bool(paths.writer_down or paths.unseen))
        """The times in which the writer's database serves nobody outside: it is down, or its region can't be reached."""
        down = self._runs(lambda paths: bool(paths.writer_down))
        self.outages = [Outage(start, end, self._cause_of_outage(start, end)) for start, end in down]
        """The times in which the writer's database serves nobody, each with its gravest cause."""

    def segment_at(self, moment: float) -> Segment:
        """Return the segment that holds at `moment`; calm outside of the episode."""
        # Whoever looks goes forward in small steps: the answer is mostly the one before.
        last = self._last
        if not last.start <= moment < last.end:
            self._last = last = self._course[bisect_right(self._starts, moment) - 1]
        return last

    def harmless_run(self, first: Segment) -> Segment:
        """Return `first`, which can't hurt, prolonged to the end of the time in which nothing can and the roles stay as they are."""
        end = first.end
        for segment in self._course:
            if segment.start == end and not segment.can_hurt and segment.paths.swapped == first.paths.swapped:
                end = segment.end
        return first._replace(end=end)

    def paths_at(self, moment: float) -> Paths:
        """Return how things stand at `moment`."""
        return self.segment_at(moment).paths

    def causes_between(self, start: float, end: float) -> tuple[Cause, ...]:
        """Return the kinds of trouble that were there at some time between the two, in the order of `Cause`."""
        found = {effect.cause for effect in self.effects if effect.start <= end and effect.end >= start}
        return tuple(cause for cause in Cause if cause in found)

    def _runs(self, is_so: Callable[[Paths], bool]) -> list[tuple[float, float]]:
        """Return the times in which it is so, joined where they touch; swapped roles don't count."""
        runs: list[tuple[float, float]] = []
        for segment in self.segments:
            if segment.paths.swapped or not is_so(segment.paths):
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


def combined(troubles: Iterable[Paths]) -> Paths:
    """Return all troubles at once: the worst of each field."""
    return Paths(*map(max, zip(CALM, *troubles, strict=True)))


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
    return Segment(start, end, paths, paths.can_hurt)
