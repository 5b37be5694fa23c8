"""A drill's timeline, to scale: where everything stands that the report page draws.

Along it places are in percent of the plot, so that text keeps its size on every screen; across it in pixels.
Owns: the geometry. Does not own: the facts (`report`, `report_phases`), or the look (`page/`).
Invariant: no marker's words touch another's or are struck through by a line; what finds no room keeps its place in the list
of events below the drawing.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rehearsal.report import DnsSpan, DrillResult, EventKind, LedgerSpan, RoleSpan, TimelineEvent
from rehearsal.report_phases import phases
from rehearsal.wording import MINUS, shown


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way to draw a timeline: what fits on the narrowest plot that it is shown on.

    With a gutter the lanes' headings stand left of the plot, else above each lane.
    """

    name: str
    plot_px: float
    gutter_px: float
    right_px: float
    ticks: int
    words: bool
    flag_rows: int = 7


LAYOUTS = (
    Layout(name="broad", plot_px=680, gutter_px=172, right_px=26, ticks=14, words=True),
    Layout(name="wide", plot_px=448, gutter_px=172, right_px=26, ticks=10, words=True),
    Layout(name="narrow", plot_px=300, gutter_px=0, right_px=8, ticks=6, words=False),
)
LETTER_PX = 6.6  # of the page's 12 px labels, on the wide side
FLAG_RADIUS_PX, FLAG_ROW_PX = 9, 22
HEADING_PX, LANE_PX, GAP_PX, WRITES_PX, DOT_ROW_PX = 18, 28, 10, 64, 20
DOT_ROWS = 3
DOT_LANES = (
    ("Controllers", "what they judge", frozenset((EventKind.VERDICT, EventKind.HELD))),
    ("People", "what they are told", frozenset((EventKind.NOTICE,))),
)
IN_LANES = frozenset().union(*(kinds for _, _, kinds in DOT_LANES))


@dataclass(frozen=True, kw_only=True)
class Flag:
    """An event's numbered marker; without `y` when there is no room for it. `flipped`: its words stand left of it."""

    number: int
    event: TimelineEvent
    left: float
    y: float | None
    flipped: bool = False


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
    """A lane of bars."""

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

    y: float
    baseline_y: float
    bars: tuple[WriteBar, ...]
    lost: int
    lost_right: float


@dataclass(frozen=True, kw_only=True)
class Heading:
    """What a lane is, and of what, in lines that have room; `y` is the top of the lane, `words` the whole of it."""

    name: str
    details: tuple[str, ...]
    y: float
    words: str


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Everything that the template draws, with its places."""

    layout: Layout
    description: str
    ticks: tuple[tuple[float, str], ...]
    flags: tuple[Flag, ...]
    dots: tuple[Flag, ...]
    headings: tuple[Heading, ...]
    lanes: tuple[Lane, ...]
    writes: WritesLane | None
    lanes_y: float
    axis_y: float


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


@dataclass(kw_only=True)
class _Sheet:
    """The lanes as they are laid under each other."""

    layout: Layout
    y: float
    headings: list[Heading] = field(default_factory=list)

    def lay(self, height_px: float, name: str, *details: str) -> float:
        """Put a lane under the last one; return where its content begins."""
        words, has_gutter = ", ".join(details), self.layout.gutter_px > 0
        top = self.y + (0 if has_gutter else HEADING_PX)
        room = int((self.layout.gutter_px - 12) / 6)
        lines = tuple(_cut(line, room) for line in details) if has_gutter else (words,)
        self.headings.append(Heading(name=name, details=lines, y=top, words=words))
        self.y = top + height_px + GAP_PX
        return top


def draw(drill: DrillResult, layout: Layout) -> Drawing | None:
    """Place a drill's timeline; None when there is nothing to draw."""
    axis = Axis.of(drill)
    if axis is None:
        return None
    events = list(enumerate(sorted(drill.timeline, key=lambda event: event.seconds), start=1))
    flags = _place_flags([(number, event) for number, event in events if event.kind not in IN_LANES], axis, layout)
    lanes_y = max((flag.y + FLAG_ROW_PX / 2 for flag in flags if flag.y is not None), default=0.0) + 6
    sheet = _Sheet(layout=layout, y=lanes_y)
    lanes = [_phase_lane(drill, axis, sheet)] if phases(drill) else []
    dots: list[Flag] = []
    for name, detail, kinds in DOT_LANES:
        dots += _lay_dots(
            [(number, event) for number, event in events if event.kind in kinds], name, detail, axis, sheet
        )
    for name, detail, bars in _bar_lanes(drill, axis, layout):
        lanes.append(Lane(y=sheet.lay(LANE_PX, name, detail), bars=bars))
    writes = None
    if drill.writes:
        writes = _writes_lane(drill.writes, axis, sheet.lay(WRITES_PX, "Client", *_writes_words(drill.writes)))
    return Drawing(
        layout=layout,
        description=_in_words(drill),
        ticks=axis.ticks(layout.ticks),
        flags=flags,
        dots=tuple(dots),
        headings=tuple(sheet.headings),
        lanes=tuple(lanes),
        writes=writes,
        lanes_y=lanes_y,
        axis_y=sheet.y,
    )


