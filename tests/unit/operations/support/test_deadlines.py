"""Calls side by side end within their deadline, whatever they do."""

import threading
import time

import pytest

from operations.support.deadlines import call_concurrently, call_with_deadline
from operations.support.errors import AwsError, OperationRefusedError
from tests.support.patience import PATIENCE_SECONDS


def refuse() -> int:
    """Fail as a command does."""
    raise OperationRefusedError("no", hint="none")


def test_a_call_that_hangs_ends_as_an_error_and_hides_no_other() -> None:
    """The others' results and errors are there; the hanging one is an AwsError, when the time is over."""
    release = threading.Event()
    started = time.monotonic()
    hung, answered, failed = call_concurrently(
        [lambda: int(release.wait(10 * PATIENCE_SECONDS)), lambda: 1, refuse], seconds=2.5
    )
    elapsed_seconds = time.monotonic() - started
    release.set()
    assert isinstance(hung, AwsError)
    assert hung.message == "no answer within 2.5 s"
    assert answered == 1
    assert isinstance(failed, OperationRefusedError)
    assert elapsed_seconds < PATIENCE_SECONDS


def test_bounded_raises_the_call_s_own_error() -> None:
    """One call gives its result or its error."""
    assert call_with_deadline(lambda: 3) == 3
    with pytest.raises(OperationRefusedError, match="no"):
        call_with_deadline(refuse)


def test_a_fault_of_ours_is_not_taken_for_an_answer_of_aws() -> None:
    """An error that is none of the commands' own comes through."""
    with pytest.raises(ZeroDivisionError):
        call_concurrently([lambda: 1 // 0])
