"""Update of the state by observations."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from functions.failover_controller.decide import decide
from functions.failover_controller.model import (
    Action,
    Approval,
    Attempt,
    AttemptStatus,
    GlobalOperation,
    Observation,
    Peer,
    Pending,
    Port,
    Reason,
    Records,
    Side,
    State,
)
from functions.failover_controller.state_update import update_state
from tests.support.failover_controller.builders import NOW, POLICY, after, attempt, down, healthy, lost, policy

FAILING_OVER = GlobalOperation(status="failing-over", to_own=True, allows_data_loss=True)
WRITABLE = healthy(writer=Side.OWN, own_port=Port.ALIVE, own_read_only=False)


def followed(state: State, *seen: Observation) -> State:
    """Return the state after these observations."""
    for one in seen:
        state, _ = update_state(state, one, POLICY)
    return state


def events(state: State, seen: Observation) -> list[Reason]:
    """Return the events of this observation."""
    return [event.reason for event in update_state(state, seen, POLICY)[1]]


def standing(**changes: object) -> State:
    """Return a state after a healthy cycle one second ago."""
    healthy_state = State(
        version=1, cycle_at=after(-1), writer=Side.PEER, heartbeats=("h0",), heartbeat_seen_at=after(-1)
    )
    return replace(healthy_state, **changes)  # pyright: ignore[reportArgumentType]


def test_consecutive_failing_cycles_are_counted() -> None:
    """Each failing cycle raises both counts; the first one is recorded."""
    state = followed(standing(), lost(at=NOW), lost(at=after(1)), lost(at=after(2)))
    assert (state.silent_cycles, state.dead_cycles, state.dead_since) == (3, 3, NOW)


def test_new_heartbeat_restarts_the_count() -> None:
    """A new heartbeat proves that the writer worked."""
    partition = [lost(at=after(result), heartbeat=f"h{result}") for result in range(1, 9)]
    state = followed(standing(), *partition)
    silence = followed(state, lost(at=after(9), heartbeat="h8"), lost(at=after(10), heartbeat="h8"))
    assert (state.silent_cycles, silence.silent_cycles, state.dead_since) == (0, 2, after(1))


def test_heartbeat_in_the_first_failing_cycle_keeps_the_count() -> None:
    """A heartbeat in that cycle was written before the outage."""
    state = followed(standing(), lost(at=NOW, heartbeat="h1"), *(lost(at=after(n), heartbeat="h1") for n in (1, 2)))
    assert state.silent_cycles == 3


def test_new_heartbeat_in_the_second_observation_restarts_the_count() -> None:
    """The second decision then differs, and no call is made."""
    state = followed(standing(), *(lost(at=after(n), heartbeat="h0") for n in range(3)))
    again, _ = update_state(state, lost(at=after(2.4), heartbeat="h1"), POLICY, counts=False)
    assert (state.silent_cycles, again.silent_cycles) == (3, 0)


def test_outage_begins_while_the_peer_returns_errors() -> None:
    """The lag measured before the errors is the lag before the outage."""
    state = followed(
        standing(), lost(at=NOW, peer=Peer.UNKNOWN), lost(at=after(1), peer=Peer.UNKNOWN), lost(at=after(2))
    )
    assert (state.silent_cycles, state.dead_since) == (1, NOW)


def test_unknown_port_does_not_begin_an_outage() -> None:
    """A cycle with an unknown port is not a failing cycle."""
    state = followed(standing(), lost(at=NOW, peer_port=Port.UNKNOWN, peer=Peer.UNKNOWN))
    assert state.dead_since is None


def test_down_writer_resets_silent_cycles_only() -> None:
    """The other region answered, and its writer is still unreachable."""
    state = followed(standing(), lost(at=NOW), down(at=after(1)))
    assert (state.silent_cycles, state.dead_cycles, state.dead_since) == (0, 2, NOW)


@pytest.mark.parametrize(
    "life",
    [
        healthy(at=after(1)),
        healthy(at=after(1), peer=Peer.SILENT),
        lost(at=after(1), peer=Peer.FINE),
    ],
)
def test_reachable_writer_resets_the_counts(life: Observation) -> None:
    """A port that works or a region that reports a working writer ends the outage."""
    state = followed(standing(), lost(at=NOW), life)
    assert (state.silent_cycles, state.dead_cycles, state.dead_since) == (0, 0, None)


@pytest.mark.parametrize(
    "unknown",
    [
        lost(at=after(1), peer_port=Port.UNKNOWN),
        lost(at=after(1), peer=Peer.UNKNOWN),
        lost(at=after(1), peer_port=Port.UNUSABLE),
        healthy(at=after(1), peer_read_only=True, peer=Peer.UNKNOWN),
    ],
)
def test_unknown_resets_the_counts_but_not_dead_since(unknown: Observation) -> None:
    """An unknown value, or a server that serves no one, is neither a lost nor a working writer."""
    state = followed(standing(), lost(at=NOW), unknown)
    assert (state.silent_cycles, state.dead_cycles, state.dead_since) == (0, 0, NOW)


def test_unreadable_rds_api_keeps_the_counts() -> None:
    """The writer is known from earlier cycles."""
    unreadable = lost(at=after(1), writer=Side.UNKNOWN, rds_failure="throttled")
    assert followed(standing(), lost(at=NOW), unreadable).silent_cycles == 2


@pytest.mark.parametrize("later", [0.4, 0.9])
def test_second_observation_is_not_counted(later: float) -> None:
    """Two observations of one cycle count once."""
    state = followed(standing(), lost(at=NOW))
    again, _ = update_state(state, lost(at=after(later)), POLICY, counts=False)
    assert (again.silent_cycles, again.cycle_at) == (1, NOW)


def test_early_cycle_is_not_counted() -> None:
    """Overlapping invocations must not count one failing cycle twice."""
    state = followed(standing(), lost(at=NOW), lost(at=after(0.4)))
    assert state.silent_cycles == 1


def test_counts_restart_after_a_gap() -> None:
    """A gap of more than five intervals ends a series of consecutive cycles."""
    assert (
        followed(standing(cycle_at=after(-5), silent_cycles=2, dead_cycles=2), lost(heartbeat="h0")).silent_cycles,
        followed(standing(cycle_at=after(-5.1), silent_cycles=2, dead_cycles=2), lost(heartbeat="h0")).silent_cycles,
    ) == (3, 1)


def test_writers_region_counts_no_failing_cycles() -> None:
    """There is no other writer."""
    state = followed(standing(writer=Side.OWN, silent_cycles=2), lost(writer=Side.OWN))
    assert (state.silent_cycles, state.dead_cycles, state.dead_since) == (0, 0, None)


def test_heartbeat_arrival_is_timed_by_the_own_clock() -> None:
    """The time in the heartbeat is not used."""
    state = followed(standing(), lost(at=after(3), heartbeat="2031-01-01T00:00:00+00:00"))
    assert after(3) == state.heartbeat_seen_at


def test_alternating_readers_give_no_new_heartbeat() -> None:
    """Values that were seen before are not new."""
    observations = [lost(at=after(index), heartbeat=f"h{index % 2}") for index in range(6)]
    assert after(1) == followed(standing(heartbeats=()), *observations).heartbeat_seen_at


def test_unreadable_heartbeat_is_not_new() -> None:
    """An unknown value is no sign of a working writer."""
    assert after(-1) == followed(standing(), lost(heartbeat=None)).heartbeat_seen_at


def test_lag_is_recorded_while_the_writer_is_reachable() -> None:
    """A failover uses the lag of the last healthy cycle."""
    state = followed(standing(), healthy(lag_ms=120.0))
    assert (state.lag_ms, state.lag_at) == (120.0, NOW)


def test_lag_of_a_failing_cycle_is_ignored() -> None:
    """The lag of a failing cycle may already include the outage."""
    state = followed(standing(lag_ms=80.0, lag_at=after(-1)), lost(lag_ms=900.0, heartbeat="new"))
    assert (80.0, after(-1)) == (state.lag_ms, state.lag_at)


@pytest.mark.parametrize(
    "seen",
    [
        healthy(lag_ms=None),
        lost(lag_ms=None, heartbeat="new"),
        lost(lag_ms=900.0, heartbeat="h0"),
        lost(lag_ms=900.0, heartbeat=None),
    ],
)
@pytest.mark.parametrize("dead_since", [None, after(-1)])
def test_last_lag_is_kept_without_a_valid_measurement(seen: Observation, dead_since: datetime | None) -> None:
    """A measurement counts only while heartbeats arrive or the writer is reachable."""
    state = followed(standing(lag_ms=80.0, lag_at=after(-1), dead_since=dead_since), seen)
    assert (80.0, after(-1)) == (state.lag_ms, state.lag_at)


def test_lag_is_recorded_in_a_partition_with_heartbeats() -> None:
    """A new heartbeat shows that replication works."""
    state = followed(standing(), lost(), lost(at=after(1), heartbeat="new", lag_ms=95.0))
    assert (95.0, after(1)) == (state.lag_ms, state.lag_at)


def test_first_known_writer_is_no_change() -> None:
    """A first run starts no cooldown."""
    state, happened = update_state(State(), healthy(), POLICY)
    assert (state.writer, state.roles_changed_at, happened) == (Side.PEER, None, ())


@pytest.mark.parametrize(
    "operation", [None, GlobalOperation(status="switching-over", to_own=True, allows_data_loss=False)]
)
def test_manual_change_of_roles_starts_the_cooldown(operation: GlobalOperation | None) -> None:
    """A manual change of roles is reported, and pending decisions end."""
    pending = Pending(id="ask", verdict=Reason.REGION_LOST, asked_at=NOW)
    state, happened = update_state(standing(pending=pending), healthy(writer=Side.OWN, operation=operation), POLICY)
    assert (state.writer, state.roles_changed_at, state.pending) == (Side.OWN, NOW, None)
    assert [(e.reason, e.action, e.evidence["from"], e.evidence["to"]) for e in happened] == [
        (Reason.ROLES_CHANGED, Action.NOTIFY, "peer", "own")
    ]


def test_visible_operation_marks_the_attempt_as_under_way() -> None:
    """The call took effect and is not repeated."""
    state = followed(standing(attempt=attempt()), lost(operation=FAILING_OVER))
    assert state.attempt is not None
    assert (state.attempt.status, state.attempt.touched_at) == (AttemptStatus.UNDER_WAY, NOW)


def test_operation_with_another_target_is_not_the_attempt() -> None:
    """The attempt stays intended."""
    elsewhere = replace(FAILING_OVER, to_own=False)
    state = followed(standing(attempt=attempt()), lost(operation=elsewhere))
    assert state.attempt == attempt()


def test_own_writer_without_writes_is_not_completed() -> None:
    """RDS's role alone does not complete a failover."""
    state = followed(standing(attempt=attempt()), replace(WRITABLE, own_read_only=True))
    assert (state.writer, state.attempt and state.attempt.status) == (Side.OWN, AttemptStatus.UNDER_WAY)