@dataclass(frozen=True, kw_only=True)
class _Placed:
    """A marker in a row, in pixels: its line goes down from `x`, its words stand on one side of it."""

    row: int
    x: float
    words_px: float
    flipped: bool

    @property
    def left(self) -> float:
        """Where what it takes of its row begins."""
        return self.x - FLAG_RADIUS_PX - 2 - (self.words_px if self.flipped else 0)

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.x + FLAG_RADIUS_PX + 2 + (0 if self.flipped else self.words_px)

    def is_clear_of(self, other: "_Placed") -> bool:
        """Whether neither touches the other, nor strikes through its words; behind its marker a line may pass."""
        upper, lower = (self, other) if self.row <= other.row else (other, self)
        if upper.row == lower.row:
            return upper.right < lower.left or lower.right < upper.left
        return not lower.words_px or not lower.left <= upper.x <= lower.right or abs(upper.x - lower.x) < FLAG_RADIUS_PX


def _place_flags(events: Sequence[tuple[int, TimelineEvent]], axis: Axis, layout: Layout) -> tuple[Flag, ...]:
    """Give each marker the highest row where it is clear of all others; what a word names goes before plain notes."""
    placed: dict[int, _Placed] = {}
    for number, event in sorted(events, key=lambda one: not one[1].marker):
        x = axis.percent(event.seconds) / 100 * layout.plot_px
        words_px = LETTER_PX * len(event.marker) + 6 if layout.words and event.marker else 0.0
        flipped = x + FLAG_RADIUS_PX + words_px > layout.plot_px + layout.right_px
        options = (_Placed(row=row, x=x, words_px=words_px, flipped=flipped) for row in range(layout.flag_rows))
        clear = (one for one in options if all(one.is_clear_of(other) for other in placed.values()))
        if (found := next(clear, None)) is not None:
            placed[number] = found
    return tuple(
        Flag(
            number=number,
            event=event,
            left=axis.percent(event.seconds),
            y=placed[number].row * FLAG_ROW_PX + FLAG_ROW_PX / 2 if number in placed else None,
            flipped=number in placed and placed[number].flipped,
        )
        for number, event in events
    )


def _lay_dots(
    events: Sequence[tuple[int, TimelineEvent]], name: str, detail: str, axis: Axis, sheet: _Sheet
) -> Iterator[Flag]:
    """A lane of numbered dots, in as many rows as they need; one that finds no room is a line without a number."""
    rows: list[float] = []
    places: list[int | None] = []
    for _, event in events:
        x = axis.percent(event.seconds) / 100 * sheet.layout.plot_px
        row = next((row for row, last in enumerate(rows) if x - last > 2 * FLAG_RADIUS_PX), None)
        if row is None and len(rows) < DOT_ROWS:
            rows.append(x)
            row = len(rows) - 1
        elif row is not None:
            rows[row] = x
        places.append(row)
    if events:
        height = max(LANE_PX, DOT_ROW_PX * len(rows))
        first = sheet.lay(height, name, detail) + (height - DOT_ROW_PX * len(rows)) / 2 + DOT_ROW_PX / 2
        for (number, event), row in zip(events, places, strict=True):
            y = None if row is None else first + row * DOT_ROW_PX
            yield Flag(number=number, event=event, left=axis.percent(event.seconds), y=y)


