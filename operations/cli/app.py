"""The command line: options, help, exit codes.

Owns how the commands are called. Does not own what they do (`look.py`, `turn.py`, `answer.py`), which is imported,
with boto3, only when a command runs: `--help` is instant.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from operations.cli import move as cli_moves
from operations.cli.options import (
    Commands,
    ConfirmOption,
    JsonOption,
    OutputsOption,
    ReasonOption,
    RegionOption,
    StackOption,
    SwitchRegionOption,
    checked_reason,
    run,
)
from operations.support import times as moments
from operations.support.errors import EXIT_CODES, ExitCode, UsageProblemError

if TYPE_CHECKING:
    from operations.commands.session import Session

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="What people do with the failover: look at it, keep it from acting, let it act, answer it. "
    "Works from the standby region alone.",
    epilog=EXIT_CODES,
)


@app.command(epilog=EXIT_CODES)
def disarm(
    context: typer.Context,
    reason: ReasonOption,
    window: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="End by itself after this long: 90m, 2h, 1d.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="End by itself then: 2026-11-24T18:00:00Z.")
    ] = None,
    confirm: ConfirmOption = None,
    region: SwitchRegionOption = None,
    stack: StackOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep the controllers from failing over, for a maintenance window or until `arm`. They go on watching.

    Both regions are told, the standby first: its controller is the one that would act.
    If only the standby answers, it is told alone, and the exit code is 5.
    If the standby does not answer, nothing is changed.
    """

    def turn(session: "Session") -> ExitCode:
        from operations.commands.arm import set_armed

        expires_at = _end_of_window(window, until, session.now())
        return set_armed(session, region, armed=False, reason=checked_reason(reason), expires_at=expires_at)

    run(context, stack, outputs, as_json, turn, confirm=confirm)


@app.command(epilog=EXIT_CODES)
def arm(
    context: typer.Context,
    reason: ReasonOption,
    confirm: ConfirmOption = None,
    region: SwitchRegionOption = None,
    stack: StackOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the controllers fail over again. If a verdict stands, the standby's may act within cycles."""

    def turn(session: "Session") -> ExitCode:
        from operations.commands.arm import set_armed

        return set_armed(session, region, armed=True, reason=checked_reason(reason), expires_at=None)

    run(context, stack, outputs, as_json, turn, confirm=confirm)


@app.command(epilog=EXIT_CODES)
def approve(
    context: typer.Context,
    decision_id: Annotated[
        str, typer.Argument(metavar="DECISION_ID", help="The id in the notice and in `status`, exactly.")
    ],
    confirm: ConfirmOption = None,
    region: RegionOption = None,
    stack: StackOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say yes to the pending decision, after its evidence was shown: the standby becomes the writer.

    Refused when no decision is pending, or another one is; when it was answered already;
    and when its controller has fallen silent since.
    The answer counts only while the verdict stands.
    """
    from operations.commands.approve import approve as answer

    run(context, stack, outputs, as_json, lambda session: answer(session, region, decision_id), confirm=confirm)


@app.command(epilog=EXIT_CODES)
def history(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="So many, the newest.")] = 20,
    region: RegionOption = None,
    stack: StackOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the audit trail of one region, newest first: notices of the controller, and what people did.

    Each region keeps its own: the standby's is shown, or the writer's when the standby is silent.
    With --json: one object a line.
    """
    from operations.commands.status_and_history import show_history

    run(context, stack, outputs, as_json, lambda session: show_history(session, region, limit))


def _end_of_window(window: str | None, until: str | None, now: datetime) -> datetime | None:
    """Return when a disarming ends by itself, in whole seconds; `None` when only `arm` ends it."""
    if window is not None and until is not None:
        raise UsageProblemError("--for and --until were both given", hint="Give one of them.")
    try:
        if window is not None:
            return (now + moments.parse_duration(window)).replace(microsecond=0)
        if until is None:
            return None
        end = moments.parse_time(until).replace(microsecond=0)
    except ValueError as error:
        raise UsageProblemError(f"--{'for' if window is not None else 'until'}: {error}", hint="See --help.") from error
    if end <= now:
        raise UsageProblemError(f"--until: {moments.utc_text(end)} is over", hint="Give a time to come, in UTC.")
    return end


for _command in cli_moves.COMMANDS:
    app.command(epilog=EXIT_CODES)(_command)

from operations.cli import inspect as cli_checks  # noqa: E402, F401 - registers its commands on `app`, which has to exist by then
