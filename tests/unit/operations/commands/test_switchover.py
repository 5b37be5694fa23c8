"""Switchover: the plan, the blockers, the wait, failures on the way, and how to resume."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.failover_controller.model import Pending, Reason, Side, State
from operations.aws.move_ports import AwsRefusedError
from operations.aws.ports import RdsRoles
from operations.aws.table_items import STATE
from operations.support.errors import AwsError, ExitCode
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fake_move_api import FakeMoveEnvironment, FakeOperation
from tests.support.operations.fakes import EAST, EAST_REGION, GLOBAL_CLUSTER, ME, WEST, WEST_REGION, after, lose_writer

GO = ("switchover", "--reason", "game day", "--confirm", GLOBAL_CLUSTER)


@pytest.fixture
def environment() -> FakeMoveEnvironment:
    """Two healthy regions with the writer in us-east-1."""
    return FakeMoveEnvironment()


def interrupt() -> None:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


def test_switchover_makes_the_other_region_the_writer(environment: FakeMoveEnvironment) -> None:
    """The API is called once, and the operation is followed until the former writer replicates."""
    result = environment.run(*GO, "--json")
    assert result.exit_code == ExitCode.DONE
    assert environment.writer == WEST_REGION
    assert environment.called("switch_over") == [EAST]
    found = json.loads(result.stdout)
    assert (found["from"], found["writer"], found["changed"]) == (EAST, WEST, True)
    assert list(found["seconds"]) == ["promotion", "first heartbeat", "DNS", "replication back", "controllers"]
    assert 60 <= found["seconds"]["promotion"] < 70
    for words in ("accepted: eu-west-1", "eu-west-1: RDS reports switching-over", "accepts writes, heartbeat", "DNS: "):
        assert words in result.stderr


def test_outage_lasts_from_the_last_heartbeat_to_the_first_one(environment: FakeMoveEnvironment) -> None:
    """The old writer stopped with the call, and DNS had moved during the operation of 60 s."""
    result = environment.run(*GO)
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("Client outage: ")]
    assert 60 <= float(line.split()[4]) <= 70


def test_outage_lasts_until_dns_has_changed(environment: FakeMoveEnvironment, aws: FakeAws) -> None:
    """The name leads to the old writer for four minutes after the promotion."""
    environment.read_api_for = aws
    aws.name_leads_to = lambda: WEST if environment.now >= after(300) else EAST
    with_dns = json.loads(environment.run(*GO, "--json").stdout)["outage_seconds"]
    assert 299 <= with_dns <= 310


def test_outage_is_unknown_without_a_heartbeat_of_the_old_writer(environment: FakeMoveEnvironment) -> None:
    """The target's health_check answers only after the promotion."""
    environment.unreachable = {WEST}

    def answer_again() -> None:
        if environment.operation is None and environment.called("switch_over"):
            environment.unreachable = set()

    environment.on(WEST, "probe", answer_again)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "Client outage: unknown, no heartbeat of the old writer was read during the operation." in result.stdout


def test_missing_confirmation_shows_the_plan_only(environment: FakeMoveEnvironment) -> None:
    """The plan has the clusters, lag, controllers, clients, duration, and the command to run."""
    result = environment.run(*GO[:-2])
    assert result.exit_code == ExitCode.REFUSED
    for words in (
        "writer now   us-east-1: payments-us-east-1-dev, available, 2 instance(s)",
        "writer then  eu-west-1",
        "lag          80 ms",
        "mode automatic, armed; last cycle 4 s ago",
        "they do not act while RDS shows an operation",
        "of 900 s",
        "AWS gives no number",
        "run: python -m operations switchover --reason 'game day' --confirm payments-global-dev",
    ):
        assert words in result.stderr
    assert environment.called("switch_over") == []
    assert environment.west.traces() == []


def test_switchover_is_recorded_before_the_call(environment: FakeMoveEnvironment) -> None:
    """The entry is in the target's region."""
    environment.on(EAST, "switch_over", lambda: reasons.extend(trace["reason"] for trace in environment.west.traces()))
    reasons: list[str] = []
    environment.run(*GO)
    assert reasons == ["operator-switchover"]
    assert environment.west.traces()[0]["evidence"] == {"by": ME, "why": "game day", "from": EAST}


