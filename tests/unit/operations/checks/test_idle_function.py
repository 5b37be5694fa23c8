"""The check that Lambda would not refuse the invocation of database_setup."""

import pytest

from operations.checks.finding import Verdict
from operations.checks.idle_function import check_function, idle_function_checks
from operations.support.errors import NotThereError
from settings import load_settings
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import EAST


@pytest.mark.parametrize("state", ["Inactive", "Pending", "Failed"])
def test_function_that_cannot_be_invoked_fails_with_the_commands_that_wake_it(state: str) -> None:
    """The hint names the function and its region."""
    result = check_function("payments-database-setup-dev", EAST, state)
    assert (result.verdict, state in result.evidence) == (Verdict.FAILED, True)
    for words in (
        "aws lambda invoke",
        "aws lambda wait function-active-v2",
        f"--region {EAST}",
        "payments-database-setup-dev",
    ):
        assert words in result.hint


@pytest.mark.parametrize(("state", "said"), [("Active", "Active"), ("", "not deployed")])
def test_active_or_missing_function_passes(state: str, said: str) -> None:
    """Before the first deployment there is no function."""
    result = check_function("f", EAST, state)
    assert (result.verdict, said in result.evidence) == (Verdict.PASSED, True)


@pytest.mark.parametrize(("found", "verdict"), [({"State": "Inactive"}, Verdict.FAILED), (None, Verdict.PASSED)])
def test_state_is_read_in_the_primary_region(aws: FakeAws, found: dict[str, str] | None, verdict: Verdict) -> None:
    """A function that does not exist yet is no problem."""
    if found is None:
        aws.fail(EAST, "lambda", error=NotThereError("no such function", hint=""))
    else:
        aws.set(EAST, "lambda", "get_function_configuration", found)
    (check,) = idle_function_checks(load_settings({}), aws)
    (result,) = check.run()
    assert result.verdict == verdict
