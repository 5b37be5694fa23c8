"""The rule of each baseline on small histories."""

from random import Random

import pytest

from benchmarks.baselines import BASELINES, CloudWatchAlarm, GracePeriod, Route53Baseline, SinglePathProbe
from benchmarks.simulated_regions import REGION_LOST, Cause, Effect
from tests.support.benchmarks.builders import START, FixedRandom, effect, episode

LOSS = effect(Cause.REGION_LOSS, 7200, **REGION_LOST._asdict())
SINGLE = SinglePathProbe(name="single", every_seconds=30, failures=2)
ALARM = CloudWatchAlarm(name="alarm")
ROUTE_53 = Route53Baseline(name="route", failures=3)
GRACE = GracePeriod(name="grace")


def _call(
    detector: SinglePathProbe | CloudWatchAlarm | Route53Baseline | GracePeriod, *effects: Effect
) -> float | None:
    """Return the seconds from the episode's start to the call, with every phase in the middle."""
    called_at = detector.detect(episode(*effects), FixedRandom()).called_at
    return None if called_at is None else called_at - START


def test_single_path_calls_at_second_failure() -> None:
    """Half an interval, one interval, and the timeout of the second probe."""
    assert _call(SINGLE, LOSS) == 15 + 30 + 5


def test_single_path_calls_in_partition() -> None:
    """The detector has no other path."""
    assert _call(SINGLE, effect(Cause.PARTITION, 600, peering_cut=1)) == 50


def test_single_path_count_resets_after_success() -> None:
    """Two failures with a success between them cause no call."""
    first, second = (effect(Cause.BLIP, 10, after=after, peering_cut=1) for after in (10, 70))
    assert _call(SINGLE, first, second) is None


def test_alarm_calls_after_three_periods_and_metric_delay() -> None:
    """The loss is in the middle of a period, the probe too: the third breach is known after 150 s."""
    assert _call(ALARM, LOSS) == pytest.approx(150 + 17.5)


def test_alarm_ignores_partition_of_two_periods() -> None:
    """Two breaching datapoints are not enough."""
    assert _call(ALARM, effect(Cause.PARTITION, 119, peering_cut=1)) is None


def test_alarm_ignores_missing_datapoints() -> None:
    """A missing datapoint resets the count."""
    assert _call(ALARM, effect(Cause.OBSERVER_FAULT, 3600, own_function_down=1)) is None


def test_route_53_calls_at_18_percent_healthy_checkers() -> None:
    """With equal phases: half an interval, two intervals, and 4 s connection timeout."""
    assert _call(ROUTE_53, LOSS) == 5 + 20 + 4


def test_route_53_waits_for_most_checkers() -> None:
    """The fourteenth of sixteen checkers decides, late in the interval."""
    called_at = ROUTE_53.detect(episode(LOSS), Random(1)).called_at
    assert called_at is not None
    assert 26 < called_at - START <= 34


def test_route_53_ignores_peering_and_observer() -> None:
    """The checkers are outside AWS networks."""
    faults = (
        effect(Cause.PARTITION, 600, peering_cut=1),
        effect(Cause.OBSERVER_FAULT, 600, own_network_down=1),
    )
    assert [_call(ROUTE_53, fault) for fault in faults] == [None, None]


def test_route_53_calls_in_crash() -> None:
    """A crash of 40 s, which Aurora heals, lasts for three failures."""
    assert _call(ROUTE_53, effect(Cause.CRASH, 40, writer_down=1)) == pytest.approx(25.2)


def test_grace_period_calls_in_longer_outage() -> None:
    """An outage of 3601 s is long enough, one of 3600 s is not."""
    long, short = (effect(Cause.REGION_LOSS, seconds, **REGION_LOST._asdict()) for seconds in (3601, 3600))
    assert (_call(GRACE, long), _call(GRACE, short)) == (3600, None)


@pytest.mark.parametrize("detector", BASELINES, ids=lambda detector: detector.name)
def test_no_baseline_calls_during_a_switchover(detector: SinglePathProbe) -> None:
    """AWS would refuse the call."""
    operation = (effect(Cause.SWITCHOVER, 180, operation=1), effect(Cause.SWITCHOVER, 90, after=5, writer_down=1))
    assert detector.detect(episode(*operation), FixedRandom()).called_at is None


@pytest.mark.parametrize("detector", BASELINES, ids=lambda detector: detector.name)
def test_every_baseline_calls_in_full_isolation(detector: SinglePathProbe) -> None:
    """From outside, an isolation cannot be distinguished from a region loss."""
    isolation = effect(Cause.ISOLATION, 7200, peering_cut=1, stream_cut=1, api_unreachable=1, isolated=1)
    assert detector.detect(episode(isolation), FixedRandom()).called_at is not None
