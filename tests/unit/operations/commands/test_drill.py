"""A drill as people type it: there, verified, and home again; timed; interrupted anywhere and brought home."""

import json
from typing import Any

import pytest

from operations.aws.ports import RdsRoles
from operations.aws.table_items import parse_entry
from operations.commands.drill_log import DrillRecord, DrillStep, newest_drill
from operations.support.errors import ExitCode
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import EAST, EAST_REGION, GLOBAL_CLUSTER, WEST, WEST_REGION
from tests.support.operations.moving import FakeMoveEnvironment

GO = ("drill", "--reason", "quarterly", "--confirm", GLOBAL_CLUSTER)


@pytest.fixture
def environment(aws: FakeAws) -> FakeMoveEnvironment:
    """Two healthy regions at home: us-east-1 is the writer's."""
    made = FakeMoveEnvironment()
    made.read_api_for = aws
    aws.name_leads_to = lambda: made.writer.name
    return made


def played(environment: FakeMoveEnvironment, *arguments: str) -> dict[str, Any]:
    """Play a drill to its end; return its result."""
    result = environment.run(*arguments, "--json")
    notified = json.loads(result.stdout)
    assert notified["exit_code"] == result.exit_code
    return notified


def steps(environment: FakeMoveEnvironment) -> list[str]:
    """Return the drill's entries in the trail of the away region."""
    return [trace["evidence"]["step"] for trace in environment.west.traces() if trace["reason"] == "operator-drill"]


def interrupt() -> None:
    """Let a person press Ctrl-C."""
    raise KeyboardInterrupt


def test_there_verified_and_home_again(environment: FakeMoveEnvironment) -> None:
    """Two switchovers, each called in the writer's region of then; every promise is looked at in between."""
    notified = played(environment, *GO)
    assert environment.called("switch_over") == [EAST, WEST]
    assert environment.writer == EAST_REGION
    assert (notified["home"], notified["away"], notified["writer"]) == (EAST, WEST, EAST)
    assert [step["step"] for step in notified["steps"]] == ["switchover", "verify", "switch back"]
    there, verified, home = notified["steps"]
    assert there["seconds"] >= 60
    assert list(there["legs"]) == ["promotion", "first heartbeat", "DNS", "replication back"]
    assert home["legs"]["DNS"] - home["legs"]["promotion"] >= 60
    assert "passed" in verified["what"]
    assert steps(environment) == ["begun", "away", "ended"]


def test_people_see_a_table(environment: FakeMoveEnvironment) -> None:
    """Each step with its seconds, and where the writer is."""
    text = environment.run(*GO).stdout
    for words in ("switchover", "promotion", "verify", "switch back", "The writer is in us-east-1."):
        assert words in text


def test_a_broken_promise_over_there_is_reported_and_the_writer_comes_home(
    environment: FakeMoveEnvironment, aws: FakeAws
) -> None:
    """6, with the finding; a drill is for finding it."""
    aws.change(
        WEST, "rds", "describe_db_clusters", lambda answer: answer["DBClusters"][0].update(StorageEncrypted=False)
    )
    notified = played(environment, *GO)
    assert notified["exit_code"] == ExitCode.FAILED
    assert ("encryption", WEST) in {(each["check"], each["where"]) for each in notified["not_passed"]}
    assert environment.writer == EAST_REGION


def test_promises_that_nobody_could_look_at_are_not_passed(environment: FakeMoveEnvironment, aws: FakeAws) -> None:
    """5: the moves were made, and what is missing is named."""
    for region in (EAST, WEST):
        aws.fail(region)
    environment.fail(EAST, "read_roles")
    environment.fail(WEST, "read_roles")
    notified = played(environment, *GO)
    assert notified["exit_code"] in (ExitCode.PARTLY, ExitCode.FAILED)
    assert {each["verdict"] for each in notified["not_passed"]} <= {"unknown", "failed"}
    assert notified["not_passed"] != []


def test_one_way_stays_there(environment: FakeMoveEnvironment) -> None:
    """The way home is named, and the drill counts as ended."""
    result = environment.run(*GO, "--one-way")
    assert "Switch back: python -m operations switchover --to us-east-1" in result.stdout
    assert environment.writer == WEST_REGION
    assert steps(environment) == ["begun", "away", "ended"]
    assert environment.run("drill", "--resume", "--confirm", GLOBAL_CLUSTER).exit_code == ExitCode.REFUSED


def test_nothing_moves_before_it_was_confirmed(environment: FakeMoveEnvironment) -> None:
    """The plan of the way there, and the command to run."""
    result = environment.run(*GO[:-2])
    assert result.exit_code == ExitCode.REFUSED
    assert "Drill: switch over, verify, switch back" in result.stderr
    assert f"drill --reason quarterly --confirm {GLOBAL_CLUSTER}" in result.stderr
    assert environment.called("switch_over") == []
    assert environment.west.traces() == []


def test_it_asks_once_for_both_ways(environment: FakeMoveEnvironment) -> None:
    """Whoever typed the id need not sit there for the way home."""
    assert environment.run(*GO[:-2], answer=f"{GLOBAL_CLUSTER}\n").exit_code in (ExitCode.DONE, ExitCode.FAILED)
    assert environment.writer == EAST_REGION


