"""Tests of the refresh: current values, and resources that are gone."""

from __future__ import annotations

import pytest

from rehearsal.engine.refresh import refresh
from rehearsal.engine.state import KeptResource, StackState
from rehearsal.provider.resources.handler import Created, GoneError, Handler, Request, sent


def read(request: Request) -> Created:
    """Describe a resource as AWS has it; `lost` is gone, and all others have grown."""
    if request.id == "lost":
        raise GoneError
    return Created(id=request.id, outputs={"arn": "new"}, held={"Size": 2})


HANDLERS = {"t": Handler(create=read, read=read, properties={"size": sent("Size")})}


def resource(name: str, *dependencies: str) -> KeptResource:
    """Return a resource of size 1 whose URN and id are its name."""
    return KeptResource(
        urn=name,
        type="t",
        name=name,
        region="us-east-1",
        id=name,
        inputs={"size": 1},
        outputs={"arn": "old", "more": True},
        dependencies=dependencies,
    )


def refreshed(*resources: KeptResource) -> StackState:
    """Refresh a state with these resources; check that the given state stays as it is."""
    state = StackState(resources={each.urn: each for each in resources})
    before = state.to_json()
    after = refresh(state, lambda service, region: pytest.fail(f"{service} in {region}"), HANDLERS)
    assert state.to_json() == before
    return after


def test_current_values_replace_those_of_the_state() -> None:
    """Outputs that AWS does not report stay."""
    kept = refreshed(resource("a")).resources["a"]
    assert (kept.inputs, kept.outputs) == ({"size": 2}, {"arn": "new", "more": True})


def test_gone_resource_leaves_the_state_and_all_dependencies() -> None:
    """As the real engine does: what depended on it depends on the others only. Source: deployment_executor.go, pulumi/pulumi."""
    after = refreshed(resource("a"), resource("lost"), resource("b", "a", "lost", "component"))
    assert {urn: each.dependencies for urn, each in after.resources.items()} == {"a": (), "b": ("a", "component")}
