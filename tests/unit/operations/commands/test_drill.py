"""A drill as people type it: there, verified, and home again; timed; interrupted anywhere and brought home."""

import json
from typing import Any

import pytest

from operations.aws.ports import RdsRoles
from operations.aws.table_items import parse_audit_entry
from operations.commands.drill_log import Drill, Step, newest_drill
from operations.support.errors import ExitCode
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import EAST, EAST_REGION, GLOBAL_CLUSTER, WEST, WEST_REGION
from tests.support.operations.moving import MovingWorld

GO = ("drill", "--reason", "quarterly", "--confirm", GLOBAL_CLUSTER)


@pytest.fixture
def world(aws: FakeAws) -> MovingWorld:
    """Two healthy regions at home: us-east-1 is the writer's."""
    made = MovingWorld()
    made.read_api_for = aws
    aws.name_leads_to = lambda: made.writer.name
    return made


def played(world: MovingWorld, *arguments: str) -> dict[str, Any]:
    """Play a drill to its end; return its result."""
    result = world.run(*arguments, "--json")
    notified = json.loads(result.stdout)
    assert notified["exit_code"] == result.exit_code
    return notified


def steps(world: MovingWorld) -> list[str]:
    """Return the drill's entries in the trail of the away region."""
    return [trace["evidence"]["step"] for trace in world.west.traces() if trace["reason"] == "operator-drill"]


def interrupt() -> None:
    """Let a person press Ctrl-C."""
    raise KeyboardInterrupt


def test_there_verified_and_home_again(world: MovingWorld) -> None:
    """Two switchovers, each called in the writer's region of then; every promise is looked at in between."""
    notified = played(world, *GO)
    assert world.called("switch_over") == [EAST, WEST]
    assert world.writer == EAST_REGION
    assert (notified["home"], notified["away"], notified["writer"]) == (EAST, WEST, EAST)
    assert [step["step"] for step in notified["steps"]] == ["switchover there", "verify", "switchover home"]
    there, verified, home = notified["steps"]
    assert there["seconds"] >= 60
    assert list(there["legs"]) == ["promotion", "first heartbeat", "DNS", "replication back"]
    assert home["legs"]["DNS"] - home["legs"]["promotion"] >= 60
    assert "passed" in verified["what"]
    assert steps(world) == ["begun", "away", "ended"]


def test_people_see_a_table(world: MovingWorld) -> None:
    """Each step with its seconds, and where the writer is."""
    text = world.run(*GO).stdout
    for words in ("switchover there", "promotion", "verify", "switchover home", "The writer is in us-east-1."):
        assert words in text


def test_a_broken_promise_over_there_is_reported_and_the_writer_comes_home(world: MovingWorld, aws: FakeAws) -> None:
    """6, with the finding; a drill is for finding it."""
    aws.change(
        WEST, "rds", "describe_db_clusters", lambda answer: answer["DBClusters"][0].update(StorageEncrypted=False)
    )
    notified = played(world, *GO)
    assert notified["exit_code"] == ExitCode.FAILED
    assert ("encryption", WEST) in {(each["check"], each["where"]) for each in notified["not_passed"]}
    assert world.writer == EAST_REGION


def test_promises_that_nobody_could_look_at_are_not_passed(world: MovingWorld, aws: FakeAws) -> None:
    """5: the moves were made, and what is missing is named."""
    for region in (EAST, WEST):
        aws.fail(region)
    world.fail(EAST, "read_roles")
    world.fail(WEST, "read_roles")
    notified = played(world, *GO)
    assert notified["exit_code"] in (ExitCode.PARTLY, ExitCode.FAILED)
    assert {each["verdict"] for each in notified["not_passed"]} <= {"unknown", "failed"}
    assert notified["not_passed"] != []


def test_one_way_stays_there(world: MovingWorld) -> None:
    """The way home is named, and the drill counts as ended."""
    result = world.run(*GO, "--one-way")
    assert "Home: python -m operations switchover --to us-east-1" in result.stdout
    assert world.writer == WEST_REGION
    assert steps(world) == ["begun", "away", "ended"]
    assert world.run("drill", "--resume", "--confirm", GLOBAL_CLUSTER).exit_code == ExitCode.REFUSED


def test_nothing_moves_before_it_was_confirmed(world: MovingWorld) -> None:
    """The plan of the way there, and the command to run."""
    result = world.run(*GO[:-2])
    assert result.exit_code == ExitCode.REFUSED
    assert "Drill: a switchover there, and home again" in result.stderr
    assert f"drill --reason quarterly --confirm {GLOBAL_CLUSTER}" in result.stderr
    assert world.called("switch_over") == []
    assert world.west.traces() == []


def test_it_asks_once_for_both_ways(world: MovingWorld) -> None:
    """Whoever typed the id need not sit there for the way home."""
    assert world.run(*GO[:-2], answer=f"{GLOBAL_CLUSTER}\n").exit_code in (ExitCode.DONE, ExitCode.FAILED)
    assert world.writer == EAST_REGION


