"""Each reason of the decision table, and the shape of the table."""

from dataclasses import replace
from typing import Any

import pytest

from functions.failover_controller.decide import DECISION_TABLE, decide
from functions.failover_controller.model import (
    Action,
    Approval,
    AttemptStatus,
    Claim,
    Decision,
    GlobalOperation,
    Members,
    Mode,
    Observation,
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

PENDING = Pending(id="ask-1", verdict=Reason.REGION_LOST, asked_at=after(-60))
APPROVED = Records(approval=Approval(id="ask-1", approved=True, by="ada"))


def decided(seen: Observation, state: State | None = None, rules: Policy = POLICY) -> Decision:
    """Return the decision at NOW."""
    return decide(seen, state or third_cycle(), rules, NOW)


def reason(seen: Observation, state: State | None = None, rules: Policy = POLICY) -> tuple[Reason, Action]:
    """Return reason and action of the decision."""
    decision = decided(seen, state, rules)
    return decision.reason, decision.action


def with_records(**changes: Any) -> Observation:
    """Return a lost region with these records."""
    return lost(records=Records(**changes))


def test_region_lost_fails_over_to_the_own_cluster() -> None:
    """The port is unreachable, the region silent and the heartbeat stopped for three cycles."""
    decision = decided(lost())
    assert (
        decision.action,
        decision.reason,
        decision.target,
        decision.held,
    ) == (Action.FAIL_OVER, Reason.REGION_LOST, OWN_ARN, False)


def test_evidence_contains_lag_and_heartbeat() -> None:
    """The lag before the outage, the last heartbeat and its age are in the evidence."""
    evidence = decided(lost()).evidence
    wanted = {"lag_before_outage_ms": 80.0, "heartbeat_quiet_seconds": 2.0, "silent_cycles": 3, "peer": "silent"}
    assert wanted == {name: evidence[name] for name in wanted}


def test_writer_down_fails_over_after_the_grace() -> None:
    """Aurora did not recover the writer in time."""
    state = third_cycle(dead_since=after(-20), heartbeat_seen_at=after(-20), lag_at=after(-21), silent_cycles=0)
    assert reason(down(), state) == (Reason.WRITER_DOWN, Action.FAIL_OVER)


def test_writer_down_holds_before_the_end_of_the_grace() -> None:
    """One second before its end Aurora may still recover the writer."""
    state = third_cycle(dead_since=after(-19), heartbeat_seen_at=after(-19), silent_cycles=0)
    assert reason(down(), state) == (Reason.IN_REGION_GRACE, Action.NOTIFY)


def test_grace_restarts_with_a_new_heartbeat() -> None:
    """A heartbeat after the first failing cycle shows a working writer."""
    state = third_cycle(dead_since=after(-30), heartbeat_seen_at=after(-10), silent_cycles=0)
    assert reason(down(), state) == (Reason.IN_REGION_GRACE, Action.NOTIFY)


def test_grace_does_not_end_without_a_known_start() -> None:
    """The first failing cycle is unknown."""
    assert reason(down(), third_cycle(dead_since=None)) == (Reason.IN_REGION_GRACE, Action.NOTIFY)


def test_healthy_holds() -> None:
    """There is no notice."""
    assert reason(healthy(), State(writer=Side.PEER)) == (Reason.HEALTHY, Action.HOLD)


def test_writer_locked_out_while_heartbeats_arrive() -> None:
    """The port is unreachable from both regions, but heartbeats still arrive."""
    state = third_cycle(dead_since=after(-900), heartbeat_seen_at=after(-1), silent_cycles=0)
    approved = replace(down(), records=APPROVED)
    assert reason(down(), state) == (Reason.WRITER_LOCKED_OUT, Action.NOTIFY)
    assert reason(approved, replace(state, pending=PENDING)) == (Reason.WRITER_LOCKED_OUT, Action.NOTIFY)


@pytest.mark.parametrize("peer_report", [Peer.FINE, Peer.SILENT, Peer.UNKNOWN])
def test_network_partition_when_the_heartbeat_still_arrives(peer_report: Peer) -> None:
    """A heartbeat after the first failing cycle shows a working writer."""
    state = third_cycle(heartbeat_seen_at=after(-1))
    assert reason(lost(peer=peer_report), state) == (Reason.NETWORK_PARTITION, Action.NOTIFY)


def test_network_partition_when_the_peer_reports_a_working_writer() -> None:
    """The port is unreachable only from this region."""
    assert reason(lost(peer=Peer.FINE)) == (Reason.NETWORK_PARTITION, Action.NOTIFY)


def test_heartbeat_in_the_first_failing_cycle_is_ignored() -> None:
    """A heartbeat from before the outage does not delay the failover in the third failing cycle."""
    state = third_cycle(dead_since=after(-2), heartbeat_seen_at=after(-2))
    assert reason(lost(), state) == (Reason.REGION_LOST, Action.FAIL_OVER)
    first = third_cycle(dead_since=NOW, heartbeat_seen_at=NOW, silent_cycles=1, dead_cycles=1)
    assert reason(lost(), first) == (Reason.WRITER_SUSPECTED, Action.HOLD)


@pytest.mark.parametrize("silent_cycles", [0, 1, 2])
def test_writer_suspected_below_the_failure_threshold(silent_cycles: int) -> None:
    """A short interruption causes no notice."""
    state = third_cycle(silent_cycles=silent_cycles)
    assert reason(lost(), state) == (Reason.WRITER_SUSPECTED, Action.HOLD)


def test_writer_suspected_until_the_heartbeat_has_stopped() -> None:
    """The last heartbeat must be at least 1.8 s old."""
    state = third_cycle(dead_since=after(-1.7), heartbeat_seen_at=after(-1.7))
    assert reason(lost(), state) == (Reason.WRITER_SUSPECTED, Action.HOLD)


def test_unreadable_rds_api_holds() -> None:
    """The roles and operations are unknown while this region's RDS API is unreadable."""
    assert reason(lost(rds_failure="ThrottlingException", writer=Side.UNKNOWN)) == (
        Reason.RDS_UNREADABLE,
        Action.NOTIFY,
    )


def test_probe_blind_without_an_answer_of_the_own_function() -> None:
    """The state of the writer's port is unknown."""
    seen = lost(own_function_failure="no answer within 0.4 s", own_port=Port.UNKNOWN, peer_port=Port.UNKNOWN)
    assert reason(seen) == (Reason.PROBE_UNUSABLE, Action.NOTIFY)


def test_probe_blind_without_a_probe_of_the_writer() -> None:
    """The answer contains no probe of the writer."""
    assert reason(lost(peer_port=Port.UNKNOWN)) == (Reason.PROBE_UNUSABLE, Action.NOTIFY)


def test_writer_unknown_when_rds_names_none_or_two() -> None:
    """Every verdict requires a known writer."""
    assert reason(lost(writer=Side.UNKNOWN)) == (Reason.WRITER_UNKNOWN, Action.NOTIFY)


def test_already_writer_precedes_other_rows() -> None:
    """No other row applies in the writer's own region."""
    seen = lost(writer=Side.OWN, records=Records(failures={"state": "malformed"}))
    assert reason(seen) == (Reason.ALREADY_WRITER, Action.HOLD)


@pytest.mark.parametrize("status", ["pending", "failing-over", "switching-over", "cancelling", "a-future-label"])
def test_operation_under_way_holds(status: str) -> None:
    """During an operation the databases are unreachable by design."""
    seen = lost(operation=GlobalOperation(status=status, to_own=None, allows_data_loss=None))
    assert reason(seen) == (Reason.OPERATION_UNDER_WAY, Action.NOTIFY)


def test_failover_under_way_holds() -> None:
    """RDS accepted the call."""
    state = third_cycle(attempt=attempt(status=AttemptStatus.UNDER_WAY, touched_at=after(-900)))
    assert reason(lost(), state) == (Reason.FAILOVER_UNDER_WAY, Action.HOLD)


def test_recent_intent_holds() -> None:
    """A call that is 24 s old may still take effect."""
    state = third_cycle(attempt=attempt(touched_at=after(-24)))
    assert reason(lost(), state) == (Reason.FAILOVER_UNDER_WAY, Action.HOLD)


def test_intent_with_a_future_time_holds() -> None:
    """Another machine's clock may be ahead."""
    state = third_cycle(attempt=attempt(touched_at=after(5)))
    assert reason(lost(), state) == (Reason.FAILOVER_UNDER_WAY, Action.HOLD)


def test_intent_without_an_effect_is_repeated() -> None:
    """After 25 s without an effect the call is repeated."""
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
def test_unreadable_item_holds(item: str, expected: Reason) -> None:
    """State, switch, lease and lock have a reason each."""
    assert (expected, Action.NOTIFY) == reason(with_records(failures={item: "malformed"}))


def test_writer_read_only_notifies() -> None:
    """The writer is reachable but refuses writes."""
    assert reason(healthy(peer_read_only=True)) == (Reason.WRITER_READ_ONLY, Action.NOTIFY)


def test_writer_unjudged_when_it_refuses_the_probe() -> None:
    """A wrong credential must never cause a failover."""
    assert reason(lost(peer_port=Port.UNUSABLE)) == (Reason.WRITER_UNVERIFIED, Action.NOTIFY)


@pytest.mark.parametrize("port", [Port.ALIVE, Port.DEAD])
def test_peer_unknown_when_its_api_returns_an_error(port: Port) -> None:
    """A throttled or denied call comes from a reachable region."""
    assert reason(lost(peer_port=port, peer=Peer.UNKNOWN)) == (Reason.PEER_UNKNOWN, Action.NOTIFY)


UNCLEAR = {"dead_since": after(-20), "heartbeat_seen_at": after(-20), "lag_at": after(-21), "silent_cycles": 0}


def errs(**changes: Any) -> Observation:
    """Return an observation with an unreachable writer port and errors from the other region."""
    return lost(**{"peer": Peer.UNKNOWN, **changes})


def test_region_unclear_requests_approval_after_the_grace() -> None:
    """The other region returned only errors for the whole grace period."""
    decision = decided(errs(), third_cycle(**UNCLEAR, dead_cycles=0))
    assert (
        decision.reason,
        decision.action,
        decision.target,
        decision.held,
    ) == (Reason.REGION_UNCLEAR, Action.REQUEST_APPROVAL, OWN_ARN, True)


@pytest.mark.parametrize("change", [{"dead_since": after(-19.9)}, {"heartbeat_seen_at": after(-19.9)}])
def test_peer_unknown_until_the_grace_is_over(change: dict[str, Any]) -> None:
    """The grace starts with the first failing cycle, or with a later heartbeat."""
    state = third_cycle(**{**UNCLEAR, "dead_since": after(-19.9), "dead_cycles": 0, **change})
    assert reason(errs(), state) == (Reason.PEER_UNKNOWN, Action.NOTIFY)


def test_region_unclear_waits_for_the_heartbeat_without_a_grace() -> None:
    """With a grace of 0 s the heartbeat must still have stopped."""
    rules, since = policy(in_region_grace_seconds=0.0), {"dead_since": after(-1.7), "heartbeat_seen_at": after(-1.7)}
    assert reason(errs(), third_cycle(**{**UNCLEAR, **since}), rules) == (Reason.PEER_UNKNOWN, Action.NOTIFY)


@pytest.mark.parametrize("peer_report", [Peer.SILENT, Peer.DOWN])
def test_region_unclear_despite_single_clear_answers(peer_report: Peer) -> None:
    """One silent cycle or one "down" among errors is not conclusive."""
    assert Reason.REGION_UNCLEAR is reason(errs(peer=peer_report), third_cycle(**UNCLEAR, dead_cycles=2))[0]


def test_conclusive_answers_after_the_grace_need_no_approval() -> None:
    """Three consecutive cycles of silence or "down" are conclusive."""
    silent = third_cycle(**{**UNCLEAR, "silent_cycles": 3})
    assert reason(lost(), silent) == (Reason.REGION_LOST, Action.FAIL_OVER)
    assert reason(down(), third_cycle(**UNCLEAR)) == (Reason.WRITER_DOWN, Action.FAIL_OVER)


def test_silence_after_a_long_down_is_counted_first() -> None:
    """The answers were conclusive throughout, so no approval is requested."""
    assert reason(lost(), third_cycle(**{**UNCLEAR, "silent_cycles": 1})) == (Reason.WRITER_SUSPECTED, Action.HOLD)


@pytest.mark.parametrize("port", [Port.ALIVE, Port.UNUSABLE])
def test_region_unclear_requires_an_unreachable_port(port: Port) -> None:
    """A server that answers runs, however long the other region's API returns errors."""
    assert Reason.REGION_UNCLEAR is not reason(errs(peer_port=port), third_cycle(**UNCLEAR))[0]


def test_region_impaired_fails_over_after_an_approval() -> None:
    """The approval counts whatever the other region's API returns."""
    for peer_report, dead_cycles in ((Peer.UNKNOWN, 0), (Peer.SILENT, 1), (Peer.DOWN, 1)):
        seen, state = errs(peer=peer_report, records=APPROVED), third_cycle(**UNCLEAR, dead_cycles=dead_cycles)
        assert reason(seen, replace(state, pending=PENDING)) == (Reason.REGION_IMPAIRED, Action.FAIL_OVER)


def test_peer_silent_while_the_writer_is_reachable() -> None:
    """One of three paths is lost."""
    assert reason(healthy(peer=Peer.SILENT)) == (Reason.PEER_SILENT, Action.NOTIFY)


def test_peer_probe_fails_while_the_writer_is_reachable() -> None:
    """A connection from this region proves that the writer works."""
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
def test_standby_not_ready_while_the_writer_is_reachable(change: dict[str, Any]) -> None:
    """Operators are notified before the standby is needed."""
    assert reason(healthy(**change)) == (Reason.STANDBY_NOT_READY, Action.NOTIFY)


@pytest.mark.parametrize("status", ["modifying", "creating", None])
def test_standby_not_available_holds(status: str | None) -> None:
    """An unknown status counts as not available."""
    decision = decided(lost(standby_status=status))
    assert (decision.reason, decision.action, decision.held) == (Reason.STANDBY_NOT_AVAILABLE, Action.NOTIFY, True)


@pytest.mark.parametrize("instances", [0, None])
def test_standby_without_instance_holds(instances: int | None) -> None:
    """An unknown number of instances counts as none."""
    assert reason(lost(standby_instances=instances)) == (Reason.STANDBY_WITHOUT_INSTANCE, Action.NOTIFY)


@pytest.mark.parametrize("synchronization", ["pending-resync", "a-future-label"])
def test_standby_not_synchronized_requests_approval(synchronization: str) -> None:
    """A standby that is being rebuilt is promoted only after an approval."""
    decision = decided(lost(synchronization=synchronization))
    approved = lost(synchronization=synchronization, records=APPROVED)
    assert (decision.reason, decision.action, decision.held) == (
        Reason.STANDBY_NOT_SYNCHRONIZED,
        Action.REQUEST_APPROVAL,
        True,
    )
    assert reason(approved, third_cycle(pending=PENDING)) == (Reason.REGION_LOST, Action.FAIL_OVER)


def test_lag_decides_without_a_synchronization_status() -> None:
    """A lag measured just before the outage shows that the standby was connected."""
    assert reason(lost(synchronization=None)) == (Reason.REGION_LOST, Action.FAIL_OVER)


@pytest.mark.parametrize("port", [Port.DEAD, Port.UNUSABLE, Port.UNKNOWN])
def test_standby_unreachable_holds(port: Port) -> None:
    """If both clusters are unreachable, the fault may be in this region."""
    assert reason(lost(own_port=port)) == (Reason.STANDBY_UNREACHABLE, Action.NOTIFY)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (lost(heartbeat=None), third_cycle()),
        (lost(), third_cycle(heartbeat_seen_at=None)),
        (lost(), third_cycle(heartbeat_seen_at=after(-62.1))),
    ],
)
def test_unknown_heartbeat_requests_approval(seen: Observation, state: State) -> None:
    """A stopped heartbeat must be observed, not assumed; an operator may decide without it."""
    decision, approved = decided(seen, state), replace(seen, records=APPROVED)
    assert (decision.reason, decision.action, decision.held) == (
        Reason.HEARTBEAT_UNKNOWN,
        Action.REQUEST_APPROVAL,
        True,
    )
    assert reason(approved, replace(state, pending=PENDING)) == (Reason.REGION_LOST, Action.FAIL_OVER)


