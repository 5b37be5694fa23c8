"""The decision: an ordered table of rules, first match wins, the last row holds.

Owns every verdict and every guard, each with the reason why it stands where it stands; `docs/reference/decisions.md`
is made from `RULES`. Does no I/O, reads no clock, knows no AWS type. Invariant: FAIL_OVER comes only from the three
rows near the end, and to get there the writer's port must be dead, the other region silent or saying that its writer
is down, for enough cycles, the heartbeat known and stopped, and every guard out of the way. Whatever is unknown ends
in a row above them, unless a person who was asked approved it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from .conditions import (
    Case,
    cannot_read,
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
    peer_is_unknown,
    region_is_unclear,
    standby_has_no_instance,
    standby_is_not_available,
    standby_is_not_ready,
    standby_is_not_synchronized,
    standby_is_unreachable,
)
from .model import Action, Decision, Evidence, Mode, Observation, Peer, Policy, Port, Reason, Side, State


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row: when it applies, what it leads to, and why it precedes the next. A guard holds what a verdict wanted."""

    reason: Reason
    action: Action
    applies: Callable[[Case], bool]
    when: str
    why_here: str
    guard: bool = False


def decide(observation: Observation, state: State, policy: Policy, now: datetime) -> Decision:
    """Return the decision of the first rule that applies; the last one always does."""
    case = Case(observation, state, policy, now)
    rule = next(rule for rule in RULES if rule.applies(case))
    return Decision(
        action=rule.action,
        reason=rule.reason,
        target=policy.target if rule.action in (Action.FAIL_OVER, Action.REQUEST_APPROVAL) else None,
        evidence=_evidence(case),
        held=rule.guard,
    )


