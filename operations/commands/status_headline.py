"""The headline of `status`: whether the system works, what is wrong, what to do, and the exit code that says the same.

The controller's own judgement comes first. A part that cannot be read degrades the headline, because OK must be known.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from functions.failover_controller.decide import DECISION_TABLE
from functions.failover_controller.model import Action, Reason, State
from functions.failover_controller.notice_texts import NOTICE_TEXTS
from operations.aws.roles import Roles
from operations.aws.table_items import CONTROLLER_SILENT_SECONDS, is_armed
from operations.commands.status_view import RegionView, is_unreadable
from operations.support.errors import ExitCode
from operations.support.times import age_text, utc_text

NO_WRITER_ALARM = "-no-writer-"
ALARM_LAG = timedelta(minutes=5)
"""Time after a change of roles in which the alarm may still show the old writer's loss."""


class HeadlineLevel(StrEnum):
    """How well the system works, as seen from one region."""

    OK = "OK"
    DEGRADED = "DEGRADED"
    """A writer serves, or none is known to be lost, but something needs attention."""
    WRITER_LOST = "WRITER LOST"
    UNKNOWN = "UNKNOWN"


EXIT_CODES = {
    HeadlineLevel.OK: ExitCode.DONE,
    HeadlineLevel.DEGRADED: ExitCode.PARTLY,
    HeadlineLevel.WRITER_LOST: ExitCode.FAILED,
    HeadlineLevel.UNKNOWN: ExitCode.AWS,
}

OUTAGE = frozenset(
    {
        *(row.reason for row in DECISION_TABLE if row.guard or row.action is Action.FAIL_OVER),
        Reason.WRITER_LOCKED_OUT,
        Reason.IN_REGION_GRACE,
        Reason.UNDECIDED,
        Reason.STATE_UNWRITABLE,
        Reason.FAILOVER_REFUSED,
        Reason.FAILOVER_NOT_SENT,
        Reason.FAILOVER_UNCERTAIN,
        Reason.FAILOVER_OVERDUE,
        Reason.FAILOVER_FAILED,
    }
)
"""Notified reasons that name an outage while neither region reaches a working writer."""


@dataclass(frozen=True, kw_only=True)
class StatusHeadline:
    """The first line of `status`."""

    level: HeadlineLevel
    happened: str
    wanted: str

    @property
    def text(self) -> str:
        """The line as text."""
        return f"{self.level}: {self.happened}. {self.wanted}"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the level."""
        return EXIT_CODES[self.level]

    def to_json(self) -> dict[str, str]:
        """Return the line as a flat object."""
        return {"level": str(self.level), "happened": self.happened, "wanted": self.wanted}


def headline(view: RegionView, roles: Roles) -> StatusHeadline:
    """Return the most urgent finding of one reading of a region, with the number of further ones."""
    if is_unreadable(view):
        return StatusHeadline(
            level=HeadlineLevel.UNKNOWN,
            happened=f"neither the table nor the RDS API of {view.region.name} can be read",
            wanted="Read the other region with --region; if neither answers, check your credentials and network.",
        )
    lost = _lost_writer(view, roles)
    if lost is not None:
        return StatusHeadline(level=HeadlineLevel.WRITER_LOST, happened=lost[0], wanted=lost[1])
    found = list(_defects(view, roles))
    if found:
        more = f" ({len(found) - 1} more below)" if len(found) > 1 else ""
        return StatusHeadline(level=HeadlineLevel.DEGRADED, happened=f"{found[0][0]}{more}", wanted=found[0][1])
    writer, standby = roles.writer, roles.standby
    return StatusHeadline(
        level=HeadlineLevel.OK,
        happened=f"{writer.name if writer else 'unknown'} serves, and {standby.name if standby else 'unknown'} is its standby",
        wanted="No action is needed.",
    )


def _lost_writer(view: RegionView, roles: Roles) -> tuple[str, str] | None:
    """Return what happened and what is wanted if no writer serves; None if one serves or that is not known."""
    state = view.controller_state
    if state is not None and state.attempt is not None:
        attempt = state.attempt
        called = f"the controller called a failover to {view.region.name} at {utc_text(attempt.started_at)} ({attempt.verdict})"
        reason = Reason.FAILOVER_OVERDUE if attempt.overdue else attempt.verdict
        return (f"{called} and it is overdue" if attempt.overdue else called), _wanted(reason, state)
    if state is not None and state.dead_since is not None:
        since = f"neither region has reached a working writer since {utc_text(state.dead_since)}{_staleness(view)}"
        if state.pending is not None:
            return f"{since}, and a failover waits for an operator", _wanted_by_request(view, state)
        reason = _last(state, OUTAGE)
        if reason is not None:
            return f"{since} ({reason})", _wanted(reason, state)
    if state is not None and Reason.WRITER_READ_ONLY in state.notified and roles.writer is not None:
        return f"the writer in {roles.writer.name} accepts no writes", _wanted(Reason.WRITER_READ_ONLY, state)
    if _alarm_says_no_writer(view, roles):
        return "the alarm no-writer is firing", "Follow the runbook, page alarms, heading `no-writer`."
    return None


def _alarm_says_no_writer(view: RegionView, roles: Roles) -> bool:
    state, alarms = view.controller_state, () if view.status is None else view.status.alarms or ()
    if roles.operation is not None or not any(NO_WRITER_ALARM in name for name in alarms):
        return False
    return state is None or state.roles_changed_at is None or view.at - state.roles_changed_at > ALARM_LAG


def _staleness(view: RegionView) -> str:
    age = view.cycle_age_seconds
    return "" if age is None or age <= CONTROLLER_SILENT_SECONDS else f", as of the last cycle {age_text(age)} ago"


def _wanted_by_request(view: RegionView, state: State) -> str:
    pending, approval = state.pending, None if view.approval is None else view.approval.value
    if pending is None or approval is None:
        request = _last(state, frozenset(row.reason for row in DECISION_TABLE if row.action is Action.REQUEST_APPROVAL))
        return _wanted(request or Reason.APPROVAL_NEEDED, state)
    by = f"by {approval.by or 'unknown'}"
    if approval.approved:
        return f"Wait: {pending.id} was approved {by}, and the controller calls the failover within a few cycles."
    return f"{pending.id} was rejected {by}: repair the writer's region, or fail over by hand."


def _wanted(reason: Reason, state: State) -> str:
    """Return what the reason's notice wants, as a sentence."""
    text = NOTICE_TEXTS[reason].wanted_text({"decision_id": None if state.pending is None else state.pending.id})
    return f"{text[0].upper()}{text[1:]}."


