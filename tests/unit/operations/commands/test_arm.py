"""Disarm and arm: both regions, one region, unreachable regions, and concurrent writers."""

import json
from datetime import timedelta
from typing import Any

import pytest

from functions.failover_controller.model import Attempt, AttemptStatus, Reason, Side, State
from functions.failover_controller.table_items import read_switch
from operations.aws.ports import RdsRoles
from operations.aws.table_items import SWITCH
from operations.support.errors import ExitCode
from tests.support.operations.fakes import (
    EAST,
    GLOBAL_CLUSTER,
    ME,
    NOW,
    WEST,
    WEST_REGION,
    FakeEnvironment,
    after,
    lose_writer,
)

DISARM = ("disarm", "--reason", "engine upgrade", "--confirm", GLOBAL_CLUSTER)
ARM = ("arm", "--reason", "upgrade done", "--confirm", GLOBAL_CLUSTER)


def disarmed(by: str = "bob", **more: object) -> dict[str, object]:
    """Return a switch that another operator set an hour ago."""
    item: dict[str, object] = {
        "armed": False,
        "reason": "other change",
        "by": by,
        "version": 4,
        "change_id": "other change",
    }
    return {**item, "changed_at": after(-3600).isoformat(), **more}


def result_of(environment: FakeEnvironment, *arguments: str, answer: str | None = None) -> dict[str, Any]:
    """Run a command and return its JSON result."""
    return json.loads(environment.run(*arguments, "--json", answer=answer).stdout)


def test_disarm_for_a_window_writes_an_expiring_switch_in_both_regions(environment: FakeEnvironment) -> None:
    """Each region's table holds a switch that the controller can read."""
    result = environment.run(*DISARM, "--for", "2h")
    assert result.exit_code == ExitCode.DONE
    for region in (environment.east, environment.west):
        assert region.switch == {
            "armed": False,
            "reason": "engine upgrade",
            "by": ME,
            "version": 1,
            "changed_at": NOW.isoformat(),
            "change_id": "change-1",
            "expires_at": int((NOW + timedelta(hours=2)).timestamp()),
        }
        read = read_switch(region.switch or {})
        assert (read.armed, read.expires_at) == (False, after(7200))
    assert "disarmed until 2026-11-24T14:00:00Z" in result.stdout


def test_every_change_is_recorded_in_the_audit_trail(environment: FakeEnvironment) -> None:
    """The entry names who, why, until when, and the previous switch."""
    environment.west.items[SWITCH] = disarmed()
    environment.run(*ARM)
    (trace,) = environment.west.traces()
    assert (trace["reason"], trace["region"], trace["id"]) == ("operator-arm", WEST, "change-1")
    assert trace["evidence"] == {
        "by": ME,
        "why": "upgrade done",
        "until": None,
        "before": "disarmed without end by bob at 2026-11-24T11:00:00Z: other change",
    }
    assert environment.east.traces() == []


def test_standby_is_written_first(environment: FakeEnvironment) -> None:
    """The standby's controller acts, whichever region is the configured primary."""
    environment.run(*DISARM)
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    environment.run(*ARM)
    assert [region for region, call in environment.calls if call == "write"] == [WEST, EAST, EAST, WEST]


@pytest.mark.parametrize("command", [DISARM, ARM])
def test_repeating_a_command_changes_nothing(environment: FakeEnvironment, command: tuple[str, ...]) -> None:
    """Each command is idempotent and needs no confirmation without a change."""
    environment.run(*DISARM)
    environment.run(*command)
    before = (dict(environment.east.items), dict(environment.west.items))
    again = result_of(environment, *command[:-2])
    assert (again["changed"], again["as_requested"], again["exit_code"]) == ([], [WEST, EAST], 0)
    assert (environment.east.items, environment.west.items) == before


def test_expired_window_counts_as_armed(environment: FakeEnvironment) -> None:
    """DynamoDB's TTL may remove an expired switch days later."""
    environment.west.items[SWITCH] = disarmed(expires_at=int(after(-1).timestamp()))
    assert result_of(environment, *ARM)["changed"] == []
    assert result_of(environment, *DISARM)["changed"] == [WEST, EAST]


def test_different_expiry_replaces_the_window(environment: FakeEnvironment) -> None:
    """The plan shows the previous window and who set it."""
    environment.west.items[SWITCH] = disarmed(expires_at=int(after(60).timestamp()))
    result = environment.run(*DISARM, "--until", "2026-11-24T18:00:00+01:00")
    assert "disarmed until 2026-11-24T12:01:00Z by bob at 2026-11-24T11:00:00Z: other change" in result.stderr
    assert environment.west.switch is not None
    assert (environment.west.switch["version"], environment.west.switch["expires_at"]) == (
        5,
        int(after(5 * 3600).timestamp()),
    )


