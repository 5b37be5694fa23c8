"""The rehearsal's command line: `python -m rehearsal`.

Owns: options, exit codes, where the report goes. Does not own: what is played (drills.py) or shown (console.py, report.py).
Exit codes: 0 every assertion held; 1 one did not, or the rehearsal could not be played to its end; 2 usage; 130 interrupted.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from rehearsal.cloud.ministack import EmulatorError
from rehearsal.console.console import Console
from rehearsal.drills import DRILLS, Drill, chosen, failover_overrides
from rehearsal.engine.deploy import DeploymentError
from rehearsal.environment import Environment
from rehearsal.report.files import write_report
from rehearsal.run import OPERATION_SECONDS, Rehearsal
from settings import SettingsError

REPORT_DIRECTORY = Path("rehearsal-report")
HOME = "switchover-home"
"""The drill that brings the writer home after those that lead it away."""
app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})


@app.command(epilog="Exit codes: 0 every assertion held; 1 one did not; 2 usage; 130 interrupted.")
def rehearse(
    drill: Annotated[
        list[str] | None,
        typer.Option(
            "--drill", metavar="NAME", help="Play this drill (and what must come before it); may be repeated."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Play every drill: some minutes instead of one.")] = False,
    list_drills: Annotated[bool, typer.Option("--list", help="List the drills and leave.")] = False,
    cycle: Annotated[
        float,
        typer.Option("--interval", min=0.5, max=10.0, help="Seconds between two cycles; every period shrinks with it."),
    ] = 1.0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything up afterwards, and say how to reach it.")
    ] = False,
    destroys: Annotated[
        bool | None,
        typer.Option(
            "--destroy/--no-destroy",
            help="Delete everything in the end, and look whether both regions are empty. Done by default, but not after "
            "--drill. With neither --drill nor --all, --destroy plays no drill.",
        ),
    ] = None,
    stack: Annotated[str, typer.Option("--stack", help="Whose settings to deploy: Pulumi.<STACK>.yaml.")] = "dev",
    report: Annotated[Path, typer.Option("--report", metavar="DIR", help="Where the report goes.")] = REPORT_DIRECTORY,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print report.json to stdout; progress goes to stderr.")
    ] = False,
) -> None:
    """Deploy both regions on an embedded AWS and fail the database over, on this machine, without an AWS account."""
    if list_drills:
        for each in DRILLS:
            typer.echo(f"{each.name:<28}{'' if each.default else '(--all) '}{each.description}")
        return
    if keep and destroys:
        raise typer.BadParameter("it leaves nothing to keep; give one of --keep and --destroy", param_hint="--destroy")
    try:
        drills = _drills(tuple(drill or ()), everything, destroys)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--drill") from error
    with Console.for_process(progress_to_stderr=as_json) as console:
        try:
            with Environment(
                stack=stack,
                interval_seconds=cycle,
                operation_seconds=OPERATION_SECONDS,
                failover_overrides=failover_overrides(drills),
            ) as world:
                ends_empty = destroys if destroys is not None else not drill and not keep
                found = Rehearsal(world=world, drills=drills, console=console, destroys=ends_empty).run()
                console.summary(found, write_report(found, report))
                if as_json:
                    typer.echo(json.dumps(found.to_json(), indent=2))
                if keep:
                    _keep(world, console)
        except (SettingsError, DeploymentError, EmulatorError) as error:
            console.error(str(error))
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            console.error("interrupted; everything that was started is stopped")
            raise typer.Exit(130) from None
    raise typer.Exit(0 if found.passed else 1)


def _drills(names: tuple[str, ...], everything: bool, destroys: bool | None) -> tuple[Drill, ...]:
    """The drills to play; before a destroy the writer must be at home. Raises ValueError for a name that is no drill's."""
    if destroys and not names and not everything:
        return ()
    drills = chosen(names, everything)
    home = next(each for each in DRILLS if each.name == HOME)
    if destroys and {each.name for each in drills} & set(home.after):
        return chosen((*names, HOME), everything)
    return drills


def _keep(world: Environment, console: Console) -> None:
    """Say how to reach what is up, and wait to be interrupted."""
    console.note("Everything stays up until you press Ctrl-C. From another terminal:")
    console.note(
        f"  export AWS_ENDPOINT_URL={world.control_plane.url} AWS_ACCESS_KEY_ID=123456789012 AWS_SECRET_ACCESS_KEY=rehearsal"
    )
    for region in world.regions:
        host, port = world.network.address(region.writer_endpoint, from_region=region.name)
        console.note(
            f"  {region.name}: {region.cluster_id} on {host}:{port} (MySQL over TLS, CA in {world.authority.bundle})"
        )
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        console.note("stopping")


if __name__ == "__main__":
    app()
