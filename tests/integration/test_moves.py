"""Switchover, failover, drill and rewind on the deployed program and an embedded AWS."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rehearsal.cloud.faults import ApiFault
from rehearsal.cloud.ministack import ACCOUNT_ID, SECRET_ACCESS_KEY
from rehearsal.environment import Environment, RegionFacts
from tests.support.rehearsal.schedules import disable_schedules

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 60


@dataclass(kw_only=True)
class Site:
    """The deployed environment, and the operator's terminal in the secondary region."""

    environment: Environment
    outputs: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start one command."""
        inherited = {name: os.environ[name] for name in ("PATH", "PYTHONDONTWRITEBYTECODE") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-m", "operations", *arguments, "--outputs", str(self.outputs)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={
                **inherited,
                "AWS_ENDPOINT_URL": self.environment.faults.endpoint(self.environment.secondary.name),
                "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
                "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
                "AWS_EC2_METADATA_DISABLED": "true",
                "NO_PROXY": "*",
                "COLUMNS": "200",
            },
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        process = self.start(*arguments)
        stdout, stderr = process.communicate(timeout=WAIT_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def act(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command, confirmed."""
        return self.run(*arguments, "--confirm", self.environment.global_cluster_id)

    def calls(self) -> int:
        """Return how many failovers and switchovers RDS has received."""
        return len(self.environment.control_plane.calls)

    def result_of(self, *arguments: str) -> dict[str, Any]:
        """Run one confirmed command that must succeed; return its result."""
        done = self.act(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def wait_for(condition: Callable[[], bool]) -> None:
    """Poll until the condition holds."""
    end = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Deploy the unchanged program once; no controller cycles unless a test starts it."""
    with Environment(stack="dev", interval_seconds=1.0, operation_seconds=1.0) as environment:
        environment.deploy()
        disable_schedules(environment)
        outputs = tmp_path_factory.mktemp("moves") / "outputs.json"
        outputs.write_text(json.dumps(dict(environment.outputs), default=str))
        yield Site(environment=environment, outputs=outputs)


@pytest.fixture(autouse=True)
def primary_writer(site: Site) -> Iterator[None]:
    """Clear faults and switch back to the primary region after each test."""
    yield
    environment = site.environment
    environment.faults.clear()
    environment.control_plane.operation_seconds = 1.0
    wait_for(lambda: environment.control_plane.is_idle)
    if environment.writer != environment.primary:
        site.result_of("switchover", "--to", environment.primary.name, "--no-dns")


def rows(environment: Environment, region: RegionFacts) -> list[tuple[object, ...]]:
    """Return the rows of the test table in a region's cluster."""
    return environment.cluster(region).execute("SELECT id FROM payments.moves ORDER BY id")


def test_deployed_objects_are_frozen_for_the_garbage_collector(site: Site) -> None:
    """A full collection would stop proxies, databases and DNS in this process."""
    assert gc.get_freeze_count() > len(gc.get_objects())


def test_switchover_moves_the_writer(site: Site) -> None:
    """The outage is measured with replicated heartbeats; a repeated call has nothing to do."""
    environment = site.environment
    environment.control_plane.operation_seconds = 4.0
    found = site.result_of("switchover", "--no-dns", "--reason", "game day")
    environment.control_plane.operation_seconds = 1.0
    assert found["outage_seconds"] > 0
    assert (found["from"], found["writer"]) == (environment.primary.name, environment.secondary.name)
    assert list(found["seconds"]) == ["promotion", "first heartbeat", "replication back", "controllers"]
    assert environment.writer == environment.secondary
    again = site.run("switchover", "--to", environment.secondary.name)
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    history = site.run("history", "--region", environment.secondary.name, "--json").stdout
    assert "operator-switchover" in history


def test_missing_confirmation_shows_the_plan_only(site: Site) -> None:
    """The exit code is 3."""
    before = site.calls()
    result = site.run("switchover")
    assert result.returncode == 3
    assert "Plan: switchover of" in result.stderr
    assert site.calls() == before


def test_refusal_by_rds_changes_nothing(site: Site) -> None:
    """The exit code is 3."""
    environment = site.environment
    environment.faults.add(
        ApiFault(
            service="rds",
            operation="SwitchoverGlobalCluster",
            target_region=environment.primary.name,
            error_code="InvalidDBClusterStateFault",
            error_status=400,
        )
    )
    result = site.act("switchover", "--no-dns")
    assert result.returncode == 3
    assert "AWS refused: no changes were made" in result.stderr
    assert environment.writer == environment.primary


def test_resume_follows_the_switchover_after_ctrl_c(site: Site) -> None:
    """RDS is called once."""
    environment, before = site.environment, site.calls()
    environment.control_plane.operation_seconds = 6.0
    process = site.start("switchover", "--no-dns", "--confirm", environment.global_cluster_id)
    assert process.stderr is not None
    said = iter(process.stderr.readline, "")
    assert any("accepted" in line for line in said)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 130, stderr
    assert f"AWS continues the move to {environment.secondary.name} by itself" in stderr
    resumed = site.run("switchover", "--to", environment.secondary.name, "--resume", "--no-dns")
    assert resumed.returncode == 0, resumed.stderr
    assert environment.writer == environment.secondary
    assert site.calls() == before + 1


def test_failover_is_refused_while_the_writer_is_reachable(site: Site) -> None:
    """A missing --accept-data-loss is a usage error with exit code 2."""
    before = site.calls()
    assert site.act("failover", "--reason", "test").returncode == 2
    result = site.act("failover", "--reason", "test", "--accept-data-loss")
    assert result.returncode == 3
    assert "the writer seems reachable" in result.stderr
    assert site.calls() == before


def test_failover_with_the_writer_region_unreachable(site: Site) -> None:
    """The standby's region alone is enough, and the failover is recorded."""
    environment = site.environment
    environment.network.fail(environment.primary.name)
    try:
        found = site.result_of("failover", "--reason", "region lost", "--accept-data-loss", "--no-dns")
    finally:
        environment.network.restore(environment.primary.name)
    assert found["writer"] == environment.secondary.name
    assert environment.writer == environment.secondary
    assert "operator-failover" in site.run("history", "--region", environment.secondary.name, "--json").stdout


def test_rewind_restores_the_rows_of_that_second(site: Site) -> None:
    """The live cluster keeps all rows; the copy is found again and dropped."""
    environment = site.environment
    live = environment.cluster(environment.primary)
    live.execute("CREATE TABLE payments.moves (id BIGINT PRIMARY KEY)")
    live.execute("INSERT INTO payments.moves VALUES (1)")
    wait_for_next_second()
    to = datetime.now(UTC).replace(microsecond=0)
    wait_for_next_second()
    live.execute("INSERT INTO payments.moves VALUES (2)")
    clusters = environment.clients("rds", environment.primary.name)

    def latest() -> datetime:
        found = clusters.describe_db_clusters(DBClusterIdentifier=environment.primary.cluster_id)["DBClusters"][0]
        return found["LatestRestorableTime"]

    wait_for(lambda: latest() > to)
    found = site.result_of("rewind", "--to", to.isoformat(), "--reason", "row 2 was a mistake")
    copy = found["copy"]
    described = clusters.describe_db_clusters(DBClusterIdentifier=copy)["DBClusters"][0]
    database = environment.control_plane.databases.database(described["DBClusterArn"])
    assert database.writer.execute("SELECT id FROM payments.moves ORDER BY id") == [(1,)]
    assert rows(environment, environment.primary) == [(1,), (2,)]
    source = clusters.describe_db_clusters(DBClusterIdentifier=environment.primary.cluster_id)["DBClusters"][0]
    for name in ("KmsKeyId", "DBSubnetGroup", "DBClusterParameterGroup", "EngineVersion", "StorageEncrypted"):
        assert described[name] == source[name]
    assert environment.region_behind(described["Endpoint"]) == environment.primary.name
    again = site.run("rewind", "--to", to.isoformat())
    assert again.returncode == 0, again.stderr
    assert "exists already" in again.stderr
    assert site.act("rewind", "--drop", environment.primary.cluster_id).returncode == 3
    assert site.result_of("rewind", "--drop", copy)["dropped"] == copy
    assert [each["DBClusterIdentifier"] for each in clusters.describe_db_clusters()["DBClusters"]] == [
        environment.primary.cluster_id
    ]


def test_rewind_outside_the_restorable_range_is_refused(site: Site) -> None:
    """The exit code is 3, and nothing is created."""
    result = site.act("rewind", "--to", "2020-01-01T00:00:00Z")
    assert result.returncode == 3
    assert "can't be restored: the earliest is" in result.stderr


def wait_for_next_second() -> None:
    """Wait until the clock shows another second, because a rewind's time is in whole seconds."""
    now = int(time.time())
    wait_for(lambda: int(time.time()) > now)


def test_drill_switches_over_verifies_and_switches_back(site: Site) -> None:
    """The result has the duration of each step in seconds."""
    environment, before = site.environment, site.calls()
    done = site.act("drill", "--no-dns", "--json")
    # Checks fail, because no controller runs.
    assert done.returncode == 6, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert [step["step"] for step in found["steps"]] == ["switchover", "verify", "switch back"]
    assert all(step["seconds"] > 0 for step in found["steps"])
    assert found["writer"] == environment.primary.name
    assert environment.writer == environment.primary
    assert site.calls() == before + 2
    verdicts = {each["check"]: each["verdict"] for each in found["not_passed"]}
    # No controller runs in this test, so the checks of its cycles fail; the checks of the data path pass.
    assert {"controller", "alarm data"} & set(verdicts) != set()
    assert {"replication", "encryption", "one writer", "secret replica"} & set(verdicts) == set()
    assert site.run("drill", "--resume").returncode == 3


def test_switchover_moves_dns_while_the_controllers_hold(site: Site) -> None:
    """Last test of this module: the controllers keep running."""
    environment, before = site.environment, site.calls()
    environment.start_controllers()
    state = {"item": {"S": "state"}, "sort": {"S": "current"}}

    def cycles() -> bool:
        table = environment.clients("dynamodb", environment.secondary.name)
        return "Item" in table.get_item(TableName=environment.secondary.table_name, Key=state)

    wait_for(cycles)
    found = site.result_of("switchover", "--timeout", "3m")
    assert list(found["seconds"]) == ["promotion", "first heartbeat", "DNS", "replication back", "controllers"]
    assert environment.writer == environment.secondary
    assert site.calls() == before + 1