def test_disarmed_holds() -> None:
    """A disarmed switch blocks a failover."""
    switch = Switch(armed=False, reason="maintenance", by="ada", expires_at=None)
    assert reason(with_records(switch=switch)) == (Reason.DISARMED, Action.NOTIFY)


def test_disarmed_holds_until_it_expires() -> None:
    """The maintenance window has not ended."""
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
def test_armed_expired_and_absent_switch_act(switch: Switch | None) -> None:
    """An armed, an expired and a missing switch all count as armed."""
    assert reason(with_records(switch=switch)) == (Reason.REGION_LOST, Action.FAIL_OVER)


@pytest.mark.parametrize("changed_at", [after(-299), after(5)])
def test_cooldown_holds(changed_at: Any) -> None:
    """A change in the future (differing clocks) counts as recent."""
    assert reason(lost(), third_cycle(roles_changed_at=changed_at)) == (Reason.COOLDOWN, Action.NOTIFY)


def test_failover_after_the_cooldown() -> None:
    """The cooldown ends exactly after its duration."""
    assert reason(lost(), third_cycle(roles_changed_at=after(-300))) == (Reason.REGION_LOST, Action.FAIL_OVER)


def test_lock_held_by_another_invocation_holds() -> None:
    """The other invocation is about to fail over."""
    lock = Claim(holder="other", until=after(1), version=0)
    assert reason(with_records(lock=lock)) == (Reason.LOCK_HELD, Action.HOLD)


