"""Failover by hand: the acceptance, the evidence, what forbids it, and the way to the end with the region dead."""

import json

import pytest

from functions.failover_controller.model import Attempt, AttemptStatus, Pending, Reason
from operations.aws.ports import RdsRoles
from operations.support.errors import ExitCode
from tests.support.operations.fakes import (
    EAST,
    EAST_REGION,
    GLOBAL_CLUSTER,
    ME,
    NOW,
    WEST,
    WEST_REGION,
    after,
    lose_writer,
)
from tests.support.operations.moving import FakeMoveEnvironment

ACCEPTED = ("failover", "--reason", "region lost, INC-7", "--accept-data-loss")
GO = (*ACCEPTED, "--confirm", GLOBAL_CLUSTER)
ALL_CALLS = ("read_items", "read_history", "read_roles", "read_policy", "caller", "write")
MOVES = ("read_global", "read_cluster", "probe", "writer_role")


@pytest.fixture
def lost() -> FakeMoveEnvironment:
    """The writer's region us-east-1 is lost, and the standby's controller is disarmed, or held."""
    environment = FakeMoveEnvironment()
    environment.dead.add(EAST)
    environment.fail(EAST, *ALL_CALLS, *MOVES)
    lose_writer(environment, pending=Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=after(-9)))
    return environment


def test_the_standby_becomes_the_writer(lost: FakeMoveEnvironment) -> None:
    """Called once, in the standby's region, with data loss allowed, and followed with the other region dead."""
    result = lost.run(*GO, "--json")
    assert result.exit_code == ExitCode.DONE
    assert lost.writer == WEST_REGION
    assert lost.called("fail_over") == [WEST]
    notified = json.loads(result.stdout)
    assert (notified["from"], notified["writer"]) == (EAST, WEST)
    assert list(notified["seconds"]) == ["promotion", "first heartbeat", "DNS"]


def test_what_is_left_to_do_is_said(lost: FakeMoveEnvironment) -> None:
    """The snapshot with the lost writes, the way home, the switch."""
    text = lost.run(*GO).stdout
    for words in ("rds:unplanned-global-failover-...", "switchover --to us-east-1", "Check the switch in `status`"):
        assert words in text


def test_nobody_loses_data_without_having_accepted_it(lost: FakeMoveEnvironment) -> None:
    """2, before anything is asked: it explains, and names the way that loses nothing."""
    result = lost.run("failover", "--reason", "x", "--confirm", GLOBAL_CLUSTER)
    assert result.exit_code == ExitCode.USAGE
    assert "`switchover`" in result.stderr
    assert lost.calls == []


def test_the_evidence_comes_before_the_call(lost: FakeMoveEnvironment) -> None:
    """What the controller saw last, the estimated loss, the pending decision, what each path says."""
    result = lost.run(*ACCEPTED)
    assert result.exit_code == ExitCode.REFUSED
    for words in (
        "no sign that the writer is running",
        "over the peering: timeout",
        "the writer is unreachable since 2026-11-24T11:59:00Z, for 6 cycles",
        "estimated loss: the writes of the last 1500 ms before the writer stopped",
        "newest heartbeat received: 2026-11-24T11:58:59+00:00",
        "requests approval of decision d-1: region-lost",
        "NOT READ: read_cluster of us-east-1: no answer",
        f"run: python -m operations failover --reason 'region lost, INC-7' --accept-data-loss --confirm {GLOBAL_CLUSTER}",
    ):
        assert words in result.stderr
    assert lost.called("fail_over") == []


def test_an_unknown_loss_is_said_to_be_unknown(lost: FakeMoveEnvironment) -> None:
    """Without a controller that remembers, nobody can say what is lost."""
    lost.west.items.clear()
    assert "the possible data loss is unknown" in lost.run(*ACCEPTED).stderr


def test_it_stands_in_the_audit_trail_with_its_evidence(lost: FakeMoveEnvironment) -> None:
    """Who, why, since when the writer was dead, the lag, the decision that was pending."""
    lost.run(*GO)
    (trace,) = lost.west.traces()
    assert trace["reason"] == "operator-failover"
    assert trace["evidence"] == {
        "by": ME,
        "why": "region lost, INC-7",
        "from": EAST,
        "dead_since": "2026-11-24T11:59:00Z",
        "lag_before_outage_ms": 1500.0,
        "decision_id": "d-1",
        "signs_of_life": [],
    }


def test_a_table_that_can_t_be_written_does_not_stop_it(lost: FakeMoveEnvironment) -> None:
    """In a disaster the trail may be lost too: it is said loudly, and the database is saved."""
    lost.fail(WEST, "write")
    result = lost.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "NOT RECORDED in the audit trail" in result.stderr


