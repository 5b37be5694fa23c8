"""What a second run of the unchanged program does to what is there: after nothing, after a failover, after each dangerous
change of a setting.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from components import regional_cluster
from rehearsal.engine.deploy import Deployment, DeploymentError
from rehearsal.engine.plan import Change, Step, counts
from tests.support.rehearsal.imagined import after_change_of_roles, of_type, run

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
"""What a replacement would lose."""


@pytest.fixture(scope="module")
def deployed() -> Callable[[str], Deployment]:
    """A stack's first run, made once."""
    made: dict[str, Deployment] = {}

    def first_run(stack: str) -> Deployment:
        if stack not in made:
            made[stack] = run(stack)
        return made[stack]

    return first_run


def different(deployment: Deployment) -> list[Step]:
    """Return the steps that do something."""
    return [step for step in deployment.steps if step.change is not Change.SAME]


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_a_second_run_changes_nothing(stack: str, deployed: Callable[[str], Deployment]) -> None:
    """The same program, settings and state: every resource stays, the password too, and the outputs are the same."""
    first = deployed(stack)
    second = run(stack, state=first.state)
    assert {"same": len(first.state.resources)} == counts(second.steps)
    assert (first.exports, ()) == (second.exports, second.resources)


@pytest.mark.parametrize(
    ("stack", "writer_region"),
    [("dev", "eu-west-1"), ("prod", "eu-west-1"), ("prod", "us-east-1")],
    ids=["dev, after a failover", "prod, after a failover", "prod, after the way home"],
)
def test_a_change_of_roles_changes_nothing(
    stack: str, writer_region: str, deployed: Callable[[str], Deployment]
) -> None:
    """All that AWS may describe differently after a failover and after the switchover home is left as AWS has it."""
    first = deployed(stack)
    again = run(stack, state=after_change_of_roles(first.state, writer_region=writer_region))
    assert [] == different(again)
    assert first.exports == again.exports
    assert {"replicationSourceIdentifier", "engineVersion"} <= {name for step in again.steps for name in step.ignored}


