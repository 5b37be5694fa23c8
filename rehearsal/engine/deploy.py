"""Runs a Pulumi program in this process, and creates its resources at one AWS endpoint.

A run leaves no trace in this process: two runs in a row are independent.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import runpy
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi.runtime import config as pulumi_config
from pulumi.runtime import settings as pulumi_settings
from pulumi.runtime.mocks import MockSettings
from pulumi.runtime.proto import engine_pb2
from pulumi.runtime.stack import run_in_stack

from rehearsal.engine.destroy import DestroyError, DestroyRefusedError, destroy
from rehearsal.engine.monitor import CreatingMonitor, Engine, RecordedFailure
from rehearsal.engine.plan import PlanStep, left_alone_text, plan_deletion, refusal_text, replacement_text
from rehearsal.engine.state import KeptResource, ResourceGoal, StackState, changed_settings
from rehearsal.provider.resources import registry
from rehearsal.provider.resources.handler import Handler
from rehearsal.provider.resources.outcome import NotHeld, ProviderResource, ResourceError
from rehearsal.support.clients import BotoClients, ClientFactory
from settings.stack_file import StackFileError, full_key, project_name, read_stack_file

THREADS = 16
"""Parallel registrations: 118 resources of 0.1 s took 1.4 s with 16 threads and 12 s with one."""


class DeploymentError(Exception):
    """A failed program or resource. The text has all errors; `errors` has those of single resources."""

    def __init__(self, message: str, *, errors: tuple[ResourceError, ...] = ()) -> None:
        super().__init__(message)
        self.errors = errors


@dataclass(frozen=True, kw_only=True)
class DeployedStack:
    """The result of a deployment by either engine."""

    exports: Mapping[str, Any]
    """The stack's outputs, secrets unwrapped."""
    resources: tuple[ProviderResource, ...]
    """The resources that were created or changed, in that order, with secrets masked."""
    not_held: tuple[NotHeld, ...]
    """The properties that were sent and that the embedded AWS drops."""
    warnings: tuple[str, ...]
    """The messages of `pulumi.warn`."""
    seconds: float

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the number of resources by region (or "global") and type."""
        regions = sorted({resource.region for resource in self.resources})
        return {
            region: dict(sorted(Counter(each.type for each in self.resources if each.region == region).items()))
            for region in regions
        }


@dataclass(frozen=True, kw_only=True)
class DeployResult(DeployedStack):
    """The result of a run of the program with the in-process engine."""

    project: str
    stack: str
    secret_exports: frozenset[str]
    """Names of the secret exports, whose values must not be printed."""
    steps: tuple[PlanStep, ...]
    """The step of each resource, sorted by URN; deletions last."""
    goals: tuple[ResourceGoal, ...] = ()
    """All resources that the program registered, sorted by URN, with its providers and components."""
    state: StackState = field(repr=False)
    """The state after the run, with secrets."""
    settings_changed: tuple[tuple[str, str, str], ...] = ()
    """(setting, old value, new value) since the previous run."""
    preview: bool

    @property
    def refused(self) -> str:
        """The steps that the engine or AWS would refuse, with a hint; empty if there are none."""
        return refusal_text(self.steps, self.settings_changed) if any(step.refusal for step in self.steps) else ""

    @property
    def replaces(self) -> str:
        """The replacements and their reasons; empty if there are none."""
        return replacement_text(self.steps, self.settings_changed)

    @property
    def left_alone(self) -> str:
        """The inputs that stay as they are although settings changed; empty if there are none."""
        return left_alone_text(self.steps, self.settings_changed)


def deploy(
    program_dir: Path,
    config: Mapping[str, str],
    endpoint_url: str,
    on_resource: Callable[[ProviderResource], None] | None = None,
    *,
    stack: str = "dev",
    preview: bool = False,
    clients: ClientFactory | None = None,
    handlers: Mapping[str, Handler] = registry.HANDLERS,
    state: StackState | None = None,
) -> DeployResult:
    """Run the program in `program_dir`, and create its resources at `endpoint_url`.

    `config` is flat, as `stack_config` returns it. `on_resource` is called for each created or changed resource, never by
    two threads at once. `state` is the state of the previous run and is updated resource by resource, also in a run that
    fails: resources in it stay, are changed in place, or are deleted if the program no longer registers them. No resource
    is replaced. A preview changes nothing, and outputs of new resources are unknown.

    Raises:
        DeploymentError: with all errors. Resources that depend on a failed one are not tried.
    """
    try:
        project = project_name(program_dir)
    except StackFileError as error:
        raise DeploymentError(str(error)) from error
    own_clients = BotoClients(endpoint_url)
    state = StackState() if state is None else state
    monitor = CreatingMonitor(
        clients=clients or own_clients,
        program_directory=program_dir,
        preview=preview,
        handlers=handlers,
        on_resource=on_resource,
        state=state,
    )
    engine = Engine()
    settings = MockSettings(
        monitor=monitor,
        monitor_features=set(monitor.GetDeploymentInfo(None).supportedFeatures),
        engine=engine,
        project=project,
        stack=stack,
        dry_run=preview,
        organization="rehearsal",
        root_directory=str(program_dir),
        callbacks=None,
    )
    started = time.monotonic()
    before = state.copy()
    try:
        failure = run_program(program_dir, settings, config)
        _raise_errors(monitor, engine, failure)
        gone = [each for urn, each in before.resources.items() if urn not in monitor.reconciler.matched]
        if gone and not preview:
            _delete(gone, state, clients or own_clients, handlers)
    finally:
        own_clients.close()
    if not preview:
        state.config = dict(config)
    return DeployResult(
        project=project,
        stack=stack,
        exports=monitor.record.exports,
        secret_exports=monitor.record.secret_exports,
        resources=tuple(monitor.record.resources),
        not_held=tuple(sorted(monitor.record.not_held)),
        steps=(*sorted(monitor.reconciler.steps, key=lambda step: step.urn), *(plan_deletion(each) for each in gone)),
        goals=tuple(sorted(monitor.goals, key=lambda goal: goal.urn)),
        state=state,
        settings_changed=tuple(changed_settings(before.config, config)) if before.config else (),
        warnings=engine.at(engine_pb2.WARNING),
        seconds=time.monotonic() - started,
        preview=preview,
    )


def _delete(
    gone: Sequence[KeptResource], state: StackState, clients: ClientFactory, handlers: Mapping[str, Handler]
) -> None:
    try:
        destroy(state, clients, only=gone, handlers=handlers)
    except (DestroyRefusedError, DestroyError) as error:
        raise DeploymentError(str(error)) from error


def stack_config(program_dir: Path, stack: str, overrides: Mapping[str, object] | None = None) -> dict[str, str]:
    """Return a stack's configuration in the CLI's format: full keys, objects as JSON.

    `overrides` are merged over Pulumi.<stack>.yaml, key by key and recursively inside objects. A key without a namespace
    belongs to the project.

    Raises:
        DeploymentError: a file is missing or malformed, or has an encrypted value, which only the CLI can decrypt.
    """
    try:
        project, settings = project_name(program_dir), read_stack_file(program_dir, stack)
    except StackFileError as error:
        raise DeploymentError(str(error)) from error
    for key, value in (overrides or {}).items():
        settings[full_key(project, key)] = _merged(settings.get(full_key(project, key)), value)
    return {key: _as_text(value) for key, value in settings.items()}


def _merged(below: object, above: object) -> object:
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}
    return above


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    # JSON formats numbers and booleans as Pulumi's configuration does.
    return json.dumps(value)


def run_program(program_dir: Path, settings: MockSettings, config: Mapping[str, str]) -> BaseException | None:
    """Run the program with a monitor of its own; return the exception that it raised, if any."""

    def program() -> None:
        runpy.run_path(str(program_dir / "__main__.py"), run_name="__main__")

    async def main() -> None:
        # These are context variables: another run does not see them.
        pulumi_settings.configure(settings)
        pulumi_settings.SETTINGS.outputs = set()  # pyright: ignore[reportAttributeAccessIssue]  (a context variable)
        pulumi_settings.ROOT.set(None)
        pulumi_config.set_all_config(dict(config), [])
        await run_in_stack(program)

    unawaited: list[BaseException] = []

    def note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), BaseException):
            unawaited.append(context["exception"])

    with _program_directory(program_dir), asyncio.Runner() as runner:
        loop = runner.get_loop()
        loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="deployment"))
        # After a failure, outputs that are no longer awaited fail too, and asyncio would print each of them.
        loop.set_exception_handler(note)
        try:
            runner.run(main(), context=contextvars.copy_context())
        except (Exception, SystemExit) as error:  # noqa: BLE001 (any exception is the program's error)
            return error
        finally:
            gc.enable()  # The program disables it, because its process usually ends with it.
    return unawaited[0] if unawaited else None


@contextmanager
def _program_directory(directory: Path) -> Iterator[None]:
    """Change to the program's directory and put it on the import path, as the CLI does."""
    sys.path.insert(0, str(directory))
    try:
        with chdir(directory):
            yield
    finally:
        sys.path.remove(str(directory))


def _raise_errors(monitor: CreatingMonitor, engine: Engine, failure: BaseException | None) -> None:
    errors = tuple(sorted(monitor.record.errors))
    texts = [str(error) for error in errors]
    if failure is not None and not isinstance(failure, RecordedFailure):
        texts.insert(0, _text_of(failure))
    texts += [text for text in engine.at(engine_pb2.ERROR) if text not in texts]
    if monitor.record.skipped:
        texts.append(f"not tried: {len(monitor.record.skipped)} resources that depend on the failed ones")
    if texts:
        raise DeploymentError(monitor.redact("\n".join(texts)), errors=errors) from failure


def _text_of(failure: BaseException) -> str:
    """Return the text of an exception, with its class if it is one of Python's own."""
    text = str(failure)
    return f"{type(failure).__name__}: {text}" if type(failure).__module__ == "builtins" else text or repr(failure)
