"""One run of the unchanged program for each set of settings; the tests look at what it registered."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.program.harness import PROGRAM, PROJECT, Run, run_program


def stack_file(stack: str) -> dict[str, Any]:
    """Return the settings in a stack's file, as the engine hands them to the program."""
    config = yaml.safe_load(Path(PROGRAM / f"Pulumi.{stack}.yaml").read_text())["config"]
    prefix = f"{PROJECT}:"
    return {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}


def _done(run: Run) -> Run:
    assert run.error is None, run.error
    return run


@pytest.fixture(scope="session")
def dev() -> Run:
    """The dev stack, deployed."""
    return _done(run_program(stack_file("dev")))


@pytest.fixture(scope="session")
def dev_preview() -> Run:
    """The dev stack, previewed: what AWS decides is unknown."""
    return _done(run_program(stack_file("dev"), preview=True))


@pytest.fixture(scope="session")
def prod() -> Run:
    """The production stack, deployed."""
    return _done(run_program(stack_file("prod")))


@pytest.fixture(scope="session")
def prod_preview() -> Run:
    """The production stack, previewed."""
    return _done(run_program(stack_file("prod"), preview=True))


@pytest.fixture(scope="session")
def backtrack() -> Run:
    """A stack that asks for the rewind that the mission words."""
    return _done(run_program({"rewind": {"window_hours": 24, "method": "backtrack"}}))


@pytest.fixture(scope="session")
def elsewhere() -> Run:
    """The longest names that the settings allow, in two regions neither of which is us-east-1."""
    return _done(
        run_program(
            {
                "project": "p" * 16,
                "environment": "e" * 12,
                "primary": {"region": "ap-southeast-1", "instance_count": 15},
                "secondary": {"region": "ap-northeast-1"},
            }
        )
    )


@pytest.fixture(scope="session", params=["dev", "dev_preview", "prod", "prod_preview", "backtrack", "elsewhere"])
def any_run(request: pytest.FixtureRequest) -> Run:
    """Every run, one after the other: what holds for all."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session", params=["dev", "prod", "backtrack", "elsewhere"])
def any_deployment(request: pytest.FixtureRequest) -> Run:
    """Every run that is no preview."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def policy_of() -> Callable[[Run, str], list[dict[str, Any]]]:
    """Return the statements of a policy, by the logical name of the resource that holds it."""

    def statements(run: Run, name: str) -> list[dict[str, Any]]:
        return json.loads(run.named(name).inputs["policy"])["Statement"]

    return statements
