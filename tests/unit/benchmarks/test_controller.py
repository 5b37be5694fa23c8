"""The controller: the result of each fault, and the same decisions as the real cycle."""

import logging
from dataclasses import replace
from datetime import timedelta
from itertools import count, product
from random import Random
from typing import Any

import pytest

from benchmarks import controller
from benchmarks.controller import POLICY, Controller, decide_again, decide_first
from benchmarks.histories import draw
from benchmarks.observer import DATABASE_HEARTBEAT_SECONDS, PathSample, SimulatedObserver
from benchmarks.simulated_regions import REGION_LOST, Cause, Episode, Paths
from functions.database_setup.setup import EVENT_SECONDS
from functions.failover_controller.cycle import Cycle
from functions.failover_controller.model import Action, Observation, Peer, Port, Side, State
from functions.failover_controller.notices import NoticeQueue
from functions.failover_controller.store import TableStore
from settings import FailoverSettings
from tests.support.benchmarks.builders import START, FixedRandom, effect, episode
from tests.support.failover_controller.fakes import Clock, FakeWorld, InlineThreads, MemoryTable

EVERYTHING_OUTSIDE = {"peering_cut": 1, "stream_cut": 1, "api_unreachable": 1}


def _seconds_to_call(history: Episode, rng: Random | None = None) -> float | None:
    called_at = Controller().detect(history, rng or FixedRandom()).called_at
    return None if called_at is None else called_at - history.start


def test_policy_matches_default_settings() -> None:
    """The simulated policy is the default of the settings."""
    names = ("mode", "interval_seconds", "failure_threshold", "in_region_grace_seconds", "cooldown_seconds")
    names = (*names, "max_data_loss_seconds")
    defaults = FailoverSettings()
    assert {name: getattr(POLICY, name) for name in names} == {name: getattr(defaults, name) for name in names}


def test_heartbeat_period_matches_database_setup() -> None:
    """The simulated event has the period of the event that database_setup makes."""
    assert DATABASE_HEARTBEAT_SECONDS == EVENT_SECONDS


def test_region_loss_is_called_after_five_cycles() -> None:
    """Half a cycle, four more cycles, two observations of 3 s, the pause between them, and the writes."""
    seen = episode(effect(Cause.REGION_LOSS, 600, **REGION_LOST._asdict()))
    assert _seconds_to_call(seen) == pytest.approx(5 + 40 + 2 * 3 + 3.5, abs=0.2)


def test_region_loss_is_called_within_61_seconds() -> None:
    """At any phase, with late cycles and clock drift; a random failure of an own call resets the count."""
    losses = [Episode(draw(Cause.REGION_LOSS, Random(seed), START)) for seed in range(40)]
    seconds = sorted(_seconds_to_call(loss, Random(seed)) or 1e9 for seed, loss in enumerate(losses))
    assert (seconds[0] > 49, seconds[-2] < 61, seconds[-1] < 90) == (True, True, True)


def test_in_region_failure_is_called_after_grace() -> None:
    """The other region reports its writer as down for 120 s from the first failed cycle."""
    seconds = _seconds_to_call(episode(effect(Cause.IN_REGION_FAILURE, 900, writer_down=1)))
    assert seconds == pytest.approx(130, abs=6)


NEVER_CALLED = {
    "blip of everything": effect(Cause.BLIP, 15, **EVERYTHING_OUTSIDE),
    "blip of the writer": effect(Cause.BLIP, 15, writer_down=1),
    "crash that heals at the last moment": effect(Cause.CRASH, 120, writer_down=1),
    "peering partition": effect(Cause.PARTITION, 7200, peering_cut=1),
    "wide partition": effect(Cause.WIDE_PARTITION, 7200, peering_cut=1, api_unreachable=1),
    "API brown-out, silent": effect(Cause.BROWN_OUT, 7200, api_silent=1),
    "API brown-out, errors": effect(Cause.BROWN_OUT, 7200, api_errors=1),
    "own network down": effect(Cause.OBSERVER_FAULT, 7200, own_network_down=1),
    "own function down": effect(Cause.OBSERVER_FAULT, 7200, own_function_down=1),
    "own RDS API unreachable": effect(Cause.OBSERVER_FAULT, 7200, rds_unreachable=1),
    "own region down": effect(
        Cause.OBSERVER_FAULT,
        7200,
        own_network_down=1,
        own_function_down=1,
        rds_unreachable=1,
        peering_cut=1,
        api_unreachable=1,
    ),
    "lag": effect(Cause.REPLICATION_LAG, 7200, lag_seconds=100),
    "light packet loss": effect(Cause.PACKET_LOSS, 900, backbone_loss=0.05),
    "slow across the peering": effect(Cause.SLOW_PROBE, 60, slow_peering=1),
    "slow own function": effect(Cause.SLOW_PROBE, 60, slow_function=1),
    "new log-ins refused, open connections work": effect(Cause.SATURATED_WRITER, 3600, slow_login=1),
    "slow queries": effect(Cause.SATURATED_WRITER, 3600, slow_query=1),
    "region unreachable for 43 s, as GitHub's in 2018": effect(Cause.FLAPPING, 43, **REGION_LOST._asdict()),
    "half-lost region that always returns errors": effect(
        Cause.HALF_LOSS, 3600, writer_down=1, peering_cut=1, stream_cut=1, api_errors=1
    ),
}


