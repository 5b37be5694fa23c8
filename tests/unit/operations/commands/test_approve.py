"""Approve: the evidence first, the exact id, once, and only while the controller still asks."""

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
def asking(environment: FakeEnvironment) -> FakeEnvironment:
    """A standby whose controller asks about decision d-1, and told why."""
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


def test_writes_the_yes_that_the_controller_reads(asking: FakeEnvironment) -> None:
    """The answer is under the decision's id, in the controller's form, with its trace."""
    result = asking.run(*APPROVE)
    assert result.exit_code == ExitCode.DONE
    assert asking.west.items[KEY] == {
        "approved": True,
        "by": ME,
        "at": NOW.isoformat(),
        "verdict": "region-lost",
        "change_id": "change-1",
    }
    read = read_approval({"item": KEY[0], "sort": KEY[1], **asking.west.items[KEY]})
    assert (read.id, read.approved, read.by) == ("d-1", True, ME)
    (trace,) = asking.west.traces()
    assert trace["reason"] == "operator-approve"
    assert trace["evidence"] == {"by": ME, "decision_id": "d-1", "verdict": "region-lost"}


def test_the_evidence_comes_before_the_question(asking: FakeEnvironment) -> None:
    """What held it, the lag before the outage, and what the controller knows as of its last cycle."""
    result = asking.run(*APPROVE[:-2], answer="n\n")
    shown, _, _ = result.stderr.partition("Approve d-1 as")
    for fact in ("held_by: lag-too-high", "lag_before_outage_ms: 9500.5", "dead_since: 2026-11-24T11:59:00Z"):
        assert fact in shown
    assert result.exit_code == ExitCode.REFUSED
    assert KEY not in asking.west.items


def test_a_notice_that_was_not_delivered_yet_is_evidence_too(environment: FakeEnvironment) -> None:
    """The outbox in the state is newer than the audit trail."""
    waiting = notice(
        "n-2", after(-5), Reason.APPROVAL_NEEDED, Action.REQUEST_APPROVAL, decision_id="d-1", peer="silent"
    )
    lose_writer(environment, pending=PENDING, outbox=(waiting,))
    found = json.loads(environment.run(*APPROVE, "--json").stdout)
    assert (found["evidence"]["held_by"], found["evidence"]["peer"]) == ("approval-needed", "silent")


def test_the_evidence_stays_after_the_answer(asking: FakeEnvironment) -> None:
    """Status says who answered, and still what the question rested on; the answer's own trace is no evidence."""
    asking.run(*APPROVE)
    assert f"d-1: region-lost, approved by {ME}; held_by lag-too-high" in asking.run("status").stdout
    pending = json.loads(asking.run("status", "--json").stdout)["pending"]
    assert (pending["approved"], pending["answered_by"], pending["held_by"]) == (True, ME, "lag-too-high")


def test_an_approval_while_disarmed_says_that_it_is_not_enough(asking: FakeEnvironment) -> None:
    """The switch comes before the question: nothing is promoted before somebody arms."""
    asking.west.items[SWITCH] = {"armed": False, "reason": "upgrade", "by": "bob"}
    result = asking.run(*APPROVE)
    assert "the switch is disarmed without end by bob: upgrade. No promotion happens before `arm`." in result.stderr


def test_only_the_standby_is_called(asking: FakeEnvironment) -> None:
    """The dead region is asked nothing."""
    asking.run(*APPROVE)
    assert asking.asked(EAST) == []


def test_nobody_confirms(asking: FakeEnvironment) -> None:
    """Where nobody can be asked it is refused with the hint, after the evidence."""
    result = asking.run(*APPROVE[:-2])
    assert result.exit_code == ExitCode.REFUSED
    assert f"--confirm {GLOBAL_CLUSTER}" in result.stderr
    assert KEY not in asking.west.items


def test_refused_when_nothing_is_pending(environment: FakeEnvironment) -> None:
    """Nobody asked, so nobody answers."""
    lose_writer(environment)
    result = environment.run(*APPROVE)
    assert result.exit_code == ExitCode.REFUSED
    assert "no decision is pending in eu-west-1" in result.stderr


