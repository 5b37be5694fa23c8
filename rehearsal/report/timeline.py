"""Layout of a drill's timeline, to scale. Horizontal positions are in percent of the plot, vertical ones in pixels."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from rehearsal.report.axis import LETTER_PX, Axis, Layout
from rehearsal.report.formatting import format_number
from rehearsal.report.markers import DOT_ROW_PX, MARKER_ROW_PX, Marker, place_markers, stack_dots
from rehearsal.report.model import DnsSpan, DrillResult, EventKind, RoleSpan, WriteSpan
from rehearsal.report.phases import phases

HEADING_PX, LANE_PX, GAP_PX, WRITES_PX = 18, 28, 10, 64
DOT_LANES = (
    ("Controllers", "verdicts", frozenset((EventKind.VERDICT, EventKind.HELD))),
    ("Notices", "sent", frozenset((EventKind.NOTICE,))),
)
IN_LANES = frozenset().union(*(kinds for _, _, kinds in DOT_LANES))


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A time interval of a lane, with its position in the drawing."""

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
    """The client's writes in one period: kept and lost above the baseline, failed below."""

    left: float
    width: float
    kept_px: float
    lost_px: float
    failed_px: float
    title: str


@dataclass(frozen=True, kw_only=True)
class WritesLane:
    """The lane of the client's writes; `lost_right` is the right end of the last loss."""

    y: float
    baseline_y: float
    bars: tuple[WriteBar, ...]
    lost: int
    lost_right: float


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A lane's heading; `y` is the top of the lane, `text` the full text."""

    name: str
    details: tuple[str, ...]
    y: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Everything the template draws, with positions."""

    layout: Layout
    description: str
    ticks: tuple[tuple[float, str], ...]
    markers: tuple[Marker, ...]
    dots: tuple[Marker, ...]
    headings: tuple[Heading, ...]
    lanes: tuple[Lane, ...]
    writes: tuple[WritesLane, ...]
    lanes_y: float
    axis_y: float


@dataclass(kw_only=True)
class _Sheet:
    """The lanes placed so far."""

    layout: Layout
    y: float
    headings: list[Heading] = field(default_factory=list)

    def add_lane(self, height_px: float, name: str, *details: str) -> float:
        """Add a lane below the last one; return the top of its content."""
        text, has_gutter = ", ".join(details), self.layout.gutter_px > 0
        top = self.y + (0 if has_gutter else HEADING_PX)
        room = int((self.layout.gutter_px - 12) / 6)
        lines = tuple(_shorten(line, room) for line in details) if has_gutter else (text,)
        self.headings.append(Heading(name=name, details=lines, y=top, text=text))
        self.y = top + height_px + GAP_PX
        return top


def draw(drill: DrillResult, layout: Layout) -> Drawing | None:
    """Lay out a drill's timeline; None without anything to draw."""
    axis = Axis.of(drill)
    if axis is None:
        return None
    events = list(enumerate(sorted(drill.timeline, key=lambda event: event.seconds), start=1))
    markers = place_markers([(number, event) for number, event in events if event.kind not in IN_LANES], axis, layout)
    lanes_y = max((marker.y + MARKER_ROW_PX / 2 for marker in markers if marker.y is not None), default=0.0) + 6
    sheet = _Sheet(layout=layout, y=lanes_y)
    lanes = [_phase_lane(drill, axis, sheet)] if phases(drill) else []
    dots: list[Marker] = []
    for name, detail, kinds in DOT_LANES:
        stack = stack_dots([(number, event) for number, event in events if event.kind in kinds], axis, layout)
        dots += _in_lane(stack, sheet, name, detail) if stack else ()
    for name, detail, bars in _bar_lanes(drill, axis, layout):
        lanes.append(Lane(y=sheet.add_lane(LANE_PX, name, detail), bars=bars))
    writes = tuple(
        _writes_lane(spans, axis, sheet.add_lane(WRITES_PX, name, *words)) for name, spans, words in _clients(drill)
    )
    return Drawing(
        layout=layout,
        description=_describe(drill),
        ticks=axis.ticks(layout.ticks),
        markers=markers,
        dots=tuple(dots),
        headings=tuple(sheet.headings),
        lanes=tuple(lanes),
        writes=writes,
        lanes_y=lanes_y,
        axis_y=sheet.y,
    )


def _in_lane(stack: Sequence[Marker], sheet: _Sheet, name: str, detail: str) -> Iterator[Marker]:
    """Center dots in a lane of their own."""
    height = max(dot.y for dot in stack if dot.y is not None) + DOT_ROW_PX / 2
    lane_px = max(LANE_PX, height)
    top = sheet.add_lane(lane_px, name, detail) + (lane_px - height) / 2
    for dot in stack:
        yield replace(dot, y=None if dot.y is None else top + dot.y)


