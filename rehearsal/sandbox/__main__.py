"""A place to practise: `python -m rehearsal.sandbox`, an embedded AWS in two regions that lives until it is stopped.

Owns: the commands and their exit codes. Does not own: the running world (sandbox_server.py), what changes the stack in it
(sandbox_engine.py); both are imported only by the commands that need them: the others are quick.
Exit codes: 0 done; 1 failed, or something is left after a destroy; 2 usage; 3 refused; 130 interrupted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from rehearsal.sandbox.client import FILE, OUTPUTS, RefusedError, SandboxError, find
from rehearsal.support.clients import ACCOUNT_ID, SECRET_ACCESS_KEY

FAILED, REFUSED = 1, 3
STOP_SECONDS = 30.0
EXIT_CODES = "Exit codes: 0 done; 1 failed, or something is left after a destroy; 2 usage; 3 refused; 130 interrupted."
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
    cycle: Annotated[
        float,
        typer.Option("--interval", min=1.0, max=10.0, help="Seconds between two cycles; every period shrinks with it."),
    ] = 1.0,
    cooldown: Annotated[
        int | None,
        typer.Option(
            "--cooldown",
            metavar="SECONDS",
            min=0,
            max=86400,
            help="How long after a change of roles nothing fails over by itself. Default: as deployed, shrunk with the cycle.",
        ),
    ] = None,
    directory: Directory = HERE,
) -> None:
    """Start both regions, empty, and stay in the foreground until Ctrl-C or `stop`."""
    from rehearsal.sandbox.server import host

    with _explained():
        _refuse_second(directory)
        overrides = {} if cooldown is None else {"cooldown_seconds": cooldown}
        host(stack, cycle, directory, failover_overrides=overrides, say=_say_how_to_reach)
    typer.echo("Stopped; nothing is left.")


@app.command()
def up(stack: Stack = "dev", directory: Directory = HERE) -> None:
    """Deploy the program, or bring what is there up to date; a second time nothing changes."""
    from rehearsal.sandbox.stack import bring_up

    with _explained():
        bring_up(find(directory), stack, directory)


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
    from rehearsal.sandbox.stack import foretell

    with _explained():
        foretell(find(directory), stack, refreshed=refreshed, as_json=as_json)


@app.command(name="destroy")
def destroy_all(directory: Directory = HERE) -> None:
    """Delete everything in reverse order, and look whether both regions are empty."""
    from rehearsal.sandbox.stack import take_down

    with _explained():
        take_down(find(directory), directory)


@app.command()
def fail(region: str, directory: Directory = HERE) -> None:
    """Let a region go dark: its databases, its functions and its AWS API hang, for everybody."""
    with _explained():
        find(directory).turn(region, "fail")
        typer.echo(f"{region} is dark")


@app.command()
def restore(region: str, directory: Directory = HERE) -> None:
    """Bring a region back."""
    with _explained():
        find(directory).turn(region, "restore")
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
            f"stack {picture['stack']}, a cycle of {picture['interval_seconds']:g} s, {picture['resources']} resources"
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
    except RefusedError as error:
        typer.echo(f"refused: {error}", err=True)
        raise typer.Exit(REFUSED) from error
    except SandboxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(130) from None


def _refuse_second(directory: Path) -> None:
    if not (directory / FILE).exists():
        return
    try:
        client = find(directory)
        client.picture()
    except SandboxError:
        return  # What a killed one left behind is written over.
    raise SandboxError(f"a sandbox runs here already, process {client.address.pid}: stop it first, or give --directory")


def _say_how_to_reach(regions: list[str], url: str, directory: Path) -> None:
    typer.echo(f"Both regions are up and empty: {' and '.join(regions)}. In other terminals:")
    typer.echo(_exports(url))
    typer.echo("  python -m rehearsal.sandbox up")
    typer.echo(f"  python -m operations status --outputs {directory / OUTPUTS}")
    typer.echo("Ctrl-C, or `python -m rehearsal.sandbox stop`, ends it.")


def _exports(url: str) -> str:
    return f"  export AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID={ACCOUNT_ID} AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY}"


if __name__ == "__main__":
    app()
