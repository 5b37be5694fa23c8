"""Places a timeline's numbered markers in rows without overlapping texts. A marker without room is only in the list of events."""

from collections.abc import Sequence
from dataclasses import dataclass

from rehearsal.report.axis import LETTER_PX, Axis, Layout
from rehearsal.report.model import TimelineEvent

FLAG_RADIUS_PX, MARKER_ROW_PX = 9, 22
DOT_ROW_PX = 20


@dataclass(frozen=True, kw_only=True)
class Marker:
    """An event's numbered marker; `y` is None without room. `flipped`: the text is on the left."""

    number: int
    event: TimelineEvent
    left: float
    y: float | None
    flipped: bool = False


@dataclass(frozen=True, kw_only=True)
class _Placed:
    """A marker in a row, in pixels: its line goes down from `x`, its text is on one side."""

    row: int
    x: float
    text_px: float
    flipped: bool

    @property
    def left(self) -> float:
        """Left edge."""
        return self.x - FLAG_RADIUS_PX - 2 - (self.text_px if self.flipped else 0)

    @property
    def right(self) -> float:
        """Right edge."""
        return self.x + FLAG_RADIUS_PX + 2 + (0 if self.flipped else self.text_px)

    def is_clear_of(self, other: "_Placed") -> bool:
        """Return whether this marker and `other` do not overlap, and no marker's line crosses the text of the lower marker."""
        upper, lower = (self, other) if self.row <= other.row else (other, self)
        if upper.row == lower.row:
            return upper.right < lower.left or lower.right < upper.left
        return not lower.text_px or not lower.left <= upper.x <= lower.right or abs(upper.x - lower.x) < FLAG_RADIUS_PX


def place_markers(events: Sequence[tuple[int, TimelineEvent]], axis: Axis, layout: Layout) -> tuple[Marker, ...]:
    """Put each marker into the highest free row; labelled markers come before plain notes."""
    placed: dict[int, _Placed] = {}
    for number, event in sorted(events, key=lambda one: not one[1].marker):
        x = axis.percent(event.seconds) / 100 * layout.plot_px
        text_px = LETTER_PX * len(event.marker) + 6 if layout.labels and event.marker else 0.0
        flipped = x + FLAG_RADIUS_PX + text_px > layout.plot_px + layout.right_px
        options = (_Placed(row=row, x=x, text_px=text_px, flipped=flipped) for row in range(layout.flag_rows))
        clear = (one for one in options if all(one.is_clear_of(other) for other in placed.values()))
        if (found := next(clear, None)) is not None:
            placed[number] = found
    return tuple(
        Marker(
            number=number,
            event=event,
            left=axis.percent(event.seconds),
            y=placed[number].row * MARKER_ROW_PX + MARKER_ROW_PX / 2 if number in placed else None,
            flipped=number in placed and placed[number].flipped,
        )
        for number, event in events
    )


def stack_dots(events: Sequence[tuple[int, TimelineEvent]], axis: Axis, layout: Layout) -> tuple[Marker, ...]:
    """Put numbered dots into rows, `y` counted from the top of the first row."""
    rows: list[float] = []
    dots: list[Marker] = []
    for number, event in events:
        left = axis.percent(event.seconds)
        x = left / 100 * layout.plot_px
        row = next((row for row, last in enumerate(rows) if x - last > 2 * FLAG_RADIUS_PX), None)
        if row is None:
            rows.append(x)
            row = len(rows) - 1
        else:
            rows[row] = x
        dots.append(Marker(number=number, event=event, left=left, y=(row + 0.5) * DOT_ROW_PX))
    return tuple(dots)
