"""Every resource of the program, created and deleted by runs that are killed between two calls to AWS.

Each creation is killed after its first, second or third change, and each deletion after its first or second. It goes on as after
`operations recover`: the resource is found and read, then updated to what the program wants, or deleted.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import boto3
import pytest

from operations.aws.clients import Clients
from operations.aws.read_api import AwsReadApi
from operations.aws.resource_lookup import LOOKUPS, Repeated, find
from rehearsal.engine.deploy import deploy
from rehearsal.engine.destroy import destroy
from rehearsal.engine.inventory import take_inventory
from rehearsal.engine.plan import PlannedChange
from rehearsal.engine.refresh import refresh
from rehearsal.environment import PROGRAM_DIRECTORY, Environment
from rehearsal.provider.provider import Provider
from rehearsal.provider.resources.handler import Created, DeleteRequest, Handler, Request
from rehearsal.provider.resources.registry import HANDLERS
from rehearsal.support.clients import ACCOUNT_ID, SECRET_ACCESS_KEY, ClientFactory

READ = re.compile(r"(describe|get|list|can_paginate|meta$|close$)")
"""Names of client methods that change nothing."""


class KilledError(Exception):
    """The run was killed here."""


class KilledClients:
    """Clients of a run that is killed after a number of changes."""

    def __init__(self, clients: ClientFactory, changes: int) -> None:
        self._clients, self._left = clients, changes

    def __call__(self, service: str, region: str) -> Any:
        """Return the client of a service in a region."""
        return _KilledClient(self._clients(service, region), self._count)

    def _count(self) -> None:
        self._left -= 1
        if not self._left:
            raise KilledError


class _KilledClient:
    def __init__(self, client: Any, changed: Callable[[], None]) -> None:
        self._client, self._changed = client, changed

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if READ.match(name):
            return method

        def change(**parameters: Any) -> Any:
            answer = method(**parameters)
            self._changed()
            return answer

        return change


class TwoAttempts:
    """Handlers that create and delete every resource in two attempts, the first of which is killed."""

    def __init__(self, changes: int, read_apis: Mapping[str, AwsReadApi]) -> None:
        self._changes, self._read_apis = changes, read_apis
        self._lock = threading.Lock()
        self.killed: set[str] = set()
        """The types whose first attempt was killed: the others need fewer changes."""
        self.handlers = {
            type_: replace(
                handler,
                create=partial(self._create, handler),
                delete=partial(self._delete, handler.delete) if handler.delete else None,
            )
            for type_, handler in HANDLERS.items()
        }

    def _note_killed(self, type_: str) -> None:
        with self._lock:
            self.killed.add(type_)

    def _create(self, handler: Handler, request: Request) -> Created:
        """Create a resource; if the creation is killed, go on as after a recovery."""
        try:
            return handler.create(replace(request, clients=KilledClients(request.clients, self._changes)))
        except KilledError:
            self._note_killed(request.type)
        type_, inputs, lookup = request.type, request.inputs, LOOKUPS[request.type]
        if isinstance(lookup, Repeated):
            return handler.create(request)
        (found,) = find(lookup, self._read_apis[request.region], inputs, inputs.get("tags", {}))
        provider = _provider(request)
        read = provider.read(type_, id=found.id, inputs=inputs, outputs={})
        assert read is not None, f"{request.urn}: {found.id} cannot be read"
        difference = provider.diff(type_, read.inputs, inputs)
        assert difference.forced_by == (), f"{request.urn} would be replaced"
        if difference.properties:
            outputs = {**read.inputs, **read.outputs}
            provider.update(
                request.urn,
                type_,
                request.name,
                id=read.id,
                inputs=inputs,
                outputs=outputs,
                changed=difference.properties,
            )
        request.touched.update(inputs)
        assert handler.read is not None, f"{type_} is found but cannot be read"
        return handler.read(replace(request, id=read.id))

    def _delete(self, delete: Callable[[DeleteRequest], None], request: DeleteRequest) -> None:
        """Delete a resource; if the deletion is killed, go on as after a recovery."""
        try:
            delete(replace(request, clients=KilledClients(request.clients, self._changes)))
        except KilledError:
            self._note_killed(request.type)
        else:
            return
        provider = _provider(request)
        read = provider.read(request.type, id=request.id, inputs=request.inputs, outputs=request.outputs)
        if read is not None:
            outputs = {**read.inputs, **read.outputs}
            provider.delete(request.type, id=read.id, inputs=read.inputs, outputs=outputs)


def _provider(request: Request | DeleteRequest) -> Provider:
    """Return the provider of the run that goes on."""
    return Provider(region=request.region, clients=request.clients, program_directory=PROGRAM_DIRECTORY)


@pytest.fixture
def world() -> Iterator[Environment]:
    """Start an embedded AWS without a stack. No controller runs."""
    with Environment(stack="dev", interval_seconds=1.0, operation_seconds=0.1) as world:
        yield world


@pytest.fixture
def read_apis(world: Environment, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, AwsReadApi]:
    """Return the commands' read-only calls, by region."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", world.control_plane.url)
    session = boto3.Session(aws_access_key_id=ACCOUNT_ID, aws_secret_access_key=SECRET_ACCESS_KEY)
    clients = Clients(session)
    return {region: AwsReadApi(clients, region) for region in ("us-east-1", "eu-west-1")}


@pytest.mark.parametrize("changes", [1, 2, 3])
def test_killed_creation_is_completed(world: Environment, read_apis: Mapping[str, AwsReadApi], changes: int) -> None:
    """Afterwards the deployment has nothing left to do. Every type is killed after its first change."""
    attempts = TwoAttempts(changes, read_apis)
    url = world.control_plane.url
    done = deploy(PROGRAM_DIRECTORY, world.config, url, clients=world.clients, handlers=attempts.handlers)
    state = refresh(done.state, world.clients)
    again = deploy(PROGRAM_DIRECTORY, world.config, url, preview=True, state=state)
    assert [str(step) for step in again.steps if step.change is not PlannedChange.SAME] == []
    if changes == 1:
        assert attempts.killed == {resource.type for resource in done.resources if resource.type.startswith("aws:")}
    else:
        assert attempts.killed


@pytest.mark.parametrize("changes", [1, 2])
def test_killed_deletion_is_completed(world: Environment, read_apis: Mapping[str, AwsReadApi], changes: int) -> None:
    """Afterwards AWS has no resource of the stack."""
    attempts = TwoAttempts(changes, read_apis)
    before = take_inventory(world.clients, tuple(read_apis))
    world.deploy()
    destroy(world.state, world.clients, handlers=attempts.handlers)
    assert take_inventory(world.clients, tuple(read_apis)) == before
    assert attempts.killed
