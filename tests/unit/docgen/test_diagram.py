"""Mermaid flowcharts."""

import re

import pytest

from docgen.diagram import Arrow, Box, dependency_diagram, flowchart, transitive_reduction


def test_box_has_frame_and_arrow_starts_at_dependency() -> None:
    """The complete text of a small flowchart."""
    drawn = dependency_diagram(
        [Box(key="a", lines=["net", "Vpc"], frame="here"), Box(key="b", lines=["db"])], {"b": ["a"]}
    )
    assert (
        "```mermaid\n"
        "flowchart LR\n"
        '  subgraph f1 ["here"]\n'
        "    direction LR\n"
        '    b1["net<br/>Vpc"]\n'
        "  end\n"
        '  b2["db"]\n'
        "  b1 --> b2\n"
        "```\n"
    ) == drawn


def test_special_characters_are_escaped() -> None:
    """Quotes and hashes are entities."""
    assert 'b1["a #quot;b#quot; #35;1"]' in flowchart([Box(key="a", lines=['a "b" #1'])], [])


def test_arrow_to_unknown_box_is_an_error() -> None:
    """The error names the unknown keys."""
    with pytest.raises(ValueError, match="unknown boxes: c, d"):
        dependency_diagram([Box(key="a", lines=["a"])], {"a": ["c"], "d": ["a"]})


def test_implied_arrow_is_omitted() -> None:
    """Arrows implied by one or several steps are omitted."""
    assert {"b": ["a"], "c": ["b"], "d": ["c", "x"]} == transitive_reduction(
        {"b": ["a"], "c": ["a", "b"], "d": ["a", "b", "c", "x"]}
    )


def test_cycle_keeps_every_arrow() -> None:
    """Dependencies in a cycle do not imply each other."""
    assert {"a": ["b"], "b": ["a"], "c": ["a", "b"]} == transitive_reduction({"a": ["b"], "b": ["a"], "c": ["a", "b"]})


def test_text_is_deterministic() -> None:
    """The order of dependencies does not change the text."""
    boxes = [Box(key=key, lines=[key]) for key in "abcd"]
    texts = {dependency_diagram(boxes, {"d": list(names)}) for names in ("abc", "cba", "bca")}
    assert 1 == len(texts)
    assert ["b1 --> b4", "b2 --> b4", "b3 --> b4"] == re.findall(r"b\d --> b\d", texts.pop())


def test_arrow_has_its_label() -> None:
    """The label is quoted."""
    drawn = flowchart([Box(key=key, lines=[key]) for key in "ab"], [Arrow(start="a", end="b", label="sns:Publish")])
    assert '  b1 -- "sns:Publish" --> b2\n' in drawn
