"""One region on one screen: what is shown of roles, controller, switch, question, attempt and notices.

Owns the view, made from what could be read; what could not is named, never guessed. Does no I/O.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.failover_controller.model import Approval, State, Switch
from operations.aws.roles import Roles, reconcile, roles_from_state
from operations.aws.table_items import (
    CONTROLLER_SILENT_SECONDS,
    AuditEntry,
    ParsedItem,
    changed_at,
    describe_switch,
    is_armed,
)
from operations.commands.approve_plan import evidence_of
from operations.commands.status_environment import (
    RegionStatus,
    alarms_text,
    dns_text,
    endpoint_lines,
    lag_text,
    vicinity_json,
)
from operations.stack.deployment import DeployedRegion, StackDeployment
from operations.support.errors import ExitCode
from operations.support.times import age_text, utc_text

_SAID = ("verdict", "decision_id")
"""What of the evidence stands at the head of the line already."""


@dataclass(frozen=True, kw_only=True)
class RegionView:
    """What one look at a region brought; `None` where a part could not be read, and why in `failures`."""

    region: DeployedRegion
    at: datetime
    state: ParsedItem[State] | None
    answer: ParsedItem[Approval] | None
    """A person's answer to the pending decision."""
    switch: ParsedItem[Switch] | None
    seats: Roles | None
    policy: Mapping[str, str] | None
    entries: Sequence[AuditEntry] | None
    around: RegionStatus | None
    """What stands around the controller; None when the outputs don't say where that is."""
    failures: Mapping[str, str]


def exit_code(sight: RegionView) -> ExitCode:
    """Return 0 when all was read but perhaps the mode, 4 when neither table nor RDS was, else 5."""
    missing = [part for part in ("standby", "table", "approval", "history", "RDS") if part in sight.failures]
    if not missing:
        return ExitCode.DONE
    return ExitCode.AWS if {"table", "RDS"} <= set(missing) else ExitCode.PARTLY


def status_json(deployment: StackDeployment, sight: RegionView) -> dict[str, object]:
    """Return the view for machines; `null` where something is unknown or absent."""
    state = None if sight.state is None else sight.state.value
    seats = _seats(deployment, sight)
    return {
        "global_cluster": deployment.global_cluster_id,
        "region": sight.region.name,
        "at": utc_text(sight.at),
        "roles": {
            "writer": None if seats.writer is None else seats.writer.name,
            "standby": None if seats.standby is None else seats.standby.name,
            "operation": seats.operation,
            "source": seats.source,
        },
        "controller": _controller(sight, state),
        "switch": _switch(sight),
        "pending": _pending(sight, state),
        "attempt": _attempt(state),
        "lag": _lag(state),
        **({} if sight.around is None else vicinity_json(sight.around)),
        "notices": None if sight.entries is None else [entry.to_json() for entry in sight.entries],
        "not_read": dict(sight.failures),
    }


def status_lines(deployment: StackDeployment, sight: RegionView) -> list[tuple[str, str]]:
    """Return the view for people: a label and a text each."""
    seats = _seats(deployment, sight)
    return [
        ("Roles", _roles_text(seats, sight.region)),
        ("Lag", _lag_text(sight)),
        *_around_lines(sight, seats),
        ("Controller", _controller_text(sight)),
        ("Switch", "unknown" if sight.switch is None else describe_switch(sight.switch, sight.at)),
        ("Pending", _pending_text(sight)),
        ("Failover", _attempt_text(sight)),
        *(("Not read", f"{part}: {why}") for part, why in sight.failures.items()),
    ]


def _around_lines(sight: RegionView, seats: Roles) -> list[tuple[str, str]]:
    if sight.around is None:
        return []
    writer = None if seats.writer is None else seats.writer.name
    return [
        ("DNS", dns_text(sight.around, writer)),
        *endpoint_lines(sight.around),
        ("Alarms", alarms_text(sight.around)),
    ]


def _lag(state: State | None) -> dict[str, object]:
    return {
        "seen_ms": None if state is None else state.lag_ms,
        "seen_at": None if state is None or state.lag_at is None else utc_text(state.lag_at),
    }


def _lag_text(sight: RegionView) -> str:
    state = None if sight.state is None else sight.state.value
    if state is None or state.lag_ms is None:
        seen = "the controller has seen none"
    else:
        at = "" if state.lag_at is None else f", {age_text((sight.at - state.lag_at).total_seconds())} ago"
        seen = f"{state.lag_ms:g} ms as the controller saw it last{at}"
    return seen if sight.around is None else f"{seen}; {lag_text(sight.around)}"


def _seats(deployment: StackDeployment, sight: RegionView) -> Roles:
    if sight.seats is not None and sight.seats.standby is not None:
        return sight.seats
    state = None if sight.state is None else sight.state.value
    return reconcile([roles_from_state(deployment, sight.region, state)])


