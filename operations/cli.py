"""The command line: options, help, exit codes.

Owns how the commands are called. Does not own what they do (`look.py`, `turn.py`, `answer.py`), which is imported,
with boto3, only when a command runs: `--help` is instant.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from . import moments
from .outcome import EXIT_CODES, ExitCode, OperationError, RefusedError, UsageProblemError
from .screen import Screen, is_interactive

if TYPE_CHECKING:
    from .ports import ConnectTo
    from .session import Session

REASON_LENGTH = 300
app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="What people do with the failover: look at it, keep it from acting, let it act, answer it. "
    "Works from the standby region alone.",
    epilog=EXIT_CODES,
)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the commands stand in; tests give their own as the context's object."""

    load_outputs: Callable[[Path | None, str | None], object]
    connect_to: "ConnectTo"
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    is_interactive: Callable[[], bool]


RegionOption = Annotated[
    str | None,
    typer.Option(
        "--region", metavar="REGION", help="Speak to this region only. Default: the standby region, as RDS tells."
    ),
]
SwitchRegionOption = Annotated[
    str | None,
    typer.Option("--region", metavar="REGION", help="Tell this region only. Default: both, the standby first."),
]
StackOption = Annotated[
    str | None, typer.Option("--stack", metavar="NAME", help="Pulumi stack to read. Default: the selected one.")
]
OutputsOption = Annotated[
    Path | None,
    typer.Option(
        "--outputs", metavar="FILE", help="Saved `pulumi stack output --json`. Default: ask the pulumi command."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout; everything else goes to stderr.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Don't ask; needed where nobody can be asked.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit trail.")]


@app.command(epilog=EXIT_CODES)
def status(
    context: typer.Context,
    region: RegionOption = None,
    stack: StackOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show roles, controller, switch, pending decision, failover under way and the last notices. Changes nothing."""
    from .look import show_status

    _run(context, stack, outputs, as_json, lambda session: show_status(session, region))


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
    yes: YesOption = False,
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

    def run(session: "Session") -> ExitCode:
        from .turn import turn_switch

        expires_at = _end_of_window(window, until, session.now())
        return turn_switch(session, region, armed=False, reason=_checked_reason(reason), expires_at=expires_at)

    _run(context, stack, outputs, as_json, run, yes=yes)


@app.command(epilog=EXIT_CODES)
def arm(
    context: typer.Context,
    reason: ReasonOption,
    yes: YesOption = False,
    region: SwitchRegionOption = None,
    stack: StackOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the controllers fail over again. If a verdict stands, the standby's may act within beats."""

    def run(session: "Session") -> ExitCode:
        from .turn import turn_switch

        return turn_switch(session, region, armed=True, reason=_checked_reason(reason), expires_at=None)

    _run(context, stack, outputs, as_json, run, yes=yes)


@app.command(epilog=EXIT_CODES)
def approve(
    context: typer.Context,
    decision_id: Annotated[
        str, typer.Argument(metavar="DECISION_ID", help="The id in the notice and in `status`, exactly.")
    ],
    yes: YesOption = False,
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
    from .answer import approve as answer

    _run(context, stack, outputs, as_json, lambda session: answer(session, region, decision_id), yes=yes)


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

    Each region keeps its own. With --json: one object a line.
    """
    from .look import show_history

    _run(context, stack, outputs, as_json, lambda session: show_history(session, region, limit))


def _run(
    context: typer.Context,
    stack: str | None,
    outputs: Path | None,
    as_json: bool,
    command: "Callable[[Session], ExitCode]",
    *,
    yes: bool = False,
) -> None:
    """Make the session, run the command, and end with its exit code."""
    from .deployment import read_deployment
    from .session import Session

    screen = Screen(as_json=as_json)
    around = context.obj if isinstance(context.obj, Surroundings) else _real_surroundings()
    try:
        if stack is not None and outputs is not None:
            raise UsageProblemError("--stack and --outputs were both given", cure="Give one of them.")
        deployment = read_deployment(around.load_outputs(outputs, stack))
        session = Session(
            deployment=deployment,
            connect=around.connect_to(deployment),
            screen=screen,
            now=around.now,
            new_id=around.new_id,
            confirm=lambda question: yes or _ask(question, around),
        )
        code = command(session)
    except OperationError as error:
        screen.error(error)
        raise typer.Exit(error.exit_code) from error
    raise typer.Exit(code)


def _real_surroundings() -> Surroundings:
    from .aws import connect_to
    from .deployment import load_outputs

    return Surroundings(
        load_outputs=load_outputs,
        connect_to=connect_to,
        now=lambda: datetime.now(UTC),
        new_id=lambda: uuid4().hex,
        is_interactive=is_interactive,
    )


def _ask(question: str, around: Surroundings) -> bool:
    if not around.is_interactive():
        raise RefusedError(
            "this changes something, and nobody can be asked: nothing was changed",
            cure="Read the plan above, then give --yes.",
        )
    # Not typer.confirm: it writes a blank to stdout, where only the result belongs.
    typer.echo(f"{question} [y/N]: ", nl=False, err=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _checked_reason(reason: str) -> str:
    text = " ".join(reason.split())
    if not text:
        raise UsageProblemError("--reason: is empty", cure="Say why, for whoever reads the audit trail.")
    if len(text) > REASON_LENGTH:
        raise UsageProblemError(
            f"--reason: has {len(text)} characters, more than {REASON_LENGTH}", cure="Say it shorter, or name a ticket."
        )
    return text


def _end_of_window(window: str | None, until: str | None, now: datetime) -> datetime | None:
    """Return when a disarming ends by itself, in whole seconds; `None` when only `arm` ends it."""
    if window is not None and until is not None:
        raise UsageProblemError("--for and --until were both given", cure="Give one of them.")
    try:
        if window is not None:
            return (now + moments.parse_duration(window)).replace(microsecond=0)
        if until is None:
            return None
        end = moments.parse_moment(until).replace(microsecond=0)
    except ValueError as error:
        raise UsageProblemError(f"--{'for' if window is not None else 'until'}: {error}", cure="See --help.") from error
    if end <= now:
        raise UsageProblemError(f"--until: {moments.utc_text(end)} is over", cure="Give a time to come, in UTC.")
    return end
