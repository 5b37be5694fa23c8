"""Approve: evidence first, exact id, once, and only while the controller requests it."""

import json
from dataclasses import replace

import pytest

from functions.failover_controller.model import Action, Attempt, AttemptStatus, Pending, Reason
from functions.failover_controller.table_items import read_approval
from operations.aws.table_items import STATE, SWITCH
from operations.support.errors import ExitCode
from tests.support.operations.fakes import (
    EAST,
    GLOBAL_CLUSTER,
    ME,
    NOW,
    WEST,
    FakeEnvironment,
    after,
    lose_writer,
    notice,
)

PENDING = Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=after(-30))
APPROVE = ("approve", "d-1", "--confirm", GLOBAL_CLUSTER)
KEY = ("approval", "d-1")


@pytest.fixture
def requesting(environment: FakeEnvironment) -> FakeEnvironment:
    """A standby whose controller requests approval of decision d-1."""
    lose_writer(environment, pending=PENDING)
    environment.west.put_notice(notice("n-0", after(-300), Reason.HEALTHY))
    environment.west.put_notice(
        notice(
            "n-1",
            after(-28),
            Reason.LAG_TOO_HIGH,
            Action.REQUEST_APPROVAL,
            decision_id="d-1",
            lag_before_outage_ms=9500.5,
        )
    )
    return environment


def test_approval_has_the_form_that_the_controller_reads(requesting: FakeEnvironment) -> None:
    """The item is stored under the decision's id, with an audit entry."""
    result = requesting.run(*APPROVE)
    assert result.exit_code == ExitCode.DONE
    assert requesting.west.items[KEY] == {
        "approved": True,
        "by": ME,
        "at": NOW.isoformat(),
        "verdict": "region-lost",
        "change_id": "change-1",
    }
    read = read_approval({"item": KEY[0], "sort": KEY[1], **requesting.west.items[KEY]})
    assert (read.id, read.approved, read.by) == ("d-1", True, ME)
    (trace,) = requesting.west.traces()
    assert trace["reason"] == "operator-approve"
    assert trace["evidence"] == {"by": ME, "decision_id": "d-1", "verdict": "region-lost"}


def test_evidence_is_shown_before_the_confirmation(requesting: FakeEnvironment) -> None:
    """The text contains the notice's evidence and the controller's state."""
    result = requesting.run(*APPROVE[:-2], answer="n\n")
    shown, _, _ = result.stderr.partition("Approve d-1 as")
    for fact in ("held_by: lag-too-high", "lag_before_outage_ms: 9500.5", "dead_since: 2026-11-24T11:59:00Z"):
        assert fact in shown
    assert result.exit_code == ExitCode.REFUSED
    assert KEY not in requesting.west.items


def test_undelivered_notice_is_evidence(environment: FakeEnvironment) -> None:
    """The outbox in the state is newer than the audit trail."""
    waiting = notice(
        "n-2", after(-5), Reason.APPROVAL_NEEDED, Action.REQUEST_APPROVAL, decision_id="d-1", peer="silent"
    )
    lose_writer(environment, pending=PENDING, outbox=(waiting,))
    found = json.loads(environment.run(*APPROVE, "--json").stdout)
    assert (found["evidence"]["held_by"], found["evidence"]["peer"]) == ("approval-needed", "silent")


def test_status_shows_approval_and_evidence(requesting: FakeEnvironment) -> None:
    """The approval's own audit entry is not evidence."""
    requesting.run(*APPROVE)
    assert f"d-1: region-lost, approved by {ME}; held_by lag-too-high" in requesting.run("status").stdout
    pending = json.loads(requesting.run("status", "--json").stdout)["pending"]
    assert (pending["approved"], pending["answered_by"], pending["held_by"]) == (True, ME, "lag-too-high")


def test_approval_while_disarmed_points_to_arm(requesting: FakeEnvironment) -> None:
    """The controller promotes only while armed."""
    requesting.west.items[SWITCH] = {"armed": False, "reason": "upgrade", "by": "bob"}
    result = requesting.run(*APPROVE)
    assert "the switch is disarmed without end by bob: upgrade. No promotion happens before `arm`." in result.stderr


def test_only_the_standby_is_called(requesting: FakeEnvironment) -> None:
    """The writer's region may be lost."""
    requesting.run(*APPROVE)
    assert requesting.calls_to(EAST) == []


def test_missing_confirmation_writes_nothing(requesting: FakeEnvironment) -> None:
    """The hint shows the command with --confirm."""
    result = requesting.run(*APPROVE[:-2])
    assert result.exit_code == ExitCode.REFUSED
    assert f"--confirm {GLOBAL_CLUSTER}" in result.stderr
    assert KEY not in requesting.west.items


