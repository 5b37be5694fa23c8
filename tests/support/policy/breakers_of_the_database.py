"""What breaks each rule on places, names, the database and its life: one change of a real stack a rule."""

from collections.abc import Mapping
from typing import Any

from tests.support.policy.breaking import (
    GONE,
    Breaker,
    another,
    both,
    hurried,
    inputs,
    options,
    unlinked,
    within,
    without,
)

CLUSTER, INSTANCE, WORLD = (
    "rds/cluster:Cluster",
    "rds/clusterInstance:ClusterInstance",
    "rds/globalCluster:GlobalCluster",
)
PARAMETERS = "rds/clusterParameterGroup:ClusterParameterGroup"
PROVIDER, PASSWORD = "pulumi:providers:aws", "random:index/randomPassword:RandomPassword"
SECRET, VERSION = "secretsmanager/secret:Secret", "secretsmanager/secretVersion:SecretVersion"
VPC, SUBNET, TOPIC, TABLE = "ec2/vpc:Vpc", "ec2/subnet:Subnet", "sns/topic:Topic", "dynamodb/table:Table"
ACCIDENT = "Calling __str__ on an Output[T] is not supported."


def _named(parameters: Any, name: str) -> Any:
    return next(parameter for parameter in parameters if parameter["name"] == name)


