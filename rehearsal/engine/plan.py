"""The plan of a run, without side effects: same, update, replace, create or delete for each resource.

Inputs are compared as Pulumi's engine compares them: secrets unwrapped, ignored properties with their old values, archives by content.
An unknown value counts as changed. Source: pkg/resource/deploy/step_generator.go, pulumi/pulumi.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from rehearsal.engine.state import KeptResource, ResourceGoal
from rehearsal.provider.provider import Provider, has_unknown

PROVIDER_REGION = "the provider's region"
DELETION_PROTECTION = ("deletionProtection", "deletionProtectionEnabled")
"""Inputs that make AWS itself reject a deletion."""


class PlannedChange(StrEnum):
    """Kind of change planned for a resource."""

    SAME = "same"
    UPDATE = "update"
    REPLACE = "replace"
    CREATE = "create"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class PlanStep:
    """The change to one resource, and its reason."""

    urn: str
    type: str
    name: str
    region: str
    change: PlannedChange
    properties: tuple[str, ...] = ()
    """The inputs that differ."""
    forced_by: tuple[str, ...] = ()
    """The differing inputs that can't be changed in place."""
    unknown: tuple[str, ...] = ()
    """The differing inputs whose new value is known only during the deployment."""
    ignored: tuple[str, ...] = ()
    """The inputs that differ and stay as they are, because of `ignore_changes`."""
    refusal: str = ""
    """Why the engine or AWS refuses the change; empty if they accept it."""

    def __str__(self) -> str:
        why = f" ({', '.join(self.forced_by or self.properties)})" if self.properties else ""
        refused = f": refused, {self.refusal}" if self.refusal else ""
        return f"{self.change} {self.type} {self.name}{why}{refused}"


def plan_step(kept: KeptResource | None, goal: ResourceGoal, provider: Provider) -> PlanStep:
    """Return the step for a registered resource."""
    step = partial(PlanStep, urn=goal.urn, type=goal.type, name=goal.name, region=goal.region)
    if kept is None:
        return step(change=PlannedChange.CREATE)
    if kept.region != goal.region:
        # The engine compares the providers first, and asks for no other difference.
        forced_by = (PROVIDER_REGION,)
        refusal = _refusal_to_replace(kept, goal)
        return step(change=PlannedChange.REPLACE, properties=forced_by, forced_by=forced_by, refusal=refusal)
    found = provider.diff(goal.type, kept.inputs, goal.inputs, goal.ignore_changes)
    if not found.properties:
        return step(change=PlannedChange.SAME, ignored=found.ignored)
    return step(
        change=PlannedChange.REPLACE if found.forced_by else PlannedChange.UPDATE,
        properties=found.properties,
        forced_by=found.forced_by,
        unknown=tuple(name for name in found.properties if has_unknown(goal.inputs.get(name))),
        ignored=found.ignored,
        refusal=_refusal_to_replace(kept, goal) if found.forced_by else "",
    )


def plan_deletion(kept: KeptResource) -> PlanStep:
    """Return the step for a resource that the program no longer registers."""
    refusal = "the resource is protected" if kept.protect else _aws_refuses(kept)
    return PlanStep(
        urn=kept.urn, type=kept.type, name=kept.name, region=kept.region, change=PlannedChange.DELETE, refusal=refusal
    )


def inputs_to_keep(kept: KeptResource | None, goal: ResourceGoal, ignored: Collection[str]) -> dict[str, Any]:
    """Return the inputs for the state after a step: ignored inputs keep their old values."""
    inputs = dict(goal.inputs)
    for name in ignored:
        if kept is not None and name in kept.inputs:
            inputs[name] = kept.inputs[name]
        else:
            inputs.pop(name, None)
    return inputs


def counts(steps: Sequence[PlanStep]) -> dict[str, int]:
    """Return the number of resources by change, in the order of `PlannedChange`."""
    counted = Counter(step.change for step in steps)
    return {change.value: counted[change] for change in PlannedChange if counted[change]}


def refusal_text(steps: Sequence[PlanStep], settings: Sequence[tuple[str, str, str]]) -> str:
    """Return the refused resources with their properties, the settings that changed, and a hint.

    `settings` holds (setting, old value, new value).
    """
    refused = [step for step in steps if step.refusal]
    lines = [f"refused: {len(refused)} resources would be lost. No changes were made."]
    for step in refused:
        because = f" because of {', '.join(step.forced_by)}" if step.forced_by else ""
        lines.append(f"{step.urn}\n  {step.type}: the resource would be {step.change}d{because}, but {step.refusal}")
    return "\n".join([*lines, *_hint(settings)])


def replacement_text(steps: Sequence[PlanStep], settings: Sequence[tuple[str, str, str]]) -> str:
    """Return the resources that would be replaced, with the inputs that force it; empty if there are none."""
    replaced = [step for step in steps if step.change is PlannedChange.REPLACE]
    if not replaced:
        return ""
    lines = [f"REPLACES {len(replaced)} resources: their data is lost"]
    lines += [f"  {step.type} {step.name}: {', '.join(step.forced_by)}" for step in replaced]
    return "\n".join([*lines, *_hint(settings)])


def left_alone_text(steps: Sequence[PlanStep], settings: Sequence[tuple[str, str, str]]) -> str:
    """Return the changed settings next to the inputs that `ignore_changes` keeps; empty if there are none."""
    ignoring = [step for step in steps if step.ignored]
    if not ignoring or not settings:
        return ""
    lines = [*_changed(settings), "These inputs keep the values of their creation:"]
    return "\n".join([*lines, *(f"  {step.type} {step.name}: {', '.join(step.ignored)} stays" for step in ignoring)])


def _changed(settings: Sequence[tuple[str, str, str]]) -> list[str]:
    lines = [f"  {name}: {before} -> {after}" for name, before, after in settings]
    return ["Settings that changed since the last deployment:", *lines]


def _hint(settings: Sequence[tuple[str, str, str]]) -> list[str]:
    if not settings:
        return [
            "No setting changed, but the program's code did. Compare the resources that it registers, or add an alias."
        ]
    back = " and ".join(f"{name} back to {before}" for name, before, _ in settings)
    return [*_changed(settings), f"Set {back}; or deploy a second stack with the new value, and move the data."]


def _refusal_to_replace(kept: KeptResource, goal: ResourceGoal) -> str:
    # The engine allows a replacement in the run that removes the protection. AWS's own protection still applies.
    return "the resource is protected" if kept.protect and goal.protect else _aws_refuses(kept)


def _aws_refuses(kept: KeptResource) -> str:
    protecting = [name for name in DELETION_PROTECTION if kept.inputs.get(name) is True]
    return f"AWS refuses the deletion because {protecting[0]} is set" if protecting else ""
