"""The resource monitor that the Pulumi SDK calls: decodes registrations, and creates resources through boto3.

Uses Pulumi's internals, so the version of pulumi is pinned. A registration succeeds completely, or is recorded as an error
with URN, type and property. Independent resources continue.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import engine_pb2, resource_pb2
from pulumi.runtime.settings import get_project, get_stack
from pulumi.runtime.sync_await import _ensure_event_loop

from rehearsal.engine.aliases import STACK_TYPE, alias_urns, make_urn
from rehearsal.engine.reconciler import Reconciler, Registration, RegistrationResult
from rehearsal.engine.state import ResourceGoal, StackState, comparable
from rehearsal.provider.provider import Provider, ReadBackError
from rehearsal.provider.resources import registry
from rehearsal.provider.resources.handler import Handler, HandlerError
from rehearsal.provider.resources.outcome import GLOBAL, ProviderResource, ResourceError, ResourceRecord
from rehearsal.provider.resources.values import MASKED, InputValues, decode, secret, secret_texts
from rehearsal.provider.settings import ProviderSettings
from rehearsal.support.clients import ClientFactory

AWS_PROVIDER_TYPE = "pulumi:providers:aws"

UNSUPPORTED_FEATURES = frozenset(
    {
        resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
        resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
        resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
        resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
    }
)
"""Features that this monitor does not implement. The SDK rejects the use of a feature that GetDeploymentInfo does not list."""


class RecordedFailure(Exception):
    """A failure that the monitor has already recorded."""


class _NoMocks(Mocks):
    """Mocks that are never called: the monitor overrides each method of the base class that would call them."""

    def call(self, args: MockCallArgs) -> Any:
        raise NotImplementedError(args.token)

    def new_resource(self, args: MockResourceArgs) -> Any:
        raise NotImplementedError(args.typ)


class Engine:
    """The engine's log, with the messages of `pulumi.log`."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, str]] = []

    def Log(self, request: engine_pb2.LogRequest) -> empty_pb2.Empty:
        """Store a message with its severity."""
        self.messages.append((request.severity, request.message))
        return empty_pb2.Empty()

    def at(self, severity: int) -> tuple[str, ...]:
        """Return the messages of one severity."""
        return tuple(message for level, message in self.messages if level == severity)


