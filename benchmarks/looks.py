"""What the standby's controller sees at one instant: its three paths, the RDS view, and how long looking took.

Owns the translation of `Paths` into the controller's own `Observation`, and the heartbeats on their way. Does not own any rule. Invariant:
a look sees only what its paths would really show; the truth (`writer_down` seen from inside) reaches it through them alone.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import comb, floor
from random import Random
from typing import NamedTuple

from benchmarks.assumptions import CLOCK_DRIFT, NOISE_PER_CALL, USUAL_LAG_SECONDS
from benchmarks.world import CALM, Episode, Paths
from functions.failover_controller.model import GlobalOperation, Observation, Peer, Policy, Port, Records, Side

DATABASE_HEARTBEAT_SECONDS = 1.0
"""The writer's database writes a heartbeat by itself this often (the event that functions/database_setup makes; a test compares)."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PROBE_EXCHANGES = 8
"""TLS, log-in and four statements, after the connection is open."""
_NOTHING_WRONG = Records()
_SWITCHING = GlobalOperation(status="switching-over", to_own=None, allows_data_loss=False)


def moment(seconds: float) -> datetime:
    """Return the instant `seconds` after the year began."""
    return EPOCH + timedelta(seconds=seconds)


@lru_cache(maxsize=64)
def probe_fails(loss: float) -> float:
    """Return the probability that a probe is late at this one-way packet loss.

    The deadline of 2.1 s leaves room for one lost SYN (1 s) and one other loss, or for three other losses (200 to 400 ms each).
    """
    lost = 1 - (1 - loss) ** 2
    return 1 - (1 - lost) * _at_most(3, lost) - lost * (1 - lost) * _at_most(1, lost)


def call_fails(loss: float) -> float:
    """Return the probability that a call over an open connection gets no answer: within 3 s there are four tries."""
    return (1 - (1 - loss) ** 2) ** 4


def stream_stalls(loss: float) -> float:
    """Return the probability that nothing new arrives within a cycle: five tries of TCP, with growing pauses, fit into 10 s."""
    return (1 - (1 - loss) ** 2) ** 5


def _at_most(losses: int, chance: float) -> float:
    return sum(
        comb(PROBE_EXCHANGES, count) * chance**count * (1 - chance) ** (PROBE_EXCHANGES - count)
        for count in range(losses + 1)
    )


class PathSample(NamedTuple):
    """What the calls of one look bring."""

    at: float
    paths: Paths
    own_answers: bool
    peer_port: Port
    peer: Peer
    writes_missed: bool
    """Whether the heartbeat that the other region's controller would have written since the look before is missing."""

    @property
    def sees_life(self) -> bool:
        """Whether the writer is seen alive and the roles are clear: such a look makes the ones before forgotten, and nobody acts on it."""
        paths = self.paths
        is_clear = not (paths.rds_blind or paths.operation or paths.swapped)
        return is_clear and self.own_answers and self.peer_port is Port.ALIVE