def test_while_the_writer_answers_it_is_refused() -> None:
    """Each sign of life is named; a switchover is the hint."""
    environment = FakeMoveEnvironment()
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    for words in (
        "the health_check in us-east-1 reaches it",
        "the health_check in eu-west-1 reaches it over the peering connection",
        "its heartbeats arrive, the last one 4 s ago",
        "`switchover`",
    ):
        assert words in result.stderr.partition("REFUSED")[2]
    assert environment.called("fail_over") == []


@pytest.mark.parametrize("sign", ["peer", "heartbeat"])
def test_one_sign_of_life_is_enough(lost: FakeMoveEnvironment, sign: str) -> None:
    """The port across the peering, or the heartbeats: either keeps it from being called."""
    if sign == "peer":
        lost.dead.clear()
    else:
        lose_writer(lost)
        state = lost.west.items["state", "current"]
        for name in ("dead_since", "dead_cycles", "silent_cycles"):
            state.pop(name, None)
        state["heartbeat_seen_at"] = after(-5).isoformat()
    assert lost.run(*GO).exit_code == ExitCode.REFUSED
    assert lost.run(*GO, "--even-if-the-writer-answers").exit_code == ExitCode.DONE


def test_the_controller_s_own_failover_is_never_doubled(lost: FakeMoveEnvironment) -> None:
    """It was called already: no option changes that."""
    attempt = Attempt(
        id="a",
        status=AttemptStatus.INTENDED,
        verdict=Reason.REGION_LOST,
        started_at=after(-10),
        touched_at=after(-9),
        outage_at=after(-60),
        lag_ms=None,
        heartbeat=None,
        calls=1,
    )
    lose_writer(lost, attempt=attempt)
    result = lost.run(*GO, "--even-if-the-writer-answers")
    assert result.exit_code == ExitCode.REFUSED
    assert "started a failover at 2026-11-24T11:59:50Z" in result.stderr
    assert lost.called("fail_over") == []


def test_a_standby_that_can_t_serve_is_not_promoted(lost: FakeMoveEnvironment) -> None:
    """Without an instance, or not available: refused with the hint."""
    lost.moving[WEST].instances.clear()
    result = lost.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "the cluster in eu-west-1 has no instance" in result.stderr


def test_a_failover_under_way_is_followed(lost: FakeMoveEnvironment) -> None:
    """Whoever called it: nothing is called again, and what is left to do is said."""
    lost.begin(WEST_REGION, allows_data_loss=True)
    result = lost.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "A failover to eu-west-1 is under way: this command follows it and calls nothing" in result.stderr
    assert "rds:unplanned-global-failover-..." in result.stdout
    assert lost.called("fail_over") == []


def test_resume_without_an_operation_says_so(lost: FakeMoveEnvironment) -> None:
    """3, and nothing is called."""
    assert lost.run("failover", "--reason", "x", "--resume").exit_code == ExitCode.REFUSED
    assert lost.called("fail_over") == []


def test_ctrl_c_and_the_time_limit_leave_it_to_aws(lost: FakeMoveEnvironment) -> None:
    """130 and 7; then --resume follows it to the end."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    lost.on_sleep = interrupt
    stopped = lost.run(*GO)
    assert stopped.exit_code == 130
    assert "AWS continues the move to eu-west-1" in stopped.stderr
    lost.on_sleep = lambda: None
    assert lost.run(*GO, "--resume", "--timeout", "5s").exit_code == ExitCode.TIMED_OUT
    assert lost.run(*GO, "--resume").exit_code == ExitCode.DONE
    assert lost.called("fail_over") == [WEST]


def test_a_no_of_aws_says_that_nothing_was_changed(lost: FakeMoveEnvironment) -> None:
    """RDS refuses the call: 3, with its words."""
    lost.on(WEST, "fail_over", lambda: setattr(lost.moving[WEST], "region", EAST_REGION))
    result = lost.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "AWS refused: nothing was changed" in result.stderr


def test_a_call_without_an_answer_is_looked_after(lost: FakeMoveEnvironment) -> None:
    """It began: followed. It did not: 4, and the same command may be run again."""
    lost.fail(WEST, "failing")
    assert lost.run(*GO).exit_code == ExitCode.DONE
    lost.roles = RdsRoles(writer_arn=EAST_REGION.cluster_arn, operation=None)
    lost.fail(WEST, "fail_over")
    result = lost.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "Run the command again" in result.stderr


def test_the_standby_s_api_is_needed(lost: FakeMoveEnvironment) -> None:
    """With neither RDS API nobody knows who is the writer."""
    lost.fail(WEST, "read_global")
    assert lost.run(*GO).exit_code == ExitCode.AWS
    assert lost.now == NOW
