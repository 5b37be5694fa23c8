"""How long the program itself takes."""

import pytest

from tests.unit.program.conftest import stack_file
from tests.unit.program.harness import run_program


def test_the_program_takes_less_than_a_second_after_the_imports(capsys: pytest.CaptureFixture[str]) -> None:
    """From the settings to the last registration of the dev stack; in processor time, since others use this machine."""
    runs = [run_program(stack_file("dev")) for _ in range(3)]
    fastest = min(runs, key=lambda run: run.cpu_seconds)
    with capsys.disabled():
        print(  # noqa: T201 - a benchmark prints
            f"\nthe program, dev stack of {len(fastest.cloud)} resources, imports left out: "
            f"{fastest.cpu_seconds:.2f} s of processor time, {fastest.seconds:.2f} s on the clock"
        )
    assert fastest.cpu_seconds < 1.0
