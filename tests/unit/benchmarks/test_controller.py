"""Our detector: the outcome of each trouble, and that it does what the real cycle does."""

from dataclasses import replace
from datetime import timedelta
from itertools import count, product
from random import Random
from typing import Any

import pytest

from benchmarks import controller
from benchmarks.controller import POLICY, Controller, first_look, second_look
from benchmarks.histories import draw
from benchmarks.looks import DATABASE_HEARTBEAT_SECONDS, PathSample, SimulatedObserver
from benchmarks.world import DARK, Cause, Episode, Paths
from functions.database_setup.setup import EVENT_SECONDS
from functions.failover_controller.cycle import Cycle
from functions.failover_controller.model import Action, Observation, Peer, Port, State
from functions.failover_controller.notices import NoticeQueue
from functions.failover_controller.store import TableStore
from settings import FailoverSettings
from tests.support.benchmarks.builders import START, Steady, effect, episode
from tests.support.failover_controller.fakes import Clock, FakeWorld, InlineThreads, MemoryTable

EVERYTHING_OUTSIDE = {"peering_cut": 1, "stream_cut": 1, "api_unreachable": 1}


def _seconds_to_call(seen: Episode, rng: Random | None = None) -> float | None:
    called_at = Controller().watch(seen, rng or Steady()).called_at
    return None if called_at is None else called_at - seen.start


def test_the_policy_is_the_programs_default() -> None:
    """What is simulated is what is deployed when nobody sets anything."""
    names = ("mode", "interval_seconds", "failure_threshold", "in_region_grace_seconds", "cooldown_seconds")
    names = (*names, "max_data_loss_seconds")
    defaults = FailoverSettings()
    assert {name: getattr(POLICY, name) for name in names} == {name: getattr(defaults, name) for name in names}


def test_the_database_writes_as_often_as_in_the_program() -> None:
    """The simulated event has the period of the one that database_setup makes, whatever the cycle is."""
    assert DATABASE_HEARTBEAT_SECONDS == EVENT_SECONDS


def test_a_region_loss_is_called_at_the_third_cycle_after_two_looks() -> None:
    """Half a cycle until the first failing cycle, two cycles more, two looks of 3 s, and the writes."""
    seen = episode(effect(Cause.REGION_LOSS, 600, **DARK._asdict()))
    assert _seconds_to_call(seen) == pytest.approx(5 + 20 + 2 * 3, abs=0.2)


def test_a_region_loss_is_called_within_37_seconds_at_any_phase() -> None:
    """Late cycles and drifting clocks included; an own call that fails by itself (one in 2,000) begins the count anew."""
    losses = [Episode(draw(Cause.REGION_LOSS, Random(seed), START)) for seed in range(40)]
    seconds = sorted(_seconds_to_call(loss, Random(seed)) or 1e9 for seed, loss in enumerate(losses))
    assert (seconds[0] > 20, seconds[-2] < 37, seconds[-1] < 60) == (True, True, True)


def test_an_in_region_failure_is_called_after_the_grace() -> None:
    """The other region answers that its writer is down: Aurora has 120 s from the first failing cycle."""
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
    "own network dead": effect(Cause.OBSERVER_TROUBLE, 7200, own_network_dead=1),
    "own function dead": effect(Cause.OBSERVER_TROUBLE, 7200, own_function_dead=1),
    "own RDS API blind": effect(Cause.OBSERVER_TROUBLE, 7200, rds_blind=1),
    "own region out": effect(
        Cause.OBSERVER_TROUBLE,
        7200,
        own_network_dead=1,
        own_function_dead=1,
        rds_blind=1,
        peering_cut=1,
        api_unreachable=1,
    ),
    "lag": effect(Cause.REPLICATION_LAG, 7200, lag_seconds=100),
    "light packet loss": effect(Cause.PACKET_LOSS, 900, backbone_loss=0.05),
    "slow across the peering": effect(Cause.SLOW_PROBE, 60, slow_peering=1),
    "slow own function": effect(Cause.SLOW_PROBE, 60, slow_function=1),
    "nobody new gets in, who is connected goes on": effect(Cause.SATURATED_WRITER, 3600, slow_login=1),
    "slow queries": effect(Cause.SATURATED_WRITER, 3600, slow_query=1),
    "region dark for 20 s": effect(Cause.FLAPPING, 20, **DARK._asdict()),
    "half-lost region that always errs": effect(
        Cause.HALF_LOSS, 3600, writer_down=1, peering_cut=1, stream_cut=1, api_errors=1
    ),
}


