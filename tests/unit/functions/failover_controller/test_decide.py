"""The decision, case by case: each reason by the situation that it stands for, and the shape of the table."""

import sys
import time
import timeit
from dataclasses import replace
from typing import Any

import pytest

from functions.failover_controller.decide import RULES, decide
from functions.failover_controller.model import (
    Action,
    Approval,
    AttemptStatus,
    Claim,
    Decision,
    Mode,
    Observation,
    Operation,
    Peer,
    Pending,
    Policy,
    Port,
    Reason,
    Records,
    Side,
    State,
    Switch,
)
from tests.support.failover_controller.builders import (
    NOW,
    OWN_ARN,
    POLICY,
    after,
    attempt,
    down,
    healthy,
    lost,
    policy,
    third_cycle,
)
from tests.support.waiting import least

PENDING = Pending(id="ask-1", verdict=Reason.REGION_LOST, asked_at=after(-60))
APPROVED = Records(approval=Approval(id="ask-1", approved=True, by="ada"))


def decided(seen: Observation, state: State | None = None, rules: Policy = POLICY) -> Decision:
    """The decision now."""
    return decide(seen, state or third_cycle(), rules, NOW)


def reason(seen: Observation, state: State | None = None, rules: Policy = POLICY) -> tuple[Reason, Action]:
    """The decision's reason and action."""
    decision = decided(seen, state, rules)
    return decision.reason, decision.action


def with_records(**changes: Any) -> Observation:
    """A lost region, with these records."""
    return lost(records=Records(**changes))


def test_region_lost_fails_over_to_the_own_cluster() -> None:
    """Port dead, region silent, heartbeat stopped, for three cycles: the standby is promoted, and it is the own one."""
    decision = decided(lost())
    assert (
        decision.action,
        decision.reason,
        decision.target,
        decision.held,
    ) == (Action.FAIL_OVER, Reason.REGION_LOST, OWN_ARN, False)


def test_the_evidence_carries_what_the_decision_rests_on() -> None:
    """Lag before the outage, the last heartbeat and its silence are in the evidence."""
    evidence = decided(lost()).evidence
    wanted = {"lag_before_outage_ms": 80.0, "heartbeat_quiet_seconds": 2.0, "silent_cycles": 3, "peer": "silent"}
    assert wanted == {name: evidence[name] for name in wanted}


def test_writer_down_in_a_live_region_fails_over_after_the_grace() -> None:
    """The other region lives and says that its writer is down, for the grace: Aurora did not heal it."""
    state = third_cycle(dead_since=after(-20), heartbeat_seen_at=after(-20), lag_at=after(-21), silent_cycles=0)
    assert reason(down(), state) == (Reason.WRITER_DOWN, Action.FAIL_OVER)


def test_writer_down_in_a_live_region_waits_for_the_grace() -> None:
    """A second before the grace is over, Aurora still has its chance."""
    state = third_cycle(dead_since=after(-19), heartbeat_seen_at=after(-19), silent_cycles=0)
    assert reason(down(), state) == (Reason.IN_REGION_GRACE, Action.NOTIFY)


def test_the_grace_runs_from_the_last_heartbeat_that_came() -> None:
    """A heartbeat after the first failing cycle was a sign of life: the grace starts again."""
    state = third_cycle(dead_since=after(-30), heartbeat_seen_at=after(-10), silent_cycles=0)
    assert reason(down(), state) == (Reason.IN_REGION_GRACE, Action.NOTIFY)


def test_the_grace_is_not_over_when_its_start_is_unknown() -> None:
    """Without a known first failing cycle nothing has been waited for."""
    assert reason(down(), third_cycle(dead_since=None)) == (Reason.IN_REGION_GRACE, Action.NOTIFY)


def test_healthy_holds_quietly() -> None:
    """All good: nothing to do, nobody to tell."""
    assert reason(healthy(), State(writer=Side.PEER)) == (Reason.HEALTHY, Action.HOLD)