@pytest.mark.parametrize("name", NEVER_CALLED)
def test_fault_is_never_called(name: str) -> None:
    """No failover follows at any of ten phases."""
    seen = episode(NEVER_CALLED[name])
    assert [_seconds_to_call(seen, Random(seed)) for seed in range(10)] == [None] * 10


def test_partition_with_silent_lambda_api_is_never_called() -> None:
    """The heartbeats of the database's event prevent the failover; no probe writes one."""
    seen = episode(effect(Cause.PARTITION, 7200, peering_cut=1), effect(Cause.BROWN_OUT, 7080, after=120, api_silent=1))
    assert [_seconds_to_call(seen, Random(seed)) for seed in range(10)] == [None] * 10


@pytest.mark.parametrize("seed", range(10))
def test_switchover_and_back_is_never_called(seed: int) -> None:
    """The databases of both regions refuse connections during the operation."""
    rng = Random(seed)
    assert _seconds_to_call(Episode(draw(Cause.SWITCHOVER, rng, START)), rng) is None


WRONGLY_CALLED = {
    "full isolation": (effect(Cause.ISOLATION, 600, **EVERYTHING_OUTSIDE, isolated=1),),
    "region unreachable for 59 s": (effect(Cause.FLAPPING, 59, **REGION_LOST._asdict()),),
}
"""Faults that the rules cannot distinguish from a loss."""


@pytest.mark.parametrize("name", WRONGLY_CALLED)
def test_indistinguishable_fault_is_called(name: str) -> None:
    """The benchmark shows these wrong calls."""
    assert _seconds_to_call(episode(*WRONGLY_CALLED[name])) is not None


def test_high_lag_requests_approval() -> None:
    """A region loss with a lag above max_data_loss requests approval and makes no call."""
    seen = episode(
        effect(Cause.REPLICATION_LAG, 600, lag_seconds=100),
        effect(Cause.REGION_LOSS, 600, after=300, **REGION_LOST._asdict()),
    )
    watch = Controller().detect(seen, FixedRandom())
    assert watch.called_at is None
    assert [round(requested - START - 300) for requested in watch.requested_at] == [48]


@pytest.mark.parametrize("cause", [Cause.ZONE_FAILURE, Cause.CRASH_IN_API_OUTAGE])
def test_correlated_crash_is_never_called(cause: Cause) -> None:
    """The region's APIs fail together with the writer, or before it."""
    histories = [Episode(draw(cause, Random(seed), START)) for seed in range(200)]
    assert [seed for seed, one in enumerate(histories) if _seconds_to_call(one, Random(seed)) is not None] == []


def test_loss_in_an_api_outage_is_called_after_the_grace() -> None:
    """The silence is older than the loss."""
    silence = effect(Cause.LOSS_IN_API_OUTAGE, 1200, api_silent=1, rds_api_silent=1)
    loss = effect(Cause.LOSS_IN_API_OUTAGE, 900, after=600, **REGION_LOST._asdict())
    assert _seconds_to_call(episode(silence, loss)) == pytest.approx(600 + 130, abs=8)


def test_flapping_region_is_called_in_its_first_phase_only() -> None:
    """Afterwards seven cycles are required, more than the longest phase."""
    histories = [Episode(draw(Cause.FLAPPING, Random(seed), START)) for seed in range(100)]
    calls = [(one, called) for seed, one in enumerate(histories) if (called := _seconds_to_call(one, Random(seed)))]
    assert 0 < len(calls) < 20
    assert [called for one, called in calls if called > one.effects[0].end - START + 10] == []


@pytest.mark.parametrize("seed", range(5))
def test_half_lost_region_requests_approval_after_grace(seed: int) -> None:
    """The API returns only errors: one request soon after 120 s and no call."""
    gone = effect(Cause.HALF_LOSS, 900, writer_down=1, peering_cut=1, stream_cut=1, api_errors=1)
    watch = Controller().detect(episode(gone), Random(seed))
    assert (watch.called_at, len(watch.requested_at)) == (None, 1)
    assert 120 <= watch.requested_at[0] - START < 145


