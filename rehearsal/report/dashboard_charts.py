"""Layout of the dashboards' charts. Lines are paths on a canvas of `PATH_WIDTH` by the plot's height, with gaps for missing data."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rehearsal.report.axis import Axis
from rehearsal.report.dashboards import AlarmHistory, Dashboard, Series, Widget
from rehearsal.report.formatting import format_number
from rehearsal.report.model import DrillResult, Report

PATH_WIDTH = 1000
ROW_PX = 26
"""Height of a row of the grid."""
FRAME_PX = 62
"""Height of a widget's title, axis and borders."""
LEAST_PLOT_PX = 84
Y_STEPS = (2, 3, 4)


@dataclass(frozen=True, kw_only=True)
class ChartLine:
    """A series: its path, its datapoints as a path, its legend."""

    series: Series
    path: str
    dots: str
    legend: str


@dataclass(frozen=True, kw_only=True)
class Band:
    """A drill's period; `number` is its position in the report."""

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
    lines: tuple[ChartLine, ...]
    levels: tuple[tuple[float, str], ...]
    note: str
    description: str


@dataclass(frozen=True, kw_only=True)
class Strip:
    """An alarm's states as bars: (state, left, width, title)."""

    alarm: AlarmHistory
    bars: tuple[tuple[str, float, float, str], ...]


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A widget with its drawing."""

    widget: Widget
    chart: Chart | None
    strips: tuple[Strip, ...]


@dataclass(frozen=True, kw_only=True)
class Board:
    """A dashboard with its drawings."""

    dashboard: Dashboard
    tiles: tuple[Tile, ...]
    bands: tuple[Band, ...]


def draw_boards(report: Report) -> tuple[Board, ...]:
    """Lay out every dashboard of a report."""
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
        y_ticks=tuple(
            (y(low + index * step), format_number(round(low + index * step, 6))) for index in range(steps + 1)
        ),
        x_ticks=axis.ticks(6),
        bands=bands,
        lines=tuple(_line(one, axis, y, widget.period_seconds) for one in widget.series),
        levels=tuple((y(level.value), level.label or format_number(level.value)) for level in widget.levels),
        note="; ".join(absences) if all(one.absent for one in widget.series) else "",
        description=" ".join(_describe_series(one) for one in widget.series) or "No series.",
    )


def _scale(values: Sequence[float]) -> tuple[float, float, int]:
    """Return the bottom, step and number of steps of the tightest axis for all values and 0."""
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


def _line(series: Series, axis: Axis, y: Callable[[float], float], period: float) -> ChartLine:
    path, dots, last = [], [], None
    for seconds, value in series.points:
        x, at = axis.percent(max(axis.start_seconds, seconds)) * PATH_WIDTH / 100, y(value)
        continues = last is not None and seconds - last <= period * 1.5
        path.append(f"{'L' if continues else 'M'}{x:.1f} {at:g}")
        dots.append(f"M{x:.1f} {at:g}h0")
        last = seconds
    legend = f"{series.label} ({series.statistic.lower()})"
    return ChartLine(series=series, path="".join(path), dots="".join(dots), legend=legend)


def _describe_series(series: Series) -> str:
    """Describe a series for screen readers."""
    if not series.points:
        return f"{series.label}: {series.absent}."
    values = [value for _, value in series.points]
    return (
        f"{series.label}: {len(values)} datapoints, from {format_number(min(values))} to {format_number(max(values))}, "
        f"{format_number(values[-1])} at the end."
    )


def _strip(alarm: AlarmHistory, axis: Axis) -> Strip:
    return Strip(alarm=alarm, bars=tuple(_alarm_bars(alarm, axis)))


def _alarm_bars(alarm: AlarmHistory, axis: Axis) -> Iterable[tuple[str, float, float, str]]:
    for span in alarm.spans:
        left, right = axis.percent(span.start_seconds), axis.percent(span.end_seconds)
        title = (
            f"{STATE_LABELS[span.state]}, {format_number(span.start_seconds)} to {format_number(span.end_seconds)} s"
        )
        yield span.state, left, round(right - left, 3), title


STATE_LABELS = {"OK": "OK", "ALARM": "in alarm", "INSUFFICIENT_DATA": "insufficient data"}