def test_writer_locked_out_when_nobody_gets_in_and_the_database_runs() -> None:
    """Both regions find the port dead, and heartbeats still come: told under its own name, and never acted on."""
    state = third_cycle(dead_since=after(-900), heartbeat_seen_at=after(-1), silent_cycles=0)
    approved = replace(down(), records=APPROVED)
    assert reason(down(), state) == (Reason.WRITER_LOCKED_OUT, Action.NOTIFY)
    assert reason(approved, replace(state, pending=PENDING)) == (Reason.WRITER_LOCKED_OUT, Action.NOTIFY)


@pytest.mark.parametrize("peer_says", [Peer.FINE, Peer.SILENT, Peer.UNKNOWN])
def test_network_partition_when_the_heartbeat_still_arrives(peer_says: Peer) -> None:
    """A heartbeat that is new since the port died outweighs every sign of death."""
    state = third_cycle(heartbeat_seen_at=after(-1))
    assert reason(lost(peer=peer_says), state) == (Reason.NETWORK_PARTITION, Action.NOTIFY)


def test_network_partition_when_the_other_region_says_that_its_writer_is_fine() -> None:
    """The port is dead for us alone: never a failover."""
    assert reason(lost(peer=Peer.FINE)) == (Reason.NETWORK_PARTITION, Action.NOTIFY)


def test_a_heartbeat_first_seen_at_the_first_failing_cycle_does_not_delay_the_third() -> None:
    """It was on its way before the outage: until the third failing cycle nobody is told of a partition, and the third acts."""
    state = third_cycle(dead_since=after(-2), heartbeat_seen_at=after(-2))
    assert reason(lost(), state) == (Reason.REGION_LOST, Action.FAIL_OVER)
    first = third_cycle(dead_since=NOW, heartbeat_seen_at=NOW, silent_cycles=1, dead_cycles=1)
    assert reason(lost(), first) == (Reason.WRITER_SUSPECTED, Action.HOLD)


@pytest.mark.parametrize("silent_cycles", [0, 1, 2])
def test_writer_suspected_until_failures_to_act(silent_cycles: int) -> None:
    """A blip is nobody's business."""
    state = third_cycle(silent_cycles=silent_cycles)
    assert reason(lost(), state) == (Reason.WRITER_SUSPECTED, Action.HOLD)


def test_writer_suspected_while_the_heartbeat_is_not_quiet_for_long_enough() -> None:
    """Three cycles that came too fast are not three cycles: the heartbeat must be quiet for 1.8 s."""
    state = third_cycle(dead_since=after(-1.7), heartbeat_seen_at=after(-1.7))
    assert reason(lost(), state) == (Reason.WRITER_SUSPECTED, Action.HOLD)


def test_rds_blind_never_acts() -> None:
    """Without the own RDS API neither roles nor operations are known."""
    assert reason(lost(rds_failure="ThrottlingException", writer=Side.UNKNOWN)) == (Reason.RDS_BLIND, Action.NOTIFY)


def test_probe_blind_when_the_own_function_does_not_answer() -> None:
    """What we can't see we don't judge."""
    seen = lost(own_function_failure="no answer within 0.4 s", own_port=Port.UNKNOWN, peer_port=Port.UNKNOWN)
    assert reason(seen) == (Reason.PROBE_BLIND, Action.NOTIFY)


def test_probe_blind_when_the_answer_says_nothing_of_the_writer() -> None:
    """An answer without a probe of the writer is no answer about the writer."""
    assert reason(lost(peer_port=Port.UNKNOWN)) == (Reason.PROBE_BLIND, Action.NOTIFY)


def test_writer_unknown_when_rds_names_none_or_two() -> None:
    """Every verdict speaks of a writer: without one there is none."""
    assert reason(lost(writer=Side.UNKNOWN)) == (Reason.WRITER_UNKNOWN, Action.NOTIFY)


def test_already_writer_notices_nothing_else() -> None:
    """In the writer's own region there is nothing to take."""
    seen = lost(writer=Side.OWN, records=Records(failures={"state": "malformed"}))
    assert reason(seen) == (Reason.ALREADY_WRITER, Action.HOLD)


