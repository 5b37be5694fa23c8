"""The duration of the program."""

import gc

import pytest

from tests.support.program.harness import run_program
from tests.unit.program.conftest import stack_file

LIMIT_SECONDS = 1.0
MOST_RUNS = 20


def test_program_takes_less_than_a_second_without_imports(
    capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """CPU time from the settings to the last registration of the dev stack; other load slows runs, so the best counts."""
    # Exclude objects of other tests from garbage collection.
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
            f"\nthe program, dev stack of {len(fastest.cloud)} resources, without imports: "
            f"{fastest.cpu_seconds:.2f} s of CPU time, {fastest.seconds:.2f} s elapsed"
        )
    assert fastest.cpu_seconds < LIMIT_SECONDS


def test_garbage_collector_is_on_after_a_run() -> None:
    """The program turns it off, but the process of the tests continues."""
    run_program(stack_file("dev"))
    assert gc.isenabled()
