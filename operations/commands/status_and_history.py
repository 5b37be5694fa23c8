"""The commands `status` and `history`. They write nothing; a part that can't be read never hides the others."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from operations.aws.ports import Item
from operations.aws.roles import choose, roles_from_rds
from operations.aws.table_items import (
    OPERATOR,
    STATE,
    SWITCH,
    AuditEntry,
    approval_key,
    parse_approval,
    parse_audit_entry,
    parse_state,
    parse_switch,
)
from operations.commands.context import CommandContext
from operations.commands.status_environment import RegionStatus, read_alarms, read_dns, read_lag
from operations.commands.status_headline import StatusHeadline, headline
from operations.commands.status_view import RegionView, is_unreadable, known_roles, status_lines, view_json
from operations.stack.deployment import DeployedRegion
from operations.stack.resources import StackResources, read_resources
from operations.support.deadlines import call_concurrently
from operations.support.errors import AwsError, ExitCode, OperationError
from operations.support.times import utc_text

NOTICES_SHOWN = 5
NOTICES = "Last notices"

_HEADINGS = ("At", "Reason", "Action", "Details")


def show_status(context: CommandContext, region: str | None) -> ExitCode:
    """Show one region: the named one, else the standby's, else, if that is unreachable, the writer's.

    The exit code is the headline's.
    """
    view = _read_view(context, region)
    first = _headline(context, view)
    context.screen.labelled(_json(context, view, first), _title(context, view, first), _lines(context, view))
    if view.entries:
        context.screen.table(NOTICES, _HEADINGS, _rows(view.entries))
    return first.exit_code


def watch_status(context: CommandContext, region: str | None, every_seconds: float) -> ExitCode:
    """Show one region repeatedly until Ctrl-C; errors are shown, and the next refresh tries again.

    Without a named region each refresh shows the current standby.
    """
    with context.screen.live() as show:
        try:
            while True:
                try:
                    view = _read_view(context, region)
                    first = _headline(context, view)
                    notices = (NOTICES, _HEADINGS, _rows(view.entries or ()))
                    values, title = _json(context, view, first), _title(context, view, first)
                    show(values, title, _lines(context, view), *notices)
                except AwsError as error:
                    at = utc_text(context.now())
                    values = {"at": at, "error": error.message, "hint": error.hint}
                    show(values, f"{at}: {error.message}", [("Hint", error.hint)], "", (), [])
                context.sleep(every_seconds)
        except KeyboardInterrupt:
            return ExitCode.DONE


def _headline(context: CommandContext, view: RegionView) -> StatusHeadline:
    first = headline(view, known_roles(context.deployment, view))
    return replace(first, wanted=context.with_stack_options(first.wanted))


def _json(context: CommandContext, view: RegionView, first: StatusHeadline) -> dict[str, object]:
    return {"headline": first.to_json(), **view_json(context.deployment, view)}


def _title(context: CommandContext, view: RegionView, first: StatusHeadline) -> str:
    cluster = context.deployment.global_cluster_id
    return f"{first.text}\n{cluster}, seen from {view.region.name} at {view.at:%Y-%m-%d %H:%M:%S} UTC"


def _lines(context: CommandContext, view: RegionView) -> list[tuple[str, str]]:
    return status_lines(context.deployment, view)


def show_history(context: CommandContext, region_name: str | None, limit: int) -> ExitCode:
    """Show the audit trail of one region, newest first: the named one's, else the standby's, else the writer's."""
    region, code = choose(context.deployment, context.connect, region_name), ExitCode.DONE
    items = _read_history(context, region, limit)
    if isinstance(items, AwsError) and region_name is None:
        other = context.deployment.other(region)
        instead = _read_history(context, other, limit)
        if not isinstance(instead, OperationError):
            context.screen.note(f"{_unreachable(region, items.message)}: showing the audit trail of {other.name}.")
            region, items, code = other, instead, ExitCode.PARTLY
    if isinstance(items, OperationError):
        raise items
    entries = [parse_audit_entry(item) for item in items]
    values = [entry.to_json() for entry in entries]
    context.screen.rows(values, f"Audit trail of {region.name}, newest first", _HEADINGS, _rows(entries))
    return code


