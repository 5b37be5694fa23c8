"""Simulation of all detectors over the same histories, on all cores.

A seed and a number of region-years give the same result for any number of workers.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from multiprocessing import get_context
from random import Random
from typing import NamedTuple

from benchmarks.assumptions import RATES
from benchmarks.baselines import BASELINES, Detector
from benchmarks.controller import POLICY, Controller
from benchmarks.counts import CallCounts
from benchmarks.histories import year_of_episodes
from benchmarks.simulated_regions import Cause
from functions.failover_controller.model import Policy

CHUNK_YEARS = 50
DETECTORS: tuple[Detector, ...] = (Controller(), *BASELINES)
CURVE_EVERY = 4
"""The operating curve uses every fourth chunk, as it needs less precision."""


def curve_label(policy: Policy) -> str:
    """Return the name of a threshold on the operating curve."""
    raised = f", {policy.failure_threshold + policy.extra_cycles} after a silence" if policy.extra_cycles else ""
    return f"{policy.failure_threshold} cycles{raised}"


DEFAULT_LABEL = curve_label(POLICY)
_VARIANTS = (
    *(replace(POLICY, failure_threshold=cycles, extra_cycles=0) for cycles in (3, 4, 5, 6, 7)),
    *(replace(POLICY, failure_threshold=cycles) for cycles in (3, 4, 6) if cycles != POLICY.failure_threshold),
)
CURVE: tuple[Controller, ...] = tuple(Controller(policy, curve_label(policy)) for policy in _VARIANTS)
"""The controller at other thresholds than the default's."""


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
    curve_years: int = 0
    """Region-years of the operating curve's chunks."""
    curve_by_variant: Mapping[str, CallCounts] = {}


def run_chunk(chunk: Chunk) -> SimulationResult:
    """Simulate one chunk."""
    name = f"{chunk.seed}/{chunk.number}"
    histories = Random(f"{name}/histories")
    curve = CURVE if chunk.number % CURVE_EVERY == 0 else ()
    detectors: tuple[Detector, ...] = (*DETECTORS, *curve)
    rngs = {detector.name: Random(f"{name}/{detector.name}") for detector in detectors}
    counts = {detector.name: CallCounts() for detector in detectors}
    episodes = isolations = 0
    for _ in range(chunk.years):
        for episode in year_of_episodes(histories, chunk.rates):
            episodes += 1
            isolations += sum(effect.cause is Cause.ISOLATION for effect in episode.effects)
            results = {detector.name: detector.detect(episode, rngs[detector.name]) for detector in DETECTORS}
            # The threshold concerns silence: without it, every variant decides like the default, after the grace period.
            depends_on_threshold = any(segment.paths.may_seem_silent for segment in episode.segments)
            for variant in curve:
                results[variant.name] = (
                    variant.detect(episode, rngs[variant.name]) if depends_on_threshold else results[Controller.name]
                )
            for detector in detectors:
                counts[detector.name].add_episode(episode, results[detector.name], detector.memory_seconds)
    return SimulationResult(
        chunk.years,
        episodes,
        isolations,
        {detector.name: counts[detector.name] for detector in DETECTORS},
        chunk.years if curve else 0,
        {variant.name: counts[variant.name] for variant in curve},
    )


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
    total = SimulationResult(
        0,
        0,
        0,
        {detector.name: CallCounts() for detector in DETECTORS},
        0,
        {variant.name: CallCounts() for variant in CURVE},
    )
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
    for name, counts in outcome.curve_by_variant.items():
        total.curve_by_variant[name].add(counts)
    return SimulationResult(
        total.years + outcome.years,
        total.episodes + outcome.episodes,
        total.isolations + outcome.isolations,
        total.counts_by_detector,
        total.curve_years + outcome.curve_years,
        total.curve_by_variant,
    )
