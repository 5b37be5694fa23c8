# ruff: noqa: D102 - the fakes do what the ports that they stand for say
"""The handler: what Lambda calls, and what importing it costs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from functions.failover_controller import handler as module
from functions.failover_controller.environment import EnvironmentProblemError
from tests.unit.functions.failover_controller.builders import ENVIRONMENT

FUNCTIONS = Path(module.__file__).parents[1]


class Context:
    """Lambda's context, with little time left."""

    aws_request_id = "invocation-1"

    def get_remaining_time_in_millis(self) -> int:
        return 1000


@pytest.fixture
def fresh_sandbox() -> Any:
    """A sandbox without a runtime."""
    module._runtime.cache_clear()
    yield
    module._runtime.cache_clear()


def test_a_cold_start_without_its_settings_says_which(fresh_sandbox: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loudly, at the first invocation."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EnvironmentProblemError, match="STATE_TABLE"):
        module.handler({}, Context())


def test_an_invocation_against_an_aws_that_refuses_connections_holds_and_ends(
    fresh_sandbox: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real wiring: no lease, no beat in the second that is left, no exception; the runtime is kept."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    answer = module.handler({"source": "schedule", "beats": "many"}, Context())
    assert answer == {"beats": 0, "last": None, "ended": "deadline"}
    assert module._runtime() is module._runtime()


def test_a_beat_against_an_aws_that_refuses_connections_holds(
    fresh_sandbox: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real adapters and threads: everything is blind, and the answer is JSON."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda self: 100_000)
    answer = module.handler({"beats": 1}, Context())
    assert answer == {"beats": 1, "last": {"action": "tell", "reason": "state-unreadable"}, "ended": "beats"}


def seconds_to_import(name: str) -> float:
    """One cold start, in a process of its own."""
    program = f"import time; start = time.perf_counter(); import {name}; print(time.perf_counter() - start)"
    run = subprocess.run([sys.executable, "-c", program], cwd=FUNCTIONS, capture_output=True, text=True, check=True)
    return float(run.stdout)


def test_the_import_costs_at_most_1_3_times_boto3() -> None:
    """A cold start is part of the time to a failover; the best of seven in turns, as the machine has other work."""
    names = ("boto3", "failover_controller.handler")
    runs = [[seconds_to_import(name) for name in names] for _ in range(7)]
    boto3_seconds, own_seconds = (min(times) for times in zip(*runs, strict=True))
    assert own_seconds <= 1.3 * boto3_seconds


def test_importing_the_package_builds_nothing() -> None:
    """No client, no environment, no thread at import."""
    program = "import failover_controller.handler as h; print(h._runtime.cache_info().currsize)"
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=FUNCTIONS,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert run.stdout.strip() == "0"


def test_ids_are_short_and_never_the_same() -> None:
    """Notices, attempts and questions are told apart by them."""
    assert len({module._new_id() for _ in range(1000)}) == 1000
