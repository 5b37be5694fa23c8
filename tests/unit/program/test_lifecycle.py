"""Failover, update and destroy after the first deployment."""

import pytest
import yaml

from tests.support.program.harness import PROGRAM, Run

pytestmark = pytest.mark.slow

HOLDS_DATA = {
    # These hold no data, but the database or its clients depend on them.
    "aws:ec2/vpc:Vpc",
    "aws:ec2/subnet:Subnet",
    "aws:route53/zone:Zone",
    "random:index/randomPassword:RandomPassword",
    "aws:secretsmanager/secret:Secret",
    "aws:secretsmanager/secretVersion:SecretVersion",
    "aws:kms/key:Key",
    "aws:rds/globalCluster:GlobalCluster",
    "aws:rds/cluster:Cluster",
    "aws:dynamodb/table:Table",
}


def test_dev_stack_can_always_be_destroyed(dev: Run) -> None:
    """Dev resources have no protection, no final snapshot and the shortest recovery windows."""
    assert [str(r) for r in dev.resources if r.protect] == []
    for r in dev.cloud:
        assert not r.inputs.get("deletionProtection"), str(r)
        assert not r.inputs.get("deletionProtectionEnabled"), str(r)
    for cluster in dev.of("rds/cluster:Cluster"):
        assert cluster.inputs["skipFinalSnapshot"] is True
        assert "finalSnapshotIdentifier" not in cluster.inputs
    assert {key.inputs["deletionWindowInDays"] for key in dev.of("kms/key:Key")} == {7}
    assert dev.one("secretsmanager/secret:Secret").inputs["recoveryWindowInDays"] == 0
    assert dev.one("route53/zone:Zone").inputs["forceDestroy"] is True


@pytest.mark.parametrize("run_name", ["prod", "prod_preview"])
def test_resources_that_hold_data_are_protected_in_production(run_name: str, request: pytest.FixtureRequest) -> None:
    """By Pulumi, and by AWS where it is supported."""
    run: Run = request.getfixturevalue(run_name)
    assert {r.type for r in run.resources if r.protect} == HOLDS_DATA
    assert [str(r) for r in run.resources if r.type in HOLDS_DATA and not r.protect] == []
    for kind in ("rds/cluster:Cluster", "rds/globalCluster:GlobalCluster"):
        assert {r.inputs["deletionProtection"] for r in run.of(kind)} == {True}
    assert {r.inputs["deletionProtectionEnabled"] for r in run.of("dynamodb/table:Table")} == {True}
    for cluster in run.of("rds/cluster:Cluster"):
        assert cluster.inputs["skipFinalSnapshot"] is False
        assert cluster.inputs["finalSnapshotIdentifier"] == f"payments-{cluster.region}-final-prod"
        assert cluster.inputs["deleteAutomatedBackups"] is False
    assert {key.inputs["deletionWindowInDays"] for key in run.of("kms/key:Key")} == {30}


def test_clusters_ignore_what_a_change_of_roles_changes(any_run: Run) -> None:
    """A provider that reverted these properties would detach or replace a cluster."""
    clusters = any_run.of("rds/cluster:Cluster")
    assert len(clusters) == 2
    for cluster in clusters:
        assert set(cluster.ignore_changes) == {
            "replicationSourceIdentifier",
            "globalClusterIdentifier",
            "engineVersion",
            "masterPassword",
            "masterUsername",
            "databaseName",
        }
        assert "replicationSourceIdentifier" not in cluster.inputs
        # The provider detaches the cluster on destroy only if this is in the state.
        assert cluster.inputs["globalClusterIdentifier"]


def test_secondary_cluster_has_no_master_user_and_a_source_region(dev: Run) -> None:
    """AWS refuses a user, password or database for it; it uses its own region's key."""
    secondary = dev.named("secondary-database-cluster").inputs
    assert {"masterUsername", "masterPassword", "databaseName", "manageMasterUserPassword"} & set(secondary) == set()
    assert secondary["sourceRegion"] == "us-east-1"
    assert secondary["storageEncrypted"] is True
    assert secondary["kmsKeyId"] == dev.exports["secondary_key_arn"]
    assert "sourceRegion" not in dev.named("primary-database-cluster").inputs