RULES: tuple[Rule, ...] = (
    Rule(
        reason=Reason.FAILOVER_UNDER_WAY,
        action=Action.HOLD,
        applies=is_under_way,
        when="a failover of ours has no known end, and its call may still take effect",
        why_here="First of all: whatever is seen meanwhile, there is never a second act while one is under way.",
    ),
    Rule(
        reason=Reason.ALREADY_WRITER,
        action=Action.HOLD,
        applies=lambda case: case.seen.writer is Side.OWN,
        when="the RDS API says that this region's cluster is the writer",
        why_here="There is nothing to take: no other row matters to the writer's own region.",
    ),
    Rule(
        reason=Reason.STATE_UNREADABLE,
        action=Action.NOTIFY,
        applies=cannot_read("state"),
        when="the state in the table can't be read or understood",
        why_here="Before every verdict: counts, cooldown and attempts of other invocations are unknown without it.",
    ),
    Rule(
        reason=Reason.SWITCH_UNREADABLE,
        action=Action.NOTIFY,
        applies=cannot_read("switch"),
        when="the off-switch can't be read or understood",
        why_here="Fails closed: somebody may have disarmed it.",
    ),
    Rule(
        reason=Reason.LEASE_UNREADABLE,
        action=Action.NOTIFY,
        applies=cannot_read("lease"),
        when="the lease can't be read or understood",
        why_here="Another invocation may be the one that decides.",
    ),
    Rule(
        reason=Reason.LOCK_UNREADABLE,
        action=Action.NOTIFY,
        applies=cannot_read("lock"),
        when="the lock can't be read or understood",
        why_here="Another invocation may be acting.",
    ),
    Rule(
        reason=Reason.RDS_BLIND,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.rds_failure is not None,
        when="this region's RDS API can't be read",
        why_here="Before every verdict: roles, operations and the standby are unknown, and the call goes to the same API.",
    ),
    Rule(
        reason=Reason.WRITER_UNKNOWN,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.writer is Side.UNKNOWN,
        when="the RDS API names no writer, or more than one, among the two clusters",
        why_here="Every row below speaks of the other region's writer: from here on there is one.",
    ),
    Rule(
        reason=Reason.OPERATION_UNDER_WAY,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.operation is not None,
        when="RDS shows a switchover or failover under way, whoever started it",
        why_here="Before the verdicts: during it the databases look dead by design.",
    ),
    Rule(
        reason=Reason.PROBE_BLIND,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.own_function_failure is not None or case.seen.peer_port is Port.UNKNOWN,
        when="this region's own health_check gave no answer that can be used",
        why_here="What we can't see we don't judge: from here on the state of the writer's port is known.",
    ),
    Rule(
        reason=Reason.WRITER_LOCKED_OUT,
        action=Action.NOTIFY,
        applies=is_locked_out,
        when="neither region can use the writer's port, but the database goes on writing heartbeats, which still arrive",
        why_here="No partition, which it would be taken for: the database runs and nobody gets in. A person can restart it or "
        "switch over, and lose nothing.",
    ),
    Rule(
        reason=Reason.NETWORK_PARTITION,
        action=Action.NOTIFY,
        applies=is_partitioned,
        when="the port is dead, but the other region says that its writer is fine, or new heartbeats still arrive",
        why_here="First of the verdicts on a dead port: one sign of life outweighs every sign of death.",
    ),
    Rule(
        reason=Reason.WRITER_READ_ONLY,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.peer_port is Port.ALIVE and case.seen.peer_read_only is True,
        when="the writer answers, but is read-only",
        why_here="It lives: people must look, nothing is promoted. Before healthy, which it is not.",
    ),
    Rule(
        reason=Reason.WRITER_UNJUDGED,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.peer_port is Port.UNUSABLE,
        when="the writer answers, but refuses our log-in, TLS, protocol or query",
        why_here="Something serves there: a wrong credential of ours must never promote anything.",
    ),
    Rule(
        reason=Reason.PEER_UNKNOWN,
        action=Action.NOTIFY,
        applies=peer_is_unknown,
        when="the other region's Lambda API answers with an error, or its health_check with nothing usable; with a dead port, "
        "for less than in_region_grace",
        why_here="An answer, even an error, means that the region is not silent. Below it is silent, down or fine, or has been "
        "unclear for so long that a person is asked.",
    ),
    Rule(
        reason=Reason.PEER_SILENT,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.peer_port is Port.ALIVE and case.seen.peer is Peer.SILENT,
        when="the writer serves, but the other region's Lambda API does not answer",
        why_here="The writer lives: one of the three paths is lost, and people should know before the others are.",
    ),
    Rule(
        reason=Reason.PEER_PROBE_FAILS,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.peer_port is Port.ALIVE and case.seen.peer is Peer.DOWN,
        when="the writer serves us, but the other region's own probe can't reach it",
        why_here="Our connection is proof that it lives; the other probe is at fault.",
    ),
    Rule(
        reason=Reason.STANDBY_NOT_READY,
        action=Action.NOTIFY,
        applies=lambda case: case.seen.peer_port is Port.ALIVE and standby_is_not_ready(case),
        when="the writer serves, but the standby could not take over: not available, without instance, not synchronized "
        "or not reachable",
        why_here="Told in calm, before it is needed; after the rows that speak of the writer, which matter more.",
    ),
    Rule(
        reason=Reason.HEALTHY,
        action=Action.HOLD,
        applies=lambda case: case.seen.peer_port is Port.ALIVE,
        when="the writer serves, the other region says so too, and the standby is ready",
        why_here="Whatever could be wrong with a living writer stands above: below here its port is dead.",
    ),
    Rule(
        reason=Reason.WRITER_SUSPECTED,
        action=Action.HOLD,
        applies=is_only_suspected,
        when="the port is dead and nobody saw the writer alive, but for fewer than failure_threshold cycles, or the "
        "heartbeat has not been quiet for long enough",
        why_here="Counting comes before the guards: a blip is nobody's business.",
    ),
    Rule(
        reason=Reason.IN_REGION_GRACE,
        action=Action.NOTIFY,
        applies=is_in_region_grace,
        when="the other region answers and says that its writer is down, for less than in_region_grace",
        why_here="Aurora is already failing over inside the region, without loss. Below here a verdict wants to act.",
    ),
    Rule(
        reason=Reason.STANDBY_NOT_AVAILABLE,
        action=Action.NOTIFY,
        applies=standby_is_not_available,
        when="the standby cluster's status is not `available`",
        why_here="The guards on the standby come first: no person's approval can make up for them.",
        guard=True,
    ),
    Rule(
        reason=Reason.STANDBY_WITHOUT_INSTANCE,
        action=Action.NOTIFY,
        applies=standby_has_no_instance,
        when="the standby cluster has no instance, or it is unknown whether it has",
        why_here="Nothing could serve after the promotion. Before unreachable, of which it is the cause.",
        guard=True,
    ),
    Rule(
        reason=Reason.STANDBY_UNREACHABLE,
        action=Action.NOTIFY,
        applies=standby_is_unreachable,
        when="our own probe can't use the standby",
        why_here="If both clusters look dead from here, it may be us. Before the heartbeat, which is read there.",
        guard=True,
    ),
    Rule(
        reason=Reason.HEARTBEAT_UNKNOWN,
        action=Action.NOTIFY,
        applies=lambda case: heartbeat_quiet_seconds(case) is None,
        when="no heartbeat can be read on the standby, or none ever was",
        why_here="The third path is blind: that it stopped must be seen, not assumed.",
        guard=True,
    ),
    Rule(
        reason=Reason.DISARMED,
        action=Action.NOTIFY,
        applies=is_disarmed,
        when="the off-switch is set and has not expired",
        why_here="A person's word comes before every rule of time below.",
        guard=True,
    ),
    Rule(
        reason=Reason.COOLDOWN,
        action=Action.NOTIFY,
        applies=is_in_cooldown,
        when="the roles changed, or a failover failed, less than cooldown ago",
        why_here="Two changes in a row are for people. Before asking: an approval would not help until it is over.",
        guard=True,
    ),
    Rule(
        reason=Reason.LOCK_HELD,
        action=Action.HOLD,
        applies=lock_is_held,
        when="another invocation holds the lock, and it has not expired",
        why_here="It is about to act on the same verdict; if it dies, the lock expires.",
        guard=True,
    ),
    Rule(
        reason=Reason.OBSERVE_ONLY,
        action=Action.NOTIFY,
        applies=lambda case: case.policy.mode is Mode.OBSERVE,
        when="`mode: observe`: it would fail over, or ask, now, and says so",
        why_here="Before the rows that ask: in this mode no approval counts.",
        guard=True,
    ),
    Rule(
        reason=Reason.REGION_UNCLEAR,
        action=Action.REQUEST_APPROVAL,
        applies=lambda case: region_is_unclear(case) and not is_approved(case),
        when="the port is dead, no heartbeat came and nobody saw the writer alive for longer than in_region_grace, but the other "
        "region answers nothing clear, and no person approved",
        why_here="Regions rarely fall silent: they err. Whether this one is lost is a person's judgement, which comes before its price.",
        guard=True,
    ),
    Rule(
        reason=Reason.STANDBY_NOT_SYNCHRONIZED,
        action=Action.REQUEST_APPROVAL,
        applies=standby_is_not_synchronized,
        when="RDS says that the standby's synchronization is not `connected`, and no person approved",
        why_here="Its volume may be far behind, whatever the last lag was. AWS doesn't say what the word means in an outage, so that "
        "it holds nothing for ever.",
        guard=True,
    ),
    Rule(
        reason=Reason.LAG_UNKNOWN,
        action=Action.REQUEST_APPROVAL,
        applies=lambda case: lag_before_outage_ms(case) is None and not is_approved(case),
        when="the lag before the outage was never measured, or too long before it, and no person approved",
        why_here="Unknown loss is not little loss. Before the comparison, which needs a number.",
        guard=True,
    ),
    Rule(
        reason=Reason.LAG_TOO_HIGH,
        action=Action.REQUEST_APPROVAL,
        applies=lag_is_too_high,
        when="the lag before the outage is above max_data_loss, and no person approved",
        why_here="Losing this much is a person's decision. Before the mode, as the question should name the loss.",
        guard=True,
    ),
    Rule(
        reason=Reason.APPROVAL_NEEDED,
        action=Action.REQUEST_APPROVAL,
        applies=lambda case: case.policy.mode is not Mode.AUTOMATIC and not is_approved(case),
        when="`mode: approve`, and no person approved the pending decision",
        why_here="The last guard: whoever is asked is asked about an act that nothing else would stop.",
        guard=True,
    ),
    Rule(
        reason=Reason.REGION_IMPAIRED,
        action=Action.FAIL_OVER,
        applies=lambda case: region_is_unclear(case) and is_approved(case),
        when="the writer has been dead for longer than in_region_grace, the other region answers nothing clear, and a person approved",
        why_here="Before the two that need no person: what it takes for unclear would be clear to them.",
    ),
    Rule(
        reason=Reason.WRITER_DOWN,
        action=Action.FAIL_OVER,
        applies=lambda case: case.seen.peer_port is Port.DEAD and case.seen.peer is Peer.DOWN,
        when="the other region lives, but its writer has been down for longer than in_region_grace",
        why_here="Aurora did not heal it inside the region.",
    ),
    Rule(
        reason=Reason.REGION_LOST,
        action=Action.FAIL_OVER,
        applies=lambda case: case.seen.peer_port is Port.DEAD and case.seen.peer is Peer.SILENT,
        when="the port is dead, the other region is silent and the heartbeat has stopped, for failure_threshold cycles",
        why_here="All three independent paths agree.",
    ),
    Rule(
        reason=Reason.UNDECIDED,
        action=Action.NOTIFY,
        applies=lambda case: True,
        when="nothing above applies",
        why_here="The last row holds: what nobody thought of is no ground to act.",
    ),
)
"""The table. Order is meaning; a test asserts its shape."""


def _evidence(case: Case) -> Evidence:
    seen, state = case.seen, case.state
    quiet = heartbeat_quiet_seconds(case)
    return {
        "writer": seen.writer,
        "writer_port": seen.peer_port if seen.writer is not Side.OWN else seen.own_port,
        "own_port": seen.own_port,
        "peer": seen.peer,
        "operation": None if seen.operation is None else seen.operation.status,
        "standby_status": seen.standby_status,
        "standby_instances": seen.standby_instances,
        "synchronization": seen.synchronization,
        "silent_cycles": state.silent_cycles,
        "dead_cycles": state.dead_cycles,
        "dead_since": None if state.dead_since is None else state.dead_since.isoformat(),
        "last_heartbeat": state.heartbeats[-1] if state.heartbeats else None,
        "heartbeat_quiet_seconds": None if quiet is None else round(quiet, 3),
        "lag_before_outage_ms": lag_before_outage_ms(case),
        "details": "; ".join(seen.details) or None,
    }
