"""Command line of the sandbox: `python -m rehearsal.sandbox`, an embedded AWS in two regions that runs until it is stopped.

A command imports the server and the engine only if it needs them, so that the other commands start quickly.
"""

from __future__ import annotations

from rehearsal.support.interrupts import end_on_interrupt, keep_interrupts

if __name__ == "__main__":
    end_on_interrupt()

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from rehearsal.cloud.ministack import ACCOUNT_ID, SECRET_ACCESS_KEY
from rehearsal.sandbox.client import FILE, OUTPUTS, SandboxError, SandboxRefusedError, find

FAILED, REFUSED = 1, 3
STOP_SECONDS = 30.0
EXIT_CODES = "Exit codes: 0 done; 1 failed, or resources are left after a destroy; 2 usage; 3 refused; 130 interrupted."
app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="An embedded AWS in two regions on this machine, to practise the operator's commands.",
    epilog=EXIT_CODES,
)
Directory = Annotated[
    Path, typer.Option("--directory", metavar="DIR", help="Directory of the sandbox's file and the stack's outputs.")
]
Stack = Annotated[str, typer.Option("--stack", help="The stack whose settings (Pulumi.<STACK>.yaml) are used.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DEFAULT_DIRECTORY = Path(".sandbox")


@app.command()
def start(
    stack: Annotated[
        str, typer.Option("--stack", help="The stack whose two regions (Pulumi.<STACK>.yaml) are started.")
    ] = "dev",
    interval_seconds: Annotated[
        float,
        typer.Option(
            "--interval",
            min=1.0,
            max=10.0,
            help="Seconds between two cycles; the program's other periods are scaled by the same factor.",
        ),
    ] = 1.0,
    cooldown: Annotated[
        int | None,
        typer.Option(
            "--cooldown",
            metavar="SECONDS",
            min=0,
            max=86400,
            help="Period without automatic failover after a change of roles. Default: the deployed value, scaled.",
        ),
    ] = None,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Start both regions, empty, and stay in the foreground until Ctrl-C or `stop`."""
    with _exit_codes():
        from rehearsal.sandbox.server import host

        _require_free_directory(directory)
        overrides = {} if cooldown is None else {"cooldown_seconds": cooldown}
        host(stack, interval_seconds, directory, failover_overrides=overrides, on_ready=_show_access)
    typer.echo("Stopped; everything is deleted.")


@app.command()
def up(stack: Stack = "dev", directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Deploy the program, or update the deployed stack."""
    with _exit_codes():
        from rehearsal.sandbox.stack import deploy_stack

        deploy_stack(find(directory), stack, directory)


@app.command()
def preview(
    stack: Stack = "dev",
    refreshed: Annotated[
        bool, typer.Option("--refresh", help="First read the current values of the properties that AWS manages.")
    ] = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Show what `up` would change, resource by resource."""
    with _exit_codes():
        from rehearsal.sandbox.stack import preview_stack

        preview_stack(find(directory), stack, refreshed=refreshed, as_json=as_json)


@app.command(name="destroy")
def destroy_all(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Delete every resource in reverse order, and check that both regions are empty."""
    with _exit_codes():
        from rehearsal.sandbox.stack import destroy_stack

        destroy_stack(find(directory), directory)


@app.command()
def env(stack: Stack = "dev", directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Print what a shell needs to use the Pulumi CLI here: eval "$(python -m rehearsal.sandbox env)".

    The settings are copied from Pulumi.<STACK>.yaml; run the command again after a change of that file.
    """
    with _exit_codes():
        from rehearsal.pulumi_cli.workspace import UNSET
        from rehearsal.sandbox.stack import cli_variables

        for name, value in cli_variables(find(directory), stack, directory).items():
            typer.echo(f"export {name}={shlex.quote(value)}")
        typer.echo(f"unset {' '.join(UNSET)}")


@app.command()
def fail(region: str, directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Fail a region: its databases, functions and AWS API stop responding to all callers."""
    with _exit_codes():
        find(directory).change_region(region, "fail")
        typer.echo(f"{region} has failed")


@app.command()
def restore(region: str, directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Restore a failed region."""
    with _exit_codes():
        find(directory).change_region(region, "restore")
        typer.echo(f"{region} is restored")


@app.command()
def status(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show the stack, the writer and the failed regions."""
    with _exit_codes():
        status = find(directory).status()
        if as_json:
            typer.echo(json.dumps(status, indent=2))
            return
        typer.echo(
            f"stack {status['stack']}, interval {status['interval_seconds']:g} s, {status['resources']} resources"
        )
        for region in status["regions"]:
            cluster = next((each for each in status["clusters"] if each["region"] == region), None)
            role = "empty" if cluster is None else "writer" if cluster["is_writer"] else "standby"
            at = "" if cluster is None else f", MySQL on {cluster['host']}:{cluster['port']}"
            typer.echo(f"  {region}: {role}{', failed' if region in status['failed_regions'] else ''}{at}")
        typer.echo(f"  TLS certificate authority: {status['ca_file']}")
        typer.echo(_environment_variables(status["operator_url"]))


@app.command()
def stop(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Stop the sandbox and delete everything in it."""
    with _exit_codes():
        client = find(directory)
        client.stop()
        deadline = time.monotonic() + STOP_SECONDS
        while (directory / FILE).exists():
            if time.monotonic() > deadline:
                raise SandboxError(f"process {client.address.pid} did not stop within {STOP_SECONDS:g} s. Kill it")
            time.sleep(0.05)
        typer.echo("stopped")


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Map errors to exit codes and print them on stderr."""
    try:
        yield
    except SandboxRefusedError as error:
        typer.echo(f"refused: {error}", err=True)
        raise typer.Exit(REFUSED) from error
    except SandboxError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        raise typer.Exit(130) from None


def _require_free_directory(directory: Path) -> None:
    if not (directory / FILE).exists():
        return
    try:
        client = find(directory)
        client.status()
    except SandboxError:
        return  # The file of a killed sandbox is overwritten.
    raise SandboxError(
        f"a sandbox is already running in {directory} (process {client.address.pid}). Stop that sandbox, or use another --directory"
    )


def _show_access(regions: list[str], url: str, directory: Path) -> None:
    typer.echo(f"Both regions are up and empty: {' and '.join(regions)}. In other terminals:")
    typer.echo(_environment_variables(url))
    typer.echo("  python -m rehearsal.sandbox up")
    typer.echo(f"  python -m operations status --outputs {directory / OUTPUTS}")
    typer.echo("Stop it with Ctrl-C or `python -m rehearsal.sandbox stop`.")


def _environment_variables(url: str) -> str:
    return f"  export AWS_ENDPOINT_URL={url} AWS_ACCESS_KEY_ID={ACCOUNT_ID} AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY}"


if __name__ == "__main__":
    keep_interrupts()
    app()
