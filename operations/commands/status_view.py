"""The view of `status`: roles, lag, DNS, endpoints, alarms, controller, switch, pending decision and failover of one region."""

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
from operations.commands.status_environment import RegionStatus, alarms_text, dns_text, lag_text, status_json
from operations.stack.deployment import DeployedRegion, StackDeployment
from operations.support.times import age_text, utc_text


@dataclass(frozen=True, kw_only=True)
class RegionView:
    """One reading of a region; None where a part could not be read, with the reason in `failures`."""

    region: DeployedRegion
    at: datetime
    state: ParsedItem[State] | None
    approval: ParsedItem[Approval] | None
    """The operator's answer to the pending decision."""
    switch: ParsedItem[Switch] | None
    roles: Roles | None
    policy: Mapping[str, str] | None
    entries: Sequence[AuditEntry] | None
    status: RegionStatus | None
    """None if the outputs lack what is needed to read it."""
    failures: Mapping[str, str]

    @property
    def controller_state(self) -> State | None:
        """The controller's state, if it could be parsed."""
        return None if self.state is None else self.state.value

    @property
    def cycle_age_seconds(self) -> float | None:
        """Seconds since the controller's last cycle."""
        state = self.controller_state
        return None if state is None or state.cycle_at is None else (self.at - state.cycle_at).total_seconds()


def is_unreadable(view: RegionView) -> bool:
    """Return whether neither the table nor RDS was read: the region tells nothing."""
    return {"table", "RDS"} <= set(view.failures)


def view_json(deployment: StackDeployment, view: RegionView) -> dict[str, object]:
    """Return the JSON view; `null` where a value is unknown or absent."""
    state, roles = view.controller_state, known_roles(deployment, view)
    return {
        "global_cluster": deployment.global_cluster_id,
        "region": view.region.name,
        "at": utc_text(view.at),
        "roles": {
            "writer": None if roles.writer is None else roles.writer.name,
            "standby": None if roles.standby is None else roles.standby.name,
            "operation": roles.operation,
            "source": roles.source,
        },
        "controller": _controller(view),
        "switch": _switch(view),
        "pending": _pending(view),
        "attempt": _attempt(state),
        "lag": {
            "seen_ms": None if state is None else state.lag_ms,
            "seen_at": None if state is None else _utc(state.lag_at),
        },
        **({} if view.status is None else status_json(view.status)),
        "notices": None if view.entries is None else [entry.to_json() for entry in view.entries],
        "not_read": dict(view.failures),
    }


def status_lines(deployment: StackDeployment, view: RegionView) -> list[tuple[str, str]]:
    """Return the text view: pairs of label and text."""
    roles, status = known_roles(deployment, view), view.status
    lines = [("Roles", _roles_text(roles, view.region)), ("Lag", _lag_text(view))]
    if status is not None:
        lines.append(("DNS", dns_text(status, None if roles.writer is None else roles.writer.name)))
        lines += [(f"Endpoint {each.region}", each.writer_endpoint) for each in status.resources.regions]
        lines.append(("Alarms", alarms_text(status)))
    return [
        *lines,
        ("Controller", _controller_text(view)),
        ("Switch", "unknown" if view.switch is None else describe_switch(view.switch, view.at)),
        ("Pending", _pending_text(view)),
        ("Failover", _attempt_text(view)),
        *(("Not read", f"{part}: {reason}") for part, reason in view.failures.items()),
    ]


def _lag_text(view: RegionView) -> str:
    state = view.controller_state
    if state is None or state.lag_ms is None:
        measured = "not measured by the controller yet"
    else:
        age = "" if state.lag_at is None else f", {age_text((view.at - state.lag_at).total_seconds())} ago"
        measured = f"{state.lag_ms:g} ms, last measured by the controller{age}"
    return measured if view.status is None else f"{measured}; {lag_text(view.status)}"


def known_roles(deployment: StackDeployment, view: RegionView) -> Roles:
    """Return the roles as RDS says, else as the controller saw them last."""
    if view.roles is not None and view.roles.standby is not None:
        return view.roles
    return reconcile([roles_from_state(deployment, view.region, view.controller_state)])


