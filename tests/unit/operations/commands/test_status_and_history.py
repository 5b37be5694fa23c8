"""Status and history: everything of one region, and what could not be read is named, not guessed."""

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


def seen(environment: FakeEnvironment, *options: str) -> dict[str, Any]:
    """Return the status as JSON."""
    return json.loads(environment.run("status", "--json", *options).stdout)


def test_a_healthy_region_on_one_screen(environment: FakeEnvironment) -> None:
    """Roles, mode, cycle, switch, question, failover and notices of the standby, without a call to the other region."""
    environment.west.put_state(State(writer=Side.PEER, cycle_at=after(-4)))
    environment.west.put_notice(notice("n-1", after(-500), Reason.HEALTHY))
    result = environment.run("status")
    assert result.exit_code == ExitCode.DONE
    for text in (
        "payments-global-dev, seen from eu-west-1 at 2026-11-24 12:00:00 UTC",
        "writer us-east-1, standby eu-west-1 (seen from here); no operation under way; as RDS says",
        "mode approve; running, last cycle 4 s ago",
        "armed (never switched, or a window ended)",
        "what to do about healthy",
    ):
        assert text in result.stdout
    assert environment.asked(EAST) == []


def test_the_same_for_machines(environment: FakeEnvironment) -> None:
    """Every part has its place, and what there is none of is null."""
    environment.west.put_state(State(writer=Side.PEER, cycle_at=after(-4)))
    found = seen(environment)
    assert found["roles"] == {"writer": EAST, "standby": WEST, "operation": None, "source": "as RDS says"}
    assert found["controller"]["last_cycle_age_seconds"] == 4.0
    assert (found["controller"]["mode"], found["controller"]["beating"]) == ("approve", True)
    assert found["switch"]["armed"] is True
    assert (found["pending"], found["attempt"], found["notices"], found["not_read"]) == (None, None, [], {})


def test_trouble_is_shown_with_its_evidence(environment: FakeEnvironment) -> None:
    """A question with its id, a disarming with its end, an operation under way, a silent controller."""
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
        "under way: switching-over",
        "SILENT, last cycle 10 min 4 s",
    ):
        assert text in result.stdout
    assert "armed: the window ended until 2026-11-24T12:01:30Z" in result.stdout
    found = seen(environment)
    assert (found["pending"]["id"], found["pending"]["last_lag_ms"]) == ("d-1", state.lag_ms)
    assert (found["switch"]["armed"], found["switch"]["expires_at"]) == (True, "2026-11-24T12:01:30Z")


def test_a_failover_under_way_is_shown(environment: FakeEnvironment) -> None:
    """Since when, why, and that it takes too long."""
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
    assert seen(environment)["attempt"]["overdue"] is True


def test_after_a_failover_the_other_region_is_shown(environment: FakeEnvironment) -> None:
    """The default is the standby by role, not by configuration; --region picks."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    assert seen(environment)["region"] == EAST
    assert seen(environment, "--region", WEST)["region"] == WEST


@pytest.mark.parametrize(
    ("broken", "code", "missing"),
    [
        (("read_policy",), ExitCode.DONE, {"mode"}),
        (("read_history",), ExitCode.PARTLY, {"history"}),
        (("read_roles",), ExitCode.PARTLY, {"RDS"}),
        (("read_items",), ExitCode.PARTLY, {"table"}),
        (("read_items", "read_roles"), ExitCode.AWS, {"table", "RDS"}),
        ((), ExitCode.AWS, {"table", "RDS", "mode", "history"}),
    ],
)
def test_what_can_not_be_read_is_named(
    environment: FakeEnvironment, broken: tuple[str, ...], code: int, missing: set[str]
) -> None:
    """The rest is shown, and the exit code says how much that is; the mode is only a courtesy."""
    environment.west.put_state(State(writer=Side.PEER, cycle_at=NOW))
    environment.fail(WEST, *broken)
    assert environment.run("status", "--region", WEST).exit_code == code
    assert set(seen(environment, "--region", WEST)["not_read"]) == missing


def test_without_rds_the_roles_are_the_controller_s(environment: FakeEnvironment) -> None:
    """And they are said to be so."""
    environment.west.put_state(State(writer=Side.PEER, cycle_at=NOW))
    environment.fail(WEST, "read_roles")
    assert seen(environment, "--region", WEST)["roles"]["source"] == "as the controller saw them last"


def test_items_that_can_not_be_understood_are_shown_as_such(environment: FakeEnvironment) -> None:
    """A malformed item is a fact to be seen, not an end."""
    environment.west.items[STATE] = {"version": "x"}
    environment.west.items[SWITCH] = {"armed": 3}
    result = environment.run("status")
    assert result.exit_code == ExitCode.DONE
    assert "its state is malformed: version" in result.stdout
    assert "unreadable (malformed: armed" in result.stdout
    assert seen(environment)["switch"]["armed"] is None


def test_an_answer_that_can_not_be_read_is_named(environment: FakeEnvironment) -> None:
    """The question is shown; that its answer is unknown is said, and counts as a part that is missing."""
    lose_writer(environment, pending=Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=after(-30)))
    reads = iter([False, True])

    def second_fails() -> None:
        if next(reads):
            raise AwsError("throttled", hint="Try again.")

    environment.on(WEST, "read_items", second_fails)
    result = environment.run("status")
    assert result.exit_code == ExitCode.PARTLY
    assert "d-1: region-lost, answer unknown" in result.stdout


@pytest.mark.parametrize(
    ("answer", "said"),
    [({"approved": "yes"}, "answer malformed: approved"), ({"approved": False, "by": "bob"}, "rejected by bob")],
)
def test_every_answer_is_shown_as_it_is(environment: FakeEnvironment, answer: dict[str, object], said: str) -> None:
    """A no, and one that can't be understood."""
    lose_writer(environment, pending=Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=after(-30)))
    environment.west.items["approval", "d-1"] = answer
    assert f"d-1: region-lost, {said}" in environment.run("status").stdout