@pytest.mark.parametrize("name", NEVER_CALLED)
def test_what_is_never_called(name: str) -> None:
    """None of these leads to a failover, at any of ten phases."""
    seen = episode(NEVER_CALLED[name])
    assert [_seconds_to_call(seen, Random(seed)) for seed in range(10)] == [None] * 10


def test_a_partition_while_the_lambda_api_is_silent_is_never_called() -> None:
    """Nobody's probe writes a heartbeat then; the database's own event does, and the third path alone holds the failover back."""
    seen = episode(effect(Cause.PARTITION, 7200, peering_cut=1), effect(Cause.BROWN_OUT, 7080, after=120, api_silent=1))
    assert [_seconds_to_call(seen, Random(seed)) for seed in range(10)] == [None] * 10


@pytest.mark.parametrize("seed", range(10))
def test_a_switchover_there_and_back_is_never_called(seed: int) -> None:
    """Both databases refuse during the operation, and nobody acts."""
    rng = Random(seed)
    assert _seconds_to_call(Episode(draw(Cause.SWITCHOVER, rng, START)), rng) is None


CALLED_THOUGH_IT_LIVES = {
    "full isolation": (effect(Cause.ISOLATION, 600, **EVERYTHING_OUTSIDE, unseen=1),),
    "region dark for 50 s": (effect(Cause.FLAPPING, 50, **DARK._asdict()),),
}
"""What the rules take for a loss today. A rule that tells one of them apart moves it to the table above."""


@pytest.mark.parametrize("name", CALLED_THOUGH_IT_LIVES)
def test_what_is_called_though_it_is_wrong(name: str) -> None:
    """The benchmark must show it, not hide it."""
    assert _seconds_to_call(episode(*CALLED_THOUGH_IT_LIVES[name])) is not None


def test_a_lag_above_the_limit_asks_a_person() -> None:
    """The region is lost while the replication lags by more than max_data_loss: a question, no call."""
    seen = episode(
        effect(Cause.REPLICATION_LAG, 600, lag_seconds=100),
        effect(Cause.REGION_LOSS, 600, after=300, **DARK._asdict()),
    )
    watch = Controller().watch(seen, Steady())
    assert watch.called_at is None
    assert [round(asked - START - 300) for asked in watch.asked_at] == [28]


@pytest.mark.parametrize("seed", range(5))
def test_a_half_lost_region_asks_a_person_after_the_grace(seed: int) -> None:
    """Its API answers with nothing but errors: one question soon after 120 s, and no call."""
    gone = effect(Cause.HALF_LOSS, 900, writer_down=1, peering_cut=1, stream_cut=1, api_errors=1)
    watch = Controller().watch(episode(gone), Random(seed))
    assert (watch.called_at, len(watch.asked_at)) == (None, 1)
    assert 120 <= watch.asked_at[0] - START < 145


def test_a_partition_beside_a_lambda_that_errs_asks_nobody() -> None:
    """The database's own heartbeat still arrives."""
    seen = episode(effect(Cause.PARTITION, 7200, peering_cut=1), effect(Cause.BROWN_OUT, 7080, after=120, api_errors=1))
    assert [Controller().watch(seen, Random(seed)).asked_at for seed in range(10)] == [()] * 10


