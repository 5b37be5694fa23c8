"""A drill's lanes as ASCII text, to scale; readable without colour."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.text import Text

from rehearsal.report.axis import Axis
from rehearsal.report.formatting import MINUS
from rehearsal.report.model import DrillResult, Role, WriteSpan

ROLE_STYLES = {
    Role.WRITER: "bold white on blue",
    Role.STANDBY: "bright_blue",
    Role.UNREACHABLE: "bold white on red",
    Role.REJOINING: "black on yellow",
}
ROLE_FILLS = {Role.WRITER: "=", Role.STANDBY: "-", Role.UNREACHABLE: "x", Role.REJOINING: "~"}
ANSWER_FILL, ANSWER_STYLE = ".", "magenta"
WRITE_LETTERS = {"lost": ("!", "bold red"), "failed": ("x", "red"), "acknowledged": ("+", "green")}
"""Letters of the client's lane, the worst outcome first."""
TICK_LETTERS = 12
"""Minimum width of the axis for each label, in letters."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A labelled time interval of a lane, with its fill letter and style."""

    label: str
    fill: str
    style: str
    start: float
    end: float


def role_interval(role: Role, start: float, end: float) -> Interval:
    """Return the interval in which a cluster has a role."""
    return Interval(label=role, fill=ROLE_FILLS[role], style=ROLE_STYLES[role], start=start, end=end)


def answer_interval(region: str | None, start: float, end: float) -> Interval:
    """Return the interval in which a DNS name resolves to a region; None: to no address."""
    return Interval(label=region or "no answer", fill=ANSWER_FILL, style=ANSWER_STYLE, start=start, end=end)


def lane(intervals: Iterable[Interval], *, start: float, end: float, width: int) -> Text:
    """Return intervals side by side on a line of `width` letters from `start` to `end`."""
    per_second = width / (end - start)
    text, filled = Text(), 0
    for one in intervals:
        left, right = (round((min(max(at, start), end) - start) * per_second) for at in (one.start, one.end))
        text.append(" " * (left - filled))
        room = right - max(left, filled)
        label = f"{one.label} " if len(one.label) + 1 <= room else one.label[:1] if room > 0 else ""
        text.append(label + one.fill * (room - len(label)), style=one.style)
        filled = max(filled, right)
    text.append(" " * (width - filled))
    return text


def writes_lane(writes: Sequence[WriteSpan], *, start: float, end: float, width: int) -> Text:
    """Return the client's writes: each letter shows the worst outcome of its period."""
    cell = (end - start) / width
    text = Text()
    for index in range(width):
        left, right = start + index * cell, start + (index + 1) * cell
        within = [one for one in writes if one.start_seconds < right and one.end_seconds > left]
        happened = next((outcome for outcome in WRITE_LETTERS if any(getattr(one, outcome) for one in within)), None)
        text.append(*(WRITE_LETTERS[happened] if happened else (" ", "")))
    return text


def drill_lanes(drill: DrillResult, *, width: int, name_width: int) -> tuple[Text, ...]:
    """Return every lane of a drill with its name, and the axis in seconds; empty without anything to draw."""
    axis = Axis.of(drill)
    room = width - name_width
    if axis is None or room < TICK_LETTERS:
        return ()
    span = {"start": axis.start_seconds, "end": axis.end_seconds, "width": room}
    lanes: list[tuple[str, Text]] = []
    for cluster_id, region in drill.clusters:
        roles = [one for one in drill.roles if one.cluster_id == cluster_id]
        intervals = (role_interval(one.role, one.start_seconds, one.end_seconds) for one in roles)
        lanes.append((region, lane(intervals, **span)))
    for name in dict.fromkeys(one.name for one in drill.dns):
        answers = [one for one in drill.dns if one.name == name]
        intervals = (answer_interval(one.region, one.start_seconds, one.end_seconds) for one in answers)
        lanes.append(("DNS", lane(intervals, **span)))
    if drill.writes:
        lanes.append(("client", writes_lane(drill.writes, **span)))
    lanes.append(("seconds", Text(_axis_letters(axis, room), style="dim")))
    return tuple(Text.assemble((f"{name:<{name_width}}", "dim"), line) for name, line in lanes)


def _axis_letters(axis: Axis, width: int) -> str:
    letters = [" "] * width
    for percent, label in axis.ticks(max(1, width // TICK_LETTERS)):
        ascii_label = label.replace(MINUS, "-")
        at = min(round(percent / 100 * width), width - len(ascii_label))
        letters[at : at + len(ascii_label)] = ascii_label
    return "".join(letters).rstrip()
