"""Makes the episodes that the tests speak of, and a generator that is never lucky nor unlucky."""

from random import Random

from benchmarks.world import Cause, Effect, Episode, Paths

START = 100_000.0
"""When the trouble of a test begins (seconds)."""


class Steady(Random):
    """Always draws the middle: no call fails by itself, no cycle is missed, clocks are right, phases are half a period."""

    def random(self) -> float:
        """Return the middle of the unit interval."""
        return 0.5


def effect(cause: Cause, seconds: float, *, after: float = 0.0, **paths: float) -> Effect:
    """A trouble that begins `after` seconds into the episode."""
    return Effect(start=START + after, end=START + after + seconds, cause=cause, paths=Paths(**paths))


def episode(*effects: Effect) -> Episode:
    """These troubles."""
    return Episode(effects)