def _bar(axis: Axis, layout: Layout, style: str, labels: Sequence[str], span: RoleSpan | DnsSpan) -> Bar:
    """A bar with the first of the labels that it has room for."""
    left, right = axis.percent(span.start_seconds), axis.percent(span.end_seconds)
    title = f"{labels[0]}, {shown(span.start_seconds)} to {shown(span.end_seconds)} s"
    return Bar(
        style=style, left=left, width=round(right - left, 3), label=_fitting(labels, right - left, layout), title=title
    )


def _fitting(labels: Sequence[str], percent: float, layout: Layout) -> str:
    room_px = percent / 100 * layout.plot_px
    return next((text for text in labels if LETTER_PX * len(text) + 10 <= room_px), "")


def _phase_lane(drill: DrillResult, axis: Axis, sheet: _Sheet) -> Lane:
    """How the time to the first write divides."""
    found = phases(drill)
    whole = f"{shown(found[-1].end_seconds - found[0].start_seconds)} s in all"
    bars: list[Bar] = []
    for index, phase in enumerate(found):
        left, right = axis.percent(phase.start_seconds), axis.percent(phase.end_seconds)
        seconds = f"{shown(round(phase.seconds, 2))} s"
        bars.append(
            Bar(
                style=f"phase-{index % 2}",
                left=left,
                width=round(right - left, 3),
                label=_fitting((f"{phase.word} {seconds}", seconds, phase.word), right - left, sheet.layout),
                title=f"{phase.word}: {seconds}, {phase.sentence}",
            )
        )
    return Lane(y=sheet.lay(LANE_PX, "Time to write again", whole), bars=tuple(bars))


def _bar_lanes(drill: DrillResult, axis: Axis, layout: Layout) -> Iterator[tuple[str, str, tuple[Bar, ...]]]:
    """The lanes of the clusters' roles and of the names' answers: name, detail, bars."""
    for cluster_id, region in drill.clusters:
        spans = [span for span in drill.roles if span.cluster_id == cluster_id]
        bars = (_bar(axis, layout, span.role, (span.role, span.role[0].upper()), span) for span in spans)
        yield region, cluster_id, tuple(bars)
    regions = list(dict.fromkeys(span.region for span in (*drill.roles, *drill.dns) if span.region))
    for name in dict.fromkeys(span.name for span in drill.dns):
        spans = [span for span in drill.dns if span.name == name]
        answers = [
            (f"answer-{regions.index(span.region) % 2}" if span.region else "answer-none", span) for span in spans
        ]
        bars = (
            _bar(axis, layout, style, (span.region or "no answer", (span.region or "")[:2]), span)
            for style, span in answers
        )
        yield "DNS", f"{name}", tuple(bars)


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
            title=f"{shown(span.start_seconds)} to {shown(span.end_seconds)} s: {', '.join(_writes_words([span]))}",
        )
        for span in writes
    )
    return WritesLane(
        y=y,
        baseline_y=y + most_up * px,
        bars=bars,
        lost=sum(span.lost for span in writes),
        lost_right=max((axis.percent(span.end_seconds) for span in writes if span.lost), default=0.0),
    )


def _writes_words(writes: Iterable[LedgerSpan]) -> tuple[str, str, str]:
    spans = list(writes)
    return (
        f"{sum(span.acknowledged for span in spans):,} acknowledged",
        f"{sum(span.failed for span in spans):,} failed",
        f"{sum(span.lost for span in spans):,} lost",
    )


def _cut(text: str, room: int) -> str:
    """A name with its middle left out where it has no room: its ends tell it from others."""
    if len(text) <= room:
        return text
    head = (room - 1) // 2
    return f"{text[:head]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (room - 1 - head) :]}"


def _in_words(drill: DrillResult) -> str:
    """The drawing for those who can't see it."""
    sentences = [f"Seconds are counted from {drill.zero}."]
    sentences += [f"{phase.word} took {shown(round(phase.seconds, 2))} s, {phase.sentence}." for phase in phases(drill)]
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
        sentences.append(f"The client's writes: {', '.join(_writes_words(drill.writes))}.")
    return " ".join([*sentences, "The numbered events are listed below."])
