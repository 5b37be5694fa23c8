"""A deployed dashboard with the data that it would show, as frozen facts, and their JSON.

Owns: the types of dashboards, widgets, series and alarms' states. Does not own: how they are read (`dashboard_reader`) or
drawn (`dashboard_drawing`). Invariant: times are seconds since the rehearsal's start; a series or an alarm without data
says why it has none.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

WidgetKind = Literal["metric", "alarm", "text", "other"]
AlarmWord = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
NOT_OURS = "published by AWS, not by the rehearsal"
NO_DATA = "no datapoint in this rehearsal"


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a widget: (start of the period, value) for every period that had data; `absent` says why there are none."""

    label: str
    namespace: str
    statistic: str
    points: tuple[tuple[float, float], ...]
    absent: str = ""


@dataclass(frozen=True, kw_only=True)
class Level:
    """A horizontal line of a widget, such as a threshold."""

    label: str
    value: float


@dataclass(frozen=True, kw_only=True)
class AlarmSpan:
    """An alarm's state over a stretch of time."""

    state: AlarmWord
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, kw_only=True)
class AlarmHistory:
    """An alarm: what it says of itself, its rule in words, its states by CloudWatch's rules up to the rehearsal's end."""

    name: str
    says: str
    rule: str
    spans: tuple[AlarmSpan, ...]
    absent: str = ""

    @property
    def state(self) -> AlarmWord | None:
        """The state at the end; None when it could not be evaluated."""
        return self.spans[-1].state if self.spans else None


@dataclass(frozen=True, kw_only=True)
class Widget:
    """A widget at its place on the grid of 24 columns.

    `period_seconds` is the period drawn, shorter than the deployed one by the time scale. `undrawn` names what the body
    asks for and the drawing doesn't show.
    """

    kind: WidgetKind
    title: str
    x: int
    y: int
    width: int
    height: int
    view: str = ""
    period_seconds: float = 0.0
    series: tuple[Series, ...] = ()
    levels: tuple[Level, ...] = ()
    alarms: tuple[AlarmHistory, ...] = ()
    text: str = ""
    undrawn: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The widget as report.json holds it."""
        return {
            **_place(self),
            "view": self.view,
            "period_seconds": self.period_seconds,
            "series": [asdict(one) | {"points": [list(point) for point in one.points]} for one in self.series],
            "levels": [asdict(one) for one in self.levels],
            "alarms": [
                {
                    "name": one.name,
                    "says": one.says,
                    "rule": one.rule,
                    "state": one.state,
                    "absent": one.absent,
                    "spans": [asdict(span) for span in one.spans],
                }
                for one in self.alarms
            ],
            "text": self.text,
            "undrawn": list(self.undrawn),
        }


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A region's dashboard over the rehearsal."""

    name: str
    region: str
    start_seconds: float
    end_seconds: float
    widgets: tuple[Widget, ...]

    def to_json(self) -> dict[str, Any]:
        """The dashboard as report.json holds it."""
        return {
            "name": self.name,
            "region": self.region,
            "start_seconds": self.start_seconds,
            "end_seconds": self.end_seconds,
            "widgets": [one.to_json() for one in self.widgets],
        }


def _place(widget: Widget) -> Mapping[str, Any]:
    return {name: getattr(widget, name) for name in ("kind", "title", "x", "y", "width", "height")}
