"""Mermaid flowcharts of a graph: boxes in frames, and an arrow from what is needed to what needs it.

Owns: Mermaid's syntax. Does not own: what is drawn. Invariant: the text depends on the nodes alone; an arrow that others
already imply is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Box:
    """One box: its lines, and the frame that it stands in (none: outside)."""

    key: str
    lines: Sequence[str]
    frame: str = ""


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """From one box to another, by their keys, with a word on it if it has one."""

    start: str
    end: str
    word: str = ""


def flowchart(boxes: Sequence[Box], arrows: Sequence[Arrow], direction: str = "LR") -> str:
    """Return a fenced flowchart of boxes and arrows, in their order.

    Raises:
        ValueError: an arrow begins or ends at no box.
    """
    ids = {box.key: f"b{number}" for number, box in enumerate(boxes, start=1)}
    unknown = sorted({key for arrow in arrows for key in (arrow.start, arrow.end)} - set(ids))
    if unknown:
        raise ValueError(f"arrows to or from what is not drawn: {', '.join(unknown)}")
    lines = [f"flowchart {direction}"]
    for number, frame in enumerate(dict.fromkeys(box.frame for box in boxes), start=1):
        inside = [f'{ids[box.key]}["{_label(box.lines)}"]' for box in boxes if box.frame == frame]
        if frame:
            lines += [f'  subgraph f{number} ["{_text(frame)}"]', f"    direction {direction}"]
            lines += [*(f"    {one}" for one in inside), "  end"]
        else:
            lines += [f"  {one}" for one in inside]
    for arrow in arrows:
        word = f' -- "{_text(arrow.word)}" -->' if arrow.word else " -->"
        lines.append(f"  {ids[arrow.start]}{word} {ids[arrow.end]}")
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def order(boxes: Sequence[Box], needs: Mapping[str, Iterable[str]], direction: str = "LR") -> str:
    """Return a flowchart of what has to exist first; `needs` says what each box (by key) needs."""
    firsts = reduced(needs)
    keys = [box.key for box in boxes]
    # Whatever no box stands for comes last, and is found there.
    arrows = [
        Arrow(start=first, end=then)
        for then in [*keys, *sorted(set(firsts) - set(keys))]
        for first in sorted(firsts.get(then, ()), key=lambda key: keys.index(key) if key in keys else len(keys))
    ]
    return flowchart(boxes, arrows, direction)


def reduced(needs: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Leave out what is implied: if c needs b and b needs a, then that c needs a goes without saying."""
    direct = {key: set(firsts) - {key} for key, firsts in needs.items()}

    def beyond(key: str, seen: set[str]) -> set[str]:
        for first in direct.get(key, ()):
            if first not in seen:
                seen.add(first)
                beyond(first, seen)
        return seen

    reach = {key: beyond(key, set()) for key in {*direct, *(first for firsts in direct.values() for first in firsts)}}

    def is_implied(first: str, others: set[str]) -> bool:
        # In a circle each would imply the other: then both stay.
        return any(first in reach[other] and other not in reach[first] for other in others)

    return {
        key: sorted(first for first in firsts if not is_implied(first, firsts - {first}))
        for key, firsts in direct.items()
    }


def _label(lines: Sequence[str]) -> str:
    return "<br/>".join(_text(line) for line in lines)


def _text(text: str) -> str:
    # Inside quotes only these two mean something to Mermaid.
    return text.replace("#", "#35;").replace('"', "#quot;")
