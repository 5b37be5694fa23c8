"""The earlier URNs of a resource, from the aliases of the resource and its parents.

Source: pkg/resource/deploy/source_eval.go and pkg/resource/alias.go, pulumi/pulumi.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

STACK_TYPE = "pulumi:pulumi:Stack"


def make_urn(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """Return the URN as the engine builds it: the types of all parents except the stack, then the resource's type."""
    chain = parent.split("::")[2] if parent else ""
    qualified = type_ if chain in ("", STACK_TYPE) else f"{chain}${type_}"
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def alias_urns(
    request: Any, *, stack: str, project: str, parent_aliases: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Return the earlier URNs of a resource, from its own aliases, its parent's and their combinations.

    `parent_aliases` holds the aliases of the resources that registered before.
    """
    parent_name = request.parent.rpartition("::")[2]
    parents = [request.parent, *parent_aliases.get(request.parent, ())]
    found: list[str] = []
    for parent in parents:
        # The engine also renames a child whose name starts with its parent's name.
        name = request.name
        if parent != request.parent and parent_name and name.startswith(parent_name):
            name = parent.rpartition("::")[2] + name.removeprefix(parent_name)
        found.append(make_urn(stack, project, parent, request.type, name))
        found += [
            each.urn or _by_spec(each.spec, stack, project, parent, request.type, name) for each in request.aliases
        ]
    found += list(request.aliasURNs)
    own = make_urn(stack, project, request.parent, request.type, request.name)
    return tuple(dict.fromkeys(urn for urn in found if urn != own))


def _by_spec(spec: Any, stack: str, project: str, parent: str, type_: str, name: str) -> str:
    above = "" if spec.noParent else spec.parentUrn or parent
    return make_urn(spec.stack or stack, spec.project or project, above, spec.type or type_, spec.name or name)