@pytest.mark.parametrize("until", [NOW, None])
def test_expired_lock_is_ignored(until: Any) -> None:
    """A process that ended with the lock must not block the others."""
    lock = Claim(holder="other", until=until, version=0)
    assert reason(with_records(lock=lock)) == (Reason.REGION_LOST, Action.FAIL_OVER)


def test_observe_only_reports_and_never_acts() -> None:
    """An approval has no effect in mode observe."""
    seen, state = replace(lost(), records=APPROVED), third_cycle(pending=PENDING)
    assert reason(seen, state, policy(mode=Mode.OBSERVE)) == (Reason.OBSERVE_ONLY, Action.NOTIFY)


def test_lag_unknown_requests_approval() -> None:
    """The possible data loss is unknown."""
    decision = decided(lost(), third_cycle(lag_ms=None, lag_at=None))
    assert (
        decision.reason,
        decision.action,
        decision.target,
        decision.held,
    ) == (Reason.LAG_UNKNOWN, Action.REQUEST_APPROVAL, OWN_ARN, True)


def test_old_lag_is_unknown() -> None:
    """A lag measured a minute before the outage counts, one from an hour before does not."""
    state = third_cycle(dead_since=after(-2), heartbeat_seen_at=after(-2))
    recent, old = replace(state, lag_at=after(-62)), replace(state, lag_at=after(-62.001))
    assert (reason(lost(), recent)[0], reason(lost(), old)[0]) == (Reason.REGION_LOST, Reason.LAG_UNKNOWN)


