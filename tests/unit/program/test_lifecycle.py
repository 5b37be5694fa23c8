"""Life after day one: what a failover, an update and a destroy may and may not do."""

import pytest
import yaml

from tests.support.program.harness import PROGRAM, Run

HOLDS_DATA = {
    # No data themselves, but what the database stands in and what its clients know it by.
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


def test_a_dev_stack_can_always_be_destroyed(dev: Run) -> None:
    """No protection by Pulumi, none by AWS, no final snapshot, keys and secrets gone as soon as AWS allows."""
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
def test_what_holds_data_is_protected_in_production(run_name: str, request: pytest.FixtureRequest) -> None:
    """By Pulumi, and by AWS where AWS can."""
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


def test_a_change_of_roles_by_aws_is_no_change_to_the_program(any_run: Run) -> None:
    """Both members leave to AWS what a failover swaps; a provider that repaired it would detach or replace a cluster."""
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
        # In the state nevertheless: only then does the provider detach the cluster before it deletes it.
        assert cluster.inputs["globalClusterIdentifier"]


def test_the_secondary_is_given_what_aws_wants_and_nothing_that_it_refuses(dev: Run) -> None:
    """No user, no password, no database; its own key, encryption, and where its source is."""
    secondary = dev.named("secondary-database-cluster").inputs
    assert {"masterUsername", "masterPassword", "databaseName", "manageMasterUserPassword"} & set(secondary) == set()
    assert secondary["sourceRegion"] == "us-east-1"
    assert secondary["storageEncrypted"] is True
    assert secondary["kmsKeyId"] == dev.exports["secondary_key_arn"]
    assert "sourceRegion" not in dev.named("primary-database-cluster").inputs


def test_all_members_have_one_exact_version_and_never_upgrade_alone(dev: Run) -> None:
    """A failover needs the same version on both sides."""
    members = [*dev.of("rds/cluster:Cluster"), dev.one("rds/globalCluster:GlobalCluster")]
    assert {r.inputs["engineVersion"] for r in members} == {"8.0.mysql_aurora.3.10.4"}
    assert {r.inputs["autoMinorVersionUpgrade"] for r in dev.of("rds/clusterInstance:ClusterInstance")} == {False}
    assert {"engineVersion" in r.inputs for r in dev.of("rds/clusterInstance:ClusterInstance")} == {False}


def test_an_upgrade_finds_the_members_of_the_global_cluster(dev: Run) -> None:
    """It is made before them and empty: its state names them only after a refresh, and the provider upgrades whom it names."""
    (world,), clusters = dev.of("rds/globalCluster:GlobalCluster"), dev.of("rds/cluster:Cluster")
    assert [r.name for r in clusters if world.urn not in r.dependencies] == []
    assert "always" == yaml.safe_load((PROGRAM / "Pulumi.yaml").read_text())["options"]["refresh"]


def test_a_new_order_of_aws_zones_replaces_nothing(dev: Run) -> None:
    """A subnet or an instance stays in the zone in which it was made."""
    for r in [*dev.of("ec2/subnet:Subnet"), *dev.of("rds/clusterInstance:ClusterInstance")]:
        assert "availabilityZone" in r.ignore_changes, str(r)


def test_a_rotated_password_is_not_rotated_back(dev: Run) -> None:
    """Secret, cluster and set-up keep what a person put there; AWS keeps the first version, for it has a label of its own."""
    value = dev.one("secretsmanager/secretVersion:SecretVersion")
    assert value.ignore_changes == ("secretString", "versionStages")
    assert ["AWSCURRENT", "FIRST"] == value.inputs["versionStages"]
    assert "masterPassword" in dev.named("primary-database-cluster").ignore_changes
    assert dev.one("lambda/invocation:Invocation").ignore_changes == ("input",)


def test_the_zone_keeps_the_network_that_an_association_attached(dev: Run) -> None:
    """The zone names one network inline, or it would be public; the other one comes by association."""
    zone = dev.one("route53/zone:Zone")
    assert zone.ignore_changes == ("vpcs",)
    assert zone.inputs["vpcs"] == [{"vpcId": dev.exports["primary_vpc_id"], "vpcRegion": "us-east-1"}]
    association = dev.one("route53/zoneAssociation:ZoneAssociation").inputs
    assert association["vpcId"] == dev.exports["secondary_vpc_id"]
    assert association["vpcRegion"] == "eu-west-1"


def test_the_database_is_encrypted_audited_and_takes_tls_only(any_run: Run) -> None:
    """What a bank's auditor asks first."""
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