@pytest.mark.parametrize("status", ["pending", "failing-over", "switching-over", "cancelling", "a-word-of-tomorrow"])
def test_operation_under_way_holds(status: str) -> None:
    """During an operation databases look dead by design, whatever AWS calls its state."""
    seen = lost(operation=Operation(status=status, to_own=None, allows_data_loss=None))
    assert reason(seen) == (Reason.OPERATION_UNDER_WAY, Action.NOTIFY)


def test_failover_under_way_is_never_called_a_second_time() -> None:
    """RDS took our call: nothing more is called until it has ended."""
    state = third_cycle(attempt=attempt(status=AttemptStatus.UNDER_WAY, touched_at=after(-900)))
    assert reason(lost(), state) == (Reason.FAILOVER_UNDER_WAY, Action.HOLD)


def test_an_intent_holds_while_its_call_may_still_show() -> None:
    """A call that was intended 24 s ago may still take effect."""
    state = third_cycle(attempt=attempt(touched_at=after(-24)))
    assert reason(lost(), state) == (Reason.FAILOVER_UNDER_WAY, Action.HOLD)


def test_an_intent_from_a_clock_that_is_ahead_holds() -> None:
    """Clocks differ by seconds: a time in the future is recent."""
    state = third_cycle(attempt=attempt(touched_at=after(5)))
    assert reason(lost(), state) == (Reason.FAILOVER_UNDER_WAY, Action.HOLD)


def test_an_intent_whose_call_never_showed_is_finished() -> None:
    """After 25 s the call is known to be lost: while the verdict stands, it is made again."""
    state = third_cycle(attempt=attempt(touched_at=after(-25)))
    assert reason(lost(), state) == (Reason.REGION_LOST, Action.FAIL_OVER)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("state", Reason.STATE_UNREADABLE),
        ("switch", Reason.SWITCH_UNREADABLE),
        ("lease", Reason.LEASE_UNREADABLE),
        ("lock", Reason.LOCK_UNREADABLE),
    ],
)
def test_what_can_not_be_read_means_hold(item: str, expected: Reason) -> None:
    """State, off-switch, lease and lock fail closed, each under its own name."""
    assert (expected, Action.NOTIFY) == reason(with_records(failures={item: "malformed"}))


def test_writer_read_only_is_told() -> None:
    """A writer that lives but takes no writes is for people."""
    assert reason(healthy(peer_read_only=True)) == (Reason.WRITER_READ_ONLY, Action.NOTIFY)


def test_writer_unjudged_when_it_answers_but_refuses_us() -> None:
    """A wrong credential of ours must never promote anything."""
    assert reason(lost(peer_port=Port.UNUSABLE)) == (Reason.WRITER_UNJUDGED, Action.NOTIFY)


@pytest.mark.parametrize("port", [Port.ALIVE, Port.DEAD])
def test_peer_unknown_when_its_api_answers_with_an_error(port: Port) -> None:
    """A throttled or denied call comes from a region that lives."""
    assert reason(lost(peer_port=port, peer=Peer.UNKNOWN)) == (Reason.PEER_UNKNOWN, Action.NOTIFY)


UNCLEAR = {"dead_since": after(-20), "heartbeat_seen_at": after(-20), "lag_at": after(-21), "silent_cycles": 0}


def errs(**changes: Any) -> Observation:
    """An observation in which the writer's port is dead and the other region answers with errors."""
    return lost(**{"peer": Peer.UNKNOWN, **changes})


def test_region_unclear_asks_when_it_errs_for_the_grace() -> None:
    """Port dead, heartbeat stopped, and nothing but errors for as long as Aurora has to heal itself: a person judges."""
    decision = decided(errs(), third_cycle(**UNCLEAR, dead_cycles=0))
    assert (
        decision.reason,
        decision.action,
        decision.target,
        decision.held,
    ) == (Reason.REGION_UNCLEAR, Action.REQUEST_APPROVAL, OWN_ARN, True)