def test_lag_from_before_a_long_partition_is_unknown() -> None:
    """The outage began with the last heartbeat, long after the lag was measured."""
    partition = third_cycle(dead_since=after(-600), heartbeat_seen_at=after(-2))
    recent, old = replace(partition, lag_at=after(-62)), replace(partition, lag_at=after(-601))
    assert (reason(lost(), recent)[0], reason(lost(), old)[0]) == (Reason.REGION_LOST, Reason.LAG_UNKNOWN)


def test_lag_too_high_requests_approval() -> None:
    """An operator decides on a loss above max_data_loss."""
    assert reason(lost(), third_cycle(lag_ms=5000.001)) == (Reason.LAG_TOO_HIGH, Action.REQUEST_APPROVAL)


def test_lag_at_the_limit_acts() -> None:
    """The limit itself is allowed."""
    assert reason(lost(), third_cycle(lag_ms=5000.0)) == (Reason.REGION_LOST, Action.FAIL_OVER)


@pytest.mark.parametrize("lag", [{"lag_ms": 60_000.0}, {"lag_ms": None, "lag_at": None}])
def test_approved_loss_acts(lag: dict[str, Any]) -> None:
    """The approval accepts the loss."""
    state = third_cycle(pending=PENDING, **lag)
    assert reason(replace(lost(), records=APPROVED), state) == (Reason.REGION_LOST, Action.FAIL_OVER)


