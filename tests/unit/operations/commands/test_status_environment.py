"""Status: lag, DNS, endpoints and alarms beside the controller's state; and --watch."""

import json
from typing import Any

import pytest

from functions.failover_controller.model import Side, State
from operations.aws.ports import RdsRoles
from operations.aws.read_ports import READ_OPERATIONS
from operations.support.errors import ExitCode
from tests.support.operations.fake_aws import FakeAws
from tests.support.operations.fakes import EAST, EAST_REGION, WEST, WEST_REGION, FakeEnvironment, after, outputs
from tests.support.program.harness import PROGRAM


@pytest.fixture
def running(environment: FakeEnvironment) -> FakeEnvironment:
    """The standby's controller has measured a lag of 48 ms."""
    environment.west.put_state(State(writer=Side.PEER, cycle_at=after(-4), lag_ms=48.0, lag_at=after(-4)))
    return environment


def status_json(environment: FakeEnvironment, *options: str) -> dict[str, Any]:
    """Return the status as JSON."""
    return json.loads(environment.run("status", "--json", *options).stdout)


def test_status_shows_lag_dns_endpoints_and_alarms(running: FakeEnvironment) -> None:
    """One region returns all four parts."""
    text = running.run("status").stdout
    for expected in (
        "48 ms, last measured by the controller, 4 s ago; AWS metric 62.5 ms in the minute of 2026-11-24T11:58:00Z",
        "writer.payments-dev.internal resolves to us-east-1, the writer (10.0.0.1:3306, resolved in eu-west-1)",
        "payments-eu-west-1-dev.cluster-abc.eu-west-1.rds.amazonaws.com",
        "payments-us-east-1-dev.cluster-abc.us-east-1.rds.amazonaws.com",
        "none of 5 is firing, except for the role alarm",
    ):
        assert expected in text
    assert running.calls_to(EAST) == []


def test_other_region_is_not_called(running: FakeEnvironment, aws: FakeAws) -> None:
    """The other region may be unreachable."""
    status_json(running)
    assert {region for region, *_ in aws.asked} == {WEST}


def test_runbook_lists_the_permissions_of_status(running: FakeEnvironment, aws: FakeAws) -> None:
    """The list that every operator needs has each read."""
    status_json(running)
    page = (PROGRAM / "docs" / "runbook" / "README.md").read_text(encoding="utf-8")
    listed = page.partition("**Permissions**")[2].partition("To move the writer")[0]
    needed = {READ_OPERATIONS[service, operation] for _, service, operation in aws.asked}
    assert set() == {permission for permission in needed if f"`{permission}`" not in listed}


def test_lag_dns_endpoints_and_alarms_as_json(running: FakeEnvironment) -> None:
    """Numbers and names have their own keys."""
    found = status_json(running)
    assert found["lag"] == {"seen_ms": 48.0, "seen_at": "2026-11-24T11:59:56Z"}
    assert (found["lag_metric_ms"], found["lag_metric_at"]) == (62.5, "2026-11-24T11:58:00Z")
    assert found["dns"] == {
        "name": "writer.payments-dev.internal",
        "resolves_to": EAST,
        "addresses": ["10.0.0.1:3306"],
        "failure": None,
    }
    assert found["endpoints"][WEST]["reader"].startswith("payments-eu-west-1-dev.cluster-ro-")
    assert (found["alarms"], found["not_read"]) == ([], {})


def test_firing_alarms_are_named_without_role_alarms(running: FakeEnvironment, aws: FakeAws) -> None:
    """One role alarm is always firing."""
    aws.set(
        WEST,
        "cloudwatch",
        "describe_alarms",
        {"MetricAlarms": [{"AlarmName": f"payments-{name}-dev"} for name in ("reader-role", "rpo-lag", "cpu")]},
    )
    assert status_json(running)["alarms"] == ["payments-cpu-dev", "payments-rpo-lag-dev"]


def test_dns_that_names_the_old_writer_is_marked(running: FakeEnvironment) -> None:
    """Clients still connect to the old writer."""
    running.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
    assert f"resolves to {EAST}, NOT THE WRITER" in running.run("status", "--region", WEST).stdout


def test_dns_is_not_marked_without_a_known_writer(running: FakeEnvironment) -> None:
    """The text says that the writer is unknown."""
    running.roles = RdsRoles(writer_arn=None, operation="failing-over")
    running.west.put_state(State(writer=Side.UNKNOWN, cycle_at=after(-4)))
    text = running.run("status", "--region", WEST).stdout
    assert f"resolves to {EAST}, the writer is unknown" in text
    assert "not measured by the controller yet" in text


