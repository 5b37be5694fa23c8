"""Switchover as people type it: the plan, what forbids it, the way, what goes wrong on it, and how to go on."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.failover_controller.model import Pending, Reason, Side, State
from operations.aws.ports import RdsRoles
from operations.aws.table_items import STATE
from operations.support.errors import AwsError, ExitCode
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import EAST, EAST_REGION, GLOBAL_CLUSTER, ME, WEST, WEST_REGION, after, lose_writer
from tests.support.operations.moving import FakeMoveEnvironment, FakeOperation

GO = ("switchover", "--reason", "game day", "--confirm", GLOBAL_CLUSTER)


@pytest.fixture
def environment() -> FakeMoveEnvironment:
    """Two healthy regions: us-east-1 is the writer's, eu-west-1 the standby's."""
    return FakeMoveEnvironment()


def interrupt() -> None:
    """Let a person press Ctrl-C."""
    raise KeyboardInterrupt


def test_the_other_region_becomes_the_writer(environment: FakeMoveEnvironment) -> None:
    """Called once, in the writer's region, followed until clients write and the former writer replicates."""
    result = environment.run(*GO, "--json")
    assert result.exit_code == ExitCode.DONE
    assert environment.writer == WEST_REGION
    assert environment.called("switch_over") == [EAST]
    notified = json.loads(result.stdout)
    assert (notified["from"], notified["writer"], notified["changed"]) == (EAST, WEST, True)
    assert list(notified["seconds"]) == ["promotion", "first heartbeat", "DNS", "replication back"]
    assert 60 <= notified["seconds"]["promotion"] < 70
    for words in ("accepted: eu-west-1", "eu-west-1: RDS reports switching-over", "accepts writes, heartbeat", "DNS: "):
        assert words in result.stderr


def test_the_plan_says_what_a_person_must_know_and_does_nothing(environment: FakeMoveEnvironment) -> None:
    """Without --confirm: who, where to, the lag, the controllers, the clients, the time, and the command to run."""
    result = environment.run(*GO[:-2])
    assert result.exit_code == ExitCode.REFUSED
    for words in (
        "writer now   us-east-1: payments-us-east-1-dev, available, 2 instance(s)",
        "writer then  eu-west-1",
        "lag          80 ms",
        "mode automatic, armed; last cycle 4 s ago",
        "they hold while RDS shows an operation",
        "of 900 s",
        "AWS gives no number",
        "run: python -m operations switchover --reason 'game day' --confirm payments-global-dev",
    ):
        assert words in result.stderr
    assert environment.called("switch_over") == []
    assert environment.west.traces() == []


def test_what_is_about_to_be_done_stands_in_the_audit_trail_of_the_new_writer(environment: FakeMoveEnvironment) -> None:
    """Who and why, before the call."""
    environment.on(EAST, "switch_over", lambda: reasons.extend(trace["reason"] for trace in environment.west.traces()))
    reasons: list[str] = []
    environment.run(*GO)
    assert reasons == ["operator-switchover"]
    assert environment.west.traces()[0]["evidence"] == {"by": ME, "why": "game day", "from": EAST}


