"""Status and history of one region; parts that can't be read are named."""

import json
from typing import Any

import pytest

from functions.failover_controller.model import Action, Attempt, AttemptStatus, Pending, Reason, Side, State
from operations.aws.ports import RdsRoles
from operations.aws.table_items import STATE, SWITCH
from operations.support.errors import AwsError, ExitCode
from tests.support.operations.fakes import (
    EAST,
    GLOBAL_CLUSTER,
    NOW,
    WEST,
    WEST_REGION,
    FakeEnvironment,
    after,
    lose_writer,
    notice,
)


def status_json(environment: FakeEnvironment, *options: str) -> dict[str, Any]:
    """Return the status as JSON."""
    return json.loads(environment.run("status", "--json", *options).stdout)


def test_status_of_a_healthy_region(environment: FakeEnvironment) -> None:
    """The output is of the standby, without a call to the other region."""
    environment.west.put_state(State(writer=Side.PEER, cycle_at=after(-4)))
    environment.west.put_notice(notice("n-1", after(-500), Reason.HEALTHY))
    result = environment.run("status")
    assert result.exit_code == ExitCode.DONE
    for text in (
        "payments-global-dev, seen from eu-west-1 at 2026-11-24 12:00:00 UTC",
        "writer us-east-1, standby eu-west-1 (seen from here); no operation in progress; as RDS says",
        "mode approve; running, last cycle 4 s ago",
        "armed (never switched, or a window ended)",
        "what to do about healthy",
    ):
        assert text in result.stdout
    assert environment.calls_to(EAST) == []


def test_status_as_json(environment: FakeEnvironment) -> None:
    """Absent parts are null."""
    environment.west.put_state(State(writer=Side.PEER, cycle_at=after(-4)))
    found = status_json(environment)
    assert found["roles"] == {"writer": EAST, "standby": WEST, "operation": None, "source": "as RDS says"}
    assert found["controller"]["last_cycle_age_seconds"] == 4.0
    assert (found["controller"]["mode"], found["controller"]["running"]) == ("approve", True)
    assert found["switch"]["armed"] is True
    assert (found["pending"], found["attempt"], found["notices"], found["not_read"]) == (None, None, [], {})


def test_status_shows_pending_decision_expired_switch_operation_and_silence(environment: FakeEnvironment) -> None:
    """Each part has its evidence."""
    state = lose_writer(environment, pending=Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=after(-30)))
    environment.west.put_notice(
        notice("n-1", after(-28), Reason.LAG_TOO_HIGH, Action.REQUEST_APPROVAL, decision_id="d-1")
    )
    environment.west.items[SWITCH] = {
        "armed": False,
        "reason": "upgrade",
        "by": "bob",
        "expires_at": int(after(90).timestamp()),
    }
    environment.roles = RdsRoles(writer_arn=environment.roles.writer_arn, operation="switching-over")
    environment.now = after(600)
    result = environment.run("status")
    for text in (
        "d-1: region-lost, NOT ANSWERED;",
        "held_by lag-too-high",
        "in progress: switching-over",
        "SILENT, last cycle 10 min 4 s",
    ):
        assert text in result.stdout
    assert "armed: the window ended until 2026-11-24T12:01:30Z" in result.stdout
    found = status_json(environment)
    assert (found["pending"]["id"], found["pending"]["last_lag_ms"]) == ("d-1", state.lag_ms)
    assert (found["switch"]["armed"], found["switch"]["expires_at"]) == (True, "2026-11-24T12:01:30Z")


def test_failover_in_progress_is_shown(environment: FakeEnvironment) -> None:
    """The line has the start, the reason and the delay."""
    attempt = Attempt(
        id="a-1",
        status=AttemptStatus.UNDER_WAY,
        verdict=Reason.WRITER_DOWN,
        started_at=after(-700),
        touched_at=NOW,
        outage_at=after(-900),
        lag_ms=20.0,
        heartbeat=None,
        calls=2,
        overdue=True,
    )
    lose_writer(environment, attempt=attempt, notified=(Reason.WRITER_DOWN,))
    result = environment.run("status")
    assert "under-way, OVERDUE: writer-down, called 2026-11-24T11:48:20Z, 2 call(s)" in result.stdout
    assert "notified: writer-down" in result.stdout
    assert status_json(environment)["attempt"]["overdue"] is True


