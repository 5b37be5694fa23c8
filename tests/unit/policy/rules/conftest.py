"""Stacks of the real program, made once for all rule tests."""

import gc

import pytest

from policy.rules.stack_model import Stack
from tests.support.policy.stacks import registered_stack
from tests.support.policy.variations import tested_stacks
from tests.support.program.harness import run_program, stack_file


@pytest.fixture(scope="session")
def stacks(request: pytest.FixtureRequest) -> dict[str, Stack]:
    """The stacks dev and prod and every variation of the settings, deployed and previewed."""
    # Objects of other tests slow the garbage collector down.
    gc.collect()
    gc.freeze()
    request.addfinalizer(gc.unfreeze)
    return tested_stacks()


@pytest.fixture(scope="session")
def dev() -> Stack:
    """The dev stack, deployed."""
    return registered_stack(run_program(stack_file("dev")))


@pytest.fixture(scope="session")
def prod() -> Stack:
    """The production stack, deployed."""
    return registered_stack(run_program(stack_file("prod")))