def test_approval_needed_requests_approval() -> None:
    """Mode approve requires an approval of every failover."""
    assert reason(lost(), None, policy(mode=Mode.APPROVE)) == (Reason.APPROVAL_NEEDED, Action.REQUEST_APPROVAL)


def test_approved_decision_acts() -> None:
    """The approval of the pending decision starts the failover in mode approve."""
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
def test_only_an_approval_of_the_pending_decision_counts(approval: Approval, pending: Pending | None) -> None:
    """A refusal and another decision's approval have no effect."""
    seen = with_records(approval=approval)
    assert reason(seen, third_cycle(pending=pending), policy(mode=Mode.APPROVE)) == (
        Reason.APPROVAL_NEEDED,
        Action.REQUEST_APPROVAL,
    )


def test_approval_overrides_no_other_guard() -> None:
    """An approval neither arms the controller nor ends a cooldown."""
    switch = Switch(armed=False, reason="", by="ada", expires_at=None)
    seen = lost(records=replace(APPROVED, switch=switch))
    cooling = third_cycle(pending=PENDING, roles_changed_at=after(-1))
    assert (
        reason(seen, third_cycle(pending=PENDING))[0],
        reason(replace(lost(), records=APPROVED), cooling)[0],
    ) == (Reason.DISARMED, Reason.COOLDOWN)


OPERATION = GlobalOperation(status="failing-over", to_own=True, allows_data_loss=True)
DISARMED = Switch(armed=False, reason="", by="ada", expires_at=None)
LOCKED = Claim(holder="other", until=after(1), version=0)
LATE = {"dead_since": after(-20), "heartbeat_seen_at": after(-20), "lag_at": after(-21)}


