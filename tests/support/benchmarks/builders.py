"""Builders of faults and episodes, and a generator with fixed values."""

from random import Random

from benchmarks.simulated_regions import Cause, Effect, Episode, Paths

START = 100_000.0
"""Start of the fault (seconds)."""


class FixedRandom(Random):
    """Always returns 0.5: no random failure, no missed cycle, no clock drift, phases of half a period."""

    def random(self) -> float:
        """Return the middle of the unit interval."""
        return 0.5


def effect(cause: Cause, seconds: float, *, after: float = 0.0, **paths: float) -> Effect:
    """Return a fault that begins `after` seconds into the episode."""
    return Effect(start=START + after, end=START + after + seconds, cause=cause, paths=Paths(**paths))


def episode(*effects: Effect) -> Episode:
    """Return an episode of these faults."""
    return Episode(effects)