def test_switch_back_waits_for_a_whole_period_without_another_writer(environment: FakeMoveEnvironment) -> None:
    """DNS returns to the primary region only after this period."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    result = environment.run(*GO, "--to", EAST, "--json")
    assert result.exit_code == ExitCode.DONE
    assert "eu-west-1 still reports itself as the writer this minute" in result.stderr
    seconds = json.loads(result.stdout)["seconds"]
    assert seconds["DNS"] - seconds["promotion"] >= 60


def test_dns_is_done_when_the_name_resolves_to_the_target(environment: FakeMoveEnvironment, aws: FakeAws) -> None:
    """The metric changes before the health checks do."""
    environment.read_api_for = aws
    aws.name_leads_to = lambda: WEST if environment.now >= after(300) else EAST
    result = environment.run(*GO, "--json")
    assert json.loads(result.stdout)["seconds"]["DNS"] >= 300
    assert "eu-west-1 reports itself as the writer; writer.<zone> still resolves to us-east-1" in result.stderr


def test_no_dns_skips_the_wait_for_dns(environment: FakeMoveEnvironment) -> None:
    """The metrics are not read."""
    assert "DNS" not in json.loads(environment.run(*GO, "--no-dns", "--json").stdout)["seconds"]
    assert environment.called("writer_role") == []


def test_target_that_is_the_writer_changes_nothing(environment: FakeMoveEnvironment) -> None:
    """The exit code is 0."""
    result = environment.run("switchover", "--to", EAST)
    assert result.exit_code == ExitCode.DONE
    assert "us-east-1 is the writer: nothing to do." in result.stdout
    assert environment.called("switch_over") == []


def test_switch_back_selects_the_same_stack(environment: FakeMoveEnvironment) -> None:
    """The command in the result can be run as it is shown."""
    shown = environment.run(*GO, "--outputs", "saved.json").stdout
    assert "Switch back: python -m operations switchover --outputs saved.json --to us-east-1" in shown


def test_target_outside_the_stack_is_blamed_on_its_option(environment: FakeMoveEnvironment) -> None:
    """The error names --to and both regions, before AWS is called."""
    result = environment.run("switchover", "--to", "mars")
    assert result.exit_code == ExitCode.USAGE
    assert "--to: this stack is not in 'mars'" in result.stderr
    assert "Use eu-west-1 or us-east-1." in result.stderr
    assert environment.calls == []


def set_standby_cluster(environment: FakeMoveEnvironment, **changes: Any) -> None:
    """Change the standby's cluster."""
    environment.moving[WEST].set_cluster(**changes)


def set_lag(environment: FakeMoveEnvironment, milliseconds: float) -> None:
    """Set the lag that the standby's controller measured last."""
    environment.west.put_state(
        State(version=9, cycle_at=after(-4), writer=Side.PEER, lag_ms=milliseconds, lag_at=after(-3))
    )


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (lambda environment: setattr(environment, "global_status", "modifying"), "the global cluster is modifying"),
        (
            lambda environment: set_standby_cluster(environment, status="backing-up"),
            "the cluster in eu-west-1 is backing-up",
        ),
        (lambda environment: environment.moving[WEST].instances.clear(), "the cluster in eu-west-1 has no instance"),
        (lambda environment: environment.moving[WEST].clusters.clear(), "there is no such cluster"),
        (
            lambda environment: set_standby_cluster(environment, engine_version="8.0.mysql_aurora.3.10.9"),
            "the engine versions differ",
        ),
        (
            lambda environment: environment.synchronization.update({WEST_REGION.cluster_arn: "pending-resync"}),
            "eu-west-1 is not synchronized: pending-resync",
        ),
        (lose_writer, "has not reached the writer since 2026-11-24T11:59:00Z"),
        (
            lambda environment: lose_writer(
                environment, pending=Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=after(-9))
            ),
            "requests approval of decision d-1",
        ),
        (lambda environment: set_lag(environment, 9000), "the lag is 9000 ms, above 5000 ms"),
        (lambda environment: environment.fail(EAST, "read_global"), "where a switchover is called, does not respond"),
        (
            lambda environment: environment.fail(WEST, "read_items"),
            "can't be read, so the controller may be about to act",
        ),
        (
            lambda environment: environment.west.items.update({STATE: {"version": "x"}}),
            "can't be read, so the controller may be about to act: malformed",
        ),
    ],
)
def test_blocker_is_refused_despite_confirmation(
    environment: FakeMoveEnvironment, arrange: Callable[[FakeMoveEnvironment], None], words: str
) -> None:
    """The plan and the error name the blocker, and no call is made."""
    arrange(environment)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert words in result.stderr.partition("BLOCKER")[2]
    assert words in result.stderr.partition("REFUSED")[2]
    assert "Hint: " in result.stderr
    assert environment.called("switch_over") == []


