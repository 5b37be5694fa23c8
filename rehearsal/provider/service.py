"""The provider behind Pulumi's gRPC protocol: `pulumi-resource-aws` and `pulumi-resource-random` for the real engine.

The engine starts one process for each explicit provider, and reads its port from stdout. The process ends with the engine.
"""

from __future__ import annotations

import importlib.metadata
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from pathlib import Path
from typing import Any

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from rehearsal.provider.provider import Provider, ReadBackError
from rehearsal.provider.resources.handler import Created, HandlerError
from rehearsal.provider.settings import ProviderSettings
from rehearsal.provider.wire import decode_struct, encode_struct, with_files
from rehearsal.support.clients import BotoClients

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL"
SKIP_VARIABLE = "AWS_SKIP_CREDENTIALS_VALIDATION"
THREADS = 64
ENGINE_CHECK_SECONDS = 0.5
MAX_MESSAGE_BYTES = 400 * 1024**2
"""The engine's own limit, source: sdk/go/common/util/rpcutil."""

Kind = provider_pb2.PropertyDiff.Kind


def _reported(method: Callable[..., Any]) -> Callable[..., Any]:
    """Report an error of the provider or of AWS to the engine, with the property."""

    @wraps(method)
    def call(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except (HandlerError, ClientError, BotoCoreError, ValueError) as error:
            context.abort(grpc.StatusCode.UNKNOWN, error_text(error))
        raise AssertionError("abort raises")

    return call


def error_text(error: Exception) -> str:
    """Return the text of an error for the engine, with the property.

    It does not quote what was sent: the engine prints the text, and does not tell a provider which inputs are secrets.
    """
    if isinstance(error, ReadBackError):
        names = [str(error.property), *(name for name, _ in error.further)]
        return "; ".join(f"{name}: does not read back as it was sent" for name in names)
    if isinstance(error, HandlerError) and error.property:
        return f"{error.property}: {error}"
    return str(error)


class ProviderService(provider_pb2_grpc.ResourceProviderServicer):
    """Translates the engine's requests; all decisions are the provider's."""

    def __init__(self, endpoint_url: str, program_directory: Path, *, version: str) -> None:
        self._version = version
        self._clients = BotoClients(endpoint_url)
        self._program_directory = program_directory
        self._provider = Provider(region="", clients=self._clients, program_directory=program_directory)

    def Handshake(self, request: Any, context: Any) -> Any:
        """Accept no secrets: the engine unwraps them, and marks them again in the results."""
        del request, context
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """Return the SDK's version: the engine compares it with the one that the program asks for."""
        del request, context
        return plugin_pb2.PluginInfo(version=self._version)

    @_reported
    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Refuse settings that the rehearsal does not support, and credentials that STS in the region does not know."""
        del context
        inputs = decode_struct(request.news)
        failures = ProviderSettings.failures(inputs)
        if not failures and not skips_validation(inputs, os.environ):
            failures = self._credential_failures(inputs.get("region", ""))
        return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(failures))

    def _credential_failures(self, region: str) -> list[tuple[str, str]]:
        try:
            self._clients("sts", region).get_caller_identity()
        except (ClientError, BotoCoreError) as error:
            return [("", f"unable to validate AWS credentials.\nDetails: {error}")]
        return []

    @_reported
    def DiffConfig(self, request: Any, context: Any) -> Any:
        """Replace a provider whose region changed."""
        del context
        old = decode_struct(request.old_inputs) or decode_struct(request.olds)
        new = decode_struct(request.news)
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name) and name != "version")
        return _diff_response(changed, [name for name in changed if name == "region"], old, new, delete_first=False)

    @_reported
    def Configure(self, request: Any, context: Any) -> Any:
        """Take the region and the default tags."""
        del context
        settings = ProviderSettings.of(decode_struct(request.args))
        self._provider = Provider(
            region=settings.region,
            default_tags=settings.default_tags,
            clients=self._clients,
            program_directory=self._program_directory,
        )
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    @_reported
    def Check(self, request: Any, context: Any) -> Any:
        """Merge the default tags; refuse inputs that the rehearsal does not support."""
        del context
        inputs, failures = self._provider.check(request.type, decode_struct(request.news))
        return provider_pb2.CheckResponse(inputs=encode_struct(inputs), failures=_failures(failures))

    @_reported
    def Diff(self, request: Any, context: Any) -> Any:
        """Compare the inputs of the state with those of the program."""
        del context
        old, new = decode_struct(request.old_inputs), decode_struct(request.news)
        found = self._provider.diff(request.type, old, new, request.ignoreChanges)
        return _diff_response(found.properties, found.forced_by, old, new, delete_first=found.delete_first)

    @_reported
    def Create(self, request: Any, context: Any) -> Any:
        """Create a resource. A preview returns the inputs: the engine treats all other outputs as unknown."""
        del context
        if request.preview:
            return provider_pb2.CreateResponse(properties=request.properties)
        inputs = decode_struct(request.properties)
        created = self._provider.create(request.urn, request.type, request.name, with_files(inputs))
        return provider_pb2.CreateResponse(id=created.id, properties=_state({}, inputs, created))

    @_reported
    def Update(self, request: Any, context: Any) -> Any:
        """Change a resource in place. A preview returns the new inputs and the old outputs."""
        del context
        before, inputs = decode_struct(request.olds), decode_struct(request.news)
        if request.preview:
            updated = Created(id=request.id, outputs={})
        else:
            old_inputs = decode_struct(request.old_inputs)
            updated = self._provider.update(
                request.urn,
                request.type,
                request.name,
                id=request.id,
                inputs=with_files(inputs),
                outputs=before,
                changed=self._provider.diff(request.type, old_inputs, inputs, request.ignoreChanges).properties,
            )
        outputs = {
            name: value for name, value in before.items() if name not in self._provider.input_names(request.type)
        }
        return provider_pb2.UpdateResponse(properties=_state(outputs, inputs, updated))

    @_reported
    def Read(self, request: Any, context: Any) -> Any:
        """Return AWS's current values; without an id if the resource no longer exists."""
        del context
        outputs, inputs = decode_struct(request.properties), decode_struct(request.inputs)
        read = self._provider.read(request.type, id=request.id, inputs=inputs, outputs=outputs)
        if read is None:
            return provider_pb2.ReadResponse()
        # The engine marks the secrets that it knows.
        return provider_pb2.ReadResponse(
            id=read.id, properties=encode_struct({**read.inputs, **read.outputs}), inputs=encode_struct(read.inputs)
        )

    @_reported
    def Delete(self, request: Any, context: Any) -> Any:
        """Delete a resource; one that is gone already is no error."""
        del context
        self._provider.delete(
            request.type,
            id=request.id,
            inputs=decode_struct(request.old_inputs),
            outputs=decode_struct(request.properties),
        )
        return empty_pb2.Empty()

    @_reported
    def Invoke(self, request: Any, context: Any) -> Any:
        """Call a function of the provider."""
        del context
        result = encode_struct(self._provider.invoke(request.tok, decode_struct(request.args)))
        fields: dict[str, Any] = {"return": result}  # `return` is a keyword of Python.
        return provider_pb2.InvokeResponse(**fields)

    def Cancel(self, request: Any, context: Any) -> Any:
        """Let the running calls end: the engine records their results."""
        del request, context
        return empty_pb2.Empty()


def skips_validation(inputs: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """Return whether a provider is registered without a call to STS: the input counts before the environment variable.

    Source: preConfigureCallback, provider/credentials.go of pulumi-aws.
    """
    given = str(inputs.get("skipCredentialsValidation", environment.get(SKIP_VARIABLE, "false")))
    return given.lower() in ("1", "t", "true")


def _failures(failures: list[tuple[str, str]]) -> list[Any]:
    return [provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in failures]


def _state(before: Mapping[str, Any], inputs: Mapping[str, Any], created: Created) -> Any:
    known = {name: value for name, value in created.outputs.items() if value is not None}
    return encode_struct({**before, **inputs, **known}, created.secret_outputs)


def _diff_response(
    changed: Any, replaces: Any, old: Mapping[str, Any], new: Mapping[str, Any], *, delete_first: bool
) -> Any:
    detailed = {
        name: provider_pb2.PropertyDiff(kind=_kind(name, old, new, replaces=name in replaces), inputDiff=True)
        for name in changed
    }
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=replaces,
        diffs=changed,
        detailedDiff=detailed,
        hasDetailedDiff=True,
        deleteBeforeReplace=delete_first,
    )


def _kind(name: str, old: Mapping[str, Any], new: Mapping[str, Any], *, replaces: bool) -> Any:
    verb = "ADD" if name not in old else "DELETE" if name not in new else "UPDATE"
    return Kind.Value(f"{verb}_REPLACE" if replaces else verb)


def end_with_parent(on_end: Callable[[], None]) -> None:
    """Call `on_end` when the process that started this one has ended, in a thread: a killed engine stops no plugin."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ENGINE_CHECK_SECONDS)
        on_end()

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()


def new_server() -> tuple[grpc.Server, int]:
    """Return a gRPC server and its port on loopback."""
    options = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(THREADS), options=options)
    return server, server.add_insecure_port("127.0.0.1:0")


def serve(server: grpc.Server, port: int, on_end: Callable[[], None] = lambda: None) -> None:
    """Start a plugin's server, print its port for the engine, and run until the engine ends.

    `on_end` is called if the engine was killed. After it this process ends.
    """

    def end() -> None:
        try:
            on_end()
        finally:
            os._exit(0)

    # The engine ends a plugin with SIGINT, and waits for 5 s before it kills it. Ctrl-C reaches the engine only: each plugin
    # has a process group of its own. Source: sdk/go/common/resource/plugin/plugin.go, pulumi/pulumi.
    signal.signal(signal.SIGINT, lambda *_: server.stop(None))
    end_with_parent(end)
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


def main() -> None:
    """Run a provider for the engine that starts this process."""
    endpoint_url = os.environ.get(ENDPOINT_VARIABLE)
    if not endpoint_url:
        sys.exit(
            f"{ENDPOINT_VARIABLE}: not set, and this provider serves only the embedded AWS. "
            'Run: eval "$(python -m rehearsal.sandbox env)"'
        )
    server, port = new_server()
    sdk = Path(sys.argv[0]).name.replace("pulumi-resource-", "pulumi-")
    service = ProviderService(endpoint_url, Path.cwd(), version=importlib.metadata.version(sdk))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(service, server)
    serve(server, port)


if __name__ == "__main__":
    main()
