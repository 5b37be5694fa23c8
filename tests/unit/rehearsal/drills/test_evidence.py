"""Tests of conclusions from records: writer changes, the baseline, a function's processes."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rehearsal.cloud.api_proxy import OperationCall
from rehearsal.cloud.global_cluster import OperationKind
from rehearsal.drills.baseline import is_at_baseline
from rehearsal.drills.context import DrillContext, longest_gap
from rehearsal.drills.delayed_failover import expect_held
from rehearsal.drills.expectations import (
    cycles_to_call,
    expect_notices_sent_once,
    expect_single_writer,
    unexplained_writer_changes,
)
from rehearsal.drills.failover_steps import expect_carried_through
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


def test_longest_gap_is_the_outage_of_a_client() -> None:
    """From the last acknowledged write before the drill's zero to the first one after it."""
    attempts = [
        write(8, "east.rds"),
        write(9.5, "east.rds"),
        write(12, None, failure="timed out"),
        write(17, "west.rds"),
    ]
    assert longest_gap([*attempts, write(18, "west.rds")], since=10, until=18) == 7.5


def test_client_that_does_not_write_again_has_a_gap_until_the_end() -> None:
    """The measurement is then a lower bound."""
    assert longest_gap([write(9, "east.rds"), write(12, None, failure="timed out")], since=10, until=30) == 21


@pytest.mark.parametrize(("written_at", "passes"), [(103.0, True), (105.0, False), (112.0, False)])
def test_drill_fails_if_the_advice_does_not_carry_the_client_through(written_at: float, passes: bool) -> None:
    """The limit at a scale of 10: two attempts of 1 s, the TTL of 0.5 s and the longest pause of 0.2 s after both changes."""
    results: list[bool] = []
    context = SimpleNamespace(
        environment=SimpleNamespace(
            time_scale=10.0,
            writer_name="writer.payments.internal",
            client_region="eu-west-1",
            resolve_dns=lambda _name, from_region: SimpleNamespace(ttl_seconds=5),
        ),
        workload=SimpleNamespace(attempt_seconds=lambda: 1.0),
        expect=lambda _text, passed, _detail, timed: results.append(passed and timed),
    )
    expect_carried_through(cast(DrillContext, context), written_at, promoted_at=90.0, named_at=102.0)
    assert results == [passes]


NOW = 1_795_000_000.0
BASELINE = {
    "cycle_at": written(NOW - 1),
    "lag_at": written(NOW - 1),
    "roles_changed_at": written(NOW - 1000),
    "healthy_cycles": 5,
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


@pytest.mark.parametrize(("required", "cycles"), [(5, 6.5), (7, 8.5), (None, 8.5)])
def test_limit_of_a_call_follows_its_threshold(required: int | None, cycles: float) -> None:
    """The notice of the call names the threshold; without a notice, the higher one counts."""
    evidence = {} if required is None else {"required_cycles": required}
    notices = [
        SimpleNamespace(action="notify", message={"evidence": {"required_cycles": 2}}),
        SimpleNamespace(action="fail-over", message={"evidence": evidence}),
    ]
    context = SimpleNamespace(zero=0.0, recorder=SimpleNamespace(notices_since=lambda _at: notices))
    assert cycles_to_call(cast(DrillContext, context)) == cycles


@pytest.mark.parametrize(
    ("ids", "may_repeat", "passes"),
    [
        (["a"], False, True),
        (["a", "a"], False, False),
        (["a", "a"], True, True),
        (["a", "b"], True, False),
        ([], True, False),
    ],
)
def test_repeated_notice_is_excused_only_after_a_kill(ids: list[str], may_repeat: bool, passes: bool) -> None:
    """A killed controller may have sent a notice that its successor finds in the table and sends again, with the same id."""
    found: list[bool] = []
    notices = [SimpleNamespace(reason="region-lost", message={"id": each}) for each in ids]
    context = SimpleNamespace(
        zero=0.0,
        recorder=SimpleNamespace(notices_since=lambda _at, region: notices),
        expect=lambda _text, passed, _detail: found.append(passed),
    )
    region = SimpleNamespace(name="eu-west-1")
    expect_notices_sent_once(cast(Any, context), cast(Any, region), ("region-lost",), may_repeat=may_repeat)
    assert found == [passes]


@pytest.mark.parametrize(("ago_seconds", "waits"), [(16.0, True), (18.0, False)])
@pytest.mark.parametrize("calls", [[], [call(1, WEST)]])
def test_drill_waits_until_a_controller_that_does_not_hold_would_have_called(
    calls: list[OperationCall], ago_seconds: float, waits: bool
) -> None:
    """Without a recent silence the notice comes after 5 cycles; a call may come after 8.5 cycles otherwise."""
    slept: list[float] = []
    found: list[bool] = []
    context = SimpleNamespace(
        zero=time.time() - ago_seconds,
        interval_seconds=2.0,
        sleep_cycles=slept.append,
        calls_since=lambda _at: calls,
        expect=lambda _text, passed, _detail: found.append(passed),
    )
    expect_held(cast(Any, context), "before the approval")
    assert (slept[0] > 0, slept[0] <= 0.5, found) == (waits, True, [not calls])


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ([(5.0, {EAST, WEST}), (7.0, {EAST})], True),
        ([(5.0, {EAST, WEST})], False),
        ([(5.0, {EAST}), (11.0, {EAST, WEST})], False),
        ([], False),
    ],
    ids=["before the drill", "since before the drill", "in the drill", "not recorded"],
)
def test_two_writers_count_only_in_their_own_drill(changes: list[tuple[float, set[str]]], passes: bool) -> None:
    """In detach-and-promote the old writer returns and takes writes beside the detached cluster, as on AWS."""
    found: list[bool] = []
    writable = [(at, frozenset(clusters)) for at, clusters in changes]
    context = SimpleNamespace(
        started_at=10.0,
        attempts_since=lambda _at: [],
        environment=SimpleNamespace(regions=[], control_plane=SimpleNamespace(calls=[])),
        recorder=SimpleNamespace(writable_clusters=writable, samples=1),
        expect=lambda _text, passed, _detail: found.append(passed),
    )
    expect_single_writer(cast(Any, context))
    assert found == [passes]
