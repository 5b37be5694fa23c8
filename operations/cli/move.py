"""The command line of the commands that act on the database: `switchover`, `failover`, `drill`, `rewind`.

Owns how they are called. Does not own what they do, which is imported, with boto3, only when a command runs.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from operations.cli.options import (
    ConfirmOption,
    JsonOption,
    OutputsOption,
    ReasonOption,
    StackOption,
    checked_reason,
    run,
)
from operations.support import times as moments
from operations.support.errors import ExitCode, UsageProblemError

if TYPE_CHECKING:
    from operations.commands.session import Session

TimeoutOption = Annotated[
    str,
    typer.Option("--timeout", metavar="DURATION", help="Stop watching after this long; AWS goes on. Exit code 7."),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Call nothing: follow what is under way, and say where it stands.")
]
WhyOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit trail.")]
DnsOption = Annotated[
    bool,
    typer.Option("--dns/--no-dns", help="Wait until the writer's name follows too: one to two minutes more."),
]
MaxLagOption = Annotated[
    float,
    typer.Option(
        "--max-lag-ms", metavar="MS", min=0, help="Refuse above this replication lag: writes stand still meanwhile."
    ),
]


def switchover(
    context: typer.Context,
    to: Annotated[
        str | None, typer.Option("--to", metavar="REGION", help="The new writer's region. Default: the other one.")
    ] = None,
    reason: WhyOption = "switchover",
    max_lag_ms: MaxLagOption = 5000.0,
    timeout: TimeoutOption = "30m",
    dns: DnsOption = True,
    resume: ResumeOption = False,
    confirm: ConfirmOption = None,
    stack: StackOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the other region's cluster the writer, planned, without losing anything.

    Shows the plan, and refuses while something stands in the way, or another operation is under way.
    Called again, it follows what it began; when the region is the writer already, there is nothing to do.
    """

    def go(session: "Session") -> ExitCode:
        from operations.commands.move_steps import MoveOptions
        from operations.commands.switchover import switch_over

        course = MoveOptions(timeout_seconds=_seconds(timeout), with_dns=dns)
        why = checked_reason(reason)
        return switch_over(session, to=to, max_lag_ms=max_lag_ms, only_resume=resume, reason=why, course=course)

    run(context, stack, outputs, as_json, go, confirm=confirm)


def failover(
    context: typer.Context,
    reason: ReasonOption,
    accept_data_loss: Annotated[
        bool, typer.Option("--accept-data-loss", help="Whoever owns the data accepts to lose the last moments.")
    ] = False,
    even_if_the_writer_answers: Annotated[
        bool, typer.Option("--even-if-the-writer-answers", help="Do it although something says that the writer lives.")
    ] = False,
    timeout: TimeoutOption = "60m",
    dns: DnsOption = True,
    resume: ResumeOption = False,
    confirm: ConfirmOption = None,
    stack: StackOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the standby the writer by hand, losing what was not replicated: when its controller can't or may not.

    Shows the evidence, and refuses while something says that the writer lives, or a failover is under way.
    A planned move that loses nothing is `switchover`.
    """

    def go(session: "Session") -> ExitCode:
        from operations.commands.failover import fail_over
        from operations.commands.move_steps import MoveOptions

        return fail_over(
            session,
            accepts_data_loss=accept_data_loss,
            even_if_alive=even_if_the_writer_answers,
            only_resume=resume,
            reason=checked_reason(reason),
            course=MoveOptions(timeout_seconds=_seconds(timeout), with_dns=dns),
        )

    run(context, stack, outputs, as_json, go, confirm=confirm)


def drill(
    context: typer.Context,
    one_way: Annotated[
        bool, typer.Option("--one-way", help="Stay there; coming home is a switchover, when you choose.")
    ] = False,
    reason: WhyOption = "drill",
    max_lag_ms: MaxLagOption = 5000.0,
    timeout: TimeoutOption = "30m",
    dns: DnsOption = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the drill that was interrupted, and bring the writer home.")
    ] = False,
    confirm: ConfirmOption = None,
    stack: StackOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rehearse on the real thing: switch over there, verify every promise, and home again, each step timed.

    Nothing is lost; clients reconnect twice. --timeout is for each way.
    A promise that is broken over there is reported (exit code 6), and the writer comes home all the same.
    """

    def go(session: "Session") -> ExitCode:
        from operations.commands import drill as drilling
        from operations.commands.move_steps import MoveOptions
        from operations.commands.verify import check_promises

        terms = drilling.Terms(
            one_way=one_way,
            max_lag_ms=max_lag_ms,
            reason=checked_reason(reason),
            course=MoveOptions(timeout_seconds=_seconds(timeout), with_dns=dns),
        )
        return drilling.drill(session, terms, only_resume=resume, verify=check_promises)

    run(context, stack, outputs, as_json, go, confirm=confirm)


def rewind(
    context: typer.Context,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Which second: 2026-11-23T10:15:00Z.")] = None,
    drop: Annotated[
        str | None,
        typer.Option("--drop", metavar="COPY_ID", help="Delete a copy that a rewind has made, and nothing else."),
    ] = None,
    reason: WhyOption = "rewind",
    timeout: TimeoutOption = "3h",
    confirm: ConfirmOption = None,
    stack: StackOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Restore the writer's cluster as of a second into a copy beside the live one; or drop such a copy.

    The live cluster is not touched. The same --to again goes on with the copy that is being made.
    With the setting `rewind.method: backtrack` it backtracks the live cluster instead, which AWS refuses in a global database.
    """

    def go(session: "Session") -> ExitCode:
        from operations.commands import rewind as rewinding

        why, seconds = checked_reason(reason), _seconds(timeout)
        if (to is None) == (drop is None):
            raise UsageProblemError("give --to or --drop, one of them", hint="See --help.")
        if drop is not None:
            return rewinding.drop(session, name=drop, reason=why, timeout_seconds=seconds)
        try:
            at = moments.parse_time(str(to)).replace(microsecond=0)
        except ValueError as error:
            raise UsageProblemError(f"--to: {error}", hint="See --help.") from error
        if at >= session.now():
            raise UsageProblemError(
                f"--to: {moments.utc_text(at)} is still to come", hint="Give a past second, in UTC."
            )
        return rewinding.rewind(session, to=at, reason=why, timeout_seconds=seconds)

    run(context, stack, outputs, as_json, go, confirm=confirm)


def _seconds(timeout: str) -> float:
    try:
        return moments.parse_duration(timeout).total_seconds()
    except ValueError as error:
        raise UsageProblemError(f"--timeout: {error}", hint="See --help.") from error


COMMANDS = (switchover, failover, drill, rewind)
