"""The outputs page explains every output with the docstrings of the code."""

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


def test_attribute_has_the_docstring_below_it() -> None:
    """An attribute without a docstring has an empty text."""
    assert {"first": "What it is, in two lines.", "second": "", "third": "The third."} == attribute_docstrings(
        _Documented
    )


def test_page_has_every_output() -> None:
    """Regional outputs have both flat names."""
    page = outputs.outputs_page()
    assert [] == [name for name in drawn_graph().outputs if f"`{name}`" not in page]


def test_unexplained_output_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An explanation of a removed output is an error, too."""
    names = [name for name in drawn_graph().outputs if name != "environment"]
    monkeypatch.setattr(outputs, "drawn_graph", lambda: Graph((), (*names, "brand_new")))
    with pytest.raises(ValueError, match="without a docstring: brand_new; not exported: environment"):
        outputs.outputs_page()