def test_what_forbids_a_switchover_forbids_a_drill(world: MovingWorld) -> None:
    """The same gates."""
    world.moving[WEST].set_cluster(status="backing-up")
    result = world.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "the cluster of eu-west-1 is backing-up" in result.stderr
    assert world.west.traces() == []


def test_ctrl_c_on_the_way_there_and_resume_brings_it_home(world: MovingWorld) -> None:
    """130; RDS carries on; --resume follows it, verifies, and goes home."""
    world.on_sleep = interrupt
    stopped = world.run(*GO)
    assert stopped.exit_code == 130
    assert "AWS carries on with the move to eu-west-1" in stopped.stderr
    assert "drill --reason quarterly --confirm payments-global-dev --resume" in stopped.stderr
    world.on_sleep = lambda: None
    notified = played(world, *GO, "--resume")
    assert [step["step"] for step in notified["steps"]] == ["followed", "verify", "switchover home"]
    assert world.writer == EAST_REGION
    assert world.called("switch_over") == [EAST, WEST]
    assert steps(world) == ["begun", "away", "ended"]


def test_interrupted_over_there_says_where_it_stands(world: MovingWorld) -> None:
    """A new drill is refused while one is half-way, and told how to end it."""
    world.on(WEST, "switch_over", interrupt)
    assert world.run(*GO).exit_code == 130
    assert world.writer == WEST_REGION
    refused = world.run(*GO)
    assert refused.exit_code == ExitCode.REFUSED
    assert "is half-way, the writer in eu-west-1, away from home" in refused.stderr
    assert "--resume" in refused.stderr
    world.on(WEST, "switch_over", lambda: None)
    notified = played(world, *GO, "--resume")
    assert [step["step"] for step in notified["steps"]] == ["switchover home"]
    assert world.writer == EAST_REGION


def test_an_error_of_aws_on_the_way_home_says_how_to_go_on(world: MovingWorld) -> None:
    """The gate is closed: 3, the drill is half-way, and the command that brings it home."""
    world.on(EAST, "writer_role", lambda: world.synchronization.update({EAST_REGION.cluster_arn: "pending-resync"}))
    world.on(WEST, "writer_role", lambda: world.synchronization.update({EAST_REGION.cluster_arn: "pending-resync"}))
    result = world.run(*GO, "--timeout", "5m")
    assert result.exit_code == ExitCode.TIMED_OUT
    assert "drill: replication back: not seen within 300 s" in result.stderr
    assert "--resume" in result.stderr
    world.synchronization.clear()
    closed = world.run(*GO, "--resume", "--no-dns")
    assert closed.exit_code == ExitCode.REFUSED
    assert "us-east-1 is not synchronized" in closed.stderr
    assert "The drill is half-way. Go on with it, and bring the writer home" in closed.stderr
    world.synchronization.update({region.cluster_arn: "connected" for region in (EAST_REGION, WEST_REGION)})
    assert played(world, *GO, "--resume", "--no-dns")["writer"] == EAST


def test_a_drill_that_never_left_counts_as_ended(world: MovingWorld) -> None:
    """The call got no answer, and RDS had not begun: nothing is to be brought home."""
    world.fail(EAST, "switch_over")
    assert world.run(*GO).exit_code == ExitCode.AWS
    result = world.run("drill", "--resume")
    assert result.exit_code == ExitCode.DONE
    assert "It never left us-east-1" in result.stderr
    assert steps(world) == ["begun", "ended"]


def test_somebody_brought_it_home_already(world: MovingWorld) -> None:
    """The trail is closed, and nothing moves."""
    world.on(WEST, "switch_over", interrupt)
    world.run(*GO)
    world.roles = RdsRoles(writer_arn=EAST_REGION.cluster_arn, operation=None)
    assert played(world, "drill", "--resume")["writer"] == EAST
    assert steps(world) == ["begun", "away", "ended"]


def test_resume_without_a_drill(world: MovingWorld) -> None:
    """3: there is none."""
    assert world.run(*GO, "--resume").exit_code == ExitCode.REFUSED


def test_both_trails_must_be_readable(world: MovingWorld) -> None:
    """4: whether one is half-way can't be told."""
    world.fail(EAST, "read_history")
    result = world.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "whether a drill is half-way can't be read in us-east-1" in result.stderr
    assert world.called("switch_over") == []


def test_the_newest_entry_of_either_trail_counts() -> None:
    """Whatever order they come in; entries that can't be understood, and others, are passed over."""

    def entry(at: str, step: str, reason: str = "operator-drill") -> Any:
        line = {"evidence": {"drill": "d", "step": step, "home": EAST, "away": WEST}}
        return parse_audit_entry(
            {"sort": f"{at}#x", "at": at, "reason": reason, "action": "operator", "line": json.dumps(line)}
        )

    entries = [entry("2", "away"), entry("1", "begun"), entry("3", "nonsense"), entry("4", "begun", "operator-arm")]
    assert newest_drill(entries) == Drill(id="d", home=EAST, away=WEST, step=Step.AWAY, at="2")
    assert newest_drill([]) is None
