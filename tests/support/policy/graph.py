"""The dependencies and clusters of a stack, for the rules that only a change of the program can break."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policy.rules.stack_model import RegisteredResource, Stack


def depends_on(stack: Stack, later: RegisteredResource, earlier: RegisteredResource) -> bool:
    """Return whether a resource depends on another, directly or indirectly."""
    return earlier.urn in _all_dependencies(stack, later.urn)


def secondary_clusters(stack: Stack) -> list[RegisteredResource]:
    """Return the clusters with a source region."""
    return [r for r in stack.of_type("rds/cluster:Cluster") if r.is_set("sourceRegion")]


def primary_clusters(stack: Stack) -> list[RegisteredResource]:
    """Return the clusters without a source region."""
    return [r for r in stack.of_type("rds/cluster:Cluster") if not r.is_set("sourceRegion")]


def strings_in(value: Any) -> Iterator[str]:
    """Yield every string in a nested value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings_in(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from strings_in(item)


@functools.cache
def _all_dependencies(stack: Stack, urn: str) -> frozenset[str]:
    dependencies = {r.urn: r.dependencies for r in stack.resources}
    found: set[str] = set()
    pending = list(dependencies.get(urn, ()))
    while pending:
        next_urn = pending.pop()
        if next_urn not in found:
            found.add(next_urn)
            pending += dependencies.get(next_urn, ())
    return frozenset(found)