@pytest.mark.parametrize(
    "contradiction",
    [
        {"writer": Side.PEER},
        {"writer": Side.UNKNOWN},
        {"operation": FAILING_OVER},
        {"own_port": Port.DEAD},
        {"own_port": Port.UNKNOWN, "own_read_only": None},
        {"own_read_only": None},
    ],
)
def test_completion_requires_rds_and_the_own_probe(contradiction: dict[str, object]) -> None:
    """The role, no operation, a reachable port and accepted writes are required."""
    seen = replace(WRITABLE, **contradiction)  # pyright: ignore[reportArgumentType]
    assert events(standing(attempt=attempt()), seen) == []


def test_own_failover_is_no_manual_change_of_roles() -> None:
    """The end of the attempt is reported instead."""
    state, happened = update_state(standing(attempt=attempt()), replace(WRITABLE, own_read_only=True), POLICY)
    assert (state.writer, state.roles_changed_at, happened) == (Side.OWN, None, ())


def test_completed_failover_reports_its_figures() -> None:
    """Start, end, duration, lag and estimated loss are reported, and the cooldown starts."""
    begun = attempt(started_at=after(-60), outage_at=after(-63), status=AttemptStatus.UNDER_WAY, lag_ms=250.0)
    state, happened = update_state(
        standing(attempt=begun, notified=(Reason.REGION_LOST,), unhealthy_cycles=9), WRITABLE, POLICY
    )
    evidence = happened[0].evidence
    expected = {
        "started_at": after(-60).isoformat(),
        "ended_at": NOW.isoformat(),
        "elapsed_seconds": 60.0,
        "outage_seconds": 63.0,
        "lag_before_outage_ms": 250.0,
        "estimated_loss_seconds": 0.25,
    }
    assert [event.reason for event in happened] == [Reason.FAILOVER_COMPLETED]
    assert expected == {name: evidence[name] for name in expected}
    assert (state.attempt, state.writer, state.roles_changed_at, state.notified) == (None, Side.OWN, NOW, ())
    assert (state.unhealthy_cycles, happened[0].action) == (0, Action.NOTIFY)


