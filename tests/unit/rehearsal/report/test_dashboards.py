"""Tests of the dashboards: reading, evaluation of alarms, layout."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from rehearsal.report.dashboard_charts import draw_boards
from rehearsal.report.dashboard_data import DashboardReader, metric_rows
from rehearsal.report.dashboards import NO_DATA, PUBLISHED_BY_AWS, Dashboard, Series, Widget
from tests.support.rehearsal.sample_report import sample_report

START = 1_000_000_020.0  # the start of a minute, so that periods begin there
NAMESPACE = "AuroraFailover"


class FakeCloudWatch:
    """Dashboards, alarms and metric data of one region."""

    def __init__(
        self,
        *,
        widgets: Sequence[Mapping[str, Any]] = (),
        alarms: Sequence[Mapping[str, Any]] = (),
        data: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    ) -> None:
        self.widgets, self.alarms, self.data = widgets, alarms, data or {}
        self.asked: list[tuple[str, float, float]] = []

    def get_paginator(self, operation: str) -> "FakeCloudWatch":
        """Return the only paginator."""
        assert operation == "list_dashboards"
        return self

    def paginate(self) -> list[dict[str, Any]]:
        """Return two pages, unordered."""
        return [{"DashboardEntries": [{"DashboardName": "z"}]}, {"DashboardEntries": [{"DashboardName": "a"}]}]

    def get_dashboard(self, *, DashboardName: str) -> dict[str, Any]:
        """Return the same body for every name."""
        return {"DashboardName": DashboardName, "DashboardBody": json.dumps({"widgets": self.widgets})}

    def describe_alarms(self, *, AlarmNames: list[str], **_: object) -> dict[str, Any]:
        """Return the named alarms."""
        return {"MetricAlarms": [alarm for alarm in self.alarms if alarm["AlarmName"] in AlarmNames]}

    def get_metric_statistics(
        self, *, MetricName: str, StartTime: datetime, EndTime: datetime, **_: object
    ) -> dict[str, Any]:
        """Return one datapoint per second, the end excluded."""
        start, end = StartTime.timestamp() - START, EndTime.timestamp() - START
        self.asked.append((MetricName, start, end))
        return {
            "Datapoints": [
                {"Timestamp": datetime.fromtimestamp(START + at, UTC), "SampleCount": 1.0}
                | dict.fromkeys(("Sum", "Minimum", "Maximum"), value)
                for at, value in self.data.get(MetricName, ())
                if start <= at < end
            ]
        }


def read(fake: FakeCloudWatch, *, seconds: float = 60, time_scale: float = 10) -> Dashboard:
    """Return the first dashboard of a rehearsal of so many seconds."""
    reader = DashboardReader(
        clients=lambda _service, _region: fake, time_scale=time_scale, start=START, end=START + seconds
    )
    return reader.dashboards("eu-west-1")[0]


def graph(*metrics: Sequence[Any], **properties: Any) -> dict[str, Any]:
    """Return a metric widget."""
    return {"type": "metric", "properties": {"period": 60, "stat": "Sum", "metrics": metrics, **properties}}


def alarm(**changes: Any) -> dict[str, Any]:
    """Return a metric alarm as in DescribeAlarms."""
    return {
        "AlarmName": "silent",
        "AlarmDescription": "No controller would fail over.",
        "Namespace": NAMESPACE,
        "MetricName": "Cycles",
        "Dimensions": [],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
        **changes,
    }


def test_metric_row_repeats_parts_of_the_row_above() -> None:
    """`.` repeats one part, `...` several; options come last; metric math has no metric."""
    rows = metric_rows(
        [
            ["NS", "One", "Cluster", "a", "Role", "WRITER"],
            [".", "Two", ".", "b", ".", ".", {"label": "two"}],
            ["...", "READER"],
            [{"expression": "m1 / m2", "label": "ratio"}],
        ]
    )
    assert [
        ("NS", "One", {"Cluster": "a", "Role": "WRITER"}, {}),
        ("NS", "Two", {"Cluster": "b", "Role": "WRITER"}, {"label": "two"}),
        ("NS", "Two", {"Cluster": "b", "Role": "READER"}, {}),
        ("", "m1 / m2", {}, {"expression": "m1 / m2", "label": "ratio"}),
    ] == [(row.namespace, row.name, row.dimensions, row.options) for row in rows]


def test_dashboards_are_ordered_by_name() -> None:
    """Dashboards of all result pages are ordered by name."""
    reader = DashboardReader(clients=lambda *_: FakeCloudWatch(), time_scale=10, start=START, end=START + 60)
    assert ["a", "z"] == [one.name for one in reader.dashboards("eu-west-1")]


def test_line_has_one_value_per_complete_scaled_period() -> None:
    """60 s become 6 s; periods without data and the last, incomplete one are left out."""
    data = {"Cycles": [(at, 1.0) for at in range(60) if not 12 <= at < 18]}
    series = read(FakeCloudWatch(widgets=[graph([NAMESPACE, "Cycles"])], data=data), seconds=29).widgets[0].series[0]
    assert (((0, 6), (6, 6), (18, 6)), "") == (series.points, series.absent)


def test_metric_is_read_once_in_calls_within_the_limit() -> None:
    """An hour takes three calls; each second counts once."""
    fake = FakeCloudWatch(
        widgets=[graph([NAMESPACE, "Cycles"]), graph([NAMESPACE, "Cycles"])],
        data={"Cycles": [(at, 1.0) for at in range(3600)]},
    )
    points = read(fake, seconds=3600, time_scale=1).widgets[1].series[0].points
    assert [("Cycles", 0, 1439), ("Cycles", 1438, 2877), ("Cycles", 2876, 3601)] == fake.asked
    assert {60.0} == {value for _, value in points[1:-1]}


def test_line_without_data_has_a_reason() -> None:
    """AWS metrics, missing data, metric math and percentiles have a reason instead of a line."""
    rows = [["AWS/RDS", "CPU"], [NAMESPACE, "Cycles"], [{"expression": "m1"}], [NAMESPACE, "Lag", {"stat": "p99"}]]
    widget = read(FakeCloudWatch(widgets=[graph(*rows)])).widgets[0]
    assert [
        PUBLISHED_BY_AWS,
        NO_DATA,
        "the rehearsal does not evaluate metric math",
        "the rehearsal does not evaluate the statistic p99",
    ] == [one.absent for one in widget.series]


def test_row_options_set_label_and_statistic_and_hide_rows() -> None:
    """The options are beside the metric."""
    rows = [[NAMESPACE, "Cycles", {"label": "cycles", "stat": "Maximum"}], [NAMESPACE, "Held", {"visible": False}]]
    widget = read(FakeCloudWatch(widgets=[graph(*rows)])).widgets[0]
    assert [("cycles", "Maximum")] == [(one.label, one.statistic) for one in widget.series]


def test_levels_come_from_annotations_and_alarms() -> None:
    """Each annotation and each alarm threshold is one line."""
    notes = {"horizontal": [{"label": "limit", "value": 5}], "alarms": ["arn:aws:cloudwatch:eu-west-1:1:alarm:silent"]}
    fake = FakeCloudWatch(widgets=[graph([NAMESPACE, "Cycles"], annotations=notes)], alarms=[alarm()])
    assert [("limit", 5.0), ("silent", 1.0)] == [(one.label, one.value) for one in read(fake).widgets[0].levels]


def test_unsupported_properties_and_widgets_are_named() -> None:
    """Unsupported properties and widgets are listed in the dashboard."""
    widgets = [graph([NAMESPACE, "Cycles"], yAxis={}), {"type": "log", "properties": {"query": "fields"}}]
    drawn = read(FakeCloudWatch(widgets=widgets)).widgets
    assert (("yAxis",), ("query",)) == (drawn[0].undrawn, drawn[1].undrawn)
    assert ("other", "a widget of type log is not supported") == (drawn[1].kind, drawn[1].text)


def test_widget_without_position_has_the_default_one() -> None:
    """The default is 6 by 6 units at the top left."""
    widget = read(FakeCloudWatch(widgets=[{"type": "text", "properties": {"markdown": "# Hello"}}])).widgets[0]
    assert (0, 0, 6, 6, "# Hello") == (widget.x, widget.y, widget.width, widget.height, widget.text)


def test_alarm_is_evaluated_at_the_end_of_each_period() -> None:
    """An alarm without data from 20 to 50 s enters ALARM once all three periods are empty."""
    data = {"Cycles": [(at, 1.0) for at in range(80) if at < 20 or at >= 50]}
    arn = "arn:aws:cloudwatch:eu-west-1:1:alarm:silent"
    fake = FakeCloudWatch(widgets=[{"type": "alarm", "properties": {"alarms": [arn]}}], alarms=[alarm()], data=data)
    history = read(fake, seconds=80).widgets[0].alarms[0]
    spans = [(one.state, one.start_seconds, one.end_seconds) for one in history.spans]
    assert [("OK", 6, 42), ("ALARM", 42, 54), ("OK", 54, 80)] == spans
    assert ("OK", "") == (history.state, history.absent)
    assert ("No controller would fail over.", True) == (
        history.says,
        history.rule.startswith("Sum of Cycles < 1, 1 of 1 periods of 60 s"),
    )


def test_alarm_that_cannot_be_evaluated_has_a_reason() -> None:
    """A missing alarm, an unsupported alarm and an alarm on an AWS metric have a reason."""
    names = ["gone", "percentile", "cpu"]
    fake = FakeCloudWatch(
        widgets=[
            {
                "type": "alarm",
                "properties": {"alarms": [f"arn:aws:cloudwatch:eu-west-1:1:alarm:{one}" for one in names]},
            }
        ],
        alarms=[
            alarm(AlarmName="percentile", Statistic=None, ExtendedStatistic="p99"),
            alarm(AlarmName="cpu", Namespace="AWS/RDS", MetricName="CPU", TreatMissingData="notBreaching"),
        ],
    )
    gone, percentile, cpu = read(fake).widgets[0].alarms
    assert (None, "there is no metric alarm gone in eu-west-1") == (gone.state, gone.absent)
    assert (None, True) == (percentile.state, "p99" in percentile.absent)
    assert ("OK", PUBLISHED_BY_AWS) == (cpu.state, cpu.absent)


def drawn(points: Sequence[tuple[float, float]], *, period_seconds: float = 10) -> Any:
    """Return the chart of one line over 100 seconds."""
    series = Series(label="Cycles", namespace=NAMESPACE, statistic="Sum", points=tuple(points))
    widget = Widget(
        kind="metric", title="t", x=0, y=0, width=12, height=6, period_seconds=period_seconds, series=(series,)
    )
    board = Dashboard(name="d", region="r", start_seconds=0, end_seconds=100, widgets=(widget,))
    return draw_boards(replace(sample_report(), dashboards=(board,)))[0].tiles[0].chart


def test_line_is_to_scale_with_gaps_for_missing_data() -> None:
    """10 s are a tenth of the width; 5 of 10 is half of the height."""
    chart = drawn([(10, 0), (20, 5), (50, 10)])
    middle = f"{chart.height / 2:g}"
    assert f"M100.0 {chart.height:g}L200.0 {middle}M500.0 0" == chart.lines[0].path
    assert f"M100.0 {chart.height:g}h0M200.0 {middle}h0M500.0 0h0" == chart.lines[0].dots


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ((0, 1), ["0", "0.5", "1"]),
        ((0, 6), ["0", "2", "4", "6"]),
        ((0, 130), ["0", "50", "100", "150"]),
        ((0, 0), ["0", "0.5", "1"]),
        ((-3, 5), ["-5", "0", "5"]),
        ((7, 5083), ["0", "2,000", "4,000", "6,000"]),
    ],
)
def test_axis_covers_all_values_and_zero_in_round_steps(values: Sequence[float], labels: list[str]) -> None:
    """The axis has two to four round steps."""
    points = [(index * 10, value) for index, value in enumerate(values)]
    assert labels == [label for _, label in drawn(points).y_ticks]


def test_drills_are_bands_to_scale() -> None:
    """Each drill's band is limited to the drawn period."""
    report = sample_report()
    bands = draw_boards(report)[0].bands
    first, last = bands[0], bands[-1]
    assert (1, report.drills[0].title) == (first.number, first.title)
    assert pytest.approx(100 * 8.2 / 71.3, abs=0.01) == first.left
    assert pytest.approx(100 * 20.4 / 71.3, abs=0.01) == first.width
    assert last.left + last.width <= 100.001


def test_chart_has_a_description_and_a_note_if_empty() -> None:
    """The note appears only if no line has data."""
    chart = draw_boards(sample_report())[0].tiles[0].chart
    empty = draw_boards(sample_report())[0].tiles[1].chart
    assert chart is not None and empty is not None
    assert "Cycles: 5 datapoints, from 3 to 6, 6 at the end." in chart.description
    assert ("", PUBLISHED_BY_AWS) == (chart.note, empty.note)
    assert f"CPUUtilization: {PUBLISHED_BY_AWS}." == empty.description