def test_max_lag_option_allows_more_lag(environment: FakeMoveEnvironment) -> None:
    """The default is 5000 ms."""
    set_lag(environment, 9000)
    assert environment.run(*GO).exit_code == ExitCode.REFUSED
    assert environment.run(*GO, "--max-lag-ms", "10000").exit_code == ExitCode.DONE


def test_operation_in_progress_is_followed(environment: FakeMoveEnvironment) -> None:
    """Repeating the command is safe and needs no confirmation."""
    environment.begin(WEST_REGION, allows_data_loss=False)
    for more in ((), ("--resume",), ("--to", WEST)):
        result = environment.run("switchover", *more)
        assert result.exit_code == ExitCode.DONE
        environment.roles = RdsRoles(writer_arn=EAST_REGION.cluster_arn, operation=None)
        environment.begin(WEST_REGION, allows_data_loss=False)
    assert "is in progress: this command follows that operation and makes no call" in result.stderr
    assert environment.called("switch_over") == []


def test_operation_to_another_region_is_refused(environment: FakeMoveEnvironment) -> None:
    """The error names the operation."""
    environment.begin(WEST_REGION, allows_data_loss=True)
    result = environment.run("switchover", "--to", EAST, "--confirm", GLOBAL_CLUSTER)
    assert result.exit_code == ExitCode.REFUSED
    assert "another operation is in progress: failover" in result.stderr


def test_resume_without_an_operation_calls_nothing(environment: FakeMoveEnvironment) -> None:
    """The operation has ended, with the writer in the requested region or in the other one."""
    assert environment.run(*GO, "--resume").exit_code == ExitCode.DONE
    assert environment.run(*GO, "--resume", "--to", EAST).exit_code == ExitCode.DONE
    assert environment.run(*GO, "--resume", "--to", WEST).exit_code == ExitCode.REFUSED
    assert environment.called("switch_over") == []


def test_ctrl_c_shows_the_command_that_resumes(environment: FakeMoveEnvironment) -> None:
    """The command names the target and resumes the switchover."""
    environment.on_sleep = interrupt
    result = environment.run(*GO)
    assert result.exit_code == 130
    assert "AWS continues the move to eu-west-1 by itself" in result.stderr
    assert f"--confirm {GLOBAL_CLUSTER} --to eu-west-1 --resume" in result.stderr
    environment.on_sleep = lambda: None
    assert environment.run(*GO, "--to", WEST, "--resume").exit_code == ExitCode.DONE
    assert environment.called("switch_over") == [EAST]


def test_ctrl_c_before_the_call(environment: FakeMoveEnvironment) -> None:
    """The exit code is 130, and nothing was started."""
    environment.on(WEST, "read_global", interrupt)
    result = environment.run(*GO)
    assert result.exit_code == 130
    assert "STOPPED Ctrl-C: no further step is started\nHint: Only the steps shown above were started" in result.stderr
    assert environment.called("switch_over") == []


def test_operation_that_appears_late_is_not_a_failure(environment: FakeMoveEnvironment) -> None:
    """The other region may show the operation a minute later."""
    environment.operation_seconds = 180
    hidden: list[FakeOperation] = []

    def hide_operation() -> None:
        if environment.operation is not None and environment.now < after(90):
            operation, environment.operation = environment.operation, None
            hidden.append(operation)
        elif hidden:
            environment.operation = hidden.pop()

    environment.on(WEST, "read_global", hide_operation)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "RDS shows no operation and no change of roles yet" in result.stderr
    assert environment.called("switch_over") == [EAST]


def test_timeout_reports_the_last_state(environment: FakeMoveEnvironment) -> None:
    """The exit code is 7."""
    environment.operation_seconds = 3600
    result = environment.run(*GO, "--timeout", "10m", "--json")
    assert result.exit_code == ExitCode.TIMED_OUT
    found = json.loads(result.stdout)
    assert found["error"] == "promotion: not finished within 600 s; last state: eu-west-1: RDS reports switching-over"
    assert "AWS continues" in found["hint"]


def test_progress_is_printed_every_half_minute(environment: FakeMoveEnvironment) -> None:
    """An unchanged state is printed too."""
    environment.operation_seconds = 300
    lines = [line for line in environment.run(*GO).stderr.splitlines() if "RDS reports switching-over" in line]
    assert 9 <= len(lines) <= 12
    assert [line.split()[0] for line in lines] == sorted({line.split()[0] for line in lines})


