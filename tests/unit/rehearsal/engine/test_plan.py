"""Tests of the plan: comparison of inputs, and refused changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pulumi.output import UNKNOWN

from rehearsal.engine.plan import PlannedChange, inputs_to_keep, plan_deletion, plan_step, refusal_text
from rehearsal.engine.state import KeptResource, ResourceGoal
from rehearsal.provider.provider import Provider

KEPT = KeptResource(
    urn="urn:1", type="t", name="n", region="us-east-1", id="i", inputs={"name": "a", "size": 1}, outputs={}
)
PROVIDER = Provider(
    region="us-east-1",
    clients=lambda service, region: pytest.fail(f"{service} in {region}"),
    program_directory=Path(),
    create_only=lambda _type: {"name"},
)
GOAL = ResourceGoal(urn="urn:1", type="t", name="n", region="us-east-1", inputs={"name": "a", "size": 1})


def plan(
    kept: KeptResource | None = KEPT, **changes: Any
) -> tuple[PlannedChange, tuple[str, ...], tuple[str, ...], str]:
    """Return change, properties, forcing properties and refusal; `name` can't be changed in place."""
    step = plan_step(kept, replace(GOAL, **changes), PROVIDER)
    return step.change, step.properties, step.forced_by, step.refusal


def test_equal_inputs_are_the_same() -> None:
    """The order of properties does not matter."""
    assert (PlannedChange.SAME, (), (), "") == plan(inputs={"size": 1, "name": "a"})


def test_new_urn_is_created() -> None:
    """A resource whose URN is not in the state is planned as a create."""
    assert (PlannedChange.CREATE, (), (), "") == plan(None)


def test_change_in_place_is_an_update() -> None:
    """Added and removed properties are updates too."""
    assert (PlannedChange.UPDATE, ("size",), (), "") == plan(inputs={"name": "a", "size": 2})
    assert (PlannedChange.UPDATE, ("size",), (), "") == plan(inputs={"name": "a"})
    assert (PlannedChange.UPDATE, ("more",), (), "") == plan(inputs={**KEPT.inputs, "more": True})


def test_create_only_property_forces_a_replacement() -> None:
    """The plan names all differing properties, and those that force the replacement."""
    assert (PlannedChange.REPLACE, ("name", "size"), ("name",), "") == plan(inputs={"name": "b", "size": 2})


def test_other_provider_region_replaces() -> None:
    """A resource can't move to another region; the engine compares nothing else. Source: step_generator.go, pulumi/pulumi."""
    assert (PlannedChange.REPLACE, ("the provider's region",), ("the provider's region",), "") == plan(
        region="eu-west-1", inputs={"name": "b", "size": 2}
    )


def test_unknown_value_counts_as_changed() -> None:
    """A nested unknown value counts as changed, and the step lists its property as unknown."""
    step = plan_step(KEPT, replace(GOAL, inputs={"name": ["x", {"y": UNKNOWN}], "size": 1}), PROVIDER)
    assert (PlannedChange.REPLACE, ("name",), ("name",)) == (step.change, step.forced_by, step.unknown)


def test_ignored_property_is_no_change_and_is_reported() -> None:
    """The property differs, is unknown, or is no longer set."""
    for inputs in ({"name": "b", "size": 1}, {"name": UNKNOWN, "size": 1}, {"size": 1}):
        step = plan_step(KEPT, replace(GOAL, inputs=inputs, ignore_changes=("name",)), PROVIDER)
        assert (PlannedChange.SAME, ("name",)) == (step.change, step.ignored)
        kept = inputs_to_keep(KEPT, replace(GOAL, inputs=inputs), step.ignored)
        assert KEPT.inputs == kept


def test_ignored_new_property_stays_out_of_the_state() -> None:
    """An ignored property that is new was never sent to AWS, so the state does not contain it."""
    goal = replace(GOAL, inputs={**GOAL.inputs, "late": 1}, ignore_changes=("late",))
    assert GOAL.inputs == inputs_to_keep(KEPT, goal, ("late",))


@pytest.mark.parametrize(
    ("before", "after", "refusal"),
    [
        (True, True, "the resource is protected"),
        # The engine allows a replacement in the run that removes the protection.
        (True, False, ""),
        (False, True, ""),
    ],
)
def test_protected_resource_is_not_replaced(before: bool, after: bool, refusal: str) -> None:
    """A replacement is refused only if the resource is protected before and after the change.

    Source: step_generator.go, pulumi/pulumi.
    """
    assert refusal == plan(replace(KEPT, protect=before), inputs={"name": "b", "size": 1}, protect=after)[3]


def test_deletion_protection_refuses_a_replacement() -> None:
    """AWS refuses the deletion independently of the engine's protection."""
    kept = replace(KEPT, protect=True, inputs={**KEPT.inputs, "deletionProtection": True})
    inputs = {"name": "b", "size": 1, "deletionProtection": False}
    assert plan(kept, inputs=inputs, protect=False)[3] == "AWS refuses the deletion because deletionProtection is set"
    assert (
        plan_deletion(replace(kept, protect=False)).refusal
        == "AWS refuses the deletion because deletionProtection is set"
    )


def test_protected_resource_is_not_deleted() -> None:
    """Other resources are deleted when the program no longer registers them."""
    assert ["", "the resource is protected"] == [
        plan_deletion(replace(KEPT, protect=each)).refusal for each in (False, True)
    ]


def test_refusal_without_changed_setting_names_the_code() -> None:
    """The hint does not suggest to reset a setting."""
    steps = [plan_deletion(replace(KEPT, protect=True))]
    text = refusal_text(steps, [])
    assert ("urn:1\n  t: the resource would be deleted, but the resource is protected" in text, "alias" in text) == (
        True,
        True,
    )
