"""CloudWatch's rules for alarms, case by case; the tables are those of the user guide."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rehearsal.network.alarms import AlarmReader, AlarmRule, AlarmState, MissingData, Sample, UnsupportedAlarm, evaluate

OK, ALARM, INSUFFICIENT = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA


def rule(
    *,
    evaluation_periods: int = 3,
    datapoints_to_alarm: int = 3,
    missing_data: MissingData = MissingData.MISSING,
    statistic: str = "Maximum",
    period_seconds: float = 60.0,
    comparison: str = "GreaterThanThreshold",
) -> AlarmRule:
    """An alarm that breaches above zero."""
    return AlarmRule(
        name="alarm",
        namespace="AuroraFailover",
        metric_name="WriterRole",
        dimensions={"GlobalCluster": "payments-global-dev"},
        statistic=statistic,
        period_seconds=period_seconds,
        evaluation_periods=evaluation_periods,
        datapoints_to_alarm=datapoints_to_alarm,
        threshold=0.0,
        comparison=comparison,
        missing_data=missing_data,
    )


def points(picture: str) -> list[float | None]:
    """Read the user guide's notation: 0 is not breaching, X breaching, - missing; oldest first."""
    return [{"0": 0.0, "X": 1.0, "-": None}[mark] for mark in picture.split()]


ORDER = (MissingData.MISSING, MissingData.IGNORE, MissingData.BREACHING, MissingData.NOT_BREACHING)
RETAIN = None

THREE_OF_THREE = [
    ("0 - X - X", (OK, OK, OK, OK)),
    ("0 - - - -", (OK, OK, OK, OK)),
    ("- - - - -", (INSUFFICIENT, RETAIN, ALARM, OK)),
    ("0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
    ("- - X - -", (ALARM, RETAIN, ALARM, OK)),
]
TWO_OF_THREE = [
    ("0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
    ("0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
    ("0 - X - -", (OK, OK, ALARM, OK)),
    ("- - - - 0", (OK, OK, ALARM, OK)),
    ("- - - X -", (ALARM, RETAIN, ALARM, OK)),
]
CASES = [
    (picture, to_alarm, missing_data, state)
    for to_alarm, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for picture, states in table
    for missing_data, state in zip(ORDER, states, strict=True)
]


@pytest.mark.parametrize("previous", list(AlarmState))
@pytest.mark.parametrize(("picture", "to_alarm", "missing_data", "expected"), CASES)
def test_every_row_of_the_user_guides_tables_comes_out(
    picture: str, to_alarm: int, missing_data: MissingData, expected: AlarmState | None, previous: AlarmState
) -> None:
    """The tables of "Configuring how CloudWatch alarms treat missing data", whatever the state before."""
    alarm = rule(datapoints_to_alarm=to_alarm, missing_data=missing_data)

    assert (expected or previous) == evaluate(points(picture), alarm, previous)


@pytest.mark.parametrize("picture", ["- - - - X", "- - - X -"])
def test_a_fresh_breaching_point_does_not_fire_prematurely(picture: str) -> None:
    """With 3 of 3, one breaching point that is younger than 3 periods leaves the alarm quiet."""
    state = evaluate(points(picture), rule(), ALARM)

    assert state is OK


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanOrEqualToThreshold", [False, True, True]),
        ("GreaterThanThreshold", [False, False, True]),
        ("LessThanThreshold", [True, False, False]),
        ("LessThanOrEqualToThreshold", [True, True, False]),
    ],
)
def test_each_comparison_operator_has_its_own_edge(comparison: str, breaching: list[bool]) -> None:
    """Below, at and above the threshold."""
    assert breaching == [rule(comparison=comparison).is_breaching(value) for value in (-1.0, 0.0, 1.0)]


def test_periods_are_aligned_and_the_running_one_is_left_out() -> None:
    """Samples fall into periods that start at multiples of the period; what is still running doesn't count yet."""
    samples = [Sample.of(at, at) for at in (59.9, 60.0, 119.9, 120.0, 180.0)]

    expected = [None, None, 59.9, 119.9, 120.0]
    assert expected == rule().datapoints(samples, now=185.0)


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("Sum", 6.0), ("Average", 2.0), ("Minimum", 1.0), ("Maximum", 3.0), ("SampleCount", 3.0)],
)
def test_each_statistic_sums_up_a_period(statistic: str, expected: float) -> None:
    """Over the values of one period; a sample may stand for several values."""
    samples = [Sample.of(120.0, 1.0), Sample(at=121.0, count=2, total=5.0, minimum=2.0, maximum=3.0)]
    alarm = rule(statistic=statistic, evaluation_periods=1, datapoints_to_alarm=1)

    assert [None, None, expected] == alarm.datapoints(samples, now=180.0)


