"""Options and confirmation shared by all commands, and how a command runs and ends.

Invariant: a command changes something only if the global cluster's id was given with --confirm or typed.
"""

import inspect
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, wraps
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
    from operations.commands.context import CommandContext
    from operations.commands.survivor import RunInTerminal
    from operations.stack.pulumi_cli import RunPulumi

_ARGUMENTS = "operations.arguments"
MAX_REASON_LENGTH = 300


class Commands(TyperGroup):
    """The group of all commands; it keeps the arguments for hints that show a command to run."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the arguments, then parse them."""
        ctx.meta[_ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """External dependencies of the commands; tests pass fakes as the Typer context's object."""

    load_outputs: Callable[[Path | None, str | None], object]
    run_in_terminal: "RunInTerminal"
    connect_to: "ConnectTo"
    moves_to: "MovesTo"
    read_api_for: "ReadApiFactory"
    run_pulumi: "RunPulumi"
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    is_interactive: Callable[[], bool]
    sleep: Callable[[float], None]
    stopwatch: Callable[[], float]


RegionOption = Annotated[
    str | None,
    typer.Option("--region", metavar="REGION", help="Read this region only. Default: the standby region."),
]
SwitchRegionOption = Annotated[
    str | None,
    typer.Option("--region", metavar="REGION", help="Change this region only. Default: both, the standby first."),
]
StackOption = Annotated[
    str | None, typer.Option("--stack", metavar="NAME", help="Pulumi stack to read. Default: the selected one.")
]
OutputsOption = Annotated[
    Path | None,
    typer.Option(
        "--outputs", metavar="FILE", help="Saved `pulumi stack output --json`. Default: run the pulumi command."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout; everything else goes to stderr.")]
ConfirmOption = Annotated[
    str | None,
    typer.Option(
        "--confirm",
        metavar="GLOBAL_CLUSTER_ID",
        help="Apply the plan to this global cluster. Default: show the plan only; on a terminal, ask.",
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Reason for the audit trail.")]


def command(*, needs_confirmation: bool = False) -> Callable[[Callable[..., ExitCode]], Callable[..., None]]:
    """Turn a function that takes a CommandContext into a Typer command with the common options."""
    common: dict[str, Any] = {"confirm": ConfirmOption} if needs_confirmation else {}
    common |= {"stack": StackOption, "outputs": OutputsOption, "as_json": JsonOption}

    def decorate(function: Callable[..., ExitCode]) -> Callable[..., None]:
        @wraps(function)
        def run_function(cli: typer.Context, **options: Any) -> None:
            shared = {name: options.pop(name) for name in common}
            run(cli, partial(function, **options), **shared)

        keyword = inspect.Parameter.KEYWORD_ONLY
        _, *own = inspect.signature(function).parameters.values()
        parameters = [
            inspect.Parameter("cli", keyword, annotation=typer.Context),
            *(parameter.replace(kind=keyword) for parameter in own),
            *(
                inspect.Parameter(name, keyword, default=False if name == "as_json" else None, annotation=annotation)
                for name, annotation in common.items()
            ),
        ]
        wrapper: Any = run_function
        wrapper.__signature__ = inspect.Signature(parameters)
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return wrapper

    return decorate


def run(
    cli: typer.Context,
    function: "Callable[[CommandContext], ExitCode]",
    *,
    stack: str | None,
    outputs: Path | None,
    as_json: bool,
    confirm: str | None = None,
) -> None:
    """Build the context, run the function with it, and exit with its code."""

    def run_with_context(screen: Screen, dependencies: Dependencies) -> ExitCode:
        from operations.commands.context import CommandContext
        from operations.stack.deployment import read_deployment

        if stack is not None and outputs is not None:
            raise UsageProblemError("--stack and --outputs: both were given", hint="Give one of them.")
        loaded = dependencies.load_outputs(outputs, stack)
        deployment = read_deployment(loaded)
        _check_confirmation(confirm, deployment.global_cluster_id)
        context = CommandContext(
            deployment=deployment,
            outputs=loaded,
            connect=dependencies.connect_to(deployment),
            read_api_for=dependencies.read_api_for,
            move_api=dependencies.moves_to(deployment),
            screen=screen,
            now=dependencies.now,
            stopwatch=dependencies.stopwatch,
            sleep=dependencies.sleep,
            new_id=dependencies.new_id,
            confirm=partial(_confirm, dependencies, _command_line(cli), deployment.global_cluster_id, confirm),
            command_line=_command_line(cli),
            stack_options=_stack_options(stack, outputs),
        )
        return function(context)

    run_without_outputs(cli, as_json, run_with_context)


def run_without_outputs(
    cli: typer.Context, as_json: bool, function: Callable[[Screen, Dependencies], ExitCode]
) -> None:
    """Run a function that needs no deployed stack, and exit with its code."""
    screen = Screen(as_json=as_json)
    try:
        code = function(screen, dependencies_of(cli))
    except OperationError as error:
        screen.error(error)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        stopped = StoppedError(
            "Ctrl-C: no further step is started", hint="Only the steps shown above were started. Check `status`."
        )
        screen.error(stopped)
        raise typer.Exit(stopped.exit_code) from error
    raise typer.Exit(code)


def dependencies_of(cli: typer.Context) -> Dependencies:
    """Return the dependencies in the Typer context, or the real ones."""
    if isinstance(cli.obj, Dependencies):
        return cli.obj
    from operations.aws.clients import Clients
    from operations.aws.move_api import AwsMoveApi
    from operations.aws.read_api import AwsReadApi
    from operations.aws.region_api import AwsRegion
    from operations.stack.deployment import load_outputs
    from operations.stack.pulumi_cli import run_in_terminal, run_pulumi

    clients = Clients()
    return Dependencies(
        load_outputs=load_outputs,
        run_in_terminal=run_in_terminal,
        connect_to=lambda deployment: partial(AwsRegion, clients, deployment.global_cluster_id),
        moves_to=lambda deployment: partial(AwsMoveApi, clients, deployment.global_cluster_id),
        read_api_for=partial(AwsReadApi, clients),
        run_pulumi=run_pulumi,
        now=lambda: datetime.now(UTC),
        new_id=lambda: uuid4().hex,
        is_interactive=is_interactive,
        sleep=time.sleep,
        stopwatch=time.monotonic,
    )


def _check_confirmation(given: str | None, global_cluster_id: str) -> None:
    """Refuse another stack's id before anything is called."""
    if given is not None and given != global_cluster_id:
        raise UsageProblemError(
            f"--confirm: {given!r} is not the global cluster of these outputs",
            hint=f"It is {global_cluster_id}. For another cluster, give its outputs.",
        )


def _confirm(
    dependencies: Dependencies, command_line: str, global_cluster_id: str, given: str | None, question: str
) -> None:
    """Ask for the global cluster's id, unless --confirm gave it.

    Raises:
        OperationRefusedError: the operator did not confirm.
    """
    if given == global_cluster_id:
        return
    hint = f"Read the plan above, then run: {command_line} --confirm {global_cluster_id}"
    if not dependencies.is_interactive():
        raise OperationRefusedError("not confirmed: no changes were made", hint=hint)
    # Not typer.confirm, which writes a blank to stdout.
    typer.echo(f"{question} Type the global cluster's id to confirm: ", nl=False, err=True)
    if sys.stdin.readline().strip() != global_cluster_id:
        raise OperationRefusedError("not confirmed: no changes were made", hint=hint)


def _stack_options(stack: str | None, outputs: Path | None) -> str:
    if outputs is not None:
        return shlex.join(["--outputs", str(outputs)])
    return "" if stack is None else shlex.join(["--stack", stack])


def _command_line(cli: typer.Context) -> str:
    return shlex.join(["python", "-m", "operations", *cli.meta.get(_ARGUMENTS, ())])


def checked_reason(reason: str) -> str:
    """Return the reason in one line.

    Raises:
        UsageProblemError: it is empty, or too long for a notice.
    """
    text = " ".join(reason.split())
    if not text:
        raise UsageProblemError("--reason: is empty", hint="State the reason for the audit trail.")
    if len(text) > MAX_REASON_LENGTH:
        raise UsageProblemError(
            f"--reason: {len(text)} characters are more than the allowed {MAX_REASON_LENGTH}",
            hint="Shorten it, or name a ticket.",
        )
    return text
