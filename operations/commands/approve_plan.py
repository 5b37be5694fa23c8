"""Approve: whether the one pending decision may be answered, decided from what was read.

Owns what is refused and why. Does no I/O. Invariant: a yes is written only under the exact id of the decision that
the controller asks about now, and only once; the controller takes it only while its verdict stands.
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


def question_of(
    region: DeployedRegion, state: ParsedItem[State], approval: ParsedItem[Approval], decision_id: str, now: datetime
) -> Pending:
    """Return the pending decision if it may be answered by `decision_id` now.

    Raises:
        OperationRefusedError: why not, and what to do.
    """
    region_name, value = region.name, state.value
    if state.problem is not None:
        raise OperationRefusedError(
            f"the controller's state in {region_name} can't be understood: {state.problem}",
            hint="The runbook, heading `state-unreadable`.",
        )
    if value is None:
        raise OperationRefusedError(f"the controller in {region_name} has never beaten", hint="Look at `status`.")
    if value.attempt is not None:
        raise OperationRefusedError(
            f"a failover to {region_name} was called at {utc_text(value.attempt.started_at)}: there is nothing left to approve",
            hint="Follow it with `status`.",
        )
    if value.pending is None:
        raise OperationRefusedError(
            f"no decision is pending in {region_name}",
            hint="A question ends when the trouble does; look at `status` and `history`, in the standby region.",
        )
    if value.pending.id != decision_id:
        raise OperationRefusedError(
            f"{decision_id!r} is not the decision that is pending in {region_name}",
            hint=f"Pending since {utc_text(value.pending.asked_at)} is {value.pending.id!r}. Read its evidence in `status` first.",
        )
    _refuse_if_answered(approval, decision_id)
    silent_seconds = None if value.cycle_at is None else (now - value.cycle_at).total_seconds()
    if silent_seconds is None or silent_seconds > CONTROLLER_SILENT_SECONDS:
        since = "ever" if silent_seconds is None else f"for {age_text(silent_seconds)}"
        raise OperationRefusedError(
            f"the question has expired: the controller in {region_name} has not beaten {since}, so what it saw is stale",
            hint="Find out why it is silent (alarm, log). Once it cycles, it asks again, or still asks, if the verdict stands.",
        )
    return value.pending


def evidence_of(pending: Pending, state: State, entries: Sequence[AuditEntry]) -> dict[str, object]:
    """Return what the newest notice of this decision rests on, and what the controller remembers as of its last cycle."""
    notified = [entry for entry in entries if entry.action != OPERATOR]
    asked = [entry for entry in notified if entry.evidence.get("decision_id") == pending.id]
    notice: Mapping[str, object] = {"held_by": asked[0].reason, **asked[0].evidence} if asked else {}
    now_known = {
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
    return {**{name: value for name, value in notice.items() if value is not None}, **now_known}


def approval_change(
    deployment: StackDeployment, region: DeployedRegion, pending: Pending, *, by: str, at: datetime, change_id: str
) -> TableWrite:
    """Return the yes and its trace."""
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
        over=None,
        audit_key=audit_key,
        audit_item=trace,
    )


def _refuse_if_answered(approval: ParsedItem[Approval], decision_id: str) -> None:
    if approval.raw is None:
        return
    if approval.value is None:
        answer = f"but the answer can't be understood ({approval.problem})"
    else:
        answer = f"{'approved' if approval.value.approved else 'rejected'} by {approval.value.by or 'unknown'}"
    raise OperationRefusedError(
        f"decision {decision_id!r} is answered already: {answer}",
        hint="An answer counts only while the verdict stands; look at `status`.",
    )
