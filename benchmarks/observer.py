"""Observations of the simulated standby controller: three paths, the RDS view and the duration.

An observation contains only what its paths can show.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import comb, floor
from random import Random
from typing import NamedTuple

from benchmarks.assumptions import CLOCK_DRIFT, NOISE_PER_CALL, USUAL_LAG_SECONDS
from benchmarks.simulated_regions import HEALTHY, Episode, Paths
from functions.failover_controller.model import GlobalOperation, Observation, Peer, Policy, Port, Records, Side

DATABASE_HEARTBEAT_SECONDS = 1.0
"""Period of the heartbeat event on the writer (made by functions/database_setup; a test compares them)."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PROBE_EXCHANGES = 8
"""TLS, log-in and four statements on an open connection."""
_NOTHING_WRONG = Records()
_SWITCHING = GlobalOperation(status="switching-over", to_own=None, allows_data_loss=False)


def moment(seconds: float) -> datetime:
    """Return the time at `seconds` after the year began."""
    return EPOCH + timedelta(seconds=seconds)


@lru_cache(maxsize=64)
def probe_fails(loss: float) -> float:
    """Return the probability that a probe misses its deadline at this one-way packet loss.

    The deadline of 2.1 s allows one lost SYN (1 s) and one other loss, or three other losses (200 to 400 ms each).
    """
    lost = 1 - (1 - loss) ** 2
    return 1 - (1 - lost) * _at_most(3, lost) - lost * (1 - lost) * _at_most(1, lost)


def call_fails(loss: float) -> float:
    """Return the probability that a call over an open connection fails: 3 s allow four tries."""
    return (1 - (1 - loss) ** 2) ** 4


def stream_stalls(loss: float) -> float:
    """Return the probability that replication stalls for a cycle: 10 s allow five TCP tries with growing pauses."""
    return (1 - (1 - loss) ** 2) ** 5


def _at_most(losses: int, chance: float) -> float:
    return sum(
        comb(PROBE_EXCHANGES, count) * chance**count * (1 - chance) ** (PROBE_EXCHANGES - count)
        for count in range(losses + 1)
    )


class PathSample(NamedTuple):
    """Results of the calls of one observation."""

    at: float
    paths: Paths
    own_answers: bool
    peer_port: Port
    peer: Peer
    writes_missed: bool
    """Whether the last heartbeat of the other region's controller is missing."""

    @property
    def sees_live_writer(self) -> bool:
        """Whether the writer is alive and the roles are clear: the rules then reset their state and do not act."""
        paths = self.paths
        is_clear = not (paths.rds_unreachable or paths.operation or paths.swapped)
        return is_clear and self.own_answers and self.peer_port is Port.ALIVE


