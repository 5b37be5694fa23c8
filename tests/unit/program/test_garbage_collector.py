"""The program runs without the garbage collector; its process may continue."""

import gc

from tests.support.program.harness import run_program, stack_file


def test_garbage_collector_is_on_after_a_run() -> None:
    """The program turns it off, but the process of the tests continues."""
    run_program(stack_file("dev"))
    assert gc.isenabled()
