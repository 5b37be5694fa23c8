"""The deployed dashboards, drawn: where the lines, the levels and the alarms' states stand.

Along it places are in percent of the plot and across it in pixels, as in `timeline`; lines are paths on a canvas of
`PATH_WIDTH` by the plot's height that is stretched to the plot. Owns: the geometry. Does not own: the facts
(`report_dashboards`) or the look (`page/`). Invariant: a line breaks where a period has no data.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rehearsal.report.axis import Axis
from rehearsal.report.dashboards import AlarmHistory, Dashboard, Series, Widget
from rehearsal.report.formatting import shown
from rehearsal.report.model import DrillResult, Report

PATH_WIDTH = 1000
ROW_PX = 26
"""Of a unit of the grid's height."""
FRAME_PX = 62
"""What a widget's title, axis and borders take of its height."""
LEAST_PLOT_PX = 84
Y_STEPS = (2, 3, 4)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A series: its path, the dots of its datapoints as a path of points, its legend."""

    series: Series
    path: str
    dots: str
    legend: str


@dataclass(frozen=True, kw_only=True)
class Band:
    """A drill, as a stretch of the time that is drawn; `number` is its place in the report."""

    number: int
    title: str
    left: float
    width: float


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A metric widget's plot."""

    height: float
    y_ticks: tuple[tuple[float, str], ...]
    x_ticks: tuple[tuple[float, str], ...]
    bands: tuple[Band, ...]
    lines: tuple[Line, ...]
    levels: tuple[tuple[float, str], ...]
    note: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Strip:
    """An alarm's states as bars along the time that is drawn: (state, left, width, words)."""

    alarm: AlarmHistory
    bars: tuple[tuple[str, float, float, str], ...]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A widget with what is drawn in it."""

    widget: Widget
    chart: Chart | None
    strips: tuple[Strip, ...]


@dataclass(frozen=True, kw_only=True)
class Board:
    """A dashboard, drawn."""

    dashboard: Dashboard
    tiles: tuple[Tile, ...]
    bands: tuple[Band, ...]


def draw_boards(report: Report) -> tuple[Board, ...]:
    """Place every dashboard of a report."""
    return tuple(_board(dashboard, report.drills) for dashboard in report.dashboards)


def _board(dashboard: Dashboard, drills: Sequence[DrillResult]) -> Board:
    axis = Axis(start_seconds=dashboard.start_seconds, end_seconds=dashboard.end_seconds)
    bands = tuple(_bands(drills, axis))
    tiles = tuple(
        Tile(
            widget=widget,
            chart=_chart(widget, axis, bands) if widget.kind == "metric" else None,
            strips=tuple(_strip(alarm, axis) for alarm in widget.alarms),
        )
        for widget in dashboard.widgets
    )
    return Board(dashboard=dashboard, tiles=tiles, bands=bands)


def _bands(drills: Sequence[DrillResult], axis: Axis) -> Iterator[Band]:
    for number, drill in enumerate(drills, start=1):
        left = axis.percent(drill.started_seconds)
        right = axis.percent(min(drill.started_seconds + drill.seconds, axis.end_seconds))
        yield Band(number=number, title=drill.title, left=left, width=round(right - left, 3))


def _chart(widget: Widget, axis: Axis, bands: tuple[Band, ...]) -> Chart:
    height = max(LEAST_PLOT_PX, widget.height * ROW_PX - FRAME_PX)
    values = [value for one in widget.series for _, value in one.points] + [level.value for level in widget.levels]
    low, step, steps = _scale(values)

    def y(value: float) -> float:
        return round(height * (1 - (value - low) / (step * steps)), 2)

    absences = list(dict.fromkeys(one.absent for one in widget.series if one.absent))
    return Chart(
        height=height,
        y_ticks=tuple((y(low + index * step), shown(round(low + index * step, 6))) for index in range(steps + 1)),
        x_ticks=axis.ticks(6),
        bands=bands,
        lines=tuple(_line(one, axis, y, widget.period_seconds) for one in widget.series),
        levels=tuple((y(level.value), level.label or shown(level.value)) for level in widget.levels),
        note="; ".join(absences) if all(one.absent for one in widget.series) else "",
        description=" ".join(_series_words(one) for one in widget.series) or "No line.",
    )


def _scale(values: Sequence[float]) -> tuple[float, float, int]:
    """The lowest value, the round step and the number of steps of the axis that holds all values, and 0, most closely."""
    low, high = min((0.0, *values)), max((0.0, *values))
    if high == low:
        return low, 0.5, 2
    axes: list[tuple[float, float, int]] = []
    for steps in Y_STEPS:
        least = (high - low) / steps
        power = 10 ** math.floor(math.log10(least))
        for step in (one * power for one in (1, 2, 2.5, 5, 10, 20)):
            bottom = math.floor(low / step) * step
            if step >= least and bottom + steps * step >= high:
                axes.append((bottom, step, steps))
                break
    return min(axes, key=lambda axis: (axis[1] * axis[2], axis[2]))


def _line(series: Series, axis: Axis, y: Callable[[float], float], period: float) -> Line:
    path, dots, last = [], [], None
    for seconds, value in series.points:
        x, at = axis.percent(max(axis.start_seconds, seconds)) * PATH_WIDTH / 100, y(value)
        goes_on = last is not None and seconds - last <= period * 1.5
        path.append(f"{'L' if goes_on else 'M'}{x:.1f} {at:g}")
        dots.append(f"M{x:.1f} {at:g}h0")
        last = seconds
    legend = f"{series.label} ({series.statistic.lower()})"
    return Line(series=series, path="".join(path), dots="".join(dots), legend=legend)


def _series_words(series: Series) -> str:
    """A line for those who can't see it."""
    if not series.points:
        return f"{series.label}: {series.absent}."
    values = [value for _, value in series.points]
    return (
        f"{series.label}: {len(values)} datapoints, from {shown(min(values))} to {shown(max(values))}, "
        f"{shown(values[-1])} at the end."
    )


def _strip(alarm: AlarmHistory, axis: Axis) -> Strip:
    return Strip(alarm=alarm, bars=tuple(_bars(alarm, axis)))


def _bars(alarm: AlarmHistory, axis: Axis) -> Iterable[tuple[str, float, float, str]]:
    for span in alarm.spans:
        left, right = axis.percent(span.start_seconds), axis.percent(span.end_seconds)
        words = f"{STATE_WORDS[span.state]}, {shown(span.start_seconds)} to {shown(span.end_seconds)} s"
        yield span.state, left, round(right - left, 3), words


STATE_WORDS = {"OK": "OK", "ALARM": "in alarm", "INSUFFICIENT_DATA": "insufficient data"}
