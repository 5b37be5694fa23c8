"""What all commands have in common on the command line: options, surroundings, confirmation, the way to end.

Owns how a command is run and how a person says yes. Does not own any command (`cli.py`, `cli_moves.py`).
Invariant: a command that changes something does so only when the global cluster's id was given or typed, and an id
that is another's is refused before anything is called.
"""

import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from typer.core import TyperGroup

from operations.support.errors import ExitCode, OperationError, OperationRefusedError, StoppedError, UsageProblemError
from operations.support.screen import Screen, is_interactive

if TYPE_CHECKING:
    from operations.aws.move_ports import MovesTo
    from operations.aws.ports import ConnectTo
    from operations.aws.read_ports import ReadApiFactory
    from operations.commands.session import Session

_ARGUMENTS = "operations.arguments"
REASON_LENGTH = 300


class Commands(TyperGroup):
    """The group of all commands; it keeps the words that it was called with, so that a refusal can say what to run."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the arguments, then parse them; the context's own class is private to typer."""
        ctx.meta[_ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the commands stand in; tests give their own as the context's object."""

    load_outputs: Callable[[Path | None, str | None], object]
    connect_to: "ConnectTo"
    moves_to: "MovesTo"
    read_api_for: "ReadApiFactory"
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    is_interactive: Callable[[], bool]
    sleep: Callable[[float], None]
    stopwatch: Callable[[], float]


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
ConfirmOption = Annotated[
    str | None,
    typer.Option(
        "--confirm",
        metavar="GLOBAL_CLUSTER_ID",
        help="Do it, on this global cluster. Default: print the plan, and do nothing; on a terminal, ask.",
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit trail.")]


def run(
    context: typer.Context,
    stack: str | None,
    outputs: Path | None,
    as_json: bool,
    command: "Callable[[Session], ExitCode]",
    *,
    confirm: str | None = None,
) -> None:
    """Make the session, run the command, and end with its exit code."""
    from operations.commands.session import Session
    from operations.stack.deployment import read_deployment

    screen = Screen(as_json=as_json)
    around = surroundings(context)
    try:
        if stack is not None and outputs is not None:
            raise UsageProblemError("--stack and --outputs were both given", hint="Give one of them.")
        loaded = around.load_outputs(outputs, stack)
        deployment = read_deployment(loaded)
        _check_confirmation(confirm, deployment.global_cluster_id)
        session = Session(
            deployment=deployment,
            outputs=loaded,
            connect=around.connect_to(deployment),
            read_api_for=around.read_api_for,
            screen=screen,
            now=around.now,
            new_id=around.new_id,
            command_line=_command_line(context),
            moves=around.moves_to(deployment),
            sleep=around.sleep,
            stopwatch=around.stopwatch,
            confirm=partial(_confirm, around, _command_line(context), deployment.global_cluster_id, confirm),
        )
        code = command(session)
    except OperationError as error:
        screen.error(error)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        stopped = StoppedError("stopped", hint="Nothing was begun but what is said above. Look at `status`.")
        screen.error(stopped)
        raise typer.Exit(stopped.exit_code) from error
    raise typer.Exit(code)


def run_without_outputs(
    context: typer.Context, as_json: bool, command: Callable[[Screen, Surroundings], ExitCode]
) -> None:
    """Run a command that needs no stack which is up, and end with its exit code."""
    screen = Screen(as_json=as_json)
    try:
        code = command(screen, surroundings(context))
    except OperationError as error:
        screen.error(error)
        raise typer.Exit(error.exit_code) from error
    raise typer.Exit(code)


def surroundings(context: typer.Context) -> Surroundings:
    """Return what a command stands in: a test's, or the real ones."""
    return context.obj if isinstance(context.obj, Surroundings) else _real_surroundings()


def _real_surroundings() -> Surroundings:
    from operations.aws.move_api import moves_to
    from operations.aws.read_api import read_api_factory
    from operations.aws.region_api import connect_to
    from operations.stack.deployment import load_outputs

    return Surroundings(
        load_outputs=load_outputs,
        connect_to=connect_to,
        moves_to=moves_to,
        read_api_for=read_api_factory(),
        now=lambda: datetime.now(UTC),
        new_id=lambda: uuid4().hex,
        is_interactive=is_interactive,
        sleep=time.sleep,
        stopwatch=time.monotonic,
    )


def _check_confirmation(given: str | None, global_cluster_id: str) -> None:
    """Refuse an id that is not this stack's before anything is called: the wrong outputs, or a slip of the hand."""
    if given is not None and given != global_cluster_id:
        raise UsageProblemError(
            f"--confirm: {given!r} is not the global cluster of these outputs",
            hint=f"It is {global_cluster_id}. If you meant another one, give its outputs.",
        )


def _confirm(around: Surroundings, command_line: str, global_cluster_id: str, given: str | None, question: str) -> None:
    """Return when the id was given, or is typed now.

    Raises:
        OperationRefusedError: it was neither.
    """
    if given == global_cluster_id:
        return
    hint = f"Read the plan above, then run: {command_line} --confirm {global_cluster_id}"
    if not around.is_interactive():
        raise OperationRefusedError("this changes something, and was not confirmed: nothing was changed", hint=hint)
    # Not typer.confirm: it writes a blank to stdout, where only the result belongs.
    typer.echo(f"{question} Type the global cluster's id to confirm: ", nl=False, err=True)
    if sys.stdin.readline().strip() != global_cluster_id:
        raise OperationRefusedError("not confirmed: nothing was changed", hint=hint)


def _command_line(context: typer.Context) -> str:
    return shlex.join(["python", "-m", "operations", *context.meta.get(_ARGUMENTS, ())])


def checked_reason(reason: str) -> str:
    """Return the reason in one line.

    Raises:
        UsageProblemError: it is empty, or too long for a notice.
    """
    text = " ".join(reason.split())
    if not text:
        raise UsageProblemError("--reason: is empty", hint="Say why, for whoever reads the audit trail.")
    if len(text) > REASON_LENGTH:
        raise UsageProblemError(
            f"--reason: has {len(text)} characters, more than {REASON_LENGTH}", hint="Say it shorter, or name a ticket."
        )
    return text
