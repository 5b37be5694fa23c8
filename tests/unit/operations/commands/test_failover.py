"""Manual failover: acceptance of data loss, evidence, blockers, and completion with the writer's region lost."""

import json

import pytest

from functions.failover_controller.model import Attempt, AttemptStatus, Pending, Reason
from operations.aws.move_ports import AwsRefusedError
from operations.aws.ports import RdsRoles
from operations.support.errors import ExitCode
from tests.support.operations.fake_move_api import FakeMoveEnvironment
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

ACCEPTED = ("failover", "--reason", "region lost, INC-7", "--accept-data-loss")
GO = (*ACCEPTED, "--confirm", GLOBAL_CLUSTER)
ALL_CALLS = ("read_items", "read_history", "read_roles", "read_environment", "caller", "write")
MOVES = ("read_global", "read_cluster", "probe", "writer_role")


@pytest.fixture
def lost() -> FakeMoveEnvironment:
    """The writer's region us-east-1 is lost, and the standby's controller requests approval."""
    environment = FakeMoveEnvironment()
    environment.unreachable.add(EAST)
    environment.fail(EAST, *ALL_CALLS, *MOVES)
    lose_writer(environment, pending=Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=after(-9)))
    return environment


def test_failover_promotes_the_standby(lost: FakeMoveEnvironment) -> None:
    """The API is called once, in the standby's region, and the operation is followed while the other region is unreachable."""
    result = lost.run(*GO, "--json")
    assert result.exit_code == ExitCode.DONE
    assert lost.writer == WEST_REGION
    assert lost.called("fail_over") == [WEST]
    found = json.loads(result.stdout)
    assert (found["from"], found["writer"]) == (EAST, WEST)
    assert list(found["seconds"]) == ["promotion", "first heartbeat", "DNS"]


def test_result_lists_the_next_steps(lost: FakeMoveEnvironment) -> None:
    """The steps are the snapshot with the lost writes, the switch back, and the arm state."""
    text = lost.run(*GO).stdout
    for words in ("rds:unplanned-global-failover-...", "switchover --to us-east-1", "Check the switch in `status`"):
        assert words in text


def test_data_loss_must_be_accepted(lost: FakeMoveEnvironment) -> None:
    """The exit code is 2 before any call."""
    result = lost.run("failover", "--reason", "x", "--confirm", GLOBAL_CLUSTER)
    assert result.exit_code == ExitCode.USAGE
    assert "`switchover`" in result.stderr
    assert lost.calls == []


def test_plan_shows_the_evidence(lost: FakeMoveEnvironment) -> None:
    """The plan has the controller's state, the estimated loss, the pending decision and the result of each path."""
    result = lost.run(*ACCEPTED)
    assert result.exit_code == ExitCode.REFUSED
    for words in (
        "no evidence that the writer is running",
        "over the peering: timeout",
        "the writer is unreachable since 2026-11-24T11:59:00Z, for 6 cycles",
        "estimated loss: the writes of the last 1500 ms before the writer stopped",
        "newest heartbeat received: 2026-11-24T11:58:59Z",
        "requests approval of decision d-1: region-lost",
        "NOT READ: read_cluster of us-east-1: no answer",
        f"run: python -m operations failover --reason 'region lost, INC-7' --accept-data-loss --confirm {GLOBAL_CLUSTER}",
    ):
        assert words in result.stderr
    assert lost.called("fail_over") == []


def test_data_loss_is_unknown_without_controller_state(lost: FakeMoveEnvironment) -> None:
    """The plan reports the loss as unknown."""
    lost.west.items.clear()
    assert "the possible data loss is unknown" in lost.run(*ACCEPTED).stderr


def test_failover_is_recorded_with_its_evidence(lost: FakeMoveEnvironment) -> None:
    """The entry is written before the call."""
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


def test_unwritable_table_does_not_stop_a_failover(lost: FakeMoveEnvironment) -> None:
    """The output says that it was not recorded."""
    lost.fail(WEST, "write")
    result = lost.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "NOT RECORDED in the audit trail" in result.stderr


