"""A drill's timeline, to scale: where everything stands that the report page draws.

Along it places are in percent of the plot, so that text keeps its size on every screen; across it in pixels.
Owns: the geometry. Does not own: the facts (`report`), or the look (`report.html.j2`).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rehearsal.report import DnsSpan, DrillResult, LedgerSpan, RoleSpan, TimelineEvent
from rehearsal.wording import MINUS, shown


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way to draw a timeline: what fits on the narrowest plot that it is shown on."""

    name: str
    plot_px: float
    ticks: int
    words: bool
    flag_rows: int = 9


LAYOUTS = (
    Layout(name="wide", plot_px=560, ticks=12, words=True),
    Layout(name="narrow", plot_px=280, ticks=6, words=False),
)
LETTER_PX = 6.6  # of the page's 12 px labels, on the wide side
FLAG_RADIUS_PX, FLAG_ROW_PX = 9, 22
HEADING_PX, LANE_PX, GAP_PX, WRITES_PX = 18, 26, 12, 64


@dataclass(frozen=True, kw_only=True)
class Flag:
    """An event's numbered marker; without a row when there is no room for it."""

    number: int
    event: TimelineEvent
    left: float
    y: float | None


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A stretch of a lane."""

    style: str
    left: float
    width: float
    label: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A lane of bars under its heading."""

    heading: str
    detail: str
    y: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True)
class WriteBar:
    """The client's writes in one stretch: kept and lost grow up from the baseline, failed down."""

    left: float
    width: float
    kept_px: float
    lost_px: float
    failed_px: float
    title: str


@dataclass(frozen=True, kw_only=True)
class WritesLane:
    """The lane of the client's writes; `lost_right` is where the last loss ends."""

    detail: str
    y: float
    baseline_y: float
    bars: tuple[WriteBar, ...]
    lost: int
    lost_right: float


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Everything that the template draws, with its places."""

    layout: Layout
    description: str
    ticks: tuple[tuple[float, str], ...]
    flags: tuple[Flag, ...]
    lanes: tuple[Lane, ...]
    writes: WritesLane | None
    lanes_y: float
    axis_y: float

    @property
    def headings(self) -> list[tuple[str, str, float]]:
        """The lanes' headings with their details and places."""
        headings = [(lane.heading, lane.detail, lane.y - 6) for lane in self.lanes]
        return headings + ([("Client", self.writes.detail, self.writes.y - 6)] if self.writes else [])


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The stretch of time that is drawn."""

    start_seconds: float
    end_seconds: float

    @classmethod
    def of(cls, drill: DrillResult) -> "Axis | None":
        """From the first to the last thing that the drill knows of; None when it knows of nothing that takes time."""
        spans = (*drill.roles, *drill.dns, *drill.writes)
        moments = [event.seconds for event in drill.timeline]
        moments += [second for span in spans for second in (span.start_seconds, span.end_seconds)]
        if not moments or min(moments) == max(moments):
            return None
        return cls(start_seconds=min(moments), end_seconds=max(moments))

    def percent(self, seconds: float) -> float:
        """How far along the plot."""
        return round(100 * (seconds - self.start_seconds) / (self.end_seconds - self.start_seconds), 3)

    def ticks(self, most: int) -> tuple[tuple[float, str], ...]:
        """Round seconds, at most so many, each with its place and label."""
        span = self.end_seconds - self.start_seconds
        power = 10 ** math.floor(math.log10(span / most))
        step = next(one * power for one in (1, 2, 5, 10) if span / (one * power) <= most)
        first, last = math.ceil(self.start_seconds / step - 1e-9), math.floor(self.end_seconds / step + 1e-9)
        return tuple(
            (self.percent(index * step), shown(round(index * step, 6)).replace("-", MINUS))
            for index in range(first, last + 1)
        )


def draw(drill: DrillResult, layout: Layout) -> Drawing | None:
    """Place a drill's timeline; None when there is nothing to draw."""
    axis = Axis.of(drill)
    if axis is None:
        return None
    flags = _place_flags(sorted(drill.timeline, key=lambda event: event.seconds), axis, layout)
    y = lanes_y = max((flag.y + FLAG_ROW_PX / 2 for flag in flags if flag.y is not None), default=0.0) + 4
    lanes: list[Lane] = []
    for heading, detail, bars in _bar_lanes(drill, axis, layout):
        lanes.append(Lane(heading=heading, detail=detail, y=y + HEADING_PX, bars=bars))
        y += HEADING_PX + LANE_PX + GAP_PX
    writes = _writes_lane(drill.writes, axis, y + HEADING_PX) if drill.writes else None
    return Drawing(
        layout=layout,
        description=_in_words(drill),
        ticks=axis.ticks(layout.ticks),
        flags=flags,
        lanes=tuple(lanes),
        writes=writes,
        lanes_y=lanes_y,
        axis_y=y + HEADING_PX + WRITES_PX + GAP_PX if writes else y,
    )


