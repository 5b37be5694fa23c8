"""Concurrent calls with a deadline.

A socket's timeout starts again with each byte, and name resolution and the search for credentials have
no timeout. So each call runs in a daemon thread, and only the wait for it is limited.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from operations.support.errors import AwsError, NoLoginError, OperationError

Result = TypeVar("Result")
DEADLINE_SECONDS = 6.0


def call_concurrently(
    calls: Sequence[Callable[[], Result]], seconds: float = DEADLINE_SECONDS
) -> list[Result | OperationError]:
    """Return each call's result or its `OperationError`, an `AwsError` for a call that has not ended in time.

    Any other exception is a bug and is raised.

    Raises:
        NoLoginError: a call had no credentials; the other calls say nothing about AWS then.
    """
    results: list[list[Result | BaseException]] = [[] for _ in calls]
    threads = [
        threading.Thread(target=_run, args=(call, result), daemon=True)
        for call, result in zip(calls, results, strict=True)
    ]
    until = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=max(0.0, until - time.monotonic()))
    outcomes = [_outcome(result, seconds) for result in results]
    for outcome in outcomes:
        if isinstance(outcome, NoLoginError):
            raise outcome
    return outcomes


def call_with_deadline(call: Callable[[], Result], seconds: float = DEADLINE_SECONDS) -> Result:
    """Return the call's result within the deadline.

    Raises:
        OperationError: the call raised it, or the deadline passed.
    """
    (result,) = call_concurrently([call], seconds)
    if isinstance(result, OperationError):
        raise result
    return result


def _run(call: Callable[[], Result], result: list[Result | BaseException]) -> None:
    try:
        result.append(call())
    except BaseException as error:  # noqa: BLE001 - the waiting thread raises it
        result.append(error)


def _outcome(results: list[Result | BaseException], seconds: float) -> Result | OperationError:
    if not results:
        return AwsError(
            f"did not respond within {seconds:g} s",
            hint="The region, the network or the source of the credentials may be down. Select the other region with --region.",
        )
    result = results[0]
    if isinstance(result, OperationError):
        return result
    if isinstance(result, BaseException):
        raise result
    return result
