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
from tests.support.operations.fakes import EAST, EAST_REGION, GLOBAL_CLUSTER, ME, WEST, WEST_REGION, after, ill
from tests.support.operations.moving import MoveOptions, MovingWorld

GO = ("switchover", "--reason", "game day", "--confirm", GLOBAL_CLUSTER)


@pytest.fixture
def world() -> MovingWorld:
    """Two healthy regions: us-east-1 is the writer's, eu-west-1 the standby's."""
    return MovingWorld()


def interrupt() -> None:
    """Let a person press Ctrl-C."""
    raise KeyboardInterrupt


def test_the_other_region_becomes_the_writer(world: MovingWorld) -> None:
    """Called once, in the writer's region, followed until clients write and the former writer replicates."""
    result = world.run(*GO, "--json")
    assert result.exit_code == ExitCode.DONE
    assert world.writer == WEST_REGION
    assert world.called("switch_over") == [EAST]
    notified = json.loads(result.stdout)
    assert (notified["from"], notified["writer"], notified["changed"]) == (EAST, WEST, True)
    assert list(notified["seconds"]) == ["promotion", "first heartbeat", "DNS", "replication back"]
    assert 60 <= notified["seconds"]["promotion"] < 70
    for words in ("accepted: eu-west-1", "eu-west-1: RDS says switching-over", "takes writes, heartbeat", "DNS: "):
        assert words in result.stderr


def test_the_plan_says_what_a_person_must_know_and_does_nothing(world: MovingWorld) -> None:
    """Without --confirm: who, where to, the lag, the controllers, the clients, the time, and the command to run."""
    result = world.run(*GO[:-2])
    assert result.exit_code == ExitCode.REFUSED
    for words in (
        "writer now   us-east-1: payments-us-east-1-dev, available, 2 instance(s)",
        "writer then  eu-west-1",
        "lag          80 ms",
        "mode automatic, armed; last cycle 4 s ago",
        "they hold while RDS shows an operation",
        "of 900 s",
        "AWS says",
        "run: python -m operations switchover --reason 'game day' --confirm payments-global-dev",
    ):
        assert words in result.stderr
    assert world.called("switch_over") == []
    assert world.west.traces() == []


def test_what_is_about_to_be_done_stands_in_the_audit_trail_of_the_new_writer(world: MovingWorld) -> None:
    """Who and why, before the call."""
    world.on(EAST, "switch_over", lambda: reasons.extend(trace["reason"] for trace in world.west.traces()))
    reasons: list[str] = []
    world.run(*GO)
    assert reasons == ["operator-switchover"]
    assert world.west.traces()[0]["evidence"] == {"by": ME, "why": "game day", "from": EAST}


def test_home_again_waits_for_a_whole_minute_of_the_other_side_s_silence(world: MovingWorld) -> None:
    """The name leads home only when the other region has reported no writer for a whole period."""
    world.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    result = world.run(*GO, "--to", EAST, "--json")
    assert result.exit_code == ExitCode.DONE
    assert "eu-west-1 still reports itself as the writer this minute" in result.stderr
    seconds = json.loads(result.stdout)["seconds"]
    assert seconds["DNS"] - seconds["promotion"] >= 60


def test_the_name_has_followed_when_it_leads_there(world: MovingWorld, aws: FakeAws) -> None:
    """The metric turns first, the health checks after it: until then a look at DNS would find the former writer."""
    world.read_api_for = aws
    aws.name_leads_to = lambda: WEST if world.now >= after(300) else EAST
    result = world.run(*GO, "--json")
    assert json.loads(result.stdout)["seconds"]["DNS"] >= 300
    assert "eu-west-1 reports itself as the writer; the name still leads to us-east-1" in result.stderr


def test_the_name_is_not_waited_for_when_nobody_wants_it(world: MovingWorld) -> None:
    """With --no-dns the metrics are not asked."""
    assert "DNS" not in json.loads(world.run(*GO, "--no-dns", "--json").stdout)["seconds"]
    assert world.called("writer_role") == []


def test_where_it_is_already_there_is_nothing_to_do(world: MovingWorld) -> None:
    """Exit code 0, nothing asked, nothing called."""
    result = world.run("switchover", "--to", EAST)
    assert result.exit_code == ExitCode.DONE
    assert "us-east-1 is the writer: nothing to do." in result.stdout
    assert world.called("switch_over") == []


def hold(world: MovingWorld, **changes: Any) -> None:
    """Change the standby's cluster."""
    world.moving[WEST].set_cluster(**changes)