@pytest.mark.parametrize(
    ("first", "seen", "state", "mode"),
    [
        (Reason.FAILOVER_UNDER_WAY, lost(writer=Side.OWN), third_cycle(attempt=attempt()), Mode.AUTOMATIC),
        (
            Reason.FAILOVER_UNDER_WAY,
            lost(writer=Side.OWN, members=Members.PEER_MISSING),
            third_cycle(attempt=attempt()),
            Mode.AUTOMATIC,
        ),
        (
            Reason.STANDBY_MISSING,
            healthy(writer=Side.OWN, members=Members.PEER_MISSING),
            third_cycle(),
            Mode.AUTOMATIC,
        ),
        (
            Reason.CLUSTER_DETACHED,
            lost(members=Members.OWN_MISSING, writer=Side.UNKNOWN),
            third_cycle(),
            Mode.AUTOMATIC,
        ),
        (
            Reason.WRITER_ELSEWHERE,
            lost(members=Members.OTHERS, writer=Side.UNKNOWN),
            third_cycle(),
            Mode.AUTOMATIC,
        ),
        (
            Reason.OPERATION_UNDER_WAY,
            lost(operation=OPERATION, own_read_only=False),
            third_cycle(),
            Mode.AUTOMATIC,
        ),
        (Reason.TWO_WRITERS, lost(own_read_only=False, peer_port=Port.UNKNOWN), third_cycle(), Mode.AUTOMATIC),
        (
            Reason.HEARTBEAT_STOPPED,
            healthy(members=Members.OTHERS),
            State(writer_since=after(-3600), serving_since=after(-3600)),
            Mode.AUTOMATIC,
        ),
        (Reason.MEMBER_ADDED, healthy(members=Members.OTHERS), third_cycle(), Mode.AUTOMATIC),
        (Reason.HEARTBEAT_UNKNOWN, lost(members=Members.OTHERS, heartbeat=None), third_cycle(), Mode.AUTOMATIC),
        (Reason.TARGET_UNCLEAR, lost(members=Members.OTHERS, synchronization="x"), third_cycle(), Mode.AUTOMATIC),
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
        (Reason.PROBE_UNUSABLE, lost(own_function_failure="x", peer=Peer.FINE), third_cycle(), Mode.AUTOMATIC),
        (
            Reason.PROBE_UNUSABLE,
            down(own_function_failure="x"),
            third_cycle(heartbeat_seen_at=after(-1)),
            Mode.AUTOMATIC,
        ),
        (Reason.WRITER_LOCKED_OUT, down(), third_cycle(heartbeat_seen_at=after(-1)), Mode.AUTOMATIC),
        (Reason.NETWORK_PARTITION, lost(peer=Peer.UNKNOWN), third_cycle(heartbeat_seen_at=after(-1)), Mode.AUTOMATIC),
        (Reason.WRITER_READ_ONLY, healthy(peer_read_only=True, peer=Peer.UNKNOWN), third_cycle(), Mode.AUTOMATIC),
        (Reason.WRITER_UNVERIFIED, lost(peer_port=Port.UNUSABLE, peer=Peer.UNKNOWN), third_cycle(), Mode.AUTOMATIC),
        (Reason.PEER_UNKNOWN, healthy(peer=Peer.UNKNOWN, standby_instances=0), third_cycle(), Mode.AUTOMATIC),
        (Reason.PEER_PROBE_FAILS, healthy(peer=Peer.DOWN, standby_instances=0), third_cycle(), Mode.AUTOMATIC),
        (
            Reason.STANDBY_NOT_READY,
            healthy(standby_instances=0),
            State(writer_since=after(-3600)),
            Mode.AUTOMATIC,
        ),
        (
            Reason.HEARTBEAT_STOPPED,
            healthy(),
            State(writer_since=after(-3600), serving_since=after(-3600)),
            Mode.AUTOMATIC,
        ),
        (Reason.WRITER_SUSPECTED, down(), third_cycle(dead_cycles=2), Mode.AUTOMATIC),
        (Reason.IN_REGION_GRACE, down(standby_status=None), third_cycle(), Mode.AUTOMATIC),
        (Reason.STANDBY_NOT_AVAILABLE, lost(standby_status=None, standby_instances=0), third_cycle(), Mode.AUTOMATIC),
        (Reason.STANDBY_WITHOUT_INSTANCE, lost(standby_instances=0, own_port=Port.DEAD), third_cycle(), Mode.AUTOMATIC),
        (
            Reason.STANDBY_UNREACHABLE,
            lost(own_port=Port.DEAD, records=Records(switch=DISARMED)),
            third_cycle(),
            Mode.AUTOMATIC,
        ),
        (Reason.DISARMED, with_records(switch=DISARMED), third_cycle(roles_changed_at=after(-1)), Mode.AUTOMATIC),
        (Reason.COOLDOWN, with_records(lock=LOCKED), third_cycle(roles_changed_at=after(-1)), Mode.AUTOMATIC),
        (Reason.LOCK_HELD, with_records(lock=LOCKED), third_cycle(), Mode.OBSERVE),
        (
            Reason.RDS_UNREADABLE,
            lost(rds_failure="x", members=Members.OWN_MISSING),
            third_cycle(),
            Mode.AUTOMATIC,
        ),
        (Reason.OBSERVE_ONLY, errs(rds_failure="x"), third_cycle(**UNCLEAR), Mode.OBSERVE),
        (Reason.OBSERVE_ONLY, lost(peer_port=Port.UNUSABLE), third_cycle(**UNCLEAR), Mode.OBSERVE),
        (
            Reason.RDS_UNCLEAR,
            errs(**{"rds_failure": "x", "writer": Side.UNKNOWN}),
            third_cycle(**UNCLEAR),
            Mode.AUTOMATIC,
        ),
        (
            Reason.WRITER_UNUSABLE,
            lost(peer_port=Port.UNUSABLE, synchronization="x"),
            third_cycle(**UNCLEAR),
            Mode.AUTOMATIC,
        ),
        (Reason.REGION_UNCLEAR, errs(heartbeat=None), third_cycle(**UNCLEAR), Mode.AUTOMATIC),
        (Reason.HEARTBEAT_UNKNOWN, lost(heartbeat=None, synchronization="x"), third_cycle(), Mode.AUTOMATIC),
        (Reason.STANDBY_NOT_SYNCHRONIZED, lost(synchronization="x"), third_cycle(lag_ms=None), Mode.AUTOMATIC),
        (Reason.LAG_UNKNOWN, lost(), third_cycle(lag_ms=None), Mode.APPROVE),
        (Reason.LAG_TOO_HIGH, lost(), third_cycle(lag_ms=60_000.0), Mode.APPROVE),
        (Reason.APPROVAL_NEEDED, down(), third_cycle(**LATE), Mode.APPROVE),
    ],
)
def test_first_of_two_applying_rows_decides(first: Reason, seen: Observation, state: State, mode: Mode) -> None:
    """The order of the rows is significant."""
    assert first is decided(seen, state, policy(mode=mode)).reason


def test_last_row_always_applies_and_does_not_act() -> None:
    """The last row covers unforeseen states."""
    last = DECISION_TABLE[-1]
    case: Any = None
    assert (last.reason, last.action, last.applies(case)) == (Reason.UNDECIDED, Action.NOTIFY, True)


def test_every_row_has_a_reason_and_texts() -> None:
    """The reasons are unique and in the order of the enumeration."""
    reasons = [rule.reason for rule in DECISION_TABLE]
    assert list(Reason)[: len(DECISION_TABLE)] == reasons
    assert [rule.reason for rule in DECISION_TABLE if not (rule.when and rule.why_here.endswith("."))] == []


def test_only_three_verdicts_act_and_they_are_last() -> None:
    """Every guard precedes them."""
    acting = [rule.reason for rule in DECISION_TABLE if rule.action is Action.FAIL_OVER]
    verdicts = [Reason.REGION_IMPAIRED, Reason.WRITER_DOWN, Reason.REGION_LOST]
    assert (verdicts, acting) == ([rule.reason for rule in DECISION_TABLE[-4:-1]], acting)
    guards = [index for index, rule in enumerate(DECISION_TABLE) if rule.guard]
    assert list(range(guards[0], len(DECISION_TABLE) - 4)) == guards


SILENT_BEFORE = ((None, after(-3)), (after(-3600), after(-3)), (after(-6.1), after(-3)), (after(-3), None))


