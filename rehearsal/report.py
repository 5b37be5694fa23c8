"""What a rehearsal found, as frozen facts, and its two files: report.json for machines, report.html for people.

Owns: the report's types, its JSON, the geometry of the drawn timeline, the writing of both files.
Does not own: what is measured or asserted (`drills`), how the page looks (`report.html.j2`), the terminal (`console`).
Invariant: nothing here says "passed" by itself; it follows from the assertions alone, and no assertions is not passed.
"""

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

JSON_NAME = "report.json"
HTML_NAME = "report.html"
MINUS = "\N{MINUS SIGN}"


class EventKind(StrEnum):
    """What sort of thing happened; the page and the terminal show this word."""

    OUTAGE = "outage"  # the rehearsal breaks something
    RECOVERY = "recovery"  # the rehearsal mends it
    VERDICT = "verdict"  # a controller's decision of a beat
    HELD = "held"  # a rule wanted to act, a guard held it
    CALL = "call"  # a failover or switchover call to the RDS API
    PROMOTION = "promotion"  # a cluster became the writer
    REJOIN = "rejoin"  # a cluster came back as a reader
    DNS = "dns"  # a name answers something else
    CLIENT = "client"  # what the writing client met
    NOTICE = "notice"  # a message to people
    NOTE = "note"  # anything else

    @property
    def words(self) -> str:
        """The kind for people."""
        return "DNS" if self is EventKind.DNS else str(self)


class Role(StrEnum):
    """What a cluster is at a moment, as its lane shows it."""

    WRITER = "writer"
    STANDBY = "standby"
    DARK = "dark"
    REJOINING = "rejoining"


class WriteOutcome(StrEnum):
    """What became of one write of the client; each write has exactly one outcome."""

    ACKNOWLEDGED = "acknowledged"  # the client got its answer and the row is still there at the end
    FAILED = "failed"  # the client got an error or no answer
    LOST = "lost"  # the client got its answer, and the row is gone


@dataclass(frozen=True, kw_only=True)
class Assertion:
    """One thing that must hold, whether it did, and the evidence."""

    text: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class TimelineEvent:
    """One moment of a drill, in seconds since the drill's zero (negative before it).

    `label` is a word or two beside its marker in the drawing ("first write"); without it the kind stands there.
    """

    seconds: float
    event: str
    kind: EventKind = EventKind.NOTE
    region: str | None = None
    label: str = ""

    @property
    def marker(self) -> str:
        """What stands beside the marker: the label, the kind, or nothing for a plain note."""
        return self.label or ("" if self.kind is EventKind.NOTE else self.kind.words)


@dataclass(frozen=True, kw_only=True)
class RoleSpan:
    """A cluster's role over a stretch of time."""

    cluster_id: str
    region: str
    role: Role
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, kw_only=True)
class DnsSpan:
    """The region that a name answered over a stretch of time; None when it answered nothing."""

    name: str
    region: str | None
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, kw_only=True)
class LedgerSpan:
    """The client's writes in a stretch of time: `acknowledged` includes the ones that were lost afterwards."""

    start_seconds: float
    end_seconds: float
    acknowledged: int = 0
    failed: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        if self.lost > self.acknowledged:
            raise ValueError(f"{self.lost} rows lost of {self.acknowledged} acknowledged at {self.start_seconds} s")


@dataclass(frozen=True, kw_only=True)
class TimeScale:
    """The beat of this rehearsal against the beat that is deployed; every period shrinks by the same factor."""

    beat_seconds: float
    deployed_beat_seconds: float = 10.0

    @property
    def factor(self) -> float:
        """How many times shorter every period was here than it is when deployed."""
        return self.deployed_beat_seconds / self.beat_seconds

    @property
    def words(self) -> str:
        """The time scale as a sentence for people."""
        here, deployed = shown(self.beat_seconds), shown(self.deployed_beat_seconds)
        if math.isclose(self.factor, 1.0):
            return f"No period was shrunk: the beat of {here} s is the deployed one."
        if self.factor < 1.0:
            return f"No period was shrunk: the beat was {here} s, longer than the deployed {deployed} s."
        return (
            f"Periods shrunk by factor {shown(self.factor)} because the beat was shortened "
            f"from {deployed} s to {here} s: what takes 60 s when deployed took {shown(60 / self.factor)} s here."
        )


