"""The page of outputs explains each, by the words that stand beside it in the code."""

from dataclasses import dataclass

import pytest

from docgen import outputs
from docgen.docstrings import attribute_docstrings
from docgen.graph import Graph, drawn_graph


@dataclass(frozen=True)
class _Documented:
    """A class."""

    first: str
    """What it is,
    in two lines."""
    second: int = 0
    third: int = 0
    """The third."""


def test_an_attribute_has_the_docstring_below_it() -> None:
    """And not that of its neighbour."""
    assert {"first": "What it is, in two lines.", "second": "", "third": "The third."} == attribute_docstrings(
        _Documented
    )


def test_every_output_of_the_program_stands_on_the_page() -> None:
    """Of a region: in both its flat forms."""
    page = outputs.outputs_page()
    assert [] == [name for name in drawn_graph().outputs if f"`{name}`" not in page]


def test_output_without_a_docstring_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so does a word about one that is gone."""
    names = [name for name in drawn_graph().outputs if name != "environment"]
    monkeypatch.setattr(outputs, "drawn_graph", lambda: Graph((), (*names, "brand_new")))
    with pytest.raises(ValueError, match="without a docstring: brand_new; not exported: environment"):
        outputs.outputs_page()