def test_refused_while_the_writer_is_reachable() -> None:
    """Every sign is named, and the hint is a switchover."""
    environment = FakeMoveEnvironment()
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    for words in (
        "the health_check in us-east-1 reaches the writer",
        "the health_check in eu-west-1 reaches the writer over the peering connection",
        "the writer's heartbeats arrive, the last one 4 s ago",
        "`switchover`",
    ):
        assert words in result.stderr.partition("REFUSED")[2]
    assert environment.called("fail_over") == []


@pytest.mark.parametrize("sign", ["peer", "heartbeat"])
def test_one_sign_of_a_running_writer_is_enough(lost: FakeMoveEnvironment, sign: str) -> None:
    """The sign is either the probe over the peering connection or the heartbeats."""
    if sign == "peer":
        lost.unreachable.clear()
    else:
        lose_writer(lost)
        state = lost.west.items["state", "current"]
        for name in ("dead_since", "dead_cycles", "silent_cycles"):
            state.pop(name, None)
        state["heartbeat_seen_at"] = after(-5).isoformat()
    assert lost.run(*GO).exit_code == ExitCode.REFUSED
    assert lost.run(*GO, "--even-if-the-writer-answers").exit_code == ExitCode.DONE


def test_refused_after_the_controller_started_a_failover(lost: FakeMoveEnvironment) -> None:
    """No option overrides it."""
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


def test_standby_without_instance_is_not_promoted(lost: FakeMoveEnvironment) -> None:
    """The exit code is 3."""
    lost.moving[WEST].instances.clear()
    result = lost.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "the cluster in eu-west-1 has no instance" in result.stderr


def test_failover_in_progress_is_followed(lost: FakeMoveEnvironment) -> None:
    """The API is not called again, even if the controller started the failover."""
    lost.begin(WEST_REGION, allows_data_loss=True)
    result = lost.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert (
        "A failover to eu-west-1 is in progress: this command follows that operation and makes no call" in result.stderr
    )
    assert "rds:unplanned-global-failover-..." in result.stdout
    assert lost.called("fail_over") == []


def test_resume_without_an_operation_is_refused(lost: FakeMoveEnvironment) -> None:
    """The exit code is 3, and nothing is called."""
    assert lost.run("failover", "--reason", "x", "--resume").exit_code == ExitCode.REFUSED
    assert lost.called("fail_over") == []


def test_resume_after_ctrl_c_and_timeout(lost: FakeMoveEnvironment) -> None:
    """The failover is called once and followed to its end."""

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


def test_refusal_by_rds_changes_nothing(lost: FakeMoveEnvironment) -> None:
    """The exit code is 3, with the error of RDS."""
    lost.on(WEST, "fail_over", lambda: setattr(lost.moving[WEST], "region", EAST_REGION))
    result = lost.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "AWS refused: no changes were made" in result.stderr


def test_controller_that_was_faster_is_no_error(lost: FakeMoveEnvironment) -> None:
    """RDS refuses a failover to the writer; the operator has what was asked for."""

    def promote_and_refuse() -> None:
        lost.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
        lost.changed_at = lost.now
        raise AwsRefusedError("RDS API of eu-west-1: InvalidGlobalClusterStateFault: already the writer", hint="")

    lost.on(WEST, "fail_over", promote_and_refuse)
    result = lost.run(*GO)
    assert result.exit_code == ExitCode.DONE, result.stderr
    assert "a move to eu-west-1 has started before" in result.stderr


def test_unanswered_call_is_followed_only_if_it_started(lost: FakeMoveEnvironment) -> None:
    """If RDS shows no operation, the exit code is 4."""
    lost.fail(WEST, "failing")
    assert lost.run(*GO).exit_code == ExitCode.DONE
    lost.roles = RdsRoles(writer_arn=EAST_REGION.cluster_arn, operation=None)
    lost.fail(WEST, "fail_over")
    result = lost.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "Run the command again" in result.stderr


def test_failover_needs_an_rds_api(lost: FakeMoveEnvironment) -> None:
    """The writer is unknown if no RDS API responds."""
    lost.fail(WEST, "read_global")
    assert lost.run(*GO).exit_code == ExitCode.AWS
    assert lost.now == NOW
