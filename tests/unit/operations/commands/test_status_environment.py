"""Status: lag, DNS, endpoints and alarms beside what the controller says; and the view that renews itself."""

import json
from typing import Any

import pytest

from functions.failover_controller.model import Side, State
from operations.aws.ports import RdsRoles
from operations.support.errors import ExitCode
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import EAST, EAST_REGION, WEST, WEST_REGION, FakeEnvironment, after, outputs


@pytest.fixture
def beating(environment: FakeEnvironment) -> FakeEnvironment:
    """The standby's controller has seen a lag of 48 ms."""
    environment.west.put_state(State(writer=Side.PEER, cycle_at=after(-4), lag_ms=48.0, lag_at=after(-4)))
    return environment


def seen(environment: FakeEnvironment, *options: str) -> dict[str, Any]:
    """Return the status as JSON."""
    return json.loads(environment.run("status", "--json", *options).stdout)


def test_everything_around_on_the_same_screen(beating: FakeEnvironment) -> None:
    """Lag by both sources, where the name leads, the endpoints, the alarms; and all of it from the one region."""
    text = beating.run("status").stdout
    for said in (
        "48 ms, last measured by the controller, 4 s ago; AWS metric 62.5 ms in the minute of 2026-11-24T11:58:00Z",
        "writer.payments-dev.internal resolves to us-east-1, the writer (10.0.0.1:3306, resolved in eu-west-1)",
        "payments-eu-west-1-dev.cluster-abc.eu-west-1.rds.amazonaws.com",
        "payments-us-east-1-dev.cluster-abc.us-east-1.rds.amazonaws.com",
        "none of 5 is firing, except for the role alarm",
    ):
        assert said in text
    assert beating.asked(EAST) == []


def test_nothing_is_asked_of_the_other_region(beating: FakeEnvironment, aws: FakeAws) -> None:
    """It may be the one that is lost."""
    seen(beating)
    assert {region for region, *_ in aws.asked} == {WEST}


def test_the_same_for_machines(beating: FakeEnvironment) -> None:
    """Numbers and names, each in its place."""
    found = seen(beating)
    assert found["lag"] == {"seen_ms": 48.0, "seen_at": "2026-11-24T11:59:56Z"}
    assert (found["lag_metric_ms"], found["lag_metric_at"]) == (62.5, "2026-11-24T11:58:00Z")
    assert found["dns"] == {
        "name": "writer.payments-dev.internal",
        "leads_to": EAST,
        "addresses": ["10.0.0.1:3306"],
        "failure": None,
    }
    assert found["endpoints"][WEST]["reader"].startswith("payments-eu-west-1-dev.cluster-ro-")
    assert (found["alarms"], found["not_read"]) == ([], {})


def test_alarms_that_are_on_are_named_and_roles_are_not(beating: FakeEnvironment, aws: FakeAws) -> None:
    """A role's alarm is always on somewhere."""
    aws.set(
        WEST,
        "cloudwatch",
        "describe_alarms",
        {"MetricAlarms": [{"AlarmName": f"payments-{name}-dev"} for name in ("reader-role", "rpo-lag", "cpu")]},
    )
    assert seen(beating)["alarms"] == ["payments-cpu-dev", "payments-rpo-lag-dev"]


def test_a_name_that_has_not_followed_yet_is_said_loudly(beating: FakeEnvironment) -> None:
    """Clients still go to the old writer."""
    beating.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    assert f"resolves to {EAST}, NOT THE WRITER" in beating.run("status", "--region", WEST).stdout


def test_without_a_writer_the_name_is_not_judged(beating: FakeEnvironment) -> None:
    """Nobody knows whether it leads right."""
    beating.roles = RdsRoles(writer_arn=None, operation="failing-over")
    beating.west.put_state(State(writer=Side.UNKNOWN, cycle_at=after(-4)))
    text = beating.run("status", "--region", WEST).stdout
    assert f"resolves to {EAST}, the writer is unknown" in text
    assert "not measured by the controller yet" in text