class SimulatedObserver:
    """The observer of one controller during one episode."""

    def __init__(self, episode: Episode, policy: Policy, rng: Random) -> None:
        self._episode = episode
        self._deadline = policy.observation_deadline_seconds
        self._rng = rng
        self._newest = 0.0
        self._written_by_observer: list[float] = []
        # Heartbeats come from the writer's database each second and from its region's controller each cycle.
        self._period = policy.interval_seconds * (1 + rng.uniform(-CLOCK_DRIFT, CLOCK_DRIFT))
        self._phase = rng.random() * self._period
        self._database_phase = rng.random() * DATABASE_HEARTBEAT_SECONDS
        self._observed_until = float("-inf")
        self._call_fails = False

    def fail_next_call(self) -> None:
        """Let one of the three calls of the next observation fail."""
        self._call_fails = True

    def skip_until(self, seconds: float) -> None:
        """Skip a time that was healthy or unchanged; heartbeats arrived as usual."""
        self._observed_until = seconds - self._period
        self._written_by_observer.clear()

    def observe_healthy(self, at: float) -> tuple[Observation, float]:
        """Return the observation of healthy paths without random failures, and its duration in seconds."""
        return self.observe(self.healthy_sample(at))

    def healthy_sample(self, at: float) -> PathSample:
        """Return the sample of healthy paths without random failures."""
        return self._sample(at, HEALTHY, noise=3.0)

    def observe_at(self, at: float, paths: Paths) -> tuple[Observation, float]:
        """Return the observation at `at` (seconds) and its duration in seconds."""
        return self.observe(self.sample(at, paths))

    def sample(self, at: float, paths: Paths) -> PathSample:
        """Return the results of the calls of one observation."""
        noise = self._rng.random() * (3 if self._call_fails else 1 / NOISE_PER_CALL)
        self._call_fails = False
        return self._sample(at, paths, noise)

    def observe(self, sample: PathSample) -> tuple[Observation, float]:
        """Return the observation of a sample and its duration in seconds. Samples must be in chronological order."""
        at, paths, own_answers, peer_port, peer, writes_missed = sample
        self._receive(at, paths, writes_missed=writes_missed)
        own_port = Port.DEAD if paths.own_network_down else Port.ALIVE
        is_seen = own_answers and own_port is Port.ALIVE
        lag_ms = 1000 * (paths.lag_seconds or USUAL_LAG_SECONDS)
        observation = Observation(
            at=moment(at),
            records=_NOTHING_WRONG,
            rds_failure="no answer" if paths.rds_unreachable else None,
            writer=Side.UNKNOWN if paths.rds_unreachable else Side.OWN if paths.swapped else Side.PEER,
            operation=_SWITCHING if paths.operation and not paths.rds_unreachable else None,
            synchronization="connected",
            standby_status=None if paths.rds_unreachable else "available",
            standby_instances=None if paths.rds_unreachable else 2,
            own_function_failure=None if own_answers else "no answer",
            own_port=own_port if own_answers else Port.UNKNOWN,
            own_read_only=not paths.swapped if is_seen else None,
            peer_port=peer_port if own_answers else Port.UNKNOWN,
            peer_read_only=bool(paths.swapped) if peer_port is Port.ALIVE and own_answers else None,
            peer=peer,
            heartbeat=f"{self._newest:.3f}" if is_seen else None,
            lag_ms=lag_ms if is_seen else None,
        )
        hangs = peer is Peer.SILENT or not own_answers or paths.rds_unreachable
        took = self._deadline if hangs else 0.7 * self._deadline + 0.2 if peer_port is Port.DEAD else 0.4
        return observation, took

    def _sample(self, at: float, paths: Paths, noise: float) -> PathSample:
        """Return a sample; `noise` below 1, 2 or 3 fails the local health_check, the peer's health_check or a peer heartbeat."""
        own_answers = not (paths.own_function_down or noise < 1 or self._happens(paths.slow_function))
        peer_port = self._peer_port(paths)
        peer = self._peer(paths, lambda_fails=1 <= noise < 2)
        if peer_port is Port.ALIVE or peer is Peer.FINE:
            self._written_by_observer.append(at + 0.1)
        return PathSample(at, paths, own_answers, peer_port, peer, 2 <= noise < 3)

    def _happens(self, chance: float) -> bool:
        return chance > 0 and (chance >= 1 or self._rng.random() < chance)

    def _peer_port(self, paths: Paths) -> Port:
        if paths.writer_down or paths.peering_cut or paths.own_network_down:
            return Port.DEAD
        loss = max(paths.loss, paths.backbone_loss)
        if loss and self._happens(probe_fails(loss)):
            return Port.DEAD
        if self._happens(paths.slow_peering) or self._happens(paths.slow_login):
            return Port.DEAD
        return Port.UNUSABLE if self._happens(paths.slow_query) else Port.ALIVE

    def _peer(self, paths: Paths, *, lambda_fails: bool) -> Peer:
        if paths.api_unreachable:
            return Peer.SILENT
        lost = call_fails(paths.backbone_loss) if paths.backbone_loss else 0.0
        if lambda_fails or self._happens(lost):
            return self._silent_unless_rds_answers(paths, lost)
        if self._happens(paths.api_errors):
            return Peer.UNKNOWN
        if self._happens(paths.api_silent):
            return self._silent_unless_rds_answers(paths, lost)
        if paths.writer_down or self._happens(paths.slow_login):
            return Peer.DOWN
        return Peer.UNKNOWN if self._happens(paths.slow_query) else Peer.FINE

    def _silent_unless_rds_answers(self, paths: Paths, lost: float) -> Peer:
        """Return the report of a region whose Lambda API does not respond."""
        is_silent = self._happens(lost) or self._happens(paths.rds_api_silent)
        return Peer.SILENT if is_silent else Peer.UNKNOWN

    def _receive(self, at: float, paths: Paths, *, writes_missed: bool) -> None:
        """Process the heartbeats that arrived until `at`."""
        if not paths.stream_cut and paths.backbone_loss and self._happens(stream_stalls(paths.backbone_loss)):
            return
        horizon = (self._episode.cut_since(at) if paths.stream_cut else at) - (paths.lag_seconds or USUAL_LAG_SECONDS)
        arrived = [written for written in self._written_by_observer if written <= horizon]
        self._written_by_observer = [written for written in self._written_by_observer if written > horizon]
        newest = max([self._newest, *arrived])
        since = max(newest, self._observed_until)
        database_write = self._last_write(
            since, horizon, self._database_phase, DATABASE_HEARTBEAT_SECONDS, self._database_writes
        )
        probe_write = (
            None
            if writes_missed
            else self._last_write(database_write or since, horizon, self._phase, self._period, self._probe_writes)
        )
        self._newest = probe_write or database_write or newest
        self._observed_until = max(self._observed_until, horizon)

    def _last_write(
        self, since: float, until: float, phase: float, period: float, writes: Callable[[Paths], bool]
    ) -> float | None:
        """Return the time of the last heartbeat in the range that the writer's region wrote; None if there was none."""
        cycle = floor((until - phase) / period)
        while (written := phase + cycle * period) > since:
            if writes(self._episode.paths_at(written)):
                return written
            cycle -= 1
        return None

    def _database_writes(self, paths: Paths) -> bool:
        """Return whether the database's own event commits: it needs no Lambda, network or log-in, but may be late like a statement."""
        return not (paths.writer_down or paths.swapped or self._happens(paths.slow_query))

    def _probe_writes(self, paths: Paths) -> bool:
        return not (
            paths.writer_down
            or paths.swapped
            or self._happens(paths.api_silent)
            or self._happens(paths.api_errors)
            or self._happens(paths.slow_login)
            or self._happens(paths.slow_query)
        )
