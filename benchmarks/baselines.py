"""Common failover detectors. Each one observes a single path.

Unknown details are assumed in a baseline's favour. No baseline calls while RDS reports a switchover or swapped roles,
because AWS would refuse the call.
"""

from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Protocol

from benchmarks.controller import DetectorResult
from benchmarks.observer import probe_fails
from benchmarks.simulated_regions import Episode, Paths


class Detector(Protocol):
    """A detector that may call one failover in an episode."""

    @property
    def name(self) -> str:
        """The name in the tables."""
        ...

    @property
    def memory_seconds(self) -> float:
        """How long before a call its causes may have ended."""
        ...

    def detect(self, episode: Episode, rng: Random) -> DetectorResult:
        """Return the first call of an episode."""
        ...


def single_path_failure(paths: Paths) -> float:
    """Return the probability that one probe from the standby region across the peering fails."""
    if paths.writer_down or paths.peering_cut or paths.own_network_down:
        return 1.0
    loss = max(paths.loss, paths.backbone_loss)
    chances = (
        probe_fails(loss) if loss else 0.0,
        paths.slow_peering,
        paths.slow_function,
        paths.slow_login,
        paths.slow_query,
    )
    passes = 1.0
    for chance in chances:
        passes *= 1 - chance
    return 1 - passes


def _can_call(paths: Paths) -> bool:
    return not (paths.operation or paths.swapped or paths.own_function_down or paths.rds_unreachable)


@dataclass(frozen=True, kw_only=True)
class SinglePathProbe:
    """Probes the writer across the peering and calls after consecutive failures. A probe that cannot run does not count."""

    name: str
    every_seconds: float
    failures: int
    timeout_seconds: float = 5.0

    @property
    def memory_seconds(self) -> float:
        """How long before a call its causes may have ended."""
        return self.every_seconds * self.failures + self.timeout_seconds

    def detect(self, episode: Episode, rng: Random) -> DetectorResult:
        """Return the first call of an episode."""
        failed = 0
        due = episode.start + rng.random() * self.every_seconds
        while due <= episode.end:
            segment = episode.segment_at(due)
            chance = single_path_failure(segment.paths)
            if segment.paths.own_function_down or segment.paths.swapped:
                failed = 0
            elif chance >= 1 or (chance > 0 and rng.random() < chance):
                failed += 1
                answered = due + self.timeout_seconds
                if failed >= self.failures and _can_call(episode.paths_at(answered)):
                    return DetectorResult(called_at=answered, reason=self.name)
            else:
                failed = 0
            due += self.every_seconds
            if chance == 0 and segment.end > due:  # nothing fails before the segment ends
                due += self.every_seconds * max(0, int((segment.end - due) / self.every_seconds))
        return DetectorResult()


@dataclass(frozen=True, kw_only=True)
class CloudWatchAlarm:
    """A canary in the standby region probes once a period; the alarm needs consecutive breaching datapoints.

    A datapoint counts when its period is over and the metric has arrived. In the alarm's favour, a missing datapoint resets
    the count, and the action is immediate.
    """

    name: str
    period_seconds: float = 60.0
    datapoints: int = 3
    metric_delay_seconds: tuple[float, float] = (5.0, 30.0)

    @property
    def memory_seconds(self) -> float:
        """How long before a call its causes may have ended."""
        return self.period_seconds * (self.datapoints + 1)

    def detect(self, episode: Episode, rng: Random) -> DetectorResult:
        """Return the first call of an episode."""
        period = self.period_seconds
        boundary, offset = episode.start - rng.random() * period, rng.random() * period
        row = index = 0
        while (begins := boundary + index * period) < episode.end + period:
            segment = episode.segment_at(begins + offset)
            paths = segment.paths
            chance = 0.0 if paths.own_function_down or paths.swapped else single_path_failure(paths)
            breaching = chance >= 1 or (chance > 0 and rng.random() < chance)
            row = row + 1 if breaching else 0
            if row >= self.datapoints:
                calls = begins + period + rng.uniform(*self.metric_delay_seconds)
                if _can_call(episode.paths_at(calls)):
                    return DetectorResult(called_at=calls, reason=self.name)
            index += 1
            if chance == 0 and segment.end < episode.end:  # nothing breaches before the segment ends
                index = max(index, ceil((segment.end - boundary - offset) / period))
        return DetectorResult()


@dataclass(frozen=True, kw_only=True)
class Route53Baseline:
    """Checkers around the world request a page in front of the database in the writer's region; 18 % decide.

    In its favour, the page always reports the database's status, and the call follows immediately. The checkers use neither
    the peering nor the observer. The number of checkers is an assumption.
    Source: How Amazon Route 53 determines whether a health check is healthy, Amazon Route 53 Developer Guide.
    """

    name: str
    failures: int
    every_seconds: float = 10.0
    checkers: int = 16
    healthy_share: float = 0.18
    connect_seconds: float = 4.0
    memory_seconds: float = 45.0

    def detect(self, episode: Episode, rng: Random) -> DetectorResult:
        """Return the first call of an episode. A success between two outages resets the count."""
        for start, end in episode.unserved:
            turned = sorted(
                rng.random() * self.every_seconds + self.every_seconds * (self.failures - 1)
                for _ in range(self.checkers)
            )
            deciding = self.checkers - int(self.healthy_share * self.checkers)
            checked = start + turned[deciding - 1]
            if checked >= end:
                continue
            answered = checked + (self.connect_seconds if episode.paths_at(checked).isolated else 0.2)
            if _can_call(episode.paths_at(answered)):
                return DetectorResult(called_at=answered, reason=self.name)
        return DetectorResult()


@dataclass(frozen=True, kw_only=True)
class GracePeriod:
    """A managed failover group that detects every outage immediately (in its favour) and waits for a grace period.

    Source: Failover groups overview, Microsoft Learn (Azure SQL): GracePeriodWithDataLossHours, at least one hour.
    """

    name: str
    grace_seconds: float = 3600.0
    memory_seconds: float = 45.0

    def detect(self, episode: Episode, rng: Random) -> DetectorResult:
        """Return the first call of an episode."""
        del rng  # not random
        for start, end in episode.unserved:
            calls = start + self.grace_seconds
            if calls < end:
                return DetectorResult(called_at=calls, reason=self.name)
        return DetectorResult()


BASELINES: tuple[Detector, ...] = (
    CloudWatchAlarm(name="CloudWatch"),
    SinglePathProbe(name="single path", every_seconds=30.0, failures=2),
    Route53Baseline(name="Route 53 (2)", failures=2),
    Route53Baseline(name="Route 53 (3)", failures=3),
    GracePeriod(name="1 h grace"),
)
