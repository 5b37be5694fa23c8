"""Reads the deployed dashboards through the CloudWatch API, with the published metric data and the alarms' states."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rehearsal.network.alarms import (
    SMALLEST_PERIOD_SECONDS,
    AlarmRule,
    AlarmState,
    Sample,
    UnsupportedAlarm,
    evaluate,
    metric_samples,
    statistic_of,
)
from rehearsal.report.dashboards import (
    NO_DATA,
    PUBLISHED_BY_AWS,
    AlarmHistory,
    AlarmSpan,
    Dashboard,
    Level,
    Series,
    Widget,
)
from rehearsal.report.formatting import format_number
from rehearsal.report.lanes import intervals
from rehearsal.support.clients import ClientFactory

DEFAULT_PERIOD_SECONDS = 300
"""Default period of a widget. Source: Dashboard body structure and syntax, CloudWatch API reference."""
MOST_ALARMS = 100
"""Most names per DescribeAlarms call. Source: DescribeAlarms, CloudWatch API reference."""
DRAWN_PROPERTIES = frozenset(
    ("title", "region", "view", "stat", "period", "metrics", "annotations", "alarms", "markdown")
)
COMPARISON_WORDS = {
    "GreaterThanOrEqualToThreshold": "\N{GREATER-THAN OR EQUAL TO}",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "\N{LESS-THAN OR EQUAL TO}",
}


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """A row of a metric widget's `metrics`."""

    namespace: str
    name: str
    dimensions: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def metric_rows(rows: Sequence[Sequence[Any]]) -> Iterator[MetricRow]:
    """Parse the `metrics` of a widget; a row of options alone is metric math, named by its expression.

    Source: Metric widget properties, "Dashboard body structure and syntax", CloudWatch API reference.
    """
    previous: list[str] = []
    for row in rows:
        texts = [one for one in row if isinstance(one, str)]
        options = next((one for one in row if isinstance(one, dict)), {})
        if not texts:
            yield MetricRow(namespace="", name=str(options.get("expression", "")), options=options)
            continue
        parts: list[str] = []
        for text in texts:
            if text == "...":
                missing = len(previous) - len(texts) + 1
                parts += previous[len(parts) : len(parts) + missing]
            else:
                parts.append(previous[len(parts)] if text == "." else text)
        previous = parts
        yield MetricRow(
            namespace=parts[0],
            name=parts[1],
            dimensions=dict(zip(parts[2::2], parts[3::2], strict=True)),
            options=options,
        )