def test_unknown_loss_stays_unknown() -> None:
    """An approved failover without a known lag reports no loss of zero."""
    _, happened = update_state(standing(attempt=attempt(lag_ms=None)), WRITABLE, POLICY)
    assert happened[0].evidence["estimated_loss_seconds"] is None


def test_vanished_operation_without_a_new_writer_has_failed() -> None:
    """The failed attempt is reported, and the cooldown starts."""
    begun = attempt(status=AttemptStatus.UNDER_WAY, touched_at=after(-25))
    state, happened = update_state(standing(attempt=begun), lost(), POLICY)
    assert (
        [e.reason for e in happened],
        state.attempt,
        state.roles_changed_at,
    ) == ([Reason.FAILOVER_FAILED], None, NOW)


@pytest.mark.parametrize("status", AttemptStatus)
@pytest.mark.parametrize("seen", [lost(), healthy()])
def test_attempt_is_kept_while_its_call_may_take_effect(status: AttemptStatus, seen: Observation) -> None:
    """RDS shows an operation only after a while."""
    begun = attempt(status=status, touched_at=after(-24.9))
    state, happened = update_state(standing(attempt=begun), seen, POLICY)
    assert (state.attempt, happened) == (begun, ())


def test_intent_is_abandoned_when_the_writer_is_reachable() -> None:
    """The outage ended before the call took effect."""
    state, happened = update_state(standing(attempt=attempt(touched_at=after(-25))), healthy(), POLICY)
    assert ([e.reason for e in happened], state.attempt) == ([Reason.FAILOVER_ABANDONED], None)


