"""The random histories."""

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from benchmarks.assumptions import ASSUMPTIONS, RATES
from benchmarks.histories import GAP_SECONDS, draw, year_of_episodes
from benchmarks.simulated_regions import GRACE_SECONDS, Cause, Episode


def _years(seed: int, count: int) -> list[list[object]]:
    rng = Random(seed)
    return [[effect for episode in year_of_episodes(rng) for effect in episode.effects] for _ in range(count)]


def test_seed_determines_the_history() -> None:
    """The same seed gives the same faults, another seed gives others."""
    assert (_years(1, 3) == _years(1, 3), _years(1, 3) == _years(2, 3)) == (True, False)


def test_every_cause_has_an_assumption() -> None:
    """The table has each cause once, with a source or a note."""
    assert [assumption.cause for assumption in ASSUMPTIONS] == list(Cause)
    assert [assumption.cause for assumption in ASSUMPTIONS if not assumption.source] == []


def test_rates_match_the_assumptions() -> None:
    """Over 400 years the rate of blips is within five percent of the assumption."""
    rng, found = Random(3), Counter()
    for _ in range(400):
        for episode in year_of_episodes(rng, {Cause.BLIP: RATES[Cause.BLIP]}):
            found.update(effect.cause for effect in episode.effects)
    assert found[Cause.BLIP] / 400 == pytest.approx(RATES[Cause.BLIP], rel=0.05)


def test_episodes_are_apart_and_in_order() -> None:
    """The gap is long enough for every detector to forget."""
    rng = Random(4)
    years = [year_of_episodes(rng) for _ in range(20)]
    gaps = [after.start - before.end for year in years for before, after in pairwise(year)]
    assert min(gaps) > GAP_SECONDS


@pytest.mark.parametrize("cause", list(Cause))
def test_outage_lengths_match_the_cause(cause: Cause) -> None:
    """Self-healing outages end within the grace period, the others last longer."""
    rng = Random(5)
    lengths = [outage.seconds for _ in range(200) for outage in Episode(draw(cause, rng, 0.0)).outages]
    healing = {Cause.BLIP, Cause.CRASH, Cause.SWITCHOVER, Cause.FLAPPING, Cause.ZONE_FAILURE, Cause.CRASH_IN_API_OUTAGE}
    lasting = {
        Cause.IN_REGION_FAILURE,
        Cause.REGION_LOSS,
        Cause.GRADUAL_LOSS,
        Cause.LOSS_IN_API_OUTAGE,
        Cause.HALF_LOSS,
    }
    assert bool(lengths) == (cause in healing | lasting)
    assert all((length > GRACE_SECONDS) == (cause in lasting) for length in lengths)


def test_no_fault_starts_while_roles_are_swapped() -> None:
    """The observed region is not the writer during that time."""
    rng, rates = Random(6), {Cause.SWITCHOVER: 50.0, Cause.BLIP: 300.0}
    episodes = [episode for _ in range(10) for episode in year_of_episodes(rng, rates)]
    blips = [
        effect
        for episode in episodes
        for effect in episode.effects
        if effect.cause is Cause.BLIP
        if any(other.paths.swapped and other.start <= effect.start < other.end for other in episode.effects)
    ]
    assert blips == []