@dataclass(frozen=True, kw_only=True)
class DrillResult:
    """One drill: what happened, what was measured, what had to hold.

    `zero` says in words what second 0 is. `key_measurements` name the numbers for the summary (else the first three).
    `error` is what ended the drill before its assertions were all checked.

    Raises:
        ValueError: a measurement isn't a finite number (leave out what was never reached), or a key names none.
    """

    name: str
    title: str
    assertions: tuple[Assertion, ...]
    timeline: tuple[TimelineEvent, ...]
    measurements: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    zero: str = "the start of the drill"
    description: str = ""
    roles: tuple[RoleSpan, ...] = ()
    dns: tuple[DnsSpan, ...] = ()
    writes: tuple[LedgerSpan, ...] = ()
    key_measurements: tuple[str, ...] = ()
    error: str | None = None

    def __post_init__(self) -> None:
        for name, value in self.measurements.items():
            if not math.isfinite(value):
                raise ValueError(f"drill {self.name}: measurement {name} is {value}; leave out what was never reached")

    @property
    def passed(self) -> bool:
        """Whether the drill ran to its end and every assertion held; a drill without assertions proves nothing."""
        return self.error is None and bool(self.assertions) and all(one.passed for one in self.assertions)

    @property
    def failures(self) -> tuple[Assertion, ...]:
        """The assertions that did not hold."""
        return tuple(one for one in self.assertions if not one.passed)

    @property
    def key_numbers(self) -> dict[str, float]:
        """The measurements for the summary; a key that this run never reached is left out."""
        names = self.key_measurements or tuple(self.measurements)[:3]
        return {name: self.measurements[name] for name in names if name in self.measurements}

    def to_json(self) -> dict[str, Any]:
        """The drill as report.json holds it."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "passed": self.passed,
            "error": self.error,
            "seconds": self.seconds,
            "zero": self.zero,
            "assertions": [{"text": one.text, "passed": one.passed, "detail": one.detail} for one in self.assertions],
            "timeline": [_event_json(one) for one in sorted(self.timeline, key=lambda event: event.seconds)],
            "measurements": dict(self.measurements),
            "lanes": _lanes_json(self),
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """A whole rehearsal.

    `subject` names what was rehearsed (the global cluster). `started_at` is aware. `resources` counts by region (or
    "global") and type. `notes` say what the emulator doesn't hold and what was shrunk. `errors` are what ended the
    rehearsal outside a drill, such as a failed deployment.

    Raises:
        ValueError: `started_at` isn't aware.
    """

    started_at: datetime
    seconds: float
    subject: str = ""
    time_scale: TimeScale
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    resources: Mapping[str, Mapping[str, int]]
    deployment_seconds: float
    drills: tuple[DrillResult, ...]
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.started_at.tzinfo is None:
            raise ValueError("started_at must be an aware datetime")

    @property
    def passed(self) -> bool:
        """Whether there were drills, all passed, and nothing else went wrong."""
        return not self.errors and bool(self.drills) and all(drill.passed for drill in self.drills)

    @property
    def resource_count(self) -> int:
        """How many resources were created, in all regions."""
        return sum(sum(types.values()) for types in self.resources.values())

    def to_json(self) -> dict[str, Any]:
        """The report as report.json holds it: plain JSON types only."""
        return {
            "passed": self.passed,
            "subject": self.subject,
            "started_at": self.started_at.isoformat(),
            "seconds": self.seconds,
            "time_scale": {
                "factor": self.time_scale.factor,
                "beat_seconds": self.time_scale.beat_seconds,
                "deployed_beat_seconds": self.time_scale.deployed_beat_seconds,
                "words": self.time_scale.words,
            },
            "settings": dict(self.settings),
            "versions": dict(self.versions),
            "resources": {region: dict(types) for region, types in self.resources.items()},
            "deployment": {"seconds": self.deployment_seconds, "resources": self.resource_count},
            "drills": [drill.to_json() for drill in self.drills],
            "notes": list(self.notes),
            "errors": list(self.errors),
        }


@dataclass(frozen=True, kw_only=True)
class ReportPaths:
    """Where the report was written."""

    json: Path
    html: Path


def write_report(report: Report, directory: Path) -> ReportPaths:
    """Write report.json and report.html, each at once: a reader finds the old file or the new one, never half of one.

    Both are rendered before either is written, so a report that can't be rendered leaves the old pair as it was.

    Raises:
        TypeError, ValueError: a setting isn't JSON.
        OSError: the directory can't be made or written to.
    """
    contents = json.dumps(report.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    page = render_html(report)
    directory.mkdir(parents=True, exist_ok=True)
    paths = ReportPaths(json=directory / JSON_NAME, html=directory / HTML_NAME)
    _write_at_once(paths.json, contents)
    _write_at_once(paths.html, page)
    return paths


def render_html(report: Report) -> str:
    """The page: one self-contained file, everything from outside escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "shown": shown,
        "duration": duration_words,
        "settled": setting_words,
        "clock": clock_words,
        "breakable": lambda words: Markup("<wbr>").join(re.split(r"(?<=[:/._])", words)),  # long names on a phone
        "moment": lambda moment: f"{moment.day} {moment:%B %Y, %H:%M} UTC",
    }
    drawings = [[drawing for layout in LAYOUTS if (drawing := draw(drill, layout))] for drill in report.drills]
    return environment.get_template(f"{HTML_NAME}.j2").render(
        report=report,
        started_at=report.started_at.astimezone(UTC),
        drills=list(zip(report.drills, drawings, strict=True)),
        settings=dict(_flattened(report.settings)),
        resources=ResourceTable.of(report.resources),
        measured=measurement_words,
    )


