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
from tests.support.operations.fakes import EAST, GLOBAL_CLUSTER, ME, NOW, WEST, WEST_REGION, World, after, ill

DISARM = ("disarm", "--reason", "engine upgrade", "--confirm", GLOBAL_CLUSTER)
ARM = ("arm", "--reason", "upgrade done", "--confirm", GLOBAL_CLUSTER)


def disarmed(by: str = "bob", **more: object) -> dict[str, object]:
    """Return a switch that somebody set an hour ago."""
    item: dict[str, object] = {"armed": False, "reason": "theirs", "by": by, "version": 4, "change_id": "theirs"}
    return {**item, "changed_at": after(-3600).isoformat(), **more}


def ends(world: World, *arguments: str, answer: str | None = None) -> dict[str, Any]:
    """Run a command that has a result; return it."""
    return json.loads(world.run(*arguments, "--json", answer=answer).stdout)


def test_disarms_both_regions_for_a_window(world: World) -> None:
    """Each region's table holds a switch in the form that the controller reads, which ends by itself."""
    result = world.run(*DISARM, "--for", "2h")
    assert result.exit_code == ExitCode.DONE
    for region in (world.east, world.west):
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


def test_every_change_leaves_its_trace_beside_the_controller_s(world: World) -> None:
    """Who, why, until when, and what was before: in the audit trail of the same table."""
    world.west.items[SWITCH] = disarmed()
    world.run(*ARM)
    (trace,) = world.west.traces()
    assert (trace["reason"], trace["region"], trace["id"]) == ("operator-arm", WEST, "change-1")
    assert trace["evidence"] == {
        "by": ME,
        "why": "upgrade done",
        "until": None,
        "before": "disarmed without end by bob at 2026-11-24T11:00:00Z: theirs",
    }
    assert world.east.traces() == []


def test_the_standby_is_told_first(world: World) -> None:
    """Its controller is the one that acts, whichever region is the primary by configuration."""
    world.run(*DISARM)
    world.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    world.run(*ARM)
    assert [region for region, call in world.calls if call == "write"] == [WEST, EAST, EAST, WEST]


@pytest.mark.parametrize("command", [DISARM, ARM])
def test_a_second_time_changes_nothing(world: World, command: tuple[str, ...]) -> None:
    """Both commands are idempotent, and ask nothing when there is nothing to change."""
    world.run(*DISARM)
    world.run(*command)
    before = (dict(world.east.items), dict(world.west.items))
    again = ends(world, *command[:-2])
    assert (again["changed"], again["notified"], again["exit_code"]) == ([], [WEST, EAST], 0)
    assert (world.east.items, world.west.items) == before


def test_an_expired_window_counts_as_armed(world: World) -> None:
    """TTL may take days to remove it: it neither needs arming nor stands for a new window."""
    world.west.items[SWITCH] = disarmed(expires_at=int(after(-1).timestamp()))
    assert ends(world, *ARM)["changed"] == []
    assert ends(world, *DISARM)["changed"] == [WEST, EAST]


def test_another_end_of_the_window_is_a_change(world: World) -> None:
    """Who disarms for longer replaces the window, over the version that was read, and sees whose it was."""
    world.west.items[SWITCH] = disarmed(expires_at=int(after(60).timestamp()))
    result = world.run(*DISARM, "--until", "2026-11-24T18:00:00+01:00")
    assert "disarmed until 2026-11-24T12:01:00Z by bob at 2026-11-24T11:00:00Z: theirs" in result.stderr
    assert world.west.switch is not None
    assert (world.west.switch["version"], world.west.switch["expires_at"]) == (5, int(after(5 * 3600).timestamp()))


@pytest.mark.parametrize(
    "broken", [{"armed": "no", "version": "x"}, {"armed": False, "version": 3, "expires_at": "soon"}, {}]
)
@pytest.mark.parametrize(("command", "armed"), [(DISARM, False), (ARM, True)])
def test_an_unreadable_switch_is_replaced(
    world: World, broken: dict[str, object], command: tuple[str, ...], armed: bool
) -> None:
    """It is the hint for `switch-unreadable`; the plan says what was wrong."""
    world.west.items[SWITCH] = broken
    result = world.run(*command)
    assert "unreadable (malformed: " in result.stderr
    assert world.west.switch is not None
    assert read_switch(world.west.switch).armed is armed


