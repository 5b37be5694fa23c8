"""Each baseline's rule, on histories made by hand."""

from random import Random

import pytest

from benchmarks.baselines import BASELINES, CloudWatchAlarm, GracePeriod, Route53HealthCheck, SinglePathProbe
from benchmarks.world import DARK, Cause, Effect
from tests.support.benchmarks.builders import START, Steady, effect, episode

LOSS = effect(Cause.REGION_LOSS, 7200, **DARK._asdict())
SINGLE = SinglePathProbe(name="single", every_seconds=30, failures=2)
ALARM = CloudWatchAlarm(name="alarm")
ROUTE_53 = Route53HealthCheck(name="route", failures=3)
GRACE = GracePeriod(name="grace")


def _call(
    detector: SinglePathProbe | CloudWatchAlarm | Route53HealthCheck | GracePeriod, *effects: Effect
) -> float | None:
    """Seconds from the episode's start to the call, with every phase in the middle."""
    called_at = detector.watch(episode(*effects), Steady()).called_at
    return None if called_at is None else called_at - START


def test_the_single_path_calls_at_its_second_failure() -> None:
    """Half an interval, one interval, and the time-out of the second probe."""
    assert _call(SINGLE, LOSS) == 15 + 30 + 5


def test_the_single_path_takes_a_partition_for_a_loss() -> None:
    """It has no other path to ask."""
    assert _call(SINGLE, effect(Cause.PARTITION, 600, peering_cut=1)) == 50


def test_one_good_probe_begins_the_single_paths_count_anew() -> None:
    """Two failures must follow each other."""
    first, second = (effect(Cause.BLIP, 10, after=after, peering_cut=1) for after in (10, 70))
    assert _call(SINGLE, first, second) is None


def test_the_alarm_calls_after_three_whole_periods_and_the_metrics_delay() -> None:
    """Half a period is past when the region dies, its probe stands in the middle: the third breach is known 150 s later."""
    assert _call(ALARM, LOSS) == pytest.approx(150 + 17.5)


def test_the_alarm_sits_out_a_partition_of_two_periods() -> None:
    """Two breaching datapoints are not three."""
    assert _call(ALARM, effect(Cause.PARTITION, 119, peering_cut=1)) is None


def test_the_alarm_does_not_act_on_its_canarys_own_trouble() -> None:
    """A missing datapoint breaks the row."""
    assert _call(ALARM, effect(Cause.OBSERVER_TROUBLE, 3600, own_function_dead=1)) is None


def test_route_53_calls_when_18_per_cent_of_the_checkers_are_left() -> None:
    """With all phases alike: half an interval, two more, and 4 s to give up connecting."""
    assert _call(ROUTE_53, LOSS) == 5 + 20 + 4


def test_route_53_waits_for_most_of_its_checkers() -> None:
    """The fourteenth of sixteen checkers decides: with random phases that is late in the interval."""
    called_at = ROUTE_53.watch(episode(LOSS), Random(1)).called_at
    assert called_at is not None
    assert 26 < called_at - START <= 34


def test_route_53_sees_neither_the_peering_nor_the_observer() -> None:
    """Its checkers come from outside."""
    troubles = (
        effect(Cause.PARTITION, 600, peering_cut=1),
        effect(Cause.OBSERVER_TROUBLE, 600, own_network_dead=1),
    )
    assert [_call(ROUTE_53, trouble) for trouble in troubles] == [None, None]


def test_route_53_takes_a_crash_for_an_outage() -> None:
    """A crash of 40 s that Aurora heals is three failures long."""
    assert _call(ROUTE_53, effect(Cause.CRASH, 40, writer_down=1)) == pytest.approx(25.2)


def test_the_grace_period_acts_on_what_outlasts_it() -> None:
    """An hour and a second is enough, an hour is not."""
    long, short = (effect(Cause.REGION_LOSS, seconds, **DARK._asdict()) for seconds in (3601, 3600))
    assert (_call(GRACE, long), _call(GRACE, short)) == (3600, None)


@pytest.mark.parametrize("detector", BASELINES, ids=lambda detector: detector.name)
def test_no_baseline_calls_during_a_switchover(detector: SinglePathProbe) -> None:
    """AWS would refuse; a refused call is no failover."""
    operation = (effect(Cause.SWITCHOVER, 180, operation=1), effect(Cause.SWITCHOVER, 90, after=5, writer_down=1))
    assert detector.watch(episode(*operation), Steady()).called_at is None


@pytest.mark.parametrize("detector", BASELINES, ids=lambda detector: detector.name)
def test_a_full_isolation_deceives_every_baseline(detector: SinglePathProbe) -> None:
    """From outside it is a region loss, for them as for us."""
    isolation = effect(Cause.ISOLATION, 7200, peering_cut=1, stream_cut=1, api_unreachable=1, unseen=1)
    assert detector.watch(episode(isolation), Steady()).called_at is not None