@pytest.mark.parametrize("change", [{"dead_since": after(-19.9)}, {"heartbeat_seen_at": after(-19.9)}])
def test_peer_unknown_until_the_grace_is_over(change: dict[str, Any]) -> None:
    """It runs from the first dead cycle, or from the last heartbeat that came after it."""
    state = third_cycle(**{**UNCLEAR, "dead_since": after(-19.9), "dead_cycles": 0, **change})
    assert reason(errs(), state) == (Reason.PEER_UNKNOWN, Action.NOTIFY)


def test_a_grace_of_nothing_asks_nobody_before_the_heartbeat_is_quiet() -> None:
    """With the shortest grace, the quiet that any verdict needs is what is waited for."""
    rules, since = policy(in_region_grace_seconds=0.0), {"dead_since": after(-1.7), "heartbeat_seen_at": after(-1.7)}
    assert reason(errs(), third_cycle(**{**UNCLEAR, **since}), rules) == (Reason.PEER_UNKNOWN, Action.NOTIFY)


@pytest.mark.parametrize("peer_says", [Peer.SILENT, Peer.DOWN])
def test_region_unclear_between_two_errors(peer_says: Peer) -> None:
    """Silence or "down" in one cycle of many that err is no clear word: the question stays the same."""
    assert Reason.REGION_UNCLEAR is reason(errs(peer=peer_says), third_cycle(**UNCLEAR, dead_cycles=2))[0]


def test_a_long_outage_that_is_clear_at_last_is_no_question() -> None:
    """Three cycles of silence, or of "down", after the grace: that is what the controller may act on by itself."""
    silent = third_cycle(**{**UNCLEAR, "silent_cycles": 3})
    assert reason(lost(), silent) == (Reason.REGION_LOST, Action.FAIL_OVER)
    assert reason(down(), third_cycle(**UNCLEAR)) == (Reason.WRITER_DOWN, Action.FAIL_OVER)


def test_a_region_that_falls_silent_after_a_long_crash_is_counted_first() -> None:
    """Its word was clear all the while, so that nobody is asked about what three cycles will show."""
    assert reason(lost(), third_cycle(**{**UNCLEAR, "silent_cycles": 1})) == (Reason.WRITER_SUSPECTED, Action.HOLD)


@pytest.mark.parametrize("port", [Port.ALIVE, Port.UNUSABLE])
def test_region_unclear_never_with_a_port_that_answers(port: Port) -> None:
    """Something serves there, for however long the other region's API errs."""
    assert Reason.REGION_UNCLEAR is not reason(errs(peer_port=port), third_cycle(**UNCLEAR))[0]


def test_region_impaired_fails_over_when_a_person_approved() -> None:
    """Who was asked has looked by other ways: the yes to the pending question acts, whatever the errors do meanwhile."""
    for peer_says, dead_cycles in ((Peer.UNKNOWN, 0), (Peer.SILENT, 1), (Peer.DOWN, 1)):
        seen, state = errs(peer=peer_says, records=APPROVED), third_cycle(**UNCLEAR, dead_cycles=dead_cycles)
        assert reason(seen, replace(state, pending=PENDING)) == (Reason.REGION_IMPAIRED, Action.FAIL_OVER)


def test_peer_silent_while_the_writer_serves() -> None:
    """One path is lost; people should know before the others are."""
    assert reason(healthy(peer=Peer.SILENT)) == (Reason.PEER_SILENT, Action.NOTIFY)


def test_peer_probe_fails_while_the_writer_serves_us() -> None:
    """Our connection proves that the writer lives."""
    assert reason(healthy(peer=Peer.DOWN)) == (Reason.PEER_PROBE_FAILS, Action.NOTIFY)


@pytest.mark.parametrize(
    "change",
    [
        {"standby_status": "modifying"},
        {"standby_instances": 0},
        {"synchronization": "pending-resync"},
        {"own_port": Port.DEAD},
    ],
)
def test_standby_not_ready_is_told_in_calm(change: dict[str, Any]) -> None:
    """A standby that could not take over is told while the writer still serves."""
    assert reason(healthy(**change)) == (Reason.STANDBY_NOT_READY, Action.NOTIFY)


@pytest.mark.parametrize("status", ["modifying", "creating", None])
def test_standby_not_available_holds(status: str | None) -> None:
    """Only `available` is available; unknown is not."""
    decision = decided(lost(standby_status=status))
    assert (decision.reason, decision.action, decision.held) == (Reason.STANDBY_NOT_AVAILABLE, Action.NOTIFY, True)


