"""Diagrams say what the graph says, in Mermaid's syntax."""

import re

import pytest

from docgen.diagram import Arrow, Box, flowchart, order, reduced


def test_a_box_stands_in_its_frame_and_an_arrow_leads_from_what_is_needed() -> None:
    """The whole text of a small one."""
    drawn = order([Box(key="a", lines=["net", "Vpc"], frame="here"), Box(key="b", lines=["db"])], {"b": ["a"]})
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


def test_what_means_something_to_mermaid_is_written_as_an_entity() -> None:
    """A quote would end the label."""
    assert 'b1["a #quot;b#quot; #35;1"]' in flowchart([Box(key="a", lines=['a "b" #1'])], [])


def test_an_arrow_to_nowhere_is_an_error() -> None:
    """It would be drawn as a box of its own."""
    with pytest.raises(ValueError, match="what is not drawn: c, d"):
        order([Box(key="a", lines=["a"])], {"a": ["c"], "d": ["a"]})


def test_an_implied_arrow_is_left_out() -> None:
    """Through one step or many; what is not implied stays."""
    assert {"b": ["a"], "c": ["b"], "d": ["c", "x"]} == reduced(
        {"b": ["a"], "c": ["a", "b"], "d": ["a", "b", "c", "x"]}
    )


def test_in_a_circle_every_arrow_stays() -> None:
    """Each implies the other: leaving both out would lose them."""
    assert {"a": ["b"], "b": ["a"], "c": ["a", "b"]} == reduced({"a": ["b"], "b": ["a"], "c": ["a", "b"]})


def test_the_same_boxes_make_the_same_text() -> None:
    """Whatever order a set has today."""
    boxes = [Box(key=key, lines=[key]) for key in "abcd"]
    texts = {order(boxes, {"d": list(firsts)}) for firsts in ("abc", "cba", "bca")}
    assert 1 == len(texts)
    assert ["b1 --> b4", "b2 --> b4", "b3 --> b4"] == re.findall(r"b\d --> b\d", texts.pop())


def test_a_word_stands_on_its_arrow() -> None:
    """Quoted, as whatever stands in it may mean something to Mermaid."""
    drawn = flowchart([Box(key=key, lines=[key]) for key in "ab"], [Arrow(start="a", end="b", word="sns:Publish")])
    assert '  b1 -- "sns:Publish" --> b2\n' in drawn
