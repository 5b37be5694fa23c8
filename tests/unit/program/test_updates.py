"""The effect of a second run: without a change, after a failover, and after each dangerous change of a setting."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from components import regional_cluster
from rehearsal.engine.deploy import DeploymentError, DeployResult
from rehearsal.engine.plan import PlannedChange, PlanStep, counts
from tests.support.rehearsal.accept_all_aws import MAIN_TABLE, VPC_ID, after_change_of_roles, of_type, run

pytestmark = pytest.mark.slow

CLUSTER = "aws:rds/cluster:Cluster"
GLOBAL_CLUSTER = "aws:rds/globalCluster:GlobalCluster"
KEY = "aws:kms/key:Key"
SECRET = "aws:secretsmanager/secret:Secret"
TABLE = "aws:dynamodb/table:Table"
VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
VALUE = "aws:secretsmanager/secretVersion:SecretVersion"
ZONE = "aws:route53/zone:Zone"
LOST = {CLUSTER, GLOBAL_CLUSTER, KEY, SECRET, VALUE, TABLE, VPC, SUBNET, ZONE}
"""Types whose replacement loses data."""


@pytest.fixture(scope="module")
def deployed() -> Callable[[str], DeployResult]:
    """The first run of a stack, cached."""
    made: dict[str, DeployResult] = {}

    def first_run(stack: str) -> DeployResult:
        if stack not in made:
            made[stack] = run(stack)
        return made[stack]

    return first_run


def changes_of(deployment: DeployResult) -> list[PlanStep]:
    """Return the steps that change a resource."""
    return [step for step in deployment.steps if step.change is not PlannedChange.SAME]


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_second_run_changes_nothing(stack: str, deployed: Callable[[str], DeployResult]) -> None:
    """The resources, including the password, and the outputs stay the same."""
    first = deployed(stack)
    second = run(stack, state=first.state)
    assert {"same": len(first.state.resources)} == counts(second.steps)
    assert (first.exports, ()) == (second.exports, second.resources)


@pytest.mark.parametrize(
    ("stack", "writer_region"),
    [("dev", "eu-west-1"), ("prod", "eu-west-1"), ("prod", "us-east-1")],
    ids=["dev, after a failover", "prod, after a failover", "prod, after failing back"],
)
def test_run_after_a_change_of_roles_changes_nothing(
    stack: str, writer_region: str, deployed: Callable[[str], DeployResult]
) -> None:
    """Differences in AWS's description after a failover and after failing back are ignored."""
    first = deployed(stack)
    again = run(stack, state=after_change_of_roles(first.state, writer_region=writer_region))
    assert [] == changes_of(again)
    assert first.exports == again.exports
    assert {"replicationSourceIdentifier", "engineVersion"} <= {name for step in again.steps for name in step.ignored}


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_run_after_the_way_back_from_a_detachment_renews_permissions(
    stack: str, deployed: Callable[[str], DeployResult]
) -> None:
    """A cluster that was created again has another resource ID: permissions to log in name it, and database_setup checks it once."""
    state = after_change_of_roles(deployed(stack).state, writer_region="eu-west-1")
    for each in of_type(state, CLUSTER):
        if each.region == "us-east-1":
            state.keep(replace(each, outputs={**each.outputs, "clusterResourceId": "cluster-CREATEDAGAIN"}))
    again = run(stack, state=state)
    assert {step.change for step in changes_of(again)} == {PlannedChange.UPDATE}
    assert {(step.type, *step.properties) for step in changes_of(again)} - {("aws:iam/policy:Policy", "policy")} == {
        ("aws:iam/rolePolicy:RolePolicy", "policy"),
        ("aws:lambda/invocation:Invocation", "triggers"),
    }


ZONES = {
    label: {"availability_zones": [f"{region}a", f"{region}b", f"{region}c"]}
    for label, region in (("primary", "us-east-1"), ("secondary", "eu-west-1"))
}
VPCS = {
    label: {"vpc_cidr": cidr, "existing_vpc": {"vpc_id": VPC_ID, "subnet_ids": [f"subnet-0000000{x}" for x in "abc"]}}
    for label, cidr in (("primary", "10.10.0.0/16"), ("secondary", "10.20.0.0/16"))
}