def test_partition_with_lambda_errors_requests_no_approval() -> None:
    """The database's own heartbeat still arrives."""
    seen = episode(effect(Cause.PARTITION, 7200, peering_cut=1), effect(Cause.BROWN_OUT, 7080, after=120, api_errors=1))
    assert [Controller().detect(seen, Random(seed)).requested_at for seed in range(10)] == [()] * 10


def test_jump_does_not_change_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A jump over a long partition changes only the number of cycles."""
    seen = episode(
        effect(Cause.PARTITION, 3600, peering_cut=1),
        effect(Cause.REGION_LOSS, 600, after=3000, **REGION_LOST._asdict()),
    )
    jumped = Controller().detect(seen, FixedRandom())
    monkeypatch.setattr(controller, "JUMP_FROM_CYCLES", 1e9)
    every = Controller().detect(seen, FixedRandom())
    assert (jumped.called_at, jumped.reason) == (pytest.approx(every.called_at, abs=0.01), every.reason)
    assert jumped.cycles < every.cycles / 10


def test_jump_over_alternating_states_does_not_change_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second heartbeat resets the count of silent cycles."""
    partition = effect(Cause.WIDE_PARTITION, 3600, peering_cut=1, api_unreachable=1)
    for offset in (0, 10):
        seen = episode(partition, effect(Cause.REGION_LOSS, 600, after=3000 + offset, **REGION_LOST._asdict()))
        jumped = Controller().detect(seen, FixedRandom())
        with monkeypatch.context() as every_cycle:
            every_cycle.setattr(controller, "JUMP_FROM_CYCLES", 1e9)
            every = Controller().detect(seen, FixedRandom())
        assert (jumped.called_at, jumped.reason) == (pytest.approx(every.called_at, abs=0.01), every.reason)
        assert jumped.cycles < every.cycles / 8


def test_skipped_cycles_with_live_writer_do_not_change_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Light packet loss before a region loss gives the same call with and without the skipped cycles."""
    light_loss = effect(Cause.PACKET_LOSS, 600, backbone_loss=0.05)
    seen = episode(light_loss, effect(Cause.REGION_LOSS, 600, after=300, **REGION_LOST._asdict()))
    last = Controller().detect(seen, FixedRandom())
    monkeypatch.setattr(PathSample, "sees_live_writer", False)
    every = Controller().detect(seen, FixedRandom())
    assert (last.called_at, last.reason, last.requested_at) == (every.called_at, every.reason, every.requested_at)
    assert every.cycles - last.cycles >= 29


def test_blip_between_cycles_runs_no_cycle() -> None:
    """The number of cycles is 0."""
    assert Controller().detect(episode(effect(Cause.BLIP, 3, writer_down=1)), FixedRandom()).cycles == 0


def test_live_writer_resets_state_and_prevents_action() -> None:
    """With a live writer the rules do not act, and the state does not depend on the past."""
    healthy = SimulatedObserver(episode(effect(Cause.BLIP, 1)), POLICY, FixedRandom()).observe_healthy(START)[0]
    late = healthy.at + timedelta(hours=1)
    long_outage = State(
        writer=Side.PEER,
        heartbeats=("",),
        silent_cycles=9,
        dead_cycles=9,
        dead_since=healthy.at,
        heartbeat_seen_at=healthy.at,
        lag_ms=1.0,
        lag_at=healthy.at,
    )
    usual = State(writer=Side.PEER, heartbeats=("",))
    for peer, operation in product(Peer, (None, healthy.operation)):
        seen = _changed(healthy, at=late, peer=peer, operation=operation)
        (after, decision), (after_healthy, _) = (
            decide_first(state, seen, POLICY, late) for state in (long_outage, usual)
        )
        assert (decision.action in (Action.HOLD, Action.NOTIFY), after.silence_healed_at) == (True, late)
        assert replace(after, silence_healed_at=None) == after_healthy


# The same observations through the benchmark and through the real cycle

LOST = {"peer_port": Port.DEAD, "peer_read_only": None, "peer": Peer.SILENT}
CALM: list[dict[str, Any]] = [{"heartbeat": ""}, {}]
"""The second heartbeat is new, so it arrived."""
GONE = [LOST] * 5
AGAIN = [LOST] * 7  # after a silence that healed
SEQUENCES: dict[str, list[dict[str, Any]]] = {
    "region loss": [*CALM, *GONE, LOST],
    "second observation reaches the port": [*CALM, *GONE, {}, *AGAIN, LOST],
    "second observation reaches the region": [*CALM, *GONE, {**LOST, "peer": Peer.FINE}, *AGAIN, LOST],
    "second observation reports down": [*CALM, *GONE, {**LOST, "peer": Peer.DOWN}, LOST, LOST],
    "second observation fails": [
        *CALM,
        *GONE,
        {"own_function_failure": "no answer", "peer_port": Port.UNKNOWN},
        *GONE,
        *GONE,
    ],
    "second observation has a heartbeat": [*CALM, *GONE, {**LOST, "heartbeat": "x"}, *AGAIN, LOST],
    "errors between silences": [*CALM, LOST, LOST, {**LOST, "peer": Peer.UNKNOWN}, *GONE, LOST],
    "silent before": [*CALM, *[{"peer": Peer.SILENT}] * 6, *GONE, LOST, LOST],
}


NOT_CALLED = ("second observation reports down", "second observation has a heartbeat", "silent before")
"""The grace period has not ended: the silence is older than the writer's last sign of life, or the region answered."""


