"""Types of a deployed dashboard with its data, and their JSON. Times are seconds since the rehearsal's start."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

WidgetKind = Literal["metric", "alarm", "text", "other"]
AlarmWord = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
PUBLISHED_BY_AWS = "published by AWS, not by the rehearsal"
NO_DATA = "no datapoint in this rehearsal"


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a widget: (start of the period, value) pairs; `absent` is the reason for an empty line."""

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
    """An alarm's state over a period."""

    state: AlarmWord
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, kw_only=True)
class AlarmHistory:
    """An alarm: its description, its rule, and its states by CloudWatch's rules."""

    name: str
    says: str
    rule: str
    spans: tuple[AlarmSpan, ...]
    absent: str = ""

    @property
    def state(self) -> AlarmWord | None:
        """The state at the end; None if it could not be evaluated."""
        return self.spans[-1].state if self.spans else None


@dataclass(frozen=True, kw_only=True)
class Widget:
    """A widget on the grid of 24 columns.

    `period_seconds` is scaled by the time scale. `undrawn` names properties that the drawing does not support.
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
        """Return the widget as in report.json."""
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
        """Return the dashboard as in report.json."""
        return {
            "name": self.name,
            "region": self.region,
            "start_seconds": self.start_seconds,
            "end_seconds": self.end_seconds,
            "widgets": [one.to_json() for one in self.widgets],
        }


def _place(widget: Widget) -> Mapping[str, Any]:
    return {name: getattr(widget, name) for name in ("kind", "title", "x", "y", "width", "height")}
