"""Waits and measurements for tests on a busy machine: a stall of the whole process never fails a test."""

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

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


def least(measure: Callable[[], float], *, enough: float, most_rounds: int = 20) -> float:
    """Return the minimum of several measurements, stopping at the first one below `enough`.

    Other processes only add time, so a limit that one round keeps is kept.
    """
    found = measure()
    for _ in range(most_rounds - 1):
        if found < enough:
            break
        found = min(found, measure())
    return found


def on_the_clock(action: Callable[[], object]) -> float:
    """Return the wall-clock seconds that an action takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def in_child_processes(action: Callable[[], object]) -> float:
    """Return the processor seconds of the child processes that an action starts and waits for."""
    before = _children_seconds()
    action()
    return _children_seconds() - before


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def processor_seconds_of(process_id: int) -> float:
    """Return the processor seconds that a process has used so far."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
