"""The texts of errors for the engine."""

from __future__ import annotations

import pytest

from rehearsal.provider.provider import ReadBackError
from rehearsal.provider.resources.handler import HandlerError
from rehearsal.provider.service import error_text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ReadBackError(
                [("secretString", "sent 'hunter22', but SecretString reads back as ''"), ("tags", "sent {}")]
            ),
            "secretString: does not read back as it was sent; tags: does not read back as it was sent",
        ),
        (HandlerError("too short", property="length"), "length: too short"),
        (HandlerError("no such type"), "no such type"),
        (ValueError("the state has only the hash"), "the state has only the hash"),
    ],
)
def test_error_names_the_property_and_quotes_no_value(error: Exception, text: str) -> None:
    """The engine prints the text, and a provider does not know which inputs are secrets."""
    assert error_text(error) == text