def test_a_loss_after_a_jump_is_called_as_soon_as_one_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jumping over the cycles of a long partition changes nothing but the number of cycles."""
    seen = episode(
        effect(Cause.PARTITION, 3600, peering_cut=1), effect(Cause.REGION_LOSS, 600, after=3000, **DARK._asdict())
    )
    jumped = Controller().watch(seen, Steady())
    monkeypatch.setattr(controller, "JUMP_FROM_CYCLES", 1e9)
    every = Controller().watch(seen, Steady())
    assert (jumped.called_at, jumped.reason) == (pytest.approx(every.called_at, abs=0.01), every.reason)
    assert jumped.cycles < every.cycles / 10


def test_a_partition_in_which_the_count_goes_to_and_fro_is_jumped_over_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each second heartbeat takes the count of silent cycles back: a jump goes on where the two would stand by then."""
    partition = effect(Cause.WIDE_PARTITION, 3600, peering_cut=1, api_unreachable=1)
    for odd in (0, 10):
        seen = episode(partition, effect(Cause.REGION_LOSS, 600, after=3000 + odd, **DARK._asdict()))
        jumped = Controller().watch(seen, Steady())
        with monkeypatch.context() as every_cycle:
            every_cycle.setattr(controller, "JUMP_FROM_CYCLES", 1e9)
            every = Controller().watch(seen, Steady())
        assert (jumped.called_at, jumped.reason) == (pytest.approx(every.called_at, abs=0.01), every.reason)
        assert jumped.cycles < every.cycles / 10


def test_of_cycles_that_see_the_writer_alive_only_the_last_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some minutes of light loss, then the region is gone: the same call at the same time, with and without the cycles before."""
    light_loss = effect(Cause.PACKET_LOSS, 600, backbone_loss=0.05)
    seen = episode(light_loss, effect(Cause.REGION_LOSS, 600, after=300, **DARK._asdict()))
    last = Controller().watch(seen, Steady())
    monkeypatch.setattr(PathSample, "sees_life", False)
    every = Controller().watch(seen, Steady())
    assert (last.called_at, last.reason, last.asked_at) == (every.called_at, every.reason, every.asked_at)
    assert every.cycles - last.cycles >= 29


def test_a_blip_between_two_cycles_is_seen_by_nobody() -> None:
    """It costs no cycle at all."""
    assert Controller().watch(episode(effect(Cause.BLIP, 3, writer_down=1)), Steady()).cycles == 0


def test_a_living_port_leads_to_nothing_and_makes_the_cycles_before_forgotten() -> None:
    """What leaving out such cycles rests on: with the port alive the real rules never act or ask, whatever the state remembers."""
    calm = SimulatedObserver(episode(effect(Cause.BLIP, 1)), POLICY, Steady()).calm_look(START)[0]
    late = calm.at + timedelta(hours=1)
    dead_long = State(
        silent_cycles=9, dead_cycles=9, dead_since=calm.at, heartbeat_seen_at=calm.at, lag_ms=1.0, lag_at=calm.at
    )
    for peer, operation in product(Peer, (None, calm.operation)):
        seen = _changed(calm, at=late, peer=peer, operation=operation)
        (after, decision), (after_calm, _) = (first_look(state, seen, POLICY, late) for state in (dead_long, State()))
        assert (decision.action in (Action.HOLD, Action.NOTIFY), after) == (True, after_calm)


# The same looks, through the benchmark's two functions and through the real cycle

LOST = {"peer_port": Port.DEAD, "peer_read_only": None, "peer": Peer.SILENT}
SEQUENCES: dict[str, list[dict[str, Any]]] = {
    "region loss": [{}, LOST, LOST, LOST, LOST],
    "second look sees the port": [{}, LOST, LOST, LOST, {}, LOST, LOST, LOST, LOST],
    "second look sees the region": [{}, LOST, LOST, LOST, {**LOST, "peer": Peer.FINE}, LOST, LOST, LOST, LOST],
    "second look says down": [{}, LOST, LOST, LOST, {**LOST, "peer": Peer.DOWN}, LOST, LOST],
    "second look is blind": [
        {},
        LOST,
        LOST,
        LOST,
        {"own_function_failure": "no answer", "peer_port": Port.UNKNOWN},
        LOST,
        LOST,
        LOST,
        LOST,
    ],
    "second look sees a heartbeat": [{}, LOST, LOST, LOST, {**LOST, "heartbeat": "new"}, LOST, LOST, LOST, LOST],
    "errors between silences": [{}, LOST, LOST, {**LOST, "peer": Peer.UNKNOWN}, LOST, LOST, LOST, LOST],
}


class Script:
    """An observer that shows prepared looks, each taking 3 s, with the table's records."""

    def __init__(self, looks: list[Observation], store: TableStore, clock: Clock) -> None:
        self._looks = looks
        self.taken = 0
        self._store = store
        self._clock = clock

    def observe(self, *, writer: object, approval_id: str | None) -> Observation:
        """Return the next look."""
        del writer
        look = self._looks[min(self.taken, len(self._looks) - 1)]
        self.taken += 1
        seen = _changed(look, at=self._clock(), records=self._store.read(approval_id))
        self._clock.advance(3)
        return seen


