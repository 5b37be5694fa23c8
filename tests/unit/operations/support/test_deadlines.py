"""Concurrent calls end within their deadline."""

import threading
import time

import pytest

from operations.support.deadlines import call_concurrently, call_with_deadline
from operations.support.errors import AwsError, OperationRefusedError
from tests.support.waiting import WAIT_SECONDS


def refuse() -> int:
    """Raise an error of the commands."""
    raise OperationRefusedError("no", hint="none")


def test_hanging_call_becomes_an_error_and_the_others_return() -> None:
    """At the deadline the hanging call is an AwsError; the other results and errors are returned."""
    release = threading.Event()
    started = time.monotonic()
    hung, answered, failed = call_concurrently(
        [lambda: int(release.wait(10 * WAIT_SECONDS)), lambda: 1, refuse], seconds=2.5
    )
    elapsed_seconds = time.monotonic() - started
    release.set()
    assert isinstance(hung, AwsError)
    assert hung.message == "did not respond within 2.5 s"
    assert answered == 1
    assert isinstance(failed, OperationRefusedError)
    assert elapsed_seconds < WAIT_SECONDS


def test_call_with_deadline_returns_the_result_or_raises_the_error() -> None:
    """The error of the call is raised unchanged."""
    assert call_with_deadline(lambda: 3) == 3
    with pytest.raises(OperationRefusedError, match="no"):
        call_with_deadline(refuse)


def test_exception_other_than_operation_error_is_raised() -> None:
    """A bug must not be reported as an error of AWS."""
    with pytest.raises(ZeroDivisionError):
        call_concurrently([lambda: 1 // 0])