def test_home_again_waits_for_a_whole_minute_of_the_other_side_s_silence(environment: FakeMoveEnvironment) -> None:
    """The name leads home only when the other region has reported no writer for a whole period."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    result = environment.run(*GO, "--to", EAST, "--json")
    assert result.exit_code == ExitCode.DONE
    assert "eu-west-1 still reports itself as the writer this minute" in result.stderr
    seconds = json.loads(result.stdout)["seconds"]
    assert seconds["DNS"] - seconds["promotion"] >= 60


def test_the_name_has_followed_when_it_leads_there(environment: FakeMoveEnvironment, aws: FakeAws) -> None:
    """The metric turns first, the health checks after it: until then a look at DNS would find the former writer."""
    environment.read_api_for = aws
    aws.name_leads_to = lambda: WEST if environment.now >= after(300) else EAST
    result = environment.run(*GO, "--json")
    assert json.loads(result.stdout)["seconds"]["DNS"] >= 300
    assert "eu-west-1 reports itself as the writer; the name still resolves to us-east-1" in result.stderr


def test_the_name_is_not_waited_for_when_nobody_wants_it(environment: FakeMoveEnvironment) -> None:
    """With --no-dns the metrics are not asked."""
    assert "DNS" not in json.loads(environment.run(*GO, "--no-dns", "--json").stdout)["seconds"]
    assert environment.called("writer_role") == []


def test_where_it_is_already_there_is_nothing_to_do(environment: FakeMoveEnvironment) -> None:
    """Exit code 0, nothing asked, nothing called."""
    result = environment.run("switchover", "--to", EAST)
    assert result.exit_code == ExitCode.DONE
    assert "us-east-1 is the writer: nothing to do." in result.stdout
    assert environment.called("switch_over") == []


def hold(environment: FakeMoveEnvironment, **changes: Any) -> None:
    """Change the standby's cluster."""
    environment.moving[WEST].set_cluster(**changes)


def lag(environment: FakeMoveEnvironment, milliseconds: float) -> None:
    """Let the standby's controller have measured this lag just now."""
    environment.west.put_state(
        State(version=9, cycle_at=after(-4), writer=Side.PEER, lag_ms=milliseconds, lag_at=after(-3))
    )


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (lambda environment: setattr(environment, "global_status", "modifying"), "the global cluster is modifying"),
        (lambda environment: hold(environment, status="backing-up"), "the cluster in eu-west-1 is backing-up"),
        (lambda environment: environment.moving[WEST].instances.clear(), "the cluster in eu-west-1 has no instance"),
        (lambda environment: environment.moving[WEST].clusters.clear(), "there is no such cluster"),
        (lambda environment: hold(environment, engine_version="8.0.mysql_aurora.3.10.9"), "the engine versions differ"),
        (
            lambda environment: environment.synchronization.update({WEST_REGION.cluster_arn: "pending-resync"}),
            "eu-west-1 is not synchronized: pending-resync",
        ),
        (lose_writer, "the writer is unreachable since 2026-11-24T11:59:00Z"),
        (
            lambda environment: lose_writer(
                environment, pending=Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=after(-9))
            ),
            "requests approval of decision d-1",
        ),
        (lambda environment: lag(environment, 9000), "the lag is 9000 ms, above 5000 ms"),
        (lambda environment: environment.fail(EAST, "read_global"), "where a switchover is called, does not answer"),
        (lambda environment: environment.fail(WEST, "read_items"), "can't be read, so it may be about to act"),
        (
            lambda environment: environment.west.items.update({STATE: {"version": "x"}}),
            "can't be read, so it may be about to act: malformed",
        ),
    ],
)
def test_what_forbids_it_is_named_and_nothing_is_called(
    environment: FakeMoveEnvironment, arrange: Callable[[FakeMoveEnvironment], None], words: str
) -> None:
    """Each gate refuses with its reason, in the plan and in the error, even when it was confirmed."""
    arrange(environment)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert words in result.stderr.partition("OBSTACLE")[2]
    assert words in result.stderr.partition("REFUSED")[2]
    assert "Cure: " in result.stderr
    assert environment.called("switch_over") == []


def test_more_lag_may_be_allowed(environment: FakeMoveEnvironment) -> None:
    """The limit is the person's."""
    lag(environment, 9000)
    assert environment.run(*GO).exit_code == ExitCode.REFUSED
    assert environment.run(*GO, "--max-lag-ms", "10000").exit_code == ExitCode.DONE