def test_the_standby_alone_is_enough_and_the_other_is_named(world: World) -> None:
    """With the writer's region dead the standby is told, the exit code is its own, and what is left to do is said."""
    world.fail(EAST)
    result = world.run(*DISARM)
    assert result.exit_code == ExitCode.PARTLY
    assert world.west.switch is not None
    assert "us-east-1 could not be told" in result.stdout
    found = ends(world, *DISARM)
    assert (found["effective"], found["notified"], list(found["not_told"])) == (True, [WEST], [EAST])


def test_nothing_is_changed_when_the_standby_does_not_answer(world: World) -> None:
    """To tell only the region that would not act would look like a success: refused, with the way to do it anyway."""
    world.fail(WEST)
    result = world.run(*DISARM)
    assert result.exit_code == ExitCode.AWS
    assert "eu-west-1, the standby, whose controller would act, can't be told" in result.stderr
    assert "--region us-east-1" in result.stderr
    assert world.east.switch is None


def test_a_named_region_is_the_only_one_that_is_called(world: World) -> None:
    """With --region nothing crosses to the other; the standby alone is a full success."""
    result = world.run(*DISARM, "--region", WEST)
    assert result.exit_code == ExitCode.DONE
    assert world.asked(EAST) == []
    assert world.west.switch is not None


def test_to_name_the_writer_s_region_is_only_half_of_it(world: World) -> None:
    """Its controller does not act: it is told, and the exit code and a note say that the standby was not."""
    result = world.run(*DISARM, "--region", EAST)
    assert result.exit_code == ExitCode.PARTLY
    assert "The controller that would act is the one in eu-west-1, the standby: it is not told." in result.stdout
    assert world.east.switch is not None


def test_without_rds_the_controller_s_memory_tells_the_standby(world: World) -> None:
    """RDS may be what is down: the table remembers who was the writer."""
    world.fail(WEST, "read_roles")
    world.fail(EAST, "read_roles")
    world.west.put_state(State(writer=Side.PEER, cycle_at=NOW))
    assert ends(world, *DISARM)["standby"] == WEST


def test_unknown_roles_are_said(world: World) -> None:
    """Nobody knows who would act: both are told, and the end is not called complete."""
    world.roles = RdsRoles(writer_arn=None, operation=None)
    found = ends(world, *DISARM)
    assert (found["notified"], found["effective"], found["exit_code"]) == ([WEST, EAST], None, ExitCode.PARTLY)


def test_no_region_answers(world: World) -> None:
    """Then nothing is changed, and both reasons are said."""
    world.fail(WEST)
    world.fail(EAST)
    result = world.run(*DISARM)
    assert result.exit_code == ExitCode.AWS
    assert "Nothing was changed" in result.stderr


def test_who_it_is_must_be_known(world: World) -> None:
    """Without a caller there is no entry for the audit trail, so nothing is written."""
    world.fail(WEST, "caller")
    assert world.run(*DISARM).exit_code == ExitCode.AWS
    assert world.asked(EAST) == ["read_items", "read_roles"]


def test_somebody_else_was_faster(world: World) -> None:
    """Their change stands, it is said who did what, and the other region is left alone."""

    def bob_arms() -> None:
        world.west.items[SWITCH] = {**disarmed(), "armed": True, "version": 1}

    world.on(WEST, "write", bob_arms)
    result = world.run(*DISARM)
    assert result.exit_code == ExitCode.REFUSED
    assert "somebody else wrote first in eu-west-1: armed by bob at 2026-11-24T11:00:00Z: theirs" in result.stderr
    assert world.west.switch is not None
    assert world.west.switch["by"] == "bob"
    assert world.east.switch is None


