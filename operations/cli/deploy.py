"""The commands around `pulumi up` on the command line: `survivor`."""

from typing import Annotated

import typer

from operations.cli.options import Dependencies, JsonOption, StackOption, run_without_outputs
from operations.support.errors import ExitCode, UsageProblemError
from operations.support.screen import Screen


def survivor(
    cli: typer.Context,
    lost: Annotated[str, typer.Option("--lost", metavar="REGION", help="The region that is lost.")],
    runs: Annotated[bool, typer.Option("--run", help="Run the command. Pulumi shows its plan and asks.")] = False,
    stack: StackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the `pulumi up` that deploys the surviving region alone. Calls no AWS API.

    The command does not read the lost region. It excludes every resource of its provider, as the stack's state names them.
    Refused while the settings lack what the program would ask that region: it shows the lines to add.
    """

    def show(screen: Screen, dependencies: Dependencies) -> ExitCode:
        from operations.commands.survivor import survivor as show_command
        from operations.stack.exported_state import load_export
        from operations.stack.settings import load_config

        if runs and as_json:
            raise UsageProblemError("--run and --json: both were given", hint="Give one of them.")
        pulumi, terminal = dependencies.run_pulumi, dependencies.run_in_terminal
        try:
            exported = load_export(stack, pulumi)
        except UsageProblemError as error:
            hint = f"{error.hint} If the state is stored in the lost region: docs/runbook/deploy-during-outage.md."
            raise UsageProblemError(error.message, hint=hint) from error
        settings = load_config(stack, pulumi)
        return show_command(screen, exported, settings, terminal, lost=lost, stack=stack, runs=runs)

    run_without_outputs(cli, as_json, show)


COMMANDS = (survivor,)
