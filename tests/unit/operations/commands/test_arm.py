"""Disarm and arm as people type them: both regions, one region, nobody home, somebody else was faster."""

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
    """Return a switch that somebody set an hour ago."""
    item: dict[str, object] = {"armed": False, "reason": "theirs", "by": by, "version": 4, "change_id": "theirs"}
    return {**item, "changed_at": after(-3600).isoformat(), **more}


def ends(environment: FakeEnvironment, *arguments: str, answer: str | None = None) -> dict[str, Any]:
    """Run a command that has a result; return it."""
    return json.loads(environment.run(*arguments, "--json", answer=answer).stdout)


def test_disarms_both_regions_for_a_window(environment: FakeEnvironment) -> None:
    """Each region's table holds a switch in the form that the controller reads, which ends by itself."""
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


def test_every_change_leaves_its_trace_beside_the_controller_s(environment: FakeEnvironment) -> None:
    """Who, why, until when, and what was before: in the audit trail of the same table."""
    environment.west.items[SWITCH] = disarmed()
    environment.run(*ARM)
    (trace,) = environment.west.traces()
    assert (trace["reason"], trace["region"], trace["id"]) == ("operator-arm", WEST, "change-1")
    assert trace["evidence"] == {
        "by": ME,
        "why": "upgrade done",
        "until": None,
        "before": "disarmed without end by bob at 2026-11-24T11:00:00Z: theirs",
    }
    assert environment.east.traces() == []


def test_the_standby_is_told_first(environment: FakeEnvironment) -> None:
    """Its controller is the one that acts, whichever region is the primary by configuration."""
    environment.run(*DISARM)
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    environment.run(*ARM)
    assert [region for region, call in environment.calls if call == "write"] == [WEST, EAST, EAST, WEST]


@pytest.mark.parametrize("command", [DISARM, ARM])
def test_a_second_time_changes_nothing(environment: FakeEnvironment, command: tuple[str, ...]) -> None:
    """Both commands are idempotent, and ask nothing when there is nothing to change."""
    environment.run(*DISARM)
    environment.run(*command)
    before = (dict(environment.east.items), dict(environment.west.items))
    again = ends(environment, *command[:-2])
    assert (again["changed"], again["notified"], again["exit_code"]) == ([], [WEST, EAST], 0)
    assert (environment.east.items, environment.west.items) == before


def test_an_expired_window_counts_as_armed(environment: FakeEnvironment) -> None:
    """TTL may take days to remove it: it neither needs arming nor stands for a new window."""
    environment.west.items[SWITCH] = disarmed(expires_at=int(after(-1).timestamp()))
    assert ends(environment, *ARM)["changed"] == []
    assert ends(environment, *DISARM)["changed"] == [WEST, EAST]


def test_another_end_of_the_window_is_a_change(environment: FakeEnvironment) -> None:
    """Who disarms for longer replaces the window, over the version that was read, and sees whose it was."""
    environment.west.items[SWITCH] = disarmed(expires_at=int(after(60).timestamp()))
    result = environment.run(*DISARM, "--until", "2026-11-24T18:00:00+01:00")
    assert "disarmed until 2026-11-24T12:01:00Z by bob at 2026-11-24T11:00:00Z: theirs" in result.stderr
    assert environment.west.switch is not None
    assert (environment.west.switch["version"], environment.west.switch["expires_at"]) == (
        5,
        int(after(5 * 3600).timestamp()),
    )


@pytest.mark.parametrize(
    "broken", [{"armed": "no", "version": "x"}, {"armed": False, "version": 3, "expires_at": "soon"}, {}]
)
@pytest.mark.parametrize(("command", "armed"), [(DISARM, False), (ARM, True)])
def test_an_unreadable_switch_is_replaced(
    environment: FakeEnvironment, broken: dict[str, object], command: tuple[str, ...], armed: bool
) -> None:
    """It is the hint for `switch-unreadable`; the plan says what was wrong."""
    environment.west.items[SWITCH] = broken
    result = environment.run(*command)
    assert "unreadable (malformed: " in result.stderr
    assert environment.west.switch is not None
    assert read_switch(environment.west.switch).armed is armed


