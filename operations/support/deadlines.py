"""Calls side by side under one deadline that holds whatever a call does.

Owns the time limit. A socket's own time-outs start anew with every byte, and neither name resolution nor the search
for credentials has any; so the wait ends here, and the thread is left behind. Invariant: `call_concurrently` returns within
the deadline, and a left thread never keeps the process alive.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from operations.support.errors import AwsError, OperationError

Result = TypeVar("Result")
DEADLINE_SECONDS = 6.0


def call_concurrently(
    calls: Sequence[Callable[[], Result]], seconds: float = DEADLINE_SECONDS
) -> list[Result | OperationError]:
    """Return each call's result or its `OperationError`; one that has not ended in time is an `AwsError`.

    An error that is no `OperationError` is a fault of ours, and is raised.
    """
    ends: list[list[Result | BaseException]] = [[] for _ in calls]
    threads = [
        threading.Thread(target=_run, args=(call, end), daemon=True) for call, end in zip(calls, ends, strict=True)
    ]
    until = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=max(0.0, until - time.monotonic()))
    return [_taken(end, seconds) for end in ends]


def call_with_deadline(call: Callable[[], Result], seconds: float = DEADLINE_SECONDS) -> Result:
    """Return the call's result within the deadline.

    Raises:
        OperationError: the call's own, or an AwsError when the time is over.
    """
    (end,) = call_concurrently([call], seconds)
    if isinstance(end, OperationError):
        raise end
    return end


def _run(call: Callable[[], Result], end: list[Result | BaseException]) -> None:
    try:
        end.append(call())
    except BaseException as error:  # noqa: BLE001 - handed over to the waiting thread, which raises it
        end.append(error)


def _taken(end: list[Result | BaseException], seconds: float) -> Result | OperationError:
    if not end:
        return AwsError(
            f"no answer within {seconds:g} s",
            hint="The region, the way to it, or the source of the credentials may be down; --region picks the other region.",
        )
    result = end[0]
    if isinstance(result, OperationError):
        return result
    if isinstance(result, BaseException):
        raise result
    return result
