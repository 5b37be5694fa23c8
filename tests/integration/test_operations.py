"""The operator commands against an embedded AWS, and read back with the controller's own code."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.failover_controller.aws import DynamoDb
from functions.failover_controller.model import Pending, Reason, Side, State
from functions.failover_controller.store import SWITCH, TableStore
from operations.aws.clients import Clients
from operations.aws.ports import TableWrite
from operations.aws.region_api import AwsRegion
from operations.stack.deployment import read_deployment
from operations.support.errors import VersionConflictError
from rehearsal.cloud.faults import ApiFault, ApiFaults
from rehearsal.cloud.ministack import ACCOUNT_ID, SECRET_ACCESS_KEY, Emulator
from rehearsal.support.clients import BotoClients
from tests.support.waiting import WAIT_SECONDS

ROOT = Path(__file__).resolve().parents[2]
EAST, WEST = "us-east-1", "eu-west-1"
TABLE, CONTROLLER, GLOBAL = "payments-failover-dev", "payments-failover-controller-dev", "payments-global-dev"
ENGINE = {"Engine": "aurora-mysql", "EngineVersion": "8.0.mysql_aurora.3.10.0"}


@dataclass(kw_only=True)
class Site:
    """Two regions of a small deployment, and the operator's terminal in the standby's."""

    clients: BotoClients
    faults: ApiFaults
    outputs: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command."""
        inherited = {name: os.environ[name] for name in ("PATH", "PYTHONDONTWRITEBYTECODE") if name in os.environ}
        return subprocess.run(
            [sys.executable, "-m", "operations", *arguments, "--outputs", str(self.outputs)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=5 * WAIT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={
                **inherited,
                "AWS_ENDPOINT_URL": self.faults.endpoint(WEST),
                "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
                "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
                "AWS_EC2_METADATA_DISABLED": "true",
                "NO_PROXY": "*",
                "COLUMNS": "200",
            },
        )

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run one command; return its result."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def store(self, region: str) -> TableStore:
        """Return the controller's own store on a region's table."""
        return TableStore(DynamoDb(self.clients("dynamodb", region), TABLE))

    def ask(self, decision_id: str) -> None:
        """Give the standby's controller a pending decision."""
        now = datetime.now(UTC)
        state = self.store(WEST).read(None).state or State()
        pending = Pending(id=decision_id, verdict=Reason.REGION_LOST, asked_at=now - timedelta(seconds=20))
        self.store(WEST).write_state(
            State(version=state.version, cycle_at=now, writer=Side.PEER, pending=pending, dead_since=now)
        )


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two regions with a table, a cluster and a controller each; the writer is in us-east-1."""
    with Emulator() as emulator, ApiFaults(upstream=emulator.url, regions=(EAST, WEST)) as faults:
        clients = BotoClients(emulator.url)
        clients("rds", EAST).create_global_cluster(GlobalClusterIdentifier=GLOBAL, **ENGINE)
        regions = {name: _region(clients, region) for name, region in (("primary", EAST), ("secondary", WEST))}
        outputs = tmp_path_factory.mktemp("operations") / "outputs.json"
        names = {"writer_dns_name": "writer.payments-dev.internal", "reader_dns_name": "reader.payments-dev.internal"}
        complete = {
            "global_cluster_id": GLOBAL,
            "environment": "dev",
            "health_check_ids": {},
            **names,
            "regions": regions,
        }
        outputs.write_text(json.dumps(complete))
        yield Site(clients=clients, faults=faults, outputs=outputs)
        clients.close()


@pytest.fixture
def site(deployed: Site) -> Iterator[Site]:
    """The two regions with empty tables and no fault."""
    yield deployed
    deployed.faults.clear()
    deployed.faults.restore(EAST)
    for region in (EAST, WEST):
        table = deployed.clients("dynamodb", region)
        for item in table.scan(TableName=TABLE)["Items"]:
            table.delete_item(TableName=TABLE, Key={"item": item["item"], "sort": item["sort"]})


HEALTH_CHECK = "payments-health-check-dev"
# DNS names only; test_verify invokes the real function.
RESOLVER = """
def handler(event, context):
    return {"names": [{"name": name, "addresses": ["10.0.0.1:3306"], "failure": None} for name in event["names"]]}
"""


def _region(clients: BotoClients, region: str) -> dict[str, Any]:
    """Create the resources that the commands use in one region; return its outputs."""
    clients("dynamodb", region).create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "item", "KeyType": "HASH"}, {"AttributeName": "sort", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("item", "sort")],
    )
    master = {"MasterUsername": "admin", "MasterUserPassword": "correct-horse"} if region == EAST else {}
    cluster = clients("rds", region).create_db_cluster(
        DBClusterIdentifier=f"payments-{region}-dev", GlobalClusterIdentifier=GLOBAL, **ENGINE, **master
    )["DBCluster"]
    idle = "def handler(event, context):\n    return None\n"
    for name, code in ((CONTROLLER, idle), (HEALTH_CHECK, RESOLVER)):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            packed.writestr("index.py", code)
        clients("lambda", region).create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="index.handler",
            Role=f"arn:aws:iam::{ACCOUNT_ID}:role/none",
            Code={"ZipFile": archive.getvalue()},
            Environment={"Variables": {"MODE": "approve", "INTERVAL_SECONDS": "10"}},
        )
    return {
        "region": region,
        "cluster_id": cluster["DBClusterIdentifier"],
        "cluster_arn": cluster["DBClusterArn"],
        "writer_endpoint": f"payments.cluster-abc.{region}.rds.amazonaws.com",
        "reader_endpoint": f"payments.cluster-ro-abc.{region}.rds.amazonaws.com",
        "port": 3306,
        "key_arn": f"arn:aws:kms:{region}:{ACCOUNT_ID}:key/k",
        "secret_arn": f"arn:aws:secretsmanager:{region}:{ACCOUNT_ID}:secret:s",
        "topic_arn": f"arn:aws:sns:{region}:{ACCOUNT_ID}:t",
        "alarm_arns": [f"arn:aws:cloudwatch:{region}:{ACCOUNT_ID}:alarm:payments-cpu-dev"],
        "table_name": TABLE,
        "failover_controller_function_name": CONTROLLER,
        "health_check_function_name": HEALTH_CHECK,
    }


def test_controller_reads_the_switch_of_disarm_and_arm(site: Site) -> None:
    """The switch is written in both regions with its expiry, and a repeated command changes nothing."""
    assert site.run("disarm", "--reason", "upgrade", "--for", "2h", "--confirm", GLOBAL).returncode == 0
    for region in (EAST, WEST):
        records = site.store(region).read(None)
        assert records.failures == {}
        assert records.switch is not None
        assert (records.switch.armed, records.switch.reason) == (False, "upgrade")
        assert records.switch.expires_at is not None
        left = records.switch.expires_at - datetime.now(UTC)
        assert timedelta(minutes=118) < left <= timedelta(hours=2)
    assert site.json("arm", "--reason", "done", "--confirm", GLOBAL)["changed"] == [WEST, EAST]
    assert site.json("arm", "--reason", "done", "--confirm", GLOBAL)["changed"] == []
    switch = site.store(WEST).read(None).switch
    assert switch is not None
    assert (switch.armed, switch.expires_at) == (True, None)


def test_missing_confirmation_changes_nothing(site: Site) -> None:
    """The exit code is 3."""
    assert site.run("disarm", "--reason", "upgrade").returncode == 3
    assert site.store(WEST).read(None).switch is None


def test_unreachable_region_does_not_stop_the_commands(site: Site) -> None:
    """Status, disarm and history work with the standby alone."""
    site.faults.fail(EAST)
    status = site.json("status")
    disarmed = site.run("disarm", "--reason", "region lost, by hand from here", "--confirm", GLOBAL)
    assert (status["roles"]["standby"], status["controller"]["mode"], status["not_read"]) == (WEST, "approve", {})
    assert disarmed.returncode == 5
    assert "us-east-1: not written" in disarmed.stdout
    switch = site.store(WEST).read(None).switch
    assert switch is not None
    assert switch.armed is False
    assert "operator-disarm" in site.run("history").stdout


def test_unacknowledged_write_takes_effect_once(site: Site) -> None:
    """The retry or the read that follows finds the write."""
    site.faults.add(
        ApiFault(service="dynamodb", operation="TransactWriteItems", target_region=WEST, lose_answer=True, times=1)
    )
    assert site.run("disarm", "--reason", "upgrade", "--region", WEST, "--confirm", GLOBAL).returncode == 0
    history = json.loads(site.run("history", "--json").stdout)
    assert [entry["reason"] for entry in history] == ["operator-disarm"]


def test_refused_write_changes_nothing(site: Site) -> None:
    """The exit code is 4, and the other region is not written."""
    site.faults.add(
        ApiFault(
            service="dynamodb",
            operation="TransactWriteItems",
            target_region=WEST,
            error_code="AccessDeniedException",
            error_status=400,
        )
    )
    result = site.run("disarm", "--reason", "upgrade", "--confirm", GLOBAL)
    assert result.returncode == 4
    assert "No changes were made in eu-west-1 so far" in result.stderr
    assert site.store(EAST).read(None).switch is None


def test_table_refuses_a_write_over_an_unread_change(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction is rejected as a whole, with its audit entry."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", site.faults.endpoint(WEST))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
    deployment = read_deployment(json.loads(site.outputs.read_text()))
    api = AwsRegion(Clients(), deployment.global_cluster_id, deployment.region(WEST))
    for reason, window in (("first", "1d"), ("second", "2d")):
        read = api.read_items([SWITCH])[SWITCH]
        assert (read is None) == (reason == "first")
        assert site.run("disarm", "--reason", reason, "--for", window, "--confirm", GLOBAL).returncode == 0
        late = TableWrite(
            key=SWITCH,
            attributes={"armed": True, "version": 9},
            previous=read,
            audit_key=("history", "late"),
            audit_item={},
        )
        with pytest.raises(VersionConflictError):
            api.write(late)
        found = api.read_items([SWITCH, late.audit_key])
        assert (found[SWITCH] or {})["reason"] == reason
        assert found[late.audit_key] is None


def test_controller_reads_the_approval(site: Site) -> None:
    """An approval is accepted for the exact id, and once."""
    site.ask("d-1")
    assert site.run("approve", "d-2", "--confirm", GLOBAL).returncode == 3
    approved = site.run("approve", "d-1", "--confirm", GLOBAL)
    assert approved.returncode == 0
    assert "verdict: region-lost" in approved.stderr
    approval = site.store(WEST).read("d-1").approval
    assert approval is not None
    assert (approval.id, approval.approved) == ("d-1", True)
    assert approval.by.startswith("arn:aws:")
    again = site.run("approve", "d-1", "--confirm", GLOBAL)
    assert again.returncode == 3
    assert "answered already: approved by arn:aws:" in again.stderr


def test_status_shows_a_pending_decision_and_its_exit_code(site: Site) -> None:
    """A loss of the writer's region ends `status` with exit code 6."""
    site.ask("d-1")
    result = site.run("status")
    assert result.returncode == 6
    assert "d-1: region-lost" in result.stdout
