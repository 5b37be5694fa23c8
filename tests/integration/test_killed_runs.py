"""Every resource of the program, created and deleted by runs that are killed between two calls to AWS.

Each creation and deletion is killed after its first, second or third change, and goes on as after `operations recover`: the resource
is found and read, then updated to what the program wants, or deleted.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import boto3
import pytest

from operations.aws.clients import Clients
from operations.aws.read_api import AwsReadApi
from operations.aws.resource_lookup import LOOKUPS, Repeated, find
from rehearsal.engine.deploy import deploy
from rehearsal.engine.inventory import take_inventory
from rehearsal.engine.plan import PlannedChange
from rehearsal.engine.refresh import refresh
from rehearsal.environment import PROGRAM_DIRECTORY, Environment
from rehearsal.provider.provider import Provider
from rehearsal.provider.resources.handler import Created
from rehearsal.support.clients import ACCOUNT_ID, SECRET_ACCESS_KEY, ClientFactory

CREATE, DELETE = Provider.create, Provider.delete
READ = re.compile(r"(describe|get|list|can_paginate|meta$|close$)")
"""What a client's methods are called that change nothing."""


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
    """Creates and deletes every resource in two attempts, the first of which is killed."""

    def __init__(self, changes: int, read_apis: Mapping[str, AwsReadApi]) -> None:
        self._changes, self._read_apis = changes, read_apis
        self._lock = threading.Lock()
        self.killed: set[str] = set()
        """The types whose first attempt was killed: the others need fewer changes."""

    def _killed(self, provider: Provider) -> Provider:
        return replace(provider, clients=KilledClients(provider.clients, self._changes))

    def create(self, provider: Provider, urn: str, type_: str, name: str, inputs: Mapping[str, Any]) -> Created:
        """Create a resource; if the creation is killed, go on as after a recovery."""
        try:
            return CREATE(self._killed(provider), urn, type_, name, inputs)
        except KilledError:
            with self._lock:
                self.killed.add(type_)
        lookup = LOOKUPS[type_]
        if isinstance(lookup, Repeated):
            return CREATE(provider, urn, type_, name, inputs)
        (found,) = find(lookup, self._read_apis[provider.region], inputs, inputs.get("tagsAll", {}))
        read = provider.read(type_, id=found.id, inputs=inputs, outputs={})
        assert read is not None, f"{urn}: {found.id} cannot be read"
        difference = provider.diff(type_, read.inputs, inputs)
        assert difference.forced_by == (), f"{urn} would be replaced"
        created = Created(id=read.id, outputs=read.outputs)
        if difference.properties:
            outputs = {**read.inputs, **read.outputs}
            created = provider.update(
                urn, type_, name, id=read.id, inputs=inputs, outputs=outputs, changed=difference.properties
            )
        return replace(created, outputs={**read.outputs, **created.outputs})

    def delete(self, provider: Provider, type_: str, **resource: Any) -> bool:
        """Delete a resource; if the deletion is killed, go on as after a recovery."""
        try:
            return DELETE(self._killed(provider), type_, **resource)
        except KilledError:
            with self._lock:
                self.killed.add(type_)
        read = provider.read(type_, **resource)
        return read is None or DELETE(provider, type_, id=read.id, inputs=read.inputs, outputs=read.outputs)


@pytest.fixture
def world() -> Iterator[Environment]:
    """Start an embedded AWS without a stack. No controller runs."""
    with Environment(stack="dev", interval_seconds=1.0, operation_seconds=0.1) as world:
        yield world


@pytest.fixture
def read_apis(world: Environment, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, AwsReadApi]:
    """Return the commands' read-only calls, by region."""
    monkeypatch.setitem(os.environ, "AWS_ENDPOINT_URL", world.control_plane.url)
    session = boto3.Session(aws_access_key_id=ACCOUNT_ID, aws_secret_access_key=SECRET_ACCESS_KEY)
    clients = Clients(session)
    return {region: AwsReadApi(clients, region) for region in ("us-east-1", "eu-west-1")}


@pytest.mark.parametrize("changes", [1, 2, 3])
def test_killed_creation_is_completed(
    world: Environment, read_apis: Mapping[str, AwsReadApi], monkeypatch: pytest.MonkeyPatch, changes: int
) -> None:
    """Afterwards the deployment has nothing left to do. Every type is killed after its first change."""
    attempts = TwoAttempts(changes, read_apis)
    monkeypatch.setattr(Provider, "create", lambda provider, *inputs: attempts.create(provider, *inputs))
    done = world.deploy()
    state = refresh(world.state, world.clients)
    again = deploy(PROGRAM_DIRECTORY, world.config, world.control_plane.url, preview=True, state=state)
    assert [str(step) for step in again.steps if step.change is not PlannedChange.SAME] == []
    types = {resource.type for resource in done.resources if resource.type.startswith("aws:")}
    assert attempts.killed == types if changes == 1 else attempts.killed


@pytest.mark.parametrize("changes", [1, 2])
def test_killed_deletion_is_completed(
    world: Environment, read_apis: Mapping[str, AwsReadApi], monkeypatch: pytest.MonkeyPatch, changes: int
) -> None:
    """Afterwards no resource of the stack exists in AWS."""
    attempts = TwoAttempts(changes, read_apis)
    before = take_inventory(world.clients, tuple(read_apis))
    world.deploy()
    monkeypatch.setattr(Provider, "delete", lambda provider, type_, **rest: attempts.delete(provider, type_, **rest))
    world.destroy(lambda _deleted: None)
    assert take_inventory(world.clients, tuple(read_apis)) == before
    assert attempts.killed
