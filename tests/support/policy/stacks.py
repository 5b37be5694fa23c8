"""Stacks for rule tests, from runs of a program."""

from typing import Any

from pulumi.output import Unknown

from policy.rules.stack_model import UNKNOWN, RegisteredResource, Stack
from tests.support.program.harness import Registered, Run


def registered_stack(run: Run) -> Stack:
    """Return the resources that a run registered."""
    assert run.error is None, run.error
    return Stack(tuple(_resource(r) for r in run.resources if not r.is_component or r.type.startswith("aurora:")))


def _resource(r: Registered) -> RegisteredResource:
    return RegisteredResource(
        urn=r.urn,
        type=r.type,
        name=r.name,
        inputs={name: _known(value) for name, value in r.inputs.items()},
        region=r.region,
        provider=r.provider,
        parent=r.parent,
        protect=r.protect,
        ignore_changes=r.ignore_changes,
        secret_inputs=r.secret_inputs,
        dependencies=r.dependencies,
        property_dependencies=r.property_dependencies,
    )


def _known(value: Any) -> Any:
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, dict):
        return {name: _known(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_known(item) for item in value]
    return value
