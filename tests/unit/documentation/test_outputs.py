"""The page of outputs explains each, by the words that stand beside it in the code."""

from dataclasses import dataclass

import pytest

from documentation import outputs
from documentation.docstrings import attribute_docstrings


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
    assert [] == [name for name in outputs._exported() if f"`{name}`" not in page]  # pyright: ignore[reportPrivateUsage]


def test_an_output_without_a_word_stops_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so does a word about one that is gone."""
    exported = tuple(name for name in outputs._exported() if name != "environment")  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(outputs, "_exported", lambda: (*exported, "brand_new"))
    with pytest.raises(ValueError, match="without an explanation: brand_new; not exported: environment"):
        outputs.outputs_page()
