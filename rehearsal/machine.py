"""How well the machine keeps up: how late a ticker runs, and the interval that leaves the controllers room."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

TICK_SECONDS = 0.02
RECORDED_LATENESS_SECONDS = 0.01
"""A smaller lateness is normal."""
INTERVALS_SECONDS = (1.0, 2.0, 3.0, 5.0)
"""The intervals to choose from, shortest first."""
CYCLE_SHARE = 0.2
"""Largest share of an interval that a cycle without a fault may take. Each path of a cycle has 0.35 intervals, of which its probes
may use 70 % in an outage; the rest must suffice for the calls around them."""
LATENESS_SHARE = 0.1
"""Largest share of an interval by which the machine may be late."""
CYCLE_START_SHARE = 0.25
"""Largest share of an interval by which a cycle may start late."""


class Ticker:
    """A thread that sleeps for 20 ms again and again and records how late it wakes. A context manager."""

    def __init__(
        self, *, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._late: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def latest(self, since: float, until: float) -> float:
        """Return the longest lateness in seconds between two moments, in seconds since the epoch."""
        return max((late for at, late in tuple(self._late) if since <= at <= until), default=0.0)

    def _run(self) -> None:
        while True:
            due = self._monotonic() + TICK_SECONDS
            if self._stop.wait(TICK_SECONDS):
                return
            self.record(self._monotonic() - due)

    def record(self, late_seconds: float) -> None:
        """Record one tick's lateness."""
        if late_seconds >= RECORDED_LATENESS_SECONDS:
            self._late.append((self._clock(), late_seconds))


@dataclass(frozen=True, kw_only=True)
class MachineSpeed:
    """What a machine needs for a cycle without a fault, and how late it runs, in seconds."""

    longest_cycle_seconds: float
    latest_tick_seconds: float

    def fits(self, interval_seconds: float) -> bool:
        """Return whether an interval leaves the machine room."""
        return (
            self.longest_cycle_seconds <= CYCLE_SHARE * interval_seconds
            and self.latest_tick_seconds <= LATENESS_SHARE * interval_seconds
        )

    def choose_interval(self) -> float:
        """Return the shortest interval in seconds that leaves the machine room; the longest if none does."""
        return next((one for one in INTERVALS_SECONDS if self.fits(one)), INTERVALS_SECONDS[-1])

    def describe(self, interval_seconds: float) -> str:
        """Return the reason for an interval, or a warning, as a sentence."""
        measured = (
            f"a cycle takes up to {self.longest_cycle_seconds * 1000:.0f} ms here and this process runs up to "
            f"{self.latest_tick_seconds * 1000:.0f} ms late"
        )
        if self.fits(interval_seconds):
            return f"interval {interval_seconds:g} s: {measured}."
        return (
            f"interval {interval_seconds:g} s: {measured}. That is too slow for this interval: end other programs, or expect "
            "drills to be repeated."
        )


def longer_interval(interval_seconds: float) -> float | None:
    """Return the next longer interval to choose; None if there is none."""
    return next((one for one in INTERVALS_SECONDS if one > interval_seconds), None)


def describe_stall(
    *,
    latest_tick_seconds: float,
    cycle_starts: Sequence[Sequence[float]],
    unanswered_probes: int,
    interval_seconds: float,
) -> str:
    """Return how the machine stalled during a drill, or an empty text if it kept up.

    `cycle_starts` holds the starts of each controller's cycles, in seconds since the epoch. `unanswered_probes` counts the
    cycles in which the surviving region's probe of its own cluster had no answer in time.
    """
    gaps = [later - earlier for starts in cycle_starts for earlier, later in pairwise(starts)]
    late_start = max(gaps, default=0.0) - interval_seconds
    found: list[str] = []
    if latest_tick_seconds > LATENESS_SHARE * interval_seconds:
        found.append(f"the rehearsal's process ran {latest_tick_seconds * 1000:.0f} ms late")
    if late_start > CYCLE_START_SHARE * interval_seconds:
        found.append(f"a controller's cycle started {late_start * 1000:.0f} ms late")
    if unanswered_probes:
        found.append(f"{unanswered_probes} probes of the survivor's own cluster had no answer in time")
    return " and ".join(found)
