"""What one more observation changes in what is remembered."""

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
    """The state after these observations."""
    for one in seen:
        state, _ = update_state(state, one, POLICY)
    return state


def events(state: State, seen: Observation) -> list[Reason]:
    """What happened at this observation."""
    return [event.reason for event in update_state(state, seen, POLICY)[1]]


def standing(**changes: object) -> State:
    """A state after a healthy cycle a second ago."""
    calm = State(version=1, cycle_at=after(-1), writer=Side.PEER, heartbeats=("h0",), heartbeat_seen_at=after(-1))
    return replace(calm, **changes)  # pyright: ignore[reportArgumentType]


def test_failing_cycles_are_counted_in_a_row() -> None:
    """Port dead and region silent: both counts rise, and the first such cycle is remembered."""
    state = followed(standing(), lost(at=NOW), lost(at=after(1)), lost(at=after(2)))
    assert (state.silent_cycles, state.dead_cycles, state.dead_since) == (3, 3, NOW)


def test_a_heartbeat_that_comes_late_in_the_silence_begins_the_count_anew() -> None:
    """Written by a writer that lives: from here three whole cycles without a sign of life are needed again."""
    partition = [lost(at=after(result), heartbeat=f"h{result}") for result in range(1, 9)]
    state = followed(standing(), *partition)
    silence = followed(state, lost(at=after(9), heartbeat="h8"), lost(at=after(10), heartbeat="h8"))
    assert (state.silent_cycles, silence.silent_cycles, state.dead_since) == (0, 2, after(1))


def test_a_heartbeat_at_the_first_failing_cycle_was_on_its_way_and_costs_no_time() -> None:
    """The region was lost after it was written: the third failing cycle still acts."""
    state = followed(standing(), lost(at=NOW, heartbeat="h1"), *(lost(at=after(n), heartbeat="h1") for n in (1, 2)))
    assert state.silent_cycles == 3


def test_a_second_look_that_sees_a_new_heartbeat_begins_the_count_anew() -> None:
    """Between decision and call a sign of life came: the two decisions differ, and nothing is called."""
    state = followed(standing(), *(lost(at=after(n), heartbeat="h0") for n in range(3)))
    again, _ = update_state(state, lost(at=after(2.4), heartbeat="h1"), POLICY, counts=False)
    assert (state.silent_cycles, again.silent_cycles) == (3, 0)


def test_the_death_begins_while_the_other_region_still_errs() -> None:
    """A region that dies gradually answers with errors first: the lag measured before them is the lag before the outage."""
    state = followed(
        standing(), lost(at=NOW, peer=Peer.UNKNOWN), lost(at=after(1), peer=Peer.UNKNOWN), lost(at=after(2))
    )
    assert (state.silent_cycles, state.dead_since) == (1, NOW)


def test_an_unknown_port_begins_no_death() -> None:
    """What was not seen is no failing cycle, and no beginning of one."""
    state = followed(standing(), lost(at=NOW, peer_port=Port.UNKNOWN, peer=Peer.UNKNOWN))
    assert state.dead_since is None


def test_a_writer_that_is_said_to_be_down_breaks_the_silence_but_not_the_death() -> None:
    """The other region answered: it is not silent; its writer is still dead."""
    state = followed(standing(), lost(at=NOW), down(at=after(1)))
    assert (state.silent_cycles, state.dead_cycles, state.dead_since) == (0, 2, NOW)


@pytest.mark.parametrize(
    "life",
    [
        healthy(at=after(1)),
        healthy(at=after(1), peer=Peer.SILENT),
        lost(at=after(1), peer=Peer.FINE),
        lost(at=after(1), peer_port=Port.UNUSABLE),
    ],
)
def test_any_sign_of_life_forgets_the_count(life: Observation) -> None:
    """A port that answers, or a region that says that its writer is fine, ends the run."""
    state = followed(standing(), lost(at=NOW), life)
    assert (state.silent_cycles, state.dead_cycles, state.dead_since) == (0, 0, None)


@pytest.mark.parametrize("unknown", [lost(at=after(1), peer_port=Port.UNKNOWN), lost(at=after(1), peer=Peer.UNKNOWN)])
def test_an_unknown_breaks_the_run_but_is_no_sign_of_life(unknown: Observation) -> None:
    """Neither a failing cycle nor a good one: the count starts anew, since when nobody saw the writer stands."""
    state = followed(standing(), lost(at=NOW), unknown)
    assert (state.silent_cycles, state.dead_cycles, state.dead_since) == (0, 0, NOW)


def test_a_blind_rds_api_does_not_break_the_run() -> None:
    """The count is of the writer's port and the other region; who is writer is known from before."""
    blind = lost(at=after(1), writer=Side.UNKNOWN, rds_failure="throttled")
    assert followed(standing(), lost(at=NOW), blind).silent_cycles == 2


@pytest.mark.parametrize("later", [0.4, 0.9])
def test_a_second_look_does_not_count(later: float) -> None:
    """Two looks within one cycle are one cycle, however slow the first was."""
    state = followed(standing(), lost(at=NOW))
    again, _ = update_state(state, lost(at=after(later)), POLICY, counts=False)
    assert (again.silent_cycles, again.cycle_at) == (1, NOW)