def test_refused_without_pending_decision(environment: FakeEnvironment) -> None:
    """The exit code is 3."""
    lose_writer(environment)
    result = environment.run(*APPROVE)
    assert result.exit_code == ExitCode.REFUSED
    assert "no decision is pending in eu-west-1" in result.stderr


def test_refused_for_another_decision(requesting: FakeEnvironment) -> None:
    """The error names the pending decision."""
    result = requesting.run("approve", "d-", "--confirm", GLOBAL_CLUSTER)
    assert result.exit_code == ExitCode.REFUSED
    assert "'d-1'" in result.stderr
    assert ("approval", "d-") not in requesting.west.items


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"approved": True, "by": "bob"}, "approved by bob"),
        ({"approved": False}, "rejected by unknown"),
        ({"approved": "yes"}, "can't be parsed"),
    ],
)
def test_refused_when_already_answered(requesting: FakeEnvironment, answer: dict[str, object], text: str) -> None:
    """The first answer stands."""
    requesting.west.items[KEY] = dict(answer)
    result = requesting.run(*APPROVE)
    assert result.exit_code == ExitCode.REFUSED
    assert text in result.stderr
    assert requesting.west.items[KEY] == answer


@pytest.mark.parametrize(("cycle_at", "text"), [(after(-600), "for 10 min"), (None, "at all yet")])
def test_refused_when_the_controller_is_silent(requesting: FakeEnvironment, cycle_at: object, text: str) -> None:
    """The observations of a silent controller are stale."""
    requesting.west.put_state(replace(lose_writer(requesting, pending=PENDING), cycle_at=cycle_at))
    result = requesting.run(*APPROVE)
    assert result.exit_code == ExitCode.REFUSED
    assert f"has not run {text}" in result.stderr


def test_refused_after_the_failover_started(requesting: FakeEnvironment) -> None:
    """No approval is needed any more."""
    attempt = Attempt(
        id="a",
        status=AttemptStatus.INTENDED,
        verdict=Reason.REGION_LOST,
        started_at=after(-3),
        touched_at=after(-3),
        outage_at=after(-60),
        lag_ms=None,
        heartbeat=None,
        calls=1,
    )
    lose_writer(requesting, pending=PENDING, attempt=attempt)
    assert "was started at 2026-11-24T11:59:57Z" in requesting.run(*APPROVE).stderr


@pytest.mark.parametrize(
    ("state", "text"), [(None, "has not completed a cycle yet"), ({"version": "x"}, "can't be parsed")]
)
def test_refused_without_readable_state(
    environment: FakeEnvironment, state: dict[str, object] | None, text: str
) -> None:
    """A missing or malformed state cannot be approved."""
    if state is not None:
        environment.west.items[STATE] = state
    result = environment.run(*APPROVE)
    assert result.exit_code == ExitCode.REFUSED
    assert text in result.stderr


def test_concurrent_answer_is_refused(requesting: FakeEnvironment) -> None:
    """The error names who answered."""
    requesting.on(WEST, "write", lambda: requesting.west.items.update({KEY: {"approved": True, "by": "bob"}}))
    result = requesting.run(*APPROVE)
    assert result.exit_code == ExitCode.REFUSED
    assert "the decision was answered by bob" in result.stderr


def test_concurrent_answer_that_can_not_be_read_is_refused(requesting: FakeEnvironment) -> None:
    """A failing read does not hide the conflict."""

    def bob_answers() -> None:
        requesting.west.items[KEY] = {"approved": True, "by": "bob"}
        requesting.fail(WEST, "read_items")

    requesting.on(WEST, "write", bob_answers)
    result = requesting.run(*APPROVE)
    assert result.exit_code == ExitCode.REFUSED
    assert "the current item can't be read" in result.stderr


@pytest.mark.parametrize("call", ["read_items", "read_history", "caller", "write"])
def test_aws_error_writes_no_approval(requesting: FakeEnvironment, call: str) -> None:
    """The exit code is 4 at every step."""
    requesting.fail(WEST, call)
    assert requesting.run(*APPROVE).exit_code == ExitCode.AWS
    assert KEY not in requesting.west.items


def test_unacknowledged_approval_that_took_effect_is_a_success(requesting: FakeEnvironment) -> None:
    """The item is read, not written again."""
    requesting.fail(WEST, "written")
    assert requesting.run(*APPROVE).exit_code == ExitCode.DONE
