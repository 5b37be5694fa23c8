"""Time axis of the timeline, and its layouts by plot width."""

import math
from dataclasses import dataclass

from rehearsal.report.formatting import MINUS, format_number
from rehearsal.report.model import DrillResult


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A layout for a minimum plot width. With a gutter the headings are left of the plot, else above each lane."""

    name: str
    plot_px: float
    gutter_px: float
    right_px: float
    ticks: int
    labels: bool
    flag_rows: int = 7


LAYOUTS = (
    Layout(name="broad", plot_px=680, gutter_px=172, right_px=26, ticks=14, labels=True),
    Layout(name="wide", plot_px=448, gutter_px=172, right_px=26, ticks=10, labels=True),
    Layout(name="narrow", plot_px=300, gutter_px=0, right_px=8, ticks=6, labels=False),
)
LETTER_PX = 6.6  # width of the page's 12 px labels, rounded up


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The period of a timeline, in seconds since the drill's zero."""

    start_seconds: float
    end_seconds: float

    @classmethod
    def of(cls, drill: DrillResult) -> "Axis | None":
        """Return the axis of a drill; None if it has no duration."""
        spans = (*drill.roles, *drill.dns, *drill.writes)
        moments = [event.seconds for event in drill.timeline]
        moments += [second for span in spans for second in (span.start_seconds, span.end_seconds)]
        if not moments or min(moments) == max(moments):
            return None
        return cls(start_seconds=min(moments), end_seconds=max(moments))

    def percent(self, seconds: float) -> float:
        """Return a moment's position in percent of the plot."""
        return round(100 * (seconds - self.start_seconds) / (self.end_seconds - self.start_seconds), 3)

    def ticks(self, most: int) -> tuple[tuple[float, str], ...]:
        """Return up to `most` round seconds, each with its position and label."""
        span = self.end_seconds - self.start_seconds
        power = 10 ** math.floor(math.log10(span / most))
        step = next(one * power for one in (1, 2, 5, 10) if span / (one * power) <= most)
        first, last = math.ceil(self.start_seconds / step - 1e-9), math.floor(self.end_seconds / step + 1e-9)
        return tuple(
            (self.percent(index * step), format_number(round(index * step, 6)).replace("-", MINUS))
            for index in range(first, last + 1)
        )
