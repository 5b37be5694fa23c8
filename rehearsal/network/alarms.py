"""CloudWatch's evaluation of alarm states from metric data.

Ministack evaluates only the newest datapoint. Route 53 health checks use the metric data, not the alarm's state.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from rehearsal.support.clients import ClientFactory

EVALUATION_RANGE_EXTRA_PERIODS = 2
"""The extra periods of an evaluation range, used when datapoints are missing.

Source: "Configuring how CloudWatch alarms treat missing data": its examples use 5 for 3 evaluation periods.
"""

SMALLEST_PERIOD_SECONDS = 1


class AlarmState(StrEnum):
    """The three states of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class MissingData(StrEnum):
    """TreatMissingData of an alarm."""

    MISSING = "missing"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"
    IGNORE = "ignore"


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


class UnsupportedAlarm(ValueError):
    """An alarm kind that is not supported: metric math, percentile or anomaly detection."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Values of a metric that arrived together; `at` is in seconds since the epoch."""

    at: float
    count: float
    total: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, at: float, value: float) -> Sample:
        """Return the sample of a single value."""
        return cls(at=at, count=1.0, total=value, minimum=value, maximum=value)


@dataclass(frozen=True, kw_only=True)
class AlarmRule:
    """The metric, threshold and evaluation settings of an alarm."""

    name: str
    namespace: str
    metric_name: str
    dimensions: Mapping[str, str]
    statistic: str
    period_seconds: float
    evaluation_periods: int
    datapoints_to_alarm: int
    threshold: float
    comparison: str
    missing_data: MissingData = MissingData.MISSING

    @classmethod
    def from_description(cls, alarm: Mapping[str, Any]) -> AlarmRule:
        """Convert an item of DescribeAlarms' MetricAlarms.

        Raises:
            UnsupportedAlarm: the alarm uses metric math, a percentile or an anomaly detection band.
        """
        name = str(alarm["AlarmName"])
        if not alarm.get("MetricName"):
            raise UnsupportedAlarm(f"{name}: metric math is not supported")
        if alarm.get("Statistic") not in ("Average", "Sum", "Minimum", "Maximum", "SampleCount"):
            raise UnsupportedAlarm(
                f"{name}: statistic {alarm.get('Statistic') or alarm.get('ExtendedStatistic')!r} is not supported"
            )
        if alarm["ComparisonOperator"] not in _COMPARISONS:
            raise UnsupportedAlarm(f"{name}: comparison {alarm['ComparisonOperator']!r} is not supported")
        evaluation_periods = int(alarm["EvaluationPeriods"])
        return cls(
            name=name,
            namespace=str(alarm["Namespace"]),
            metric_name=str(alarm["MetricName"]),
            dimensions={item["Name"]: item["Value"] for item in alarm.get("Dimensions", [])},
            statistic=str(alarm["Statistic"]),
            period_seconds=float(alarm["Period"]),
            evaluation_periods=evaluation_periods,
            datapoints_to_alarm=int(alarm.get("DatapointsToAlarm") or evaluation_periods),
            threshold=float(alarm["Threshold"]),
            comparison=str(alarm["ComparisonOperator"]),
            missing_data=MissingData(alarm.get("TreatMissingData") or "missing"),
        )

    def is_breaching(self, value: float) -> bool:
        """Return whether a datapoint breaches the threshold."""
        return _COMPARISONS[self.comparison](value, self.threshold)

    def scaled(self, time_scale: float) -> AlarmRule:
        """Return the alarm with its period divided by `time_scale`, in whole seconds."""
        period = max(SMALLEST_PERIOD_SECONDS, round(self.period_seconds / time_scale))
        return replace(self, period_seconds=float(period))

    @property
    def range_periods(self) -> int:
        """The number of periods in the evaluation range."""
        return self.evaluation_periods + EVALUATION_RANGE_EXTRA_PERIODS

    def range_start(self, now: float) -> float:
        """Return the start of the evaluation range at `now` (both in seconds since the epoch)."""
        return self._range_end(now) - self.range_periods * self.period_seconds

    def datapoints(self, samples: Sequence[Sample], now: float) -> list[float | None]:
        """Return one value per period of the evaluation range, oldest first; None for a period without samples.

        Periods start at whole multiples of the period. The current, incomplete period is excluded.
        """
        end = self._range_end(now)
        start = self.range_start(now)
        buckets: list[list[Sample]] = [[] for _ in range(self.range_periods)]
        for sample in samples:
            if start <= sample.at < end:
                buckets[int((sample.at - start) // self.period_seconds)].append(sample)
        return [statistic_of(bucket, self.statistic) for bucket in buckets]

    def _range_end(self, now: float) -> float:
        return math.floor(now / self.period_seconds) * self.period_seconds


def statistic_of(samples: Sequence[Sample], statistic: str) -> float | None:
    """Return a statistic (SampleCount, Sum, Minimum, Maximum, else Average) of a period's samples, or None without samples."""
    if not samples:
        return None
    count = sum(sample.count for sample in samples)
    total = sum(sample.total for sample in samples)
    values = {
        "SampleCount": count,
        "Sum": total,
        "Minimum": min(sample.minimum for sample in samples),
        "Maximum": max(sample.maximum for sample in samples),
    }
    return values.get(statistic, total / count)


def evaluate(datapoints: Sequence[float | None], rule: AlarmRule, previous: AlarmState) -> AlarmState:
    """Return the state of an alarm from the datapoints of its evaluation range, oldest first.

    With `ignore`, insufficient data keeps the `previous` state.
    Source: "Configuring how CloudWatch alarms treat missing data", with "Avoiding premature transitions to alarm state".
    """
    known = [rule.is_breaching(value) for value in datapoints if value is not None]
    recent = known[-rule.evaluation_periods :]
    missing_count = rule.evaluation_periods - len(recent)
    breaching_count = sum(recent) + (missing_count if rule.missing_data is MissingData.BREACHING else 0)
    if breaching_count >= rule.datapoints_to_alarm:
        return AlarmState.ALARM
    if missing_count == 0 or rule.missing_data in (MissingData.BREACHING, MissingData.NOT_BREACHING):
        return AlarmState.OK
    if rule.missing_data is MissingData.IGNORE:
        return AlarmState.OK if False in recent else previous
    if not recent:
        return AlarmState.INSUFFICIENT_DATA
    # Breaching datapoints without a later good one also fire once they are old enough.
    age_periods = len(datapoints) - next(index for index, value in enumerate(datapoints) if value is not None)
    return AlarmState.ALARM if all(recent) and age_periods >= rule.datapoints_to_alarm else AlarmState.OK


MAX_DATAPOINTS = 1440
"""The maximum of datapoints that one call returns. Source: GetMetricStatistics, CloudWatch API reference."""


def metric_samples(
    client: Any, *, namespace: str, metric_name: str, dimensions: Mapping[str, str], start: float, end: float
) -> list[Sample]:
    """Return a metric's samples from `start`, rounded down, to `end` (seconds since the epoch), in steps of one second.

    One second is the finest resolution of CloudWatch's API.
    """
    samples: dict[float, Sample] = {}
    start = math.floor(start)
    while start < end:
        until = min(end, start + MAX_DATAPOINTS - 2)
        response = client.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric_name,
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=datetime.fromtimestamp(start, tz=UTC),
            EndTime=datetime.fromtimestamp(until, tz=UTC) + timedelta(seconds=1),
            Period=SMALLEST_PERIOD_SECONDS,
            Statistics=["SampleCount", "Sum", "Minimum", "Maximum"],
        )
        for point in response["Datapoints"]:
            at = point["Timestamp"].timestamp()  # the next call repeats this call's last second
            samples[at] = Sample(
                at=at,
                count=point["SampleCount"],
                total=point["Sum"],
                minimum=point["Minimum"],
                maximum=point["Maximum"],
            )
        start = until
    return list(samples.values())


class AlarmReader:
    """Reads alarm definitions and metric data through CloudWatch's API.

    `time_scale` divides alarm periods: the factor by which the rehearsal shortens the cycle, for example 10.
    """

    def __init__(self, clients: ClientFactory, *, time_scale: float = 1.0) -> None:
        self._clients = clients
        self.time_scale = time_scale

    def definition(self, name: str, region: str) -> AlarmRule:
        """Return a metric alarm as deployed, without scaling.

        Raises:
            LookupError: the region has no such metric alarm.
            UnsupportedAlarm: the kind of alarm is not supported.
        """
        response = self._clients("cloudwatch", region).describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])
        if not response["MetricAlarms"]:
            raise LookupError(f"there is no metric alarm {name} in {region}")
        return AlarmRule.from_description(response["MetricAlarms"][0])

    def rule(self, name: str, region: str) -> AlarmRule:
        """Return a metric alarm with its period scaled. Raises as `definition`."""
        return self.definition(name, region).scaled(self.time_scale)

    def samples(self, rule: AlarmRule, region: str, now: float) -> list[Sample]:
        """Return the samples of the rule's evaluation range."""
        return metric_samples(
            self._clients("cloudwatch", region),
            namespace=rule.namespace,
            metric_name=rule.metric_name,
            dimensions=rule.dimensions,
            start=rule.range_start(now),
            end=now,
        )

    def state(self, rule: AlarmRule, region: str, *, now: float, previous: AlarmState) -> AlarmState:
        """Evaluate an alarm at `now` (seconds since the epoch)."""
        return evaluate(rule.datapoints(self.samples(rule, region, now), now), rule, previous)