@pytest.mark.parametrize(
    ("addresses", "failure", "said"),
    [([], "Name or service not known", "Name or service not known"), (["10.9.9.9:3306"], None, "which is neither")],
)
def test_a_name_that_leads_nowhere_says_why(
    beating: FakeEnvironment, aws: FakeAws, addresses: list[str], failure: str | None, said: str
) -> None:
    """Not in the zone, or somewhere else."""

    def elsewhere(answer: Any) -> None:
        answer["Payload"]["names"][0].update(addresses=addresses, failure=failure)

    aws.change(WEST, "lambda", "invoke", elsewhere)
    assert said in beating.run("status").stdout
    assert seen(beating)["dns"]["leads_to"] is None


def test_in_the_writers_region_aws_has_no_lag(beating: FakeEnvironment) -> None:
    """The metric is the standby's."""
    assert "no AWS metric here" in beating.run("status", "--region", EAST).stdout


def test_an_error_around_hides_nothing_else(beating: FakeEnvironment, aws: FakeAws) -> None:
    """Each part is named with its reason; the exit code is that of what matters: table, RDS, history."""
    aws.fail(WEST)
    result = beating.run("status")
    assert result.exit_code == ExitCode.DONE
    for part in ("lag: no answer", "DNS: no answer", "alarms: no answer"):
        assert part in result.stdout
    assert "writer us-east-1, standby eu-west-1" in result.stdout
    found = seen(beating)
    assert (found["dns"], found["alarms"], set(found["not_read"])) == (None, None, {"lag", "DNS", "alarms"})


def test_saved_outputs_of_an_older_stack_still_show_the_controller(beating: FakeEnvironment) -> None:
    """What is missing in them is named; at night that must not be an end."""
    old: dict[str, Any] = outputs()
    del old["writer_dns_name"]
    beating.outputs = old
    result = beating.run("status")
    assert result.exit_code == ExitCode.DONE
    assert "these outputs are missing or malformed: writer_dns_name" in result.stdout
    assert "mode approve; running" in result.stdout
    assert "dns" not in seen(beating)


def stop_after(environment: FakeEnvironment, looks: int) -> None:
    """Let a person press Ctrl-C in the pause after so many looks."""

    def pressed() -> None:
        if len(environment.slept) == looks:
            raise KeyboardInterrupt

    environment.on_sleep = pressed


def test_watching_renews_the_view_until_ctrl_c(beating: FakeEnvironment) -> None:
    """Quietly: exit code 0, no traceback; each look is later than the one before."""
    stop_after(beating, 3)
    result = beating.run("status", "--watch", "--every", "7")
    assert (result.exit_code, beating.slept) == (ExitCode.DONE, [7.0, 7.0, 7.0])
    assert [f"12:00:{second:02}" in result.stdout for second in (0, 7, 14)] == [True] * 3
    assert "Traceback" not in result.output


def test_watching_for_machines_is_a_line_a_look(beating: FakeEnvironment) -> None:
    """So that another program can follow it."""
    stop_after(beating, 2)
    lines = beating.run("status", "--watch", "--json").stdout.splitlines()
    assert [json.loads(line)["at"] for line in lines] == ["2026-11-24T12:00:00Z", "2026-11-24T12:00:05Z"]


def test_watching_follows_the_roles(beating: FakeEnvironment) -> None:
    """After a failover the standby is the other region, and that is what is shown."""
    stop_after(beating, 2)
    before = beating.on_sleep

    def promoted() -> None:
        beating.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
        before()

    beating.on_sleep = promoted
    lines = beating.run("status", "--watch", "--json").stdout.splitlines()
    assert [json.loads(line)["region"] for line in lines] == [WEST, EAST_REGION.name]


def test_watching_outlives_a_look_that_fails(beating: FakeEnvironment) -> None:
    """The error is a line of its own, and the next look is tried."""
    stop_after(beating, 2)
    before = beating.on_sleep
    beating.fail(WEST, "read_roles")
    beating.fail(EAST, "read_roles")

    def heals() -> None:
        for region in (WEST, EAST):
            beating.on(region, "read_roles", lambda: None)
        before()

    beating.on_sleep = heals
    first, second = map(json.loads, beating.run("status", "--watch", "--json").stdout.splitlines())
    assert "can't be told" in first["error"]
    assert second["region"] == WEST


@pytest.mark.parametrize("every", ["0", "x", "4000"])
def test_a_pause_that_makes_no_sense_is_a_usage_error(beating: FakeEnvironment, every: str) -> None:
    """Before anything is asked."""
    assert beating.run("status", "--watch", "--every", every).exit_code == ExitCode.USAGE
    assert beating.calls == []