@pytest.mark.parametrize(
    "broken", [{"armed": "no", "version": "x"}, {"armed": False, "version": 3, "expires_at": "soon"}, {}]
)
@pytest.mark.parametrize(("command", "armed"), [(DISARM, False), (ARM, True)])
def test_unreadable_switch_is_replaced(
    environment: FakeEnvironment, broken: dict[str, object], command: tuple[str, ...], armed: bool
) -> None:
    """The plan says what was malformed; this resolves `switch-unreadable`."""
    environment.west.items[SWITCH] = broken
    result = environment.run(*command)
    assert "unreadable (malformed: " in result.stderr
    assert environment.west.switch is not None
    assert read_switch(environment.west.switch).armed is armed


def test_unreachable_writer_region_is_reported_as_partly_done(environment: FakeEnvironment) -> None:
    """The standby is written, and the exit code is 5."""
    environment.fail(EAST)
    result = environment.run(*DISARM)
    assert result.exit_code == ExitCode.PARTLY
    assert environment.west.switch is not None
    assert "us-east-1: not written" in result.stdout
    found = result_of(environment, *DISARM)
    assert (found["effective"], found["as_requested"], list(found["not_written"])) == (True, [WEST], [EAST])


def test_unreachable_standby_changes_nothing(environment: FakeEnvironment) -> None:
    """A write in the writer's region alone would have no effect but appear successful."""
    environment.fail(WEST)
    result = environment.run(*DISARM)
    assert result.exit_code == ExitCode.AWS
    assert "eu-west-1, the standby whose controller would act, is unreachable" in result.stderr
    assert "--region us-east-1" in result.stderr
    assert environment.east.switch is None


def test_region_option_calls_that_region_only(environment: FakeEnvironment) -> None:
    """With --region, the standby alone is a full success."""
    result = environment.run(*DISARM, "--region", WEST)
    assert result.exit_code == ExitCode.DONE
    assert environment.calls_to(EAST) == []
    assert environment.west.switch is not None


def test_writer_region_alone_is_partly_done(environment: FakeEnvironment) -> None:
    """The writer's controller does not act: exit code 5 and a remark."""
    result = environment.run(*DISARM, "--region", EAST)
    assert result.exit_code == ExitCode.PARTLY
    assert (
        "The controller in eu-west-1, the standby, is the one that would act, and its switch is not changed."
        in result.stdout
    )
    assert environment.east.switch is not None


def test_roles_come_from_the_controller_state_without_rds(environment: FakeEnvironment) -> None:
    """The table's state names the last known writer."""
    environment.fail(WEST, "read_roles")
    environment.fail(EAST, "read_roles")
    environment.west.put_state(State(writer=Side.PEER, cycle_at=NOW))
    assert result_of(environment, *DISARM)["standby"] == WEST


def test_unknown_roles_are_partly_done(environment: FakeEnvironment) -> None:
    """The switch is written in each region, and the exit code is 5."""
    environment.roles = RdsRoles(writer_arn=None, operation=None)
    found = result_of(environment, *DISARM)
    assert (found["as_requested"], found["effective"], found["exit_code"]) == ([WEST, EAST], None, ExitCode.PARTLY)


def test_unreachable_regions_change_nothing(environment: FakeEnvironment) -> None:
    """The exit code is 4."""
    environment.fail(WEST)
    environment.fail(EAST)
    result = environment.run(*DISARM)
    assert result.exit_code == ExitCode.AWS
    assert "No changes were made" in result.stderr


def test_unknown_caller_changes_nothing(environment: FakeEnvironment) -> None:
    """An audit entry needs the caller's identity."""
    environment.fail(WEST, "caller")
    assert environment.run(*DISARM).exit_code == ExitCode.AWS
    assert environment.calls_to(EAST) == ["read_items", "read_roles"]


def test_conflicting_write_is_refused(environment: FakeEnvironment) -> None:
    """The other change stands and is shown, and the other region is not written."""

    def bob_arms() -> None:
        environment.west.items[SWITCH] = {**disarmed(), "armed": True, "version": 1}

    environment.on(WEST, "write", bob_arms)
    result = environment.run(*DISARM)
    assert result.exit_code == ExitCode.REFUSED
    assert (
        "another writer changed the item first in eu-west-1: armed by bob at 2026-11-24T11:00:00Z: other change"
        in result.stderr
    )
    assert environment.west.switch is not None
    assert environment.west.switch["by"] == "bob"
    assert environment.east.switch is None


def test_recreated_switch_with_the_same_version_is_a_conflict(environment: FakeEnvironment) -> None:
    """TTL removed the item, and a new one has the same version but another change id."""
    environment.west.items[SWITCH] = disarmed()
    environment.on(
        WEST, "write", lambda: environment.west.items.update({SWITCH: {**disarmed("carol"), "change_id": "hers"}})
    )
    assert environment.run(*ARM).exit_code == ExitCode.REFUSED
    assert environment.west.switch is not None
    assert environment.west.switch["by"] == "carol"