# What the drills record, turned into what the report holds


def role_spans(
    *, cluster_id: str, region: str, changes: Iterable[tuple[float, Role]], end_seconds: float
) -> tuple[RoleSpan, ...]:
    """A cluster's lane from its changes of role `(seconds, role)`; the last one lasts until `end_seconds`."""
    return tuple(
        RoleSpan(cluster_id=cluster_id, region=region, role=role, start_seconds=start, end_seconds=end)
        for role, start, end in _stretches(changes, end_seconds)
    )


def dns_spans(*, name: str, changes: Iterable[tuple[float, str | None]], end_seconds: float) -> tuple[DnsSpan, ...]:
    """A name's lane from its changes of answer `(seconds, region)`; the last one lasts until `end_seconds`."""
    return tuple(
        DnsSpan(name=name, region=region, start_seconds=start, end_seconds=end)
        for region, start, end in _stretches(changes, end_seconds)
    )


def bucket_writes(
    writes: Iterable[tuple[float, WriteOutcome]], *, width_seconds: float = 0.5
) -> tuple[LedgerSpan, ...]:
    """Count the client's writes `(seconds, outcome)` in stretches of `width_seconds`; empty ones are left out."""
    counts: dict[int, dict[WriteOutcome, int]] = {}
    for seconds, outcome in writes:
        bucket = counts.setdefault(math.floor(seconds / width_seconds), dict.fromkeys(WriteOutcome, 0))
        bucket[outcome] += 1
    return tuple(
        LedgerSpan(
            start_seconds=index * width_seconds,
            end_seconds=(index + 1) * width_seconds,
            acknowledged=count[WriteOutcome.ACKNOWLEDGED] + count[WriteOutcome.LOST],
            failed=count[WriteOutcome.FAILED],
            lost=count[WriteOutcome.LOST],
        )
        for index, count in sorted(counts.items())
    )


Changed = TypeVar("Changed")


def _stretches(changes: Iterable[tuple[float, Changed]], end_seconds: float) -> Iterator[tuple[Changed, float, float]]:
    """Each state with its start and end; one announced again goes on, one that lasted no time is left out."""
    ordered: list[tuple[float, Changed]] = []
    for seconds, state in sorted(changes, key=lambda change: change[0]):
        if ordered and ordered[-1][0] == seconds:
            ordered.pop()
        if not ordered or ordered[-1][1] != state:
            ordered.append((seconds, state))
    ends = [seconds for seconds, _ in ordered[1:]] + [end_seconds]
    for (start, state), end in zip(ordered, ends, strict=False):
        if end > start:
            yield state, start, end


