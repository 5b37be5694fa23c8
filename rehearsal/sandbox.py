"""A place to practise: `python -m rehearsal.sandbox`, an embedded AWS in two regions that lives until it is stopped.

Owns: the commands, what they print and their exit codes. Does not own: the running world (sandbox_server.py), the engine
(deployment.py, destruction.py).
Exit codes: 0 done; 1 failed, or something is left after a destroy; 2 usage; 3 refused; 130 interrupted.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from settings import SettingsError, settings_of

from .aws import Clients
from .deployment import Deployment, DeploymentError, deploy
from .destruction import DestroyError, DestroyRefusedError, destroy
from .emulator import ACCOUNT_ID, SECRET_ACCESS_KEY, EmulatorError
from .inventory import take_inventory
from .plan import Change, counts
from .refresh import refresh
from .rehearse import OPERATION_SECONDS
from .sandbox_client import FILE, OUTPUTS, Address, SandboxClient, SandboxError, announce, find, write_privately
from .sandbox_server import SandboxServer
from .state import StackState
from .world import OUTSIDE, PROGRAM_DIRECTORY, World, shortened_config

FAILED, REFUSED = 1, 3
STOP_SECONDS = 30.0
EXIT_CODES = "Exit codes: 0 done; 1 failed, or something is left after a destroy; 2 usage; 3 refused; 130 interrupted."
FIRST_CALLS = (
    ("sts", "get_caller_identity"),
    ("rds", "describe_global_clusters"),
    ("dynamodb", "list_tables"),
    ("lambda", "list_functions"),
    ("cloudwatch", "describe_alarms"),
    ("sns", "list_topics"),
    ("secretsmanager", "list_secrets"),
    ("route53", "list_hosted_zones"),
)
"""What the controllers and the operator's commands speak to, each with a call that changes nothing."""
app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="An embedded AWS in two regions on this machine, for practising the operator's commands.",
    epilog=EXIT_CODES,
)
Directory = Annotated[
    Path, typer.Option("--directory", metavar="DIR", help="Where the sandbox's file and the stack's outputs are.")
]
Stack = Annotated[str, typer.Option("--stack", help="Whose settings: Pulumi.<STACK>.yaml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
HERE = Path(".sandbox")


@app.command()
def start(
    stack: Annotated[str, typer.Option("--stack", help="Whose two regions there are: Pulumi.<STACK>.yaml.")] = "dev",
    beat: Annotated[
        float,
        typer.Option("--beat", min=0.5, max=10.0, help="Seconds between two beats; every period shrinks with it."),
    ] = 1.0,
    directory: Directory = HERE,
) -> None:
    """Start both regions, empty, and stay in the foreground until Ctrl-C or `stop`."""
    with _explained():
        _refuse_second(directory)
        token = secrets.token_urlsafe(32)
        with (
            World(stack=stack, beat_seconds=beat, operation_seconds=OPERATION_SECONDS) as world,
            SandboxServer(world=world, token=token) as server,
        ):
            _warm_up(world)
            announce(directory, Address(url=server.url, token=token, pid=os.getpid()))
            try:
                picture = find(directory).picture()
                typer.echo(f"Both regions are up and empty: {' and '.join(picture['regions'])}. In other terminals:")
                typer.echo(_exports(picture["operator_url"]))
                typer.echo("  python -m rehearsal.sandbox up")
                typer.echo(f"  python -m operations status --outputs {directory / OUTPUTS}")
                typer.echo("Ctrl-C, or `python -m rehearsal.sandbox stop`, ends it.")
                _wait(server.stop_requested, world)
            finally:
                for name in (FILE, OUTPUTS):
                    (directory / name).unlink(missing_ok=True)
    typer.echo("Stopped; nothing is left.")


@app.command()
def up(stack: Stack = "dev", directory: Directory = HERE) -> None:
    """Deploy the program, or bring what is there up to date; a second time nothing changes."""
    with _explained(), _engine(directory, "up") as (client, picture):
        config = _config(stack, picture)
        state = client.state()
        if state.resources:
            planned = _run(config, stack, picture, state, preview=True)
            _show_plan(planned, refuse=True)
            if picture["is_up"] and {step.change for step in planned.steps} == {Change.SAME}:
                return
        try:
            done = _run(config, stack, picture, state, on_resource=lambda one: typer.echo(f"  {one.type} {one.name}"))
        finally:
            client.keep(state)
        client.follow(done.exports)
        _write_outputs(directory, done)
        typer.echo(f"Up after {done.seconds:.1f} s: {_counted(done)}. Outputs: {directory / OUTPUTS}")


@app.command()
def preview(
    stack: Stack = "dev",
    refreshed: Annotated[
        bool, typer.Option("--refresh", help="Read first what AWS says now of the properties that it owns.")
    ] = False,
    directory: Directory = HERE,
    as_json: AsJson = False,
) -> None:
    """Say what `up` would do, resource by resource, and do nothing."""
    with _explained():
        client = find(directory)
        picture, state = client.picture(), client.state()
        if refreshed:
            clients = Clients(picture["deploy_url"])
            state = refresh(state, clients)
            clients.close()
        planned = _run(_config(stack, picture), stack, picture, state, preview=True)
        if as_json:
            typer.echo(json.dumps(_plan_json(planned), indent=2))
        else:
            _show_plan(planned, refuse=False)
        raise typer.Exit(REFUSED if planned.refused else 0)


@app.command(name="destroy")
def destroy_all(directory: Directory = HERE) -> None:
    """Delete everything in reverse order, and look whether both regions are empty."""
    with _explained(), _engine(directory, "destroy") as (client, picture):
        state, clients = client.state(), Clients(picture["deploy_url"])
        count = len(state.resources)
        try:
            done = destroy(state, clients, on_deleted=lambda one: typer.echo(f"  {one.type} {one.name}"))
        finally:
            client.keep(state)
        client.follow(None)
        (directory / OUTPUTS).unlink(missing_ok=True)
        left = take_inventory(clients, picture["regions"])
        clients.close()
        typer.echo(f"Destroyed {len(done.deleted)} of {count} resources after {done.seconds:.1f} s.")
        for found in left:
            typer.echo(f"left behind: {found}", err=True)
        if left:
            raise typer.Exit(FAILED)
        typer.echo("Both regions are empty.")


@app.command()
def darken(region: str, directory: Directory = HERE) -> None:
    """Let a region go dark: its databases, its functions and its AWS API hang, for everybody."""
    with _explained():
        find(directory).turn(region, "darken")
        typer.echo(f"{region} is dark")


@app.command()
def lighten(region: str, directory: Directory = HERE) -> None:
    """Bring a region back."""
    with _explained():
        find(directory).turn(region, "lighten")
        typer.echo(f"{region} is back")


@app.command()
def status(directory: Directory = HERE, as_json: AsJson = False) -> None:
    """Say what runs, what is deployed, who is the writer and which region is dark."""
    with _explained():
        picture = find(directory).picture()
        if as_json:
            typer.echo(json.dumps(picture, indent=2))
            return
        typer.echo(
            f"stack {picture['stack']}, a beat of {picture['beat_seconds']:g} s, {picture['resources']} resources"
        )
        for region in picture["regions"]:
            cluster = next((each for each in picture["clusters"] if each["region"] == region), None)
            role = "empty" if cluster is None else "writer" if cluster["is_writer"] else "standby"
            typer.echo(f"  {region}: {role}{', dark' if region in picture['dark_regions'] else ''}")
        typer.echo(_exports(picture["operator_url"]))


@app.command()
def stop(directory: Directory = HERE) -> None:
    """End the sandbox with everything that is in it."""
    with _explained():
        client = find(directory)
        client.stop()
        deadline = time.monotonic() + STOP_SECONDS
        while (directory / FILE).exists():
            if time.monotonic() > deadline:
                raise SandboxError(f"process {client.address.pid} did not end within {STOP_SECONDS:g} s: kill it")
            time.sleep(0.05)
        typer.echo("stopped")


# How it is done.


@contextmanager
def _explained() -> Iterator[None]:
    """End with the exit code that fits what went wrong, and its words on stderr."""
    try:
        yield
    except DestroyRefusedError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(REFUSED) from error
    except (SandboxError, SettingsError, DeploymentError, DestroyError, EmulatorError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(130) from None


@contextmanager
def _engine(directory: Path, doing: str) -> Iterator[tuple[SandboxClient, dict[str, Any]]]:
    client = find(directory)
    with client.engine(doing):
        yield client, client.picture()


def _refuse_second(directory: Path) -> None:
    if not (directory / FILE).exists():
        return
    try:
        client = find(directory)
        client.picture()
    except SandboxError:
        return  # What a killed one left behind is written over.
    raise SandboxError(f"a sandbox runs here already, process {client.address.pid}: stop it first, or give --directory")


def _warm_up(world: World) -> None:
    """Make the first call to each service from each place: the proxies learn a service's calls then, which takes seconds."""
    for place, endpoint in world.faults.endpoints.items():
        clients = Clients(endpoint)
        region = world.network.regions[0] if place == OUTSIDE else place
        for service, operation in FIRST_CALLS:
            getattr(clients(service, region), operation)()
        clients.close()


def _exports(url: str) -> str:
    return f"  export AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID={ACCOUNT_ID} AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY}"


def _wait(stop_requested: threading.Event, world: World) -> None:
    """Wait for `stop`, for Ctrl-C, or for a signal to end; an emulator that dies ends it too."""
    previous = signal.signal(signal.SIGTERM, lambda _number, _frame: stop_requested.set())
    try:
        while not stop_requested.wait(1.0):
            world.emulator.check_alive()
    except KeyboardInterrupt:
        typer.echo("stopping")
    finally:
        signal.signal(signal.SIGTERM, previous)


def _config(stack: str, picture: dict[str, Any]) -> dict[str, str]:
    config = shortened_config(stack, picture["beat_seconds"])
    settings = settings_of(config)
    wanted = [settings.primary.region, settings.secondary.region]
    # A changed region is the plan's to refuse; two others are another sandbox.
    if not set(wanted) & set(picture["regions"]):
        raise SandboxError(
            f"stack {stack} is in {' and '.join(wanted)}, this sandbox has {' and '.join(picture['regions'])}: "
            f"stop it, and start another one with --stack {stack}"
        )
    return config


def _run(
    config: dict[str, str],
    stack: str,
    picture: dict[str, Any],
    state: StackState,
    *,
    preview: bool = False,
    on_resource: Callable[[Any], None] | None = None,
) -> Deployment:
    return deploy(
        PROGRAM_DIRECTORY, config, picture["deploy_url"], on_resource, stack=stack, preview=preview, state=state
    )


def _show_plan(planned: Deployment, *, refuse: bool) -> None:
    for warning in planned.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for step in planned.steps:
        # What is about to be made is told when it is.
        if step.change not in ((Change.SAME, Change.CREATE) if refuse else (Change.SAME,)):
            typer.echo(f"  {step}")
    for text in (planned.left_alone, planned.replaces, planned.refused):
        if text:
            typer.echo(text, err=True)
    typer.echo(f"Plan: {_counted(planned)}")
    if refuse and planned.refused:
        raise typer.Exit(REFUSED)
    if refuse and planned.replaces:
        typer.echo("The sandbox replaces nothing: `destroy`, then `up`.", err=True)
        raise typer.Exit(REFUSED)


def _counted(deployment: Deployment) -> str:
    return ", ".join(f"{count} {change}" for change, count in counts(deployment.steps).items()) or "nothing"


def _plan_json(planned: Deployment) -> dict[str, Any]:
    return {
        "counts": counts(planned.steps),
        "steps": [
            {
                "urn": step.urn,
                "change": step.change.value,
                "properties": list(step.properties),
                "forced_by": list(step.forced_by),
                "unknown": list(step.unknown),
                "ignored": list(step.ignored),
                "refusal": step.refusal,
            }
            for step in planned.steps
            if step.change is not Change.SAME or step.ignored
        ],
        "settings_changed": [list(each) for each in planned.settings_changed],
    }


def _write_outputs(directory: Path, deployment: Deployment) -> None:
    """Write what `pulumi stack output --json` prints: secrets masked."""
    outputs = {
        name: "[secret]" if name in deployment.secret_exports else value for name, value in deployment.exports.items()
    }
    write_privately(directory / OUTPUTS, outputs)


if __name__ == "__main__":
    app()
