"""The URNs that a resource had before, by the aliases that it and its parents are given.

Owns: the engine's rules for aliases. Does not own: what is done with them (monitor.py).
Pure. Source: pkg/resource/deploy/source_eval.go and pkg/resource/alias.go, pulumi/pulumi.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

STACK_TYPE = "pulumi:pulumi:Stack"


def make_urn(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """Build the URN as the engine does: the types of all parents but the stack, then this one."""
    chain = parent.split("::")[2] if parent else ""
    qualified = type_ if chain in ("", STACK_TYPE) else f"{chain}${type_}"
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def alias_urns(
    request: Any, *, stack: str, project: str, parent_aliases: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Return every URN that a registered resource had before: by its own aliases, by its parent's, and by both.

    `parent_aliases` gives those of the resources that registered earlier.
    """
    parent_name = request.parent.rpartition("::")[2]
    parents = [request.parent, *parent_aliases.get(request.parent, ())]
    found: list[str] = []
    for parent in parents:
        # A child whose name begins with its parent's had the parent's old name there.
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


def uncovered(before: Iterable[str], now: Iterable[str], aliases: Iterable[str]) -> list[str]:
    """Return the URNs of an earlier program under which nothing is found any more."""
    known = {*now, *aliases}
    return sorted(urn for urn in before if urn not in known)
