# ruff: noqa: D102 - the fakes do what the ports that they stand for say
"""The handler and the cost of its import."""

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from functions.failover_controller import handler as module
from functions.failover_controller import rds_events
from functions.failover_controller.ports import UnavailableError
from functions.failover_controller.rds_events import RdsEventRecorder
from functions.failover_controller.store import TableStore
from functions.shared.environment import EnvironmentProblemError
from tests.support.failover_controller.builders import ENVIRONMENT, rds_event
from tests.support.failover_controller.fakes import MemoryTable

REPOSITORY = Path(module.__file__).parents[2]


class Context:
    """Lambda's context with one second left."""

    aws_request_id = "invocation-1"

    def get_remaining_time_in_millis(self) -> int:
        return 1000


@pytest.fixture
def fresh_environment() -> Any:
    """Reset the runtime that a warm execution environment keeps."""
    module._runtime.cache_clear()
    yield
    module._runtime.cache_clear()


def test_cold_start_names_missing_variables(fresh_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first invocation fails."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(EnvironmentProblemError, match="STATE_TABLE"):
        module.handler({}, Context())


def test_invocation_without_aws_ends_at_its_deadline(fresh_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real wiring takes no lease, runs no cycle and raises nothing."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    answer = module.handler({"source": "schedule", "cycles": "many"}, Context())
    assert answer == {"cycles": 0, "last": None, "ended": "deadline"}
    assert module._runtime() is module._runtime()


def test_cycle_without_aws_holds(fresh_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the real adapters and threads every path is unreadable, and the answer is JSON."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(Context, "get_remaining_time_in_millis", lambda self: 100_000)
    answer = module.handler({"cycles": 1}, Context())
    assert answer == {"cycles": 1, "last": {"action": "notify", "reason": "state-unreadable"}, "ended": "cycles"}


@pytest.mark.parametrize(
    ("event", "limit"),
    [
        (None, None),
        ([], None),
        ("x", None),
        ({}, None),
        ({"cycles": True}, None),
        ({"cycles": 0}, 0),
        ({"cycles": 3}, 3),
    ],
)
def test_any_event_starts_the_controller(
    fresh_environment: None, monkeypatch: pytest.MonkeyPatch, event: object, limit: int | None
) -> None:
    """Only a whole number of cycles limits the invocation."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    limits: list[object] = []
    monkeypatch.setattr(module, "run_cycles", lambda cycle, *, limit, **rest: limits.append(limit))
    module.handler(event, Context())
    assert limits == [limit]


def test_event_delivered_twice_has_two_holders(fresh_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two invocations with the same request id must not share a lease or a lock."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    holders: list[str] = []
    monkeypatch.setattr(module, "run_cycles", lambda cycle, *, holder, **rest: holders.append(holder))
    for _ in range(2):
        module.handler({"source": "schedule"}, Context())
    assert (True, 2) == (all(holder.startswith("invocation-1/") for holder in holders), len(set(holders)))


def test_rds_event_is_recorded_without_a_cycle(fresh_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The running invocation keeps its lease."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    runtime, table = module._runtime(), MemoryTable()
    recorder = RdsEventRecorder(
        store=TableStore(table),
        log=logging.getLogger("handler"),
        region="eu-west-1",
        global_cluster_id="payments-global-dev",
        cluster_ids=("payments-eu-west-1-dev",),
        sleep=lambda seconds: None,
    )
    monkeypatch.setattr(module, "_runtime", lambda: runtime._replace(rds_events=recorder))
    answer = module.handler(rds_event(), Context())
    assert (True, ["history"]) == (answer["recorded"], [key[0] for key in table.items])


def test_unrecorded_rds_event_fails_the_invocation(fresh_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The retries are bounded, and the failure counts as a Lambda error."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(rds_events, "WRITE_PAUSES_SECONDS", (0.0, 0.0))
    with pytest.raises(UnavailableError):
        module.handler(rds_event(), Context())


def test_import_creates_no_runtime() -> None:
    """Clients, configuration and threads are created by the first invocation."""
    program = "import functions.failover_controller.handler as h; print(h._runtime.cache_info().currsize)"
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert run.stdout.strip() == "0"


def test_ids_are_unique() -> None:
    """Generated ids identify notices, attempts and approval requests."""
    assert len({module._new_id() for _ in range(1000)}) == 1000