@pytest.mark.parametrize(("answered_at", "served_at"), SILENT_BEFORE)
def test_silence_older_than_the_outage_waits_for_the_grace(answered_at: Any, served_at: Any) -> None:
    """The other region did not answer while the writer last served, or neither was ever seen."""
    state = third_cycle(peer_answered_at=answered_at, served_at=served_at)
    assert reason(lost(), state) == (Reason.IN_REGION_GRACE, Action.NOTIFY)
    late = replace(state, dead_since=after(-20), heartbeat_seen_at=after(-20), lag_at=after(-21))
    assert reason(lost(), late) == (Reason.REGION_LOST, Action.FAIL_OVER)


@pytest.mark.parametrize(("silent_at", "is_evidence"), [(after(-92.9), False), (after(-93), True), (None, True)])
def test_silence_of_unreliable_apis_waits_for_the_grace(silent_at: Any, is_evidence: bool) -> None:
    """They were silent while the writer served, 90 cycles or less before its last sign of life, and answered in between."""
    expected = Reason.REGION_LOST if is_evidence else Reason.IN_REGION_GRACE
    assert reason(lost(), third_cycle(calm_silence_at=silent_at))[0] is expected


@pytest.mark.parametrize("answered_at", [after(-6), after(-1)])
def test_silence_that_began_with_the_outage_is_evidence(answered_at: Any) -> None:
    """The region answered three cycles before the writer's last sign of life, or later."""
    assert reason(lost(), third_cycle(peer_answered_at=answered_at)) == (Reason.REGION_LOST, Action.FAIL_OVER)


def test_refused_port_waits_for_the_grace() -> None:
    """A host in the region answers, so only the database on it is known to be lost."""
    seen, late = lost(peer_port_refused=True), third_cycle(**LATE)
    assert reason(seen) == (Reason.IN_REGION_GRACE, Action.NOTIFY)
    assert reason(seen, late) == (Reason.REGION_LOST, Action.FAIL_OVER)


USELESS = (
    {"peer_port": Port.UNUSABLE, "peer": Peer.UNKNOWN},
    {"peer_port": Port.UNUSABLE, "peer": Peer.SILENT},
    {"peer_port": Port.UNUSABLE, "peer": Peer.DOWN},
    {"peer_port": Port.ALIVE, "peer_read_only": True, "peer": Peer.UNKNOWN},
    {"peer_port": Port.ALIVE, "peer_read_only": True, "peer": Peer.SILENT},
    {"peer_port": Port.ALIVE, "peer_read_only": True, "peer": Peer.DOWN, "standby_status": "available"},
)
USELESS_SINCE = {"dead_since": after(-20), "heartbeat_seen_at": after(-20), "lag_at": after(-21)}


@pytest.mark.parametrize("changes", USELESS)
def test_writer_that_serves_no_one_requests_approval_after_the_grace(changes: dict[str, Any]) -> None:
    """It answers, but it refuses the probes and no heartbeat of anyone arrives."""
    seen, state = lost(**changes), third_cycle(**USELESS_SINCE, silent_cycles=0, dead_cycles=0)
    decision, approved = decided(seen, state), replace(seen, records=APPROVED)
    assert (decision.reason, decision.action, decision.held) == (Reason.WRITER_UNUSABLE, Action.REQUEST_APPROVAL, True)
    assert reason(approved, replace(state, pending=PENDING)) == (Reason.REGION_IMPAIRED, Action.FAIL_OVER)


@pytest.mark.parametrize("changes", USELESS)
@pytest.mark.parametrize(
    ("seen", "state"),
    [
        ({}, {"heartbeat_seen_at": after(-19.9)}),
        ({}, {"dead_since": after(-19.9), "heartbeat_seen_at": after(-19.9)}),
        ({}, {"dead_since": None}),
        ({}, {"heartbeat_seen_at": None}),
        ({"heartbeat": None}, {}),
        ({"peer": Peer.FINE}, {}),
    ],
)
def test_refusing_writer_is_only_reported(changes: dict[str, Any], seen: dict[str, Any], state: dict[str, Any]) -> None:
    """Heartbeats arrive or are unknown, the other region reports a working writer, or the grace period has not ended."""
    case = lost(**{**changes, **seen})
    expected = Reason.WRITER_UNVERIFIED if case.peer_port is Port.UNUSABLE else Reason.WRITER_READ_ONLY
    assert reason(case, third_cycle(**{**USELESS_SINCE, **state})) == (expected, Action.NOTIFY)


def test_heartbeat_of_the_last_minute_before_the_outage_counts() -> None:
    """The limit is that of the lag."""
    assert reason(lost(), third_cycle(heartbeat_seen_at=after(-62))) == (Reason.REGION_LOST, Action.FAIL_OVER)


@pytest.mark.parametrize(
    "state",
    [
        State(writer=Side.PEER, heartbeat_seen_at=after(-60.1), writer_since=after(-1), serving_since=after(-61)),
        State(writer=Side.PEER, writer_since=after(-60.1), serving_since=after(-61)),
    ],
)
def test_stopped_heartbeat_is_reported_while_the_writer_works(state: State) -> None:
    """The third path has failed."""
    assert reason(healthy(), state) == (Reason.HEARTBEAT_STOPPED, Action.NOTIFY)
    recent = replace(state, heartbeat_seen_at=after(-60))
    assert reason(healthy(), recent) == (Reason.HEALTHY, Action.HOLD)
    after_an_outage = replace(state, serving_since=after(-60))
    assert reason(healthy(), after_an_outage) == (Reason.HEALTHY, Action.HOLD)
    assert reason(healthy(), replace(state, serving_since=None)) == (Reason.HEALTHY, Action.HOLD)


