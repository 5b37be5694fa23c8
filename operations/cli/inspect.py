"""The commands that only look, on the command line: status, verify, preflight, cost.

Owns how they are called. Does not own what they do, which is imported when a command runs.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from operations.cli.app import app
from operations.cli.options import (
    JsonOption,
    OutputsOption,
    RegionOption,
    StackOption,
    Surroundings,
    run,
    run_without_outputs,
)
from operations.support.errors import EXIT_CODES, ExitCode, UsageProblemError
from operations.support.screen import Screen

if TYPE_CHECKING:
    from operations.commands.session import Session

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

    Everything is asked of one region: the standby, or the writer's when the standby is silent, as it may be after a failover.
    With --watch and --json: one object a line.
    """
    from operations.commands.status_and_history import show_status, watch_status

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
    from operations.commands.verify import verify as check_all

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
        from operations.commands.preflight_destroy import preflight_destroy

        run(context, stack, outputs, as_json, preflight_destroy)
        return
    from operations.commands.preflight import preflight as check_account

    def check(screen: Screen, around: Surroundings) -> ExitCode:
        if outputs is not None:
            raise UsageProblemError("--outputs: is read with --destroy only", hint="Leave it out, or add --destroy.")
        return check_account(screen, around.read_api_for, stack or DEFAULT_STACK)

    run_without_outputs(context, as_json, check)


@app.command(epilog=EXIT_CODES)
def cost(
    context: typer.Context,
    stack: Annotated[
        str, typer.Option("--stack", metavar="NAME", help="Whose Pulumi.NAME.yaml is read. Default: dev.")
    ] = DEFAULT_STACK,
    storage_gb: Annotated[float, typer.Option("--storage-gb", min=0, help="Data in the database.")] = 100,
    io_millions: Annotated[float, typer.Option("--io-millions", min=0, help="Reads and writes of the writer.")] = 100,
    writes_millions: Annotated[
        float, typer.Option("--writes-millions", min=0, help="Writes among them, replicated to the other region.")
    ] = 20,
    replicated_gb: Annotated[
        float, typer.Option("--replicated-gb", min=0, help="Data that the replication sends over.")
    ] = 20,
    backup_gb: Annotated[
        float, typer.Option("--backup-gb", min=0, help="Backups beyond the data's own size, in each region.")
    ] = 0,
    log_gb: Annotated[float, typer.Option("--log-gb", min=0, help="Logs, in each region.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """Estimate what a stack costs a month.

    The quantities come from the stack's settings and from the assumptions given here, each for a month.
    The prices come from the AWS Price List API, which needs the permission pricing:GetProducts.
    Without access to it, the command prints the quantities and which prices are missing.
    """
    from operations.commands.cost import cost as show_cost
    from operations.commands.cost_estimate import Usage

    usage = Usage(
        storage_gb=storage_gb,
        io_millions=io_millions,
        replicated_write_millions=writes_millions,
        replicated_gb=replicated_gb,
        backup_gb=backup_gb,
        log_gb=log_gb,
    )
    run_without_outputs(context, as_json, lambda screen, around: show_cost(screen, around.read_api_for, stack, usage))