def test_default_region_is_the_current_standby(environment: FakeEnvironment) -> None:
    """--region selects another one."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    assert status_json(environment)["region"] == EAST
    assert status_json(environment, "--region", WEST)["region"] == WEST


@pytest.mark.parametrize(
    ("broken", "code", "missing"),
    [
        (("read_environment",), ExitCode.PARTLY, {"mode"}),
        (("read_history",), ExitCode.PARTLY, {"history"}),
        (("read_roles",), ExitCode.PARTLY, {"RDS"}),
        (("read_items",), ExitCode.PARTLY, {"table"}),
        (("read_items", "read_roles"), ExitCode.AWS, {"table", "RDS"}),
        ((), ExitCode.AWS, {"table", "RDS", "mode", "history"}),
    ],
)
def test_unreadable_parts_are_named(
    environment: FakeEnvironment, broken: tuple[str, ...], code: int, missing: set[str]
) -> None:
    """The exit code depends on what is missing."""
    environment.west.put_state(State(writer=Side.PEER, cycle_at=NOW))
    environment.fail(WEST, *broken)
    assert environment.run("status", "--region", WEST).exit_code == code
    assert set(status_json(environment, "--region", WEST)["not_read"]) == missing


def test_roles_come_from_the_controller_state_without_rds(environment: FakeEnvironment) -> None:
    """The source is shown."""
    environment.west.put_state(State(writer=Side.PEER, cycle_at=NOW))
    environment.fail(WEST, "read_roles")
    assert status_json(environment, "--region", WEST)["roles"]["source"] == "as the controller saw them last"


def test_malformed_items_are_shown(environment: FakeEnvironment) -> None:
    """Malformed items do not stop the command."""
    environment.west.items[STATE] = {"version": "x"}
    environment.west.items[SWITCH] = {"armed": 3}
    result = environment.run("status")
    assert result.exit_code == ExitCode.PARTLY
    assert "its state is malformed: version" in result.stdout
    assert "unreadable (malformed: armed" in result.stdout
    assert status_json(environment)["switch"]["armed"] is None


def test_unreadable_approval_is_named(environment: FakeEnvironment) -> None:
    """The decision is shown, and the outage decides the exit code."""
    lose_writer(environment, pending=Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=after(-30)))
    reads = iter([False, True])

    def second_fails() -> None:
        if next(reads):
            raise AwsError("throttled", hint="Try again.")

    environment.on(WEST, "read_items", second_fails)
    result = environment.run("status")
    assert result.exit_code == ExitCode.FAILED
    assert "d-1: region-lost, answer unknown" in result.stdout


@pytest.mark.parametrize(
    ("answer", "text"),
    [({"approved": "yes"}, "answer malformed: approved"), ({"approved": False, "by": "bob"}, "rejected by bob")],
)
def test_rejected_and_malformed_answers_are_shown(
    environment: FakeEnvironment, answer: dict[str, object], text: str
) -> None:
    """The line names who answered, if known."""
    lose_writer(environment, pending=Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=after(-30)))
    environment.west.items["approval", "d-1"] = answer
    assert f"d-1: region-lost, {text}" in environment.run("status").stdout


def test_region_without_a_completed_cycle(environment: FakeEnvironment) -> None:
    """A new stack has no state."""
    assert "no cycle completed yet" in environment.run("status").stdout


def test_unknown_standby_is_an_aws_error(environment: FakeEnvironment) -> None:
    """The hint is to name a region."""
    environment.fail(WEST)
    environment.fail(EAST)
    result = environment.run("status", "--json")
    assert result.exit_code == ExitCode.AWS
    assert json.loads(result.stdout)["hint"] == "Name a region: --region eu-west-1 or us-east-1."


def test_command_in_the_headline_selects_the_same_stack(environment: FakeEnvironment) -> None:
    """The command can be run as it is shown."""
    environment.west.put_state(State(version=1, cycle_at=after(-4), writer=Side.PEER))
    environment.run("disarm", "--reason", "upgrade", "--confirm", GLOBAL_CLUSTER)
    shown = environment.run("status", "--stack", "dev").stdout
    assert "run `python -m operations arm --stack dev --reason REASON`" in shown


def test_history_is_newest_first_and_limited(environment: FakeEnvironment) -> None:
    """A table as text, one array as JSON."""
    for number in range(5):
        environment.west.put_notice(notice(f"n-{number}", after(number), Reason.HEALTHY))
    environment.now = after(10)
    environment.run("disarm", "--reason", "upgrade", "--confirm", GLOBAL_CLUSTER)
    result = environment.run("history", "--limit", "3")
    assert result.exit_code == ExitCode.DONE
    assert "why: upgrade" in result.stdout
    lines = json.loads(environment.run("history", "--limit", "3", "--json").stdout)
    assert [line["reason"] for line in lines] == ["operator-disarm", "healthy", "healthy"]
    assert [line["id"] for line in lines[1:]] == ["n-4", "n-3"]


def test_malformed_history_entry_is_shown_escaped(environment: FakeEnvironment) -> None:
    """A malformed entry cannot send control characters to the terminal."""
    environment.west.items["history", "2026-11-24T11:00:00+00:00#x"] = {"reason": "odd", "line": "\x1b[31mred [bold]"}
    result = environment.run("history")
    assert "\\x1b[31mred [bold]" in result.stdout
    assert "\x1b" not in result.stdout
    (line,) = json.loads(environment.run("history", "--json").stdout)
    assert (line["at"], line["reason"], line["action"]) == ("2026-11-24T11:00:00+00:00", "odd", "?")


def test_empty_history_is_an_empty_array(environment: FakeEnvironment) -> None:
    """The output of --json is JSON even without entries."""
    assert json.loads(environment.run("history", "--json").stdout) == []


@pytest.mark.parametrize("options", [("--limit", "0"), ("--limit", "x"), ("--region", "eu-north-1")])
def test_history_refuses_invalid_options(environment: FakeEnvironment, options: tuple[str, ...]) -> None:
    """The exit code is 2."""
    assert environment.run("history", *options).exit_code == ExitCode.USAGE


def test_writer_region_is_shown_when_the_standby_is_unreachable(environment: FakeEnvironment) -> None:
    """After a failover the lost region is the standby."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    environment.west.put_state(State(writer=Side.OWN, cycle_at=after(-4)))
    environment.fail(EAST)
    result = environment.run("status")
    assert result.exit_code == ExitCode.PARTLY
    assert "seen from eu-west-1" in result.stdout
    assert "us-east-1, the standby, does not respond" in " ".join(result.stdout.split())
    found = status_json(environment)
    assert (found["region"], list(found["not_read"])) == (WEST, ["standby"])