def _controller(sight: RegionView, state: State | None) -> dict[str, object]:
    policy = sight.policy or {}
    age_seconds = _cycle_age_seconds(sight, state)
    return {
        "mode": policy.get("MODE"),
        "interval_seconds": _number(policy.get("INTERVAL_SECONDS")),
        "last_cycle_at": None if state is None or state.cycle_at is None else utc_text(state.cycle_at),
        "last_cycle_age_seconds": None if age_seconds is None else round(age_seconds, 1),
        "beating": None if age_seconds is None else age_seconds <= CONTROLLER_SILENT_SECONDS,
        "dead_since": None if state is None or state.dead_since is None else utc_text(state.dead_since),
        "notified": [] if state is None else [str(reason) for reason in state.notified],
        "state_problem": None if sight.state is None else sight.state.problem,
    }


def _switch(sight: RegionView) -> dict[str, object] | None:
    if sight.switch is None:
        return None
    value, at = sight.switch.value, changed_at(sight.switch.raw)
    return {
        "armed": None if sight.switch.problem else is_armed(value, sight.at),
        "reason": None if value is None else value.reason,
        "by": None if value is None else value.by,
        "changed_at": None if at is None else utc_text(at),
        "expires_at": None if value is None or value.expires_at is None else utc_text(value.expires_at),
        "problem": sight.switch.problem,
    }


def _pending(sight: RegionView, state: State | None) -> dict[str, object] | None:
    if state is None or state.pending is None:
        return None
    answer = None if sight.answer is None else sight.answer.value
    return {
        "id": state.pending.id,
        "approved": None if answer is None else answer.approved,
        "answered_by": None if answer is None else answer.by,
        **evidence_of(state.pending, state, sight.entries or ()),
    }


def _attempt(state: State | None) -> dict[str, object] | None:
    if state is None or state.attempt is None:
        return None
    attempt = state.attempt
    return {
        "id": attempt.id,
        "status": str(attempt.status),
        "verdict": str(attempt.verdict),
        "started_at": utc_text(attempt.started_at),
        "outage_at": utc_text(attempt.outage_at),
        "calls": attempt.calls,
        "overdue": attempt.overdue,
    }


def _roles_text(seats: Roles, region: DeployedRegion) -> str:
    if seats.writer is None or seats.standby is None:
        return seats.source
    names = [
        f"{role} {each.name}{' (seen from here)' if each == region else ''}"
        for role, each in (("writer", seats.writer), ("standby", seats.standby))
    ]
    operation = f"under way: {seats.operation}" if seats.operation else "no operation under way"
    return f"{', '.join(names)}; {operation}; {seats.source}"


def _controller_text(sight: RegionView) -> str:
    mode = f"mode {(sight.policy or {}).get('MODE', 'unknown')}"
    if sight.state is None:
        return mode
    if sight.state.problem is not None:
        return f"{mode}; its state is {sight.state.problem}"
    state = sight.state.value
    age_seconds = _cycle_age_seconds(sight, state)
    if state is None or age_seconds is None:
        return f"{mode}; has never beaten"
    word = "beating" if age_seconds <= CONTROLLER_SILENT_SECONDS else "SILENT"
    text = f"{mode}; {word}, last cycle {age_text(age_seconds)} ago"
    if state.dead_since is not None:
        text += f"; the writer counts as dead since {utc_text(state.dead_since)}"
    return text + (f"; told: {', '.join(state.notified)}" if state.notified else "")


def _pending_text(sight: RegionView) -> str:
    state = None if sight.state is None else sight.state.value
    if state is None:
        return "unknown"
    if state.pending is None:
        return "none"
    evidence = evidence_of(state.pending, state, sight.entries or ())
    facts = [f"{name} {value}" for name, value in evidence.items() if name not in _SAID and value is not None]
    return f"{state.pending.id}: {state.pending.verdict}, {_answer_text(sight)}; {', '.join(facts)}"


def _answer_text(sight: RegionView) -> str:
    if sight.answer is None or sight.answer.raw is None:
        return "NOT ANSWERED" if "approval" not in sight.failures else "answer unknown"
    if sight.answer.value is None:
        return f"answer {sight.answer.problem}"
    return f"{'approved' if sight.answer.value.approved else 'rejected'} by {sight.answer.value.by or 'unknown'}"


def _attempt_text(sight: RegionView) -> str:
    state = None if sight.state is None else sight.state.value
    if state is None:
        return "unknown"
    attempt = state.attempt
    if attempt is None:
        return "none under way"
    overdue = ", OVERDUE" if attempt.overdue else ""
    return (
        f"{attempt.status}{overdue}: {attempt.verdict}, called {utc_text(attempt.started_at)}, {attempt.calls} call(s)"
    )


def _cycle_age_seconds(sight: RegionView, state: State | None) -> float | None:
    return None if state is None or state.cycle_at is None else (sight.at - state.cycle_at).total_seconds()


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