def _place_flags(events: Sequence[TimelineEvent], axis: Axis, layout: Layout) -> tuple[Flag, ...]:
    """Give each marker the highest row where it touches no other, and where no marker sits on an earlier one's line."""
    flags: list[Flag] = []
    taken: list[tuple[float, float, int]] = []  # right edge of the label, position, row
    for number, event in enumerate(events, start=1):
        left = axis.percent(event.seconds)
        x = left / 100 * layout.plot_px
        words_px = LETTER_PX * len(event.marker) + 6 if layout.words else 0
        touched = {row for right, _, row in taken if x - FLAG_RADIUS_PX - 3 < right}
        lowest = 1 + max((row for right, _, row in taken if x < right), default=-1)
        row = next(row for row in range(lowest, lowest + len(touched) + 1) if row not in touched)
        if row < layout.flag_rows:
            taken.append((x + FLAG_RADIUS_PX + words_px, x, row))
        y = row * FLAG_ROW_PX + FLAG_ROW_PX / 2 if row < layout.flag_rows else None
        flags.append(Flag(number=number, event=event, left=left, y=y))
    return tuple(flags)


def _bar_lanes(drill: DrillResult, axis: Axis, layout: Layout) -> Iterator[tuple[str, str, tuple[Bar, ...]]]:
    """The lanes of the clusters' roles and of the names' answers: heading, detail, bars."""

    def bar(style: str, label: str, short: str, span: RoleSpan | DnsSpan) -> Bar:
        left, right = axis.percent(span.start_seconds), axis.percent(span.end_seconds)
        room_px = (right - left) / 100 * layout.plot_px
        fitting = next((text for text in (label, short) if LETTER_PX * len(text) + 10 <= room_px), "")
        title = f"{label}, {shown(span.start_seconds)} to {shown(span.end_seconds)} s"
        return Bar(style=style, left=left, width=round(right - left, 3), label=fitting, title=title)

    for cluster_id, region in drill.clusters:
        spans = [span for span in drill.roles if span.cluster_id == cluster_id]
        yield region, cluster_id, tuple(bar(span.role, span.role, span.role[0].upper(), span) for span in spans)
    regions = list(dict.fromkeys(span.region for span in (*drill.roles, *drill.dns) if span.region))
    for name in dict.fromkeys(span.name for span in drill.dns):
        spans = [span for span in drill.dns if span.name == name]
        answers = [
            (f"answer-{regions.index(span.region) % 2}" if span.region else "answer-none", span) for span in spans
        ]
        bars = (bar(style, span.region or "no answer", (span.region or "")[:2], span) for style, span in answers)
        yield "DNS", f"{name} answers", tuple(bars)


def _writes_lane(writes: Sequence[LedgerSpan], axis: Axis, y: float) -> WritesLane:
    most_up, most_down = max(span.acknowledged for span in writes), max(span.failed for span in writes)
    px = WRITES_PX / max(most_up + most_down, 1)

    def height(count: int) -> float:
        return round(max(count * px, 3.0), 2) if count else 0.0  # one lost row must be seen among hundreds

    bars = tuple(
        WriteBar(
            left=axis.percent(span.start_seconds),
            width=round(axis.percent(span.end_seconds) - axis.percent(span.start_seconds), 3),
            kept_px=height(span.acknowledged - span.lost),
            lost_px=height(span.lost),
            failed_px=height(span.failed),
            title=f"{shown(span.start_seconds)} to {shown(span.end_seconds)} s: {_writes_words([span])}",
        )
        for span in writes
    )
    return WritesLane(
        detail=_writes_words(writes),
        y=y,
        baseline_y=y + most_up * px,
        bars=bars,
        lost=sum(span.lost for span in writes),
        lost_right=max((axis.percent(span.end_seconds) for span in writes if span.lost), default=0.0),
    )


def _writes_words(writes: Iterable[LedgerSpan]) -> str:
    spans = list(writes)
    acknowledged, failed, lost = (
        sum(getattr(span, what) for span in spans) for what in ("acknowledged", "failed", "lost")
    )
    return f"{acknowledged:,} acknowledged, {failed:,} failed, {lost:,} lost"


def _in_words(drill: DrillResult) -> str:
    """The drawing for those who can't see it."""
    sentences = [f"Seconds are counted from {drill.zero}."]
    for span in drill.roles:
        sentences.append(
            f"{span.region} is {span.role} from {shown(span.start_seconds)} to {shown(span.end_seconds)} s."
        )
    for span in drill.dns:
        answer = span.region or "nothing"
        sentences.append(
            f"{span.name} answers {answer} from {shown(span.start_seconds)} to {shown(span.end_seconds)} s."
        )
    if drill.writes:
        sentences.append(f"The client's writes: {_writes_words(drill.writes)}.")
    return " ".join([*sentences, "The numbered events are listed below."])
