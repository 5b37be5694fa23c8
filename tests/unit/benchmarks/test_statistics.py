"""Counts, percentiles, targets and the ratio."""

from collections import Counter

import pytest

from benchmarks.controller import DetectorResult
from benchmarks.counts import CallCounts, is_right
from benchmarks.simulate import DEFAULT_LABEL, SimulationResult
from benchmarks.simulated_regions import REGION_LOST, Cause, Effect, SimulatedOutage
from benchmarks.statistics import (
    DetectorStatistics,
    fastest_careful_baseline,
    forbidden_calls,
    operating_curve,
    percentile,
    ratio,
    statistics,
    targets,
)
from tests.support.benchmarks.builders import START, effect, episode

LOSS = effect(Cause.REGION_LOSS, 600, **REGION_LOST._asdict())


def _counts(*effects: Effect, called_after: float | None = None, asked_after: tuple[float, ...] = ()) -> CallCounts:
    seen, counts = episode(*effects), CallCounts()
    called_at = None if called_after is None else START + called_after
    requested_at = tuple(START + requested for requested in asked_after)
    counts.add_episode(seen, DetectorResult(called_at=called_at, reason="why", requested_at=requested_at), 45)
    return counts


def test_call_is_right_only_in_long_outage() -> None:
    """A call before or after an outage, or in an outage that heals within 120 s, is wrong."""
    long, healing = SimulatedOutage(100, 221, Cause.REGION_LOSS), SimulatedOutage(300, 420, Cause.CRASH)
    assert [is_right((long, healing), moment) for moment in (99, 100, 220, 221, 350)] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_call_in_loss_is_timed() -> None:
    """The time starts with the outage."""
    counts = _counts(LOSS, called_after=31)
    assert (counts.right, counts.seconds, sum(counts.wrong.values())) == (1, {"region loss": [31]}, 0)


def test_wrong_call_has_faults_and_reason() -> None:
    """The faults are in the order of the table."""
    faults = effect(Cause.BROWN_OUT, 900, api_silent=1), effect(Cause.PARTITION, 900, after=60, peering_cut=1)
    counts = _counts(*faults, called_after=95)
    assert counts.wrong == Counter({("peering partition + API brown-out", "why"): 1})


def test_loss_without_call_is_missed() -> None:
    """A request counts during the outage, but not before it."""
    unasked, requested = _counts(LOSS), _counts(LOSS, asked_after=(28,))
    early = _counts(LOSS, effect(Cause.BLIP, 5, after=-20), asked_after=(-5,))
    assert [
        (counts.missed["region loss"], counts.requested["region loss"]) for counts in (unasked, requested, early)
    ] == [
        (1, 0),
        (1, 1),
        (1, 0),
    ]


def test_request_outside_outage_is_unnecessary() -> None:
    """Counted once an episode, with the faults at the first such request."""
    faults = effect(Cause.BROWN_OUT, 900, api_errors=1), effect(Cause.PARTITION, 900, after=60, peering_cut=1)
    partition, loss = _counts(*faults, asked_after=(200, 300)), _counts(LOSS, asked_after=(28,))
    partition.add(loss)
    assert partition.unnecessary == Counter({"peering partition + API brown-out": 1})
    assert statistics(SimulationResult(2000, 2, 0, {"ours": partition}))[0].unnecessary_requests == {
        "peering partition + API brown-out": 0.5
    }


def test_call_after_outage_is_missed_and_wrong() -> None:
    """The database serves clients again."""
    counts = _counts(LOSS, effect(Cause.BLIP, 5, after=700), called_after=640)
    assert (counts.missed["region loss"], sum(counts.wrong.values())) == (1, 1)


def test_outage_after_call_does_not_count() -> None:
    """The detector's later behaviour is unknown."""
    counts = _counts(
        effect(Cause.CRASH, 60, writer_down=1),
        effect(Cause.REGION_LOSS, 600, after=200, **REGION_LOST._asdict()),
        called_after=30,
    )
    assert (counts.after_call["region loss"], counts.missed["region loss"], counts.seconds) == (1, 0, {})


def test_outage_of_five_minutes_is_not_missed() -> None:
    """A longer outage without a call is missed."""
    assert _counts(effect(Cause.IN_REGION_FAILURE, 300, writer_down=1)).missed == Counter()


def test_percentile_is_a_measured_value() -> None:
    """The smallest value that the share of values does not exceed."""
    values = [float(value) for value in range(1, 201)]
    assert [percentile(values, share) for share in (50, 99, 100)] == [100.0, 198.0, 200.0]
    assert percentile([], 50) is None


def _statistics(name: str, p99: float, wrong: dict[str, int]) -> DetectorStatistics:
    counts = CallCounts(
        seconds={"region loss": [p99]}, wrong=Counter({(label, ""): count for label, count in wrong.items()})
    )
    return statistics(SimulationResult(2000, 1, 0, {name: counts}))[0]


def test_wrong_failovers_are_per_thousand_region_years() -> None:
    """Six in 2,000 years are three."""
    assert _statistics("ours", 30, {"blip": 6}).wrong == {"blip": 3.0}


def test_ratio_uses_fastest_careful_baseline() -> None:
    """A baseline with more wrong failovers does not count, nor does a slower one."""
    ours = _statistics("ours", 36, {"flapping region": 5})
    others = [
        _statistics("hasty", 20, {"blip": 9}),
        _statistics("careful", 360, {"blip": 5}),
        _statistics("slow", 3600, {}),
    ]
    best = fastest_careful_baseline([ours, *others])
    assert best is not None
    assert (best.name, ratio(ours, best)) == ("careful", 0.1)


def test_no_careful_baseline_gives_none() -> None:
    """The report then has no ratio."""
    assert fastest_careful_baseline([_statistics("ours", 36, {}), _statistics("hasty", 20, {"blip": 1})]) is None


def test_partition_with_another_fault_is_forbidden() -> None:
    """Losses, isolations and flapping regions justify the call."""
    ours = _statistics(
        "ours", 36, {"peering partition + API brown-out": 2, "blip + full isolation": 1, "saturated writer": 4}
    )
    assert forbidden_calls(ours) == {"peering partition + API brown-out": 2}


def test_targets_are_met_by_their_values() -> None:
    """Each target depends on its own value."""
    good, bad = _statistics("ours", 59, {}), _statistics("ours", 61, {"blip": 41})
    assert [[target.is_met for target in targets(ours, time)] for ours, time in ((good, 49.0), (bad, 51.0))] == [
        [True, True, True, True, True],
        [False, True, False, False, False],
    ]


@pytest.mark.parametrize("cause", [Cause.ZONE_FAILURE, Cause.CRASH_IN_API_OUTAGE])
def test_correlated_crashes_are_forbidden(cause: Cause) -> None:
    """They heal within the region."""
    assert forbidden_calls(_statistics("ours", 30, {str(cause): 1})) == {str(cause): 1}


def test_operating_curve_has_every_setting_once() -> None:
    """The variants have their own region-years; the default comes before the baselines."""
    one, two = CallCounts(), CallCounts()
    one.wrong["flapping region", "why"] = 2
    two.wrong["flapping region", "why"] = 2
    outcome = SimulationResult(2000, 1, 0, {"ours": two, "CloudWatch": CallCounts()}, 500, {"3 cycles": one})
    curve = operating_curve(outcome, statistics(outcome))
    found = [(point.label, point.is_default, point.is_controller, point.wrong) for point in curve]
    assert found == [
        ("3 cycles", False, True, 4.0),
        (DEFAULT_LABEL, True, True, 1.0),
        ("CloudWatch", False, False, 0.0),
    ]
