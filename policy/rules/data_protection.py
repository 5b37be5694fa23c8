"""Rules on failover, update and destroy: protection, ignored changes and replacement."""

import re
from collections.abc import Iterator

from policy.rules.replacement import CLOUDFORMATION_TYPES, create_only_properties
from policy.rules.rule import rule, violation
from policy.rules.stack_model import Stack, Violation

CLUSTER, INSTANCE = "rds/cluster:Cluster", "rds/clusterInstance:ClusterInstance"
CHANGED_BY_AWS = (
    *("replicationSourceIdentifier", "globalClusterIdentifier", "engineVersion"),
    *("masterPassword", "masterUsername", "databaseName"),
)
DATA_TYPES = frozenset(
    {
        "random:index/randomPassword:RandomPassword",
        "aws:secretsmanager/secret:Secret",
        "aws:secretsmanager/secretVersion:SecretVersion",
        "aws:kms/key:Key",
        "aws:rds/globalCluster:GlobalCluster",
        "aws:rds/cluster:Cluster",
        "aws:dynamodb/table:Table",
    }
)
PROTECTED_BY_AWS = {
    "aws:rds/globalCluster:GlobalCluster": "deletionProtection",
    "aws:rds/cluster:Cluster": "deletionProtection",
    "aws:dynamodb/table:Table": "deletionProtectionEnabled",
}


@rule("The protect resource option, Pulumi documentation; DeletionProtection, Amazon RDS and DynamoDB API Reference")
def production_data_is_protected(stack: Stack) -> Iterator[Violation]:
    """In production, every resource that holds data is protected by Pulumi and, where supported, by AWS."""
    for r in stack.resources if stack.is_production else ():
        if r.type in DATA_TYPES and not r.protect:
            yield violation(r, "protect", "A destroy deletes the resource. Set protect to true.")
        if r.type in PROTECTED_BY_AWS and r.get(PROTECTED_BY_AWS[r.type]) is not True:
            yield violation(
                r, PROTECTED_BY_AWS[r.type], "AWS deletes the resource on request. Enable deletion protection."
            )


@rule("Deleting Aurora DB clusters: final snapshots, Aurora User Guide")
def production_clusters_keep_final_snapshot(stack: Stack) -> Iterator[Violation]:
    """In production, a deleted cluster leaves a final snapshot with a valid name and its automated backups."""
    for r in stack.of_type(CLUSTER) if stack.is_production else ():
        name = r.get("finalSnapshotIdentifier")
        if (
            r.get("skipFinalSnapshot")
            or not isinstance(name, str)
            or not re.fullmatch(r"[A-Za-z](-?[A-Za-z0-9]){0,254}", name)
        ):
            yield violation(
                r, "finalSnapshotIdentifier", f"{name!r} is not the name of a final snapshot. Set a valid name."
            )
        if r.get("deleteAutomatedBackups") is not False:
            yield violation(r, "deleteAutomatedBackups", "AWS deletes the backups with the cluster. Set it to false.")


@rule("ScheduleKeyDeletion, AWS KMS API Reference; DeleteSecret, AWS Secrets Manager API Reference")
def production_keys_and_secrets_are_recoverable(stack: Stack) -> Iterator[Violation]:
    """In production, a deleted key or secret is recoverable for 30 days."""
    if stack.is_production:
        for kind, name in (
            ("kms/key:Key", "deletionWindowInDays"),
            ("secretsmanager/secret:Secret", "recoveryWindowInDays"),
        ):
            for r in stack.of_type(kind):
                if r.get(name) != 30:
                    yield violation(r, name, f"{r.get(name)} days is too short. Use 30 days.")


@rule("The decision that a non-production stack can always be destroyed, components/region.py")
def nonproduction_stacks_are_destroyable(stack: Stack) -> Iterator[Violation]:
    """Outside production, a destroy deletes every resource and frees every name."""
    if stack.is_production:
        return
    for r in stack.resources:
        if r.protect:
            yield violation(r, "protect", "It makes a destroy fail. Set it to false.")
        for name in ("deletionProtection", "deletionProtectionEnabled"):
            if r.get(name):
                yield violation(r, name, "It makes a destroy fail. Set it to false.")
    for r in stack.of_type(CLUSTER):
        if r.get("skipFinalSnapshot") is not True:
            yield violation(
                r, "skipFinalSnapshot", "A second destroy fails because the snapshot's name is taken. Set it to true."
            )
    for kind, name, wanted in (
        ("kms/key:Key", "deletionWindowInDays", 7),
        ("secretsmanager/secret:Secret", "recoveryWindowInDays", 0),
        ("secretsmanager/secret:Secret", "forceOverwriteReplicaSecret", True),
        ("route53/zone:Zone", "forceDestroy", True),
    ):
        for r in stack.of_type(kind):
            if r.inputs.get(name) != wanted:
                yield violation(r, name, f"The value is {r.inputs.get(name)}. Set it to {wanted}.")


