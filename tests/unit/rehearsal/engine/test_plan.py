"""The plan compares as the engine does, and refuses what the engine or AWS refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pulumi.output import UNKNOWN

from rehearsal.engine.plan import PlannedChange, inputs_to_keep, plan_deletion, plan_step, refusal_text
from rehearsal.engine.state import KeptResource, Wanted

KEPT = KeptResource(
    urn="urn:1", type="t", name="n", region="us-east-1", id="i", inputs={"name": "a", "size": 1}, outputs={}
)
WANTED = Wanted(urn="urn:1", type="t", name="n", region="us-east-1", inputs={"name": "a", "size": 1})


def plan(
    kept: KeptResource | None = KEPT, **changes: Any
) -> tuple[PlannedChange, tuple[str, ...], tuple[str, ...], str]:
    """Return change, properties, forcing properties and refusal; `name` can't be changed in place."""
    step = plan_step(kept, replace(WANTED, **changes), lambda _type: {"name"})
    return step.change, step.properties, step.forced_by, step.refusal


def test_equal_inputs_are_the_same() -> None:
    """Nothing to do, whatever the order of the properties."""
    assert (PlannedChange.SAME, (), (), "") == plan(inputs={"size": 1, "name": "a"})


def test_what_is_not_in_the_state_is_created() -> None:
    """A resource of a new URN is new."""
    assert (PlannedChange.CREATE, (), (), "") == plan(None)


def test_a_change_in_place_is_an_update() -> None:
    """Also when a property comes or goes."""
    assert (PlannedChange.UPDATE, ("size",), (), "") == plan(inputs={"name": "a", "size": 2})
    assert (PlannedChange.UPDATE, ("size",), (), "") == plan(inputs={"name": "a"})
    assert (PlannedChange.UPDATE, ("more",), (), "") == plan(inputs={**KEPT.inputs, "more": True})


def test_a_property_that_can_not_be_changed_forces_a_replacement() -> None:
    """The plan names all that differs, and what of it forces."""
    assert (PlannedChange.REPLACE, ("name", "size"), ("name",), "") == plan(inputs={"name": "b", "size": 2})


def test_another_region_of_the_provider_replaces() -> None:
    """A resource can't move."""
    assert (PlannedChange.REPLACE, ("the provider's region",), ("the provider's region",), "") == plan(
        region="eu-west-1"
    )


def test_an_unknown_value_may_change() -> None:
    """What isn't known before the deployment counts as changed, also deep inside, and is named as unknown."""
    step = plan_step(KEPT, replace(WANTED, inputs={"name": ["x", {"y": UNKNOWN}], "size": 1}), lambda _type: {"name"})
    assert (PlannedChange.REPLACE, ("name",), ("name",)) == (step.change, step.forced_by, step.unknown)


def test_an_ignored_property_changes_nothing_and_is_told() -> None:
    """Whether it differs, is unknown, or is no longer given."""
    for inputs in ({"name": "b", "size": 1}, {"name": UNKNOWN, "size": 1}, {"size": 1}):
        step = plan_step(KEPT, replace(WANTED, inputs=inputs, ignore_changes=("name",)), lambda _type: {"name"})
        assert (PlannedChange.SAME, ("name",)) == (step.change, step.ignored)
        kept = inputs_to_keep(KEPT, replace(WANTED, inputs=inputs), step.ignored)
        assert KEPT.inputs == kept


def test_an_ignored_property_that_never_was_there_stays_away() -> None:
    """The state doesn't take over what AWS was never told."""
    wanted = replace(WANTED, inputs={**WANTED.inputs, "late": 1}, ignore_changes=("late",))
    assert WANTED.inputs == inputs_to_keep(KEPT, wanted, ("late",))


@pytest.mark.parametrize(
    ("before", "after", "refusal"),
    [
        (True, True, "it is protected"),
        # The engine looks at both: who unprotects in the same run may replace.
        (True, False, ""),
        (False, True, ""),
    ],
)
def test_a_protected_resource_is_not_replaced(before: bool, after: bool, refusal: str) -> None:
    """As the engine has it: protected before and after. Source: step_generator.go, pulumi/pulumi."""
    assert refusal == plan(replace(KEPT, protect=before), inputs={"name": "b", "size": 1}, protect=after)[3]


def test_aws_refuses_what_is_deletion_protected_there() -> None:
    """Whatever became of the engine's protection."""
    kept = replace(KEPT, protect=True, inputs={**KEPT.inputs, "deletionProtection": True})
    inputs = {"name": "b", "size": 1, "deletionProtection": False}
    assert plan(kept, inputs=inputs, protect=False)[3] == "AWS refuses to delete it: deletionProtection"
    assert plan_deletion(replace(kept, protect=False)).refusal == "AWS refuses to delete it: deletionProtection"


def test_a_protected_resource_is_not_deleted() -> None:
    """A resource that the program has no more is deleted, unless it is protected."""
    assert ["", "it is protected"] == [plan_deletion(replace(KEPT, protect=each)).refusal for each in (False, True)]


def test_the_refusal_without_a_changed_setting_speaks_of_the_code() -> None:
    """Who changed the program is not told to set a setting back."""
    steps = [plan_deletion(replace(KEPT, protect=True))]
    text = refusal_text(steps, [])
    assert ("urn:1\n  t: it would be deleted, but it is protected" in text, "alias" in text) == (True, True)