def test_refused_when_another_decision_is_pending(asking: FakeEnvironment) -> None:
    """The id is exact; the error names the one that waits."""
    result = asking.run("approve", "d-", "--confirm", GLOBAL_CLUSTER)
    assert result.exit_code == ExitCode.REFUSED
    assert "'d-1'" in result.stderr
    assert ("approval", "d-") not in asking.west.items


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"approved": True, "by": "bob"}, "approved by bob"),
        ({"approved": False}, "rejected by unknown"),
        ({"approved": "yes"}, "can't be parsed"),
    ],
)
def test_refused_when_answered_already(asking: FakeEnvironment, answer: dict[str, object], said: str) -> None:
    """One answer a decision: the first stands."""
    asking.west.items[KEY] = dict(answer)
    result = asking.run(*APPROVE)
    assert result.exit_code == ExitCode.REFUSED
    assert said in result.stderr
    assert asking.west.items[KEY] == answer


@pytest.mark.parametrize(("cycle_at", "said"), [(after(-600), "for 10 min"), (None, "at all yet")])
def test_refused_when_the_controller_fell_silent(asking: FakeEnvironment, cycle_at: object, said: str) -> None:
    """A question that nobody asks any more has expired: what it rests on is stale."""
    asking.west.put_state(replace(lose_writer(asking, pending=PENDING), cycle_at=cycle_at))
    result = asking.run(*APPROVE)
    assert result.exit_code == ExitCode.REFUSED
    assert f"has not run {said}" in result.stderr


def test_refused_when_the_failover_was_called(asking: FakeEnvironment) -> None:
    """There is nothing left to approve."""
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
    lose_writer(asking, pending=PENDING, attempt=attempt)
    assert "was started at 2026-11-24T11:59:57Z" in asking.run(*APPROVE).stderr


@pytest.mark.parametrize(
    ("state", "said"), [(None, "has not completed a cycle yet"), ({"version": "x"}, "can't be parsed")]
)
def test_refused_without_a_state_that_can_be_read(
    environment: FakeEnvironment, state: dict[str, object] | None, said: str
) -> None:
    """Unknown is no question."""
    if state is not None:
        environment.west.items[STATE] = state
    result = environment.run(*APPROVE)
    assert result.exit_code == ExitCode.REFUSED
    assert said in result.stderr


def test_somebody_else_was_faster(asking: FakeEnvironment) -> None:
    """Theirs stands, and it is said whose it is."""
    asking.on(WEST, "write", lambda: asking.west.items.update({KEY: {"approved": True, "by": "bob"}}))
    result = asking.run(*APPROVE)
    assert result.exit_code == ExitCode.REFUSED
    assert "the decision was answered by bob" in result.stderr


def test_somebody_else_was_faster_and_can_not_be_named(asking: FakeEnvironment) -> None:
    """The conflict stays a conflict when the look at it fails."""

    def bob_answers() -> None:
        asking.west.items[KEY] = {"approved": True, "by": "bob"}
        asking.fail(WEST, "read_items")

    asking.on(WEST, "write", bob_answers)
    result = asking.run(*APPROVE)
    assert result.exit_code == ExitCode.REFUSED
    assert "the present item can't be read" in result.stderr


@pytest.mark.parametrize("call", ["read_items", "read_history", "caller", "write"])
def test_an_error_of_aws_on_the_way_changes_nothing(asking: FakeEnvironment, call: str) -> None:
    """Wherever it breaks, no answer is written, and the exit code says that it was AWS."""
    asking.fail(WEST, call)
    assert asking.run(*APPROVE).exit_code == ExitCode.AWS
    assert KEY not in asking.west.items


def test_a_yes_without_an_answer_that_took_effect_is_a_success(asking: FakeEnvironment) -> None:
    """It is looked at, not repeated."""
    asking.fail(WEST, "written")
    assert asking.run(*APPROVE).exit_code == ExitCode.DONE
