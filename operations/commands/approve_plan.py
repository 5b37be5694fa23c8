"""Rules of `approve`: when the pending decision may be answered, and what is written.

Invariant: an approval is written once, under the exact id of the pending decision.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from functions.failover_controller.model import Approval, Pending, State
from operations.aws.ports import TableWrite
from operations.aws.table_items import (
    CONTROLLER_SILENT_SECONDS,
    OPERATOR,
    AuditEntry,
    OperatorReason,
    ParsedItem,
    approval_item,
    approval_key,
    audit_entry,
)
from operations.stack.deployment import DeployedRegion, StackDeployment
from operations.support.errors import OperationRefusedError
from operations.support.times import age_text, utc_text


def pending_decision(
    region: DeployedRegion, state: ParsedItem[State], approval: ParsedItem[Approval], decision_id: str, now: datetime
) -> tuple[State, Pending]:
    """Return the state and its pending decision if `decision_id` may be approved now.

    Raises:
        OperationRefusedError: it may not be approved.
    """
    where, value = region.name, state.value
    if state.problem is not None:
        raise OperationRefusedError(
            f"the controller's state in {where} can't be parsed: {state.problem}",
            hint="See `state-unreadable` in the runbook.",
        )
    if value is None:
        raise OperationRefusedError(f"the controller in {where} has not completed a cycle yet", hint="Check `status`.")
    if value.attempt is not None:
        raise OperationRefusedError(
            f"a failover to {where} was started at {utc_text(value.attempt.started_at)}: an approval is no longer needed",
            hint="Follow it with `status`.",
        )
    if value.pending is None:
        raise OperationRefusedError(
            f"no decision is pending in {where}",
            hint="A request ends when the problem does. Check `status` and `history` in the standby region.",
        )
    if value.pending.id != decision_id:
        raise OperationRefusedError(
            f"{decision_id!r} is not the pending decision in {where}",
            hint=f"{value.pending.id!r} has been pending since {utc_text(value.pending.asked_at)}. Read its evidence in `status` first.",
        )
    if approval.raw is not None:
        raise OperationRefusedError(
            f"decision {decision_id!r} is answered already: {_answer(approval)}",
            hint="An approval counts only while its verdict still applies. Check `status`.",
        )
    silent_seconds = None if value.cycle_at is None else (now - value.cycle_at).total_seconds()
    if silent_seconds is None or silent_seconds > CONTROLLER_SILENT_SECONDS:
        since = "at all yet" if silent_seconds is None else f"for {age_text(silent_seconds)}"
        raise OperationRefusedError(
            f"the request has expired: the controller in {where} has not run {since}, and its observations are stale",
            hint="Find out why the controller is silent: see the alarm `controller-silent` and the log. "
            "Once it runs, it repeats the request if the verdict still applies.",
        )
    return value, value.pending


def evidence_of(pending: Pending, state: State, entries: Sequence[AuditEntry]) -> dict[str, object]:
    """Return the evidence in the newest notice of this decision, and the controller's state as of its last cycle."""
    notices = [
        entry for entry in entries if entry.action != OPERATOR and entry.evidence.get("decision_id") == pending.id
    ]
    notice: Mapping[str, object] = {"held_by": notices[0].reason, **notices[0].evidence} if notices else {}
    current = {
        "verdict": str(pending.verdict),
        "asked_at": utc_text(pending.asked_at),
        "last_cycle_at": None if state.cycle_at is None else utc_text(state.cycle_at),
        "dead_since": None if state.dead_since is None else utc_text(state.dead_since),
        "dead_cycles": state.dead_cycles,
        "silent_cycles": state.silent_cycles,
        "last_lag_ms": state.lag_ms,
        "last_lag_at": None if state.lag_at is None else utc_text(state.lag_at),
        "last_heartbeat": state.heartbeats[-1] if state.heartbeats else None,
    }
    return {**{name: value for name, value in notice.items() if value is not None}, **current}


def approval_change(
    deployment: StackDeployment, region: DeployedRegion, pending: Pending, *, by: str, at: datetime, change_id: str
) -> TableWrite:
    """Return the approval with its entry in the audit trail."""
    verdict = str(pending.verdict)
    audit_key, trace = audit_entry(
        OperatorReason.APPROVE,
        global_cluster_id=deployment.global_cluster_id,
        region=region.name,
        at=at,
        change_id=change_id,
        evidence={"by": by, "decision_id": pending.id, "verdict": verdict},
    )
    return TableWrite(
        key=approval_key(pending.id),
        attributes=approval_item(by=by, at=at, verdict=verdict, change_id=change_id),
        previous=None,
        audit_key=audit_key,
        audit_item=trace,
    )


def _answer(approval: ParsedItem[Approval]) -> str:
    if approval.value is None:
        return f"the answer can't be parsed ({approval.problem})"
    return f"{'approved' if approval.value.approved else 'rejected'} by {approval.value.by or 'unknown'}"
