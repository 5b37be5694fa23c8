"""The read-only commands on the command line: `status`, `verify`, `preflight`, `cost`."""

from typing import TYPE_CHECKING, Annotated

import typer

from operations.cli.options import (
    Dependencies,
    JsonOption,
    OutputsOption,
    RegionOption,
    command,
    run,
    run_without_outputs,
)
from operations.support.errors import ExitCode, UsageProblemError
from operations.support.screen import Screen

if TYPE_CHECKING:
    from operations.commands.context import CommandContext

DEFAULT_STACK = "dev"


@command()
def status(
    context: "CommandContext",
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
    every: Annotated[
        float,
        typer.Option("--every", metavar="SECONDS", min=1, max=3600, help="With --watch: seconds between refreshes."),
    ] = 5,
    region: RegionOption = None,
) -> ExitCode:
    """Show in one line whether the system works and what to do, then each part of it. Changes nothing.

    The parts are roles, lag, DNS, endpoints, alarms, controller, switch, pending decision and the last notices.
    The exit code follows the first line: 0 OK, 5 DEGRADED, 6 WRITER LOST, 4 UNKNOWN.
    Everything is read in one region. Default: the standby's, or the writer's if the standby does not respond.
    With --watch and --json: one object a line.
    """
    from operations.commands.status_and_history import show_status, watch_status

    return watch_status(context, region, every) if watch else show_status(context, region)


@command()
def verify(context: "CommandContext") -> ExitCode:
    """Check the deployed system in both regions: after `pulumi up`, and at any time.

    It writes a heartbeat in the writer's region and reads it in the other, resolves names inside both VPCs, and
    compares everything else with the settings. It writes nothing but heartbeats. Default: both regions.
    """
    from operations.commands.verify import verify as run_checks

    return run_checks(context)


def preflight(
    cli: typer.Context,
    destroy: Annotated[
        bool, typer.Option("--destroy", help="Check before `pulumi destroy` instead: roles, protection, snapshots.")
    ] = False,
    stack: Annotated[
        str | None, typer.Option("--stack", metavar="NAME", help="Stack whose Pulumi.NAME.yaml is read. Default: dev.")
    ] = None,
    outputs: OutputsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check an account before `pulumi up`: login, regions, quotas, offerings, names, permissions. Changes nothing.

    A check that can't run is reported as unknown, with the reason. Default: the settings of the stack `dev`.
    With --destroy it reads the stack's outputs and shows the commands to run next.
    """
    if destroy:
        run(cli, _check_before_destroy, stack=stack, outputs=outputs, as_json=as_json)
        return

    def check(screen: Screen, dependencies: Dependencies) -> ExitCode:
        from operations.commands.preflight import preflight as check_account

        if outputs is not None:
            raise UsageProblemError("--outputs: is valid only with --destroy", hint="Remove it, or add --destroy.")
        return check_account(screen, dependencies.read_api_for, stack or DEFAULT_STACK)

    run_without_outputs(cli, as_json, check)


def _check_before_destroy(context: "CommandContext") -> ExitCode:
    from operations.commands.preflight_destroy import preflight_destroy

    return preflight_destroy(context)


def cost(
    cli: typer.Context,
    stack: Annotated[
        str, typer.Option("--stack", metavar="NAME", help="Stack whose Pulumi.NAME.yaml is read. Default: dev.")
    ] = DEFAULT_STACK,
    storage_gb: Annotated[float, typer.Option("--storage-gb", min=0, help="Data in the database.")] = 100,
    io_millions: Annotated[float, typer.Option("--io-millions", min=0, help="Reads and writes of the writer.")] = 100,
    writes_millions: Annotated[
        float, typer.Option("--writes-millions", min=0, help="Writes among them, replicated to the other region.")
    ] = 20,
    replicated_gb: Annotated[
        float, typer.Option("--replicated-gb", min=0, help="Data transferred by the replication.")
    ] = 20,
    backup_gb: Annotated[
        float, typer.Option("--backup-gb", min=0, help="Backups beyond the size of the data, in each region.")
    ] = 0,
    log_gb: Annotated[float, typer.Option("--log-gb", min=0, help="Logs, in each region.")] = 2,
    flow_log_gb: Annotated[
        float, typer.Option("--flow-log-gb", min=0, help="Flow logs of the VPC, in each region.")
    ] = 1,
    as_json: JsonOption = False,
) -> None:
    """Estimate the monthly cost of a stack by resource type, from list prices. Calls no AWS API.

    The options give a month's usage, which the usage-based amounts are computed from.
    Unverified prices and resources without a price are marked.
    """

    def estimate(screen: Screen, dependencies: Dependencies) -> ExitCode:
        from operations.commands.cost import cost as show_cost
        from operations.commands.cost_estimate import Usage

        usage = Usage(
            storage_gb=storage_gb,
            io_millions=io_millions,
            replicated_write_millions=writes_millions,
            replicated_gb=replicated_gb,
            backup_gb=backup_gb,
            log_gb=log_gb,
            flow_log_gb=flow_log_gb,
        )
        return show_cost(screen, dependencies.read_api_for, stack, usage)

    run_without_outputs(cli, as_json, estimate)


COMMANDS = (status, verify, preflight, cost)