def lag(world: MovingWorld, milliseconds: float) -> None:
    """Let the standby's controller have measured this lag just now."""
    world.west.put_state(State(version=9, cycle_at=after(-4), writer=Side.PEER, lag_ms=milliseconds, lag_at=after(-3)))


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (lambda world: setattr(world, "global_status", "modifying"), "the global cluster is modifying"),
        (lambda world: hold(world, status="backing-up"), "the cluster of eu-west-1 is backing-up"),
        (lambda world: world.moving[WEST].instances.clear(), "the cluster of eu-west-1 has no instance"),
        (lambda world: world.moving[WEST].clusters.clear(), "there is no such cluster"),
        (lambda world: hold(world, engine_version="8.0.mysql_aurora.3.10.9"), "the engine versions differ"),
        (
            lambda world: world.synchronization.update({WEST_REGION.cluster_arn: "pending-resync"}),
            "eu-west-1 is not synchronized: pending-resync",
        ),
        (ill, "the writer counts as dead since 2026-11-24T11:59:00Z"),
        (
            lambda world: ill(world, pending=Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=after(-9))),
            "asks about decision d-1",
        ),
        (lambda world: lag(world, 9000), "the lag is 9000 ms, above 5000 ms"),
        (lambda world: world.fail(EAST, "read_global"), "a switchover is called there"),
        (lambda world: world.fail(WEST, "read_items"), "is about to act can't be read"),
        (
            lambda world: world.west.items.update({STATE: {"version": "x"}}),
            "is about to act can't be read: malformed",
        ),
    ],
)
def test_what_forbids_it_is_named_and_nothing_is_called(
    world: MovingWorld, arrange: Callable[[MovingWorld], None], words: str
) -> None:
    """Each gate refuses with its reason, in the plan and in the error, even when it was confirmed."""
    arrange(world)
    result = world.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert words in result.stderr.partition("OBSTACLE")[2]
    assert words in result.stderr.partition("REFUSED")[2]
    assert "Hint: " in result.stderr
    assert world.called("switch_over") == []


def test_more_lag_may_be_allowed(world: MovingWorld) -> None:
    """The limit is the person's."""
    lag(world, 9000)
    assert world.run(*GO).exit_code == ExitCode.REFUSED
    assert world.run(*GO, "--max-lag-ms", "10000").exit_code == ExitCode.DONE


def test_an_operation_under_way_is_followed_not_called_again(world: MovingWorld) -> None:
    """Running the same command again is safe, and asks nothing."""
    world.begin(WEST_REGION, allows_data_loss=False)
    for more in ((), ("--resume",), ("--to", WEST)):
        result = world.run("switchover", *more)
        assert result.exit_code == ExitCode.DONE
        world.roles = RdsRoles(writer_arn=EAST_REGION.cluster_arn, operation=None)
        world.begin(WEST_REGION, allows_data_loss=False)
    assert "is under way: nothing is called" in result.stderr
    assert world.called("switch_over") == []


def test_another_operation_is_not_ours(world: MovingWorld) -> None:
    """Somebody moves the writer elsewhere: refused."""
    world.begin(WEST_REGION, allows_data_loss=True)
    result = world.run("switchover", "--to", EAST, "--confirm", GLOBAL_CLUSTER)
    assert result.exit_code == ExitCode.REFUSED
    assert "another operation is under way: failover" in result.stderr


def test_resume_calls_nothing_when_nothing_is_under_way(world: MovingWorld) -> None:
    """It ended meanwhile: in the wanted region, or not."""
    assert world.run(*GO, "--resume").exit_code == ExitCode.DONE
    assert world.run(*GO, "--resume", "--to", EAST).exit_code == ExitCode.DONE
    assert world.run(*GO, "--resume", "--to", WEST).exit_code == ExitCode.REFUSED
    assert world.called("switch_over") == []


def test_ctrl_c_says_what_goes_on_and_the_command_that_follows_it(world: MovingWorld) -> None:
    """130; AWS carries on; the command names the target, and really goes on."""
    world.on_sleep = interrupt
    result = world.run(*GO)
    assert result.exit_code == 130
    assert "AWS carries on with the move to eu-west-1 by itself" in result.stderr
    assert f"--confirm {GLOBAL_CLUSTER} --to eu-west-1 --resume" in result.stderr
    world.on_sleep = lambda: None
    assert world.run(*GO, "--to", WEST, "--resume").exit_code == ExitCode.DONE
    assert world.called("switch_over") == [EAST]


def test_ctrl_c_before_anything_was_called_says_so(world: MovingWorld) -> None:
    """130 too, and nothing was begun."""
    world.on(WEST, "read_global", interrupt)
    result = world.run(*GO)
    assert result.exit_code == 130
    assert "Nothing was begun but what is said above" in result.stderr
    assert world.called("switch_over") == []


def test_an_operation_that_is_seen_late_is_no_failure(world: MovingWorld) -> None:
    """In the other region RDS may show it a minute later: only two minutes without any sign are an end."""
    world.operation_seconds = 180
    hidden: list[MoveOptions] = []

    def blind() -> None:
        if world.course is not None and world.now < after(90):
            course, world.course = world.course, None
            hidden.append(course)
        elif hidden:
            world.course = hidden.pop()

    world.on(WEST, "read_global", blind)
    result = world.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "RDS shows no operation and no change of roles yet" in result.stderr
    assert world.called("switch_over") == [EAST]


