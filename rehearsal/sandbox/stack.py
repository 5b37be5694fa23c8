"""Changes of the stack in a running sandbox: up, preview, destroy. The state is stored even if an operation fails."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
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
from rehearsal.pulumi_cli.workspace import Workspace, WorkspaceError
from rehearsal.sandbox.client import (
    CLI_FOLDER,
    OUTPUTS,
    SandboxClient,
    SandboxError,
    SandboxRefusedError,
    write_private_json,
)
from rehearsal.support.clients import BotoClients
from settings import SettingsError, parse_stack_config
from tools.fetch_pulumi import find as find_cli


def deploy_stack(client: SandboxClient, stack: str, directory: Path) -> None:
    """Deploy the program, or update the deployed stack. Raises: SandboxError, SandboxRefusedError."""
    with _translate_errors(), client.stack_lock("up"):
        status, state = client.status(), client.state()
        _refuse_cli_stack(status, "pulumi up")
        config = _config(stack, status)
        if state.resources:
            planned = _deploy(config, stack, status, state, preview=True)
            _show_plan(planned, created=False)
            if planned.refused or planned.replaces:
                raise SandboxRefusedError(
                    "no changes were made: the sandbox does not replace resources. Run `destroy`, then `up`"
                )
            if status["is_up"] and {step.change for step in planned.steps} == {PlannedChange.SAME}:
                return
        try:
            done = _deploy(config, stack, status, state, on_resource=lambda one: typer.echo(f"  {one.type} {one.name}"))
        finally:
            client.store_state(state)
        client.set_outputs(done.exports)
        _write_outputs(directory, done)
        typer.echo(f"Up after {done.seconds:.1f} s: {_count_changes(done)}. Outputs: {directory / OUTPUTS}")


def preview_stack(client: SandboxClient, stack: str, *, refreshed: bool, as_json: bool) -> None:
    """Show what `deploy_stack` would change. Raises: SandboxError; SandboxRefusedError if it would be refused."""
    with _translate_errors():
        status, state = client.status(), client.state()
        if refreshed:
            clients = BotoClients(status["deploy_url"])
            state = refresh(state, clients)
            clients.close()
        planned = _deploy(_config(stack, status), stack, status, state, preview=True)
        if as_json:
            typer.echo(json.dumps(_plan_json(planned), indent=2))
        else:
            _show_plan(planned, created=True)
        if planned.refused:
            raise SandboxRefusedError("`up` would be refused")


def destroy_stack(client: SandboxClient, directory: Path) -> None:
    """Delete every resource, and check that none is left. Raises: SandboxError, SandboxRefusedError."""
    with _translate_errors(), client.stack_lock("destroy"):
        status, state = client.status(), client.state()
        _refuse_cli_stack(status, "pulumi destroy")
        count, clients = len(state.resources), BotoClients(status["deploy_url"])
        try:
            done = destroy(state, clients, on_deleted=lambda one: typer.echo(f"  {one.type} {one.name}"))
        finally:
            client.store_state(state)
        client.set_outputs(None)
        (directory / OUTPUTS).unlink(missing_ok=True)
        left = take_inventory(clients, status["regions"])
        clients.close()
        typer.echo(f"Destroyed {len(done.deleted)} of {count} resources after {done.seconds:.1f} s.")
        if left:
            raise SandboxError("\n".join(["resources left:", *map(str, left)]))
        typer.echo("Both regions are empty.")


def cli_variables(client: SandboxClient, stack: str, directory: Path) -> dict[str, str]:
    """Return the variables with which the Pulumi CLI uses the sandbox. Raises: SandboxError, SandboxRefusedError."""
    with _translate_errors():
        status = client.status()
        if status["resources"] and not status["is_cli_stack"]:
            raise SandboxRefusedError(
                "the stack was deployed by `python -m rehearsal.sandbox up`. Run `destroy` before you use the Pulumi CLI"
            )
        cli = find_cli(os.environ)
        if cli is None:
            raise SandboxError("pulumi: no CLI was found that fits. Run `make pulumi`")
        workspace = Workspace(directory=directory / CLI_FOLDER, cli=Path(cli))
        return workspace.prepare(stack, _config(stack, status), status["operator_url"])


def _refuse_cli_stack(status: Mapping[str, Any], command: str) -> None:
    if status["is_cli_stack"]:
        raise SandboxRefusedError(f"the stack was deployed by the Pulumi CLI. Run `{command}`")


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate the engine's errors."""
    try:
        yield
    except DestroyRefusedError as error:
        raise SandboxRefusedError(str(error).removeprefix("refused: ")) from error
    except (SettingsError, DeploymentError, DestroyError, WorkspaceError) as error:
        raise SandboxError(str(error)) from error


def _config(stack: str, status: dict[str, Any]) -> dict[str, str]:
    config = shortened_config(stack, status["interval_seconds"], status["failover_overrides"])
    settings = parse_stack_config(config)
    stack_regions = [settings.primary.region, settings.secondary.region]
    # The plan refuses one changed region; two other regions need another sandbox.
    if not set(stack_regions) & set(status["regions"]):
        raise SandboxError(
            f"stack {stack} uses {' and '.join(stack_regions)}, but this sandbox has {' and '.join(status['regions'])}. "
            f"Stop the sandbox and start another one with --stack {stack}"
        )
    return config


def _deploy(
    config: dict[str, str],
    stack: str,
    status: dict[str, Any],
    state: StackState,
    *,
    preview: bool = False,
    on_resource: Callable[[Any], None] | None = None,
) -> DeployResult:
    return deploy(
        PROGRAM_DIRECTORY, config, status["deploy_url"], on_resource, stack=stack, preview=preview, state=state
    )


def _show_plan(planned: DeployResult, *, created: bool) -> None:
    """Show the changes; the creations only if asked, because `up` shows them as they happen."""
    for warning in planned.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for step in planned.steps:
        if step.change is not PlannedChange.SAME and (created or step.change is not PlannedChange.CREATE):
            typer.echo(f"  {step}")
    for text in (planned.left_alone, planned.replaces, planned.refused):
        if text:
            typer.echo(text, err=True)
    typer.echo(f"Plan: {_count_changes(planned)}")


def _count_changes(deployment: DeployResult) -> str:
    return ", ".join(f"{count} {change}" for change, count in counts(deployment.steps).items()) or "no change"


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
    """Write the outputs like `pulumi stack output --json`, with secrets masked."""
    outputs = {
        name: "[secret]" if name in deployment.secret_exports else value for name, value in deployment.exports.items()
    }
    write_private_json(directory / OUTPUTS, outputs)
