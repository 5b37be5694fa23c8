"""The budget of the client's outage."""

from random import Random

import pytest

from benchmarks.baselines import BASELINES
from benchmarks.controller import Controller
from benchmarks.counts import CallCounts
from benchmarks.outage_budget import (
    CLOUDWATCH,
    CONNECT_SECONDS,
    REFUSAL_SECONDS,
    Setup,
    budget_tables,
    budget_target,
    budgets,
    dns_by_promotion,
    first_write,
    role_shows_at,
)
from benchmarks.simulate import SimulationResult
from benchmarks.simulated_regions import Cause
from rehearsal.client_pool import LONGEST_PAUSE_SECONDS


def outcome(*, ours: float = 50.0, alarm: float = 190.0) -> SimulationResult:
    """Return a simulation with one region loss for each detector."""
    counts = {
        Controller.name: CallCounts(seconds={str(Cause.REGION_LOSS): [ours]}),
        CLOUDWATCH: CallCounts(seconds={str(Cause.REGION_LOSS): [alarm]}),
    }
    return SimulationResult(1, 1, 0, counts)


def test_alarm_baseline_has_the_name_that_the_budget_reads() -> None:
    """A renamed detector would leave the budget empty."""
    assert CLOUDWATCH in [baseline.name for baseline in BASELINES]


@pytest.mark.parametrize(
    ("published_at", "phase", "shown_at"), [(100.0, 0.0, 120.0), (120.0, 0.0, 180.0), (100.0, 30.0, 150.0)]
)
def test_role_shows_at_the_end_of_its_period(published_at: float, phase: float, shown_at: float) -> None:
    """One datapoint of 1 in a period is enough."""
    assert role_shows_at(published_at, phase=phase) == shown_at


@pytest.mark.parametrize(("published_at", "shown_at"), [(100.0, 180.0), (120.0, 180.0), (135.0, 240.0)])
def test_role_of_zero_needs_a_whole_period(published_at: float, shown_at: float) -> None:
    """A single 1 keeps the period's maximum."""
    assert role_shows_at(published_at, phase=0.0, role=0.0) == shown_at


def test_client_writes_soon_after_promotion_and_name() -> None:
    """A try that began before has one connect timeout at most, then a pause."""
    rng = Random(1)
    most = CONNECT_SECONDS + LONGEST_PAUSE_SECONDS + REFUSAL_SECONDS
    for promoted_at, named_at in ((100.0, 50.0), (100.0, 160.0), (100.0, 100.0)):
        waits = [first_write(promoted_at, named_at, rng) - max(promoted_at, named_at) for _ in range(500)]
        assert 0 <= min(waits) <= max(waits) <= most


def test_early_name_costs_no_connect_timeout() -> None:
    """The read-only database refuses at once, while the lost region's name costs a timeout."""
    rng = Random(1)
    early = [first_write(100.0, 50.0, rng) - 100.0 for _ in range(500)]
    assert max(early) <= LONGEST_PAUSE_SECONDS + 2 * REFUSAL_SECONDS


def test_name_that_leaves_with_the_call_adds_nothing_at_the_median() -> None:
    """The promotion hides it; a name that follows the promotion adds a minute."""
    found = {budget.setup: budget for budget in budgets(outcome(), 1, trials=400)}
    ours, before = found[Setup.WITH_CALL], found[Setup.WITH_PROMOTION]
    assert (ours.dns_p50, before.dns_p50 > 30) == (0.0, True)
    assert ours.after_promotion_p50 < before.after_promotion_p50
    assert ours.outage_p50 < min(budget.outage_p50 for name, budget in found.items() if name != Setup.WITH_CALL)
    assert budget_target(list(found.values())).is_met


def test_target_is_missed_by_a_name_that_follows_the_promotion() -> None:
    """The target can fail."""
    found = {budget.setup: budget for budget in budgets(outcome(), 1, trials=400)}
    assert not budget_target([found[Setup.WITH_PROMOTION]]).is_met
    assert not budget_target([]).is_met


def test_longer_promotions_hide_more() -> None:
    """What DNS adds falls with the length of the promotion, and not without the early role."""
    rows = dns_by_promotion(outcome(), 1, trials=400)
    added = [with_call for _promotion, (with_call, _, _) in rows]
    home = [switched for _promotion, (_, _, switched) in rows]
    assert (added == sorted(added, reverse=True), added[-1]) == (True, 0.0)
    assert (home == sorted(home, reverse=True), home[0] > added[0], home[-1]) == (True, True, 0.0)
    assert min(with_promotion for _promotion, (_, with_promotion, _) in rows) > 30


def test_histories_without_a_region_loss_have_no_budget() -> None:
    """A short run may contain none."""
    empty = SimulationResult(1, 1, 0, {Controller.name: CallCounts(), CLOUDWATCH: CallCounts()})
    assert (budgets(empty, 1), dns_by_promotion(empty, 1)) == ([], [])


def test_tables_have_a_row_for_each_setup_and_length() -> None:
    """Every cell has its unit."""
    found, rows = budgets(outcome(), 1, trials=20), dns_by_promotion(outcome(), 1, trials=20)
    for _title, header, cells in budget_tables(found, rows):
        assert cells
        assert {len(row) for row in cells} == {len(header)}
        assert all(cell.endswith(" s") for row in cells for cell in row[1:])
