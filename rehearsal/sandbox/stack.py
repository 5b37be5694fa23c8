"""What changes the stack in a running sandbox: up, preview, destroy.

Owns: how the engine is used there, and what is told of it. Does not own: the commands (sandbox.py), the engine itself
(deployment.py, destruction.py), the running world (sandbox_server.py).
Invariant: the state is left with the sandbox whatever happens, so that the next command goes on where this one stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from rehearsal.engine.deploy import DeploymentError, DeployResult, deploy
from rehearsal.engine.destroy import DestroyError, DestroyRefusedError, destroy
from rehearsal.engine.inventory import take_inventory
from rehearsal.engine.plan import PlannedChange, counts
from rehearsal.engine.refresh import refresh
from rehearsal.engine.state import StackState
from rehearsal.environment import PROGRAM_DIRECTORY, shortened_config
from rehearsal.sandbox.client import OUTPUTS, RefusedError, SandboxClient, SandboxError, write_privately
from rehearsal.support.clients import BotoClients
from settings import SettingsError, parse_stack_config


def bring_up(client: SandboxClient, stack: str, directory: Path) -> None:
    """Deploy the program, or bring what is there up to date. Raises: SandboxError, RefusedError."""
    with _translated(), client.engine("up"):
        picture, state = client.picture(), client.state()
        config = _config(stack, picture)
        if state.resources:
            planned = _run(config, stack, picture, state, preview=True)
            _show_plan(planned, created=False)
            if planned.refused or planned.replaces:
                raise RefusedError("nothing was changed; the sandbox replaces nothing: `destroy`, then `up`")
            if picture["is_up"] and {step.change for step in planned.steps} == {PlannedChange.SAME}:
                return
        try:
            done = _run(config, stack, picture, state, on_resource=lambda one: typer.echo(f"  {one.type} {one.name}"))
        finally:
            client.keep(state)
        client.follow(done.exports)
        _write_outputs(directory, done)
        typer.echo(f"Up after {done.seconds:.1f} s: {_counted(done)}. Outputs: {directory / OUTPUTS}")


def foretell(client: SandboxClient, stack: str, *, refreshed: bool, as_json: bool) -> None:
    """Say what `bring_up` would do. Raises: SandboxError, RefusedError when it would be refused."""
    with _translated():
        picture, state = client.picture(), client.state()
        if refreshed:
            clients = BotoClients(picture["deploy_url"])
            state = refresh(state, clients)
            clients.close()
        planned = _run(_config(stack, picture), stack, picture, state, preview=True)
        if as_json:
            typer.echo(json.dumps(_plan_json(planned), indent=2))
        else:
            _show_plan(planned, created=True)
        if planned.refused:
            raise RefusedError("`up` would change nothing")


def take_down(client: SandboxClient, directory: Path) -> None:
    """Delete everything, and look what is left. Raises: SandboxError, also when something is; RefusedError."""
    with _translated(), client.engine("destroy"):
        picture, state = client.picture(), client.state()
        count, clients = len(state.resources), BotoClients(picture["deploy_url"])
        try:
            done = destroy(state, clients, on_deleted=lambda one: typer.echo(f"  {one.type} {one.name}"))
        finally:
            client.keep(state)
        client.follow(None)
        (directory / OUTPUTS).unlink(missing_ok=True)
        left = take_inventory(clients, picture["regions"])
        clients.close()
        typer.echo(f"Destroyed {len(done.deleted)} of {count} resources after {done.seconds:.1f} s.")
        if left:
            raise SandboxError("\n".join(["left behind:", *map(str, left)]))
        typer.echo("Both regions are empty.")


@contextmanager
def _translated() -> Iterator[None]:
    """Say the engine's errors as a command's."""
    try:
        yield
    except DestroyRefusedError as error:
        raise RefusedError(str(error).removeprefix("refused: ")) from error
    except (SettingsError, DeploymentError, DestroyError) as error:
        raise SandboxError(str(error)) from error


def _config(stack: str, picture: dict[str, Any]) -> dict[str, str]:
    config = shortened_config(stack, picture["interval_seconds"], picture["failover_overrides"])
    settings = parse_stack_config(config)
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
) -> DeployResult:
    return deploy(
        PROGRAM_DIRECTORY, config, picture["deploy_url"], on_resource, stack=stack, preview=preview, state=state
    )


def _show_plan(planned: DeployResult, *, created: bool) -> None:
    """Show each step that does something, those that create only if asked: they are told when they are done."""
    for warning in planned.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for step in planned.steps:
        if step.change is not PlannedChange.SAME and (created or step.change is not PlannedChange.CREATE):
            typer.echo(f"  {step}")
    for text in (planned.left_alone, planned.replaces, planned.refused):
        if text:
            typer.echo(text, err=True)
    typer.echo(f"Plan: {_counted(planned)}")


def _counted(deployment: DeployResult) -> str:
    return ", ".join(f"{count} {change}" for change, count in counts(deployment.steps).items()) or "nothing"


def _plan_json(planned: DeployResult) -> dict[str, Any]:
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
            if step.change is not PlannedChange.SAME or step.ignored
        ],
        "settings_changed": [list(each) for each in planned.settings_changed],
    }


def _write_outputs(directory: Path, deployment: DeployResult) -> None:
    """Write what `pulumi stack output --json` prints: secrets masked."""
    outputs = {
        name: "[secret]" if name in deployment.secret_exports else value for name, value in deployment.exports.items()
    }
    write_privately(directory / OUTPUTS, outputs)