def test_unacknowledged_write_that_took_effect_is_a_success(environment: FakeEnvironment) -> None:
    """The item is read, not written again."""
    environment.fail(WEST, "written")
    assert environment.run(*DISARM).exit_code == ExitCode.DONE
    assert [region for region, call in environment.calls if call == "write"] == [WEST, EAST]


def test_failed_write_in_the_standby_changes_nothing(environment: FakeEnvironment) -> None:
    """The error reports that no changes were made."""
    environment.fail(WEST, "write")
    result = environment.run(*DISARM)
    assert result.exit_code == ExitCode.AWS
    assert "No changes were made in eu-west-1 so far" in result.stderr
    assert (environment.west.switch, environment.east.switch) == (None, None)


def test_write_with_unknown_outcome_is_reported(environment: FakeEnvironment) -> None:
    """The write and the read that follows both time out."""

    def vanish() -> None:
        environment.fail(WEST)
        environment.fail(WEST, "written")
        environment.on(WEST, "write", lambda: None)

    environment.on(WEST, "write", vanish)
    result = environment.run(*DISARM)
    assert result.exit_code == ExitCode.AWS
    assert "may or may not have been written" in result.stderr


def test_failed_write_in_the_writer_region_is_partly_done(environment: FakeEnvironment) -> None:
    """The standby is written, and the failure is reported."""
    environment.fail(EAST, "write")
    found = result_of(environment, *DISARM)
    assert (found["as_requested"], list(found["not_written"]), found["exit_code"]) == ([WEST], [EAST], ExitCode.PARTLY)


def test_missing_confirmation_changes_nothing(environment: FakeEnvironment) -> None:
    """The confirmation is the global cluster's id; the plan is shown."""
    alone = environment.run(*DISARM[:-2])
    assert alone.exit_code == ExitCode.REFUSED
    assert f"--confirm {GLOBAL_CLUSTER}" in alone.stderr
    assert "-> disarmed without end" in alone.stderr
    assert f"run: python -m operations disarm --reason 'engine upgrade' --confirm {GLOBAL_CLUSTER}" in alone.stderr
    for answer in ("n\n", "y\n", "payments-global-prod\n", "\n", ""):
        assert environment.run(*DISARM[:-2], answer=answer).exit_code == ExitCode.REFUSED
    assert (environment.west.switch, environment.east.switch) == (None, None)


def test_typed_id_confirms(environment: FakeEnvironment) -> None:
    """The question is not part of the JSON result."""
    assert result_of(environment, *DISARM[:-2], answer=f"{GLOBAL_CLUSTER}\n")["as_requested"] == [WEST, EAST]


@pytest.mark.parametrize(
    "options",
    [
        ("--for", "2h", "--until", "2026-11-25T00:00:00Z"),
        ("--for", "2 fortnights"),
        ("--until", "2026-11-24T18:00:00"),
        ("--until", "2026-11-24T12:00:00Z"),
        ("--reason", "  "),
        ("--reason", "x" * 301),
        ("--region", "eu-north-1"),
        ("--stack", "dev", "--outputs", "outputs.json"),
        ("--nonsense",),
        ("--confirm", "payments-global-prod"),
    ],
)
def test_invalid_option_is_refused_before_aws_is_called(environment: FakeEnvironment, options: tuple[str, ...]) -> None:
    """The exit code is 2."""
    assert environment.run(*DISARM, *options).exit_code == ExitCode.USAGE
    assert environment.calls == []


def test_reason_is_required(environment: FakeEnvironment) -> None:
    """The exit code is 2 without --reason."""
    assert environment.run("disarm", "--confirm", GLOBAL_CLUSTER).exit_code == ExitCode.USAGE
    assert environment.run("arm", "--confirm", GLOBAL_CLUSTER).exit_code == ExitCode.USAGE


def test_plan_remarks_on_outage_failover_and_operation(environment: FakeEnvironment) -> None:
    """The remarks precede the confirmation."""
    lose_writer(environment)
    assert (
        "once armed, the controller may fail over in its next cycles"
        in environment.run(*DISARM, *ARM[3:]).stderr + environment.run(*ARM).stderr
    )
    attempt = Attempt(
        id="a",
        status=AttemptStatus.UNDER_WAY,
        verdict=Reason.REGION_LOST,
        started_at=after(-10),
        touched_at=after(-9),
        outage_at=after(-60),
        lag_ms=None,
        heartbeat=None,
        calls=1,
    )
    lose_writer(environment, attempt=attempt)
    environment.roles = RdsRoles(writer_arn=environment.roles.writer_arn, operation="failing-over")
    text = environment.run(*DISARM).stderr
    assert "the switch no longer stops this failover" in text
    assert "RDS shows an operation (failing-over)" in text
