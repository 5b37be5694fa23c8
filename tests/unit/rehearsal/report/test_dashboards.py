"""Tests of the deployed dashboards: read as CloudWatch's API gives them, evaluated by its rules, drawn to scale."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from rehearsal.report.dashboard_charts import draw_boards
from rehearsal.report.dashboard_data import DashboardReader, metric_rows
from rehearsal.report.dashboards import NO_DATA, NOT_OURS, Dashboard, Series, Widget
from tests.support.rehearsal.sample_report import sample_report

START = 1_000_000_020.0  # the start of a minute, so that periods begin there
OURS = "AuroraFailover"


class FakeCloudWatch:
    """Dashboards, alarms and metric data of one region, answered as CloudWatch's API answers."""

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
        """The only one that is paged."""
        assert operation == "list_dashboards"
        return self

    def paginate(self) -> list[dict[str, Any]]:
        """Two pages, not in order."""
        return [{"DashboardEntries": [{"DashboardName": "z"}]}, {"DashboardEntries": [{"DashboardName": "a"}]}]

    def get_dashboard(self, *, DashboardName: str) -> dict[str, Any]:
        """Each has the same body."""
        return {"DashboardName": DashboardName, "DashboardBody": json.dumps({"widgets": self.widgets})}

    def describe_alarms(self, *, AlarmNames: list[str], **_: object) -> dict[str, Any]:
        """Those of the names."""
        return {"MetricAlarms": [alarm for alarm in self.alarms if alarm["AlarmName"] in AlarmNames]}

    def get_metric_statistics(
        self, *, MetricName: str, StartTime: datetime, EndTime: datetime, **_: object
    ) -> dict[str, Any]:
        """One datapoint a second, from the start up to before the end."""
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
    """The first dashboard of a region in a rehearsal of so many seconds."""
    reader = DashboardReader(
        clients=lambda _service, _region: fake, time_scale=time_scale, start=START, end=START + seconds
    )
    return reader.dashboards("eu-west-1")[0]


def graph(*metrics: Sequence[Any], **properties: Any) -> dict[str, Any]:
    """A metric widget."""
    return {"type": "metric", "properties": {"period": 60, "stat": "Sum", "metrics": metrics, **properties}}