@pytest.mark.parametrize("instances", [0, None])
def test_standby_without_instance_holds(instances: int | None) -> None:
    """Nothing could serve after the promotion; unknown is not enough."""
    assert reason(lost(standby_instances=instances)) == (Reason.STANDBY_WITHOUT_INSTANCE, Action.NOTIFY)


@pytest.mark.parametrize("synchronization", ["pending-resync", "a-word-of-tomorrow"])
def test_standby_not_synchronized_asks(synchronization: str) -> None:
    """A standby that is being rebuilt is not promoted, unless a person says so."""
    decision = decided(lost(synchronization=synchronization))
    approved = lost(synchronization=synchronization, records=APPROVED)
    assert (decision.reason, decision.action, decision.held) == (
        Reason.STANDBY_NOT_SYNCHRONIZED,
        Action.REQUEST_APPROVAL,
        True,
    )
    assert reason(approved, third_cycle(pending=PENDING)) == (Reason.REGION_LOST, Action.FAIL_OVER)


def test_an_absent_synchronization_leaves_the_word_to_the_lag() -> None:
    """Absent is unknown: a lag measured just before the outage shows that it was connected."""
    assert reason(lost(synchronization=None)) == (Reason.REGION_LOST, Action.FAIL_OVER)


@pytest.mark.parametrize("port", [Port.DEAD, Port.UNUSABLE, Port.UNKNOWN])
def test_standby_unreachable_holds(port: Port) -> None:
    """If both clusters look dead from here, it may be us."""
    assert reason(lost(own_port=port)) == (Reason.STANDBY_UNREACHABLE, Action.NOTIFY)


def test_heartbeat_unknown_holds() -> None:
    """That the heartbeat stopped must be seen, not assumed."""
    assert reason(lost(heartbeat=None)) == (Reason.HEARTBEAT_UNKNOWN, Action.NOTIFY)


def test_heartbeat_never_seen_holds() -> None:
    """A heartbeat that never came has not stopped."""
    assert reason(lost(), third_cycle(heartbeat_seen_at=None)) == (Reason.HEARTBEAT_UNKNOWN, Action.NOTIFY)


def test_disarmed_holds() -> None:
    """A person's off-switch is obeyed."""
    switch = Switch(armed=False, reason="maintenance", by="ada", expires_at=None)
    assert reason(with_records(switch=switch)) == (Reason.DISARMED, Action.NOTIFY)


def test_disarmed_until_its_end() -> None:
    """A maintenance window that is not over holds."""
    switch = Switch(armed=False, reason="maintenance", by="ada", expires_at=after(1))
    assert reason(with_records(switch=switch)) == (Reason.DISARMED, Action.NOTIFY)


@pytest.mark.parametrize(
    "switch",
    [
        Switch(armed=True, reason="", by="ada", expires_at=None),
        Switch(armed=False, reason="maintenance", by="ada", expires_at=NOW),
        None,
    ],
)
def test_armed_explicitly_or_by_expiry_or_by_default_acts(switch: Switch | None) -> None:
    """Armed, expired and absent are all armed."""
    assert reason(with_records(switch=switch)) == (Reason.REGION_LOST, Action.FAIL_OVER)


@pytest.mark.parametrize("changed_at", [after(-299), after(5)])
def test_cooldown_holds(changed_at: Any) -> None:
    """Two changes in a row are for people; a change in the future (clocks differ) is recent."""
    assert reason(lost(), third_cycle(roles_changed_at=changed_at)) == (Reason.COOLDOWN, Action.NOTIFY)


def test_after_the_cooldown_it_acts() -> None:
    """At its end the cooldown is over."""
    assert reason(lost(), third_cycle(roles_changed_at=after(-300))) == (Reason.REGION_LOST, Action.FAIL_OVER)


def test_lock_held_by_another_invocation_holds_quietly() -> None:
    """It is about to act on the same verdict."""
    lock = Claim(holder="other", until=after(1), version=0)
    assert reason(with_records(lock=lock)) == (Reason.LOCK_HELD, Action.HOLD)


