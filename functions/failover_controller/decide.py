"""The decision table: ordered rows; the first matching row decides. The last row matches every state and only notifies.

FAIL_OVER comes only from three rows near the end. They require an unreachable writer port, enough cycles in which the
other region is silent or reports its writer as down, a heartbeat that arrived and then stopped, and that no guard
applies. An unknown value matches a row above them unless an operator approved the decision.
`docs/reference/decision-table.md` is generated from `DECISION_TABLE`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from .conditions import (
    Case,
    cannot_read,
    has_other_members,
    heartbeat_is_overdue,
    heartbeat_is_unknown,
    heartbeat_quiet_seconds,
    is_approved,
    is_disarmed,
    is_in_cooldown,
    is_in_region_grace,
    is_locked_out,
    is_only_suspected,
    is_partitioned,
    is_under_way,
    lag_before_outage_ms,
    lag_is_too_high,
    lock_is_held,
    outage_is_unclear,
    peer_is_unknown,
    rds_is_unclear,
    region_is_unclear,
    required_cycles,
    standby_has_no_instance,
    standby_is_not_available,
    standby_is_not_ready,
    standby_is_not_synchronized,
    standby_is_unreachable,
    writer_is_alive,
    writer_serves_no_one,
)
from .model import Action, Decision, Evidence, Members, Mode, Observation, Peer, Policy, Port, Reason, Side, State
from .state_update import own_cluster_is_writable


@dataclass(frozen=True, kw_only=True)
class DecisionRow:
    """One row: condition, action and the reason for its position. A guard blocks a failover that is otherwise due."""

    reason: Reason
    action: Action
    applies: Callable[[Case], bool]
    when: str
    why_here: str
    guard: bool = False


def decide(observation: Observation, state: State, policy: Policy, now: datetime) -> Decision:
    """Return the decision of the first row that applies; the last row always applies."""
    case = Case(observation, state, policy, now)
    row = next(row for row in DECISION_TABLE if row.applies(case))
    return Decision(
        action=row.action,
        reason=row.reason,
        target=policy.target if row.action in (Action.FAIL_OVER, Action.REQUEST_APPROVAL) else None,
        evidence=_evidence(case),
        held=row.guard,
    )


DECISION_TABLE: tuple[DecisionRow, ...] = (
    DecisionRow(
        reason=Reason.FAILOVER_UNDER_WAY,
        action=Action.HOLD,
        applies=is_under_way,
        when="a failover started by this controller is in progress, or the result of its call is unknown",
        why_here="First, so that a second failover never starts while one is in progress.",
    ),
    DecisionRow(
        reason=Reason.STANDBY_MISSING,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.writer is Side.OWN and case.seen.members is Members.PEER_MISSING,
        when="this region's cluster is the writer, and the other region's cluster is no member of the global database",
        why_here="Before already-writer, whose condition also matches. No standby exists that could take over.",
    ),
    DecisionRow(
        reason=Reason.ALREADY_WRITER,
        action=Action.HOLD,
        applies=lambda case: case.seen.writer is Side.OWN,
        when="the RDS API names this region's cluster as the writer",
        why_here="No other row applies in the writer's own region.",
    ),
    DecisionRow(
        reason=Reason.STATE_UNREADABLE,
        action=Action.NOTIFY,
        applies=cannot_read("state"),
        when="the state in the table is unreadable or malformed",
        why_here="Without the state the cycle counts, the cooldown and the attempts of other invocations are unknown.",
    ),
    DecisionRow(
        reason=Reason.SWITCH_UNREADABLE,
        action=Action.NOTIFY,
        applies=cannot_read("switch"),
        when="the switch is unreadable or malformed",
        why_here="An operator may have disarmed the controller.",
    ),
    DecisionRow(
        reason=Reason.LEASE_UNREADABLE,
        action=Action.NOTIFY,
        applies=cannot_read("lease"),
        when="the lease is unreadable or malformed",
        why_here="Another invocation may hold the lease.",
    ),
    DecisionRow(
        reason=Reason.LOCK_UNREADABLE,
        action=Action.NOTIFY,
        applies=cannot_read("lock"),
        when="the lock is unreadable or malformed",
        why_here="Another invocation may be failing over.",
    ),
    DecisionRow(
        reason=Reason.RDS_UNREADABLE,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.rds_failure is not None and not rds_is_unclear(case),
        when="this region's RDS API is unreadable; if the port is also unreachable, only until in_region_grace ends",
        why_here="Without this API the roles, operations and the standby are unknown. The failover call uses the same API. After "
        "in_region_grace, rds-unclear asks for an approval.",
    ),
    DecisionRow(
        reason=Reason.CLUSTER_DETACHED,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.members is Members.OWN_MISSING,
        when="this region's cluster is no member of the global database",
        why_here="RDS can promote a member only. If the writer no longer served when someone detached this cluster, DNS leads here.",
    ),
    DecisionRow(
        reason=Reason.WRITER_ELSEWHERE,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.writer is Side.UNKNOWN and has_other_members(case),
        when="the RDS API names no writer among the two clusters, and a third cluster is a member",
        why_here="Before writer-unknown, whose condition also matches. The probes do not watch the third cluster.",
    ),
    DecisionRow(
        reason=Reason.WRITER_UNKNOWN,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.writer is Side.UNKNOWN and case.seen.rds_failure is None,
        when="the RDS API names no writer, or more than one, among the two clusters",
        why_here="All rows below require that the other region's cluster is the writer.",
    ),
    DecisionRow(
        reason=Reason.OPERATION_UNDER_WAY,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.operation is not None,
        when="RDS shows a switchover or failover in progress",
        why_here="During an operation the databases are unreachable by design.",
    ),
    DecisionRow(
        reason=Reason.TWO_WRITERS,
        action=Action.NOTIFY,
        applies=lambda case: own_cluster_is_writable(case.seen),
        when="this region's cluster takes writes, although the RDS API names the other one as the writer",
        why_here="After operation-under-way, in which this is normal. A failover would not help, and one of the two loses its writes.",
    ),
    DecisionRow(
        reason=Reason.PROBE_UNUSABLE,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.own_function_failure is not None or case.seen.peer_port is Port.UNKNOWN,
        when="this region's health_check gave no usable answer",
        why_here="All rows below require a known state of the writer's port.",
    ),
    DecisionRow(
        reason=Reason.WRITER_LOCKED_OUT,
        action=Action.NOTIFY,
        applies=is_locked_out,
        when="neither region can connect to the writer's port, but new heartbeats of its database still arrive",
        why_here="Before network-partition, whose condition also matches. The database runs but accepts no connections. Restart it, or "
        "switch over; a switchover loses no data.",
    ),
    DecisionRow(
        reason=Reason.NETWORK_PARTITION,
        action=Action.NOTIFY,
        applies=is_partitioned,
        when="the port is unreachable, but the other region reports a working writer, or new heartbeats still arrive",
        why_here="Ahead of all failover rows: any evidence that the writer works rules out a failover.",
    ),
    DecisionRow(
        reason=Reason.WRITER_READ_ONLY,
        action=Action.NOTIFY,
        applies=lambda case: writer_is_alive(case) and case.seen.peer_read_only is True,
        when="the writer answers, but is read-only, and no longer than in_region_grace without a heartbeat",
        why_here="The database is reachable, so no cluster is promoted. An operator must check it.",
    ),
    DecisionRow(
        reason=Reason.WRITER_UNVERIFIED,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.peer_port is Port.UNUSABLE and not writer_serves_no_one(case),
        when="the writer answers, but refuses the probe's log-in, TLS, protocol or query, and no longer than in_region_grace without a "
        "heartbeat",
        why_here="A server runs there. A wrong credential of health_check must never cause a failover.",
    ),
    DecisionRow(
        reason=Reason.PEER_UNKNOWN,
        action=Action.NOTIFY,
        applies=peer_is_unknown,
        when="the other region's Lambda API returns an error, only its RDS API responds, or its health_check returns no usable "
        "answer; if the port is also unreachable, only until in_region_grace ends",
        why_here="An answer, even an error, means that the region is not silent. After in_region_grace, region-unclear asks for an "
        "approval.",
    ),
    DecisionRow(
        reason=Reason.PEER_SILENT,
        action=Action.NOTIFY,
        applies=lambda case: writer_is_alive(case) and case.seen.peer is Peer.SILENT,
        when="the writer is reachable, but neither the other region's Lambda API nor its RDS API responds",
        why_here="One of the three paths has failed. Notify operators before another fails.",
    ),
    DecisionRow(
        reason=Reason.PEER_PROBE_FAILS,
        action=Action.NOTIFY,
        applies=lambda case: writer_is_alive(case) and case.seen.peer is Peer.DOWN,
        when="the writer is reachable from here, but not for the other region's own probe",
        why_here="The connection from here proves that the writer works, so the other probe is faulty.",
    ),
    DecisionRow(
        reason=Reason.STANDBY_NOT_READY,
        action=Action.NOTIFY,
        applies=lambda case: writer_is_alive(case) and standby_is_not_ready(case),
        when="the writer is reachable, but the standby could not take over: not available, without instance, not synchronized or "
        "unreachable",
        why_here="Reported before the standby is needed, and after the rows on the writer, which are more urgent.",
    ),
    DecisionRow(
        reason=Reason.HEARTBEAT_STOPPED,
        action=Action.NOTIFY,
        applies=lambda case: writer_is_alive(case) and heartbeat_is_overdue(case),
        when="the writer is reachable, but no heartbeat has arrived for a minute",
        why_here="The third path has failed, and a failover would need an approval (heartbeat-unknown). After standby-not-ready, whose "
        "faults can cause it.",
    ),
    DecisionRow(
        reason=Reason.MEMBER_ADDED,
        action=Action.NOTIFY,
        applies=lambda case: writer_is_alive(case) and has_other_members(case),
        when="the writer is reachable, and a third cluster is a member of the global database",
        why_here="Reported before an outage, in which target-unclear asks for an approval.",
    ),
    DecisionRow(
        reason=Reason.HEALTHY,
        action=Action.HOLD,
        applies=writer_is_alive,
        when="the writer is reachable from both regions, and the standby is ready",
        why_here="Faults of a reachable writer are covered above. In all rows below, the port is unreachable or serves no one.",
    ),
    DecisionRow(
        reason=Reason.WRITER_SUSPECTED,
        action=Action.HOLD,
        applies=is_only_suspected,
        when="the port is unreachable, but for fewer than failure_threshold cycles (two more for 90 cycles after a silence that "
        "healed), or the heartbeat stopped too recently",
        why_here="Before the guards: a short interruption causes no notice. A region that fell silent and returned often does so again.",
    ),
    DecisionRow(
        reason=Reason.IN_REGION_GRACE,
        action=Action.NOTIFY,
        applies=is_in_region_grace,
        when="the other region reports its writer as down, was silent already before the outage, or the port refuses connections, for "
        "less than in_region_grace",
        why_here="Aurora fails over within the region first, without data loss. A refusal, or a silence that is older than the "
        "outage, is no evidence of a lost region. All rows below except the last one block, request or "
        "start a failover.",
    ),
    DecisionRow(
        reason=Reason.STANDBY_NOT_AVAILABLE,
        action=Action.NOTIFY,
        applies=standby_is_not_available,
        when="the standby cluster's status is not `available`",
        why_here="The guards on the standby come first, as no approval can replace them.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.STANDBY_WITHOUT_INSTANCE,
        action=Action.NOTIFY,
        applies=standby_has_no_instance,
        when="the standby cluster has no instance, or the number is unknown",
        why_here="No instance could serve after the promotion. Before standby-unreachable, which it causes.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.STANDBY_UNREACHABLE,
        action=Action.NOTIFY,
        applies=standby_is_unreachable,
        when="this region's probe cannot use the standby",
        why_here="If both clusters are unreachable from here, the fault may be here.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.DISARMED,
        action=Action.NOTIFY,
        applies=is_disarmed,
        when="the switch is set to disarmed and has not expired",
        why_here="An operator's decision precedes all time limits below.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.COOLDOWN,
        action=Action.NOTIFY,
        applies=is_in_cooldown,
        when="the roles changed, or a failover failed, less than cooldown ago",
        why_here="A second role change this soon needs an operator. Before the approval requests: an approval has no effect during the "
        "cooldown.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.LOCK_HELD,
        action=Action.HOLD,
        applies=lock_is_held,
        when="another invocation holds the lock, and it has not expired",
        why_here="The other invocation is about to fail over for the same reason. If it ends early, the lock expires.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.OBSERVE_ONLY,
        action=Action.NOTIFY,
        applies=lambda case: case.policy.mode is Mode.OBSERVE,
        when="`mode: observe`: the controller would now fail over or request an approval",
        why_here="Before the approval requests: approvals have no effect in this mode.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.RDS_UNCLEAR,
        action=Action.REQUEST_APPROVAL,
        applies=lambda case: rds_is_unclear(case) and not is_approved(case),
        when="the writer is unreachable for longer than in_region_grace, this region's RDS API is unreadable, and no approval exists",
        why_here="RDS would refuse a failover that is not allowed, but the standby's status is unknown. First of the requests, as it "
        "concerns the call itself.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.WRITER_UNUSABLE,
        action=Action.REQUEST_APPROVAL,
        applies=lambda case: writer_serves_no_one(case) and not is_approved(case),
        when="the writer answers, but refuses the probes of both regions or is read-only, no heartbeat arrived for longer than "
        "in_region_grace, and no approval exists",
        why_here="A writer whose storage fails accepts log-ins and cannot commit. It may recover without data loss, so an operator "
        "decides.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.REGION_UNCLEAR,
        action=Action.REQUEST_APPROVAL,
        applies=lambda case: region_is_unclear(case) and not is_approved(case),
        when="the port is unreachable, no heartbeat arrived for longer than in_region_grace, the other region's answers are "
        "inconclusive, and no approval exists",
        why_here="A failing region often returns errors instead of falling silent. An operator decides whether it is lost, before the "
        "possible data loss is considered.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.HEARTBEAT_UNKNOWN,
        action=Action.REQUEST_APPROVAL,
        applies=heartbeat_is_unknown,
        when="the standby's heartbeat cannot be read, or none of this writer arrived shortly before the outage, and no approval exists",
        why_here="The third path is unknown: a stopped heartbeat must be observed, not assumed. After region-unclear, which names the "
        "more urgent doubt.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.TARGET_UNCLEAR,
        action=Action.REQUEST_APPROVAL,
        applies=lambda case: has_other_members(case) and not is_approved(case),
        when="a third cluster is a member of the global database, and no approval exists",
        why_here="The third cluster may be the better target: an operator chooses. Before the rows on the loss, which concern this "
        "target.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.STANDBY_NOT_SYNCHRONIZED,
        action=Action.REQUEST_APPROVAL,
        applies=standby_is_not_synchronized,
        when="RDS reports a synchronization of the standby other than `connected`, and no approval exists",
        why_here="The standby may be far behind even if the last measured lag was low. AWS does not define this status for an "
        "outage, so an operator may override it.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.LAG_UNKNOWN,
        action=Action.REQUEST_APPROVAL,
        applies=lambda case: lag_before_outage_ms(case) is None and not is_approved(case),
        when="the lag was never measured, or too long before the outage, and no approval exists",
        why_here="The possible data loss is unknown. Before lag-too-high, which needs a number.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.LAG_TOO_HIGH,
        action=Action.REQUEST_APPROVAL,
        applies=lag_is_too_high,
        when="the lag before the outage was above max_data_loss, and no approval exists",
        why_here="An operator decides on this much data loss. Before the mode, so that the request states the loss.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.APPROVAL_NEEDED,
        action=Action.REQUEST_APPROVAL,
        applies=lambda case: case.policy.mode is not Mode.AUTOMATIC and not is_approved(case),
        when="`mode: approve`, and no approval exists for the pending decision",
        why_here="Last guard, so that an approval leaves nothing else to wait for.",
        guard=True,
    ),
    DecisionRow(
        reason=Reason.REGION_IMPAIRED,
        action=Action.FAIL_OVER,
        applies=lambda case: outage_is_unclear(case) and is_approved(case),
        when="the writer has served no one for longer than in_region_grace, the paths do not show clearly why or this region's RDS "
        "API is unreadable, and an operator approved the failover",
        why_here="Before `writer-down` and `region-lost`, whose conditions can also be true here.",
    ),
    DecisionRow(
        reason=Reason.WRITER_DOWN,
        action=Action.FAIL_OVER,
        applies=lambda case: case.seen.peer_port is Port.DEAD and case.seen.peer is Peer.DOWN,
        when="the other region answers, but its writer has been down for longer than in_region_grace",
        why_here="Aurora did not recover the writer within the region.",
    ),
    DecisionRow(
        reason=Reason.REGION_LOST,
        action=Action.FAIL_OVER,
        applies=lambda case: case.seen.peer_port is Port.DEAD and case.seen.peer is Peer.SILENT,
        when="the port is unreachable, the other region's two APIs are silent and the heartbeat has stopped, for failure_threshold "
        "cycles; if the region was silent already before the outage or the port refuses connections, for in_region_grace",
        why_here="All paths have failed.",
    ),
    DecisionRow(
        reason=Reason.UNDECIDED,
        action=Action.NOTIFY,
        applies=lambda case: True,
        when="no other row applies",
        why_here="Default: change nothing in an unforeseen state, and notify.",
    ),
)
"""The rows in order of precedence."""


def _evidence(case: Case) -> Evidence:
    seen, state = case.seen, case.state
    quiet = heartbeat_quiet_seconds(case)
    return {
        "writer": seen.writer,
        "writer_port": seen.peer_port if seen.writer is not Side.OWN else seen.own_port,
        "own_port": seen.own_port,
        "peer": seen.peer,
        "members": seen.members,
        "operation": None if seen.operation is None else seen.operation.status,
        "standby_status": seen.standby_status,
        "standby_instances": seen.standby_instances,
        "synchronization": seen.synchronization,
        "silent_cycles": state.silent_cycles,
        "required_cycles": required_cycles(case),
        "dead_cycles": state.dead_cycles,
        "peer_answered_at": None if state.peer_answered_at is None else state.peer_answered_at.isoformat(),
        "dead_since": None if state.dead_since is None else state.dead_since.isoformat(),
        "last_heartbeat": state.heartbeats[-1] if state.heartbeats else None,
        "heartbeat_quiet_seconds": None if quiet is None else round(quiet, 3),
        "lag_before_outage_ms": lag_before_outage_ms(case),
        "details": "; ".join(seen.details) or None,
    }