def alarm(**changes: Any) -> dict[str, Any]:
    """A metric alarm as DescribeAlarms describes it."""
    return {
        "AlarmName": "silent",
        "AlarmDescription": "Nobody would fail over.",
        "Namespace": OURS,
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


def test_a_metric_row_repeats_what_stands_above_it() -> None:
    """One dot for one place, three for all places in between, options at the end, metric math without a metric."""
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


def test_dashboards_are_read_in_order_of_name() -> None:
    """Whatever page they stand on."""
    reader = DashboardReader(clients=lambda *_: FakeCloudWatch(), time_scale=10, start=START, end=START + 60)
    assert ["a", "z"] == [one.name for one in reader.dashboards("eu-west-1")]


def test_a_line_has_a_value_for_each_shortened_period_that_is_over() -> None:
    """60 s become 6 s; a period without data has no point; the one that still runs is left out."""
    data = {"Cycles": [(at, 1.0) for at in range(60) if not 12 <= at < 18]}
    series = read(FakeCloudWatch(widgets=[graph([OURS, "Cycles"])], data=data), seconds=29).widgets[0].series[0]
    assert (((0, 6), (6, 6), (18, 6)), "") == (series.points, series.absent)


def test_each_metric_is_read_once_and_never_more_than_one_call_returns() -> None:
    """Twice on the dashboard, and in a rehearsal of an hour: three calls, each of whose seconds counts once."""
    fake = FakeCloudWatch(
        widgets=[graph([OURS, "Cycles"]), graph([OURS, "Cycles"])], data={"Cycles": [(at, 1.0) for at in range(3600)]}
    )
    points = read(fake, seconds=3600, time_scale=1).widgets[1].series[0].points
    assert [("Cycles", 0, 1439), ("Cycles", 1438, 2877), ("Cycles", 2876, 3601)] == fake.asked
    assert {60.0} == {value for _, value in points[1:-1]}


def test_without_data_a_line_says_why() -> None:
    """What AWS publishes is not ours to publish; ours, metric math and percentiles are told apart from it."""
    rows = [["AWS/RDS", "CPU"], [OURS, "Cycles"], [{"expression": "m1"}], [OURS, "Lag", {"stat": "p99"}]]
    widget = read(FakeCloudWatch(widgets=[graph(*rows)])).widgets[0]
    assert [
        NOT_OURS,
        NO_DATA,
        "metric math is not evaluated by the rehearsal",
        "the statistic p99 is not evaluated by the rehearsal",
    ] == [one.absent for one in widget.series]


def test_a_row_may_have_its_own_words_and_a_hidden_one_is_not_drawn() -> None:
    """Label and statistic stand beside the metric."""
    rows = [[OURS, "Cycles", {"label": "cycles", "stat": "Maximum"}], [OURS, "Held", {"visible": False}]]
    widget = read(FakeCloudWatch(widgets=[graph(*rows)])).widgets[0]
    assert [("cycles", "Maximum")] == [(one.label, one.statistic) for one in widget.series]


def test_levels_are_those_of_the_widget_and_of_the_alarms_that_it_names() -> None:
    """A line for each."""
    notes = {"horizontal": [{"label": "limit", "value": 5}], "alarms": ["arn:aws:cloudwatch:eu-west-1:1:alarm:silent"]}
    fake = FakeCloudWatch(widgets=[graph([OURS, "Cycles"], annotations=notes)], alarms=[alarm()])
    assert [("limit", 5.0), ("silent", 1.0)] == [(one.label, one.value) for one in read(fake).widgets[0].levels]


def test_what_is_not_drawn_is_named() -> None:
    """A property, and a kind of widget, that the drawing doesn't know."""
    widgets = [graph([OURS, "Cycles"], yAxis={}), {"type": "log", "properties": {"query": "fields"}}]
    drawn = read(FakeCloudWatch(widgets=widgets)).widgets
    assert (("yAxis",), ("query",)) == (drawn[0].undrawn, drawn[1].undrawn)
    assert ("other", "a widget of type log is not drawn here") == (drawn[1].kind, drawn[1].text)


def test_a_widget_without_a_place_stands_where_cloudwatch_puts_it() -> None:
    """6 by 6 at the left top; text widgets hold their text."""
    widget = read(FakeCloudWatch(widgets=[{"type": "text", "properties": {"markdown": "# Hello"}}])).widgets[0]
    assert (0, 0, 6, 6, "# Hello") == (widget.x, widget.y, widget.width, widget.height, widget.text)


def test_an_alarm_is_evaluated_at_the_end_of_each_period_by_its_own_rule() -> None:
    """Silent from 20 to 50 s: in alarm once the whole range of three periods is empty, until a period has data again."""
    data = {"Cycles": [(at, 1.0) for at in range(80) if at < 20 or at >= 50]}
    arn = "arn:aws:cloudwatch:eu-west-1:1:alarm:silent"
    fake = FakeCloudWatch(widgets=[{"type": "alarm", "properties": {"alarms": [arn]}}], alarms=[alarm()], data=data)
    history = read(fake, seconds=80).widgets[0].alarms[0]
    spans = [(one.state, one.start_seconds, one.end_seconds) for one in history.spans]
    assert [("OK", 6, 42), ("ALARM", 42, 54), ("OK", 54, 80)] == spans
    assert ("OK", "") == (history.state, history.absent)
    assert ("Nobody would fail over.", True) == (
        history.says,
        history.rule.startswith("Sum of Cycles < 1, 1 of 1 periods of 60 s"),
    )


def test_an_alarm_that_cannot_be_evaluated_says_why() -> None:
    """One that is gone, one of a kind that the rules don't cover, and one whose metric only AWS publishes."""
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
    assert ("OK", NOT_OURS) == (cpu.state, cpu.absent)


# The drawing


def drawn(points: Sequence[tuple[float, float]], *, period_seconds: float = 10) -> Any:
    """The chart of one line over 100 seconds."""
    series = Series(label="Cycles", namespace=OURS, statistic="Sum", points=tuple(points))
    widget = Widget(
        kind="metric", title="t", x=0, y=0, width=12, height=6, period_seconds=period_seconds, series=(series,)
    )
    board = Dashboard(name="d", region="r", start_seconds=0, end_seconds=100, widgets=(widget,))
    return draw_boards(replace(sample_report(), dashboards=(board,)))[0].tiles[0].chart


def test_a_line_is_to_scale_and_breaks_where_data_is_missing() -> None:
    """10 s are a tenth of the width; 5 of 10 is half of the height; the gap of two periods is not bridged."""
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
def test_the_axis_holds_all_values_and_zero_in_round_steps(values: Sequence[float], labels: list[str]) -> None:
    """As closely as two to four steps can; a lone zero has an axis too."""
    points = [(index * 10, value) for index, value in enumerate(values)]
    assert labels == [label for _, label in drawn(points).y_ticks]


def test_drills_are_bands_at_their_place() -> None:
    """From when they began, as long as they took, cut at the end of what is drawn."""
    report = sample_report()
    bands = draw_boards(report)[0].bands
    first, last = bands[0], bands[-1]
    assert (1, report.drills[0].title) == (first.number, first.title)
    assert pytest.approx(100 * 8.2 / 71.3, abs=0.01) == first.left
    assert pytest.approx(100 * 20.4 / 71.3, abs=0.01) == first.width
    assert last.left + last.width <= 100.001


def test_a_chart_tells_itself_in_words_and_why_it_is_empty() -> None:
    """For those who can't see it; the reason stands in the middle only when no line has data."""
    chart = draw_boards(sample_report())[0].tiles[0].chart
    empty = draw_boards(sample_report())[0].tiles[1].chart
    assert chart is not None and empty is not None
    assert "Cycles: 5 datapoints, from 3 to 6, 6 at the end." in chart.description
    assert ("", NOT_OURS) == (chart.note, empty.note)
    assert f"CPUUtilization: {NOT_OURS}." == empty.description
