"""How tests wait and measure on a machine that has other work to do.

Owns the patience of everything that waits for real threads, sockets and processes, and how a limit on time is checked.
Does not own what is waited for. Invariant: a stall of the whole process never fails a test; what comes is not waited
for any longer, so that only a failure takes the whole patience.
"""

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 60.0
"""How long a test waits for what must come, and what may come on top of a deadline that must hold."""


def wait_until(
    condition: Callable[[], object], *, seconds: float = PATIENCE_SECONDS, pause_seconds: float = 0.005
) -> bool:
    """Tell whether something becomes so in time; a look that costs much may be followed by a longer pause."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause_seconds)
    return True


def least(measure: Callable[[], float], *, enough: float, most_rounds: int = 20) -> float:
    """Return the least of several measurements, which end with the first one below `enough`.

    Noise only ever adds time: a limit that one round keeps is kept, one that no round keeps is not.
    """
    found = measure()
    for _ in range(most_rounds - 1):
        if found < enough:
            break
        found = min(found, measure())
    return found


def on_the_clock(action: Callable[[], object]) -> float:
    """Return how many seconds an action takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def in_child_processes(action: Callable[[], object]) -> float:
    """Return how much processor time, in seconds, the child processes took that an action started and waited for."""
    before = _children_seconds()
    action()
    return _children_seconds() - before


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def processor_seconds_of(process_id: int) -> float:
    """Return the processor time that a process has taken so far, in seconds."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
