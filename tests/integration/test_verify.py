"""Tests of the read-only commands on the whole program, deployed on the embedded AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from functions.failover_controller.aws import DynamoDb
from functions.failover_controller.model import Side, State
from functions.failover_controller.store import TableStore
from rehearsal.environment import Environment
from rehearsal.support.clients import ACCOUNT_ID, SECRET_ACCESS_KEY
from tests.unit.operations.commands.test_verify import CHECKS

ROOT = Path(__file__).resolve().parents[2]
EAST, WEST = "us-east-1", "eu-west-1"
UNKNOWN_ON_THE_EMULATOR = {("health checks", "global"), ("alarm data", EAST), ("alarm data", WEST)}
"""The emulator publishes no metrics of RDS or Route 53, so these checks are unknown."""

ATTEMPTS = 4
"""Runs of verify until no read has timed out: on a busy machine a timeout makes a check unknown."""


@dataclass(kw_only=True)
class Site:
    """The deployed program without its controllers: each test writes the state that a cycle would leave."""

    world: Environment
    outputs: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command in a new process, with the standby's endpoint."""
        inherited = {name: os.environ[name] for name in ("PATH", "PYTHONDONTWRITEBYTECODE") if name in os.environ}
        return subprocess.run(
            [sys.executable, "-m", "operations", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
            env={
                **inherited,
                "AWS_ENDPOINT_URL": self.world.faults.endpoint(WEST),
                "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
                "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
                "AWS_EC2_METADATA_DISABLED": "true",
                "NO_PROXY": "*",
                "COLUMNS": "200",
            },
        )

    def found(self, *arguments: str) -> dict[str, Any]:
        """Run a command on the stack's outputs; return its result."""
        result = self.run(*arguments, "--outputs", str(self.outputs), "--json")
        assert result.stdout, result.stderr
        return json.loads(result.stdout)

    def write_a_cycle_of_each_controller(self) -> None:
        """Write the state of a cycle that ended now, in both regions."""
        for region, writer in ((EAST, Side.OWN), (WEST, Side.PEER)):
            table = TableStore(DynamoDb(self.world.clients("dynamodb", region), "payments-failover-dev"))
            state = table.read(None).state or State()
            table.write_state(State(version=state.version, cycle_at=datetime.now(UTC), writer=writer))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Deploy the unchanged program once, with running databases."""
    with Environment(stack="dev", interval_seconds=10.0, operation_seconds=0.2) as world:
        world.deploy()
        outputs = tmp_path_factory.mktemp("verify") / "outputs.json"
        outputs.write_text(json.dumps(world.outputs))
        yield Site(world=world, outputs=outputs)


def by_verdict(found: dict[str, Any], verdict: str) -> set[tuple[str, str]]:
    """Return the check and place of each finding with a verdict."""
    return {(each["check"], each["where"]) for each in found["findings"] if each["verdict"] == verdict}


def evidence(found: dict[str, Any], check: str, where: str) -> str:
    """Return the evidence of one finding."""
    (text,) = [each["evidence"] for each in found["findings"] if (each["check"], each["where"]) == (check, where)]
    return text


def test_deployed_program_passes_every_check(site: Site) -> None:
    """The functions, databases, keys and records are real; only the alarm on silent controllers may fire."""
    found: dict[str, Any] = {}
    for _ in range(ATTEMPTS):
        site.write_a_cycle_of_each_controller()
        found = site.found("verify")
        if by_verdict(found, "unknown") == UNKNOWN_ON_THE_EMULATOR:
            break
    assert {each["check"] for each in found["findings"]} == CHECKS
    assert by_verdict(found, "failed") <= {("alarms", EAST), ("alarms", WEST)}
    for region in (EAST, WEST):
        if ("alarms", region) in by_verdict(found, "failed"):
            on = {text.split(" is in ALARM")[0] for text in evidence(found, "alarms", region).split("; ")}
            assert on == {"payments-controller-silent-dev"}
    assert by_verdict(found, "unknown") == UNKNOWN_ON_THE_EMULATOR
    assert "written in us-east-1" in evidence(found, "replication", "both")
    assert "resolves to us-east-1, the writer" in evidence(found, "dns", WEST)


def test_secret_value_is_not_shown(site: Site) -> None:
    """The check reports only that the secret can be read."""
    described = site.world.clients("secretsmanager", WEST).get_secret_value(SecretId="payments-master-dev")
    password = json.loads(described["SecretString"])["password"]
    result = site.run("verify", "--outputs", str(site.outputs), "--json")
    assert password not in result.stdout + result.stderr
    assert ("secret", WEST) in by_verdict(json.loads(result.stdout), "passed")


def test_disabled_schedule_and_stopped_heartbeat_fail(site: Site) -> None:
    """The schedule and the database's heartbeat event are disabled during the check."""
    site.write_a_cycle_of_each_controller()
    scheduler = site.world.clients("scheduler", WEST)
    name = "payments-failover-controller-dev"
    schedule = scheduler.get_schedule(Name=name)
    kept = {key: schedule[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    writer = site.world.cluster(site.world.primary)
    writer.execute("ALTER EVENT failover.heartbeat_of_the_database DISABLE")
    scheduler.update_schedule(**kept, State="DISABLED")
    try:
        found = site.found("verify")
    finally:
        scheduler.update_schedule(**kept, State="ENABLED")
        writer.execute("ALTER EVENT failover.heartbeat_of_the_database ENABLE")
    assert {("schedule", WEST), ("database heartbeat", "both")} <= by_verdict(found, "failed")
    assert "has stopped writing" in evidence(found, "database heartbeat", "both")


def test_status_calls_the_standby_region_only(site: Site) -> None:
    """The answer is complete without a call to the writer's region."""
    site.write_a_cycle_of_each_controller()
    found = site.found("status")
    assert (found["dns"]["resolves_to"], found["not_read"]) == (EAST, {})
    assert found["endpoints"][WEST]["writer"] == site.world.secondary.writer_endpoint


def test_preflight_destroy_ends_with_the_destroy_command(site: Site) -> None:
    """With the writer in the primary region no check fails."""
    found = site.found("preflight", "--destroy")
    assert by_verdict(found, "failed") == set()
    assert found["commands"][-1] == "pulumi destroy --stack dev"


def test_preflight_of_a_deployed_stack_has_no_failure(site: Site) -> None:
    """Each name belongs to the stack; checks without an answer of the emulator are unknown."""
    found = json.loads(site.run("preflight", "--json").stdout)
    assert (found["is_up"], by_verdict(found, "failed")) == (True, set())
    names = [each for each in found["findings"] if each["check"].startswith("name: ")]
    own = {each["check"] for each in names if "of this stack" in each["evidence"]}
    assert {"name: cluster", "name: instances", "name: functions", "name: roles", "name: table"} <= own
    assert not [each for each in names if " free" in each["evidence"] and each["where"] == EAST]


def test_unreachable_region_is_unknown_and_the_other_is_checked(site: Site) -> None:
    """The checks have a reason. This is the last test, because the region is not restored."""
    site.write_a_cycle_of_each_controller()
    site.world.network.fail(EAST)
    found = site.found("verify")
    gone = _where(found["findings"], EAST)
    assert {each["verdict"] for each in gone} == {"unknown"}
    assert {"encryption", "tls", "secret", "armed", "logs"} <= {
        check for check, where in by_verdict(found, "passed") if where == WEST
    }
    assert ("one writer", "both") in by_verdict(found, "failed")
    assert site.found("status")["dns"]["name"] == "writer.payments-dev.internal"


def _where(findings: Sequence[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    return [each for each in findings if each["where"] == where]
