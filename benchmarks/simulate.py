"""Simulation of all detectors over the same histories, on all cores.

A seed and a number of region-years give the same result for any number of workers.
"""

from collections.abc import Callable, Mapping
from multiprocessing import get_context
from random import Random
from typing import NamedTuple

from benchmarks.assumptions import RATES
from benchmarks.baselines import BASELINES, Detector
from benchmarks.controller import Controller
from benchmarks.counts import CallCounts
from benchmarks.histories import year_of_episodes
from benchmarks.simulated_regions import Cause

CHUNK_YEARS = 50
DETECTORS: tuple[Detector, ...] = (Controller(), *BASELINES)


class Chunk(NamedTuple):
    """A number of region-years and their seed."""

    seed: int
    number: int
    years: int
    rates: Mapping[Cause, float]


class SimulationResult(NamedTuple):
    """Result of one or more chunks."""

    years: int
    episodes: int
    isolations: int
    """Number of full isolations."""
    counts_by_detector: dict[str, CallCounts]


def run_chunk(chunk: Chunk) -> SimulationResult:
    """Simulate one chunk."""
    name = f"{chunk.seed}/{chunk.number}"
    histories = Random(f"{name}/histories")
    rngs = {detector.name: Random(f"{name}/{detector.name}") for detector in DETECTORS}
    counts_by_detector = {detector.name: CallCounts() for detector in DETECTORS}
    episodes = isolations = 0
    for _ in range(chunk.years):
        for episode in year_of_episodes(histories, chunk.rates):
            episodes += 1
            isolations += sum(effect.cause is Cause.ISOLATION for effect in episode.effects)
            for detector in DETECTORS:
                result = detector.detect(episode, rngs[detector.name])
                counts_by_detector[detector.name].add_episode(episode, result, detector.memory_seconds)
    return SimulationResult(chunk.years, episodes, isolations, counts_by_detector)


def run(
    *,
    region_years: int,
    seed: int,
    workers: int,
    rates: Mapping[Cause, float] = RATES,
    advance: Callable[[int], None] = lambda years: None,
) -> SimulationResult:
    """Simulate region-years; `advance` gets the years of each finished chunk."""
    chunks = [
        Chunk(seed, index, min(CHUNK_YEARS, region_years - begun), rates)
        for index, begun in enumerate(range(0, region_years, CHUNK_YEARS))
    ]
    total = SimulationResult(0, 0, 0, {detector.name: CallCounts() for detector in DETECTORS})
    if workers == 1:
        for chunk in chunks:
            total = _sum(total, run_chunk(chunk))
            advance(chunk.years)
        return total
    # Spawn instead of fork: the progress display runs a thread.
    with get_context("spawn").Pool(workers) as pool:
        for outcome in pool.imap(run_chunk, chunks):
            total = _sum(total, outcome)
            advance(outcome.years)
        pool.close()
        pool.join()  # afterwards the children's processor time is known
    return total


def _sum(total: SimulationResult, outcome: SimulationResult) -> SimulationResult:
    for name, counts in outcome.counts_by_detector.items():
        total.counts_by_detector[name].add(counts)
    return SimulationResult(
        total.years + outcome.years,
        total.episodes + outcome.episodes,
        total.isolations + outcome.isolations,
        total.counts_by_detector,
    )
