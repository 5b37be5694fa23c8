"""The commands that only look, on the command line: status, verify.

Owns how they are called. Does not own what they do, which is imported when a command runs.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from .cli import app
from .command import JsonOption, OutputsOption, RegionOption, StackOption, Surroundings, run, run_without_outputs
from .outcome import EXIT_CODES, ExitCode, UsageProblemError
from .screen import Screen

if TYPE_CHECKING:
    from .session import Session

DEFAULT_STACK = "dev"


@app.command(epilog=EXIT_CODES)
def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[
        float,
        typer.Option("--every", metavar="SECONDS", min=1, max=3600, help="With --watch: the pause between looks."),
    ] = 5,
    region: RegionOption = None,
    stack: StackOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show roles, lag, DNS, endpoints, alarms, controller, switch, pending decision and the last notices. Changes nothing.

    Everything is asked of one region. With --watch and --json: one object a line.
    """
    from .look import show_status, watch_status

    def look(session: "Session") -> ExitCode:
        return watch_status(session, region, every) if watch else show_status(session, region)

    run(context, stack, outputs, as_json, look)


@app.command(epilog=EXIT_CODES)
def verify(
    context: typer.Context,
    stack: StackOption = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every promise of the system for real, in both regions: after `pulumi up`, and whenever in doubt.

    A heartbeat is written in the writer's region and read in the other, names are resolved inside both VPCs,
    and everything else is read and compared. Changes nothing but heartbeats. Default: both regions.
    """
    from .verify import verify as check_all

    run(context, stack, outputs, as_json, check_all)


@app.command(epilog=EXIT_CODES)
def preflight(
    context: typer.Context,
    destroy: Annotated[
        bool, typer.Option("--destroy", help="Before `pulumi destroy` instead: who writes, what protects what.")
    ] = False,
    stack: Annotated[
        str | None, typer.Option("--stack", metavar="NAME", help="Whose Pulumi.NAME.yaml is read. Default: dev.")
    ] = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check an account before `pulumi up`: log-in, regions, quotas, offers, names, permissions. Changes nothing.

    What can't be looked at is said to be unknown, with the reason. Default: the settings of the stack `dev`.
    With --destroy it reads the stack's outputs, and says what to run next.
    """
    if destroy:
        from .teardown import preflight_destroy

        run(context, stack, outputs, as_json, preflight_destroy)
        return
    from .preflight import preflight as check_account

    def check(screen: Screen, around: Surroundings) -> ExitCode:
        if outputs is not None:
            raise UsageProblemError("--outputs: is read with --destroy only", cure="Leave it out, or add --destroy.")
        return check_account(screen, around.ask_in, stack or DEFAULT_STACK)

    run_without_outputs(context, as_json, check)
