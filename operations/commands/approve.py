"""The command that answers a pending decision: approve.

Owns the steps: read the question with its evidence, show it, ask, write the answer. Does not own what is refused
(`approval.py`). Invariant: no answer without the evidence having been shown.
"""

from datetime import datetime
from functools import partial

from operations.aws.ports import Item
from operations.aws.roles import choose
from operations.aws.table_items import (
    STATE,
    SWITCH,
    AuditEntry,
    approval_key,
    describe_switch,
    is_armed,
    parse_approval,
    parse_audit_entry,
    parse_state,
    parse_switch,
)
from operations.commands.approve_plan import approval_change, evidence_of, question_of
from operations.commands.session import Session, write
from operations.support.deadlines import call_with_deadline
from operations.support.errors import ExitCode, OperationRefusedError

NOTICES_SEARCHED = 200


def approve(session: Session, region_name: str | None, decision_id: str) -> ExitCode:
    """Answer the one pending decision with yes."""
    deployment = session.deployment
    region = choose(deployment, session.connect, region_name)
    api, key = session.connect(region), approval_key(decision_id)
    items = call_with_deadline(partial(api.read_items, [STATE, SWITCH, key]))
    state = parse_state(items[STATE])
    pending = question_of(region, state, parse_approval(items[key]), decision_id, session.now())
    if state.value is None:  # question_of refuses it
        raise OperationRefusedError("nothing is known of the question", hint="Look at `status`.")
    history = call_with_deadline(partial(api.read_history, NOTICES_SEARCHED, pending.asked_at.isoformat()))
    waiting = [
        _undelivered(notice.id, notice.at, notice.reason, notice.action, notice.line) for notice in state.value.outbox
    ]
    evidence = evidence_of(pending, state.value, [*reversed(waiting), *(parse_audit_entry(item) for item in history)])
    session.screen.note(
        f"Decision {pending.id} in {region.name}: {pending.verdict}, waits for an answer. Its evidence:"
    )
    for name, value in evidence.items():
        session.screen.note(f"  {name}: {value}")
    switch = parse_switch(items[SWITCH])
    if switch.problem is not None or not is_armed(switch.value, session.now()):
        session.screen.note(
            f"Note: the switch is {describe_switch(switch, session.now())}. Nothing is promoted before `arm`."
        )
    by = call_with_deadline(api.caller)
    session.screen.note(
        f"Confirmed, it means: {region.name} becomes the writer at the next cycles, if the verdict still stands."
    )
    session.confirm(f"Approve {pending.id} as {by}?")
    change = approval_change(deployment, region, pending, by=by, at=session.now(), change_id=session.new_id())
    write(api, change, region, _tell_of)
    session.screen.result(
        {"approved": pending.id, "region": region.name, "by": by, "evidence": evidence},
        [f"Approved {pending.id} in {region.name} as {by}. Follow it with `status`."],
    )
    return ExitCode.DONE


def _tell_of(theirs: Item | None) -> str:
    answer = parse_approval(theirs).value
    return "the decision was answered" if answer is None else f"the decision was answered by {answer.by}"


def _undelivered(identity: str, at: datetime, reason: str, action: str, line: str) -> AuditEntry:
    return parse_audit_entry(
        {"sort": f"{at.isoformat()}#{identity}", "at": at.isoformat(), "reason": reason, "action": action, "line": line}
    )