@pytest.mark.parametrize("until", [NOW, None])
def test_an_expired_lock_is_no_lock(until: Any) -> None:
    """Who died with the lock must not stop the others for ever."""
    lock = Claim(holder="other", until=until, version=0)
    assert reason(with_records(lock=lock)) == (Reason.REGION_LOST, Action.FAIL_OVER)


def test_observe_only_says_what_it_would_do() -> None:
    """In mode observe nothing is ever promoted, approved or not."""
    seen, state = replace(lost(), records=APPROVED), third_cycle(pending=PENDING)
    assert reason(seen, state, policy(mode=Mode.OBSERVE)) == (Reason.OBSERVE_ONLY, Action.NOTIFY)


def test_lag_unknown_asks() -> None:
    """A loss that was never measured is a person's decision."""
    decision = decided(lost(), third_cycle(lag_ms=None, lag_at=None))
    assert (
        decision.reason,
        decision.action,
        decision.target,
        decision.held,
    ) == (Reason.LAG_UNKNOWN, Action.REQUEST_APPROVAL, OWN_ARN, True)


def test_a_lag_from_long_before_the_outage_is_unknown() -> None:
    """A minute before the outage it says something, an hour before it doesn't."""
    state = third_cycle(dead_since=after(-2), heartbeat_seen_at=after(-2))
    recent, old = replace(state, lag_at=after(-62)), replace(state, lag_at=after(-62.001))
    assert (reason(lost(), recent)[0], reason(lost(), old)[0]) == (Reason.REGION_LOST, Reason.LAG_UNKNOWN)


def test_after_a_long_partition_a_lag_from_before_it_is_unknown() -> None:
    """While heartbeats came the writer lived on: the outage began with the last of them, and the lag is as old as that makes it."""
    partition = third_cycle(dead_since=after(-600), heartbeat_seen_at=after(-2))
    recent, old = replace(partition, lag_at=after(-62)), replace(partition, lag_at=after(-601))
    assert (reason(lost(), recent)[0], reason(lost(), old)[0]) == (Reason.REGION_LOST, Reason.LAG_UNKNOWN)


def test_lag_too_high_asks() -> None:
    """A loss above max_data_loss is a person's decision."""
    assert reason(lost(), third_cycle(lag_ms=5000.001)) == (Reason.LAG_TOO_HIGH, Action.REQUEST_APPROVAL)


def test_lag_at_the_limit_acts() -> None:
    """The limit itself is allowed."""
    assert reason(lost(), third_cycle(lag_ms=5000.0)) == (Reason.REGION_LOST, Action.FAIL_OVER)


@pytest.mark.parametrize("lag", [{"lag_ms": 60_000.0}, {"lag_ms": None, "lag_at": None}])
def test_an_approved_loss_is_accepted(lag: dict[str, Any]) -> None:
    """Who was asked and approved has accepted the loss."""
    state = third_cycle(pending=PENDING, **lag)
    assert reason(replace(lost(), records=APPROVED), state) == (Reason.REGION_LOST, Action.FAIL_OVER)


def test_approval_needed_asks() -> None:
    """In mode approve a person has the last word."""
    assert reason(lost(), None, policy(mode=Mode.APPROVE)) == (Reason.APPROVAL_NEEDED, Action.REQUEST_APPROVAL)


def test_an_approved_decision_acts() -> None:
    """In mode approve, the approval of the pending decision lets it act."""
    seen, state = replace(lost(), records=APPROVED), third_cycle(pending=PENDING)
    assert reason(seen, state, policy(mode=Mode.APPROVE)) == (Reason.REGION_LOST, Action.FAIL_OVER)


