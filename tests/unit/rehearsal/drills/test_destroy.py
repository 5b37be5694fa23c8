"""The end of a rehearsal holds only when everything is deleted and nothing is left."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rehearsal.drills.destroy import Teardown
from rehearsal.engine.inventory import Found
from rehearsal.provider.resources.outcome import GLOBAL
from rehearsal.report.model import DrillResult
from tests.unit.rehearsal.engine.test_destroy import Deletions, aws_error, no_client, state_of

EAST, WEST = "us-east-1", "eu-west-1"
THERE = tuple(Found(region=region, kind="VPC", id="vpc-1") for region in (EAST, WEST, GLOBAL))


def play(
    *, after: Sequence[Found], before: Sequence[Found] = THERE, failing: dict[str, Exception] | None = None
) -> DrillResult:
    """Destroy two resources of a stack that is no production, with what the API lists before and after."""
    listings = [before, after]
    return Teardown(
        state=state_of(vpc=(), subnet=("vpc",)),
        clients=no_client,
        look=lambda: listings.pop(0),
        regions=(EAST, WEST),
        is_production=False,
        on_assertion=lambda _assertion: None,
        on_event=lambda *_event: None,
        handlers=Deletions(failing).handlers,
    ).play()


def test_it_passes_when_all_is_gone() -> None:
    """Every resource deleted, every place looked at and empty."""
    result = play(after=())
    assert (True, 5, 2) == (result.passed, len(result.assertions), result.measurements["deleted_resources"])


@pytest.mark.parametrize("left", THERE, ids=str)
def test_what_is_left_anywhere_is_a_failure(left: Found) -> None:
    """In one region, in the other, or in what has none; it is named."""
    (failure,) = play(after=(left,)).failures
    assert "VPC vpc-1" == failure.detail


def test_a_look_that_never_saw_anything_proves_nothing() -> None:
    """An empty list after an empty list may be a blind look."""
    assert 3 == len(play(before=(), after=()).failures)


def test_a_deletion_that_fails_is_a_failure() -> None:
    """With AWS's own words."""
    result = play(after=(), failing={"subnet": aws_error("DependencyViolation")})
    assert "DependencyViolation" in result.failures[0].detail


def test_what_somebody_else_deleted_is_told() -> None:
    """A resource that AWS knew no more means that something deleted behind our back."""
    result = play(after=(), failing={"subnet": aws_error("NotFound")})
    assert ["subnet"] == [failure.detail for failure in result.failures]


@pytest.mark.parametrize(("protected", "passed"), [(True, True), (False, False)])
def test_production_must_refuse(protected: bool, passed: bool) -> None:
    """Whoever can destroy a production stack has found a hole."""
    state = state_of(vpc=())
    kept = state.resources["vpc"]
    state.keep(type(kept)(**{**vars(kept), "protect": protected}))
    result = Teardown(
        state=state,
        clients=no_client,
        look=lambda: THERE if state.resources else (),
        regions=(EAST, WEST),
        is_production=True,
        on_assertion=lambda _assertion: None,
        on_event=lambda *_event: None,
        handlers=Deletions().handlers,
    ).play()
    assert (passed, protected) == (result.passed, bool(state.resources))
