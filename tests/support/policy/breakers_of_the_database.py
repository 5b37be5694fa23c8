"""A change of a stack that violates each rule on placement, database, lifecycle, cost and availability."""

from collections.abc import Mapping
from typing import Any

from tests.support.policy.breaking import (
    GONE,
    Breaker,
    another,
    both,
    inputs,
    options,
    unlinked,
    within,
    without,
    without_dependencies,
)

CLUSTER, INSTANCE, GLOBAL_CLUSTER = (
    "rds/cluster:Cluster",
    "rds/clusterInstance:ClusterInstance",
    "rds/globalCluster:GlobalCluster",
)
PARAMETERS = "rds/clusterParameterGroup:ClusterParameterGroup"
PROVIDER, PASSWORD = "pulumi:providers:aws", "random:index/randomPassword:RandomPassword"
SECRET, VERSION = "secretsmanager/secret:Secret", "secretsmanager/secretVersion:SecretVersion"
VPC, SUBNET, TOPIC, TABLE = "ec2/vpc:Vpc", "ec2/subnet:Subnet", "sns/topic:Topic", "dynamodb/table:Table"
STRINGIFIED_OUTPUT = "Calling __str__ on an Output[T] is not supported."


def _named(parameters: Any, name: str) -> Any:
    return next(parameter for parameter in parameters if parameter["name"] == name)