@pytest.mark.parametrize(
    ("approval", "pending"),
    [
        (Approval(id="ask-0", approved=True, by="ada"), PENDING),
        (Approval(id="ask-1", approved=False, by="ada"), PENDING),
        (Approval(id="ask-1", approved=True, by="ada"), None),
    ],
)
def test_another_decisions_approval_or_a_refusal_does_not_count(approval: Approval, pending: Pending | None) -> None:
    """Only the yes to exactly the pending decision counts."""
    seen = with_records(approval=approval)
    assert reason(seen, third_cycle(pending=pending), policy(mode=Mode.APPROVE)) == (
        Reason.APPROVAL_NEEDED,
        Action.REQUEST_APPROVAL,
    )


def test_approval_overrides_no_other_guard() -> None:
    """An approval accepts a loss; it does not re-arm, and does not end a cooldown."""
    switch = Switch(armed=False, reason="", by="ada", expires_at=None)
    seen = lost(records=replace(APPROVED, switch=switch))
    cooling = third_cycle(pending=PENDING, roles_changed_at=after(-1))
    assert (
        reason(seen, third_cycle(pending=PENDING))[0],
        reason(replace(lost(), records=APPROVED), cooling)[0],
    ) == (Reason.DISARMED, Reason.COOLDOWN)


OPERATION = Operation(status="failing-over", to_own=True, allows_data_loss=True)
DISARMED = Switch(armed=False, reason="", by="ada", expires_at=None)
LOCKED = Claim(holder="other", until=after(1), version=0)
LATE = {"dead_since": after(-20), "heartbeat_seen_at": after(-20), "lag_at": after(-21)}


@pytest.mark.parametrize(
    ("first", "seen", "state", "mode"),
    [
        (Reason.FAILOVER_UNDER_WAY, lost(writer=Side.OWN), third_cycle(attempt=attempt()), Mode.AUTOMATIC),
        (Reason.STATE_UNREADABLE, with_records(failures={"state": "x", "switch": "x"}), third_cycle(), Mode.AUTOMATIC),
        (Reason.SWITCH_UNREADABLE, with_records(failures={"switch": "x", "lease": "x"}), third_cycle(), Mode.AUTOMATIC),
        (Reason.LEASE_UNREADABLE, with_records(failures={"lease": "x", "lock": "x"}), third_cycle(), Mode.AUTOMATIC),
        (
            Reason.LOCK_UNREADABLE,
            lost(records=Records(failures={"lock": "x"}), rds_failure="x"),
            third_cycle(),
            Mode.AUTOMATIC,
        ),
        (Reason.WRITER_UNKNOWN, lost(writer=Side.UNKNOWN, operation=OPERATION), third_cycle(), Mode.AUTOMATIC),
        (
            Reason.OPERATION_UNDER_WAY,
            lost(operation=OPERATION, own_function_failure="x"),
            third_cycle(),
            Mode.AUTOMATIC,
        ),
        (Reason.PROBE_BLIND, lost(own_function_failure="x", peer=Peer.FINE), third_cycle(), Mode.AUTOMATIC),
        (
            Reason.PROBE_BLIND,
            down(own_function_failure="x"),
            third_cycle(heartbeat_seen_at=after(-1)),
            Mode.AUTOMATIC,
        ),
        (Reason.WRITER_LOCKED_OUT, down(), third_cycle(heartbeat_seen_at=after(-1)), Mode.AUTOMATIC),
        (Reason.NETWORK_PARTITION, lost(peer=Peer.UNKNOWN), third_cycle(heartbeat_seen_at=after(-1)), Mode.AUTOMATIC),
        (Reason.WRITER_READ_ONLY, healthy(peer_read_only=True, peer=Peer.UNKNOWN), third_cycle(), Mode.AUTOMATIC),
        (Reason.WRITER_UNJUDGED, lost(peer_port=Port.UNUSABLE, peer=Peer.UNKNOWN), third_cycle(), Mode.AUTOMATIC),
        (Reason.PEER_UNKNOWN, healthy(peer=Peer.UNKNOWN, standby_instances=0), third_cycle(), Mode.AUTOMATIC),
        (Reason.PEER_PROBE_FAILS, healthy(peer=Peer.DOWN, standby_instances=0), third_cycle(), Mode.AUTOMATIC),
        (Reason.WRITER_SUSPECTED, down(), third_cycle(dead_cycles=2), Mode.AUTOMATIC),
        (Reason.IN_REGION_GRACE, down(standby_status=None), third_cycle(), Mode.AUTOMATIC),
        (Reason.STANDBY_NOT_AVAILABLE, lost(standby_status=None, standby_instances=0), third_cycle(), Mode.AUTOMATIC),
        (Reason.STANDBY_WITHOUT_INSTANCE, lost(standby_instances=0, own_port=Port.DEAD), third_cycle(), Mode.AUTOMATIC),
        (Reason.STANDBY_UNREACHABLE, lost(own_port=Port.DEAD, heartbeat=None), third_cycle(), Mode.AUTOMATIC),
        (
            Reason.HEARTBEAT_UNKNOWN,
            lost(heartbeat=None, records=Records(switch=DISARMED)),
            third_cycle(),
            Mode.AUTOMATIC,
        ),
        (Reason.DISARMED, with_records(switch=DISARMED), third_cycle(roles_changed_at=after(-1)), Mode.AUTOMATIC),
        (Reason.COOLDOWN, with_records(lock=LOCKED), third_cycle(roles_changed_at=after(-1)), Mode.AUTOMATIC),
        (Reason.LOCK_HELD, with_records(lock=LOCKED), third_cycle(), Mode.OBSERVE),
        (Reason.OBSERVE_ONLY, errs(), third_cycle(**UNCLEAR), Mode.OBSERVE),
        (Reason.REGION_UNCLEAR, errs(synchronization="pending-resync"), third_cycle(**UNCLEAR), Mode.AUTOMATIC),
        (Reason.STANDBY_NOT_SYNCHRONIZED, lost(synchronization="x"), third_cycle(lag_ms=None), Mode.AUTOMATIC),
        (Reason.LAG_UNKNOWN, lost(), third_cycle(lag_ms=None), Mode.APPROVE),
        (Reason.LAG_TOO_HIGH, lost(), third_cycle(lag_ms=60_000.0), Mode.APPROVE),
        (Reason.APPROVAL_NEEDED, down(), third_cycle(**LATE), Mode.APPROVE),
    ],
)
def test_where_two_rows_apply_the_first_speaks(first: Reason, seen: Observation, state: State, mode: Mode) -> None:
    """The order is meaning: of two rows that both apply, the one that stands above gives the reason."""
    assert first is decided(seen, state, policy(mode=mode)).reason