def _last(state: State, among: frozenset[Reason]) -> Reason | None:
    return next((reason for reason in reversed(state.notified) if reason in among), None)


def _defects(view: RegionView, roles: Roles) -> Iterator[tuple[str, str]]:
    """Yield what happened and what is wanted for each defect, the most urgent one first."""
    state, here = view.controller_state, view.region.name
    if "standby" in view.failures:
        yield (
            f"{view.failures['standby']}",
            f"{here} serves without a standby: wait for the region, and watch `status`.",
        )
    if roles.operation is not None:
        yield f"a switchover or failover is in progress ({roles.operation})", "Wait until it ends, and start no other."
    if roles.writer is None:
        yield f"the writer is {roles.source}", "Follow the runbook, heading `writer-unknown`."
    if view.state is not None and view.state.problem is not None:
        yield (
            f"the controller's state is {view.state.problem}",
            "No automatic failover happens: follow the runbook, heading `state-unreadable`.",
        )
    age = view.cycle_age_seconds
    if state is not None and age is not None and age > CONTROLLER_SILENT_SECONDS:
        yield (
            f"the controller in {here} has run no cycle for {age_text(age)}",
            "No automatic failover happens: follow the runbook, page alarms, heading `controller-silent`.",
        )
    if view.state is not None and view.state.problem is None and age is None:
        yield f"the controller in {here} has completed no cycle yet", "Wait a minute, then check its log."
    if state is not None and state.dead_since is not None:
        yield (
            f"neither region has reached a working writer since {utc_text(state.dead_since)}, without a verdict yet",
            "Run `status` again within a minute.",
        )
    if state is not None and state.notified:
        reason = state.notified[-1]
        yield NOTICE_TEXTS[reason].happened[0].lower() + NOTICE_TEXTS[reason].happened[1:], _wanted(reason, state)
    if view.switch is not None and (view.switch.problem is not None or not is_armed(view.switch.value, view.at)):
        yield "the controller is disarmed", "After the maintenance, run `python -m operations arm --reason REASON`."
    yield from _environment_defects(view, roles)
    unread = [part for part in view.failures if part != "standby"]
    if unread:
        yield f"not read: {', '.join(unread)}", "The reasons are below; repair the access, and run `status` again."


def _environment_defects(view: RegionView, roles: Roles) -> Iterator[tuple[str, str]]:
    status = view.status
    if status is None:
        return
    if status.dns is not None and (roles.writer is None or status.dns.region != roles.writer.name):
        leads = status.dns.region or "neither cluster"
        yield (
            f"{status.resources.writer_name} resolves to {leads}, not to the writer",
            "Wait two minutes after a change of roles; then follow the runbook, page alarms, heading `dns-writer`.",
        )
    if status.alarms:
        yield f"firing: {', '.join(status.alarms)}", "Follow the runbook, page alarms."
