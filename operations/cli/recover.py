"""The command `recover` on the command line: it repairs Pulumi's state after an interrupted deployment."""

from pathlib import Path
from typing import Annotated

import typer

from operations.cli.inspect import DEFAULT_STACK
from operations.cli.options import Dependencies, JsonOption, run_without_outputs
from operations.support.errors import ExitCode, UsageProblemError
from operations.support.screen import Screen


def recover(
    cli: typer.Context,
    stack: Annotated[
        str, typer.Option("--stack", metavar="NAME", help="Stack whose update was interrupted. Default: dev.")
    ] = DEFAULT_STACK,
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="FILE", help="Saved `pulumi stack export`. Default: run the pulumi command."),
    ] = None,
    run: Annotated[
        bool, typer.Option("--run", help="Repair the state and refresh it. Default: show the plan only.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Repair the state after `pulumi up` or `pulumi destroy` was killed, so that it can continue.

    Shows each pending operation and whether its resource exists in AWS. Changes nothing in AWS.
    With --run the created resources are added to the stack's state; the state before is saved.
    Refused if a resource exists twice, belongs to another stack, or is being deleted.
    """

    def repair(screen: Screen, dependencies: Dependencies) -> ExitCode:
        from operations.commands.recover import recover as recover_state

        if run and state is not None:
            raise UsageProblemError("--state and --run: both were given", hint="Remove --state: --run reads the state.")
        return recover_state(
            screen, dependencies.read_api_for, dependencies.run_pulumi, stack=stack, state=state, run=run
        )

    run_without_outputs(cli, as_json, repair)


COMMANDS = (recover,)