BREAKERS: Mapping[str, Breaker] = {
    "resources-have-explicit-providers": Breaker(
        change=options("iam/role:Role", provider="", region=""),
    ),
    "provider-regions-are-distinct": Breaker(
        change=inputs(PROVIDER, "secondary", region="us-east-1"),
        also=frozenset({"secrets-are-replicated"}),
    ),
    "resource-regions-match-providers": Breaker(change=inputs(VPC, "secondary", region="us-east-1")),
    "inputs-come-from-same-region": Breaker(
        change=unlinked("ec2/routeTable:RouteTable", "primary", "vpcId", VPC, "secondary"),
    ),
    "outputs-are-not-stringified": Breaker(change=inputs(TOPIC, displayName=STRINGIFIED_OUTPUT)),
    "names-end-with-environment": Breaker(change=inputs("iam/role:Role", "health-check", name="payments-health-check")),
    "names-match-service-constraints": Breaker(
        change=inputs("lambda/permission:Permission", statementId="failover.events-dev")
    ),
    "names-are-unique": Breaker(change=another("kms/alias:Alias", "primary")),
    "cost-tags-are-set": Breaker(
        change=within(PROVIDER, "secondary", "defaultTags", lambda tags: tags["tags"].pop("CostCenter"))
    ),
    "tags-match-aws-limits": Breaker(change=inputs(TOPIC, tags={"Name": "topic-dev", "aws:owner": "us"})),
    "tagged-resources-have-names": Breaker(change=inputs(TOPIC, tags={"Purpose": "notices"})),
    "resources-have-component-parents": Breaker(change=options(TOPIC, parent="urn:pulumi:test::p::stack::test")),
    "secondary-clusters-inherit-credentials": Breaker(change=inputs(CLUSTER, "secondary", masterUsername="dbadmin")),
    "secondary-clusters-are-in-another-region": Breaker(change=inputs(CLUSTER, "secondary", sourceRegion="eu-west-1")),
    "clusters-use-regional-kms-keys": Breaker(change=inputs(CLUSTER, "secondary", storageEncrypted=GONE)),
    "passwords-are-not-managed-by-rds": Breaker(change=inputs(CLUSTER, "primary", manageMasterUserPassword=True)),
    "engine-versions-match": Breaker(change=inputs(CLUSTER, "secondary", engineVersion="8.0.mysql_aurora.3.10.3")),
    "engines-are-aurora-mysql": Breaker(change=inputs(INSTANCE, engine="mysql")),
    "minor-upgrades-are-manual": Breaker(change=inputs(INSTANCE, autoMinorVersionUpgrade=GONE)),
    "instance-classes-are-memory-optimized": Breaker(change=inputs(INSTANCE, instanceClass="db.t4g.large")),
    "serverless-capacity-is-sufficient": Breaker(
        change=both(
            inputs(INSTANCE, "primary-database-instance-1", instanceClass="db.serverless"),
            inputs(CLUSTER, "primary", serverlessv2ScalingConfiguration={"minCapacity": 0.5, "maxCapacity": 16}),
        )
    ),
    "global-databases-disable-backtrack": Breaker(change=inputs(CLUSTER, "primary", backtrackWindow=86400)),
    "backtrack-windows-are-bounded": Breaker(
        change=inputs(CLUSTER, "primary", backtrackWindow=259201),
        also=frozenset({"global-databases-disable-backtrack"}),
    ),
    "global-clusters-start-empty": Breaker(
        change=inputs(GLOBAL_CLUSTER, sourceDbClusterIdentifier="payments-us-east-1-dev")
    ),
    "clusters-join-global-database": Breaker(change=inputs(CLUSTER, "secondary", globalClusterIdentifier=GONE)),
    "backup-retention-is-sufficient": Breaker(change=inputs(CLUSTER, backupRetentionPeriod=1)),
    "performance-insights-retention-is-valid": Breaker(change=inputs(CLUSTER, performanceInsightsRetentionPeriod=30)),
    "monitoring-intervals-are-valid": Breaker(change=inputs(INSTANCE, monitoringRoleArn=GONE)),
    "cluster-ports-are-valid": Breaker(
        change=inputs(CLUSTER, "primary", port=1024),
        also=frozenset({"database-ingress-uses-cluster-port"}),
    ),
    "master-credentials-are-valid": Breaker(change=inputs(PASSWORD, overrideSpecial="!@#")),
    "instance-counts-are-valid": Breaker(
        change=both(
            without(INSTANCE, "secondary-database-instance-1"), without(INSTANCE, "secondary-database-instance-2")
        )
    ),
    "instances-are-private": Breaker(change=inputs(INSTANCE, publiclyAccessible=True)),
    "exported-logs-have-log-groups": Breaker(
        change=inputs(CLUSTER, enabledCloudwatchLogsExports=["audit", "error", "postgresql"]),
    ),
    "parameters-match-engine-family": Breaker(change=inputs(PARAMETERS, family="aurora-mysql5.7")),
    "required-parameters-are-set": Breaker(
        change=within(
            PARAMETERS,
            "secondary",
            "parameters",
            lambda parameters: _named(parameters, "require_secure_transport").update(value="OFF"),
        )
    ),
    "subnet-groups-span-three-zones": Breaker(
        change=inputs(SUBNET, "primary-network-private-2", availabilityZone="zone-a")
    ),
    "maintenance-windows-are-valid": Breaker(
        change=inputs(CLUSTER, preferredBackupWindow="03:00-04:00", preferredMaintenanceWindow="sun:03:30-sun:04:30")
    ),
    "write-forwarding-requires-membership": Breaker(
        change=inputs(CLUSTER, "secondary", globalClusterIdentifier=GONE, enableGlobalWriteForwarding=True),
        also=frozenset({"clusters-join-global-database"}),
    ),
    "production-data-is-protected": Breaker(change=options(CLUSTER, "secondary", protect=False), production=True),
    "production-clusters-keep-final-snapshot": Breaker(
        change=inputs(CLUSTER, "secondary", finalSnapshotIdentifier="final--prod"), production=True
    ),
    "production-keys-and-secrets-are-recoverable": Breaker(
        change=inputs("kms/key:Key", deletionWindowInDays=7), production=True
    ),
    "nonproduction-stacks-are-destroyable": Breaker(change=inputs(CLUSTER, "primary", deletionProtection=True)),
    "failover-changes-are-ignored": Breaker(
        change=options(CLUSTER, "secondary", ignore_changes=("engineVersion", "masterPassword"))
    ),
    "ignored-changes-use-camel-case": Breaker(
        change=options(INSTANCE, ignore_changes=("availabilityZone", "engine_version"))
    ),
    "rotated-passwords-are-ignored": Breaker(change=options(VERSION, ignore_changes=())),
    "availability-zone-changes-are-ignored": Breaker(change=options(SUBNET, ignore_changes=())),
    "zone-associations-are-ignored": Breaker(change=options("route53/zone:Zone", ignore_changes=())),
    "replacement-inputs-are-known": Breaker(
        change=another(TOPIC, type="aws:kinesis/stream:Stream"),
        also=frozenset({"only-instances-are-billed-hourly"}),
    ),
    "replacement-inputs-are-stable": Breaker(change=unlinked(TABLE, "primary", "name", TOPIC, "primary")),
    "cluster-creation-is-ordered": Breaker(
        change=without_dependencies(CLUSTER, "secondary"), also=frozenset({"exported-logs-have-log-groups"})
    ),
    "writer-instances-are-created-first": Breaker(
        change=without_dependencies(INSTANCE, "secondary-database-instance-2")
    ),
    "network-permissions-outlive-interfaces": Breaker(
        change=without_dependencies("ec2/securityGroup:SecurityGroup", "health-check")
    ),
    "controllers-start-last": Breaker(change=without_dependencies("scheduler/schedule:Schedule")),
    "only-instances-are-billed-hourly": Breaker(
        change=another(VPC, type="aws:ec2/natGateway:NatGateway"),
        also=frozenset({"replacement-inputs-are-known", "networks-have-no-internet-access"}),
    ),
    "capacity-is-on-demand": Breaker(change=inputs(TABLE, billingMode="PROVISIONED")),
    "instance-classes-are-available": Breaker(change=inputs(INSTANCE, instanceClass="db.r99g.large")),
    "engine-versions-exist": Breaker(
        change=both(
            inputs(GLOBAL_CLUSTER, engineVersion="8.0.mysql_aurora.3.10.99"),
            inputs(CLUSTER, "primary", engineVersion="8.0.mysql_aurora.3.10.99"),
            inputs(CLUSTER, "secondary", engineVersion="8.0.mysql_aurora.3.10.99"),
        )
    ),
    "availability-zones-match-region": Breaker(change=inputs(INSTANCE, "primary", availabilityZone="eu-west-1a")),
    "inputs-match-aws-schemas": Breaker(
        change=inputs(CLUSTER, databaseInsightsMode="premium", deletionProtection=False)
    ),
}