@pytest.mark.parametrize(
    ("addresses", "failure", "expected"),
    [
        ([], "Name or service not known", "Name or service not known"),
        (["10.9.9.9:3306"], None, "not the address of either cluster"),
    ],
)
def test_unresolved_dns_shows_the_reason(
    running: FakeEnvironment, aws: FakeAws, addresses: list[str], failure: str | None, expected: str
) -> None:
    """The DNS name is missing in the zone or resolves to another host."""

    def elsewhere(answer: Any) -> None:
        answer["Payload"]["names"][0].update(addresses=addresses, failure=failure)

    aws.change(WEST, "lambda", "invoke", elsewhere)
    assert expected in running.run("status").stdout
    assert status_json(running)["dns"]["resolves_to"] is None


def test_writer_region_has_no_lag_metric(running: FakeEnvironment) -> None:
    """The metric belongs to the standby."""
    assert "no AWS metric here" in running.run("status", "--region", EAST).stdout


def test_unreadable_environment_hides_nothing_else(running: FakeEnvironment, aws: FakeAws) -> None:
    """Each part has its reason."""
    aws.fail(WEST)
    result = running.run("status")
    assert result.exit_code == ExitCode.PARTLY
    for part in ("lag: no answer", "DNS: no answer", "alarms: no answer"):
        assert part in result.stdout
    assert "writer us-east-1, standby eu-west-1" in result.stdout
    found = status_json(running)
    assert (found["dns"], found["alarms"], set(found["not_read"])) == (None, None, {"lag", "DNS", "alarms"})


def test_incomplete_outputs_still_show_the_controller(running: FakeEnvironment) -> None:
    """The missing output is named."""
    old: dict[str, Any] = outputs()
    del old["writer_dns_name"]
    running.outputs = old
    result = running.run("status")
    assert result.exit_code == ExitCode.PARTLY
    assert "these outputs are missing or malformed: writer_dns_name" in result.stdout
    assert "mode approve; running" in result.stdout
    assert "dns" not in status_json(running)


def stop_after(environment: FakeEnvironment, refreshes: int) -> None:
    """Press Ctrl-C in the pause after this many refreshes."""

    def pressed() -> None:
        if len(environment.slept) == refreshes:
            raise KeyboardInterrupt

    environment.on_sleep = pressed


def test_watch_refreshes_until_ctrl_c(running: FakeEnvironment) -> None:
    """The exit code is 0."""
    stop_after(running, 3)
    result = running.run("status", "--watch", "--every", "7")
    assert (result.exit_code, running.slept) == (ExitCode.DONE, [7.0, 7.0, 7.0])
    assert [f"12:00:{second:02}" in result.stdout for second in (0, 7, 14)] == [True] * 3
    assert "Traceback" not in result.output


def test_watch_as_json_is_one_line_per_refresh(running: FakeEnvironment) -> None:
    """Each line is a JSON object that a program can parse."""
    stop_after(running, 2)
    lines = running.run("status", "--watch", "--json").stdout.splitlines()
    assert [json.loads(line)["at"] for line in lines] == ["2026-11-24T12:00:00Z", "2026-11-24T12:00:05Z"]


def test_watch_follows_a_change_of_roles(running: FakeEnvironment) -> None:
    """The next refresh is of the new standby."""
    stop_after(running, 2)
    before = running.on_sleep

    def promoted() -> None:
        running.roles = RdsRoles(writer_arn=WEST_REGION.cluster_arn, operation=None)
        before()

    running.on_sleep = promoted
    lines = running.run("status", "--watch", "--json").stdout.splitlines()
    assert [json.loads(line)["region"] for line in lines] == [WEST, EAST_REGION.name]


def test_watch_continues_after_an_error(running: FakeEnvironment) -> None:
    """The error is one line."""
    stop_after(running, 2)
    before = running.on_sleep
    running.fail(WEST, "read_roles")
    running.fail(EAST, "read_roles")

    def heals() -> None:
        for region in (WEST, EAST):
            running.on(region, "read_roles", lambda: None)
        before()

    running.on_sleep = heals
    first, second = map(json.loads, running.run("status", "--watch", "--json").stdout.splitlines())
    assert "the standby region is unknown" in first["error"]
    assert second["region"] == WEST


@pytest.mark.parametrize("every", ["0", "x", "4000"])
def test_watch_refuses_an_invalid_pause(running: FakeEnvironment, every: str) -> None:
    """The exit code is 2 before any call."""
    assert running.run("status", "--watch", "--every", every).exit_code == ExitCode.USAGE
    assert running.calls == []