class CreatingMonitor(MockMonitor):
    """Creates the resources that a program registers. Thread-safe: independent resources register in parallel."""

    def __init__(
        self,
        *,
        clients: ClientFactory,
        program_directory: Path,
        preview: bool = False,
        handlers: Mapping[str, Handler] = registry.HANDLERS,
        on_resource: Callable[[ProviderResource], None] | None = None,
        state: StackState | None = None,
    ) -> None:
        super().__init__(_NoMocks())
        self.record = ResourceRecord()
        self.goals: list[ResourceGoal] = []
        """What the program registered so far, with its providers and components."""
        self.reconciler = Reconciler(
            state=StackState() if state is None else state,
            record=self.record,
            on_resource=on_resource,
        )
        self._clients = clients
        self._program_directory = program_directory
        self._preview = preview
        self._handlers = handlers
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._aliases: dict[str, tuple[str, ...]] = {}
        self._unusable: set[str] = set()
        self._providers: dict[str, Provider] = {}
        self._other_provider = self._new_provider(GLOBAL, {})
        """The provider of the types that are not AWS's."""
        self._secrets: set[str] = set()

    # --- Methods of Pulumi's protocol -------------------------------------------------------------------------------

    def RegisterResource(self, request: Any) -> Any:
        """Register one resource; a failure is recorded and returned, and independent resources continue."""
        urn = make_urn(get_stack(), get_project(), request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        _ensure_event_loop()
        started = time.monotonic()
        try:
            return self._register(urn, request, started)
        except ReadBackError as error:
            for name, difference in error.further:
                self._failed(urn, request.type, difference, name)
            return self._failed(urn, request.type, error.args[0], error.property or "")
        except HandlerError as error:
            return self._failed(urn, request.type, str(error), error.property or "")
        except (ClientError, BotoCoreError) as error:
            return self._failed(urn, request.type, str(error))
        except Exception as error:  # noqa: BLE001 (an error in a handler must name its resource)
            return self._failed(urn, request.type, f"{type(error).__name__}: {error}")

    def RegisterResourceOutputs(self, request: Any) -> Any:
        """Store the exports, if the outputs are the stack's."""
        if request.urn.split("::")[2] == STACK_TYPE:
            _ensure_event_loop()
            exports = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
            decoded = decode(exports)
            with self._lock:
                self.record.exports = decoded.plain
                self.record.secret_exports = frozenset(
                    key for key, value in exports.items() if rpc.is_rpc_secret(value)
                )
                unexplained = [] if self._unusable or self._preview else decoded.unknown
            for name in [*unexplained, *decoded.with_output_in_text()]:
                self._failed(request.urn, STACK_TYPE, "this export has an unknown value", name)
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:
        """Call a provider function."""
        _ensure_event_loop()
        arguments = decode(rpc.deserialize_properties(request.args, keep_unknowns=True)).plain
        try:
            result = self._provider(request.provider).invoke(request.tok, arguments)
        except (HandlerError, ClientError, BotoCoreError) as error:
            name = error.property if isinstance(error, HandlerError) and error.property else ""
            self._failed("(a function call)", request.tok, str(error), name)
            raise RecordedFailure(request.tok) from error
        values = struct_pb2.Struct()
        values.update(result)
        fields: dict[str, Any] = {"return": values}  # `return` is a keyword of Python.
        return resource_pb2.ResourceInvokeResponse(**fields)

    def ReadResource(self, request: Any) -> Any:
        """Reject `.get()`: a fresh account has no resource that the program could read."""
        urn = make_urn(get_stack(), get_project(), request.parent, request.type, request.name)
        self._failed(urn, request.type, f"the program reads {request.id}, which does not exist on a fresh account")
        raise RecordedFailure(urn)

    def GetDeploymentInfo(self, request: Any) -> Any:
        """Return the engine's features, minus transforms and hooks, which are not implemented."""
        information = super().GetDeploymentInfo(request)
        supported = [each for each in information.supportedFeatures if each not in UNSUPPORTED_FEATURES]
        return resource_pb2.DeploymentInfo(supportedFeatures=supported)

    def redact(self, text: str) -> str:
        """Return the text with all secrets masked that the program has sent so far."""
        with self._lock:
            longest_first = sorted(self._secrets, key=len, reverse=True)
        for each in longest_first:
            text = text.replace(each, MASKED)
        return text

    # --- Implementation ---------------------------------------------------------------------------------------------

    def _register(self, urn: str, request: Any, started: float) -> Any:
        with self._lock:
            duplicate = urn in self._seen
            self._seen.add(urn)
            aliases = alias_urns(request, stack=get_stack(), project=get_project(), parent_aliases=self._aliases)
            self._aliases[urn] = aliases
        if duplicate:
            raise HandlerError("another resource has the same URN. Use different names")
        if request.type == AWS_PROVIDER_TYPE:
            return self._register_provider(urn, request)
        if not request.custom:
            return self._register_component(urn, request)
        return self._register_custom(urn, request, aliases, started)

    def _register_custom(self, urn: str, request: Any, aliases: tuple[str, ...], started: float) -> Any:
        inputs = self._inputs(request)
        if request.importId:
            raise HandlerError(f"the program imports {request.importId}, which does not exist on a fresh account")
        if not self._preview and self._waits_for_failed(request):
            with self._lock:
                self._unusable.add(urn)
                self.record.skipped.append(urn)
            return resource_pb2.RegisterResourceResponse(urn=urn, result=resource_pb2.Result.FAIL)
        provider = self._provider(request.provider) if request.type.startswith("aws:") else self._other_provider
        checked, failures = provider.check(request.type, inputs.plain)
        for name, reason in failures[1:]:
            self._failed(urn, request.type, reason, name)
        if failures:
            raise HandlerError(failures[0][1], property=failures[0][0])
        registration = Registration(
            goal=self._goal(urn, request, checked, region=provider.region),
            provider=provider,
            handler=self._handlers[request.type],
            values=inputs,
            inputs=checked,
            aliases=aliases,
        )
        reconciler = self.reconciler
        result = reconciler.preview(registration) if self._preview else reconciler.apply(registration, started)
        if result is None:
            # A new resource in a preview has no outputs except its inputs.
            return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        with self._lock:
            for name in result.secret_outputs:
                self._secrets.update(secret_texts(result.outputs[name]))
        # `unknown`: an output that is missing from the state stays unknown, and its use is an error instead of None.
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id=result.id, object=_state(request, result), unknown=True
        )

    def _waits_for_failed(self, request: Any) -> bool:
        provider_urn = request.provider.rpartition("::")[0]
        with self._lock:
            return not self._unusable.isdisjoint({*request.dependencies, provider_urn})

    def _register_provider(self, urn: str, request: Any) -> Any:
        inputs = self._inputs(request).plain
        settings = ProviderSettings.of(inputs)
        if not settings.region:
            raise HandlerError("an explicit provider needs a region", property="region")
        provider_id = str(uuid.uuid4())
        self._goal(urn, request, inputs)
        with self._lock:
            self._providers[f"{urn}::{provider_id}"] = self._new_provider(settings.region, settings.default_tags)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=provider_id, object=request.object)

    def _register_component(self, urn: str, request: Any) -> Any:
        if request.remote:
            raise HandlerError("the rehearsal does not support remote components")
        self._goal(urn, request, self._inputs(request).plain)
        return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)

    def _goal(self, urn: str, request: Any, inputs: Mapping[str, Any], *, region: str = GLOBAL) -> ResourceGoal:
        goal = ResourceGoal(
            urn=urn,
            type=request.type,
            name=request.name,
            region=region,
            inputs=comparable(inputs, base=self._program_directory),
            provider=request.provider.rpartition("::")[0],
            protect=request.protect,
            ignore_changes=tuple(request.ignoreChanges),
            dependencies=tuple(request.dependencies),
        )
        with self._lock:
            self.goals.append(goal)
        return goal

    def _new_provider(self, region: str, default_tags: Mapping[str, str]) -> Provider:
        return Provider(
            region=region,
            default_tags=default_tags,
            clients=self._clients,
            program_directory=self._program_directory,
            handlers=self._handlers,
        )

    def _provider(self, reference: str) -> Provider:
        with self._lock:
            provider = self._providers.get(reference)
        if provider is None:
            raise HandlerError(
                "the resource or function has no explicit provider, and the default provider is not allowed. Pass a provider"
            )
        return provider

    def _inputs(self, request: Any) -> InputValues:
        inputs = decode(rpc.deserialize_properties(request.object, keep_unknowns=True))
        with self._lock:
            self._secrets |= inputs.secrets
        for name in inputs.with_output_in_text():
            raise HandlerError(
                "an Output was formatted into a string. Use Output.concat or Output.format", property=name
            )
        return inputs

    def _failed(self, urn: str, type_: str, message: str, name: str = "") -> Any:
        error = ResourceError(urn=urn, type=type_, property=name, message=self.redact(message))
        with self._lock:
            self._unusable.add(urn)
            self.record.errors.append(error)
        return resource_pb2.RegisterResourceResponse(urn=urn, result=resource_pb2.Result.FAIL)


def _state(request: Any, result: RegistrationResult) -> struct_pb2.Struct:
    """Return the registered inputs with their secrets still wrapped, the ignored inputs' kept values, and the outputs."""
    state = struct_pb2.Struct()
    state.CopyFrom(request.object)
    given = rpc.deserialize_properties(request.object, keep_unknowns=True)
    for name, value in result.ignored.items():
        if name in given and not rpc.is_rpc_secret(given[name]):
            del state[name]
        if value is not None and not rpc.is_rpc_secret(given.get(name)):
            state.update({name: value})
    state.update(
        {
            name: secret(value) if name in result.secret_outputs else value
            for name, value in result.outputs.items()
            if value is not None
        }
    )
    return state
