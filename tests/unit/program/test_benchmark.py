"""The measurement of the program's processor time; `python -m benchmarks.limits` checks the limits."""

import pytest

from benchmarks.program import (
    DatabaseScaling,
    ImportComparison,
    growth,
    measure_scaling,
    median_ratio,
)

pytestmark = pytest.mark.slow


def test_resources_grow_in_proportion_to_databases() -> None:
    """One, two and four databases in one program; each adds the same number of resources."""
    measured = measure_scaling()
    assert [1, 2, 4] == [each.databases for each in measured]
    one, two, four = (each.resources for each in measured)
    assert (four - two, two - one) == (2 * (two - one), two - one)


def test_median_ratio() -> None:
    """The median of the pairs counts."""
    pairs = [ImportComparison(program_seconds=whole, import_seconds=1.0) for whole in (1.2, 9.0, 1.5)]
    assert 1.5 == median_ratio(pairs)


def test_growth_is_measured_against_resources() -> None:
    """Twice as many resources in twice the time is proportional."""
    measured = [DatabaseScaling(databases=n, resources=100 * n, seconds=float(n)) for n in (1, 2, 4)]
    assert 1.0 == growth(measured)
    assert 2.0 == growth([measured[0], DatabaseScaling(databases=4, resources=400, seconds=8.0)])
