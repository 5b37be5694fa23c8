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


def flowchart(boxes: Sequence[Box], needs: Mapping[str, Iterable[str]], direction: str = "LR") -> str:
    """Return a fenced flowchart, in the order of the boxes; `needs` says what each box (by key) needs first.

    Raises:
        ValueError: an arrow begins or ends at no box.
    """
    ids = {box.key: f"b{number}" for number, box in enumerate(boxes, start=1)}
    frames = dict.fromkeys(box.frame for box in boxes)
    lines = [f"flowchart {direction}"]
    for number, frame in enumerate(frames, start=1):
        inside = [f'{ids[box.key]}["{_label(box.lines)}"]' for box in boxes if box.frame == frame]
        if frame:
            lines += [
                f'  subgraph f{number} ["{_text(frame)}"]',
                f"    direction {direction}",
                *(f"    {one}" for one in inside),
            ]
            lines.append("  end")
        else:
            lines += [f"  {one}" for one in inside]
    unknown = sorted({key for pair in needs.items() for key in (pair[0], *pair[1])} - set(ids))
    if unknown:
        raise ValueError(f"arrows to or from what is not drawn: {', '.join(unknown)}")
    firsts = reduced(needs)
    lines += [f"  {ids[one]} --> {ids[then]}" for then in ids for one in ids if one in firsts.get(then, ())]
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


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