def test_a_cycle_that_comes_too_early_does_not_count() -> None:
    """Two invocations that overlap for a moment don't make three failing cycles out of two."""
    state = followed(standing(), lost(at=NOW), lost(at=after(0.4)))
    assert state.silent_cycles == 1


def test_after_a_long_gap_the_count_starts_anew() -> None:
    """Cycles are consecutive only when there is no hole of more than five between them."""
    assert (
        followed(standing(cycle_at=after(-5), silent_cycles=2, dead_cycles=2), lost(heartbeat="h0")).silent_cycles,
        followed(standing(cycle_at=after(-5.1), silent_cycles=2, dead_cycles=2), lost(heartbeat="h0")).silent_cycles,
    ) == (3, 1)


def test_the_writers_own_region_counts_nothing() -> None:
    """There is no other writer to be dead."""
    state = followed(standing(writer=Side.OWN, silent_cycles=2), lost(writer=Side.OWN))
    assert (state.silent_cycles, state.dead_cycles, state.dead_since) == (0, 0, None)


def test_a_new_heartbeat_value_is_seen_by_the_own_clock() -> None:
    """What counts is when the value came, not what time it says."""
    state = followed(standing(), lost(at=after(3), heartbeat="2031-01-01T00:00:00+00:00"))
    assert after(3) == state.heartbeat_seen_at


def test_readers_that_answer_in_turns_are_no_new_heartbeat() -> None:
    """Two readers behind one endpoint, one a little behind: values that were seen are not new."""
    looks = [lost(at=after(index), heartbeat=f"h{index % 2}") for index in range(6)]
    assert after(1) == followed(standing(heartbeats=()), *looks).heartbeat_seen_at


def test_an_unreadable_heartbeat_is_not_new() -> None:
    """Unknown is no sign of life."""
    assert after(-1) == followed(standing(), lost(heartbeat=None)).heartbeat_seen_at


def test_the_lag_is_taken_while_the_writer_is_up() -> None:
    """The lag of a calm cycle is what a failover will be judged by."""
    state = followed(standing(), healthy(lag_ms=120.0))
    assert (state.lag_ms, state.lag_at) == (120.0, NOW)


def test_the_lag_of_a_failing_cycle_is_not_taken() -> None:
    """It may already be the outage's own, even if a last heartbeat came with it."""
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
def test_the_last_lag_stays_where_none_is_measured_and_where_nothing_flows(
    seen: Observation, dead_since: datetime | None
) -> None:
    """What a failover will be judged by is the last that was measured of a stream that flowed."""
    state = followed(standing(lag_ms=80.0, lag_at=after(-1), dead_since=dead_since), seen)
    assert (80.0, after(-1)) == (state.lag_ms, state.lag_at)


def test_the_lag_is_taken_while_heartbeats_arrive_in_a_partition() -> None:
    """With the port dead for longer, a new heartbeat shows that the stream flows."""
    state = followed(standing(), lost(), lost(at=after(1), heartbeat="new", lag_ms=95.0))
    assert (95.0, after(1)) == (state.lag_ms, state.lag_at)


def test_the_first_writer_that_is_seen_is_no_change() -> None:
    """A first run starts no cooldown."""
    state, happened = update_state(State(), healthy(), POLICY)
    assert (state.writer, state.roles_changed_at, happened) == (Side.PEER, None, ())


@pytest.mark.parametrize(
    "operation", [None, GlobalOperation(status="switching-over", to_own=True, allows_data_loss=False)]
)
def test_a_change_of_roles_by_somebody_else_starts_the_cooldown(operation: GlobalOperation | None) -> None:
    """A person's switchover is recognised, told, and ends whatever was pending."""
    pending = Pending(id="ask", verdict=Reason.REGION_LOST, asked_at=NOW)
    state, happened = update_state(standing(pending=pending), healthy(writer=Side.OWN, operation=operation), POLICY)
    assert (state.writer, state.roles_changed_at, state.pending) == (Side.OWN, NOW, None)
    assert [(e.reason, e.action, e.evidence["from"], e.evidence["to"]) for e in happened] == [
        (Reason.ROLES_CHANGED, Action.NOTIFY, "peer", "own")
    ]


def test_an_operation_that_rds_shows_is_our_call_taken() -> None:
    """A call without a clear answer is recognised as done, and never made again."""
    state = followed(standing(attempt=attempt()), lost(operation=FAILING_OVER))
    assert state.attempt is not None
    assert (state.attempt.status, state.attempt.touched_at) == (AttemptStatus.UNDER_WAY, NOW)


def test_an_operation_towards_somebody_else_is_not_our_call() -> None:
    """An operation with another target says nothing about our call."""
    elsewhere = replace(FAILING_OVER, to_own=False)
    state = followed(standing(attempt=attempt()), lost(operation=elsewhere))
    assert state.attempt == attempt()