def _changed(seen: Observation, **changes: object) -> Observation:
    return replace(seen, **changes)  # pyright: ignore[reportArgumentType]


def _by_the_benchmark(looks: list[Observation]) -> tuple[int, bool]:
    """How many looks were taken, and whether the last of them led to a call."""
    state, clock, rest = State(), Clock(), list(looks)
    while rest:
        begun, seen = clock(), _changed(rest.pop(0), at=clock())
        clock.advance(3)
        state, decision = first_look(state, seen, POLICY, clock())
        if decision.action is Action.FAIL_OVER and rest:
            seen = _changed(rest.pop(0), at=clock())
            clock.advance(3)
            state, again = second_look(state, seen, POLICY, clock())
            if again.same_as(decision):
                return len(looks) - len(rest), True
        clock.now = begun + timedelta(seconds=10)
    return len(looks), False


def _by_the_cycle(looks: list[Observation]) -> tuple[int, bool]:
    """The same, by the real cycle on a table in memory."""
    clock, unused, ids = Clock(), _nothing(), count()
    world, store = FakeWorld(clock), TableStore(MemoryTable())
    script = Script(looks, store, clock)
    names: dict[str, Any] = {
        "policy": POLICY,
        "new_id": lambda: f"id-{next(ids)}",
        "observer": script,
        "delivery": unused,
    }
    notices = NoticeQueue(
        policy=POLICY, region="eu-west-1", global_cluster_id="payments-global-dev", new_id=names["new_id"]
    )
    cycle = Cycle(notices=notices, store=store, rds=world, metrics=world, threads=InlineThreads(), clock=clock, **names)
    cycle.begin("invocation-1")
    cycle.take_lease()
    while script.taken < len(looks) and not world.calls:
        begun = clock()
        cycle.run(0.0)
        clock.now = begun + timedelta(seconds=10)
    return script.taken, bool(world.calls)


def _nothing() -> Any:
    """Stands where nothing is used."""
    return None


@pytest.mark.parametrize("name", SEQUENCES)
def test_two_looks_before_a_call_as_the_real_cycle_has_them(name: str) -> None:
    """The benchmark's first and second look call at exactly the look at which the real cycle calls, or neither calls."""
    calm = SimulatedObserver(episode(effect(Cause.BLIP, 1)), POLICY, Steady()).calm_look(0.0)[0]
    looks = [_changed(calm, **changes) for changes in SEQUENCES[name]]
    assert _by_the_benchmark(looks) == _by_the_cycle(looks)


def test_a_look_sees_only_what_its_paths_show() -> None:
    """In a wide partition port and API are dead, the standby is fine, and new heartbeats still arrive."""
    seen = episode(effect(Cause.WIDE_PARTITION, 600, peering_cut=1, api_unreachable=1))
    looks = SimulatedObserver(seen, POLICY, Steady())
    looks.forget_until(START)
    first, took = looks.look(START + 10, Paths(peering_cut=1, api_unreachable=1))
    second, _ = looks.look(START + 20, Paths(peering_cut=1, api_unreachable=1))
    assert (first.peer_port, first.peer, first.own_port, took) == (Port.DEAD, Peer.SILENT, Port.ALIVE, 3.0)
    assert first.heartbeat != second.heartbeat
