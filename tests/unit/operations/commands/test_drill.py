"""Drill: switch over, verify, switch back, with timings; interrupted at each step and resumed."""

import json
from typing import Any

import pytest

from functions.failover_controller.model import State
from operations.aws.ports import RdsRoles
from operations.aws.table_items import parse_audit_entry
from operations.commands.drill_log import DrillRecord, DrillStep, newest_drill
from operations.support.errors import ExitCode
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fake_move_api import FakeMoveEnvironment
from tests.support.operations.fakes import EAST, EAST_REGION, GLOBAL_CLUSTER, WEST, WEST_REGION

GO = ("drill", "--reason", "quarterly", "--confirm", GLOBAL_CLUSTER)


@pytest.fixture
def environment(aws: FakeAws) -> FakeMoveEnvironment:
    """Two healthy regions with the writer in us-east-1."""
    environment = FakeMoveEnvironment()
    environment.read_api_for = aws
    aws.name_leads_to = lambda: environment.writer.name
    return environment


def run_drill(environment: FakeMoveEnvironment, *arguments: str) -> dict[str, Any]:
    """Run a drill; return its JSON result."""
    result = environment.run(*arguments, "--json")
    found = json.loads(result.stdout)
    assert found["exit_code"] == result.exit_code
    return found


def steps(environment: FakeMoveEnvironment) -> list[str]:
    """Return the steps of the drill in the audit trail of eu-west-1."""
    return [trace["evidence"]["step"] for trace in environment.west.traces() if trace["reason"] == "operator-drill"]


def interrupt() -> None:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


def test_drill_switches_over_verifies_and_switches_back(environment: FakeMoveEnvironment) -> None:
    """Each switchover is called in the region of the writer."""
    found = run_drill(environment, *GO)
    assert environment.called("switch_over") == [EAST, WEST]
    assert environment.writer == EAST_REGION
    assert (found["origin"], found["target"], found["writer"]) == (EAST, WEST, EAST)
    assert [step["step"] for step in found["steps"]] == ["switchover", "verify", "switch back"]
    over, verified, back = found["steps"]
    assert over["seconds"] >= 60
    assert list(over["phases"]) == ["promotion", "first heartbeat", "DNS", "replication back", "controllers"]
    assert back["phases"]["DNS"] - back["phases"]["promotion"] >= 60
    assert "passed" in verified["result"]
    assert steps(environment) == ["begun", "verified", "ended"]


def count_unreachable(environment: FakeMoveEnvironment, *, seconds: float) -> None:
    """Let the controller in eu-west-1 count the writer as unreachable for so long after the change of roles."""

    def run_cycle() -> None:
        changed_at = environment.changed_at
        counts = changed_at is not None and (environment.now - changed_at).total_seconds() < seconds
        environment.west.put_state(State(cycle_at=environment.now, dead_since=changed_at if counts else None))

    environment.on_sleep = run_cycle
    environment.on(WEST, "writer_role", run_cycle)


@pytest.mark.parametrize(("seconds", "is_found"), [(30, False), (3600, True)])
def test_verify_waits_until_the_controllers_see_the_new_writer(
    environment: FakeMoveEnvironment, seconds: float, is_found: bool
) -> None:
    """The outage of the switchover itself is no finding. A controller that keeps counting is one, after a minute."""
    count_unreachable(environment, seconds=seconds)
    found = run_drill(environment, *GO)
    evidence = [
        each["evidence"] for each in found["not_passed"] if (each["check"], each["where"]) == ("controller", WEST)
    ]
    assert is_found == any("unreachable" in each for each in evidence)
    assert environment.writer == EAST_REGION


def test_text_output_is_a_table(environment: FakeMoveEnvironment) -> None:
    """Each step has its seconds, and the last line names the writer's region."""
    text = environment.run(*GO).stdout
    for words in ("switchover", "promotion", "verify", "switch back", "The writer is in us-east-1."):
        assert words in text


def test_failed_check_is_reported_and_does_not_stop_the_switch_back(
    environment: FakeMoveEnvironment, aws: FakeAws
) -> None:
    """The exit code is 6."""
    aws.change(
        WEST, "rds", "describe_db_clusters", lambda answer: answer["DBClusters"][0].update(StorageEncrypted=False)
    )
    found = run_drill(environment, *GO)
    assert found["exit_code"] == ExitCode.FAILED
    assert ("encryption", WEST) in {(each["check"], each["where"]) for each in found["not_passed"]}
    assert environment.writer == EAST_REGION


def test_checks_that_could_not_run_are_reported(environment: FakeMoveEnvironment, aws: FakeAws) -> None:
    """The switchovers succeed, and the exit code is not 0."""
    for region in (EAST, WEST):
        aws.fail(region)
    environment.fail(EAST, "read_roles")
    environment.fail(WEST, "read_roles")
    found = run_drill(environment, *GO)
    assert found["exit_code"] in (ExitCode.PARTLY, ExitCode.FAILED)
    assert {each["verdict"] for each in found["not_passed"]} <= {"unknown", "failed"}
    assert found["not_passed"] != []


def test_one_way_does_not_switch_back(environment: FakeMoveEnvironment) -> None:
    """The command to switch back is shown, and the drill counts as ended."""
    result = environment.run(*GO, "--one-way")
    assert "Switch back: python -m operations switchover --to us-east-1" in result.stdout
    assert environment.writer == WEST_REGION
    assert steps(environment) == ["begun", "verified", "ended"]
    assert environment.run("drill", "--resume", "--confirm", GLOBAL_CLUSTER).exit_code == ExitCode.REFUSED


