"""CloudWatch's own rules for the state of an alarm, from metric data alone.

Owns: how samples become datapoints, and datapoints a state: periods, statistic, M out of N, missing data.
Does not own: storing metrics, or acting on a state (the emulator does both, by its own simpler rules).
Invariant: the same samples, rule and moment give the same state; nothing here reads a clock but the adapter at the end.

Why it exists: the emulator looks at the newest datapoint only, and Route 53 looks at metric data, not at the state.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from rehearsal.support.clients import ClientFactory

EVALUATION_RANGE_EXTRA_PERIODS = 2
"""How many periods more than it evaluates an alarm looks back for data when some of it is missing.

Source: "Configuring how CloudWatch alarms treat missing data": with 3 evaluation periods, 5 in all its examples.
"""

SMALLEST_PERIOD_SECONDS = 1


class AlarmState(StrEnum):
    """The three states of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class MissingData(StrEnum):
    """What an alarm takes a missing datapoint for."""

    MISSING = "missing"
    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"
    IGNORE = "ignore"


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


class UnsupportedAlarm(ValueError):
    """An alarm that these rules don't cover (metric math, a percentile, anomaly detection)."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Values of one metric that arrived at about the same time; `at` is seconds since the epoch."""

    at: float
    count: float
    total: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, at: float, value: float) -> Sample:
        """Make the sample of a single value."""
        return cls(at=at, count=1.0, total=value, minimum=value, maximum=value)


@dataclass(frozen=True, kw_only=True)
class AlarmRule:
    """What an alarm watches and when it fires."""

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
        """Read one of the MetricAlarms that DescribeAlarms answers.

        Raises:
            UnsupportedAlarm: it is on metric math, on a percentile or on a band, not on one metric and one threshold.
        """
        name = str(alarm["AlarmName"])
        if not alarm.get("MetricName"):
            raise UnsupportedAlarm(f"{name}: an alarm on metric math can't be evaluated from one metric")
        if alarm.get("Statistic") not in ("Average", "Sum", "Minimum", "Maximum", "SampleCount"):
            raise UnsupportedAlarm(f"{name}: statistic {alarm.get('Statistic') or alarm.get('ExtendedStatistic')!r}")
        if alarm["ComparisonOperator"] not in _COMPARISONS:
            raise UnsupportedAlarm(f"{name}: comparison {alarm['ComparisonOperator']!r}")
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
        """Whether one datapoint is on the wrong side of the threshold."""
        return _COMPARISONS[self.comparison](value, self.threshold)

    def scaled(self, time_scale: float) -> AlarmRule:
        """Return the same alarm, its period shorter by `time_scale`, in whole seconds: no finer data can be had."""
        period = max(SMALLEST_PERIOD_SECONDS, round(self.period_seconds / time_scale))
        return AlarmRule(**{**self.__dict__, "period_seconds": float(period)})

    @property
    def range_periods(self) -> int:
        """How many periods back data is looked for."""
        return self.evaluation_periods + EVALUATION_RANGE_EXTRA_PERIODS

    def range_start(self, now: float) -> float:
        """Where the evaluation range begins at a moment (seconds since the epoch)."""
        return self._range_end(now) - self.range_periods * self.period_seconds

    def datapoints(self, samples: Sequence[Sample], now: float) -> list[float | None]:
        """One value per period of the evaluation range, oldest first; None where nothing was reported.

        Periods start at whole multiples of the period, and the one that is still running isn't looked at.
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
    """Return a statistic (SampleCount, Sum, Minimum, Maximum, else Average) of a period's samples; None without any."""
    if not samples:
        return None
    count = sum(sample.count for sample in samples)
    total = sum(sample.total for sample in samples)
    match statistic:
        case "Sum":
            return total
        case "SampleCount":
            return count
        case "Minimum":
            return min(sample.minimum for sample in samples)
        case "Maximum":
            return max(sample.maximum for sample in samples)
        case _:
            return total / count


def evaluate(datapoints: Sequence[float | None], rule: AlarmRule, previous: AlarmState) -> AlarmState:
    """Give the state of an alarm from the datapoints of its evaluation range, oldest first.

    `previous` is the state before, which "ignore" keeps when the data doesn't suffice.
    Source: "Configuring how CloudWatch alarms treat missing data", with "Avoiding premature transitions to alarm state".
    """
    real = [rule.is_breaching(value) for value in datapoints if value is not None]
    recent = real[-rule.evaluation_periods :]
    missing_count = rule.evaluation_periods - len(recent)
    if missing_count == 0:
        return AlarmState.ALARM if sum(recent) >= rule.datapoints_to_alarm else AlarmState.OK
    match rule.missing_data:
        case MissingData.BREACHING:
            return AlarmState.ALARM if sum(recent) + missing_count >= rule.datapoints_to_alarm else AlarmState.OK
        case MissingData.NOT_BREACHING:
            return AlarmState.ALARM if sum(recent) >= rule.datapoints_to_alarm else AlarmState.OK
        case MissingData.IGNORE:
            if sum(recent) >= rule.datapoints_to_alarm:
                return AlarmState.ALARM
            return AlarmState.OK if False in recent else previous
        case MissingData.MISSING:
            return _evaluate_missing_as_missing(datapoints, recent, rule)


