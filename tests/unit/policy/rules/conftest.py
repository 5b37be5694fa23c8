"""Stacks of the real program, made once for all rule tests."""

import gc
import time
from dataclasses import dataclass, field

import pytest

from policy.rules.stack_model import Stack
from tests.support.policy.stacks import registered_stack
from tests.support.policy.variations import packed
from tests.support.program.harness import run_program
from tests.unit.program.conftest import stack_file


@dataclass(kw_only=True)
class TestedStacks:
    """Every tested stack, and the processor time of the program runs."""

    __test__ = False

    stacks: dict[str, Stack] = field(default_factory=dict)
    cpu_seconds: float = 0.0


@pytest.fixture(scope="session")
def tested(request: pytest.FixtureRequest) -> TestedStacks:
    """The stacks dev and prod and every variation of the settings, deployed and previewed."""
    configurations = {
        "dev": stack_file("dev"),
        "prod": stack_file("prod"),
        **{str(pack): pack.config for pack in packed()},
    }
    found = TestedStacks()
    # Objects of other tests slow the garbage collector down.
    gc.collect()
    gc.freeze()
    request.addfinalizer(gc.unfreeze)
    for name, config in configurations.items():
        for preview in (False, True):
            started = time.process_time()
            stack = registered_stack(run_program(config, preview=preview))
            found.cpu_seconds += time.process_time() - started
            found.stacks[f"{name}{', previewed' if preview else ''}"] = stack
    return found


@pytest.fixture(scope="session")
def dev(tested: TestedStacks) -> Stack:
    """The dev stack, deployed."""
    return tested.stacks["dev"]


@pytest.fixture(scope="session")
def prod(tested: TestedStacks) -> Stack:
    """The production stack, deployed."""
    return tested.stacks["prod"]
