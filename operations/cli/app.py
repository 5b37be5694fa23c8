"""The Typer app: `disarm`, `arm`, `approve` and `history`, and the commands of `move.py`, `inspect.py`, `deploy.py` and `recover.py`.

Commands import their implementation, with boto3, only when they run: this keeps `--help` instant.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from operations.cli import deploy, inspect, move, recover
from operations.cli.options import (
    Commands,
    ReasonOption,
    RegionOption,
    SwitchRegionOption,
    checked_reason,
    command,
)
from operations.support import times
from operations.support.errors import EXIT_CODES, ExitCode, UsageProblemError

if TYPE_CHECKING:
    from operations.commands.context import CommandContext

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Operate the failover: inspect it, arm or disarm it, approve decisions, move the writer. "
    "The standby region alone is enough.",
    epilog=EXIT_CODES,
)


@command(needs_confirmation=True)
def disarm(
    context: "CommandContext",
    reason: ReasonOption,
    window: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Expire after this duration: 90m, 2h, 1d.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Expire at this time: 2026-11-24T18:00:00Z.")
    ] = None,
    region: SwitchRegionOption = None,
) -> ExitCode:
    """Keep the controllers from failing over, for a maintenance window or until `arm`. They continue to observe.

    The switch changes in both regions, the standby's first, because its controller is the one that would act.
    If only the standby responds, only its switch changes, and the exit code is 5.
    If the standby does not respond, no changes are made.
    """
    from operations.commands.arm import set_armed

    expires_at = _expiry(window, until, context.now())
    return set_armed(context, region, armed=False, reason=checked_reason(reason), expires_at=expires_at)


@command(needs_confirmation=True)
def arm(context: "CommandContext", reason: ReasonOption, region: SwitchRegionOption = None) -> ExitCode:
    """Let the controllers fail over again. If the writer is unreachable, the standby's may act in its next cycles."""
    from operations.commands.arm import set_armed

    return set_armed(context, region, armed=True, reason=checked_reason(reason), expires_at=None)


@command(needs_confirmation=True)
def approve(
    context: "CommandContext",
    decision_id: Annotated[
        str, typer.Argument(metavar="DECISION_ID", help="The exact id in the notice and in `status`.")
    ],
    region: RegionOption = None,
) -> ExitCode:
    """Approve the pending decision after showing its evidence: the standby becomes the writer.

    Refused if this decision is not pending, if it is answered already, or if its controller has stopped since.
    The approval counts only while its verdict still applies.
    """
    from operations.commands.approve import approve as approve_decision

    return approve_decision(context, region, decision_id)


@command()
def history(
    context: "CommandContext",
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="Number of entries, newest first.")
    ] = 20,
    region: RegionOption = None,
) -> ExitCode:
    """Show the audit trail of one region, newest first: the controller's notices and the operators' commands.

    Each region has its own trail. Default: the standby's, or the writer's if the standby does not respond.
    With --json: an array, each entry with its whole evidence.
    """
    from operations.commands.status_and_history import show_history

    return show_history(context, region, limit)


def _expiry(window: str | None, until: str | None, now: datetime) -> datetime | None:
    """Return when a disarming expires, in whole seconds; None if only `arm` ends it."""
    if window is not None and until is not None:
        raise UsageProblemError("--for and --until: both were given", hint="Give one of them.")
    try:
        if window is not None:
            return (now + times.parse_duration(window)).replace(microsecond=0)
        if until is None:
            return None
        end = times.parse_time(until).replace(microsecond=0)
    except ValueError as error:
        raise UsageProblemError(f"--{'for' if window is not None else 'until'}: {error}", hint="See --help.") from error
    if end <= now:
        raise UsageProblemError(f"--until: {times.utc_text(end)} is in the past", hint="Give a future time, in UTC.")
    return end


for _command in (disarm, arm, approve, history, *move.COMMANDS, *inspect.COMMANDS, *deploy.COMMANDS, *recover.COMMANDS):
    app.command(epilog=EXIT_CODES)(_command)