def test_somebody_made_the_switch_anew_with_the_same_version(world: World) -> None:
    """TTL removed the one that was read and another took its place: the version agrees, the change does not."""
    world.west.items[SWITCH] = disarmed()
    world.on(WEST, "write", lambda: world.west.items.update({SWITCH: {**disarmed("carol"), "change_id": "hers"}}))
    assert world.run(*ARM).exit_code == ExitCode.REFUSED
    assert world.west.switch is not None
    assert world.west.switch["by"] == "carol"


def test_a_write_without_an_answer_that_took_effect_is_a_success(world: World) -> None:
    """It is looked at, not repeated."""
    world.fail(WEST, "written")
    assert world.run(*DISARM).exit_code == ExitCode.DONE
    assert [region for region, call in world.calls if call == "write"] == [WEST, EAST]


def test_a_write_that_failed_on_the_standby_ends_it(world: World) -> None:
    """Nothing was changed anywhere, and the message says so."""
    world.fail(WEST, "write")
    result = world.run(*DISARM)
    assert result.exit_code == ExitCode.AWS
    assert "In eu-west-1 nothing was changed so far" in result.stderr
    assert (world.west.switch, world.east.switch) == (None, None)


def test_a_write_of_which_nothing_is_known_is_said_to_be_so(world: World) -> None:
    """No answer to the write, none to the look: it may or may not have been written."""

    def vanish() -> None:
        world.fail(WEST)
        world.fail(WEST, "written")
        world.on(WEST, "write", lambda: None)

    world.on(WEST, "write", vanish)
    result = world.run(*DISARM)
    assert result.exit_code == ExitCode.AWS
    assert "it may or may not have been written" in result.stderr


def test_a_write_that_failed_on_the_other_region_is_partly_done(world: World) -> None:
    """The standby is told; what is missing, and why, is said."""
    world.fail(EAST, "write")
    found = ends(world, *DISARM)
    assert (found["notified"], list(found["not_told"]), found["exit_code"]) == ([WEST], [EAST], ExitCode.PARTLY)


def test_nobody_confirms(world: World) -> None:
    """Where nobody can be asked it is refused with the command to run; only the id is a yes. The plan was shown."""
    alone = world.run(*DISARM[:-2])
    assert alone.exit_code == ExitCode.REFUSED
    assert f"--confirm {GLOBAL_CLUSTER}" in alone.stderr
    assert "-> disarmed without end" in alone.stderr
    assert f"run: python -m operations disarm --reason 'engine upgrade' --confirm {GLOBAL_CLUSTER}" in alone.stderr
    for answer in ("n\n", "y\n", "payments-global-prod\n", "\n", ""):
        assert world.run(*DISARM[:-2], answer=answer).exit_code == ExitCode.REFUSED
    assert (world.west.switch, world.east.switch) == (None, None)


def test_somebody_confirms(world: World) -> None:
    """The typed id does what --confirm does; with --json the question is not in the result."""
    assert ends(world, *DISARM[:-2], answer=f"{GLOBAL_CLUSTER}\n")["notified"] == [WEST, EAST]


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
def test_usage_is_checked_before_aws_is_called(world: World, options: tuple[str, ...]) -> None:
    """A wrong option ends with 2, and no region was called."""
    assert world.run(*DISARM, *options).exit_code == ExitCode.USAGE
    assert world.calls == []


def test_a_reason_is_mandatory(world: World) -> None:
    """Nobody arms or disarms without saying why."""
    assert world.run("disarm", "--confirm", GLOBAL_CLUSTER).exit_code == ExitCode.USAGE
    assert world.run("arm", "--confirm", GLOBAL_CLUSTER).exit_code == ExitCode.USAGE


def test_what_a_person_should_know_before_is_said(world: World) -> None:
    """Arming while the writer counts as dead, disarming when the call is out, and roles about to change."""
    ill(world)
    assert "armed, it may fail over within cycles" in world.run(*DISARM, *ARM[3:]).stderr + world.run(*ARM).stderr
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
    ill(world, attempt=attempt)
    world.roles = RdsRoles(writer_arn=world.roles.writer_arn, operation="failing-over")
    said = world.run(*DISARM).stderr
    assert "the switch does not stop it any more" in said
    assert "RDS shows an operation (failing-over)" in said