@dataclass(kw_only=True)
class DashboardReader:
    """Reads the dashboards of a rehearsal from `start` to `end` (seconds since the epoch)."""

    clients: ClientFactory
    time_scale: float
    start: float
    end: float
    _samples: dict[tuple[str, MetricKey], list[Sample]] = field(default_factory=dict)

    def dashboards(self, region: str) -> tuple[Dashboard, ...]:
        """Return every dashboard of a region, by name."""
        client = self.clients("cloudwatch", region)
        pages = client.get_paginator("list_dashboards").paginate()
        names = sorted(entry["DashboardName"] for page in pages for entry in page["DashboardEntries"])
        return tuple(self._dashboard(client.get_dashboard(DashboardName=name), region) for name in names)

    def _dashboard(self, answer: Mapping[str, Any], region: str) -> Dashboard:
        body = json.loads(answer["DashboardBody"])
        return Dashboard(
            name=answer["DashboardName"],
            region=region,
            start_seconds=0.0,
            end_seconds=round(self.end - self.start, 3),
            widgets=tuple(self._widget(widget, region) for widget in body["widgets"]),
        )

    def _widget(self, widget: Mapping[str, Any], default_region: str) -> Widget:
        kind, properties = widget["type"], widget.get("properties", {})
        region = properties.get("region", default_region)
        common: dict[str, Any] = {
            "title": properties.get("title", ""),
            "undrawn": tuple(sorted(set(properties) - DRAWN_PROPERTIES)),
            **{name: int(widget.get(name, default)) for name, default in GRID_DEFAULTS.items()},
        }
        match kind:
            case "metric":
                period = self.scaled(properties.get("period", DEFAULT_PERIOD_SECONDS))
                rows = metric_rows(properties.get("metrics", []))
                visible = [row for row in rows if row.options.get("visible", True)]
                return Widget(
                    kind="metric",
                    view=properties.get("view", "timeSeries"),
                    period_seconds=period,
                    series=tuple(self._series(row, properties, region) for row in visible),
                    levels=tuple(self._levels(properties.get("annotations", {}), region)),
                    **common,
                )
            case "alarm":
                names = [arn.rsplit(":alarm:", 1)[-1] for arn in properties.get("alarms", [])]
                return Widget(kind="alarm", alarms=tuple(self.alarms(names, region)), **common)
            case "text":
                return Widget(kind="text", text=properties.get("markdown", ""), **common)
            case _:
                return Widget(kind="other", text=f"a widget of type {kind} is not supported", **common)

    def scaled(self, period_seconds: float) -> float:
        """Return a deployed period scaled to the rehearsal, in whole seconds."""
        return float(max(SMALLEST_PERIOD_SECONDS, round(period_seconds / self.time_scale)))

    def _series(self, row: MetricRow, properties: Mapping[str, Any], default_region: str) -> Series:
        statistic = row.options.get("stat", properties.get("stat", "Average"))
        series = {"label": row.options.get("label", row.name), "namespace": row.namespace, "statistic": statistic}
        if not row.namespace:
            return Series(points=(), absent="the rehearsal does not evaluate metric math", **series)
        if statistic not in ("Average", "Sum", "Minimum", "Maximum", "SampleCount"):
            return Series(points=(), absent=f"the rehearsal does not evaluate the statistic {statistic}", **series)
        period = self.scaled(row.options.get("period", properties.get("period", DEFAULT_PERIOD_SECONDS)))
        region = row.options.get("region", default_region)
        points = tuple(self._points(self._samples_of(row, region), statistic, period))
        return Series(points=points, absent="" if points else _why_absent(row.namespace), **series)

    def _points(self, samples: Iterable[Sample], statistic: str, period: float) -> Iterator[tuple[float, float]]:
        """Yield one value per complete period: an incomplete one would look like a drop."""
        periods: dict[int, list[Sample]] = {}
        for sample in samples:
            periods.setdefault(math.floor(sample.at / period), []).append(sample)
        for index, within in sorted(periods.items()):
            value = statistic_of(within, statistic)
            if value is not None and (index + 1) * period <= self.end:
                yield round(index * period - self.start, 3), round(value, 3)

    def _levels(self, annotations: Mapping[str, Any], region: str) -> Iterator[Level]:
        """Yield a widget's horizontal lines and the thresholds of its alarms."""
        for line in annotations.get("horizontal", []):
            yield Level(label=line.get("label", ""), value=float(line["value"]))
        for alarm in self._descriptions(
            [arn.rsplit(":alarm:", 1)[-1] for arn in annotations.get("alarms", [])], region
        ):
            if "Threshold" in alarm:
                yield Level(label=alarm["AlarmName"], value=float(alarm["Threshold"]))

    def alarms(self, names: Sequence[str], region: str) -> Iterator[AlarmHistory]:
        """Yield the alarms of those names with their states over the rehearsal."""
        descriptions = {alarm["AlarmName"]: alarm for alarm in self._descriptions(names, region)}
        for name in names:
            if name not in descriptions:
                absent = f"there is no metric alarm {name} in {region}"
                yield AlarmHistory(name=name, says="", rule="", spans=(), absent=absent)
                continue
            says = descriptions[name].get("AlarmDescription", "")
            try:
                rule = AlarmRule.from_description(descriptions[name])
            except UnsupportedAlarm as error:
                yield AlarmHistory(name=name, says=says, rule="", spans=(), absent=str(error))
                continue
            yield self._history(rule, says, region)

    def _descriptions(self, names: Sequence[str], region: str) -> list[dict[str, Any]]:
        client = self.clients("cloudwatch", region)
        found: list[dict[str, Any]] = []
        for first in range(0, len(names), MOST_ALARMS):
            answer = client.describe_alarms(
                AlarmNames=list(names[first : first + MOST_ALARMS]), AlarmTypes=["MetricAlarm"], MaxRecords=MOST_ALARMS
            )
            found += answer["MetricAlarms"]
        return found

    def _history(self, deployed: AlarmRule, says: str, region: str) -> AlarmHistory:
        """Evaluate an alarm at the end of every period, as CloudWatch does."""
        rule = deployed.scaled(self.time_scale)
        samples = self._samples_of(rule, region)
        state, changes = AlarmState.INSUFFICIENT_DATA, []
        now = (math.floor(self.start / rule.period_seconds) + 1) * rule.period_seconds
        while now <= self.end:
            state = evaluate(rule.datapoints(samples, now), rule, state)
            changes.append((max(0.0, now - self.start), state))
            now += rule.period_seconds
        spans = tuple(
            AlarmSpan(state=state.value, start_seconds=round(start, 3), end_seconds=round(end, 3))
            for state, start, end in intervals(changes, self.end - self.start)
        )
        return AlarmHistory(
            name=rule.name,
            says=says,
            rule=_describe_rule(deployed),
            spans=spans,
            absent="" if samples else _why_absent(rule.namespace),
        )

    def _samples_of(self, metric: MetricRow | AlarmRule, region: str) -> list[Sample]:
        """Return a metric's data over the rehearsal, cached."""
        name = metric.name if isinstance(metric, MetricRow) else metric.metric_name
        key = (region, (metric.namespace, name, tuple(sorted(metric.dimensions.items()))))
        if key not in self._samples:
            self._samples[key] = metric_samples(
                self.clients("cloudwatch", region),
                namespace=metric.namespace,
                metric_name=name,
                dimensions=metric.dimensions,
                start=math.floor(self.start),
                end=self.end,
            )
        return self._samples[key]


MetricKey = tuple[str, str, tuple[tuple[str, str], ...]]
GRID_DEFAULTS = {"x": 0, "y": 0, "width": 6, "height": 6}
"""Source: Dashboard body structure and syntax, CloudWatch API reference."""


def _why_absent(namespace: str) -> str:
    return PUBLISHED_BY_AWS if namespace.startswith("AWS/") else NO_DATA


def _describe_rule(rule: AlarmRule) -> str:
    periods = f"{rule.datapoints_to_alarm} of {rule.evaluation_periods} periods of {rule.period_seconds:g} s"
    condition = f"{COMPARISON_WORDS[rule.comparison]} {format_number(rule.threshold)}"
    return f"{rule.statistic} of {rule.metric_name} {condition}, {periods}; missing data: {rule.missing_data}"
