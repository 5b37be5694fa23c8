"""Deploys and destroys a stack with the Pulumi CLI, with the results of the in-process engine."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.engine.deploy import DeploymentError, DeployResult
from rehearsal.engine.destroy import Deleted, DestroyError
from rehearsal.engine.state import StackState
from rehearsal.provider.resources.handler import Treatment
from rehearsal.provider.resources.outcome import GLOBAL, NotHeld, ProviderResource
from rehearsal.provider.resources.registry import HANDLERS
from rehearsal.pulumi_cli.plugins import REPOSITORY
from rehearsal.pulumi_cli.workspace import UNSET, Workspace, WorkspaceError
from settings.stack_file import project_name

POLL_SECONDS = 0.1
STEP_SECONDS = 1800.0
CHANGES = ("create", "update", "create-replacement")


@dataclass(frozen=True, kw_only=True)
class CliEvent:
    """A resource that an operation of the CLI has created, changed or deleted."""

    operation: str
    state: Mapping[str, Any]
    """The resource after the step, or before its deletion."""
    seconds: float


class CliStack:
    """A stack that the Pulumi CLI deploys on the embedded AWS."""

    def __init__(self, workspace: Workspace, stack: str, endpoint_url: str) -> None:
        self._workspace = workspace
        self._stack = stack
        self._endpoint_url = endpoint_url
        self._variables: dict[str, str] = {}

    def deploy(self, config: Mapping[str, str], on_resource: Callable[[ProviderResource], None]) -> DeployResult:
        """Run `pulumi up`. Raises: DeploymentError with the CLI's diagnostics."""
        started = time.monotonic()
        try:
            self._variables = self._workspace.prepare(self._stack, config, self._endpoint_url)
        except WorkspaceError as error:
            raise DeploymentError(str(error)) from error
        regions: dict[str, str] = {}
        resources: list[ProviderResource] = []
        not_held: set[NotHeld] = set()
        for event in self._operate("up", DeploymentError):
            if event.state["type"].startswith("pulumi:providers:"):
                reference = f"{event.state['urn']}::{event.state['id']}"
                regions[reference] = event.state["inputs"].get("region", GLOBAL)
            elif event.state.get("custom") and event.operation in CHANGES:
                resources.append(_resource(event, regions))
                not_held |= _not_held(event.state)
                on_resource(resources[-1])
        exports, masked = self._outputs("--show-secrets"), self._outputs()
        return DeployResult(
            project=project_name(REPOSITORY),
            stack=self._stack,
            exports=exports,
            secret_exports=frozenset(name for name, value in exports.items() if masked[name] != value),
            resources=tuple(resources),
            steps=(),
            state=StackState(config=config),
            not_held=tuple(sorted(not_held)),
            warnings=(),
            seconds=time.monotonic() - started,
            preview=False,
        )

    def destroy(self, on_deleted: Callable[[Deleted], None]) -> None:
        """Run `pulumi destroy`. Raises: DestroyError with the CLI's diagnostics."""
        regions = {
            f"{each['urn']}::{each['id']}": each["inputs"].get("region", GLOBAL)
            for each in self.resources()
            if each["type"].startswith("pulumi:providers:")
        }
        for event in self._operate("destroy", DestroyError):
            if event.operation == "delete" and event.state.get("custom") and event.state["type"] in HANDLERS:
                resource = _resource(event, regions)
                names = ("urn", "type", "name", "region", "id", "seconds")
                on_deleted(Deleted(**{name: getattr(resource, name) for name in names}, was_gone=False))

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources of the state, with encrypted secrets."""
        return json.loads(self._run("stack", "export"))["deployment"].get("resources", [])

    def resource_count(self) -> int:
        """Return the number of resources that a destroy deletes through AWS's or another provider."""
        return sum(each["type"] in HANDLERS for each in self.resources())

    def _outputs(self, *options: str) -> dict[str, Any]:
        return json.loads(self._run("stack", "output", "--json", *options))

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._workspace.cli), *arguments, "--non-interactive"],
            cwd=REPOSITORY,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=STEP_SECONDS,
        )
        if done.returncode:
            raise DeploymentError(f"pulumi {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
        return {**inherited, **self._variables, "NO_COLOR": "1", "PULUMI_DEBUG_COMMANDS": "true"}

    def _operate(self, command: str, error: type[DeploymentError] | type[DestroyError]) -> Iterator[CliEvent]:
        """Run an operation and yield its events as they happen."""
        log, printed = self._workspace.directory / f"{command}.events", self._workspace.directory / f"{command}.log"
        log.unlink(missing_ok=True)
        with printed.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [
                    *(str(self._workspace.cli), command, "--yes", "--skip-preview", "--non-interactive"),
                    f"--event-log={log}",
                ],
                cwd=REPOSITORY,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield from _events(log, process)
        finally:
            if process.poll() is None:
                process.terminate()
        if process.wait(STEP_SECONDS):
            raise error(diagnostics(printed.read_text(encoding="utf-8")))


def _events(log: Path, process: subprocess.Popen[bytes]) -> Iterator[CliEvent]:
    """Yield the events of an operation until its process has ended."""
    begun: dict[str, float] = {}
    position = 0
    while True:
        ended = process.poll() is not None
        text = log.read_bytes()[position:] if log.is_file() else b""
        complete = text[: text.rfind(b"\n") + 1]
        position += len(complete)
        for line in complete.splitlines():
            yield from _event(json.loads(line), begun)
        if ended:
            return
        time.sleep(POLL_SECONDS)


def _event(event: Mapping[str, Any], begun: dict[str, float]) -> Iterator[CliEvent]:
    if before := event.get("resourcePreEvent"):
        begun[before["metadata"]["urn"]] = time.monotonic()
    if after := event.get("resOutputsEvent"):
        step = after["metadata"]
        state = step["old"] if step["op"] == "delete" else step["new"]
        if state:
            now = time.monotonic()
            yield CliEvent(operation=step["op"], state=state, seconds=now - begun.get(step["urn"], now))


def _resource(event: CliEvent, regions: Mapping[str, str]) -> ProviderResource:
    state, handler = event.state, HANDLERS.get(event.state["type"])
    inputs, outputs = state.get("inputs") or {}, state.get("outputs") or {}
    return ProviderResource(
        urn=state["urn"],
        type=state["type"],
        name=state["urn"].rpartition("::")[2],
        region=GLOBAL if handler is None or handler.is_global else regions.get(state.get("provider", ""), GLOBAL),
        id=state.get("id", ""),
        inputs=inputs,
        outputs={name: value for name, value in outputs.items() if name not in inputs},
        seconds=event.seconds,
    )


def _not_held(state: Mapping[str, Any]) -> set[NotHeld]:
    handler = HANDLERS.get(state["type"])
    if handler is None:
        return set()
    dropped = {name: entry for name, entry in handler.properties.items() if entry.treatment is Treatment.NOT_HELD}
    return {
        NotHeld(type=state["type"], property=name, reason=entry.reason)
        for name, entry in dropped.items()
        if name in (state.get("inputs") or {})
    }


def diagnostics(printed: str) -> str:
    """Return the errors of what the CLI printed, without its warnings about the plugins' path."""
    part = printed.partition("\nDiagnostics:\n")[2].partition("\nOutputs:\n")[0].partition("\nResources:\n")[0]
    lines = [line.rstrip() for line in (part or printed).splitlines()]
    return "\n".join(line for line in lines if line and " from $PATH at " not in line).strip()