def test_intent_is_kept_during_the_outage() -> None:
    """A lost call is repeated."""
    begun = attempt(touched_at=after(-25))
    assert begun == followed(standing(attempt=begun), lost()).attempt


@pytest.mark.parametrize("unknown", [{"writer": Side.UNKNOWN}, {"writer": Side.UNKNOWN, "rds_failure": "throttled"}])
def test_attempt_is_kept_while_rds_is_unreadable(unknown: dict[str, object]) -> None:
    """An attempt ends only with a known result."""
    begun = attempt(status=AttemptStatus.UNDER_WAY, touched_at=after(-100))
    seen = lost(**unknown)
    assert begun == followed(standing(attempt=begun), seen).attempt


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (Approval(id="ask", approved=True, by="ann"), False),
        (Approval(id="ask", approved=False, by="ann"), True),
        (Approval(id="another", approved=True, by="ann"), True),
        (None, True),
    ],
)
def test_approved_decision_is_dropped_when_the_outage_ends(answer: Approval | None, kept: bool) -> None:
    """A refusal, another decision's approval and a missing answer change nothing."""
    pending = Pending(id="ask", verdict=Reason.REGION_LOST, asked_at=NOW)
    seen = healthy(records=Records(approval=answer))
    assert kept == (followed(standing(pending=pending), seen).pending is not None)


def test_overdue_failover_is_reported_once() -> None:
    """The event follows once the completion bound has passed."""
    begun = attempt(status=AttemptStatus.UNDER_WAY, started_at=after(-600))
    seen = lost(operation=FAILING_OVER)
    state, happened = update_state(standing(attempt=begun), seen, POLICY)
    assert ([e.reason for e in happened], events(state, replace(seen, at=after(1)))) == ([Reason.FAILOVER_OVERDUE], [])
    assert (happened[0].action, happened[0].evidence["elapsed_seconds"]) == (Action.NOTIFY, 600.0)


