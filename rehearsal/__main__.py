"""Command line of the rehearsal: `python -m rehearsal`."""

from __future__ import annotations

from rehearsal.support.interrupts import end_on_interrupt, keep_interrupts

if __name__ == "__main__":
    end_on_interrupt()

import json
import os
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rehearsal.cloud.ministack import EmulatorError
from rehearsal.console.console import Console
from rehearsal.drills import DRILLS, Drill, failover_overrides, select_drills
from rehearsal.engine.deploy import DeploymentError
from rehearsal.environment import OPERATION_SECONDS, Environment
from rehearsal.machine import INTERVALS_SECONDS
from rehearsal.report.files import write_report
from rehearsal.run import Rehearsal
from settings import SettingsError
from tools import fetch_pulumi

REPORT_DIRECTORY = Path("rehearsal-report")
RETURN_DRILL = "switchover-home"
"""The drill that returns the writer to the primary region."""


class EngineName(StrEnum):
    """The engine that deploys and destroys the stack."""

    IN_PROCESS = "in-process"
    PULUMI = "pulumi"


app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})


@app.command(
    epilog="Exit codes: 0 every assertion passed; 1 an assertion or the rehearsal failed; 2 usage; 130 interrupted."
)
def rehearse(
    drill: Annotated[
        list[str] | None,
        typer.Option("--drill", metavar="NAME", help="Run this drill and its prerequisites; may be repeated."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Run every drill (several minutes).")] = False,
    list_drills: Annotated[bool, typer.Option("--list", help="List the drills and exit.")] = False,
    interval_seconds: Annotated[
        float | None,
        typer.Option(
            "--interval",
            min=0.5,
            max=10.0,
            help="Seconds between two cycles; the program's other periods are scaled by the same factor. By default the shortest of "
            "1, 2, 3 and 5 s for which this machine is fast enough.",
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep everything running afterwards and show how to connect.")
    ] = False,
    destroys: Annotated[
        bool | None,
        typer.Option(
            "--destroy/--no-destroy",
            help="Destroy the stack at the end and check that both regions are empty. The default, except after "
            "--drill. With neither --drill nor --all, --destroy runs no drill.",
        ),
    ] = None,
    engine: Annotated[
        EngineName,
        typer.Option(
            "--engine", help="What deploys and destroys: the in-process engine, or the Pulumi CLI (make pulumi)."
        ),
    ] = EngineName.IN_PROCESS,
    stack: Annotated[
        str, typer.Option("--stack", help="The stack whose settings (Pulumi.<STACK>.yaml) are deployed.")
    ] = "dev",
    report: Annotated[
        Path, typer.Option("--report", metavar="DIR", help="Directory of the report.")
    ] = REPORT_DIRECTORY,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print report.json to stdout; progress goes to stderr.")
    ] = False,
) -> None:
    """Deploy both regions on an embedded AWS and fail the database over, on this machine, without an AWS account."""
    if list_drills:
        for each in DRILLS:
            typer.echo(f"{each.name:<28}{'' if each.default else '(--all) '}{each.description}")
        return
    if drill and everything:
        raise typer.BadParameter("cannot be combined with --drill. Give only one of them", param_hint="--all")
    if keep and destroys:
        raise typer.BadParameter("cannot be combined with --keep. Give only one of them", param_hint="--destroy")
    existing = next(each for each in (report, *report.absolute().parents) if each.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise typer.BadParameter(f"{existing} is no directory that can be written. Name one", param_hint="--report")
    try:
        drills = _drills(tuple(drill or ()), everything, destroys)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--drill") from error
    with Console.for_process(progress_to_stderr=as_json) as console:
        try:
            with Environment(
                stack=stack,
                interval_seconds=interval_seconds or INTERVALS_SECONDS[0],
                operation_seconds=OPERATION_SECONDS,
                failover_overrides=failover_overrides(drills),
                cli=_cli(console) if engine is EngineName.PULUMI else None,
            ) as environment:
                destroys_stack = destroys if destroys is not None else not drill and not keep
                result = Rehearsal(
                    environment=environment,
                    drills=drills,
                    console=console,
                    destroys=destroys_stack,
                    chooses_interval=interval_seconds is None,
                ).run()
                console.summary(result, write_report(result, report))
                if as_json:
                    typer.echo(json.dumps(result.to_json(), indent=2))
                if keep:
                    _keep(environment, console)
        except (SettingsError, DeploymentError, EmulatorError) as error:
            console.error(str(error))
            raise typer.Exit(1) from error
        except KeyboardInterrupt:
            console.error("interrupted; all processes are stopped")
            raise typer.Exit(130) from None
    raise typer.Exit(0 if result.passed else 1)


def _cli(console: Console) -> Path:
    path = fetch_pulumi.find(os.environ)
    if path is None:
        console.error("pulumi: no CLI was found that fits. Run `make pulumi`")
        raise typer.Exit(1)
    return Path(path)


def _drills(names: tuple[str, ...], everything: bool, destroys: bool | None) -> tuple[Drill, ...]:
    """Return the drills to run; a destroy requires the writer in the primary region. Raises ValueError for an unknown name."""
    if destroys and not names and not everything:
        return ()
    drills = select_drills(names, everything)
    return_drill = next(each for each in DRILLS if each.name == RETURN_DRILL)
    if destroys and {each.name for each in drills} & set(return_drill.after):
        return select_drills((*names, RETURN_DRILL), everything)
    return drills


def _keep(environment: Environment, console: Console) -> None:
    """Show how to connect, and wait for Ctrl-C."""
    console.note("Everything keeps running until you press Ctrl-C. In another terminal:")
    console.note(
        f"  export AWS_ENDPOINT_URL={environment.control_plane.url} AWS_ACCESS_KEY_ID=123456789012 AWS_SECRET_ACCESS_KEY=rehearsal"
    )
    for region in environment.regions:
        host, port = environment.network.address(region.writer_endpoint, from_region=region.name)
        console.note(
            f"  {region.name}: {region.cluster_id} on {host}:{port} (MySQL over TLS, CA in {environment.authority.bundle})"
        )
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        console.note("stopping")


if __name__ == "__main__":
    keep_interrupts()
    app()