@rule("aws_rds_cluster, Terraform provider: AWS changes these inputs in a failover")
def failover_changes_are_ignored(stack: Stack) -> Iterator[Violation]:
    """The clusters of both regions ignore inputs that AWS changes in a failover, an upgrade or a rotation."""
    for r in stack.of_type(CLUSTER):
        if missing := [name for name in CHANGED_BY_AWS if name not in r.ignore_changes]:
            yield violation(r, "ignoreChanges", f"A deployment reverts changes by AWS. Add {', '.join(missing)}.")


@rule("The ignoreChanges resource option: property paths, Pulumi documentation")
def ignored_changes_use_camel_case(stack: Stack) -> Iterator[Violation]:
    """Names in ignore_changes are in camelCase, because Pulumi ignores other names silently."""
    for r in stack.resources:
        for name in r.ignore_changes:
            if not re.fullmatch(r"\*|[a-z][A-Za-z0-9]*([.\[].+)?", name):
                yield violation(r, "ignoreChanges", f"{name!r} matches no input. Write it in camelCase.")


@rule("Rotate AWS Secrets Manager secrets, Secrets Manager User Guide; components/credentials.py")
def rotated_passwords_are_ignored(stack: Stack) -> Iterator[Violation]:
    """The program ignores changes of the secret's value and of the database setup's input."""
    for kind, name in (
        ("secretsmanager/secretVersion:SecretVersion", "secretString"),
        ("lambda/invocation:Invocation", "input"),
    ):
        for r in stack.of_type(kind):
            if name not in r.ignore_changes:
                yield violation(r, "ignoreChanges", f"A deployment reverts a rotated password. Add {name}.")


@rule(
    "DescribeAvailabilityZones has no fixed order: a new order replaces subnets and instances, Amazon EC2 API Reference"
)
def availability_zone_changes_are_ignored(stack: Stack) -> Iterator[Violation]:
    """Subnets and instances ignore a change of their Availability Zone, which replaces them."""
    for kind in ("ec2/subnet:Subnet", INSTANCE):
        for r in stack.of_type(kind):
            if "availabilityZone" not in r.ignore_changes:
                yield violation(r, "ignoreChanges", "A new zone order replaces the resource. Add availabilityZone.")


@rule("aws_route53_zone: ignore_changes with separate associations, Terraform provider")
def zone_associations_are_ignored(stack: Stack) -> Iterator[Violation]:
    """A hosted zone with separate associations ignores changes of its VPC list."""
    for zone in stack.of_type("route53/zone:Zone"):
        associated = [
            a
            for a in stack.of_type("route53/zoneAssociation:ZoneAssociation")
            if zone in stack.references(a, "zoneId", "route53/zone:Zone")
        ]
        if associated and "vpcs" not in zone.ignore_changes:
            yield violation(zone, "ignoreChanges", "A deployment detaches associated VPCs. Add vpcs.")


@rule("AWS's resource schemas: createOnlyProperties (policy/rules/replacement.py)")
def replacement_inputs_are_known(stack: Stack) -> Iterator[Violation]:
    """The inputs that force a replacement are known for every resource type."""
    for r in stack.resources:
        if r.type.startswith(("aws:", "random:")) and r.type not in CLOUDFORMATION_TYPES:
            yield violation(
                r, "", "The type's replacement inputs are unknown. Add the type to policy/rules/replacement.py."
            )


@rule("AWS's resource schemas: createOnlyProperties; Outputs are unknown before creation, Pulumi documentation")
def replacement_inputs_are_stable(stack: Stack) -> Iterator[Violation]:
    """Inputs that replace a cluster or its table come from settings or protected resources."""
    stable_types = {"aws:kms/key:Key", "aws:rds/subnetGroup:SubnetGroup", "aws:rds/globalCluster:GlobalCluster"}
    by_urn = {r.urn: r for r in stack.resources}
    for r in stack.resources:
        if r.type not in ("aws:rds/cluster:Cluster", "aws:rds/globalCluster:GlobalCluster", "aws:dynamodb/table:Table"):
            continue
        for name in create_only_properties(r.type) - set(r.ignore_changes):
            for source in (by_urn[urn] for urn in r.property_dependencies.get(name, ()) if urn in by_urn):
                if source.type.startswith(("aws:", "random:")) and source.type not in stable_types:
                    yield violation(
                        r,
                        name,
                        f"The value comes from {source}, whose replacement replaces this resource. Use a setting.",
                    )
