"""The program's duration relative to its imports, and with several databases (`python -m benchmarks.program`)."""

import pytest

from benchmarks.program import (
    MOST_TIMES_THE_IMPORT,
    TOLERANCE,
    BesideTheImport,
    Several,
    beside_the_import,
    growth,
    several,
    typical,
)

TRIES = 3


def test_program_takes_at_most_1_6_times_the_imports(capsys: pytest.CaptureFixture[str]) -> None:
    """CPU time of new processes; other load slows a try, so the best of three counts."""
    ratios: list[float] = []
    while len(ratios) < TRIES and min(ratios, default=MOST_TIMES_THE_IMPORT + 1) > MOST_TIMES_THE_IMPORT:
        ratios.append(typical(beside_the_import(pairs=2)))
    with capsys.disabled():
        print(f"\nthe program takes {min(ratios):.2f} times as long as the import of the same SDK modules")  # noqa: T201
    assert min(ratios) <= MOST_TIMES_THE_IMPORT


def test_time_grows_no_faster_than_resources(capsys: pytest.CaptureFixture[str]) -> None:
    """One, two and four databases, each in one program."""
    measured = several()
    tries = [growth(measured)]
    while len(tries) < TRIES and min(tries) > TOLERANCE:
        tries.append(growth(several()))
    assert [1, 2, 4] == [each.databases for each in measured]
    one, two, four = (each.resources for each in measured)
    assert (four - two, two - one) == (2 * (two - one), two - one)
    with capsys.disabled():
        print(f"\nwith four databases time grows {min(tries):.2f} times as fast as resources")  # noqa: T201
    assert min(tries) <= TOLERANCE


def test_typical_ratio_is_the_median() -> None:
    """The ratio is that of the whole program to its imports."""
    pairs = [BesideTheImport(program_seconds=whole, import_seconds=1.0) for whole in (1.2, 9.0, 1.5)]
    assert 1.5 == typical(pairs)


def test_growth_is_relative_to_resources() -> None:
    """Twice the resources in twice the time is a growth of 1."""
    measured = [Several(databases=n, resources=100 * n, seconds=float(n)) for n in (1, 2, 4)]
    assert 1.0 == growth(measured)
    assert 2.0 == growth([measured[0], Several(databases=4, resources=400, seconds=8.0)])