def _read_history(context: CommandContext, region: DeployedRegion, limit: int) -> Sequence[Item] | OperationError:
    (result,) = call_concurrently([partial(context.connect(region).read_history, limit)])
    return result


def _unreachable(standby: DeployedRegion, reason: str) -> str:
    return f"{standby.name}, the standby, does not respond ({reason})"


def _rows(entries: Sequence[AuditEntry]) -> list[tuple[str, str, str, str]]:
    return [(entry.at, entry.reason, entry.action, _details(entry)) for entry in entries]


def _details(entry: AuditEntry) -> str:
    evidence = entry.evidence
    if entry.action == OPERATOR:
        names = [name for name in ("why", "until", "decision_id") if evidence.get(name)]
        return "; ".join([f"by {evidence.get('by')}", *(f"{name}: {evidence[name]}" for name in names)])
    return str(entry.line.get("summary") or evidence.get("message") or entry.line.get("line") or "")


def _read_view(context: CommandContext, region_name: str | None) -> RegionView:
    """Read the named region, else the standby's; if that is unreachable, as after a failover, the writer's."""
    region = choose(context.deployment, context.connect, region_name)
    view = _read_region(context, region)
    if region_name is not None or not is_unreadable(view):
        return view
    other = _read_region(context, context.deployment.other(region))
    if is_unreadable(other):
        return view
    return replace(other, failures={"standby": _unreachable(region, view.failures["table"]), **other.failures})


def _read_region(context: CommandContext, region: DeployedRegion) -> RegionView:
    """Read all parts of one region in parallel; failed parts are named in `failures`."""
    api, read_api_for = context.connect(region), context.read_api_for
    calls: dict[str, Callable[[], Any]] = {
        "table": partial(api.read_items, [STATE, SWITCH]),
        "RDS": api.read_roles,
        "mode": api.read_environment,
        "history": partial(api.read_history, NOTICES_SHOWN),
    }
    failures: dict[str, str] = {}
    resources: StackResources | None = None
    try:
        resources = read_resources(context.outputs)
        here = resources.in_region(region.name)
        calls["lag"] = partial(read_lag, here, read_api_for, context.now())
        calls["DNS"] = partial(read_dns, resources, here, read_api_for)
        calls["alarms"] = partial(read_alarms, here, read_api_for)
    except OperationError as error:  # saved outputs may be older than this command
        failures["outputs"] = error.message
    answers: dict[str, Any] = dict(zip(calls, call_concurrently(list(calls.values())), strict=True))
    failures |= {name: answer.message for name, answer in answers.items() if isinstance(answer, OperationError)}
    results = {name: answer for name, answer in answers.items() if name not in failures}
    status = None
    if resources is not None:
        status = RegionStatus(
            resources=resources,
            here=resources.in_region(region.name),
            lag=results.get("lag"),
            dns=results.get("DNS"),
            alarms=results.get("alarms"),
        )
    items = results.get("table")
    state = None if items is None else parse_state(items[STATE])
    approval = None
    if state is not None and state.value is not None and state.value.pending is not None:
        key = approval_key(state.value.pending.id)
        (found,) = call_concurrently([partial(api.read_items, [key])])
        if isinstance(found, OperationError):
            failures["approval"] = found.message
        else:
            approval = parse_approval(found[key])
    return RegionView(
        region=region,
        at=context.now(),
        state=state,
        approval=approval,
        switch=None if items is None else parse_switch(items[SWITCH]),
        roles=None if "RDS" in failures else roles_from_rds(context.deployment, answers["RDS"]),
        policy=results.get("mode"),
        entries=None if "history" in failures else [parse_audit_entry(item) for item in answers["history"]],
        status=status,
        failures=failures,
    )