def test_members_have_one_version_without_automatic_upgrades(dev: Run) -> None:
    """A failover needs the same version in both regions."""
    members = [*dev.of("rds/cluster:Cluster"), dev.one("rds/globalCluster:GlobalCluster")]
    assert {r.inputs["engineVersion"] for r in members} == {"8.0.mysql_aurora.3.10.4"}
    assert {r.inputs["autoMinorVersionUpgrade"] for r in dev.of("rds/clusterInstance:ClusterInstance")} == {False}
    assert {"engineVersion" in r.inputs for r in dev.of("rds/clusterInstance:ClusterInstance")} == {False}


def test_state_is_refreshed_so_an_upgrade_finds_the_members(dev: Run) -> None:
    """The global cluster is created empty, and the provider upgrades the members in its state only."""
    (global_cluster,), clusters = dev.of("rds/globalCluster:GlobalCluster"), dev.of("rds/cluster:Cluster")
    assert [r.name for r in clusters if global_cluster.urn not in r.dependencies] == []
    assert "always" == yaml.safe_load((PROGRAM / "Pulumi.yaml").read_text())["options"]["refresh"]


def test_another_order_of_zones_replaces_nothing(dev: Run) -> None:
    """Subnets and instances ignore changes of their zone."""
    for r in [*dev.of("ec2/subnet:Subnet"), *dev.of("rds/clusterInstance:ClusterInstance")]:
        assert "availabilityZone" in r.ignore_changes, str(r)


def test_rotated_password_is_not_restored(dev: Run) -> None:
    """Secret, cluster and setup ignore it; the label FIRST keeps the first version."""
    value = dev.one("secretsmanager/secretVersion:SecretVersion")
    assert value.ignore_changes == ("secretString", "versionStages")
    assert ["AWSCURRENT", "FIRST"] == value.inputs["versionStages"]
    assert "masterPassword" in dev.named("primary-database-cluster").ignore_changes
    assert dev.one("lambda/invocation:Invocation").ignore_changes == ("input",)


def test_zone_keeps_the_vpc_of_its_association(dev: Run) -> None:
    """A private zone needs one inline VPC; the other VPC is associated."""
    zone = dev.one("route53/zone:Zone")
    assert zone.ignore_changes == ("vpcs",)
    assert zone.inputs["vpcs"] == [{"vpcId": dev.exports["primary_vpc_id"], "vpcRegion": "us-east-1"}]
    association = dev.one("route53/zoneAssociation:ZoneAssociation").inputs
    assert association["vpcId"] == dev.exports["secondary_vpc_id"]
    assert association["vpcRegion"] == "eu-west-1"


def test_database_is_encrypted_and_audited_and_requires_tls(any_run: Run) -> None:
    """In every stack."""
    for cluster in any_run.of("rds/cluster:Cluster"):
        assert cluster.inputs["storageEncrypted"] is True
        assert cluster.inputs["iamDatabaseAuthenticationEnabled"] is True
        assert {"audit", "error", "slowquery"} <= set(cluster.inputs["enabledCloudwatchLogsExports"])
        assert cluster.inputs["copyTagsToSnapshot"] is True
        assert cluster.inputs["performanceInsightsEnabled"] is True
    for group in any_run.of("rds/clusterParameterGroup:ClusterParameterGroup"):
        parameters = {p["name"]: p["value"] for p in group.inputs["parameters"]}
        assert parameters["require_secure_transport"] == "ON"
        assert parameters["binlog_format"] == "OFF"
        assert parameters["event_scheduler"] == "ON"
        assert parameters["server_audit_logging"] == "1"
    for instance in any_run.of("rds/clusterInstance:ClusterInstance"):
        assert instance.inputs["publiclyAccessible"] is False
        assert instance.inputs["monitoringInterval"] > 0
