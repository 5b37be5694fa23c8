"""The headline of `status`: level, what happened, what to do, and the exit code."""

import json
from dataclasses import replace
from typing import Any

import pytest

from functions.failover_controller.model import Attempt, AttemptStatus, Pending, Reason, Side, State
from functions.failover_controller.notice_texts import NOTICE_TEXTS
from operations.aws.ports import RdsRoles
from operations.aws.table_items import STATE, SWITCH
from operations.commands.status_headline import OUTAGE
from operations.support.errors import ExitCode
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import EAST, WEST, WEST_REGION, FakeEnvironment, after

DEAD = after(-40)
REQUEST = Pending(id="d-1", verdict=Reason.REGION_LOST, asked_at=after(-30))
ATTEMPT = Attempt(
    id="a-1",
    status=AttemptStatus.UNDER_WAY,
    verdict=Reason.WRITER_DOWN,
    started_at=after(-70),
    touched_at=after(0),
    outage_at=after(-90),
    lag_ms=20.0,
    heartbeat=None,
    calls=1,
)


def shown(environment: FakeEnvironment, code: ExitCode, *options: str) -> dict[str, str]:
    """Run status as text and as JSON with this exit code; return the headline."""
    text = environment.run("status", *options)
    as_json = environment.run("status", "--json", *options)
    assert (text.exit_code, as_json.exit_code) == (code, code), text.stdout
    first: dict[str, Any] = json.loads(as_json.stdout)["headline"]
    line = f"{first['level']}: {first['happened']}. {first['wanted']}"
    words = " ".join(text.stdout.split())
    assert words.startswith(line), words
    return first


def put_state(environment: FakeEnvironment, **changes: Any) -> None:
    """Store the standby's state, with a cycle 4 s ago."""
    environment.west.put_state(State(**{"writer": Side.PEER, "cycle_at": after(-4), **changes}))


def test_ok_names_both_regions(environment: FakeEnvironment) -> None:
    """Everything was read, and nothing is wrong."""
    put_state(environment)
    assert shown(environment, ExitCode.DONE) == {
        "level": "OK",
        "happened": "us-east-1 serves, and eu-west-1 is its standby",
        "wanted": "No action is needed.",
    }


def test_headline_is_the_first_key(environment: FakeEnvironment) -> None:
    """A person who reads the JSON sees it first."""
    put_state(environment)
    assert next(iter(json.loads(environment.run("status", "--json").stdout))) == "headline"


@pytest.mark.parametrize("reason", sorted(OUTAGE & set(NOTICE_TEXTS)))
def test_notified_outage_is_a_lost_writer_with_its_next_step(environment: FakeEnvironment, reason: Reason) -> None:
    """The next step is the one of the notice."""
    put_state(environment, dead_since=DEAD, notified=(reason,))
    first = shown(environment, ExitCode.FAILED)
    assert first["level"] == "WRITER LOST"
    assert first["happened"] == f"neither region has reached a working writer since 2026-11-24T11:59:20Z ({reason})"
    assert first["wanted"][1:].startswith(NOTICE_TEXTS[reason].wanted[1:30])


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (None, "if it is approve the failover with `python -m operations approve d-1`."),
        ({"approved": True, "by": "bob"}, "Wait: d-1 was approved by bob"),
        (
            {"approved": False, "by": "bob"},
            "d-1 was rejected by bob: repair the writer's region, or fail over by hand.",
        ),
    ],
)
def test_pending_decision_names_the_command_or_the_answer(
    environment: FakeEnvironment, answer: dict[str, object] | None, wanted: str
) -> None:
    """The operator sees whether a colleague has answered."""
    put_state(environment, dead_since=DEAD, notified=(Reason.LAG_TOO_HIGH,), pending=REQUEST)
    if answer is not None:
        environment.west.items["approval", "d-1"] = answer
    first = shown(environment, ExitCode.FAILED)
    assert first["happened"].endswith("and a failover waits for an operator")
    assert wanted in first["wanted"]


@pytest.mark.parametrize(
    ("overdue", "happened", "wanted"), [(False, "(writer-down)", "Wait"), (True, "overdue", "Check FailoverState")]
)
def test_called_failover_is_a_lost_writer(
    environment: FakeEnvironment, overdue: bool, happened: str, wanted: str
) -> None:
    """No second failover is started while one is under way."""
    put_state(environment, dead_since=DEAD, attempt=replace(ATTEMPT, overdue=overdue))
    first = shown(environment, ExitCode.FAILED)
    assert (happened in first["happened"], first["wanted"].startswith(wanted)) == (True, True)