def _evaluate_missing_as_missing(
    datapoints: Sequence[float | None], recent: Sequence[bool], rule: AlarmRule
) -> AlarmState:
    if not recent:
        return AlarmState.INSUFFICIENT_DATA
    if sum(recent) >= rule.datapoints_to_alarm:
        return AlarmState.ALARM
    # A breaching datapoint that was followed by silence for long enough fires too: what was bad was never seen good.
    age_periods = next(age for age, value in enumerate(datapoints) if value is not None)
    is_old_enough = len(datapoints) - age_periods >= rule.datapoints_to_alarm
    return AlarmState.ALARM if all(recent) and is_old_enough else AlarmState.OK


MOST_DATAPOINTS = 1440
"""What one call of GetMetricStatistics returns at most. Source: GetMetricStatistics, CloudWatch API reference."""


def metric_samples(
    client: Any, *, namespace: str, metric_name: str, dimensions: Mapping[str, str], start: float, end: float
) -> list[Sample]:
    """Return what was reported of a metric from the whole second of `start` to `end` (since the epoch), second by second.

    One second is the finest that CloudWatch's API gives; a period of whole seconds loses nothing by it.
    """
    samples: dict[float, Sample] = {}
    start = math.floor(start)
    while start < end:
        until = min(end, start + MOST_DATAPOINTS - 2)
        answer = client.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric_name,
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
            StartTime=datetime.fromtimestamp(start, tz=UTC),
            EndTime=datetime.fromtimestamp(until, tz=UTC) + timedelta(seconds=1),
            Period=SMALLEST_PERIOD_SECONDS,
            Statistics=["SampleCount", "Sum", "Minimum", "Maximum"],
        )
        for point in answer["Datapoints"]:
            at = point["Timestamp"].timestamp()  # the last second of a call is the first of the next, whole by then
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
    """Alarm definitions and metric data as the emulator holds them, through CloudWatch's public API.

    `time_scale` is the factor by which the cycle is shorter than the deployed one (10 for a cycle of 1 s instead of 10 s):
    periods are shorter by as much.
    """

    def __init__(self, clients: ClientFactory, *, time_scale: float = 1.0) -> None:
        self._clients = clients
        self.time_scale = time_scale

    def definition(self, name: str, region: str) -> AlarmRule:
        """Return a metric alarm as it was deployed, its period not scaled.

        Raises:
            LookupError: there is no such metric alarm in that region.
            UnsupportedAlarm: it is of a kind that isn't covered.
        """
        answer = self._clients("cloudwatch", region).describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])
        if not answer["MetricAlarms"]:
            raise LookupError(f"no metric alarm {name} in {region}")
        return AlarmRule.from_description(answer["MetricAlarms"][0])

    def rule(self, name: str, region: str) -> AlarmRule:
        """Return a metric alarm, its period scaled. Raises what `definition` raises."""
        return self.definition(name, region).scaled(self.time_scale)

    def rules(self, region: str, *, name_prefix: str = "") -> list[AlarmRule]:
        """Return all metric alarms of a region that these rules cover."""
        pages = self._clients("cloudwatch", region).get_paginator("describe_alarms")
        filters = {"AlarmNamePrefix": name_prefix} if name_prefix else {}
        alarms = [alarm for page in pages.paginate(**filters) for alarm in page["MetricAlarms"]]
        return [
            AlarmRule.from_description(alarm).scaled(self.time_scale) for alarm in alarms if alarm.get("MetricName")
        ]

    def samples(self, rule: AlarmRule, region: str, now: float) -> list[Sample]:
        """Return what was reported in the rule's evaluation range, in steps of one second.

        One second is the finest that CloudWatch's API gives; a period of whole seconds loses nothing by it.
        """
        return metric_samples(
            self._clients("cloudwatch", region),
            namespace=rule.namespace,
            metric_name=rule.metric_name,
            dimensions=rule.dimensions,
            start=rule.range_start(now),
            end=now,
        )

    def state(self, rule: AlarmRule, region: str, *, now: float, previous: AlarmState) -> AlarmState:
        """Evaluate an alarm at a moment (seconds since the epoch)."""
        return evaluate(rule.datapoints(self.samples(rule, region, now), now), rule, previous)