def test_named_region_is_not_replaced_when_unreachable(environment: FakeEnvironment) -> None:
    """Status and history keep the named region."""
    environment.fail(WEST, "read_items", "read_roles", "read_history")
    assert status_json(environment, "--region", WEST)["region"] == WEST
    assert environment.run("history", "--region", WEST).exit_code == ExitCode.AWS
    assert environment.calls_to(EAST) == []


def test_standby_failure_is_shown_when_both_regions_are_unreachable(environment: FakeEnvironment) -> None:
    """The other region is shown only if it responds."""
    environment.fail(EAST, "read_items", "read_history")
    environment.fail(WEST, "read_items", "read_history")
    roles = iter([True, False])

    def fails_later() -> None:
        if not next(roles, False):
            raise AwsError("no answer", hint="Try again.")

    environment.on(WEST, "read_roles", fails_later)
    environment.on(EAST, "read_roles", fails_later)
    found = status_json(environment)
    assert (found["region"], "standby" in found["not_read"]) == (WEST, False)


def test_writer_history_is_shown_when_the_standby_is_unreachable(environment: FakeEnvironment) -> None:
    """A note names both regions."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    environment.west.put_notice(notice("n-1", after(-5), Reason.FAILOVER_COMPLETED))
    environment.fail(EAST)
    result = environment.run("history", "--json")
    assert (result.exit_code, [entry["id"] for entry in json.loads(result.stdout)]) == (ExitCode.PARTLY, ["n-1"])
    assert "us-east-1, the standby, does not respond" in result.stderr
    assert "showing the audit trail of eu-west-1" in " ".join(result.stderr.split())


def test_history_of_unreachable_regions_is_an_aws_error(environment: FakeEnvironment) -> None:
    """Stdout carries JSON only."""
    environment.fail(WEST, "read_history")
    environment.fail(EAST, "read_history")
    result = environment.run("history", "--json")
    assert result.exit_code == ExitCode.AWS
    assert json.loads(result.stdout) == {
        "error": "read_history of eu-west-1: no answer",
        "hint": "Try again.",
        "exit_code": 4,
    }
