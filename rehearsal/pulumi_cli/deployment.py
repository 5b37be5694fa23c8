"""Deploys and destroys a stack with the Pulumi CLI, and returns the result types of the in-process engine."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.engine.deploy import DeployedStack, DeploymentError
from rehearsal.engine.destroy import Deleted, DestroyError
from rehearsal.provider.resources.handler import Treatment
from rehearsal.provider.resources.outcome import GLOBAL, NotHeld, ProviderResource
from rehearsal.provider.resources.registry import HANDLERS
from rehearsal.pulumi_cli.plugins import REPOSITORY
from rehearsal.pulumi_cli.workspace import Workspace, WorkspaceError, complete_environment

POLL_SECONDS = 0.1
STEP_SECONDS = 1800.0
END_SECONDS = 10.0
"""After a request to end the CLI waits for the running operations."""
CHANGES = ("create", "update", "create-replacement")
PLUGIN_PATH = " from $PATH at "
"""In a warning of the CLI for each plugin that it does not install itself."""


@dataclass(frozen=True, kw_only=True)
class CliEvent:
    """One completed step of the CLI, including `same` and `refresh`."""

    operation: str
    state: Mapping[str, Any]
    """The resource after the step, or before its deletion."""
    seconds: float


class CliStack:
    """A stack that the Pulumi CLI deploys on the embedded AWS; `step_seconds` limits each command."""

    def __init__(
        self, workspace: Workspace, stack: str, endpoint_url: str, *, step_seconds: float = STEP_SECONDS
    ) -> None:
        self._workspace = workspace
        self._step_seconds = step_seconds
        self._stack = stack
        self._endpoint_url = endpoint_url
        self._variables: dict[str, str] | None = None

    def deploy(self, config: Mapping[str, str], on_resource: Callable[[ProviderResource], None]) -> DeployedStack:
        """Run `pulumi up`. Raises: DeploymentError with the CLI's diagnostics."""
        started = time.monotonic()
        try:
            self._variables = self._workspace.prepare(self._stack, config, self._endpoint_url)
        except WorkspaceError as error:
            raise DeploymentError(str(error)) from error
        regions: dict[str, str] = {}
        resources: list[ProviderResource] = []
        not_held: set[NotHeld] = set()
        with closing(self._operate("up")) as events:
            for event in events:
                if event.state["type"].startswith("pulumi:providers:"):
                    reference = f"{event.state['urn']}::{event.state['id']}"
                    regions[reference] = event.state["inputs"].get("region", GLOBAL)
                elif event.state.get("custom") and event.operation in CHANGES:
                    resources.append(_resource(event, regions))
                    not_held |= _not_held(event.state)
                    on_resource(resources[-1])
        return DeployedStack(
            exports=json.loads(self._run("stack", "output", "--json", "--show-secrets")),
            resources=tuple(resources),
            not_held=tuple(sorted(not_held)),
            warnings=_warnings(self._event_log("up")),
            seconds=time.monotonic() - started,
        )

    def destroy(self, on_deleted: Callable[[Deleted], None]) -> None:
        """Run `pulumi destroy`, after a preview. Raises: DestroyError with the CLI's diagnostics."""
        try:
            # The engine refuses in the preview to delete a protected resource. Without one it finds out when it has
            # deleted others.
            self._run("destroy", "--preview-only")
            self._destroy(on_deleted)
        except DeploymentError as error:
            raise DestroyError(str(error)) from error

    def _destroy(self, on_deleted: Callable[[Deleted], None]) -> None:
        regions = {
            f"{each['urn']}::{each['id']}": each["inputs"].get("region", GLOBAL)
            for each in self.resources()
            if each["type"].startswith("pulumi:providers:")
        }
        with closing(self._operate("destroy")) as events:
            for event in events:
                if event.operation == "delete" and event.state.get("custom") and event.state["type"] in HANDLERS:
                    resource = _resource(event, regions)
                    names = ("urn", "type", "name", "region", "id", "seconds")
                    on_deleted(Deleted(**{name: getattr(resource, name) for name in names}, was_gone=None))

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources of the state, with encrypted secrets. Raises: DeploymentError."""
        return json.loads(self._run("stack", "export"))["deployment"].get("resources", [])

    def resource_count(self) -> int:
        """Return the number of resources that a destroy deletes through AWS's or another provider. Raises: DeploymentError."""
        return sum(each["type"] in HANDLERS for each in self.resources())

    def _event_log(self, command: str) -> Path:
        return self._workspace.directory / f"{command}.events"

    def _run(self, *arguments: str) -> str:
        command = f"pulumi {' '.join(arguments)}"
        try:
            done = subprocess.run(
                [str(self._workspace.cli), *arguments, "--non-interactive"],
                cwd=REPOSITORY,
                env=self._environment(),
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=self._step_seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise DeploymentError(f"{command}: did not end within {self._step_seconds:g} s") from error
        if done.returncode:
            raise DeploymentError(f"{command}: {diagnostics(done.stdout + done.stderr)}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        if self._variables is None:
            raise RuntimeError("no stack is deployed. Call deploy first")
        variables = {**self._variables, "NO_COLOR": "1", "PULUMI_DEBUG_COMMANDS": "true"}
        return complete_environment(variables, os.environ)

    def _operate(self, command: str) -> Generator[CliEvent]:
        """Run an operation and yield its events as they happen."""
        log, printed = self._event_log(command), self._workspace.directory / f"{command}.log"
        log.write_bytes(b"")
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
            yield from _events(log, process, time.monotonic() + self._step_seconds)
            if process.poll() is None:
                raise DeploymentError(f"pulumi {command}: did not end within {self._step_seconds:g} s")
        finally:
            end(process)
        if process.returncode:
            raise DeploymentError(diagnostics(printed.read_text(encoding="utf-8")))


def _events(log: Path, process: subprocess.Popen[bytes], deadline: float) -> Iterator[CliEvent]:
    """Yield the events of an operation until its process has ended, or until the deadline."""
    begun: dict[str, float] = {}
    rest = b""
    with log.open("rb") as file:
        while True:
            ended = process.poll() is not None
            *lines, rest = (rest + file.read()).split(b"\n")
            for line in lines:
                yield from _event(json.loads(line), begun)
            if ended or time.monotonic() > deadline:
                return
            time.sleep(POLL_SECONDS)


def end(process: subprocess.Popen[bytes], seconds: float = END_SECONDS) -> None:
    """End a process if it still runs: kill it if it does not end within `seconds` after the request."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _warnings(log: Path) -> tuple[str, ...]:
    """Return the warnings of an operation, without those about the plugins' path."""
    events = (json.loads(line).get("diagnosticEvent", {}) for line in log.read_bytes().splitlines())
    messages = (each["message"].strip() for each in events if each.get("severity") == "warning")
    return tuple(each for each in messages if PLUGIN_PATH not in each)


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
    return "\n".join(line for line in lines if line and PLUGIN_PATH not in line).strip()