def test_an_operation_under_way_is_followed_not_called_again(environment: FakeMoveEnvironment) -> None:
    """Running the same command again is safe, and asks nothing."""
    environment.begin(WEST_REGION, allows_data_loss=False)
    for more in ((), ("--resume",), ("--to", WEST)):
        result = environment.run("switchover", *more)
        assert result.exit_code == ExitCode.DONE
        environment.roles = RdsRoles(writer_arn=EAST_REGION.cluster_arn, operation=None)
        environment.begin(WEST_REGION, allows_data_loss=False)
    assert "is under way: this command follows it and calls nothing" in result.stderr
    assert environment.called("switch_over") == []


def test_another_operation_is_not_ours(environment: FakeMoveEnvironment) -> None:
    """Somebody moves the writer elsewhere: refused."""
    environment.begin(WEST_REGION, allows_data_loss=True)
    result = environment.run("switchover", "--to", EAST, "--confirm", GLOBAL_CLUSTER)
    assert result.exit_code == ExitCode.REFUSED
    assert "another operation is under way: failover" in result.stderr


def test_resume_calls_nothing_when_nothing_is_under_way(environment: FakeMoveEnvironment) -> None:
    """It ended meanwhile: in the wanted region, or not."""
    assert environment.run(*GO, "--resume").exit_code == ExitCode.DONE
    assert environment.run(*GO, "--resume", "--to", EAST).exit_code == ExitCode.DONE
    assert environment.run(*GO, "--resume", "--to", WEST).exit_code == ExitCode.REFUSED
    assert environment.called("switch_over") == []


def test_ctrl_c_says_what_goes_on_and_the_command_that_follows_it(environment: FakeMoveEnvironment) -> None:
    """130; AWS carries on; the command names the target, and really goes on."""
    environment.on_sleep = interrupt
    result = environment.run(*GO)
    assert result.exit_code == 130
    assert "AWS continues the move to eu-west-1 by itself" in result.stderr
    assert f"--confirm {GLOBAL_CLUSTER} --to eu-west-1 --resume" in result.stderr
    environment.on_sleep = lambda: None
    assert environment.run(*GO, "--to", WEST, "--resume").exit_code == ExitCode.DONE
    assert environment.called("switch_over") == [EAST]


def test_ctrl_c_before_anything_was_called_says_so(environment: FakeMoveEnvironment) -> None:
    """130 too, and nothing was begun."""
    environment.on(WEST, "read_global", interrupt)
    result = environment.run(*GO)
    assert result.exit_code == 130
    assert "Only the steps shown above were started" in result.stderr
    assert environment.called("switch_over") == []


def test_an_operation_that_is_seen_late_is_no_failure(environment: FakeMoveEnvironment) -> None:
    """In the other region RDS may show it a minute later: only two minutes without any sign are an end."""
    environment.operation_seconds = 180
    hidden: list[FakeOperation] = []

    def blind() -> None:
        if environment.operation is not None and environment.now < after(90):
            operation, environment.operation = environment.operation, None
            hidden.append(operation)
        elif hidden:
            environment.operation = hidden.pop()

    environment.on(WEST, "read_global", blind)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "RDS shows no operation and no change of roles yet" in result.stderr
    assert environment.called("switch_over") == [EAST]


def test_a_time_out_says_what_goes_on(environment: FakeMoveEnvironment) -> None:
    """7, and the last thing that was seen."""
    environment.operation_seconds = 3600
    result = environment.run(*GO, "--timeout", "10m", "--json")
    assert result.exit_code == ExitCode.TIMED_OUT
    notified = json.loads(result.stdout)
    assert (
        notified["error"] == "promotion: not finished within 600 s; last state: eu-west-1: RDS reports switching-over"
    )
    assert "AWS continues" in notified["hint"]


def test_the_elapsed_time_is_said_again_and_again(environment: FakeMoveEnvironment) -> None:
    """Nobody wonders whether it hangs: half a minute without news is said too."""
    environment.operation_seconds = 300
    lines = [line for line in environment.run(*GO).stderr.splitlines() if "RDS reports switching-over" in line]
    assert 9 <= len(lines) <= 12
    assert [line.split()[0] for line in lines] == sorted({line.split()[0] for line in lines})


