"""The acting commands on the deployed program and an embedded AWS, as a person runs them: moves, copies, interruptions."""

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

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60


@dataclass(kw_only=True)
class Site:
    """The deployed world, and the operator's terminal in the secondary region."""

    world: Environment
    outputs: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start one command as a person does."""
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
                "AWS_ENDPOINT_URL": self.world.faults.endpoint(self.world.secondary.name),
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
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def act(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command, confirmed."""
        return self.run(*arguments, "--confirm", self.world.global_cluster_id)

    def calls(self) -> int:
        """How many failovers and switchovers arrived."""
        return len(self.world.control_plane.calls)

    def moved(self, *arguments: str) -> dict[str, Any]:
        """Run one confirmed command that must succeed; return its result."""
        done = self.act(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def wait_for(is_so: Callable[[], bool]) -> None:
    """Poll, for a generous while."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Deploy the unchanged program once; no controller cycles unless a test starts it."""
    with Environment(stack="dev", interval_seconds=1.0, operation_seconds=1.0) as world:
        world.deploy()
        outputs = tmp_path_factory.mktemp("moves") / "outputs.json"
        outputs.write_text(json.dumps(dict(world.outputs), default=str))
        yield Site(world=world, outputs=outputs)


@pytest.fixture(autouse=True)
def home(site: Site) -> Iterator[None]:
    """Begin and end without a fault, with the writer in the primary region."""
    yield
    world = site.world
    world.faults.clear()
    world.control_plane.operation_seconds = 1.0
    wait_for(lambda: world.control_plane.is_idle)
    if world.writer != world.primary:
        site.moved("switchover", "--to", world.primary.name, "--no-dns")


def rows(world: Environment, region: RegionFacts) -> list[tuple[object, ...]]:
    """Return what a region's cluster has in the table of the tests."""
    return world.cluster(region).execute("SELECT id FROM payments.moves ORDER BY id")


def test_collections_pass_over_what_is_deployed(site: Site) -> None:
    """A full one stops the proxies, databases and names in this process for as long as it has objects to look through."""
    assert gc.get_freeze_count() > len(gc.get_objects())


def test_switchover_moves_the_writer_and_loses_nothing(site: Site) -> None:
    """The other region takes writes, by its own health_check's heartbeat; a second time there is nothing to do."""
    world = site.world
    notified = site.moved("switchover", "--no-dns", "--reason", "game day")
    assert (notified["from"], notified["writer"]) == (world.primary.name, world.secondary.name)
    assert list(notified["seconds"]) == ["promotion", "first heartbeat", "replication back"]
    assert world.writer == world.secondary
    again = site.run("switchover", "--to", world.secondary.name)
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    history = site.run("history", "--region", world.secondary.name, "--json").stdout
    assert "operator-switchover" in history


def test_nothing_is_called_without_the_confirmation(site: Site) -> None:
    """The plan alone: 3."""
    before = site.calls()
    result = site.run("switchover")
    assert result.returncode == 3
    assert "Plan: switchover of" in result.stderr
    assert site.calls() == before


def test_an_error_of_aws_changes_nothing_and_says_so(site: Site) -> None:
    """RDS refuses the call: 3, and the writer is where it was."""
    world = site.world
    world.faults.add(
        ApiFault(
            service="rds",
            operation="SwitchoverGlobalCluster",
            target_region=world.primary.name,
            error_code="InvalidDBClusterStateFault",
            error_status=400,
        )
    )
    result = site.act("switchover", "--no-dns")
    assert result.returncode == 3
    assert "AWS refused: nothing was changed" in result.stderr
    assert world.writer == world.primary


def test_ctrl_c_leaves_the_move_to_aws_and_resume_follows_it(site: Site) -> None:
    """130 at once; RDS carries on; --resume sees it arrive without a second call."""
    world, before = site.world, site.calls()
    world.control_plane.operation_seconds = 6.0
    process = site.start("switchover", "--no-dns", "--confirm", world.global_cluster_id)
    assert process.stderr is not None
    said = iter(process.stderr.readline, "")
    assert any("accepted" in line for line in said)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, stderr
    assert f"AWS continues the move to {world.secondary.name} by itself" in stderr
    resumed = site.run("switchover", "--to", world.secondary.name, "--resume", "--no-dns")
    assert resumed.returncode == 0, resumed.stderr
    assert world.writer == world.secondary
    assert site.calls() == before + 1


def test_a_failover_by_hand_while_the_writer_lives_is_refused(site: Site) -> None:
    """Its own probe and the peering's say that it lives: 3; without the acceptance: 2."""
    before = site.calls()
    assert site.act("failover", "--reason", "test").returncode == 2
    result = site.act("failover", "--reason", "test", "--accept-data-loss")
    assert result.returncode == 3
    assert "the writer seems reachable" in result.stderr
    assert site.calls() == before


def test_a_failover_by_hand_with_the_region_dark(site: Site) -> None:
    """Everything of the writer's region hangs: the standby's alone is enough, and the trace is there."""
    world = site.world
    world.network.fail(world.primary.name)
    try:
        notified = site.moved("failover", "--reason", "region lost", "--accept-data-loss", "--no-dns")
    finally:
        world.network.restore(world.primary.name)
    assert notified["writer"] == world.secondary.name
    assert world.writer == world.secondary
    assert "operator-failover" in site.run("history", "--region", world.secondary.name, "--json").stdout


def test_a_rewind_has_the_row_of_before_and_not_the_one_of_after(site: Site) -> None:
    """Read in the copy, over its own data plane; the live cluster keeps both; the same command finds it; it is dropped."""
    world = site.world
    live = world.cluster(world.primary)
    live.execute("CREATE TABLE payments.moves (id BIGINT PRIMARY KEY)")
    live.execute("INSERT INTO payments.moves VALUES (1)")
    wait_for_next_second()
    to = datetime.now(UTC).replace(microsecond=0)
    wait_for_next_second()
    live.execute("INSERT INTO payments.moves VALUES (2)")
    clusters = world.clients("rds", world.primary.name)

    def latest() -> datetime:
        found = clusters.describe_db_clusters(DBClusterIdentifier=world.primary.cluster_id)["DBClusters"][0]
        return found["LatestRestorableTime"]

    wait_for(lambda: latest() > to)
    notified = site.moved("rewind", "--to", to.isoformat(), "--reason", "row 2 was a mistake")
    copy = notified["copy"]
    described = clusters.describe_db_clusters(DBClusterIdentifier=copy)["DBClusters"][0]
    database = world.control_plane.stand_ins.database(described["DBClusterArn"])
    assert database.writer.execute("SELECT id FROM payments.moves ORDER BY id") == [(1,)]
    assert rows(world, world.primary) == [(1,), (2,)]
    source = clusters.describe_db_clusters(DBClusterIdentifier=world.primary.cluster_id)["DBClusters"][0]
    for name in ("KmsKeyId", "DBSubnetGroup", "DBClusterParameterGroup", "EngineVersion", "StorageEncrypted"):
        assert described[name] == source[name]
    assert world.region_behind(described["Endpoint"]) == world.primary.name
    again = site.run("rewind", "--to", to.isoformat())
    assert again.returncode == 0, again.stderr
    assert "exists already" in again.stderr
    assert site.act("rewind", "--drop", world.primary.cluster_id).returncode == 3
    assert site.moved("rewind", "--drop", copy)["dropped"] == copy
    assert [each["DBClusterIdentifier"] for each in clusters.describe_db_clusters()["DBClusters"]] == [
        world.primary.cluster_id
    ]


def test_a_rewind_out_of_the_window_names_both_limits(site: Site) -> None:
    """3, before anything is made."""
    result = site.act("rewind", "--to", "2020-01-01T00:00:00Z")
    assert result.returncode == 3
    assert "can't be restored: the earliest is" in result.stderr


def wait_for_next_second() -> None:
    """Until the clock shows another second: rewinds are to the second."""
    now = int(time.time())
    wait_for(lambda: int(time.time()) > now)


def test_a_drill_goes_there_verifies_and_comes_home(site: Site) -> None:
    """Two moves, every promise looked at in between, and the writer in primary region; each step has its seconds."""
    world, before = site.world, site.calls()
    done = site.act("drill", "--no-dns", "--json")
    notified = json.loads(done.stdout)
    assert [step["step"] for step in notified["steps"]] == ["switchover", "verify", "switch back"], done.stderr
    assert all(step["seconds"] > 0 for step in notified["steps"])
    assert notified["writer"] == world.primary.name
    assert world.writer == world.primary
    assert site.calls() == before + 2
    verdicts = {each["check"]: each["verdict"] for each in notified["not_passed"]}
    # No controller cycles in this test, so what needs its cycles is found to be missing; the data path is whole.
    assert {"controller", "alarm data"} & set(verdicts) != set()
    assert {"replication", "encryption", "one writer", "secret replica"} & set(verdicts) == set()
    assert site.run("drill", "--resume").returncode == 3


def test_with_the_controllers_beating_the_name_follows_and_they_hold_meanwhile(site: Site) -> None:
    """The metric that DNS follows turns within cycles; no controller calls anything of its own. The last test: they cycle on."""
    world, before = site.world, site.calls()
    world.start_controllers()
    state = {"item": {"S": "state"}, "sort": {"S": "current"}}

    def cycles() -> bool:
        table = world.clients("dynamodb", world.secondary.name)
        return "Item" in table.get_item(TableName=world.secondary.table_name, Key=state)

    wait_for(cycles)
    notified = site.moved("switchover", "--timeout", "3m")
    assert list(notified["seconds"]) == ["promotion", "first heartbeat", "DNS", "replication back"]
    assert world.writer == world.secondary
    assert site.calls() == before + 1