def test_the_standby_alone_is_enough_and_the_other_is_named(environment: FakeEnvironment) -> None:
    """With the writer's region dead the standby is told, the exit code is its own, and what is left to do is said."""
    environment.fail(EAST)
    result = environment.run(*DISARM)
    assert result.exit_code == ExitCode.PARTLY
    assert environment.west.switch is not None
    assert "us-east-1: not written" in result.stdout
    found = ends(environment, *DISARM)
    assert (found["effective"], found["notified"], list(found["not_told"])) == (True, [WEST], [EAST])


def test_nothing_is_changed_when_the_standby_does_not_answer(environment: FakeEnvironment) -> None:
    """To tell only the region that would not act would look like a success: refused, with the way to do it anyway."""
    environment.fail(WEST)
    result = environment.run(*DISARM)
    assert result.exit_code == ExitCode.AWS
    assert "eu-west-1, the standby whose controller would act, is unreachable" in result.stderr
    assert "--region us-east-1" in result.stderr
    assert environment.east.switch is None


def test_a_named_region_is_the_only_one_that_is_called(environment: FakeEnvironment) -> None:
    """With --region nothing crosses to the other; the standby alone is a full success."""
    result = environment.run(*DISARM, "--region", WEST)
    assert result.exit_code == ExitCode.DONE
    assert environment.asked(EAST) == []
    assert environment.west.switch is not None


def test_to_name_the_writer_s_region_is_only_half_of_it(environment: FakeEnvironment) -> None:
    """Its controller does not act: it is told, and the exit code and a note say that the standby was not."""
    result = environment.run(*DISARM, "--region", EAST)
    assert result.exit_code == ExitCode.PARTLY
    assert (
        "The controller in eu-west-1, the standby, is the one that would act, and its switch is not changed."
        in result.stdout
    )
    assert environment.east.switch is not None


def test_without_rds_the_controller_s_memory_tells_the_standby(environment: FakeEnvironment) -> None:
    """RDS may be what is down: the table remembers who was the writer."""
    environment.fail(WEST, "read_roles")
    environment.fail(EAST, "read_roles")
    environment.west.put_state(State(writer=Side.PEER, cycle_at=NOW))
    assert ends(environment, *DISARM)["standby"] == WEST


def test_unknown_roles_are_said(environment: FakeEnvironment) -> None:
    """Nobody knows who would act: both are told, and the end is not called complete."""
    environment.roles = RdsRoles(writer_arn=None, operation=None)
    found = ends(environment, *DISARM)
    assert (found["notified"], found["effective"], found["exit_code"]) == ([WEST, EAST], None, ExitCode.PARTLY)


def test_no_region_answers(environment: FakeEnvironment) -> None:
    """Then nothing is changed, and both reasons are said."""
    environment.fail(WEST)
    environment.fail(EAST)
    result = environment.run(*DISARM)
    assert result.exit_code == ExitCode.AWS
    assert "Nothing was changed" in result.stderr


def test_who_it_is_must_be_known(environment: FakeEnvironment) -> None:
    """Without a caller there is no entry for the audit trail, so nothing is written."""
    environment.fail(WEST, "caller")
    assert environment.run(*DISARM).exit_code == ExitCode.AWS
    assert environment.asked(EAST) == ["read_items", "read_roles"]


def test_somebody_else_was_faster(environment: FakeEnvironment) -> None:
    """Their change stands, it is said who did what, and the other region is left alone."""

    def bob_arms() -> None:
        environment.west.items[SWITCH] = {**disarmed(), "armed": True, "version": 1}

    environment.on(WEST, "write", bob_arms)
    result = environment.run(*DISARM)
    assert result.exit_code == ExitCode.REFUSED
    assert (
        "another writer changed the item first in eu-west-1: armed by bob at 2026-11-24T11:00:00Z: theirs"
        in result.stderr
    )
    assert environment.west.switch is not None
    assert environment.west.switch["by"] == "bob"
    assert environment.east.switch is None


