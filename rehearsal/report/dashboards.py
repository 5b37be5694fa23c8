"""Types of a deployed dashboard with its data, and their JSON. Times are seconds since the rehearsal's start."""

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


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A region's dashboard over the rehearsal."""

    name: str
    region: str
    start_seconds: float
    end_seconds: float
    widgets: tuple[Widget, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the dashboard as in report.json, with tuples instead of lists."""
        record = asdict(self)
        for widget, widget_record in zip(self.widgets, record["widgets"], strict=True):
            for alarm, alarm_record in zip(widget.alarms, widget_record["alarms"], strict=True):
                alarm_record["state"] = alarm.state
        return record
