"""Tests of later runs: changes in place and deletions on ministack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.cloud.ministack import Emulator
from rehearsal.engine.deploy import DeploymentError, DeployResult, deploy
from rehearsal.engine.plan import PlannedChange, counts
from rehearsal.engine.state import StackState
from rehearsal.support.clients import BotoClients

PROGRAM = """
import json, pulumi, pulumi_aws as aws
east = pulumi.ResourceOptions(provider=aws.Provider("east", region="us-east-1"))
value = pulumi.Config().require("value")
trust = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}
role = aws.iam.Role("r", name="r", assume_role_policy=json.dumps(trust), opts=east)
aws.iam.RolePolicy("p", name="p", role=role.name, policy=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:Get" + value, "Resource": "*"}]}), opts=east)
code = pulumi.AssetArchive({"main.py": pulumi.StringAsset(f"def handler(event, context):\\n    return {value!r}\\n")})
function = aws.lambda_.Function("f", name="f", role=role.arn, runtime="python3.13", handler="main.handler", code=code,
    environment={"variables": {"VALUE": value}}, tags={"Value": value}, opts=east)
called = aws.lambda_.Invocation("i", function_name=function.name, input="{}", triggers={"value": value}, opts=east)
pulumi.export("answer", called.result)
aws.cloudwatch.LogGroup("l", name="l", retention_in_days=30 if value == "one" else 60, tags={"Value": value}, opts=east)
aws.cloudwatch.MetricAlarm("a", name="a", namespace="N", metric_name="M", statistic="Sum", period=60,
    evaluation_periods=1, comparison_operator="LessThanThreshold", threshold=1 if value == "one" else 2,
    tags={"Value": value}, opts=east)
if value == "one":
    aws.cloudwatch.LogGroup("gone", name="gone", opts=east)
if pulumi.Config().get("name"):
    aws.sns.Topic("t", name="t", display_name=pulumi.Config().get("name"), opts=east)
"""


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """Start ministack."""
    with Emulator(enforce_permissions=True) as running:
        yield running


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return the directory of the program."""
    (tmp_path / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)
    return tmp_path


def test_later_run_changes_in_place_and_deletes(emulator: Emulator, program: Path) -> None:
    """Policy, code, environment, tags, retention and threshold change; changed triggers invoke; a removed resource is deleted."""
    state = StackState()
    first = deploy(program, {"tiny:value": "one"}, emulator.url, state=state)
    done = deploy(program, {"tiny:value": "two"}, emulator.url, state=state)
    assert {"same": 1, "update": 5, "delete": 1} == counts(done.steps)
    assert ('"one"', '"two"') == (first.exports["answer"], done.exports["answer"])
    clients = BotoClients(emulator.url)
    function = clients("lambda", "us-east-1").get_function(FunctionName="f")
    assert ("two", {"Value": "two"}) == (
        function["Configuration"]["Environment"]["Variables"]["VALUE"],
        function["Tags"],
    )
    answer = clients("lambda", "us-east-1").invoke(FunctionName="f")["Payload"].read()
    assert b'"two"' == answer
    groups = clients("logs", "us-east-1").describe_log_groups()["logGroups"]
    assert {"l": 60} == {
        each["logGroupName"]: each["retentionInDays"] for each in groups if each["logGroupName"][0] != "/"
    }
    (alarm,) = clients("cloudwatch", "us-east-1").describe_alarms(AlarmNames=["a"])["MetricAlarms"]
    assert 2.0 == alarm["Threshold"]
    clients.close()
    third = deploy(program, {"tiny:value": "two"}, emulator.url, state=state)
    assert {PlannedChange.SAME} == {step.change for step in third.steps}


def test_unsupported_change_is_an_error(emulator: Emulator, program: Path) -> None:
    """The state keeps the old value."""
    (program / "__main__.py").write_text(PROGRAM.split("role = ")[0] + PROGRAM[PROGRAM.index("if pulumi.Config") :])
    state = StackState()
    deploy(program, {"tiny:value": "x", "tiny:name": "first"}, emulator.url, state=state)
    with pytest.raises(
        DeploymentError, match="property displayName: in-place update is not supported in the rehearsal"
    ):
        deploy(program, {"tiny:value": "x", "tiny:name": "second"}, emulator.url, state=state)
    kept = next(iter(state.resources.values()))
    assert "first" == kept.inputs["displayName"]


DATABASE = """
import pulumi, pulumi_aws as aws
east = pulumi.ResourceOptions(provider=aws.Provider("east", region="us-east-1"))
get = pulumi.Config().require
cluster = aws.rds.Cluster("c", cluster_identifier="c", engine=aws.rds.EngineType.AURORA_MYSQL, master_username="admin",
    master_password="0123456789", skip_final_snapshot=True, opts=east,
    enabled_cloudwatch_logs_exports=["audit", "error"] if get("class") == "db.r6g.large" else ["error", "slowquery"])
aws.rds.ClusterInstance("i", identifier="i", cluster_identifier=cluster.id, engine=aws.rds.EngineType.AURORA_MYSQL,
    instance_class=get("class"), preferred_maintenance_window=get("window"), apply_immediately=get("at_once") == "true",
    tags={"Window": get("window")}, opts=east)
"""


@pytest.mark.parametrize("at_once", [True, False])
def test_instance_changes_in_place(emulator: Emulator, program: Path, at_once: bool) -> None:
    """The window and the tags change at once, and the cluster's exported logs. The class waits, unless it is to change at once."""
    (program / "__main__.py").write_text(DATABASE)
    state, clients = StackState(), BotoClients(emulator.url)
    rds = clients("rds", "us-east-1")

    def run(window: str, instance_class: str) -> DeployResult:
        values = {"window": window, "class": instance_class, "at_once": str(at_once).lower()}
        return deploy(program, {f"tiny:{name}": value for name, value in values.items()}, emulator.url, state=state)

    run("sun:03:00-sun:03:30", "db.r6g.large")
    done = run("mon:04:00-mon:04:30", "db.r6g.xlarge")
    (instance,) = rds.describe_db_instances(DBInstanceIdentifier="i")["DBInstances"]
    tags = rds.list_tags_for_resource(ResourceName=instance["DBInstanceArn"])["TagList"]
    again = run("mon:04:00-mon:04:30", "db.r6g.xlarge")
    rds.delete_db_instance(DBInstanceIdentifier="i", SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier="c", SkipFinalSnapshot=True)
    clients.close()

    assert {"update": 2} == counts(done.steps)
    assert (instance["PreferredMaintenanceWindow"], tags) == (
        "mon:04:00-mon:04:30",
        [{"Key": "Window", "Value": "mon:04:00-mon:04:30"}],
    )
    assert (instance["DBInstanceClass"], instance["PendingModifiedValues"]) == (
        ("db.r6g.xlarge", {}) if at_once else ("db.r6g.large", {"DBInstanceClass": "db.r6g.xlarge"})
    )
    assert {PlannedChange.SAME} == {step.change for step in again.steps}