def test_read_only_writer_is_lost(environment: FakeEnvironment) -> None:
    """Clients cannot write, although the port is reachable."""
    put_state(environment, notified=(Reason.WRITER_READ_ONLY,))
    assert shown(environment, ExitCode.FAILED)["happened"] == "the writer in us-east-1 accepts no writes"


def test_alarm_without_a_verdict_is_a_lost_writer(environment: FakeEnvironment, aws: FakeAws) -> None:
    """The alarm is the second witness, except shortly after a change of roles."""
    aws.set(WEST, "cloudwatch", "describe_alarms", {"MetricAlarms": [{"AlarmName": "payments-no-writer-dev"}]})
    put_state(environment)
    assert shown(environment, ExitCode.FAILED)["happened"] == "the alarm no-writer is firing"
    put_state(environment, roles_changed_at=after(-60))
    assert shown(environment, ExitCode.PARTLY)["happened"] == "firing: payments-no-writer-dev"


def test_outage_known_to_a_silent_controller_says_so(environment: FakeEnvironment) -> None:
    """Its observations may be old."""
    put_state(environment, cycle_at=after(-600), dead_since=after(-640), notified=(Reason.COOLDOWN,))
    assert ", as of the last cycle 10 min ago (cooldown)" in shown(environment, ExitCode.FAILED)["happened"]


@pytest.mark.parametrize(
    ("changes", "happened", "wanted"),
    [
        ({"dead_since": DEAD}, "without a verdict yet", "Run `status` again within a minute."),
        ({"cycle_at": after(-600)}, "has run no cycle for 10 min", "heading `controller-silent`."),
        ({"cycle_at": None}, "has completed no cycle yet", "Wait a minute"),
        ({"notified": (Reason.NETWORK_PARTITION,)}, "this region cannot reach the writer", "Repair the network"),
    ],
)
def test_defect_of_the_controller_degrades(
    environment: FakeEnvironment, changes: dict[str, Any], happened: str, wanted: str
) -> None:
    """A writer is not known to be lost, and something needs attention."""
    put_state(environment, **changes)
    first = shown(environment, ExitCode.PARTLY)
    assert (first["level"], happened in first["happened"], wanted in first["wanted"]) == ("DEGRADED", True, True)


def test_malformed_state_degrades(environment: FakeEnvironment) -> None:
    """No automatic failover happens."""
    environment.west.items[STATE] = {"version": "x"}
    assert "the controller's state is malformed" in shown(environment, ExitCode.PARTLY)["happened"]


@pytest.mark.parametrize("switch", [{"armed": False, "reason": "upgrade", "by": "bob"}, {"armed": 3}])
def test_disarmed_controller_degrades(environment: FakeEnvironment, switch: dict[str, object]) -> None:
    """A malformed switch holds like a disarmed one."""
    put_state(environment)
    environment.west.items[SWITCH] = switch
    assert shown(environment, ExitCode.PARTLY)["happened"] == "the controller is disarmed"


def test_operation_unknown_writer_and_stale_dns_degrade(environment: FakeEnvironment) -> None:
    """Further defects are counted."""
    put_state(environment)
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation="switching-over")
    first = shown(environment, ExitCode.PARTLY, "--region", WEST)
    assert first["happened"] == "a switchover or failover is in progress (switching-over) (1 more below)"
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    first = shown(environment, ExitCode.PARTLY, "--region", WEST)
    assert first["happened"] == "writer.payments-dev.internal resolves to us-east-1, not to the writer"
    put_state(environment, writer=Side.UNKNOWN)
    environment.roles = RdsRoles(writer_arn=None, operation=None)
    assert shown(environment, ExitCode.PARTLY, "--region", WEST)["happened"] == "the writer is unknown (1 more below)"


def test_lost_standby_degrades(environment: FakeEnvironment) -> None:
    """The writer's region is shown instead."""
    environment.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    environment.west.put_state(State(writer=Side.OWN, cycle_at=after(-4)))
    environment.fail(EAST)
    assert "eu-west-1 serves without a standby" in shown(environment, ExitCode.PARTLY)["wanted"]


@pytest.mark.parametrize("part", ["read_environment", "read_history", "read_roles"])
def test_unread_part_degrades(environment: FakeEnvironment, part: str) -> None:
    """OK must be known."""
    put_state(environment)
    environment.fail(WEST, part)
    assert shown(environment, ExitCode.PARTLY, "--region", WEST)["happened"].startswith("not read: ")


def test_unreadable_region_is_unknown(environment: FakeEnvironment) -> None:
    """The operator is sent to the other region."""
    environment.fail(WEST)
    assert "--region" in shown(environment, ExitCode.AWS, "--region", WEST)["wanted"]