def test_a_look_that_fails_is_borne(environment: FakeMoveEnvironment) -> None:
    """RDS does not answer for a while: it is said, and the wait goes on."""
    failing = iter([AwsError("RDS API of eu-west-1: no answer", hint="")] * 3)

    def fail() -> None:
        if environment.operation is not None and (error := next(failing, None)):
            raise error

    environment.on(WEST, "read_global", fail)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "can't be read at present: RDS API of eu-west-1: no answer" in result.stderr


def test_looks_that_go_on_failing_end_it_with_the_way_to_go_on(environment: FakeMoveEnvironment) -> None:
    """4; AWS carries on; the command to follow it."""
    environment.on(EAST, "switching", lambda: environment.fail(WEST, "read_global"))
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "AWS continues" in result.stderr
    assert "--resume" in result.stderr


def test_a_call_that_lost_its_answer_is_looked_after(environment: FakeMoveEnvironment) -> None:
    """RDS had begun: it is followed."""
    environment.fail(EAST, "switching")
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "no answer to the call, but RDS has started the operation" in result.stderr


def test_a_call_that_did_not_get_through_is_not_repeated(environment: FakeMoveEnvironment) -> None:
    """4: nothing is to be seen, and running the command again does no harm."""
    environment.fail(EAST, "switch_over")
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "RDS shows no operation" in result.stderr
    assert environment.called("switch_over") == [EAST]


def test_a_no_of_aws_is_a_refusal(environment: FakeMoveEnvironment) -> None:
    """3: AWS's own words, and nothing was changed."""
    environment.on(
        EAST,
        "switch_over",
        lambda: setattr(environment, "roles", RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)),
    )
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "AWS refused: nothing was changed" in result.stderr


def test_an_operation_that_ends_without_a_change_is_a_failure(environment: FakeMoveEnvironment) -> None:
    """6: RDS gave up; the events of the clusters say why."""
    environment.is_stuck = True
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.FAILED
    assert "is the writer" in result.stderr
    assert "describe-events" in result.stderr


def test_a_promotion_that_does_not_write_is_not_the_end(environment: FakeMoveEnvironment) -> None:
    """The role alone is not enough: a heartbeat must be committed there."""
    environment.never_writes = True
    result = environment.run(*GO, "--timeout", "5m")
    assert result.exit_code == ExitCode.TIMED_OUT
    assert "eu-west-1: does not accept writes yet: read-only" in result.stderr


def test_nothing_is_called_when_the_trace_can_t_be_written(environment: FakeMoveEnvironment) -> None:
    """What is not recorded is not done, when it is planned."""
    environment.fail(WEST, "write")
    assert environment.run(*GO).exit_code == ExitCode.AWS
    assert environment.called("switch_over") == []


def test_without_anybody_who_names_the_writer_nothing_is_done(environment: FakeMoveEnvironment) -> None:
    """4, and both regions are named."""
    environment.fail(EAST, "read_global")
    environment.fail(WEST, "read_global")
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "the writer is unknown" in result.stderr


@pytest.mark.parametrize(
    "options", [("--timeout", "soon"), ("--to", "eu-north-1"), ("--max-lag-ms", "-1"), ("--reason", " ")]
)
def test_usage(environment: FakeMoveEnvironment, options: tuple[str, ...]) -> None:
    """A wrong option ends with 2, and nothing is called."""
    assert environment.run(*GO, *options).exit_code == ExitCode.USAGE
    assert environment.called("switch_over") == []


def test_a_cycle_long_ago_measures_no_lag(environment: FakeMoveEnvironment) -> None:
    """An old lag is none: it is said, and AWS waits for the catch-up anyway."""
    environment.now += timedelta(minutes=10)
    result = environment.run(*GO[:-2])
    assert "lag          no recent measurement" in result.stderr
