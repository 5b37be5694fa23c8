"""Changes of one place in a stack."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from policy.rules.stack_model import RegisteredResource, Stack

GONE = object()
"""Removes an input."""


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """A change of a stack that violates a rule."""

    change: Callable[[Stack], Stack]
    also: frozenset[str] = frozenset()
    """Other rules that the change violates."""
    production: bool = False
    """Whether the breaker changes the production stack instead of the dev stack."""


def find(stack: Stack, kind: str, name: str = "") -> RegisteredResource:
    """Return the first resource of a type whose name contains a string."""
    whole = kind if kind.startswith(("aws:", "random:", "pulumi:")) else f"aws:{kind}"
    return next(r for r in stack.resources if r.type == whole and name in r.name)


def inputs(kind: str, name: str = "", /, **values: Any) -> Callable[[Stack], Stack]:
    """Set or remove inputs of a resource."""

    def change(stack: Stack) -> Stack:
        r = find(stack, kind, name)
        new = {**r.inputs, **values}
        return _replaced(stack, r, replace(r, inputs={k: v for k, v in new.items() if v is not GONE}))

    return change


def options(kind: str, name: str = "", /, **values: Any) -> Callable[[Stack], Stack]:
    """Set region, provider, protect, ignore_changes or dependencies."""

    def change(stack: Stack) -> Stack:
        r = find(stack, kind, name)
        return _replaced(stack, r, replace(r, **values))

    return change


def unlinked(kind: str, name: str, property: str, to: str | None = None, to_name: str = "") -> Callable[[Stack], Stack]:
    """Remove the source of an input, or replace it with a resource of type `to`."""

    def change(stack: Stack) -> Stack:
        r = find(stack, kind, name)
        links = {k: v for k, v in r.property_dependencies.items() if k != property}
        if to is not None:
            links[property] = frozenset({find(stack, to, to_name).urn})
        return _replaced(stack, r, replace(r, property_dependencies=links))

    return change


def without_dependencies(kind: str, name: str = "") -> Callable[[Stack], Stack]:
    """Remove all dependencies of a resource."""
    return options(kind, name, dependencies=frozenset())


def without(kind: str, name: str = "") -> Callable[[Stack], Stack]:
    """Remove a resource."""

    def change(stack: Stack) -> Stack:
        r = find(stack, kind, name)
        return Stack(tuple(each for each in stack.resources if each is not r))

    return change


def another(kind: str, name: str = "", /, **values: Any) -> Callable[[Stack], Stack]:
    """Add a copy of a resource, under another logical name, with changed fields and merged `inputs`."""

    def change(stack: Stack) -> Stack:
        r = find(stack, kind, name)
        copied = {**values, "inputs": {**r.inputs, **values.get("inputs", {})}}
        return Stack((*stack.resources, replace(r, name=f"{r.name}-too", urn=f"{r.urn}-too", **copied)))

    return change


def both(*changes: Callable[[Stack], Stack]) -> Callable[[Stack], Stack]:
    """Apply several changes in order."""

    def change(stack: Stack) -> Stack:
        for each in changes:
            stack = each(stack)
        return stack

    return change


def within(kind: str, name: str, property: str, edit: Callable[[Any], None]) -> Callable[[Stack], Stack]:
    """Edit a copy of a structured or JSON input."""

    def change(stack: Stack) -> Stack:
        r = find(stack, kind, name)
        value = r.inputs[property]
        copy = json.loads(value) if isinstance(value, str) else _copied(value)
        edit(copy)
        new = json.dumps(copy) if isinstance(value, str) else copy
        return _replaced(stack, r, replace(r, inputs={**r.inputs, property: new}))

    return change


def statement(kind: str, name: str, number: int, /, **values: Any) -> Callable[[Stack], Stack]:
    """Set or remove elements of a policy statement."""

    def edit(policy: Any) -> None:
        for key, value in values.items():
            if value is GONE:
                policy["Statement"][number].pop(key, None)
            else:
                policy["Statement"][number][key] = value

    return within(kind, name, "assumeRolePolicy" if "role:Role" in kind else "policy", edit)


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list) else value


def _replaced(stack: Stack, old: RegisteredResource, new: RegisteredResource) -> Stack:
    return Stack(tuple(new if each is old else each for each in stack.resources))
