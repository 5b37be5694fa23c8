"""The commands that only look: status and history.

Owns what is read and in which order. Does not own the view (`status.py`). Invariant: writes nothing; one part that
can't be read never hides the others.
"""

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
from operations.commands.session import Session
from operations.commands.status_environment import RegionStatus, read_alarms, read_dns, read_lag
from operations.commands.status_view import RegionView, exit_code, status_json, status_lines
from operations.stack.deployment import DeployedRegion
from operations.stack.resources import StackResources, read_resources
from operations.support.deadlines import call_concurrently
from operations.support.errors import AwsError, ExitCode, OperationError
from operations.support.times import utc_text

NOTICES_SHOWN = 5
NOTICES = "Last notices"

_HEADINGS = ("At", "Reason", "Action", "What")


def show_status(session: Session, region: str | None) -> ExitCode:
    """Show one region: the named one, else the standby, else, if that is silent, the writer's."""
    sight = _sight(session, region)
    title, lines = _view(session, sight)
    session.screen.labelled(status_json(session.deployment, sight), title, lines)
    if sight.entries:
        session.screen.table(NOTICES, _HEADINGS, _rows(sight.entries))
    return exit_code(sight)


def watch_status(session: Session, region: str | None, every_seconds: float) -> ExitCode:
    """Show one region again and again, until Ctrl-C; a look that fails is shown as such, and the next one is tried.

    Without a named region it is the standby at each look: after a change of roles that is the other one.
    """
    with session.screen.live() as show:
        try:
            while True:
                try:
                    sight = _sight(session, region)
                    title, lines = _view(session, sight)
                    notices = _rows(sight.entries or ())
                    show(status_json(session.deployment, sight), title, lines, NOTICES, _HEADINGS, notices)
                except AwsError as error:
                    values = {"at": utc_text(session.now()), "error": error.message, "hint": error.hint}
                    show(values, f"{utc_text(session.now())}: {error.message}", [("Hint", error.hint)], "", (), [])
                session.sleep(every_seconds)
        except KeyboardInterrupt:
            return ExitCode.DONE


def _view(session: Session, sight: RegionView) -> tuple[str, list[tuple[str, str]]]:
    """Return the title and the lines that people see."""
    title = f"{session.deployment.global_cluster_id}, seen from {sight.region.name} at {sight.at:%Y-%m-%d %H:%M:%S} UTC"
    return title, status_lines(session.deployment, sight)


def show_history(session: Session, region_name: str | None, limit: int) -> ExitCode:
    """Show the audit trail of one region, newest first: the named one's, else the standby's, else the writer's."""
    region, code = choose(session.deployment, session.connect, region_name), ExitCode.DONE
    items = _trail(session, region, limit)
    if isinstance(items, AwsError) and region_name is None:
        other = session.deployment.other(region)
        instead = _trail(session, other, limit)
        if not isinstance(instead, OperationError):
            session.screen.note(f"{_silent(region, items.message)}: this is the trail of {other.name}.")
            region, items, code = other, instead, ExitCode.PARTLY
    if isinstance(items, OperationError):
        raise items
    entries = [parse_audit_entry(item) for item in items]
    values = [entry.to_json() for entry in entries]
    session.screen.rows(values, f"Audit trail of {region.name}, newest first", _HEADINGS, _rows(entries))
    return code


def _trail(session: Session, region: DeployedRegion, limit: int) -> Sequence[Item] | OperationError:
    (end,) = call_concurrently([partial(session.connect(region).read_history, limit)])
    return end


def _silent(standby: DeployedRegion, why: str) -> str:
    return f"{standby.name}, the standby, does not answer ({why})"


def _rows(entries: Sequence[AuditEntry]) -> list[tuple[str, str, str, str]]:
    return [(entry.at, entry.reason, entry.action, _what(entry)) for entry in entries]


def _what(entry: AuditEntry) -> str:
    evidence = entry.evidence
    if entry.action == OPERATOR:
        said = [f"by {evidence.get('by')}"]
        said += [f"{name}: {evidence[name]}" for name in ("why", "until", "decision_id") if evidence.get(name)]
        return "; ".join(said)
    return str(entry.line.get("next") or evidence.get("message") or entry.line.get("line") or "")


def _sight(session: Session, region_name: str | None) -> RegionView:
    """Look at the named region, else at the standby: after a failover that may be the lost one, and the writer's is shown."""
    region = choose(session.deployment, session.connect, region_name)
    sight = _look(session, region)
    if region_name is not None or exit_code(sight) is not ExitCode.AWS:
        return sight
    other = _look(session, session.deployment.other(region))
    if exit_code(other) is ExitCode.AWS:
        return sight
    return replace(other, failures={"standby": _silent(region, sight.failures["table"]), **other.failures})


def _look(session: Session, region: DeployedRegion) -> RegionView:
    """Read everything of one region side by side; what fails is named, and the rest is shown."""
    api = session.connect(region)
    calls: list[Callable[[], Any]] = [
        partial(api.read_items, [STATE, SWITCH]),
        api.read_roles,
        api.read_policy,
        partial(api.read_history, NOTICES_SHOWN),
    ]
    parts = ["table", "RDS", "mode", "history"]
    resources = _surface(session)
    here = None if isinstance(resources, OperationError) else resources.in_region(region.name)
    if here is not None and not isinstance(resources, OperationError):
        read_api_for = session.read_api_for
        parts += ["lag", "DNS", "alarms"]
        calls += [
            partial(read_lag, here, read_api_for, session.now()),
            partial(read_dns, resources, here, read_api_for),
            partial(read_alarms, here, read_api_for),
        ]
    answers: dict[str, Any] = dict(zip(parts, call_concurrently(calls), strict=True))
    failures = {name: answer.message for name, answer in answers.items() if isinstance(answer, OperationError)}
    around = None
    if isinstance(resources, OperationError):
        failures["surroundings"] = resources.message
    elif here is not None:
        seen = {name: None if name in failures else answers[name] for name in ("lag", "DNS", "alarms")}
        around = RegionStatus(resources=resources, here=here, lag=seen["lag"], dns=seen["DNS"], alarms=seen["alarms"])
    items = None if "table" in failures else answers["table"]
    state = None if items is None else parse_state(items[STATE])
    answer = None
    if state is not None and state.value is not None and state.value.pending is not None:
        key = approval_key(state.value.pending.id)
        (found,) = call_concurrently([partial(api.read_items, [key])])
        if isinstance(found, OperationError):
            failures["approval"] = found.message
        else:
            answer = parse_approval(found[key])
    return RegionView(
        region=region,
        at=session.now(),
        state=state,
        answer=answer,
        switch=None if items is None else parse_switch(items[SWITCH]),
        seats=None if "RDS" in failures else roles_from_rds(session.deployment, answers["RDS"]),
        policy=None if "mode" in failures else answers["mode"],
        entries=None if "history" in failures else [parse_audit_entry(item) for item in answers["history"]],
        around=around,
        failures=failures,
    )


def _surface(session: Session) -> StackResources | OperationError:
    """Return what the outputs show; saved ones may be older than this command, and what matters most is in the table."""
    try:
        return read_resources(session.outputs)
    except OperationError as error:
        return error
