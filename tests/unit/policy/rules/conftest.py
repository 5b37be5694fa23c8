"""Real stacks to try the rules on, made once."""

import gc
import time
from dataclasses import dataclass, field

import pytest

from policy.rules.stack_model import Stack
from tests.support.policy.stacks import seen
from tests.support.policy.variations import packed
from tests.support.program.harness import run_program
from tests.unit.program.conftest import stack_file


@dataclass(kw_only=True)
class Tried:
    """Every stack that the rules are tried on, and the processor time that making them took."""

    stacks: dict[str, Stack] = field(default_factory=dict)
    cpu_seconds: float = 0.0


@pytest.fixture(scope="session")
def tried(request: pytest.FixtureRequest) -> Tried:
    """The stacks in the files and every variation of the settings, deployed and previewed."""
    configurations = {
        "dev": stack_file("dev"),
        "prod": stack_file("prod"),
        **{str(pack): pack.config for pack in packed()},
    }
    found = Tried()
    # What other tests left on the heap is not these stacks' to be searched through.
    gc.collect()
    gc.freeze()
    request.addfinalizer(gc.unfreeze)
    for name, config in configurations.items():
        for preview in (False, True):
            started = time.process_time()
            stack = seen(run_program(config, preview=preview))
            found.cpu_seconds += time.process_time() - started
            found.stacks[f"{name}{', previewed' if preview else ''}"] = stack
    return found


@pytest.fixture(scope="session")
def dev(tried: Tried) -> Stack:
    """The dev stack, deployed."""
    return tried.stacks["dev"]


@pytest.fixture(scope="session")
def prod(tried: Tried) -> Stack:
    """The production stack, deployed."""
    return tried.stacks["prod"]