def test_a_writer_of_our_own_that_takes_no_writes_yet_is_not_the_end() -> None:
    """Starting is not succeeding, and neither is RDS's word alone."""
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
def test_a_failover_has_ended_only_when_rds_and_our_own_probe_say_so(contradiction: dict[str, object]) -> None:
    """The role by RDS, no operation left, a port that answers, and a database that takes writes: all four."""
    seen = replace(WRITABLE, **contradiction)  # pyright: ignore[reportArgumentType]
    assert events(standing(attempt=attempt()), seen) == []


def test_the_change_of_roles_that_our_own_call_brought_is_no_person_s() -> None:
    """While an attempt is open, its end is what is told; the pending question of before is no matter."""
    state, happened = update_state(standing(attempt=attempt()), replace(WRITABLE, own_read_only=True), POLICY)
    assert (state.writer, state.roles_changed_at, happened) == (Side.OWN, None, ())


def test_a_completed_failover_is_accounted_for() -> None:
    """Start, end, elapsed, the lag before and the loss that it lets expect; the cooldown starts."""
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


def test_an_unknown_loss_stays_unknown_in_the_account() -> None:
    """An approved failover without a known lag claims no loss of zero."""
    _, happened = update_state(standing(attempt=attempt(lag_ms=None)), WRITABLE, POLICY)
    assert happened[0].evidence["estimated_loss_seconds"] is None


def test_an_operation_that_vanished_without_a_new_writer_has_failed() -> None:
    """AWS gave it up: told, and no new attempt before the cooldown."""
    begun = attempt(status=AttemptStatus.UNDER_WAY, touched_at=after(-25))
    state, happened = update_state(standing(attempt=begun), lost(), POLICY)
    assert (
        [e.reason for e in happened],
        state.attempt,
        state.roles_changed_at,
    ) == ([Reason.FAILOVER_FAILED], None, NOW)


@pytest.mark.parametrize("status", AttemptStatus)
@pytest.mark.parametrize("seen", [lost(), healthy()])
def test_nothing_is_given_up_while_the_call_may_still_show(status: AttemptStatus, seen: Observation) -> None:
    """RDS needs a moment to show an operation: until then neither failed nor abandoned is known."""
    begun = attempt(status=status, touched_at=after(-24.9))
    state, happened = update_state(standing(attempt=begun), seen, POLICY)
    assert (state.attempt, happened) == (begun, ())


def test_an_intent_is_abandoned_when_the_writer_is_up_and_the_call_can_not_show_any_more() -> None:
    """The outage passed before the call took effect: nothing was promoted."""
    state, happened = update_state(standing(attempt=attempt(touched_at=after(-25))), healthy(), POLICY)
    assert ([e.reason for e in happened], state.attempt) == ([Reason.FAILOVER_ABANDONED], None)


def test_an_intent_is_kept_while_the_outage_lasts() -> None:
    """Lost calls are finished, not forgotten."""
    begun = attempt(touched_at=after(-25))
    assert begun == followed(standing(attempt=begun), lost()).attempt


@pytest.mark.parametrize("unknown", [{"writer": Side.UNKNOWN}, {"writer": Side.UNKNOWN, "rds_failure": "throttled"}])
def test_an_attempt_outlives_what_is_unknown(unknown: dict[str, object]) -> None:
    """An attempt ends only with a known end."""
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
def test_a_yes_to_an_outage_that_is_over_closes_the_question(answer: Approval | None, kept: bool) -> None:
    """It must not count for the next outage. A no, a yes to another question and silence leave it as it is."""
    pending = Pending(id="ask", verdict=Reason.REGION_LOST, asked_at=NOW)
    seen = healthy(records=Records(approval=answer))
    assert kept == (followed(standing(pending=pending), seen).pending is not None)


def test_an_overdue_failover_is_told_once() -> None:
    """After the bound people hear of it, and only once."""
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
def test_whatever_the_sequence_an_act_rests_on_three_dark_cycles_and_a_quiet_heartbeat(
    looks: list[tuple[float, Observation]],
) -> None:
    """Over any sequence and pace: an act on a lost region has three dark cycles at its end, and nothing new for 1.8 s."""
    state, seconds, history = State(), 0.0, []
    for pause, look in looks:
        seconds += pause
        seen = replace(look, at=after(seconds))
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
def test_a_person_is_asked_though_our_own_probe_never_sees_three_cycles_in_a_row(
    make: Callable[..., Observation],
) -> None:
    """Blind every third cycle: no verdict is ever reached, so that the run that it breaks has to count as unclear."""
    state, reasons = standing(lag_ms=80.0, lag_at=after(-1)), []
    for result in range(40):
        blind = {"peer_port": Port.UNKNOWN} if result % 3 == 2 else {}
        seen = make(at=after(result), heartbeat="h0", **blind)
        state, _ = update_state(state, seen, POLICY)
        reasons.append(decide(seen, state, POLICY, seen.at).reason)
    assert {Reason.REGION_UNCLEAR, Reason.PROBE_BLIND} == set(reasons[int(POLICY.in_region_grace_seconds) + 3 :])
