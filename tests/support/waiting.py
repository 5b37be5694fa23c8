"""Waits for tests on a busy machine: a stall of the whole process never fails a test."""

import time
from collections.abc import Callable

WAIT_SECONDS = 60.0
"""Upper limit for a wait, and the tolerance on top of a deadline under test."""


def wait_until(condition: Callable[[], object], *, seconds: float = WAIT_SECONDS, pause_seconds: float = 0.005) -> bool:
    """Poll until the condition holds; return whether it did in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause_seconds)
    return True


def on_the_clock(action: Callable[[], object]) -> float:
    """Return the wall-clock seconds that an action takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started
