"""What people use today, each as a rule over what its own path really sees.

Owns the rules of the baselines. Does not own the truth. Invariant: where a baseline's surroundings are not known, they are assumed in its
favour, and the docstring says so. None calls while RDS shows a switchover or has swapped the roles: AWS would refuse.
"""

from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Protocol

from benchmarks.controller import Watch
from benchmarks.looks import probe_fails
from benchmarks.world import Episode, Paths


class Detector(Protocol):
    """Something that watches an episode, and may call a failover once."""

    @property
    def name(self) -> str:
        """How it is called in the tables."""
        ...

    @property
    def memory_seconds(self) -> float:
        """How far back a trouble may lie that led to a call."""
        ...

    def watch(self, episode: Episode, rng: Random) -> Watch:
        """Return the first call of an episode."""
        ...


def single_path_failure(paths: Paths) -> float:
    """Return the probability that one probe from the standby region across the peering fails."""
    if paths.writer_down or paths.peering_cut or paths.own_network_dead:
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
    return not (paths.operation or paths.swapped or paths.own_function_dead or paths.rds_blind)


@dataclass(frozen=True, kw_only=True)
class SinglePathProbe:
    """Probes the writer across the peering; calls after so many failures in a row. A probe that can't run counts for nothing."""

    name: str
    every_seconds: float
    failures: int
    timeout_seconds: float = 5.0

    @property
    def memory_seconds(self) -> float:
        """How far back a trouble may lie that led to a call."""
        return self.every_seconds * self.failures + self.timeout_seconds

    def watch(self, episode: Episode, rng: Random) -> Watch:
        """Return the first call of an episode."""
        failed = 0
        due = episode.start + rng.random() * self.every_seconds
        while due <= episode.end:
            segment = episode.segment_at(due)
            chance = single_path_failure(segment.paths)
            if segment.paths.own_function_dead or segment.paths.swapped:
                failed = 0
            elif chance >= 1 or (chance > 0 and rng.random() < chance):
                failed += 1
                answered = due + self.timeout_seconds
                if failed >= self.failures and _can_call(episode.paths_at(answered)):
                    return Watch(called_at=answered, reason=self.name)
            else:
                failed = 0
            due += self.every_seconds
            if chance == 0 and segment.end > due:  # nothing fails before the segment ends
                due += self.every_seconds * max(0, int((segment.end - due) / self.every_seconds))
        return Watch()


@dataclass(frozen=True, kw_only=True)
class CloudWatchAlarm:
    """A canary in the standby region probes once a period and reports; the alarm wants so many breaching datapoints in a row.

    A datapoint counts once its period is over and the metric has arrived. A missing one breaks the row: in the alarm's favour, as it then
    does not act on the canary's own trouble. The action is immediate, in its favour too.
    """

    name: str
    period_seconds: float = 60.0
    datapoints: int = 3
    metric_delay_seconds: tuple[float, float] = (5.0, 30.0)

    @property
    def memory_seconds(self) -> float:
        """How far back a trouble may lie that led to a call."""
        return self.period_seconds * (self.datapoints + 1)

    def watch(self, episode: Episode, rng: Random) -> Watch:
        """Return the first call of an episode."""
        period = self.period_seconds
        boundary, offset = episode.start - rng.random() * period, rng.random() * period
        row = index = 0
        while (begins := boundary + index * period) < episode.end + period:
            segment = episode.segment_at(begins + offset)
            paths = segment.paths
            chance = 0.0 if paths.own_function_dead or paths.swapped else single_path_failure(paths)
            breaching = chance >= 1 or (chance > 0 and rng.random() < chance)
            row = row + 1 if breaching else 0
            if row >= self.datapoints:
                calls = begins + period + rng.uniform(*self.metric_delay_seconds)
                if _can_call(episode.paths_at(calls)):
                    return Watch(called_at=calls, reason=self.name)
            index += 1
            if chance == 0 and segment.end < episode.end:  # nothing breaches before the segment ends
                index = max(index, ceil((segment.end - boundary - offset) / period))
        return Watch()


@dataclass(frozen=True, kw_only=True)
class Route53HealthCheck:
    """Checkers around the world ask a page in front of the database in the writer's region, each on its own; 18 % decide.

    The page says whether the database serves, and has no trouble of its own; the call comes the moment that the check turns unhealthy: both
    in its favour. Checkers see neither the peering nor the observer. The number of checkers is an assumption.
    Source: Amazon Route 53 Developer Guide, How Amazon Route 53 determines whether a health check is healthy (18 %; 4 s to connect).
    """

    name: str
    failures: int
    every_seconds: float = 10.0
    checkers: int = 16
    healthy_share: float = 0.18
    connect_seconds: float = 4.0
    memory_seconds: float = 45.0

    def watch(self, episode: Episode, rng: Random) -> Watch:
        """Return the first call of an episode. Failing times apart are judged apart: one good answer begins the count anew."""
        for start, end in episode.unserved:
            turned = sorted(
                rng.random() * self.every_seconds + self.every_seconds * (self.failures - 1)
                for _ in range(self.checkers)
            )
            deciding = self.checkers - int(self.healthy_share * self.checkers)
            checked = start + turned[deciding - 1]
            if checked >= end:
                continue
            answered = checked + (self.connect_seconds if episode.paths_at(checked).unseen else 0.2)
            if _can_call(episode.paths_at(answered)):
                return Watch(called_at=answered, reason=self.name)
        return Watch()


@dataclass(frozen=True, kw_only=True)
class GracePeriod:
    """A managed failover group: knows of every outage at once (in its favour), and waits for the grace period before it acts.

    Source: Microsoft Learn, Failover groups overview (Azure SQL): GracePeriodWithDataLossHours, one hour at least.
    """

    name: str
    grace_seconds: float = 3600.0
    memory_seconds: float = 45.0

    def watch(self, episode: Episode, rng: Random) -> Watch:
        """Return the first call of an episode."""
        del rng  # nothing about it is random
        for start, end in episode.unserved:
            calls = start + self.grace_seconds
            if calls < end:
                return Watch(called_at=calls, reason=self.name)
        return Watch()


BASELINES: tuple[Detector, ...] = (
    CloudWatchAlarm(name="CloudWatch"),
    SinglePathProbe(name="single path", every_seconds=30.0, failures=2),
    Route53HealthCheck(name="Route 53 (2)", failures=2),
    Route53HealthCheck(name="Route 53 (3)", failures=3),
    GracePeriod(name="1 h grace"),
)
