"""Tests of conclusions from records: writer changes, the baseline, a function's processes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rehearsal.cloud.api_proxy import OperationCall
from rehearsal.cloud.global_cluster import OperationKind
from rehearsal.drills.baseline import is_at_baseline
from rehearsal.drills.expectations import unexplained_writer_changes
from rehearsal.drills.lambda_processes import parse_processes
from rehearsal.workload import WriteAttempt
from settings import FailoverSettings

EAST, WEST = "payments-us-east-1-dev", "payments-eu-west-1-dev"
CLUSTERS = {"east.rds": EAST, "west.rds": WEST}


def write(at: float, endpoint: str | None, failure: str | None = None) -> WriteAttempt:
    """Return an attempt of the client; its row id is its second."""
    return WriteAttempt(row_id=int(at), at_seconds=at, endpoint=endpoint, failure=failure)


def call(at: float, target: str, *, accepted: bool = True) -> OperationCall:
    """Return a failover call."""
    return OperationCall(
        at=at,
        region="eu-west-1",
        operation=OperationKind.FAILOVER,
        target=f"arn:aws:rds:eu-west-1:123456789012:cluster:{target}",
        accepted=accepted,
        error=None if accepted else "InvalidGlobalClusterStateFault",
    )


WRITABLE = [(0.0, frozenset({EAST})), (10.0, frozenset()), (15.0, frozenset({WEST}))]


def test_accepted_call_explains_a_writer_change() -> None:
    """The order is: last write to the old cluster, call, promotion, first write to the new cluster."""
    attempts = [write(9, "east.rds"), write(12, "east.rds", failure="timed out"), write(16, "west.rds")]
    assert unexplained_writer_changes(attempts, [call(13, WEST)], WRITABLE, CLUSTERS) == []


def test_writes_to_one_cluster_need_no_explanation() -> None:
    """Writes to one cluster only contain no writer change."""
    assert unexplained_writer_changes([write(1, "east.rds"), write(2, "east.rds")], [], WRITABLE, CLUSTERS) == []


@pytest.mark.parametrize(
    "calls",
    [[], [call(13, EAST)], [call(13, WEST, accepted=False)], [call(17, WEST)]],
    ids=["no-call", "another-target", "refused", "too-late"],
)
def test_writer_change_without_its_call_is_found(calls: list[OperationCall]) -> None:
    """A writer change needs an accepted call for the new cluster before that cluster's first write."""
    found = unexplained_writer_changes([write(9, "east.rds"), write(16, "west.rds")], calls, WRITABLE, CLUSTERS)
    assert found == [f"row 9 in {EAST}, then row 16 in {WEST}, unexplained"]


def test_write_to_old_cluster_after_promotion_is_found() -> None:
    """A write to the old cluster after the promotion means that both clusters accepted writes."""
    attempts = [write(15.9, "east.rds"), write(16, "west.rds")]
    assert unexplained_writer_changes(attempts, [call(13, WEST)], WRITABLE, CLUSTERS) != []


def test_change_back_needs_its_own_call() -> None:
    """The failover explains only one change."""
    attempts = [write(9, "east.rds"), write(16, "west.rds"), write(17, "east.rds")]
    found = unexplained_writer_changes(attempts, [call(13, WEST)], WRITABLE, CLUSTERS)
    assert found == [f"row 16 in {WEST}, then row 17 in {EAST}, unexplained"]


def written(at: float) -> str:
    """Return a time as the controller stores it."""
    return datetime.fromtimestamp(at, UTC).isoformat()


NOW = 1_795_000_000.0
BASELINE = {
    "cycle_at": written(NOW - 1),
    "lag_at": written(NOW - 1),
    "roles_changed_at": written(NOW - 1000),
    "healthy_cycles": 3,
    "dead_cycles": 0,
    "notified": [],
    "outbox": [],
}


def at_baseline(state: dict[str, Any]) -> bool:
    """Return whether the standby's controller is at the baseline, with default settings and an interval of 1 s."""
    return is_at_baseline(state, FailoverSettings(), now=NOW, interval_seconds=1.0, measures_lag=True)


def test_healthy_state_is_at_the_baseline() -> None:
    """A healthy state is at the baseline, whether or not the roles have ever changed."""
    assert at_baseline(BASELINE)
    assert at_baseline({name: value for name, value in BASELINE.items() if name != "roles_changed_at"})


@pytest.mark.parametrize(
    "difference",
    [
        {"notified": ["region-lost"]},
        {"outbox": [{"id": "1"}]},
        {"pending": {"id": "1"}},
        {"attempt": {"id": "1"}},
        {"dead_cycles": 1},
        {"healthy_cycles": 2},
        {"cycle_at": written(NOW - 4)},
        {"lag_at": written(NOW - 4)},
        {"roles_changed_at": written(NOW - 899)},
    ],
    ids=lambda difference: next(iter(difference)),
)
def test_pending_notice_action_or_cooldown_is_not_the_baseline(difference: dict[str, Any]) -> None:
    """A pending notice, action or cooldown would affect the next drill."""
    assert not at_baseline({**BASELINE, **difference})


def test_missing_state_is_not_the_baseline() -> None:
    """The controller has not run yet."""
    assert not at_baseline({})


def test_only_the_functions_own_processes_are_found() -> None:
    """A process matches by process group, function name and region, as whole words."""
    listing = """
    11 7 python worker.py AWS_REGION=eu-west-1 AWS_LAMBDA_FUNCTION_NAME=controller HOME=/tmp
    12 7 python worker.py AWS_REGION=us-east-1 AWS_LAMBDA_FUNCTION_NAME=controller
    13 7 python worker.py AWS_REGION=eu-west-1 AWS_LAMBDA_FUNCTION_NAME=controller-2
    14 8 python worker.py AWS_REGION=eu-west-1 AWS_LAMBDA_FUNCTION_NAME=controller
    15 7 [kthread]
    """.strip()
    assert parse_processes(listing, 7, "controller", "eu-west-1") == [11]
