"""Tests of aliases: a renamed resource is found by its earlier URNs."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.engine.plan import PlannedChange
from tests.unit.rehearsal.engine.test_monitor import Programs

BEFORE = """
class Box(pulumi.ComponentResource):
    def __init__(self, token, name, opts=None):
        super().__init__(token, name, None, opts)
"""


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Return a runner of small programs."""
    return Programs(tmp_path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            'aws.sns.Topic("a", name="x", opts=there)',
            'aws.sns.Topic("b", name="x", opts=pulumi.ResourceOptions(provider=east, aliases=[pulumi.Alias(name="a")]))',
        ),
        (
            'aws.sns.Topic("a", name="x", opts=pulumi.ResourceOptions(provider=east, parent=Box("t:m:Old", "box")))',
            'box = Box("t:m:New", "box", pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="t:m:Old")]))\n'
            'aws.sns.Topic("a", name="x", opts=pulumi.ResourceOptions(provider=east, parent=box))',
        ),
        (
            'aws.sns.Topic("old-a", name="x", opts=pulumi.ResourceOptions(provider=east, parent=Box("t:m:Box", "old")))',
            'box = Box("t:m:Box", "new", pulumi.ResourceOptions(aliases=[pulumi.Alias(name="old")]))\n'
            'aws.sns.Topic("new-a", name="x", opts=pulumi.ResourceOptions(provider=east, parent=box))',
        ),
        (
            'aws.sns.Topic("a", name="x", opts=there)',
            'aws.sns.Topic("a", name="x", opts=pulumi.ResourceOptions(provider=east, parent=Box("t:m:Box", "box"), '
            "aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]))",
        ),
        (
            'aws.sns.Topic("a", name="x", opts=there)',
            'aws.sns.Topic("b", name="x", opts=pulumi.ResourceOptions(provider=east, '
            'aliases=["urn:pulumi:dev::tiny::aws:sns/topic:Topic::a"]))',
        ),
    ],
    ids=["name", "type of the parent", "name of the parent and with it its own", "parent", "whole URN"],
)
def test_alias_keeps_the_resource(programs: Programs, before: str, after: str) -> None:
    """The alias is the resource's own, its parent's, or a combination."""
    first = programs.run(BEFORE + before)
    second = programs.run(BEFORE + after, state=first.state)
    assert [PlannedChange.SAME] == [step.change for step in second.steps]
    assert [step.urn for step in second.steps] == list(second.state.resources)


def test_renamed_resource_without_alias_is_deleted_and_created(programs: Programs) -> None:
    """The plan has a create and a delete."""
    first = programs.run('aws.sns.Topic("a", opts=there)')
    planned = programs.run('aws.sns.Topic("b", opts=there)', state=first.state, preview=True)
    assert [("b", PlannedChange.CREATE), ("a", PlannedChange.DELETE)] == [
        (step.name, step.change) for step in planned.steps
    ]
