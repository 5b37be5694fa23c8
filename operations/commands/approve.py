"""The command `approve`: show the pending decision with its evidence, ask for confirmation, write the approval."""

from functools import partial

from operations.aws.ports import Item
from operations.aws.roles import choose
from operations.aws.table_items import (
    STATE,
    SWITCH,
    approval_key,
    describe_switch,
    is_armed,
    parse_approval,
    parse_audit_entry,
    parse_state,
    parse_switch,
)
from operations.commands.approve_plan import approval_change, evidence_of, pending_decision
from operations.commands.context import CommandContext, write
from operations.support.deadlines import call_with_deadline
from operations.support.errors import ExitCode

NOTICES_SEARCHED = 200


def approve(context: CommandContext, region_name: str | None, decision_id: str) -> ExitCode:
    """Approve the pending decision."""
    deployment, note = context.deployment, context.screen.note
    region = choose(deployment, context.connect, region_name)
    api, key = context.connect(region), approval_key(decision_id)
    items = call_with_deadline(partial(api.read_items, [STATE, SWITCH, key]))
    state, pending = pending_decision(
        region, parse_state(items[STATE]), parse_approval(items[key]), decision_id, context.now()
    )
    history = call_with_deadline(partial(api.read_history, NOTICES_SEARCHED, pending.asked_at.isoformat()))
    undelivered = [
        {
            "sort": f"{notice.at.isoformat()}#{notice.id}",
            "at": notice.at.isoformat(),
            "reason": notice.reason,
            "action": notice.action,
            "line": notice.line,
        }
        for notice in reversed(state.outbox)
    ]
    evidence = evidence_of(pending, state, [parse_audit_entry(item) for item in [*undelivered, *history]])
    note(f"Decision {pending.id} in {region.name}: {pending.verdict}, waiting for approval. Evidence:")
    for name, value in evidence.items():
        note(f"  {name}: {value}")
    switch = parse_switch(items[SWITCH])
    if switch.problem is not None or not is_armed(switch.value, context.now()):
        note(f"Note: the switch is {describe_switch(switch, context.now())}. No promotion happens before `arm`.")
    by = call_with_deadline(api.caller)
    note(f"If confirmed, {region.name} becomes the writer within the next cycles, if the verdict still applies.")
    context.confirm(f"Approve {pending.id} as {by}?")
    change = approval_change(deployment, region, pending, by=by, at=context.now(), change_id=context.new_id())
    write(api, change, region, _describe_approval)
    context.screen.result(
        {"approved": pending.id, "region": region.name, "by": by, "evidence": evidence},
        [f"Approved {pending.id} in {region.name} as {by}. Follow it with `status`."],
    )
    return ExitCode.DONE


def _describe_approval(item: Item | None) -> str:
    approval = parse_approval(item).value
    return "the decision was answered" if approval is None else f"the decision was answered by {approval.by}"
