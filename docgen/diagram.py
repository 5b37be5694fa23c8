"""Mermaid flowcharts with framed boxes and arrows.

The text depends only on the boxes and arrows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Box:
    """One box: the lines of text and the optional frame."""

    key: str
    lines: Sequence[str]
    frame: str = ""


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """An arrow between the keys of two boxes, with an optional label."""

    start: str
    end: str
    label: str = ""


def flowchart(boxes: Sequence[Box], arrows: Sequence[Arrow], direction: str = "LR") -> str:
    """Return a fenced flowchart of boxes and arrows, in order.

    Raises:
        ValueError: an arrow has no box at one end.
    """
    ids = {box.key: f"b{number}" for number, box in enumerate(boxes, start=1)}
    unknown = sorted({key for arrow in arrows for key in (arrow.start, arrow.end)} - set(ids))
    if unknown:
        raise ValueError(f"arrows to or from unknown boxes: {', '.join(unknown)}")
    lines = [f"flowchart {direction}"]
    for number, frame in enumerate(dict.fromkeys(box.frame for box in boxes), start=1):
        box_lines = [f'{ids[box.key]}["{_label(box.lines)}"]' for box in boxes if box.frame == frame]
        if frame:
            lines += [f'  subgraph f{number} ["{_text(frame)}"]', f"    direction {direction}"]
            lines += [*(f"    {one}" for one in box_lines), "  end"]
        else:
            lines += [f"  {one}" for one in box_lines]
    for arrow in arrows:
        label = f' -- "{_text(arrow.label)}" -->' if arrow.label else " -->"
        lines.append(f"  {ids[arrow.start]}{label} {ids[arrow.end]}")
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def dependency_diagram(boxes: Sequence[Box], dependencies: Mapping[str, Iterable[str]], direction: str = "LR") -> str:
    """Return a flowchart with an arrow from each dependency to its dependent; `dependencies` are by box key."""
    direct = transitive_reduction(dependencies)
    keys = [box.key for box in boxes]
    # Keys without a box come last; flowchart() raises an error for them.
    arrows = [
        Arrow(start=dependency, end=dependent)
        for dependent in [*keys, *sorted(set(direct) - set(keys))]
        for dependency in sorted(
            direct.get(dependent, ()), key=lambda key: keys.index(key) if key in keys else len(keys)
        )
    ]
    return flowchart(boxes, arrows, direction)


def transitive_reduction(dependencies: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Remove implied dependencies: if c needs b and b needs a, the arrow from c to a is left out."""
    direct = {key: set(names) - {key} for key, names in dependencies.items()}

    def indirect(key: str, seen: set[str]) -> set[str]:
        for name in direct.get(key, ()):
            if name not in seen:
                seen.add(name)
                indirect(name, seen)
        return seen

    reachable = {key: indirect(key, set()) for key in {*direct, *(name for names in direct.values() for name in names)}}

    def is_implied(name: str, others: set[str]) -> bool:
        # In a cycle each dependency implies the other, so both stay.
        return any(name in reachable[other] and other not in reachable[name] for other in others)

    return {
        key: sorted(name for name in names if not is_implied(name, names - {name})) for key, names in direct.items()
    }


def _label(lines: Sequence[str]) -> str:
    return "<br/>".join(_text(line) for line in lines)


def _text(text: str) -> str:
    # Only these two characters are special inside quotes.
    return text.replace("#", "#35;").replace('"', "#quot;")