def test_missing_confirmation_shows_the_plan_only(environment: FakeMoveEnvironment) -> None:
    """The hint shows the command to run."""
    result = environment.run(*GO[:-2])
    assert result.exit_code == ExitCode.REFUSED
    assert "Drill: switch over, verify, switch back" in result.stderr
    assert f"drill --reason quarterly --confirm {GLOBAL_CLUSTER}" in result.stderr
    assert environment.called("switch_over") == []
    assert environment.west.traces() == []


def test_one_confirmation_covers_both_switchovers(environment: FakeMoveEnvironment) -> None:
    """The switch back needs no further confirmation."""
    assert environment.run(*GO[:-2], answer=f"{GLOBAL_CLUSTER}\n").exit_code in (ExitCode.DONE, ExitCode.FAILED)
    assert environment.writer == EAST_REGION


def test_blocker_of_a_switchover_stops_a_drill(environment: FakeMoveEnvironment) -> None:
    """The drill makes no call and no audit entry."""
    environment.moving[WEST].set_cluster(status="backing-up")
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "the cluster in eu-west-1 is backing-up" in result.stderr
    assert environment.west.traces() == []


def test_resume_after_ctrl_c_in_the_first_switchover(environment: FakeMoveEnvironment) -> None:
    """The running operation is followed, then verified, then switched back."""
    environment.on_sleep = interrupt
    stopped = environment.run(*GO)
    assert stopped.exit_code == 130
    assert "AWS continues the move to eu-west-1" in stopped.stderr
    assert "drill --reason quarterly --confirm payments-global-dev --resume" in stopped.stderr
    environment.on_sleep = lambda: None
    found = run_drill(environment, *GO, "--resume")
    assert [step["step"] for step in found["steps"]] == ["followed", "verify", "switch back"]
    assert environment.writer == EAST_REGION
    assert environment.called("switch_over") == [EAST, WEST]
    assert steps(environment) == ["begun", "verified", "ended"]


def test_new_drill_is_refused_while_one_is_unfinished(environment: FakeMoveEnvironment) -> None:
    """The error names the writer's region and how to resume."""
    environment.on(WEST, "switch_over", interrupt)
    assert environment.run(*GO).exit_code == 130
    assert environment.writer == WEST_REGION
    refused = environment.run(*GO)
    assert refused.exit_code == ExitCode.REFUSED
    assert "is unfinished, the writer in eu-west-1, not back in us-east-1" in refused.stderr
    assert "--resume" in refused.stderr
    environment.on(WEST, "switch_over", lambda: None)
    found = run_drill(environment, *GO, "--resume")
    assert [step["step"] for step in found["steps"]] == ["switch back"]
    assert environment.writer == EAST_REGION


def test_blocker_of_the_switch_back_shows_how_to_resume(environment: FakeMoveEnvironment) -> None:
    """The exit code is 3, and the drill stays unfinished."""
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
    assert run_drill(environment, *GO, "--resume", "--no-dns")["writer"] == EAST


def test_drill_whose_switchover_never_started_counts_as_ended(environment: FakeMoveEnvironment) -> None:
    """The call got no answer, and RDS shows no operation."""
    environment.fail(EAST, "switch_over")
    assert environment.run(*GO).exit_code == ExitCode.AWS
    result = environment.run("drill", "--resume")
    assert result.exit_code == ExitCode.DONE
    assert "The writer never left us-east-1" in result.stderr
    assert steps(environment) == ["begun", "ended"]


def test_resume_after_a_manual_switch_back_ends_the_drill(environment: FakeMoveEnvironment) -> None:
    """The audit trail is completed, and nothing moves."""
    environment.on(WEST, "switch_over", interrupt)
    environment.run(*GO)
    environment.roles = RdsRoles(writer_arn=EAST_REGION.cluster_arn, operation=None)
    assert run_drill(environment, "drill", "--resume")["writer"] == EAST
    assert steps(environment) == ["begun", "verified", "ended"]


def test_resume_without_a_drill_is_refused(environment: FakeMoveEnvironment) -> None:
    """The exit code is 3."""
    assert environment.run(*GO, "--resume").exit_code == ExitCode.REFUSED


def test_unreadable_audit_trail_stops_a_drill(environment: FakeMoveEnvironment) -> None:
    """An unfinished drill could be missed."""
    environment.fail(EAST, "read_history")
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "the audit trail in us-east-1 can't be read, so an unfinished drill might be missed" in result.stderr
    assert environment.called("switch_over") == []


def test_newest_drill_entry_of_both_trails_counts() -> None:
    """Malformed entries and entries of other commands are ignored."""

    def entry(at: str, step: str, reason: str = "operator-drill") -> Any:
        line = {"evidence": {"drill": "d", "step": step, "origin": EAST, "target": WEST}}
        return parse_audit_entry(
            {"sort": f"{at}#x", "at": at, "reason": reason, "action": "operator", "line": json.dumps(line)}
        )

    entries = [entry("2", "verified"), entry("1", "begun"), entry("3", "nonsense"), entry("4", "begun", "operator-arm")]
    assert newest_drill(entries) == DrillRecord(id="d", origin=EAST, target=WEST, step=DrillStep.VERIFIED, at="2")
    assert newest_drill([]) is None