@pytest.mark.parametrize("existing", [{}, VPCS], ids=["new", "existing-vpc"])
def test_zones_and_account_written_down_later_change_nothing(existing: Mapping[str, dict[str, Any]]) -> None:
    """The look-ups found the same; the route of a main route table keeps its identity."""
    first = run("dev", existing)
    tables = {"route_table_ids": [MAIN_TABLE]}
    written: dict[str, object] = {"aws": {"account_id": "123456789012"}}
    for label in ("primary", "secondary"):
        vpc = {"existing_vpc": {**existing[label]["existing_vpc"], **tables}} if existing else {}
        written[label] = {**existing.get(label, {}), **ZONES[label], **vpc}
    second = run("dev", written, state=first.state)
    assert {step.type for step in changes_of(second)} <= {"pulumi:providers:aws"}
    assert counts(second.steps)["same"] >= len(first.state.resources)


def test_every_property_owned_by_aws_must_be_ignored(
    deployed: Callable[[str], DeployResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a run after a failover and a rotation would change or replace the clusters."""
    owned = tuple(regional_cluster.OWNED_BY_AWS)
    monkeypatch.setattr(regional_cluster, "OWNED_BY_AWS", [])
    state = after_change_of_roles(deployed("dev").state, writer_region="eu-west-1")
    for each in of_type(state, CLUSTER):
        # As of a cluster that has left the global database.
        inputs = {name: value for name, value in each.inputs.items() if name != "globalClusterIdentifier"}
        state.keep(replace(each, inputs=inputs))
    again = run("dev", state=state, preview=True)
    assert set(owned) == {name for step in again.steps if step.type == CLUSTER for name in step.properties}


IN_OREGON = {"region": "us-west-2", "availability_zones": ["us-west-2a", "us-west-2b", "us-west-2c"]}
DANGEROUS: Mapping[str, tuple[Mapping[str, object], set[str]]] = {
    "primary.region": ({"primary": IN_OREGON}, LOST),
    "secondary.region": ({"secondary": IN_OREGON}, {CLUSTER, KEY, TABLE, VPC, SUBNET}),
    "primary.vpc_cidr": ({"primary": {"vpc_cidr": "10.99.0.0/16"}}, {VPC, SUBNET}),
    "secondary.vpc_cidr": ({"secondary": {"vpc_cidr": "10.99.0.0/16"}}, {VPC, SUBNET}),
    "project": ({"project": "other"}, {CLUSTER, GLOBAL_CLUSTER, SECRET, VALUE, TABLE}),
    "dns.zone_name": ({"dns": {"zone_name": "elsewhere.internal"}}, {ZONE}),
}
"""A change of each setting, and the protected types that the change would replace."""


@pytest.mark.parametrize("setting", DANGEROUS)
def test_production_refuses_replacements_that_lose_data(setting: str, deployed: Callable[[str], DeployResult]) -> None:
    """The refusal names the resource, the property, the changed setting and the hint."""
    change, expected = DANGEROUS[setting]
    planned = run("prod", change, state=deployed("prod").state, preview=True)
    assert expected == {step.type for step in planned.steps if step.refusal}
    for step in planned.steps:
        if step.change in (PlannedChange.REPLACE, PlannedChange.DELETE) and step.type in LOST:
            assert step.refusal == "the resource is protected", str(step)
            assert f"{step.urn}\n  {step.type}: the resource would be" in planned.refused
    assert f"{setting}: " in planned.refused
    assert f"{setting} back to " in planned.refused


def test_deployment_refuses_a_replacement(deployed: Callable[[str], DeployResult]) -> None:
    """The error names the property."""
    with pytest.raises(
        DeploymentError, match="property cidrBlock: the resource would be replaced; refused, the resource is protected"
    ):
        run("prod", DANGEROUS["primary.vpc_cidr"][0], state=deployed("prod").state)


@pytest.mark.parametrize(
    ("setting", "change"),
    [("secondary.vpc_cidr", {"secondary": {"vpc_cidr": "10.99.0.0/16"}}), ("environment", {"environment": "staging"})],
)
def test_dev_lists_every_replacement(
    setting: str, change: Mapping[str, object], deployed: Callable[[str], DeployResult]
) -> None:
    """Nothing is protected in dev; the plan names each replacement, the changed setting and the hint."""
    planned = run("dev", change, state=deployed("dev").state, preview=True)
    replaced = [step for step in planned.steps if step.change is PlannedChange.REPLACE]
    assert VPC in {step.type for step in replaced} or setting == "environment"
    assert ("", True) == (planned.refused, planned.replaces.startswith(f"REPLACES {len(replaced)} resources"))
    for step in replaced:
        assert f"{step.type} {step.name}: {', '.join(step.forced_by)}" in planned.replaces
    assert f"Set {setting} back to " in planned.replaces


def test_stack_named_prod_must_be_production() -> None:
    """Pulumi replaces a resource in the same run that removes its protection."""
    with pytest.raises(DeploymentError, match="environment: 'staging' in a stack named prod"):
        run("prod", {"environment": "staging"}, preview=True)


@pytest.mark.parametrize(
    ("setting", "change", "ignored"),
    [
        ("database.name", {"database": {"name": "shop"}}, "databaseName"),
        ("database.master_username", {"database": {"master_username": "owner"}}, "masterUsername"),
        (
            "primary.availability_zones",
            {"primary": {"availability_zones": ["us-east-1b", "us-east-1c", "us-east-1d"]}},
            "availabilityZone",
        ),
    ],
)
def test_settings_of_the_first_run_cannot_be_changed(
    setting: str, change: Mapping[str, object], ignored: str, deployed: Callable[[str], DeployResult]
) -> None:
    """The change of a database name, user name or zone replaces nothing, and the plan reports it."""
    planned = run("prod", change, state=deployed("prod").state, preview=True)
    # The environment of database_setup may change; resources that hold data do not.
    assert set() == {step.type for step in changes_of(planned)} - {"aws:lambda/function:Function"}
    assert {PlannedChange.UPDATE} >= {step.change for step in changes_of(planned)}
    assert ignored in {name for step in planned.steps for name in step.ignored}
    assert [setting] == [name for name, _before, _after in planned.settings_changed]
    assert f"{setting}: " in planned.left_alone
    assert ignored in planned.left_alone


def test_everyday_changes_are_updates_in_place(deployed: Callable[[str], DeployResult]) -> None:
    """In production too."""
    region = {"instance_class": "db.r7g.2xlarge"}
    changes = {
        "primary": region,
        "secondary": region,
        "database": {"backup_retention_days": 30, "engine_version": "8.0.mysql_aurora.3.10.5"},
        "failover": {"mode": "observe"},
        "logs": {"retention_days": 60},
        "cost_center": "CC-1",
    }
    planned = run("prod", changes, state=deployed("prod").state, preview=True)
    assert {PlannedChange.UPDATE} == {step.change for step in changes_of(planned)}
    properties = {name for step in changes_of(planned) for name in step.properties}
    assert {
        "instanceClass",
        "backupRetentionPeriod",
        "engineVersion",
        "environment",
        "retentionInDays",
        "tagsAll",
    } == properties


def test_older_engine_version_is_planned(deployed: Callable[[str], DeployResult]) -> None:
    """AWS refuses a downgrade, and the program does not know the running version; the rollback runbook keeps it."""
    older = {"database": {"engine_version": "8.0.mysql_aurora.3.10.3"}}
    planned = run("prod", older, state=deployed("prod").state, preview=True)
    assert [(GLOBAL_CLUSTER, {"engineVersion"})] == [(step.type, set(step.properties)) for step in changes_of(planned)]


def test_fewer_instances_delete_only_instances(deployed: Callable[[str], DeployResult]) -> None:
    """Production allows this, because the cluster volume holds the data. The window of the writer moves, in place."""
    planned = run("prod", {"primary": {"instance_count": 2}}, state=deployed("prod").state, preview=True)
    assert [
        ("primary-database-instance-1", PlannedChange.UPDATE, ""),
        ("primary-database-instance-3", PlannedChange.DELETE, ""),
    ] == [(step.name, step.change, step.refusal) for step in changes_of(planned)]