OBSERVATIONS = st.builds(
    healthy,
    peer_port=st.sampled_from(Port),
    own_port=st.sampled_from(Port),
    peer=st.sampled_from(Peer),
    heartbeat=st.sampled_from([None, "h1", "h2", "h3", "h4", "h5", "h6"]),
    writer=st.sampled_from([Side.PEER, Side.PEER, Side.PEER, Side.UNKNOWN]),
    lag_ms=st.sampled_from([None, 80.0]),
)
DARK = st.builds(lost, heartbeat=st.just("h1"))


@hypothesis_settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.1, 0.9, 1.0, 1.1, 2.0, 8.0]), st.one_of(OBSERVATIONS, DARK, DARK, DARK)),
        min_size=1,
        max_size=30,
    )
)
def test_failover_requires_three_silent_cycles_in_any_sequence(
    observations: list[tuple[float, Observation]],
) -> None:
    """No new heartbeat arrived for 1.8 s either."""
    state, seconds, history = State(), 0.0, []
    for pause, observation in observations:
        seconds += pause
        seen = replace(observation, at=after(seconds))
        state, _ = update_state(state, seen, POLICY)
        history.append(seen)
        decision = decide(seen, state, policy(in_region_grace_seconds=10_000), seen.at)
        if decision.action is Action.FAIL_OVER:
            last = history[-3:]
            assert [(one.peer_port, one.peer) for one in last] == [(Port.DEAD, Peer.SILENT)] * 3
            recent = {one.heartbeat for one in history if (seen.at - one.at).total_seconds() < 1.8}
            before = {one.heartbeat for one in history if (seen.at - one.at).total_seconds() >= 1.8}
            assert set() == recent - before - {None}


@pytest.mark.parametrize("make", [lost, down])
def test_approval_is_requested_with_an_intermittent_own_probe(
    make: Callable[..., Observation],
) -> None:
    """The own probe fails every third cycle, so no verdict is ever reached."""
    state, reasons = standing(lag_ms=80.0, lag_at=after(-1)), []
    for result in range(40):
        unreadable = {"peer_port": Port.UNKNOWN} if result % 3 == 2 else {}
        seen = make(at=after(result), heartbeat="h0", **unreadable)
        state, _ = update_state(state, seen, POLICY)
        reasons.append(decide(seen, state, POLICY, seen.at).reason)
    assert {Reason.REGION_UNCLEAR, Reason.PROBE_UNUSABLE} == set(reasons[int(POLICY.in_region_grace_seconds) + 3 :])


OWN_SERVES = healthy(writer=Side.OWN, own_read_only=False, peer_read_only=True, heartbeat="own", lag_ms=3.0)


def test_writers_region_records_neither_lag_nor_heartbeats() -> None:
    """Its own heartbeat is a few milliseconds old and says nothing about the replication."""
    state = followed(State(), OWN_SERVES, replace(OWN_SERVES, at=after(1), heartbeat="own-2"))
    assert (state.heartbeats, state.heartbeat_seen_at, state.lag_ms, state.lag_at) == ((), None, None, None)


@pytest.mark.parametrize("begun", [None, attempt()])
def test_change_of_roles_forgets_lag_and_heartbeats(begun: Attempt | None) -> None:
    """They describe the other writer; the attempt keeps its own copy."""
    before = standing(lag_ms=3.0, lag_at=after(-1), attempt=begun)
    state = followed(before, replace(OWN_SERVES, own_read_only=True))
    assert (state.heartbeats, state.heartbeat_seen_at, state.lag_ms, state.lag_at) == ((), None, None, None)


def test_completed_failover_forgets_lag_and_heartbeats() -> None:
    """The roles change in the same cycle."""
    state = followed(standing(attempt=attempt(), lag_ms=3.0, lag_at=after(-1)), WRITABLE)
    assert (state.heartbeats, state.heartbeat_seen_at, state.lag_ms, state.lag_at) == ((), None, None, None)


def test_first_heartbeat_of_a_writer_has_not_arrived() -> None:
    """It may be as old as the standby's volume; only a later one shows a working writer."""
    fresh = standing(heartbeats=(), heartbeat_seen_at=None)
    first = followed(fresh, healthy(heartbeat="h3"))
    assert (first.heartbeats, first.heartbeat_seen_at) == (("h3",), None)
    older = followed(first, healthy(at=after(1), heartbeat="h2"))  # a reader that is further behind
    assert older.heartbeat_seen_at is None
    assert followed(older, healthy(at=after(2), heartbeat="h4")).heartbeat_seen_at == after(2)


