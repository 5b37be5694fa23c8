"""CloudWatch's alarm evaluation, with the tables of the user guide."""

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
    """Return an alarm that breaches above zero."""
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


def points(pattern: str) -> list[float | None]:
    """Read the user guide's notation: 0 is not breaching, X breaching, - missing; oldest first."""
    return [{"0": 0.0, "X": 1.0, "-": None}[mark] for mark in pattern.split()]


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
    (pattern, to_alarm, missing_data, state)
    for to_alarm, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for pattern, states in table
    for missing_data, state in zip(ORDER, states, strict=True)
]


@pytest.mark.parametrize("previous", list(AlarmState))
@pytest.mark.parametrize(("pattern", "to_alarm", "missing_data", "expected"), CASES)
def test_tables_of_the_user_guide(
    pattern: str, to_alarm: int, missing_data: MissingData, expected: AlarmState | None, previous: AlarmState
) -> None:
    """The tables of "Configuring how CloudWatch alarms treat missing data", for each previous state."""
    alarm = rule(datapoints_to_alarm=to_alarm, missing_data=missing_data)

    assert (expected or previous) == evaluate(points(pattern), alarm, previous)


@pytest.mark.parametrize("pattern", ["- - - - X", "- - - X -"])
def test_recent_breaching_point_does_not_fire(pattern: str) -> None:
    """With 3 of 3, one breaching point younger than 3 periods does not fire the alarm."""
    state = evaluate(points(pattern), rule(), ALARM)

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
def test_comparison_operators(comparison: str, breaching: list[bool]) -> None:
    """Each operator is checked with values below, at and above the threshold."""
    assert breaching == [rule(comparison=comparison).is_breaching(value) for value in (-1.0, 0.0, 1.0)]


def test_periods_are_aligned_and_exclude_the_current_one() -> None:
    """Periods start at multiples of the period, and the incomplete period does not count."""
    samples = [Sample.of(at, at) for at in (59.9, 60.0, 119.9, 120.0, 180.0)]

    expected = [None, None, 59.9, 119.9, 120.0]
    assert expected == rule().datapoints(samples, now=185.0)


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("Sum", 6.0), ("Average", 2.0), ("Minimum", 1.0), ("Maximum", 3.0), ("SampleCount", 3.0)],
)
def test_statistics_of_a_period(statistic: str, expected: float) -> None:
    """A sample can have several values."""
    samples = [Sample.of(120.0, 1.0), Sample(at=121.0, count=2, total=5.0, minimum=2.0, maximum=3.0)]
    alarm = rule(statistic=statistic, evaluation_periods=1, datapoints_to_alarm=1)

    assert [None, None, expected] == alarm.datapoints(samples, now=180.0)


@pytest.mark.parametrize(("time_scale", "period"), [(1.0, 60.0), (10.0, 6.0), (20.0, 3.0), (1000.0, 1.0)])
def test_scaled_periods_are_whole_seconds(time_scale: float, period: float) -> None:
    """A time scale of 10 makes a minute 6 s. The minimum is 1 s, CloudWatch's resolution."""
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


def test_alarm_defaults() -> None:
    """DatapointsToAlarm and TreatMissingData have AWS's defaults: N of N, and missing."""
    assert rule() == AlarmRule.from_description(DESCRIPTION)


@pytest.mark.parametrize(
    "change",
    [
        {"MetricName": None},
        {"Statistic": None, "ExtendedStatistic": "p99"},
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
    ],
)
def test_unsupported_alarm_is_an_error(change: dict[str, Any]) -> None:
    """Metric math, percentiles and anomaly detection are refused."""
    with pytest.raises(UnsupportedAlarm, match="alarm:"):
        AlarmRule.from_description({**DESCRIPTION, **change})


class FakeCloudWatch:
    """A CloudWatch client with one alarm."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def describe_alarms(self, **request: Any) -> dict[str, Any]:
        """Return the alarm."""
        return {"MetricAlarms": [DESCRIPTION] if request["AlarmNames"] == ["alarm"] else []}

    def get_metric_statistics(self, **request: Any) -> dict[str, Any]:
        """Return one breaching datapoint a second since 12 s."""
        self.requests.append(request)
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


def test_reader_evaluates_a_scaled_alarm() -> None:
    """With a time scale of 10, the alarm needs three periods of 6 s and requests only the data of that range."""
    cloudwatch = FakeCloudWatch()
    reader = AlarmReader(lambda _service, _region: cloudwatch, time_scale=10.0)
    alarm = reader.rule("alarm", "eu-west-1")

    expected = [OK, ALARM]
    assert expected == [reader.state(alarm, "eu-west-1", now=now, previous=OK) for now in (18.5, 30.5)]
    assert datetime.fromtimestamp(0, tz=UTC) == cloudwatch.requests[1]["StartTime"]


def test_missing_alarm_is_an_error() -> None:
    """The error names the alarm and the region."""
    with pytest.raises(LookupError, match="no metric alarm gone in eu-west-1"):
        AlarmReader(lambda _service, _region: FakeCloudWatch()).rule("gone", "eu-west-1")