def test_somebody_made_the_switch_anew_with_the_same_version(environment: FakeEnvironment) -> None:
    """TTL removed the one that was read and another took its place: the version agrees, the change does not."""
    environment.west.items[SWITCH] = disarmed()
    environment.on(
        WEST, "write", lambda: environment.west.items.update({SWITCH: {**disarmed("carol"), "change_id": "hers"}})
    )
    assert environment.run(*ARM).exit_code == ExitCode.REFUSED
    assert environment.west.switch is not None
    assert environment.west.switch["by"] == "carol"


def test_a_write_without_an_answer_that_took_effect_is_a_success(environment: FakeEnvironment) -> None:
    """It is looked at, not repeated."""
    environment.fail(WEST, "written")
    assert environment.run(*DISARM).exit_code == ExitCode.DONE
    assert [region for region, call in environment.calls if call == "write"] == [WEST, EAST]


def test_a_write_that_failed_on_the_standby_ends_it(environment: FakeEnvironment) -> None:
    """Nothing was changed anywhere, and the message says so."""
    environment.fail(WEST, "write")
    result = environment.run(*DISARM)
    assert result.exit_code == ExitCode.AWS
    assert "Nothing was changed in eu-west-1 so far" in result.stderr
    assert (environment.west.switch, environment.east.switch) == (None, None)


def test_a_write_of_which_nothing_is_known_is_said_to_be_so(environment: FakeEnvironment) -> None:
    """No answer to the write, none to the look: it may or may not have been written."""

    def vanish() -> None:
        environment.fail(WEST)
        environment.fail(WEST, "written")
        environment.on(WEST, "write", lambda: None)

    environment.on(WEST, "write", vanish)
    result = environment.run(*DISARM)
    assert result.exit_code == ExitCode.AWS
    assert "may or may not have been written" in result.stderr


def test_a_write_that_failed_on_the_other_region_is_partly_done(environment: FakeEnvironment) -> None:
    """The standby is told; what is missing, and why, is said."""
    environment.fail(EAST, "write")
    found = ends(environment, *DISARM)
    assert (found["notified"], list(found["not_told"]), found["exit_code"]) == ([WEST], [EAST], ExitCode.PARTLY)


def test_nobody_confirms(environment: FakeEnvironment) -> None:
    """Where nobody can be asked it is refused with the command to run; only the id is a yes. The plan was shown."""
    alone = environment.run(*DISARM[:-2])
    assert alone.exit_code == ExitCode.REFUSED
    assert f"--confirm {GLOBAL_CLUSTER}" in alone.stderr
    assert "-> disarmed without end" in alone.stderr
    assert f"run: python -m operations disarm --reason 'engine upgrade' --confirm {GLOBAL_CLUSTER}" in alone.stderr
    for answer in ("n\n", "y\n", "payments-global-prod\n", "\n", ""):
        assert environment.run(*DISARM[:-2], answer=answer).exit_code == ExitCode.REFUSED
    assert (environment.west.switch, environment.east.switch) == (None, None)


def test_somebody_confirms(environment: FakeEnvironment) -> None:
    """The typed id does what --confirm does; with --json the question is not in the result."""
    assert ends(environment, *DISARM[:-2], answer=f"{GLOBAL_CLUSTER}\n")["notified"] == [WEST, EAST]


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
def test_usage_is_checked_before_aws_is_called(environment: FakeEnvironment, options: tuple[str, ...]) -> None:
    """A wrong option ends with 2, and no region was called."""
    assert environment.run(*DISARM, *options).exit_code == ExitCode.USAGE
    assert environment.calls == []


def test_a_reason_is_mandatory(environment: FakeEnvironment) -> None:
    """Nobody arms or disarms without saying why."""
    assert environment.run("disarm", "--confirm", GLOBAL_CLUSTER).exit_code == ExitCode.USAGE
    assert environment.run("arm", "--confirm", GLOBAL_CLUSTER).exit_code == ExitCode.USAGE


def test_what_a_person_should_know_before_is_said(environment: FakeEnvironment) -> None:
    """Arming while the writer counts as dead, disarming when the call is out, and roles about to change."""
    lose_writer(environment)
    assert (
        "once armed, it may fail over within cycles"
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
    said = environment.run(*DISARM).stderr
    assert "the switch does not stop it any more" in said
    assert "RDS shows an operation (failing-over)" in said
