"""A drill's timeline, to scale: where everything stands that the report page draws.

Along it places are in percent of the plot, so that text keeps its size on every screen; across it in pixels.
Owns: the lanes. Does not own: the facts (`report`, `report_phases`), time's place (`timeline_axis`), the markers' rows
(`timeline_markers`), the look (`page/`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from rehearsal.report.axis import LETTER_PX, Axis, Layout
from rehearsal.report.formatting import shown
from rehearsal.report.markers import DOT_ROW_PX, FLAG_ROW_PX, Flag, place_flags, stack_dots
from rehearsal.report.model import DnsSpan, DrillResult, EventKind, LedgerSpan, RoleSpan
from rehearsal.report.phases import phases

HEADING_PX, LANE_PX, GAP_PX, WRITES_PX = 18, 28, 10, 64
DOT_LANES = (
    ("Controllers", "what they judge", frozenset((EventKind.VERDICT, EventKind.HELD))),
    ("People", "what they are told", frozenset((EventKind.NOTICE,))),
)
IN_LANES = frozenset().union(*(kinds for _, _, kinds in DOT_LANES))


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
    flags = place_flags([(number, event) for number, event in events if event.kind not in IN_LANES], axis, layout)
    lanes_y = max((flag.y + FLAG_ROW_PX / 2 for flag in flags if flag.y is not None), default=0.0) + 6
    sheet = _Sheet(layout=layout, y=lanes_y)
    lanes = [_phase_lane(drill, axis, sheet)] if phases(drill) else []
    dots: list[Flag] = []
    for name, detail, kinds in DOT_LANES:
        stack = stack_dots([(number, event) for number, event in events if event.kind in kinds], axis, layout)
        dots += _in_lane(stack, sheet, name, detail) if stack else ()
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


def _in_lane(stack: Sequence[Flag], sheet: _Sheet, name: str, detail: str) -> Iterator[Flag]:
    """Dots in the middle of a lane of their own."""
    height = max(dot.y for dot in stack if dot.y is not None) + DOT_ROW_PX / 2
    lane_px = max(LANE_PX, height)
    top = sheet.lay(lane_px, name, detail) + (lane_px - height) / 2
    for dot in stack:
        yield replace(dot, y=None if dot.y is None else top + dot.y)


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
