"""Calls side by side end within their deadline, whatever they do."""

import threading
import time

import pytest

from operations.support.deadlines import bounded, side_by_side
from operations.support.errors import AwsError, RefusedError
from tests.support.waiting import WAIT_SECONDS


def refuse() -> int:
    """Fail as a command does."""
    raise RefusedError("no", hint="none")


def test_a_call_that_hangs_ends_as_an_error_and_hides_no_other() -> None:
    """The others' results and errors are there; the hanging one is an AwsError, when the time is over."""
    release = threading.Event()
    started = time.monotonic()
    hung, answered, failed = side_by_side(
        [lambda: int(release.wait(10 * WAIT_SECONDS)), lambda: 1, refuse], seconds=2.5
    )
    elapsed_seconds = time.monotonic() - started
    release.set()
    assert isinstance(hung, AwsError)
    assert hung.what == "no answer within 2.5 s"
    assert answered == 1
    assert isinstance(failed, RefusedError)
    assert elapsed_seconds < WAIT_SECONDS


def test_bounded_raises_the_call_s_own_error() -> None:
    """One call gives its result or its error."""
    assert bounded(lambda: 3) == 3
    with pytest.raises(RefusedError, match="no"):
        bounded(refuse)


def test_a_fault_of_ours_is_not_taken_for_an_answer_of_aws() -> None:
    """An error that is none of the commands' own comes through."""
    with pytest.raises(ZeroDivisionError):
        side_by_side([lambda: 1 // 0])
