"""How a real stack is broken at one place."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from policy.rules.stack_model import Resource, Stack

GONE = object()
"""Takes an input away."""


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """A change of a real stack that breaks a rule."""

    change: Callable[[Stack], Stack]
    also: frozenset[str] = frozenset()
    """Other rules that can't hold any more, either."""
    production: bool = False
    """Of the production stack; else of dev."""


def find(stack: Stack, kind: str, name: str = "") -> Resource:
    """Return the first resource of a type whose name holds a text."""
    whole = kind if kind.startswith(("aws:", "random:", "pulumi:")) else f"aws:{kind}"
    return next(r for r in stack.resources if r.type == whole and name in r.name)


def inputs(kind: str, name: str = "", /, **values: Any) -> Callable[[Stack], Stack]:
    """Set inputs of a resource, or take them away."""

    def change(stack: Stack) -> Stack:
        r = find(stack, kind, name)
        new = {**r.inputs, **values}
        return _replaced(stack, r, replace(r, inputs={k: v for k, v in new.items() if v is not GONE}))

    return change


def options(kind: str, name: str = "", /, **values: Any) -> Callable[[Stack], Stack]:
    """Set what isn't an input: region, provider, protect, ignore_changes, dependencies."""

    def change(stack: Stack) -> Stack:
        r = find(stack, kind, name)
        return _replaced(stack, r, replace(r, **values))

    return change


def unlinked(kind: str, name: str, property: str, to: str | None = None, to_name: str = "") -> Callable[[Stack], Stack]:
    """Have an input come from nowhere, or from another resource, of type `to`."""

    def change(stack: Stack) -> Stack:
        r = find(stack, kind, name)
        links = {k: v for k, v in r.property_dependencies.items() if k != property}
        if to is not None:
            links[property] = frozenset({find(stack, to, to_name).urn})
        return _replaced(stack, r, replace(r, property_dependencies=links))

    return change


def hurried(kind: str, name: str = "") -> Callable[[Stack], Stack]:
    """Have a resource wait for nothing."""
    return options(kind, name, dependencies=frozenset())


def without(kind: str, name: str = "") -> Callable[[Stack], Stack]:
    """Leave a resource out."""

    def change(stack: Stack) -> Stack:
        r = find(stack, kind, name)
        return Stack(tuple(each for each in stack.resources if each is not r))

    return change


def another(kind: str, name: str = "", /, **values: Any) -> Callable[[Stack], Stack]:
    """Add a copy of a resource, under another logical name, with some fields changed; `inputs` are merged."""

    def change(stack: Stack) -> Stack:
        r = find(stack, kind, name)
        copied = {**values, "inputs": {**r.inputs, **values.get("inputs", {})}}
        return Stack((*stack.resources, replace(r, name=f"{r.name}-too", urn=f"{r.urn}-too", **copied)))

    return change


def both(*changes: Callable[[Stack], Stack]) -> Callable[[Stack], Stack]:
    """Change one thing after the other."""

    def change(stack: Stack) -> Stack:
        for each in changes:
            stack = each(stack)
        return stack

    return change


def within(kind: str, name: str, property: str, edit: Callable[[Any], None]) -> Callable[[Stack], Stack]:
    """Edit a copy of an input that is a structure, or a JSON text of one."""

    def change(stack: Stack) -> Stack:
        r = find(stack, kind, name)
        value = r.inputs[property]
        copy = json.loads(value) if isinstance(value, str) else _copied(value)
        edit(copy)
        new = json.dumps(copy) if isinstance(value, str) else copy
        return _replaced(stack, r, replace(r, inputs={**r.inputs, property: new}))

    return change


def statement(kind: str, name: str, number: int, /, **values: Any) -> Callable[[Stack], Stack]:
    """Set elements of a policy's statement, or take them away."""

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


def _replaced(stack: Stack, old: Resource, new: Resource) -> Stack:
    return Stack(tuple(new if each is old else each for each in stack.resources))