def test_what_forbids_a_switchover_forbids_a_drill(environment: FakeMoveEnvironment) -> None:
    """The same gates."""
    environment.moving[WEST].set_cluster(status="backing-up")
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "the cluster in eu-west-1 is backing-up" in result.stderr
    assert environment.west.traces() == []


def test_ctrl_c_on_the_way_there_and_resume_brings_it_home(environment: FakeMoveEnvironment) -> None:
    """130; RDS carries on; --resume follows it, verifies, and goes home."""
    environment.on_sleep = interrupt
    stopped = environment.run(*GO)
    assert stopped.exit_code == 130
    assert "AWS continues the move to eu-west-1" in stopped.stderr
    assert "drill --reason quarterly --confirm payments-global-dev --resume" in stopped.stderr
    environment.on_sleep = lambda: None
    notified = played(environment, *GO, "--resume")
    assert [step["step"] for step in notified["steps"]] == ["followed", "verify", "switch back"]
    assert environment.writer == EAST_REGION
    assert environment.called("switch_over") == [EAST, WEST]
    assert steps(environment) == ["begun", "away", "ended"]


def test_interrupted_over_there_says_where_it_stands(environment: FakeMoveEnvironment) -> None:
    """A new drill is refused while one is half-way, and told how to end it."""
    environment.on(WEST, "switch_over", interrupt)
    assert environment.run(*GO).exit_code == 130
    assert environment.writer == WEST_REGION
    refused = environment.run(*GO)
    assert refused.exit_code == ExitCode.REFUSED
    assert "is unfinished, the writer in eu-west-1, not back in us-east-1" in refused.stderr
    assert "--resume" in refused.stderr
    environment.on(WEST, "switch_over", lambda: None)
    notified = played(environment, *GO, "--resume")
    assert [step["step"] for step in notified["steps"]] == ["switch back"]
    assert environment.writer == EAST_REGION


def test_an_error_of_aws_on_the_way_home_says_how_to_go_on(environment: FakeMoveEnvironment) -> None:
    """The gate is closed: 3, the drill is half-way, and the command that brings it home."""
    environment.on(
        EAST, "writer_role", lambda: environment.synchronization.update({EAST_REGION.cluster_arn: "pending-resync"})
    )
    environment.on(
        WEST, "writer_role", lambda: environment.synchronization.update({EAST_REGION.cluster_arn: "pending-resync"})
    )
    result = environment.run(*GO, "--timeout", "5m")
    assert result.exit_code == ExitCode.TIMED_OUT
    assert "drill: replication back: not finished within 300 s" in result.stderr
    assert "--resume" in result.stderr
    environment.synchronization.clear()
    closed = environment.run(*GO, "--resume", "--no-dns")
    assert closed.exit_code == ExitCode.REFUSED
    assert "us-east-1 is not synchronized" in closed.stderr
    assert "The drill is unfinished. Resume it to switch back" in closed.stderr
    environment.synchronization.update({region.cluster_arn: "connected" for region in (EAST_REGION, WEST_REGION)})
    assert played(environment, *GO, "--resume", "--no-dns")["writer"] == EAST


def test_a_drill_that_never_left_counts_as_ended(environment: FakeMoveEnvironment) -> None:
    """The call got no answer, and RDS had not begun: nothing is to be brought home."""
    environment.fail(EAST, "switch_over")
    assert environment.run(*GO).exit_code == ExitCode.AWS
    result = environment.run("drill", "--resume")
    assert result.exit_code == ExitCode.DONE
    assert "The writer never left us-east-1" in result.stderr
    assert steps(environment) == ["begun", "ended"]


def test_somebody_brought_it_home_already(environment: FakeMoveEnvironment) -> None:
    """The trail is closed, and nothing moves."""
    environment.on(WEST, "switch_over", interrupt)
    environment.run(*GO)
    environment.roles = RdsRoles(writer_arn=EAST_REGION.cluster_arn, operation=None)
    assert played(environment, "drill", "--resume")["writer"] == EAST
    assert steps(environment) == ["begun", "away", "ended"]


def test_resume_without_a_drill(environment: FakeMoveEnvironment) -> None:
    """3: there is none."""
    assert environment.run(*GO, "--resume").exit_code == ExitCode.REFUSED


def test_both_trails_must_be_readable(environment: FakeMoveEnvironment) -> None:
    """4: whether one is half-way can't be told."""
    environment.fail(EAST, "read_history")
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "the audit trail in us-east-1 can't be read, so an unfinished drill might be missed" in result.stderr
    assert environment.called("switch_over") == []


def test_the_newest_entry_of_either_trail_counts() -> None:
    """Whatever order they come in; entries that can't be understood, and others, are passed over."""

    def entry(at: str, step: str, reason: str = "operator-drill") -> Any:
        line = {"evidence": {"drill": "d", "step": step, "home": EAST, "away": WEST}}
        return parse_entry(
            {"sort": f"{at}#x", "at": at, "reason": reason, "action": "operator", "line": json.dumps(line)}
        )

    entries = [entry("2", "away"), entry("1", "begun"), entry("3", "nonsense"), entry("4", "begun", "operator-arm")]
    assert newest_drill(entries) == DrillRecord(id="d", origin=EAST, target=WEST, step=DrillStep.VERIFIED, at="2")
    assert newest_drill([]) is None