def test_a_time_out_says_what_goes_on(world: MovingWorld) -> None:
    """7, and the last thing that was seen."""
    world.operation_seconds = 3600
    result = world.run(*GO, "--timeout", "10m", "--json")
    assert result.exit_code == ExitCode.TIMED_OUT
    notified = json.loads(result.stdout)
    assert notified["error"] == "promotion: not seen within 600 s; the last look: eu-west-1: RDS says switching-over"
    assert "AWS carries on" in notified["hint"]


def test_the_elapsed_time_is_said_again_and_again(world: MovingWorld) -> None:
    """Nobody wonders whether it hangs: half a minute without news is said too."""
    world.operation_seconds = 300
    lines = [line for line in world.run(*GO).stderr.splitlines() if "RDS says switching-over" in line]
    assert 9 <= len(lines) <= 12
    assert [line.split()[0] for line in lines] == sorted({line.split()[0] for line in lines})


def test_a_look_that_fails_is_borne(world: MovingWorld) -> None:
    """RDS does not answer for a while: it is said, and the wait goes on."""
    failing = iter([AwsError("RDS API of eu-west-1: no answer", hint="")] * 3)

    def fail() -> None:
        if world.course is not None and (error := next(failing, None)):
            raise error

    world.on(WEST, "read_global", fail)
    result = world.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "can't be seen just now: RDS API of eu-west-1: no answer" in result.stderr


def test_looks_that_go_on_failing_end_it_with_the_way_to_go_on(world: MovingWorld) -> None:
    """4; AWS carries on; the command to follow it."""
    world.on(EAST, "switching", lambda: world.fail(WEST, "read_global"))
    result = world.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "AWS carries on" in result.stderr
    assert "--resume" in result.stderr


def test_a_call_that_lost_its_answer_is_looked_after(world: MovingWorld) -> None:
    """RDS had begun: it is followed."""
    world.fail(EAST, "switching")
    result = world.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "no answer to the call, but RDS has begun" in result.stderr


def test_a_call_that_did_not_get_through_is_not_repeated(world: MovingWorld) -> None:
    """4: nothing is to be seen, and running the command again does no harm."""
    world.fail(EAST, "switch_over")
    result = world.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "No operation is to be seen" in result.stderr
    assert world.called("switch_over") == [EAST]


def test_a_no_of_aws_is_a_refusal(world: MovingWorld) -> None:
    """3: AWS's own words, and nothing was changed."""
    world.on(
        EAST,
        "switch_over",
        lambda: setattr(world, "roles", RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)),
    )
    result = world.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "AWS refused: nothing was changed" in result.stderr


def test_an_operation_that_ends_without_a_change_is_a_failure(world: MovingWorld) -> None:
    """6: RDS gave up; the events of the clusters say why."""
    world.is_stuck = True
    result = world.run(*GO)
    assert result.exit_code == ExitCode.FAILED
    assert "is the writer" in result.stderr
    assert "describe-events" in result.stderr


def test_a_promotion_that_does_not_write_is_not_the_end(world: MovingWorld) -> None:
    """The role alone is not enough: a heartbeat must be committed there."""
    world.never_writes = True
    result = world.run(*GO, "--timeout", "5m")
    assert result.exit_code == ExitCode.TIMED_OUT
    assert "eu-west-1: does not take writes yet: read-only" in result.stderr


def test_nothing_is_called_when_the_trace_can_t_be_written(world: MovingWorld) -> None:
    """What is not recorded is not done, when it is planned."""
    world.fail(WEST, "write")
    assert world.run(*GO).exit_code == ExitCode.AWS
    assert world.called("switch_over") == []


def test_without_anybody_who_names_the_writer_nothing_is_done(world: MovingWorld) -> None:
    """4, and both regions are named."""
    world.fail(EAST, "read_global")
    world.fail(WEST, "read_global")
    result = world.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "who is the writer can't be told" in result.stderr


@pytest.mark.parametrize(
    "options", [("--timeout", "soon"), ("--to", "eu-north-1"), ("--max-lag-ms", "-1"), ("--reason", " ")]
)
def test_usage(world: MovingWorld, options: tuple[str, ...]) -> None:
    """A wrong option ends with 2, and nothing is called."""
    assert world.run(*GO, *options).exit_code == ExitCode.USAGE
    assert world.called("switch_over") == []


def test_a_cycle_long_ago_measures_no_lag(world: MovingWorld) -> None:
    """An old lag is none: it is said, and AWS waits for the catch-up anyway."""
    world.now += timedelta(minutes=10)
    result = world.run(*GO[:-2])
    assert "lag          not measured just now" in result.stderr
