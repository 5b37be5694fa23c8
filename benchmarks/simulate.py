"""Runs every detector over the same histories, on all cores.

Owns the split into chunks and their seeds. Does not own histories, detectors or judgement. Invariant: a seed and a number of region-years
give the same result, however many workers there are.
"""

from collections.abc import Callable, Mapping
from multiprocessing import get_context
from random import Random
from typing import NamedTuple

from benchmarks.assumptions import RATES
from benchmarks.baselines import BASELINES, Detector
from benchmarks.controller import Controller
from benchmarks.histories import year_of_episodes
from benchmarks.tally import Tally
from benchmarks.world import Cause

CHUNK_YEARS = 50
DETECTORS: tuple[Detector, ...] = (Controller(), *BASELINES)


class Chunk(NamedTuple):
    """Some region-years, and the seed that makes them."""

    seed: int
    number: int
    years: int
    rates: Mapping[Cause, float]


class Outcome(NamedTuple):
    """What one chunk gave."""

    years: int
    episodes: int
    isolations: int
    """How many full isolations were drawn: the number that the wrong failovers because of them are measured by."""
    tallies: dict[str, Tally]


def run_chunk(chunk: Chunk) -> Outcome:
    """Simulate one chunk."""
    name = f"{chunk.seed}/{chunk.number}"
    histories = Random(f"{name}/histories")
    rngs = {detector.name: Random(f"{name}/{detector.name}") for detector in DETECTORS}
    tallies = {detector.name: Tally() for detector in DETECTORS}
    episodes = isolations = 0
    for _ in range(chunk.years):
        for episode in year_of_episodes(histories, chunk.rates):
            episodes += 1
            isolations += sum(effect.cause is Cause.ISOLATION for effect in episode.effects)
            for detector in DETECTORS:
                watch = detector.watch(episode, rngs[detector.name])
                tallies[detector.name].take(episode, watch, detector.memory_seconds)
    return Outcome(chunk.years, episodes, isolations, tallies)


def run(
    *,
    region_years: int,
    seed: int,
    workers: int,
    rates: Mapping[Cause, float] = RATES,
    advance: Callable[[int], None] = lambda years: None,
) -> Outcome:
    """Simulate so many region-years; `advance` is told of each finished chunk's years."""
    chunks = [
        Chunk(seed, index, min(CHUNK_YEARS, region_years - begun), rates)
        for index, begun in enumerate(range(0, region_years, CHUNK_YEARS))
    ]
    total = Outcome(0, 0, 0, {detector.name: Tally() for detector in DETECTORS})
    if workers == 1:
        for chunk in chunks:
            total = _added(total, run_chunk(chunk))
            advance(chunk.years)
        return total
    # Spawned, not forked: the progress display runs a thread.
    with get_context("spawn").Pool(workers) as pool:
        for outcome in pool.imap(run_chunk, chunks):
            total = _added(total, outcome)
            advance(outcome.years)
        pool.close()
        pool.join()  # only then is the children's processor time known
    return total


def _added(total: Outcome, outcome: Outcome) -> Outcome:
    for name, tally in outcome.tallies.items():
        total.tallies[name].add(tally)
    return Outcome(
        total.years + outcome.years,
        total.episodes + outcome.episodes,
        total.isolations + outcome.isolations,
        total.tallies,
    )