def test_a_region_without_a_cycle(environment: FakeEnvironment) -> None:
    """A fresh stack has no state."""
    assert "no cycle completed yet" in environment.run("status").stdout


def test_no_region_can_tell_who_is_the_standby(environment: FakeEnvironment) -> None:
    """Then the exit code says AWS, and the hint is to name a region; as JSON too."""
    environment.fail(WEST)
    environment.fail(EAST)
    result = environment.run("status", "--json")
    assert result.exit_code == ExitCode.AWS
    assert json.loads(result.stdout)["hint"] == "Name one: --region eu-west-1 or us-east-1."


def test_history_is_newest_first_and_limited(environment: FakeEnvironment) -> None:
    """A table for people, one JSON object a line for machines."""
    for number in range(5):
        environment.west.put_notice(notice(f"n-{number}", after(number), Reason.HEALTHY))
    environment.now = after(10)
    environment.run("disarm", "--reason", "upgrade", "--confirm", GLOBAL_CLUSTER)
    result = environment.run("history", "--limit", "3")
    assert result.exit_code == ExitCode.DONE
    assert "why: upgrade" in result.stdout
    lines = [json.loads(line) for line in environment.run("history", "--limit", "3", "--json").stdout.splitlines()]
    assert [line["reason"] for line in lines] == ["operator-disarm", "healthy", "healthy"]
    assert [line["id"] for line in lines[1:]] == ["n-4", "n-3"]


def test_an_entry_that_is_no_json_is_shown_as_it_is(environment: FakeEnvironment) -> None:
    """Whoever wrote it: it stays in sight, and can't command the terminal."""
    environment.west.items["history", "2026-11-24T11:00:00+00:00#x"] = {"reason": "odd", "line": "\x1b[31mred [bold]"}
    result = environment.run("history")
    assert "\\x1b[31mred [bold]" in result.stdout
    assert "\x1b" not in result.stdout
    (line,) = [json.loads(line) for line in environment.run("history", "--json").stdout.splitlines()]
    assert (line["at"], line["reason"], line["action"]) == ("2026-11-24T11:00:00+00:00", "odd", "?")


@pytest.mark.parametrize("options", [("--limit", "0"), ("--limit", "x"), ("--region", "eu-north-1")])
def test_history_checks_its_options(environment: FakeEnvironment, options: tuple[str, ...]) -> None:
    """A wrong option is a usage error."""
    assert environment.run("history", *options).exit_code == ExitCode.USAGE


def test_after_a_failover_from_a_lost_region_the_writer_s_is_shown(environment: FakeEnvironment) -> None:
    """The standby is the lost region then: nobody has to know that to see what became of the failover."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    environment.west.put_state(State(writer=Side.OWN, cycle_at=after(-4)))
    environment.fail(EAST)
    result = environment.run("status")
    assert result.exit_code == ExitCode.PARTLY
    assert "seen from eu-west-1" in result.stdout
    assert "us-east-1, the standby, does not answer" in " ".join(result.stdout.split())
    found = seen(environment)
    assert (found["region"], list(found["not_read"])) == (WEST, ["standby"])


def test_a_silent_region_that_was_named_is_not_replaced(environment: FakeEnvironment) -> None:
    """Who names a region wants that one, for its status and for its trail."""
    environment.fail(WEST, "read_items", "read_roles", "read_history")
    assert seen(environment, "--region", WEST)["region"] == WEST
    assert environment.run("history", "--region", WEST).exit_code == ExitCode.AWS
    assert environment.asked(EAST) == []


def test_when_both_regions_are_silent_it_is_the_standby_s_failure_that_is_shown(environment: FakeEnvironment) -> None:
    """It stands for both; who wants the other one names it."""
    environment.fail(EAST, "read_items", "read_history")
    environment.fail(WEST, "read_items", "read_history")
    roles = iter([True, False])

    def fails_later() -> None:
        if not next(roles, False):
            raise AwsError("no answer", hint="Try again.")

    environment.on(WEST, "read_roles", fails_later)
    environment.on(EAST, "read_roles", fails_later)
    found = seen(environment)
    assert (found["region"], "standby" in found["not_read"]) == (WEST, False)


def test_the_history_of_a_lost_standby_is_the_writer_s(environment: FakeEnvironment) -> None:
    """And it is said so, beside it."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    environment.west.put_notice(notice("n-1", after(-5), Reason.FAILOVER_COMPLETED))
    environment.fail(EAST)
    result = environment.run("history", "--json")
    assert (result.exit_code, json.loads(result.stdout)["id"]) == (ExitCode.PARTLY, "n-1")
    assert "us-east-1, the standby, does not answer" in result.stderr
    assert "showing the audit trail of eu-west-1" in " ".join(result.stderr.split())


def test_history_without_an_answer(environment: FakeEnvironment) -> None:
    """The exit code says that it was AWS, and nothing that is no JSON is on stdout."""
    environment.fail(WEST, "read_history")
    environment.fail(EAST, "read_history")
    result = environment.run("history", "--json")
    assert result.exit_code == ExitCode.AWS
    assert json.loads(result.stdout) == {
        "error": "read_history of eu-west-1: no answer",
        "hint": "Try again.",
        "exit_code": 4,
    }