# Words


def shown(value: float) -> str:
    """A number for people: whole, or at most two decimals; small ones keep two digits."""
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:.2g}" if abs(value) < 0.1 else f"{value:,.2f}".rstrip("0").rstrip(".")


def duration_words(seconds: float) -> str:
    """A duration for people: `12.3 s`, or `1 min 43 s` from two minutes on."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def clock_words(seconds: float) -> str:
    """A moment of a drill with two decimals and a true minus sign."""
    return f"{seconds:.2f}".replace("-", MINUS)


UNITS = {"seconds": "s", "ms": "ms", "percent": "%", "count": ""}
ACRONYMS = {"dns": "DNS", "rpo": "RPO", "rto": "RTO", "api": "API", "rds": "RDS", "ttl": "TTL"}


def measurement_words(name: str, value: float) -> tuple[str, str, str]:
    """A measurement's label, number and unit: `dns_moved_seconds`, 9.0 -> `DNS moved`, `9`, `s`."""
    stem, _, unit = name.rpartition("_")
    label = " ".join(ACRONYMS.get(word, word) for word in (stem or unit).split("_"))
    unit = UNITS.get(unit, unit) if stem else ""
    if value == 1 and unit not in UNITS.values():
        unit = unit.removesuffix("s")
    return label[:1].upper() + label[1:], shown(value), unit


def setting_words(value: object) -> str:
    """A setting's value for people."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return shown(value)
    if isinstance(value, list | tuple):
        return ", ".join(setting_words(one) for one in value) or "none"
    return str(value)


def _flattened(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@dataclass(frozen=True, kw_only=True)
class ResourceTable:
    """The counts of resources with a column a region ("global" last) and a row a type."""

    regions: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    totals: tuple[int, ...]

    @classmethod
    def of(cls, resources: Mapping[str, Mapping[str, int]]) -> "ResourceTable":
        """Arrange the counts."""
        regions = tuple(sorted(resources, key=lambda region: (region == "global", region)))
        types = sorted({token for counts in resources.values() for token in counts})
        return cls(
            regions=regions,
            rows=tuple((token, tuple(resources[region].get(token, 0) for region in regions)) for token in types),
            totals=tuple(sum(resources[region].values()) for region in regions),
        )


# The timeline, to scale. Along it percent of the plot, so that text keeps its size on every screen; across it pixels.


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

    for cluster_id, region in _clusters(drill):
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


def _clusters(drill: DrillResult) -> list[tuple[str, str]]:
    return list(dict.fromkeys((span.cluster_id, span.region) for span in drill.roles))


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


# JSON


def _event_json(event: TimelineEvent) -> dict[str, Any]:
    record: dict[str, Any] = {"seconds": event.seconds, "event": event.event, "kind": str(event.kind)}
    return record | {name: text for name, text in (("region", event.region), ("label", event.label)) if text}


def _lanes_json(drill: DrillResult) -> list[dict[str, Any]]:
    lanes: list[dict[str, Any]] = []
    for cluster_id, region in _clusters(drill):
        spans = [_span_json(span, role=str(span.role)) for span in drill.roles if span.cluster_id == cluster_id]
        lanes.append({"lane": "role", "cluster_id": cluster_id, "region": region, "spans": spans})
    for name in dict.fromkeys(span.name for span in drill.dns):
        spans = [_span_json(span, region=span.region) for span in drill.dns if span.name == name]
        lanes.append({"lane": "dns", "name": name, "spans": spans})
    if drill.writes:
        spans = [
            _span_json(one, acknowledged=one.acknowledged, failed=one.failed, lost=one.lost) for one in drill.writes
        ]
        lanes.append({"lane": "writes", "spans": spans})
    return lanes


def _span_json(span: RoleSpan | DnsSpan | LedgerSpan, **what: str | int | None) -> dict[str, Any]:
    return {"start_seconds": span.start_seconds, "end_seconds": span.end_seconds, **what}


def _write_at_once(path: Path, contents: str) -> None:
    """Write beside the file, then put it in its place; a write that fails leaves nothing behind."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(contents, encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