RDS_FAILS = {"rds_failure": "no answer", "writer": Side.UNKNOWN, "standby_status": None, "standby_instances": None}


@pytest.mark.parametrize("peer_report", [Peer.SILENT, Peer.DOWN, Peer.UNKNOWN])
def test_unreadable_rds_api_requests_approval_after_the_grace(peer_report: Peer) -> None:
    """RDS refuses a call that its state does not allow, so an operator may let the controller try."""
    seen, state = lost(**RDS_FAILS, peer=peer_report), third_cycle(**UNCLEAR | {"silent_cycles": 3})
    decision, approved = decided(seen, state), replace(seen, records=APPROVED)
    assert (decision.reason, decision.action, decision.held) == (Reason.RDS_UNCLEAR, Action.REQUEST_APPROVAL, True)
    assert reason(approved, replace(state, pending=PENDING)) == (Reason.REGION_IMPAIRED, Action.FAIL_OVER)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        ({}, {"dead_since": after(-19.9), "heartbeat_seen_at": after(-19.9)}),
        ({}, {"heartbeat_seen_at": after(-19.9)}),
        ({"peer": Peer.FINE}, {}),
        ({"peer_port": Port.UNUSABLE}, {}),
        ({}, {"dead_since": None}),
    ],
)
def test_unreadable_rds_api_is_only_reported(seen: dict[str, Any], state: dict[str, Any]) -> None:
    """A sign of life, an unknown role, or the grace period has not ended."""
    case = lost(**{**RDS_FAILS, **seen})
    assert reason(case, third_cycle(**{**UNCLEAR, **state})) == (Reason.RDS_UNREADABLE, Action.NOTIFY)


@pytest.mark.parametrize("make", [healthy, lost])
def test_detached_cluster_is_never_promoted(make: Any) -> None:
    """RDS can promote a member only."""
    seen = make(members=Members.OWN_MISSING, records=APPROVED)
    assert reason(seen, third_cycle(pending=PENDING)) == (Reason.CLUSTER_DETACHED, Action.NOTIFY)


@pytest.mark.parametrize("make", [healthy, lost])
def test_cluster_that_takes_writes_is_never_promoted(make: Any) -> None:
    """RDS names the other cluster as the writer."""
    seen = make(own_read_only=False, records=APPROVED)
    assert reason(seen, third_cycle(pending=PENDING)) == (Reason.TWO_WRITERS, Action.NOTIFY)


def test_own_cluster_must_be_reachable_to_count_as_second_writer() -> None:
    """An unreachable standby is no writer."""
    assert reason(lost(own_port=Port.DEAD, own_read_only=False)) == (Reason.STANDBY_UNREACHABLE, Action.NOTIFY)


def test_missing_standby_is_reported_in_the_writers_region() -> None:
    """No cluster could take over."""
    seen = healthy(writer=Side.OWN, members=Members.PEER_MISSING)
    assert reason(seen) == (Reason.STANDBY_MISSING, Action.NOTIFY)
    assert reason(replace(seen, members=Members.OTHERS)) == (Reason.ALREADY_WRITER, Action.HOLD)


def test_third_cluster_as_writer_is_told_from_an_unknown_writer() -> None:
    """RDS names it, or none."""
    seen = lost(writer=Side.UNKNOWN, members=Members.OTHERS)
    assert reason(seen) == (Reason.WRITER_ELSEWHERE, Action.NOTIFY)
    assert reason(replace(seen, members=Members.PEER_MISSING)) == (Reason.WRITER_UNKNOWN, Action.NOTIFY)


def test_third_member_requests_approval_in_an_outage_and_is_reported_before() -> None:
    """The approval chooses this region's cluster."""
    seen, pending = lost(members=Members.OTHERS), third_cycle(pending=PENDING)
    decision = decided(seen)
    assert (decision.reason, decision.action, decision.held) == (Reason.TARGET_UNCLEAR, Action.REQUEST_APPROVAL, True)
    assert reason(replace(seen, records=APPROVED), pending) == (Reason.REGION_LOST, Action.FAIL_OVER)
    assert reason(healthy(members=Members.OTHERS)) == (Reason.MEMBER_ADDED, Action.NOTIFY)


@pytest.mark.parametrize(
    ("healed_at", "silent_cycles", "expected"),
    [
        (after(-89.9), 4, Reason.WRITER_SUSPECTED),
        (after(-89.9), 5, Reason.REGION_LOST),
        (after(-90), 3, Reason.REGION_LOST),
        (after(5), 4, Reason.WRITER_SUSPECTED),
        (None, 3, Reason.REGION_LOST),
    ],
)
def test_more_cycles_are_required_after_a_silence_that_healed(
    healed_at: Any, silent_cycles: int, expected: Reason
) -> None:
    """A flapping region falls silent again; 90 cycles later the region counts as settled."""
    state = third_cycle(silence_healed_at=healed_at, silent_cycles=silent_cycles)
    decision = decided(lost(), state)
    assert decision.reason is expected
    assert decision.evidence["required_cycles"] == (3 if expected is Reason.REGION_LOST and silent_cycles == 3 else 5)
