"""Tests of the destroy drill."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from rehearsal.drills.destroy import DestroyDrill
from rehearsal.engine.destroy import Deleted, destroy
from rehearsal.engine.inventory import Found
from rehearsal.provider.resources.outcome import GLOBAL
from rehearsal.report.model import DrillResult
from tests.unit.rehearsal.engine.test_destroy import Deletions, aws_error, no_client, state_of

EAST, WEST = "us-east-1", "eu-west-1"
THERE = tuple(Found(region=region, kind="VPC", id="vpc-1") for region in (EAST, WEST, GLOBAL))


def play(
    *,
    after: Sequence[Found],
    before: Sequence[Found] = THERE,
    failing: dict[str, Exception] | None = None,
    destroy_stack: Callable[[Callable[[Deleted], None]], object] | None = None,
) -> DrillResult:
    """Destroy two resources of a development stack, with the given lists before and after."""
    listings = [before, after]
    state, handlers = state_of(vpc=(), subnet=("vpc",)), Deletions(failing).handlers
    return DestroyDrill(
        destroy_stack=destroy_stack
        or (lambda on_deleted: destroy(state, no_client, handlers=handlers, on_deleted=on_deleted)),
        count=len(state.resources),
        list_resources=lambda: listings.pop(0),
        regions=(EAST, WEST),
        is_production=False,
        on_assertion=lambda _assertion: None,
        on_event=lambda *_event: None,
    ).play()


def test_drill_passes_when_everything_is_deleted() -> None:
    """The drill checks both regions and the global services."""
    result = play(after=())
    assert (True, 5, 2) == (result.passed, len(result.assertions), result.measurements["deleted_resources"])


@pytest.mark.parametrize("left", THERE, ids=str)
def test_remaining_resource_fails_the_drill(left: Found) -> None:
    """The failed assertion names the remaining resource."""
    (failure,) = play(after=(left,)).failures
    assert "VPC vpc-1" == failure.detail


def test_empty_list_before_destroy_fails_the_drill() -> None:
    """An empty list after an empty list is no evidence."""
    assert 3 == len(play(before=(), after=()).failures)


def test_failed_deletion_fails_the_drill() -> None:
    """The failed assertion contains AWS's message."""
    result = play(after=(), failing={"subnet": aws_error("DependencyViolation")})
    assert "DependencyViolation" in result.failures[0].detail


def test_resource_that_was_already_gone_fails_the_drill() -> None:
    """A resource that something else deleted fails the drill."""
    result = play(after=(), failing={"subnet": aws_error("NotFound")})
    assert ["subnet"] == [failure.detail for failure in result.failures]


def test_nothing_is_said_of_gone_resources_if_the_engine_does_not_report_them() -> None:
    """A check that cannot fail says nothing."""
    gone = Deleted(urn="a", type="t", name="a", region=EAST, id="1", seconds=0.1, was_gone=None)
    result = play(after=(), destroy_stack=lambda on_deleted: on_deleted(gone))
    assert [] == [each.text for each in result.assertions if "still existed" in each.text]


@pytest.mark.parametrize(("protected", "passed"), [(True, True), (False, False)])
def test_production_stack_must_refuse(protected: bool, passed: bool) -> None:
    """A successful destroy fails the drill."""
    state = state_of(vpc=())
    kept = state.resources["vpc"]
    state.keep(type(kept)(**{**vars(kept), "protect": protected}))
    result = DestroyDrill(
        destroy_stack=lambda on_deleted: destroy(
            state, no_client, handlers=Deletions().handlers, on_deleted=on_deleted
        ),
        count=len(state.resources),
        list_resources=lambda: THERE if state.resources else (),
        regions=(EAST, WEST),
        is_production=True,
        on_assertion=lambda _assertion: None,
        on_event=lambda *_event: None,
    ).play()
    assert (passed, protected) == (result.passed, bool(state.resources))