def test_the_last_row_holds_whatever_comes() -> None:
    """What nobody thought of is no ground to act: the last rule always applies, and does not act."""
    last = RULES[-1]
    case: Any = None
    assert (last.reason, last.action, last.applies(case)) == (Reason.UNDECIDED, Action.NOTIFY, True)


def test_every_row_has_its_own_reason_and_says_why_it_stands_there() -> None:
    """One reason, one row, in the order of the enumeration; no row without its words."""
    reasons = [rule.reason for rule in RULES]
    assert list(Reason)[: len(RULES)] == reasons
    assert [rule.reason for rule in RULES if not (rule.when and rule.why_here.endswith("."))] == []


def test_only_the_three_verdicts_act_and_they_stand_last() -> None:
    """Nothing can act before every guard was passed."""
    acting = [rule.reason for rule in RULES if rule.action is Action.FAIL_OVER]
    verdicts = [Reason.REGION_IMPAIRED, Reason.WRITER_DOWN, Reason.REGION_LOST]
    assert (verdicts, acting) == ([rule.reason for rule in RULES[-4:-1]], acting)
    guards = [index for index, rule in enumerate(RULES) if rule.guard]
    assert list(range(guards[0], len(RULES) - 4)) == guards


def test_a_decision_takes_less_than_50_microseconds() -> None:
    """The longest way through the table, all rows, is quick."""
    seen, state = lost(), third_cycle()

    def measure() -> float:
        tracer = sys.gettrace()  # under coverage it would be the tracing that is measured
        sys.settrace(None)
        try:
            return timeit.timeit(lambda: decide(seen, state, POLICY, NOW), timer=time.process_time, number=1000) / 1000
        finally:
            sys.settrace(tracer)

    assert least(measure, enough=50e-6) < 50e-6