class ScriptedObserver:
    """An observer with prepared observations of 3 s each and the table's records."""

    def __init__(self, observations: list[Observation], store: TableStore, clock: Clock) -> None:
        self._observations = observations
        self.taken = 0
        self._store = store
        self._clock = clock

    def observe(self, *, writer: object, approval_id: str | None) -> Observation:
        """Return the next observation."""
        del writer
        observation = self._observations[min(self.taken, len(self._observations) - 1)]
        self.taken += 1
        seen = _changed(observation, at=self._clock(), records=self._store.read(approval_id))
        self._clock.advance(3)
        return seen


def _changed(seen: Observation, **changes: object) -> Observation:
    return replace(seen, **changes)  # pyright: ignore[reportArgumentType]


def _in_benchmark(observations: list[Observation]) -> tuple[int, bool]:
    """Return the number of observations and whether the last one led to a call."""
    state, clock, rest = State(), Clock(), list(observations)
    while rest:
        started, seen = clock(), _changed(rest.pop(0), at=clock())
        clock.advance(3)
        state, decision = decide_first(state, seen, POLICY, clock())
        if decision.action is Action.FAIL_OVER and rest:
            clock.advance(POLICY.pause_seconds)
            seen = _changed(rest.pop(0), at=clock())
            clock.advance(3)
            state, again = decide_again(state, seen, POLICY, clock())
            if again.same_as(decision):
                return len(observations) - len(rest), True
        clock.now = started + timedelta(seconds=10)
    return len(observations), False


def _in_real_cycle(observations: list[Observation]) -> tuple[int, bool]:
    """Return the same for the real cycle on a table in memory."""
    clock, unused, ids = Clock(), _nothing(), count()
    world, store = FakeWorld(clock), TableStore(MemoryTable())
    script = ScriptedObserver(observations, store, clock)
    names: dict[str, Any] = {
        "policy": POLICY,
        "new_id": lambda: f"id-{next(ids)}",
        "observer": script,
        "delivery": unused,
        "log": logging.getLogger("test"),
    }
    notices = NoticeQueue(
        policy=POLICY, region="eu-west-1", global_cluster_id="payments-global-dev", new_id=names["new_id"]
    )
    outside: dict[str, Any] = {"rds": world, "metrics": world, "threads": InlineThreads(), "clock": clock}
    cycle = Cycle(notices=notices, store=store, sleep=clock.advance, **outside, **names)
    cycle.begin("invocation-1")
    cycle.take_lease()
    while script.taken < len(observations) and not world.calls:
        started = clock()
        cycle.run(0.0)
        clock.now = started + timedelta(seconds=10)
    return script.taken, bool(world.calls)


def _nothing() -> Any:
    """Return a placeholder for an unused dependency."""
    return None


@pytest.mark.parametrize("name", SEQUENCES)
def test_benchmark_calls_like_the_real_cycle(name: str) -> None:
    """The simulated and the real cycle call at the same observation, or neither of them calls."""
    healthy = SimulatedObserver(episode(effect(Cause.BLIP, 1)), POLICY, FixedRandom()).observe_healthy(0.0)[0]
    observations = [_changed(healthy, **changes) for changes in SEQUENCES[name]]
    taken, is_called = _in_benchmark(observations)
    assert (taken, is_called) == _in_real_cycle(observations)
    assert is_called is (name not in NOT_CALLED)


def test_observation_shows_only_its_paths() -> None:
    """In a wide partition, port and API are unreachable, and heartbeats still arrive."""
    seen = episode(effect(Cause.WIDE_PARTITION, 600, peering_cut=1, api_unreachable=1))
    observer = SimulatedObserver(seen, POLICY, FixedRandom())
    observer.skip_until(START)
    first, took = observer.observe_at(START + 10, Paths(peering_cut=1, api_unreachable=1))
    second, _ = observer.observe_at(START + 20, Paths(peering_cut=1, api_unreachable=1))
    assert (first.peer_port, first.peer, first.own_port, took) == (Port.DEAD, Peer.SILENT, Port.ALIVE, 3.0)
    assert first.heartbeat != second.heartbeat