@pytest.mark.parametrize("life", [healthy(peer=Peer.SILENT), lost(peer=Peer.FINE), lost(heartbeat="h1")])
def test_last_sign_of_the_writer_is_timed(life: Observation) -> None:
    """A reachable port, a report of the other region, or a heartbeat."""
    assert followed(standing(), life, lost(at=after(1), heartbeat=life.heartbeat)).served_at == NOW


def test_serving_since_is_kept_until_the_writer_is_not_reached() -> None:
    """An unreachable writer ends it, and the next serving cycle begins it again."""
    first, second = healthy(at=after(1)), healthy(at=after(2))
    serving = followed(standing(), first, second)
    assert serving.serving_since == after(1)
    lost_now = followed(serving, lost(at=after(3)))
    assert lost_now.serving_since is None
    assert followed(lost_now, healthy(at=after(4))).serving_since == after(4)


def test_last_answer_of_the_other_region_is_timed() -> None:
    """An error is an answer, silence is none."""
    state = followed(standing(), healthy(peer=Peer.UNKNOWN), healthy(at=after(1), peer=Peer.SILENT))
    assert state.peer_answered_at == NOW


@pytest.mark.parametrize(
    ("before", "seen", "lag_ms"),
    [
        ({"lag_ms": 80.0, "lag_at": after(-61)}, {}, 30_000.0),
        ({"lag_ms": None, "lag_at": None}, {}, 30_000.0),
        ({"lag_ms": 80.0, "lag_at": after(-60)}, {}, 80.0),
        ({"lag_ms": 80.0, "lag_at": after(-61)}, {"heartbeat": "h0"}, 80.0),
        ({"lag_ms": 80.0, "lag_at": after(-61)}, {"heartbeat_age_ms": None}, 80.0),
        ({"lag_ms": 80.0, "lag_at": after(-61), "dead_since": after(-1)}, {"lag_ms": None}, 80.0),
    ],
)
def test_heartbeat_bounds_the_loss_after_missed_cycles(
    before: dict[str, object], seen: dict[str, object], lag_ms: float
) -> None:
    """The controller did not run for minutes before the outage; everything until the newest heartbeat has arrived."""
    state = followed(standing(**before), lost(**{"heartbeat": "h1", "heartbeat_age_ms": 30_000.0, **seen}))
    assert state.lag_ms == lag_ms


@pytest.mark.parametrize(
    ("sequence", "healed"),
    [
        ([lost(heartbeat="h0"), healthy(at=after(1), heartbeat="h0")], True),
        ([lost(heartbeat="h0"), lost(at=after(1), heartbeat="h0", peer=Peer.FINE)], True),
        ([lost(heartbeat="h0"), lost(at=after(1), heartbeat="h1")], True),
        ([lost(heartbeat="h0"), down(at=after(1), heartbeat="h0")], False),
        ([lost(heartbeat="h0"), lost(at=after(1), heartbeat="h0", peer_port=Port.UNKNOWN)], False),
        ([down(heartbeat="h0"), healthy(at=after(1), heartbeat="h0")], False),
        ([healthy(heartbeat="h0"), healthy(at=after(1), heartbeat="h1")], False),
    ],
)
def test_silence_that_healed_is_timed(sequence: list[Observation], healed: bool) -> None:
    """The writer served again after a silent cycle; an answer alone does not show that."""
    assert followed(standing(), *sequence).silence_healed_at == (after(1) if healed else None)


@pytest.mark.parametrize(
    ("seen", "is_calm"),
    [
        (healthy(peer=Peer.SILENT), True),
        (lost(), False),
        (healthy(peer=Peer.UNKNOWN), False),
        (healthy(peer=Peer.SILENT, peer_read_only=True), False),
    ],
)
def test_silence_while_the_writer_serves_is_timed(seen: Observation, is_calm: bool) -> None:
    """The other region's APIs are then known to be unreliable."""
    assert followed(standing(), seen).calm_silence_at == (NOW if is_calm else None)
