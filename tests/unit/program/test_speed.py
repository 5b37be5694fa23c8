"""How long the program itself takes."""

import gc

import pytest

from tests.support.program.harness import run_program
from tests.unit.program.conftest import stack_file

LIMIT_SECONDS = 1.0
MOST_RUNS = 20


def test_the_program_takes_less_than_a_second_after_the_imports(
    capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """From the settings to the last registration of the dev stack; in processor time, the best of a few runs.

    Others use the machine too, and a neighbour on the same core makes processor time longer: the first good run will do.
    """
    # What other tests left on the heap is not the program's to be searched through.
    gc.collect()
    gc.freeze()
    request.addfinalizer(gc.unfreeze)
    fastest = run_program(stack_file("dev"))
    for _ in range(MOST_RUNS - 1):
        if fastest.cpu_seconds < LIMIT_SECONDS:
            break
        fastest = min(fastest, run_program(stack_file("dev")), key=lambda run: run.cpu_seconds)
    with capsys.disabled():
        print(  # noqa: T201 - a benchmark prints
            f"\nthe program, dev stack of {len(fastest.cloud)} resources, imports left out: "
            f"{fastest.cpu_seconds:.2f} s of processor time, {fastest.seconds:.2f} s on the clock"
        )
    assert fastest.cpu_seconds < LIMIT_SECONDS


def test_a_run_leaves_the_collector_on() -> None:
    """The program turns it off, because its process ends with it; the process of the tests goes on."""
    run_program(stack_file("dev"))
    assert gc.isenabled()