def _controller(view: RegionView) -> dict[str, object]:
    policy, state, age_seconds = view.policy or {}, view.controller_state, view.cycle_age_seconds
    return {
        "mode": policy.get("MODE"),
        "interval_seconds": _number(policy.get("INTERVAL_SECONDS")),
        "last_cycle_at": None if state is None else _utc(state.cycle_at),
        "last_cycle_age_seconds": None if age_seconds is None else round(age_seconds, 1),
        "running": None if age_seconds is None else age_seconds <= CONTROLLER_SILENT_SECONDS,
        "dead_since": None if state is None else _utc(state.dead_since),
        "notified": [] if state is None else [str(reason) for reason in state.notified],
        "state_problem": None if view.state is None else view.state.problem,
    }


def _switch(view: RegionView) -> dict[str, object] | None:
    if view.switch is None:
        return None
    value = view.switch.value
    return {
        "armed": None if view.switch.problem else is_armed(value, view.at),
        "reason": None if value is None else value.reason,
        "by": None if value is None else value.by,
        "changed_at": _utc(changed_at(view.switch.raw)),
        "expires_at": None if value is None else _utc(value.expires_at),
        "problem": view.switch.problem,
    }


def _pending(view: RegionView) -> dict[str, object] | None:
    state = view.controller_state
    if state is None or state.pending is None:
        return None
    approval = None if view.approval is None else view.approval.value
    return {
        "id": state.pending.id,
        "approved": None if approval is None else approval.approved,
        "answered_by": None if approval is None else approval.by,
        **evidence_of(state.pending, state, view.entries or ()),
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


def _roles_text(roles: Roles, region: DeployedRegion) -> str:
    if roles.writer is None or roles.standby is None:
        return roles.source
    names = [
        f"{role} {each.name}{' (seen from here)' if each == region else ''}"
        for role, each in (("writer", roles.writer), ("standby", roles.standby))
    ]
    operation = f"in progress: {roles.operation}" if roles.operation else "no operation in progress"
    return f"{', '.join(names)}; {operation}; {roles.source}"


def _controller_text(view: RegionView) -> str:
    mode = f"mode {(view.policy or {}).get('MODE', 'unknown')}"
    if view.state is None:
        return mode
    if view.state.problem is not None:
        return f"{mode}; its state is {view.state.problem}"
    state, age_seconds = view.controller_state, view.cycle_age_seconds
    if state is None or age_seconds is None:
        return f"{mode}; no cycle completed yet"
    running = "running" if age_seconds <= CONTROLLER_SILENT_SECONDS else "SILENT"
    text = f"{mode}; {running}, last cycle {age_text(age_seconds)} ago"
    if state.dead_since is not None:
        text += f"; the writer is unreachable since {utc_text(state.dead_since)}"
    return text + (f"; notified: {', '.join(state.notified)}" if state.notified else "")


def _pending_text(view: RegionView) -> str:
    state = view.controller_state
    if state is None:
        return "unknown"
    if state.pending is None:
        return "none"
    evidence = evidence_of(state.pending, state, view.entries or ())
    facts = [
        f"{name} {value}"
        for name, value in evidence.items()
        if name not in ("verdict", "decision_id") and value is not None
    ]
    return f"{state.pending.id}: {state.pending.verdict}, {_approval_text(view)}; {', '.join(facts)}"


def _approval_text(view: RegionView) -> str:
    if view.approval is None or view.approval.raw is None:
        return "NOT ANSWERED" if "approval" not in view.failures else "answer unknown"
    if view.approval.value is None:
        return f"answer {view.approval.problem}"
    return f"{'approved' if view.approval.value.approved else 'rejected'} by {view.approval.value.by or 'unknown'}"


def _attempt_text(view: RegionView) -> str:
    state = view.controller_state
    if state is None:
        return "unknown"
    attempt = state.attempt
    if attempt is None:
        return "none in progress"
    overdue = ", OVERDUE" if attempt.overdue else ""
    return (
        f"{attempt.status}{overdue}: {attempt.verdict}, called {utc_text(attempt.started_at)}, {attempt.calls} call(s)"
    )


def _utc(at: datetime | None) -> str | None:
    return None if at is None else utc_text(at)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