def _bar(axis: Axis, layout: Layout, style: str, labels: Sequence[str], span: RoleSpan | DnsSpan) -> Bar:
    """Return a bar with the first label that fits."""
    left, right = axis.percent(span.start_seconds), axis.percent(span.end_seconds)
    title = f"{labels[0]}, {format_number(span.start_seconds)} to {format_number(span.end_seconds)} s"
    return Bar(
        style=style, left=left, width=round(right - left, 3), label=_fitting(labels, right - left, layout), title=title
    )


def _fitting(labels: Sequence[str], percent: float, layout: Layout) -> str:
    room_px = percent / 100 * layout.plot_px
    return next((text for text in labels if LETTER_PX * len(text) + 10 <= room_px), "")


def _phase_lane(drill: DrillResult, axis: Axis, sheet: _Sheet) -> Lane:
    """Return the lane of the phases up to the first write."""
    drill_phases = phases(drill)
    total = f"{format_number(drill_phases[-1].end_seconds - drill_phases[0].start_seconds)} s in total"
    bars: list[Bar] = []
    for index, phase in enumerate(drill_phases):
        left, right = axis.percent(phase.start_seconds), axis.percent(phase.end_seconds)
        seconds = f"{format_number(round(phase.seconds, 2))} s"
        bars.append(
            Bar(
                style=f"phase-{index % 2}",
                left=left,
                width=round(right - left, 3),
                label=_fitting((f"{phase.name} {seconds}", seconds, phase.name), right - left, sheet.layout),
                title=f"{phase.name}: {seconds}, {phase.description}",
            )
        )
    return Lane(y=sheet.add_lane(LANE_PX, "Time to first write", total), bars=tuple(bars))


def _bar_lanes(drill: DrillResult, axis: Axis, layout: Layout) -> Iterator[tuple[str, str, tuple[Bar, ...]]]:
    """Yield the lanes of roles and DNS answers: name, detail, bars."""
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


def _clients(drill: DrillResult) -> Iterator[tuple[str, Sequence[WriteSpan], Sequence[str]]]:
    """Yield the clients that wrote: heading, writes and their counts. Lost rows are counted for the first one only."""
    if drill.writes:
        yield "Client", drill.writes, _writes_words(drill.writes)
    if drill.unadvised_writes:
        yield "Without advice", drill.unadvised_writes, _writes_words(drill.unadvised_writes)[:2]


def _writes_lane(writes: Sequence[WriteSpan], axis: Axis, y: float) -> WritesLane:
    most_up, most_down = max(span.acknowledged for span in writes), max(span.failed for span in writes)
    px = WRITES_PX / max(most_up + most_down, 1)

    def height(count: int) -> float:
        return round(max(count * px, 3.0), 2) if count else 0.0  # a single lost row stays visible

    bars = tuple(
        WriteBar(
            left=axis.percent(span.start_seconds),
            width=round(axis.percent(span.end_seconds) - axis.percent(span.start_seconds), 3),
            kept_px=height(span.acknowledged - span.lost),
            lost_px=height(span.lost),
            failed_px=height(span.failed),
            title=f"{format_number(span.start_seconds)} to {format_number(span.end_seconds)} s: {', '.join(_writes_words([span]))}",
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


def _writes_words(writes: Iterable[WriteSpan]) -> tuple[str, str, str]:
    spans = list(writes)
    return (
        f"{sum(span.acknowledged for span in spans):,} acknowledged",
        f"{sum(span.failed for span in spans):,} failed",
        f"{sum(span.lost for span in spans):,} lost",
    )


def _shorten(text: str, room: int) -> str:
    """Shorten a name by leaving out its middle."""
    if len(text) <= room:
        return text
    head = (room - 1) // 2
    return f"{text[:head]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (room - 1 - head) :]}"


def _describe(drill: DrillResult) -> str:
    """Describe the drawing for screen readers."""
    sentences = [f"Seconds are counted from {drill.zero}."]
    sentences += [
        f"{phase.name} took {format_number(round(phase.seconds, 2))} s, {phase.description}." for phase in phases(drill)
    ]
    for span in drill.roles:
        sentences.append(
            f"{span.region} is {span.role} from {format_number(span.start_seconds)} to {format_number(span.end_seconds)} s."
        )
    for span in drill.dns:
        answer = span.region or "no address"
        sentences.append(
            f"{span.name} resolves to {answer} from {format_number(span.start_seconds)} to {format_number(span.end_seconds)} s."
        )
    if drill.writes:
        sentences.append(f"The client's writes: {', '.join(_writes_words(drill.writes))}.")
    if drill.unadvised_writes:
        words = ", ".join(_writes_words(drill.unadvised_writes)[:2])
        sentences.append(f"The writes of the client without the advice of docs/connecting.md: {words}.")
    return " ".join([*sentences, "The numbered events are listed below."])
