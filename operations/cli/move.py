"""The commands that act on the database, on the command line: `switchover`, `failover`, `drill`, `rewind`."""

from typing import TYPE_CHECKING, Annotated

import typer

from operations.cli.options import ReasonOption, checked_reason, command
from operations.support import times
from operations.support.errors import ExitCode, UsageProblemError

if TYPE_CHECKING:
    from operations.commands.context import CommandContext

TimeoutOption = Annotated[
    str,
    typer.Option("--timeout", metavar="DURATION", help="Stop waiting after this duration; AWS continues. Exit code 7."),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Start nothing: follow the operation in progress and show its progress.")
]
DnsOption = Annotated[
    bool,
    typer.Option("--dns/--no-dns", help="Wait until DNS has changed too: one to two minutes after the call."),
]
MaxLagOption = Annotated[
    float,
    typer.Option(
        "--max-lag-ms", metavar="MS", min=0, help="Refuse above this replication lag: writes stop until it is zero."
    ),
]


@command(needs_confirmation=True)
def switchover(
    context: "CommandContext",
    to: Annotated[
        str | None, typer.Option("--to", metavar="REGION", help="The new writer's region. Default: the other one.")
    ] = None,
    reason: ReasonOption = "switchover",
    max_lag_ms: MaxLagOption = 5000.0,
    timeout: TimeoutOption = "30m",
    dns: DnsOption = True,
    resume: ResumeOption = False,
) -> ExitCode:
    """Make the other region's cluster the writer, as a planned operation without data loss.

    Shows the plan. Refused if a blocker exists or another operation is in progress.
    A repeated call follows the operation that the first one started; if the region is the writer already, it does nothing.
    """
    from operations.commands.move_steps import MoveOptions
    from operations.commands.switchover import switch_over

    options = MoveOptions(timeout_seconds=_seconds(timeout), with_dns=dns)
    return switch_over(
        context,
        to=to,
        max_lag_ms=max_lag_ms,
        only_resume=resume,
        reason=checked_reason(reason),
        options=options,
    )


@command(needs_confirmation=True)
def failover(
    context: "CommandContext",
    reason: ReasonOption,
    accept_data_loss: Annotated[
        bool, typer.Option("--accept-data-loss", help="The owner of the data accepts the loss of the last writes.")
    ] = False,
    even_if_the_writer_answers: Annotated[
        bool, typer.Option("--even-if-the-writer-answers", help="Fail over although the writer seems reachable.")
    ] = False,
    timeout: TimeoutOption = "60m",
    dns: DnsOption = True,
    resume: ResumeOption = False,
) -> ExitCode:
    """Promote the standby by hand, if its controller can't or may not. Writes that were not replicated are lost.

    Shows the evidence. Refused if the writer seems reachable or a failover is in progress.
    For a planned move without data loss use `switchover`.
    """
    from operations.commands.failover import fail_over
    from operations.commands.move_steps import MoveOptions

    return fail_over(
        context,
        accepts_data_loss=accept_data_loss,
        even_if_alive=even_if_the_writer_answers,
        only_resume=resume,
        reason=checked_reason(reason),
        options=MoveOptions(timeout_seconds=_seconds(timeout), with_dns=dns),
    )


@command(needs_confirmation=True)
def drill(
    context: "CommandContext",
    one_way: Annotated[
        bool, typer.Option("--one-way", help="Do not switch back; run `switchover` later for that.")
    ] = False,
    reason: ReasonOption = "drill",
    max_lag_ms: MaxLagOption = 5000.0,
    timeout: TimeoutOption = "30m",
    dns: DnsOption = True,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the interrupted drill and switch back.")] = False,
) -> ExitCode:
    """Exercise the real stack: switch over, verify, switch back, each step timed.

    No data is lost; clients reconnect twice. --timeout applies to each switchover.
    A failed check is reported (exit code 6) and does not stop the switch back.
    """
    from operations.commands import drill as drills
    from operations.commands.move_steps import MoveOptions
    from operations.commands.verify import check_system

    options = drills.DrillOptions(
        one_way=one_way,
        max_lag_ms=max_lag_ms,
        reason=checked_reason(reason),
        move=MoveOptions(timeout_seconds=_seconds(timeout), with_dns=dns),
    )
    return drills.drill(context, options, only_resume=resume, verify=check_system)


@command(needs_confirmation=True)
def rewind(
    context: "CommandContext",
    to: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Time to restore: 2026-11-23T10:15:00Z.")
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option("--drop", metavar="COPY_ID", help="Delete this copy, made by an earlier rewind."),
    ] = None,
    reason: ReasonOption = "rewind",
    timeout: TimeoutOption = "3h",
) -> ExitCode:
    """Restore the writer's cluster to a point in time, into a copy beside the live one; or delete such a copy.

    The live cluster is not touched. The same --to again resumes the copy in progress.
    With the setting `rewind.method: backtrack` it backtracks the live cluster instead, which AWS refuses in a global database.
    """
    from operations.commands import rewind as rewinds

    checked, seconds = checked_reason(reason), _seconds(timeout)
    if (to is None) == (drop is None):
        raise UsageProblemError("rewind: exactly one of --to and --drop is required", hint="See --help.")
    if drop is not None:
        return rewinds.drop(context, name=drop, reason=checked, timeout_seconds=seconds)
    try:
        at = times.parse_time(str(to)).replace(microsecond=0)
    except ValueError as error:
        raise UsageProblemError(f"--to: {error}", hint="See --help.") from error
    if at >= context.now():
        raise UsageProblemError(f"--to: {times.utc_text(at)} is in the future", hint="Give a past time, in UTC.")
    return rewinds.rewind(context, to=at, reason=checked, timeout_seconds=seconds)


def _seconds(timeout: str) -> float:
    try:
        return times.parse_duration(timeout).total_seconds()
    except ValueError as error:
        raise UsageProblemError(f"--timeout: {error}", hint="See --help.") from error


COMMANDS = (switchover, failover, drill, rewind)