BREAKERS: Mapping[str, Breaker] = {
    "every-resource-has-a-provider-of-its-region": Breaker(
        change=options("iam/role:Role", provider="", region=""),
    ),
    "each-provider-has-a-region-of-its-own": Breaker(
        change=inputs(PROVIDER, "secondary", region="us-east-1"),
        also=frozenset({"secrets-are-kept-in-the-other-region-too"}),
    ),
    "no-resource-leaves-its-providers-region": Breaker(change=inputs(VPC, "secondary", region="us-east-1")),
    "inputs-come-from-the-same-region": Breaker(
        change=unlinked("ec2/routeTable:RouteTable", "primary", "vpcId", VPC, "secondary"),
    ),
    "no-output-became-a-text": Breaker(change=inputs(TOPIC, displayName=ACCIDENT)),
    "names-end-in-the-environment": Breaker(
        change=inputs("iam/role:Role", "health-check", name="payments-health-check")
    ),
    "names-are-such-as-the-service-takes": Breaker(
        change=inputs("lambda/permission:Permission", statementId="failover.events-dev")
    ),
    "names-are-given-once": Breaker(change=another("kms/alias:Alias", "primary")),
    "providers-add-the-cost-tags": Breaker(
        change=within(PROVIDER, "secondary", "defaultTags", lambda given: given["tags"].pop("CostCenter"))
    ),
    "tags-are-such-as-aws-takes": Breaker(change=inputs(TOPIC, tags={"Name": "topic-dev", "aws:owner": "us"})),
    "what-is-tagged-has-its-name": Breaker(change=inputs(TOPIC, tags={"Purpose": "notices"})),
    "every-resource-belongs-to-a-component": Breaker(change=options(TOPIC, parent="urn:pulumi:test::p::stack::test")),
    "a-secondary-has-no-user-of-its-own": Breaker(change=inputs(CLUSTER, "secondary", masterUsername="dbadmin")),
    "a-secondary-is-elsewhere-than-its-source": Breaker(change=inputs(CLUSTER, "secondary", sourceRegion="eu-west-1")),
    "members-are-encrypted-by-a-key-of-their-region": Breaker(
        change=inputs(CLUSTER, "secondary", storageEncrypted=GONE)
    ),
    "rds-manages-no-password": Breaker(change=inputs(CLUSTER, "primary", manageMasterUserPassword=True)),
    "all-members-have-one-exact-version": Breaker(
        change=inputs(CLUSTER, "secondary", engineVersion="8.0.mysql_aurora.3.10.3")
    ),
    "the-engine-is-aurora-mysql": Breaker(change=inputs(INSTANCE, engine="mysql")),
    "no-instance-upgrades-by-itself": Breaker(change=inputs(INSTANCE, autoMinorVersionUpgrade=GONE)),
    "instances-are-memory-optimised": Breaker(change=inputs(INSTANCE, instanceClass="db.t4g.large")),
    "serverless-members-have-enough-capacity": Breaker(
        change=both(
            inputs(INSTANCE, "primary-database-instance-1", instanceClass="db.serverless"),
            inputs(CLUSTER, "primary", serverlessv2ScalingConfiguration={"minCapacity": 0.5, "maxCapacity": 16}),
        )
    ),
    "a-global-database-is-not-backtracked": Breaker(change=inputs(CLUSTER, "primary", backtrackWindow=86400)),
    "a-backtrack-window-is-at-most-72-hours": Breaker(
        change=inputs(CLUSTER, "primary", backtrackWindow=259201),
        also=frozenset({"a-global-database-is-not-backtracked"}),
    ),
    "the-global-cluster-begins-empty": Breaker(
        change=inputs(WORLD, sourceDbClusterIdentifier="payments-us-east-1-dev")
    ),
    "every-cluster-is-a-member": Breaker(change=inputs(CLUSTER, "secondary", globalClusterIdentifier=GONE)),
    "backups-are-kept-for-a-week-or-more": Breaker(change=inputs(CLUSTER, backupRetentionPeriod=1)),
    "performance-insights-are-kept-for-a-period-that-aws-sells": Breaker(
        change=inputs(CLUSTER, performanceInsightsRetentionPeriod=30)
    ),
    "enhanced-monitoring-has-its-role": Breaker(change=inputs(INSTANCE, monitoringRoleArn=GONE)),
    "the-port-is-one-that-aurora-takes": Breaker(
        change=inputs(CLUSTER, "primary", port=1024),
        also=frozenset({"the-database-lets-in-its-port-alone"}),
    ),
    "the-master-user-is-one-that-aurora-takes": Breaker(change=inputs(PASSWORD, overrideSpecial="!@#")),
    "a-cluster-has-one-to-sixteen-instances": Breaker(
        change=both(
            without(INSTANCE, "secondary-database-instance-1"), without(INSTANCE, "secondary-database-instance-2")
        )
    ),
    "no-instance-is-public": Breaker(change=inputs(INSTANCE, publiclyAccessible=True)),
    "only-logs-that-aurora-mysql-has-are-exported": Breaker(
        change=inputs(CLUSTER, enabledCloudwatchLogsExports=["audit", "error", "postgresql"]),
    ),
    "parameters-belong-to-the-engine": Breaker(change=inputs(PARAMETERS, family="aurora-mysql5.7")),
    "the-database-takes-tls-only-and-writes-its-heartbeat": Breaker(
        change=within(
            PARAMETERS,
            "secondary",
            "parameters",
            lambda given: _named(given, "require_secure_transport").update(value="OFF"),
        )
    ),
    "a-subnet-group-spans-three-zones": Breaker(
        change=inputs(SUBNET, "primary-network-private-2", availabilityZone="zone-a")
    ),
    "windows-are-long-enough-and-apart": Breaker(
        change=inputs(CLUSTER, preferredBackupWindow="03:00-04:00", preferredMaintenanceWindow="sun:03:30-sun:04:30")
    ),
    "only-members-forward-writes": Breaker(
        change=inputs(CLUSTER, "secondary", globalClusterIdentifier=GONE, enableGlobalWriteForwarding=True),
        also=frozenset({"every-cluster-is-a-member"}),
    ),
    "production-keeps-its-data": Breaker(change=options(CLUSTER, "secondary", protect=False), production=True),
    "production-leaves-a-last-snapshot": Breaker(
        change=inputs(CLUSTER, "secondary", finalSnapshotIdentifier="final--prod"), production=True
    ),
    "production-can-call-keys-and-secrets-back": Breaker(
        change=inputs("kms/key:Key", deletionWindowInDays=7), production=True
    ),
    "other-stacks-can-be-destroyed-and-made-again": Breaker(change=inputs(CLUSTER, "primary", deletionProtection=True)),
    "members-leave-to-aws-what-a-failover-swaps": Breaker(
        change=options(CLUSTER, "secondary", ignore_changes=("engineVersion", "masterPassword"))
    ),
    "ignored-changes-are-inputs-in-camel-case": Breaker(
        change=options(INSTANCE, ignore_changes=("availabilityZone", "engine_version"))
    ),
    "a-rotated-password-stays-rotated": Breaker(change=options(VERSION, ignore_changes=())),
    "zones-stay-as-they-were-chosen": Breaker(change=options(SUBNET, ignore_changes=())),
    "a-zone-keeps-the-networks-that-were-associated": Breaker(change=options("route53/zone:Zone", ignore_changes=())),
    "it-is-known-what-would-replace-a-resource": Breaker(
        change=another(TOPIC, type="aws:sqs/queue:Queue"),
        also=frozenset({"only-database-instances-are-billed-by-the-hour"}),
    ),
    "what-replaces-a-cluster-is-settled-before": Breaker(change=unlinked(TABLE, "primary", "name", TOPIC, "primary")),
    "members-come-and-go-in-auroras-order": Breaker(
        change=hurried(CLUSTER, "secondary"), also=frozenset({"only-logs-that-aurora-mysql-has-are-exported"})
    ),
    "the-first-instance-comes-alone": Breaker(change=hurried(INSTANCE, "secondary-database-instance-2")),
    "the-right-to-remove-interfaces-goes-last": Breaker(
        change=hurried("ec2/securityGroup:SecurityGroup", "health-check")
    ),
    "controllers-start-when-everything-is-there": Breaker(change=hurried("scheduler/schedule:Schedule")),
    "only-database-instances-are-billed-by-the-hour": Breaker(
        change=another(VPC, type="aws:ec2/natGateway:NatGateway"),
        also=frozenset({"it-is-known-what-would-replace-a-resource", "nothing-leads-to-the-internet"}),
    ),
    "tables-and-functions-reserve-nothing": Breaker(change=inputs(TABLE, billingMode="PROVISIONED")),
    "classes-are-offered-in-their-region": Breaker(change=inputs(INSTANCE, instanceClass="db.r99g.large")),
    "versions-exist": Breaker(
        change=both(
            inputs(WORLD, engineVersion="8.0.mysql_aurora.3.10.99"),
            inputs(CLUSTER, "primary", engineVersion="8.0.mysql_aurora.3.10.99"),
            inputs(CLUSTER, "secondary", engineVersion="8.0.mysql_aurora.3.10.99"),
        )
    ),
    "zones-belong-to-their-region": Breaker(change=inputs(INSTANCE, "primary", availabilityZone="eu-west-1a")),
    "inputs-are-within-awss-schemas": Breaker(
        change=inputs(CLUSTER, databaseInsightsMode="premium", deletionProtection=False)
    ),
}
