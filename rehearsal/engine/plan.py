"""What a run of the program would do to what is there: same, update, replace, create or delete, resource by resource.

Owns: the comparison of a resource as it was with the resource as it is wanted, and what the engine or AWS refuses of it.
Does not own: which inputs force a replacement (policy/rules/replacement.py), the state (state.py), how a step is done (monitor.py).
Invariant: pure. It compares what the engine compares: inputs with secrets unwrapped, ignored properties as they were,
archives by their content; what is not known yet counts as changed.
Source: pkg/resource/deploy/step_generator.go, pulumi/pulumi.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from pulumi.output import Unknown

from rehearsal.engine.state import KeptResource

PROVIDER_REGION = "the provider's region"
DELETION_PROTECTION = ("deletionProtection", "deletionProtectionEnabled")
"""Inputs by which AWS itself refuses a deletion, whatever the engine wants."""


class PlannedChange(StrEnum):
    """What happens to a resource."""

    SAME = "same"
    UPDATE = "update"
    REPLACE = "replace"
    CREATE = "create"
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A resource as the program registers it now."""

    urn: str
    type: str
    name: str
    region: str
    inputs: Mapping[str, Any]
    """Comparable (state.py); unknown values stand in it as such."""
    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PlanStep:
    """What happens to one resource, and why."""

    urn: str
    type: str
    name: str
    region: str
    change: PlannedChange
    properties: tuple[str, ...] = ()
    """The inputs that differ."""
    forced_by: tuple[str, ...] = ()
    """Those of them that can't be changed in place."""
    unknown: tuple[str, ...] = ()
    """Those of them whose new value is not known before the deployment."""
    ignored: tuple[str, ...] = ()
    """The inputs that differ and are left as they are, because the program says so."""
    refusal: str = ""
    """Who refuses it and why; empty when nobody does."""

    def __str__(self) -> str:
        why = f" ({', '.join(self.forced_by or self.properties)})" if self.properties else ""
        refused = f": refused, {self.refusal}" if self.refusal else ""
        return f"{self.change} {self.type} {self.name}{why}{refused}"


def plan_step(kept: KeptResource | None, wanted: Wanted, create_only: Callable[[str], Collection[str]]) -> PlanStep:
    """Return what happens to a resource that is wanted; `create_only` gives the inputs of a type that force a replacement."""
    step = partial(PlanStep, urn=wanted.urn, type=wanted.type, name=wanted.name, region=wanted.region)
    if kept is None:
        return step(change=PlannedChange.CREATE)
    held_back = {name.partition(".")[0].partition("[")[0] for name in wanted.ignore_changes}
    different = _different(kept.inputs, wanted.inputs)
    ignored = tuple(name for name in different if name in held_back)
    properties = [name for name in different if name not in held_back]
    forced_by = [name for name in properties if name in create_only(wanted.type)] if properties else []
    if kept.region != wanted.region:
        properties, forced_by = [PROVIDER_REGION, *properties], [PROVIDER_REGION, *forced_by]
    if not properties:
        return step(change=PlannedChange.SAME, ignored=ignored)
    return step(
        change=PlannedChange.REPLACE if forced_by else PlannedChange.UPDATE,
        properties=tuple(properties),
        forced_by=tuple(forced_by),
        unknown=tuple(name for name in properties if _has_unknown(wanted.inputs.get(name))),
        ignored=ignored,
        refusal=_refusal_to_replace(kept, wanted) if forced_by else "",
    )


def plan_deletion(kept: KeptResource) -> PlanStep:
    """Return the step of a resource that the program doesn't register any more."""
    refusal = "it is protected" if kept.protect else _aws_refuses(kept)
    return PlanStep(
        urn=kept.urn, type=kept.type, name=kept.name, region=kept.region, change=PlannedChange.DELETE, refusal=refusal
    )


def inputs_to_keep(kept: KeptResource | None, wanted: Wanted, ignored: Collection[str]) -> dict[str, Any]:
    """Return the inputs that the state holds after a step: what is ignored stays as it was."""
    inputs = dict(wanted.inputs)
    for name in ignored:
        if kept is not None and name in kept.inputs:
            inputs[name] = kept.inputs[name]
        else:
            inputs.pop(name, None)
    return inputs


def counts(steps: Sequence[PlanStep]) -> dict[str, int]:
    """Return how many resources each change concerns, in the order of `Change`."""
    counted = Counter(step.change for step in steps)
    return {change.value: counted[change] for change in PlannedChange if counted[change]}


def refusal_text(steps: Sequence[PlanStep], settings: Sequence[tuple[str, str, str]]) -> str:
    """Return what is refused and how to go on: resources, properties, the settings that changed, the hint.

    `settings` are (setting, what it was, what it is).
    """
    refused = [step for step in steps if step.refusal]
    lines = [f"refused: {len(refused)} resources would be lost, and nothing was changed"]
    for step in refused:
        because = f" because of {', '.join(step.forced_by)}" if step.forced_by else ""
        lines.append(f"{step.urn}\n  {step.type}: it would be {step.change}d{because}, but {step.refusal}")
    return "\n".join([*lines, *_hint(settings)])


def replacement_text(steps: Sequence[PlanStep], settings: Sequence[tuple[str, str, str]]) -> str:
    """Return which resources would be replaced, by what, loudly; empty when none."""
    replaced = [step for step in steps if step.change is PlannedChange.REPLACE]
    if not replaced:
        return ""
    lines = [f"REPLACES {len(replaced)} resources: what is in them is lost"]
    lines += [f"  {step.type} {step.name}: {', '.join(step.forced_by)}" for step in replaced]
    return "\n".join([*lines, *_hint(settings)])


def left_alone_text(steps: Sequence[PlanStep], settings: Sequence[tuple[str, str, str]]) -> str:
    """Return which changed settings meet inputs that the program leaves as they are; empty when none does."""
    held_back = [step for step in steps if step.ignored]
    if not held_back or not settings:
        return ""
    lines = ["Settings that changed since the last deployment, while the program leaves some inputs as they were made:"]
    lines += [f"  {name}: {before} -> {after}" for name, before, after in settings]
    return "\n".join([*lines, *(f"  {step.type} {step.name}: {', '.join(step.ignored)} stays" for step in held_back)])


def _hint(settings: Sequence[tuple[str, str, str]]) -> list[str]:
    if not settings:
        return ["No setting changed: it is the program's own code; look at what it registers, or give it an alias."]
    lines = ["Settings that changed since the last deployment:"]
    lines += [f"  {name}: {before} -> {after}" for name, before, after in settings]
    back = " and ".join(f"{name} back to {before}" for name, before, _ in settings)
    return [*lines, f"Set {back}; or deploy another stack with the new value beside this one, and move the data."]


def _different(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted({*old, *new}) if _has_unknown(new.get(name)) or old.get(name) != new.get(name)]


def _has_unknown(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_unknown(element) for element in value.values())
    if isinstance(value, list | tuple):
        return any(_has_unknown(element) for element in value)
    return isinstance(value, Unknown)


def _refusal_to_replace(kept: KeptResource, wanted: Wanted) -> str:
    # Whoever takes the protection away in the same run may replace: then only AWS's own protection stands.
    return "it is protected" if kept.protect and wanted.protect else _aws_refuses(kept)


def _aws_refuses(kept: KeptResource) -> str:
    protecting = [name for name in DELETION_PROTECTION if kept.inputs.get(name) is True]
    return f"AWS refuses to delete it: {protecting[0]}" if protecting else ""
