"""When the provider validates credentials with its region's STS."""

import pytest

from rehearsal.provider.service import skips_validation


@pytest.mark.parametrize(
    ("inputs", "variable", "skips"),
    [
        ({}, None, False),
        ({}, "true", True),
        ({}, "1", True),
        ({}, "false", False),
        ({"skipCredentialsValidation": "false"}, "true", False),
        ({"skipCredentialsValidation": "true"}, None, True),
        ({"skipCredentialsValidation": True}, "false", True),
    ],
)
def test_input_counts_before_the_variable(inputs: dict[str, object], variable: str | None, skips: bool) -> None:
    """The SDK's default `false` would override the variable, so the program does not send it."""
    environment = {} if variable is None else {"AWS_SKIP_CREDENTIALS_VALIDATION": variable}
    assert skips_validation(inputs, environment) == skips
