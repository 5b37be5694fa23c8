"""What drills conclude from records: who wrote where, whether calm has come, which process is a function's."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rehearsal.cloud.api_proxy import OperationCall
from rehearsal.cloud.global_cluster import OperationKind
from rehearsal.drills.baseline import has_settled
from rehearsal.drills.expectations import unexplained_moves
from rehearsal.drills.lambda_processes import read_listing
from rehearsal.workload import WriteAttempt
from settings import FailoverSettings

EAST, WEST = "payments-us-east-1-dev", "payments-eu-west-1-dev"
CLUSTERS = {"east.rds": EAST, "west.rds": WEST}


def write(at: float, endpoint: str | None, failure: str | None = None) -> WriteAttempt:
    """An attempt of the client; its row is its second."""
    return WriteAttempt(row_id=int(at), at_seconds=at, endpoint=endpoint, failure=failure)


def call(at: float, target: str, *, accepted: bool = True) -> OperationCall:
    """A failover call."""
    return OperationCall(
        at=at,
        region="eu-west-1",
        operation=OperationKind.FAILOVER,
        target=f"arn:aws:rds:eu-west-1:123456789012:cluster:{target}",
        accepted=accepted,
        error=None if accepted else "InvalidGlobalClusterStateFault",
    )


TAKERS = [(0.0, frozenset({EAST})), (10.0, frozenset()), (15.0, frozenset({WEST}))]


def test_a_move_after_an_accepted_call_is_explained() -> None:
    """The old cluster's last write, the call, the promotion, the new one's first write: in this order nothing is wrong."""
    attempts = [write(9, "east.rds"), write(12, "east.rds", failure="timed out"), write(16, "west.rds")]
    assert unexplained_moves(attempts, [call(13, WEST)], TAKERS, CLUSTERS) == []


def test_writes_that_stay_need_no_explanation() -> None:
    """Without a move there is nothing to explain, whatever was called."""
    assert unexplained_moves([write(1, "east.rds"), write(2, "east.rds")], [], TAKERS, CLUSTERS) == []


@pytest.mark.parametrize(
    "calls",
    [[], [call(13, EAST)], [call(13, WEST, accepted=False)], [call(17, WEST)]],
    ids=["no-call", "another-target", "refused", "too-late"],
)
def test_a_move_without_its_call_is_found(calls: list[OperationCall]) -> None:
    """Only an accepted call, for the new cluster and before its first write, explains a move."""
    found = unexplained_moves([write(9, "east.rds"), write(16, "west.rds")], calls, TAKERS, CLUSTERS)
    assert found == [f"row 9 in {EAST}, then row 16 in {WEST}, unexplained"]


def test_a_write_in_the_old_cluster_after_the_promotion_is_found() -> None:
    """Then both took writes at the same time, whoever called what."""
    attempts = [write(15.9, "east.rds"), write(16, "west.rds")]
    assert unexplained_moves(attempts, [call(13, WEST)], TAKERS, CLUSTERS) != []


def test_a_move_back_needs_a_call_of_its_own() -> None:
    """The failover doesn't explain that the client is served at home again."""
    attempts = [write(9, "east.rds"), write(16, "west.rds"), write(17, "east.rds")]
    found = unexplained_moves(attempts, [call(13, WEST)], TAKERS, CLUSTERS)
    assert found == [f"row 16 in {WEST}, then row 17 in {EAST}, unexplained"]


def written(at: float) -> str:
    """A time as the controller writes it."""
    return datetime.fromtimestamp(at, UTC).isoformat()


NOW = 1_795_000_000.0
CALM = {
    "cycle_at": written(NOW - 1),
    "lag_at": written(NOW - 1),
    "roles_changed_at": written(NOW - 1000),
    "healthy_cycles": 3,
    "dead_cycles": 0,
    "notified": [],
    "outbox": [],
}


def settled(state: dict[str, Any]) -> bool:
    """Whether the standby's controller has settled, with the default policy and a cycle of 1 s."""
    return has_settled(state, FailoverSettings(), now=NOW, interval_seconds=1.0, measures_lag=True)


def test_a_calm_state_has_settled() -> None:
    """Also one that has never seen the roles change."""
    assert settled(CALM)
    assert settled({name: value for name, value in CALM.items() if name != "roles_changed_at"})


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
def test_what_is_left_to_tell_do_or_wait_for_is_not_calm(difference: dict[str, Any]) -> None:
    """Each of these alone would reach into the next drill."""
    assert not settled({**CALM, **difference})


def test_a_controller_that_never_cycle_has_not_settled() -> None:
    """No state is no calm."""
    assert not settled({})


def test_only_the_functions_own_sandboxes_are_found() -> None:
    """The same process group, name and region, each as a whole word of the environment."""
    listing = """
    11 7 python worker.py AWS_REGION=eu-west-1 AWS_LAMBDA_FUNCTION_NAME=controller HOME=/tmp
    12 7 python worker.py AWS_REGION=us-east-1 AWS_LAMBDA_FUNCTION_NAME=controller
    13 7 python worker.py AWS_REGION=eu-west-1 AWS_LAMBDA_FUNCTION_NAME=controller-2
    14 8 python worker.py AWS_REGION=eu-west-1 AWS_LAMBDA_FUNCTION_NAME=controller
    15 7 [kthread]
    """.strip()
    assert read_listing(listing, 7, "controller", "eu-west-1") == [11]