def test_failing_poll_is_tolerated(environment: FakeMoveEnvironment) -> None:
    """The error is printed, and the wait continues."""
    failing = iter([AwsError("RDS API of eu-west-1: no answer", hint="")] * 3)

    def fail() -> None:
        if environment.operation is not None and (error := next(failing, None)):
            raise error

    environment.on(WEST, "read_global", fail)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "currently can't be read: RDS API of eu-west-1: no answer" in result.stderr


def test_too_many_failing_polls_end_the_wait(environment: FakeMoveEnvironment) -> None:
    """The exit code is 4, with the command that resumes."""
    environment.on(EAST, "switching", lambda: environment.fail(WEST, "read_global"))
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "AWS continues" in result.stderr
    assert "--resume" in result.stderr


def test_unanswered_call_that_started_is_followed(environment: FakeMoveEnvironment) -> None:
    """RDS shows the operation despite the missing answer."""
    environment.fail(EAST, "switching")
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.DONE
    assert "AWS did not answer the call, but RDS has started the operation" in result.stderr


def test_unanswered_call_is_not_repeated(environment: FakeMoveEnvironment) -> None:
    """RDS shows no operation: the exit code is 4."""
    environment.fail(EAST, "switch_over")
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "RDS shows no operation" in result.stderr
    assert environment.called("switch_over") == [EAST]


def refuse() -> None:
    """Answer as RDS does in a state in which it accepts no operation."""
    raise AwsRefusedError("RDS API of us-east-1: InvalidDBClusterStateFault: busy", hint="Check `status`.")


def test_refusal_by_rds_changes_nothing(environment: FakeMoveEnvironment) -> None:
    """The exit code is 3, with the error of RDS."""
    environment.on(EAST, "switch_over", refuse)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.REFUSED
    assert "InvalidDBClusterStateFault: busy. AWS refused: no changes were made" in result.stderr


def test_call_refused_because_the_move_is_in_progress_is_followed(environment: FakeMoveEnvironment) -> None:
    """Another operator was faster: the goal is the same, and the call is not repeated."""

    def begin_and_refuse() -> None:
        environment.begin(WEST_REGION, allows_data_loss=False)
        refuse()

    environment.on(EAST, "switch_over", begin_and_refuse)
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.DONE, result.stderr
    assert "a move to eu-west-1 has started before" in result.stderr
    assert environment.writer == WEST_REGION
    assert environment.called("switch_over") == [EAST]


def test_operation_that_ends_without_a_change_is_a_failure(environment: FakeMoveEnvironment) -> None:
    """The exit code is 6, and the hint is the cluster events."""
    environment.is_stuck = True
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.FAILED
    assert "is the writer" in result.stderr
    assert "describe-events" in result.stderr


def test_promotion_without_a_heartbeat_is_not_complete(environment: FakeMoveEnvironment) -> None:
    """The writer role without a committed heartbeat is not enough."""
    environment.never_writes = True
    result = environment.run(*GO, "--timeout", "5m")
    assert result.exit_code == ExitCode.TIMED_OUT
    assert "eu-west-1: does not accept writes yet: read-only" in result.stderr


def test_unwritable_audit_trail_stops_a_switchover(environment: FakeMoveEnvironment) -> None:
    """A planned operation must be recorded."""
    environment.fail(WEST, "write")
    assert environment.run(*GO).exit_code == ExitCode.AWS
    assert environment.called("switch_over") == []


def test_unknown_writer_stops_a_switchover(environment: FakeMoveEnvironment) -> None:
    """The exit code is 4."""
    environment.fail(EAST, "read_global")
    environment.fail(WEST, "read_global")
    result = environment.run(*GO)
    assert result.exit_code == ExitCode.AWS
    assert "the writer is unknown" in result.stderr


@pytest.mark.parametrize(
    "options", [("--timeout", "soon"), ("--to", "eu-north-1"), ("--max-lag-ms", "-1"), ("--reason", " ")]
)
def test_invalid_options_are_refused(environment: FakeMoveEnvironment, options: tuple[str, ...]) -> None:
    """The exit code is 2, and nothing is called."""
    assert environment.run(*GO, *options).exit_code == ExitCode.USAGE
    assert environment.called("switch_over") == []


def test_old_lag_counts_as_not_measured(environment: FakeMoveEnvironment) -> None:
    """AWS waits for replication anyway."""
    environment.now += timedelta(minutes=10)
    result = environment.run(*GO[:-2])
    assert "lag          no recent measurement" in result.stderr