def test_each_property_that_aws_owns_must_be_ignored(
    deployed: Callable[[str], Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run after a failover, with a rotated password, would otherwise change or replace the clusters: by each of them."""
    owned = tuple(regional_cluster.OWNED_BY_AWS)
    monkeypatch.setattr(regional_cluster, "OWNED_BY_AWS", [])
    state = after_change_of_roles(deployed("dev").state, writer_region="eu-west-1")
    for each in of_type(state, CLUSTER):
        # As of a cluster that has left the global database.
        inputs = {name: value for name, value in each.inputs.items() if name != "globalClusterIdentifier"}
        state.keep(replace(each, inputs=inputs))
    again = run("dev", state=state, preview=True)
    assert set(owned) == {name for step in again.steps if step.type == CLUSTER for name in step.properties}


DANGEROUS: Mapping[str, tuple[Mapping[str, object], set[str]]] = {
    "primary.region": ({"primary": {"region": "us-west-2"}}, LOST),
    "secondary.region": ({"secondary": {"region": "us-west-2"}}, {CLUSTER, KEY, TABLE, VPC, SUBNET}),
    "primary.vpc_cidr": ({"primary": {"vpc_cidr": "10.99.0.0/16"}}, {VPC, SUBNET}),
    "secondary.vpc_cidr": ({"secondary": {"vpc_cidr": "10.99.0.0/16"}}, {VPC, SUBNET}),
    "project": ({"project": "other"}, {CLUSTER, GLOBAL_CLUSTER, SECRET, VALUE, TABLE}),
    "dns.zone_name": ({"dns": {"zone_name": "elsewhere.internal"}}, {ZONE}),
}
"""Setting -> (a change of it, the types of all that is kept from being lost by it)."""


@pytest.mark.parametrize("setting", DANGEROUS)
def test_production_refuses_what_would_lose_something(setting: str, deployed: Callable[[str], Deployment]) -> None:
    """The refusal names resource, property, the setting that did it and the hint; all that would be lost is protected."""
    change, expected = DANGEROUS[setting]
    planned = run("prod", change, state=deployed("prod").state, preview=True)
    assert expected == {step.type for step in planned.steps if step.refusal}
    for step in planned.steps:
        if step.change in (Change.REPLACE, Change.DELETE) and step.type in LOST:
            assert step.refusal == "it is protected", str(step)
            assert f"{step.urn}\n  {step.type}: it would be" in planned.refused
    assert f"{setting}: " in planned.refused
    assert f"Set {setting} back to " in planned.refused


def test_a_deployment_never_replaces(deployed: Callable[[str], Deployment]) -> None:
    """Whoever deploys it all the same is stopped by an error that names the property."""
    with pytest.raises(DeploymentError, match="property cidrBlock: it would be replaced; refused, it is protected"):
        run("prod", DANGEROUS["primary.vpc_cidr"][0], state=deployed("prod").state)


@pytest.mark.parametrize(
    ("setting", "change"),
    [("secondary.vpc_cidr", {"secondary": {"vpc_cidr": "10.99.0.0/16"}}), ("environment", {"environment": "staging"})],
)
def test_dev_says_loudly_what_it_would_replace(
    setting: str, change: Mapping[str, object], deployed: Callable[[str], Deployment]
) -> None:
    """Nothing is protected there: so each replacement is named, with the setting that did it and the way back."""
    planned = run("dev", change, state=deployed("dev").state, preview=True)
    replaced = [step for step in planned.steps if step.change is Change.REPLACE]
    assert VPC in {step.type for step in replaced} or setting == "environment"
    assert ("", True) == (planned.refused, planned.replaces.startswith(f"REPLACES {len(replaced)} resources"))
    for step in replaced:
        assert f"{step.type} {step.name}: {', '.join(step.forced_by)}" in planned.replaces
    assert f"Set {setting} back to " in planned.replaces


def test_a_stack_named_prod_stays_production() -> None:
    """The engine lets a run replace what the same run takes the protection from: so the setting itself is refused."""
    with pytest.raises(DeploymentError, match="environment: 'staging' in a stack named prod"):
        run("prod", {"environment": "staging"}, preview=True)


@pytest.mark.parametrize(
    ("setting", "change", "held"),
    [
        ("database.name", {"database": {"name": "shop"}}, "databaseName"),
        ("database.master_username", {"database": {"master_username": "owner"}}, "masterUsername"),
        ("primary.availability_zones", {"primary": {"availability_zones": ["us-east-1b", "us-east-1c", "us-east-1d"]}},
         "availabilityZone"),
    ],
)  # fmt: skip
def test_what_only_the_first_run_decides_is_impossible_to_change(
    setting: str, change: Mapping[str, object], held: str, deployed: Callable[[str], Deployment]
) -> None:
    """A changed name of database or user, or another zone, replaces nothing; the plan says what is left as it is."""
    planned = run("prod", change, state=deployed("prod").state, preview=True)
    # The set-up's function may be told the new name; whatever holds data stays as it is.
    assert set() == {step.type for step in different(planned)} - {"aws:lambda/function:Function"}
    assert {Change.UPDATE} >= {step.change for step in different(planned)}
    assert held in {name for step in planned.steps for name in step.ignored}
    assert [setting] == [name for name, _before, _after in planned.settings_changed]
    assert f"{setting}: " in planned.left_alone
    assert held in planned.left_alone


def test_everyday_changes_lose_nothing(deployed: Callable[[str], Deployment]) -> None:
    """Each is made in place, in production too."""
    place = {"instance_class": "db.r7g.2xlarge"}
    changes = {
        "primary": place,
        "secondary": place,
        "database": {"backup_retention_days": 30, "engine_version": "8.0.mysql_aurora.3.10.5"},
        "failover": {"mode": "observe"},
        "logs": {"retention_days": 60},
        "cost_center": "CC-1",
    }
    planned = run("prod", changes, state=deployed("prod").state, preview=True)
    assert {Change.UPDATE} == {step.change for step in different(planned)}
    properties = {name for step in different(planned) for name in step.properties}
    assert {
        "instanceClass",
        "backupRetentionPeriod",
        "engineVersion",
        "environment",
        "retentionInDays",
        "tags",
    } == properties


def test_an_older_engine_version_is_asked_for_too(deployed: Callable[[str], Deployment]) -> None:
    """AWS refuses to go back, and the program can't know the version that runs: the runbook of a rollback says to keep it."""
    older = {"database": {"engine_version": "8.0.mysql_aurora.3.10.3"}}
    planned = run("prod", older, state=deployed("prod").state, preview=True)
    assert [(GLOBAL_CLUSTER, {"engineVersion"})] == [(step.type, set(step.properties)) for step in different(planned)]


def test_fewer_instances_delete_only_instances(deployed: Callable[[str], Deployment]) -> None:
    """Scaling in is allowed in production: an instance holds nothing, the volume does."""
    planned = run("prod", {"primary": {"instance_count": 2}}, state=deployed("prod").state, preview=True)
    assert [("primary-database-instance-3", Change.DELETE, "")] == [
        (step.name, step.change, step.refusal) for step in different(planned)
    ]