class SimulatedObserver:
    """The eyes of one controller during one episode."""

    def __init__(self, episode: Episode, policy: Policy, rng: Random) -> None:
        self._episode = episode
        self._deadline = policy.observation_deadline_seconds
        self._rng = rng
        self._newest = 0.0
        self._written_by_us: list[float] = []
        # The writer's database writes a heartbeat each second; its region has a controller too, whose probe writes one at each cycle.
        self._period = policy.interval_seconds * (1 + rng.uniform(-CLOCK_DRIFT, CLOCK_DRIFT))
        self._phase = rng.random() * self._period
        self._database_phase = rng.random() * DATABASE_HEARTBEAT_SECONDS
        self._looked_until = float("-inf")
        self._stream_until = float("inf")
        self._call_fails = False

    def fail_a_call(self) -> None:
        """Say that one of the three calls of the next look fails by itself."""
        self._call_fails = True

    def forget_until(self, seconds: float) -> None:
        """Say that the time until then was calm or unchanged: heartbeats came as they do."""
        self._looked_until = seconds - self._period
        self._written_by_us.clear()

    def calm_look(self, at: float) -> tuple[Observation, float]:
        """Return what is seen when all is well and every call succeeds."""
        return self.observe(self.calm_glimpse(at))

    def calm_glimpse(self, at: float) -> PathSample:
        """Return what the calls of a look bring when all is well and every one succeeds."""
        return self._glimpse(at, CALM, noise=3.0)

    def look(self, at: float, paths: Paths) -> tuple[Observation, float]:
        """Return what is seen at `at` (seconds), and how many seconds looking took."""
        return self.observe(self.glimpse(at, paths))

    def glimpse(self, at: float, paths: Paths) -> PathSample:
        """Return what the calls of one look bring, before anybody makes an observation of it."""
        noise = self._rng.random() * (3 if self._call_fails else 1 / NOISE_PER_CALL)
        self._call_fails = False
        return self._glimpse(at, paths, noise)

    def observe(self, glimpse: PathSample) -> tuple[Observation, float]:
        """Return the observation that comes of a glimpse, and how many seconds looking took. The glimpses before are over."""
        at, paths, own_answers, peer_port, peer, writes_missed = glimpse
        self._receive(at, paths, writes_missed=writes_missed)
        own_port = Port.DEAD if paths.own_network_dead else Port.ALIVE
        is_seen = own_answers and own_port is Port.ALIVE
        lag_ms = 1000 * (paths.lag_seconds or USUAL_LAG_SECONDS)
        observation = Observation(
            at=moment(at),
            records=_NOTHING_WRONG,
            rds_failure="no answer" if paths.rds_blind else None,
            writer=Side.UNKNOWN if paths.rds_blind else Side.OWN if paths.swapped else Side.PEER,
            operation=_SWITCHING if paths.operation and not paths.rds_blind else None,
            synchronization="connected",
            standby_status=None if paths.rds_blind else "available",
            standby_instances=None if paths.rds_blind else 2,
            own_function_failure=None if own_answers else "no answer",
            own_port=own_port if own_answers else Port.UNKNOWN,
            own_read_only=not paths.swapped if is_seen else None,
            peer_port=peer_port if own_answers else Port.UNKNOWN,
            peer_read_only=bool(paths.swapped) if peer_port is Port.ALIVE and own_answers else None,
            peer=peer,
            heartbeat=f"{self._newest:.3f}" if is_seen else None,
            lag_ms=lag_ms if is_seen else None,
        )
        hangs = peer is Peer.SILENT or not own_answers or paths.rds_blind
        took = self._deadline if hangs else 0.7 * self._deadline + 0.2 if peer_port is Port.DEAD else 0.4
        return observation, took

    def _glimpse(self, at: float, paths: Paths, noise: float) -> PathSample:
        """`noise` below 1, 2, 3: the own function, the other region's, or a heartbeat of the other region's controller fails by itself."""
        own_answers = not (paths.own_function_dead or noise < 1 or self._happens(paths.slow_function))
        peer_port = self._peer_port(paths)
        peer = Peer.SILENT if 1 <= noise < 2 else self._peer(paths)
        if peer_port is Port.ALIVE or peer is Peer.FINE:
            self._written_by_us.append(at + 0.1)
        return PathSample(at, paths, own_answers, peer_port, peer, 2 <= noise < 3)

    def _happens(self, chance: float) -> bool:
        return chance > 0 and (chance >= 1 or self._rng.random() < chance)

    def _peer_port(self, paths: Paths) -> Port:
        if paths.writer_down or paths.peering_cut or paths.own_network_dead:
            return Port.DEAD
        loss = max(paths.loss, paths.backbone_loss)
        if loss and self._happens(probe_fails(loss)):
            return Port.DEAD
        if self._happens(paths.slow_peering) or self._happens(paths.slow_login):
            return Port.DEAD
        return Port.UNUSABLE if self._happens(paths.slow_query) else Port.ALIVE

    def _peer(self, paths: Paths) -> Peer:
        if paths.api_unreachable or (paths.backbone_loss and self._happens(call_fails(paths.backbone_loss))):
            return Peer.SILENT
        if self._happens(paths.api_errors):
            return Peer.UNKNOWN
        if self._happens(paths.api_silent):
            return Peer.SILENT
        if paths.writer_down or self._happens(paths.slow_login):
            return Peer.DOWN
        return Peer.UNKNOWN if self._happens(paths.slow_query) else Peer.FINE

    def _receive(self, at: float, paths: Paths, *, writes_missed: bool) -> None:
        """Take in the heartbeats that arrived until `at`."""
        if paths.stream_cut:
            if self._stream_until == float("inf"):
                self._stream_until = self._episode.segment_at(at).start
        else:
            self._stream_until = float("inf")
            if paths.backbone_loss and self._happens(stream_stalls(paths.backbone_loss)):
                return
        horizon = min(at, self._stream_until) - (paths.lag_seconds or USUAL_LAG_SECONDS)
        arrived = [written for written in self._written_by_us if written <= horizon]
        self._written_by_us = [written for written in self._written_by_us if written > horizon]
        newest = max([self._newest, *arrived])
        since = max(newest, self._looked_until)
        by_itself = self._last_write(
            since, horizon, self._database_phase, DATABASE_HEARTBEAT_SECONDS, self._database_writes
        )
        probed = (
            None
            if writes_missed
            else self._last_write(by_itself or since, horizon, self._phase, self._period, self._probe_writes)
        )
        self._newest = probed or by_itself or newest
        self._looked_until = max(self._looked_until, horizon)

    def _last_write(
        self, since: float, until: float, phase: float, period: float, writes: Callable[[Paths], bool]
    ) -> float | None:
        """Return when the last heartbeat in that time was written in the writer's region; `None` if none was."""
        cycle = floor((until - phase) / period)
        while (written := phase + cycle * period) > since:
            if writes(self._episode.paths_at(written)):
                return written
            cycle -= 1
        return None

    def _database_writes(self, paths: Paths) -> bool:
        """Whether the database's own event commits: it needs no Lambda, no network, no log-in; it may be as late as a probe's statement."""
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