@pytest.mark.parametrize(("time_scale", "period"), [(1.0, 60.0), (10.0, 6.0), (20.0, 3.0), (1000.0, 1.0)])
def test_periods_shrink_with_the_cycle_to_whole_seconds(time_scale: float, period: float) -> None:
    """A cycle of 1 s instead of 10 s makes a minute 6 s; never less than the second that CloudWatch stores."""
    assert period == rule().scaled(time_scale).period_seconds


DESCRIPTION: dict[str, Any] = {
    "AlarmName": "alarm",
    "Namespace": "AuroraFailover",
    "MetricName": "WriterRole",
    "Dimensions": [{"Name": "GlobalCluster", "Value": "payments-global-dev"}],
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "Threshold": 0.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


def test_an_alarm_without_datapoints_to_alarm_needs_them_all() -> None:
    """DatapointsToAlarm and TreatMissingData have AWS's defaults: N of N, and missing is missing."""
    assert rule() == AlarmRule.from_description(DESCRIPTION)


@pytest.mark.parametrize(
    "change",
    [
        {"MetricName": None},
        {"Statistic": None, "ExtendedStatistic": "p99"},
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
    ],
)
def test_an_alarm_of_another_kind_is_an_error_and_not_a_guess(change: dict[str, Any]) -> None:
    """Metric math, percentiles and anomaly bands are refused by name."""
    with pytest.raises(UnsupportedAlarm, match="alarm:"):
        AlarmRule.from_description({**DESCRIPTION, **change})


class FakeCloudWatch:
    """Answers as boto3 does."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def describe_alarms(self, **request: Any) -> dict[str, Any]:
        """Know one alarm."""
        return {"MetricAlarms": [DESCRIPTION] if request["AlarmNames"] == ["alarm"] else []}

    def get_metric_statistics(self, **request: Any) -> dict[str, Any]:
        """Have one point a second since 12 s, each breaching."""
        self.asked.append(request)
        return {
            "Datapoints": [
                {
                    "Timestamp": datetime.fromtimestamp(at, tz=UTC),
                    "SampleCount": 1.0,
                    "Sum": 1.0,
                    "Minimum": 1.0,
                    "Maximum": 1.0,
                }
                for at in range(12, 30)
            ]
        }


def test_the_reader_evaluates_a_scaled_alarm_from_the_data_of_its_range() -> None:
    """With a tenth of the cycle, three periods of 6 s suffice for 3 of 3, and only the range's data is asked for."""
    cloudwatch = FakeCloudWatch()
    reader = AlarmReader(lambda _service, _region: cloudwatch, time_scale=10.0)
    alarm = reader.rule("alarm", "eu-west-1")

    expected = [OK, ALARM]
    assert expected == [reader.state(alarm, "eu-west-1", now=now, previous=OK) for now in (18.5, 30.5)]
    assert datetime.fromtimestamp(0, tz=UTC) == cloudwatch.asked[1]["StartTime"]


def test_an_alarm_that_does_not_exist_is_named() -> None:
    """A health check on an alarm that isn't there must not pass for a healthy one."""
    with pytest.raises(LookupError, match="no metric alarm gone in eu-west-1"):
        AlarmReader(lambda _service, _region: FakeCloudWatch()).rule("gone", "eu-west-1")
