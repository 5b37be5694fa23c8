"""Life after day one: what a failover, an update and a destroy must leave alone, and in which order things come and go."""

import re
from collections.abc import Iterator

from policy.rules.replacement import CLOUDFORMATION_TYPES, create_only_properties
from policy.rules.rule import broken, rule
from policy.rules.stack_model import Finding, Resource, Stack

CLUSTER, INSTANCE, WORLD = (
    "rds/cluster:Cluster",
    "rds/clusterInstance:ClusterInstance",
    "rds/globalCluster:GlobalCluster",
)
SWAPPED_BY_AWS = (
    *("replicationSourceIdentifier", "globalClusterIdentifier", "engineVersion"),
    *("masterPassword", "masterUsername", "databaseName"),
)
HOLDS_DATA = frozenset(
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
def production_keeps_its_data(stack: Stack) -> Iterator[Finding]:
    """In production whatever holds data is protected by Pulumi, and by AWS where AWS can."""
    for r in stack.resources if stack.is_production else ():
        if r.type in HOLDS_DATA and not r.protect:
            yield broken(r, "protect", "a destroy would take it")
        if r.type in PROTECTED_BY_AWS and r.get(PROTECTED_BY_AWS[r.type]) is not True:
            yield broken(r, PROTECTED_BY_AWS[r.type], "anybody could delete it")


@rule("Deleting Aurora DB clusters: final snapshots, Aurora User Guide")
def production_leaves_a_last_snapshot(stack: Stack) -> Iterator[Finding]:
    """In production a cluster that is deleted leaves a last snapshot with a name that RDS takes, and its backups."""
    for r in stack.of(CLUSTER) if stack.is_production else ():
        name = r.get("finalSnapshotIdentifier")
        if (
            r.get("skipFinalSnapshot")
            or not isinstance(name, str)
            or not re.fullmatch(r"[A-Za-z](-?[A-Za-z0-9]){0,254}", name)
        ):
            yield broken(r, "finalSnapshotIdentifier", f"{name!r}")
        if r.get("deleteAutomatedBackups") is not False:
            yield broken(r, "deleteAutomatedBackups", "its backups would go with it")


@rule("ScheduleKeyDeletion; DeleteSecret: what is gone can be called back for a month")
def production_can_call_keys_and_secrets_back(stack: Stack) -> Iterator[Finding]:
    """In production a deleted key or secret can be called back for 30 days."""
    if stack.is_production:
        for kind, name in (
            ("kms/key:Key", "deletionWindowInDays"),
            ("secretsmanager/secret:Secret", "recoveryWindowInDays"),
        ):
            for r in stack.of(kind):
                if r.get(name) != 30:
                    yield broken(r, name, f"{r.get(name)} days")


@rule("The decision that a stack which is no production can always be destroyed, DESIGN and components/region.py")
def other_stacks_can_be_destroyed_and_made_again(stack: Stack) -> Iterator[Finding]:
    """Outside production nothing resists a destroy, and no name stays taken after it."""
    if stack.is_production:
        return
    for r in stack.resources:
        if r.protect:
            yield broken(r, "protect", "a destroy would stop here")
        for name in ("deletionProtection", "deletionProtectionEnabled"):
            if r.get(name):
                yield broken(r, name, "a destroy would stop here")
    for r in stack.of(CLUSTER):
        if r.get("skipFinalSnapshot") is not True:
            yield broken(r, "skipFinalSnapshot", "the second destroy would find the snapshot's name taken")
    for kind, name, wanted in (
        ("kms/key:Key", "deletionWindowInDays", 7),
        ("secretsmanager/secret:Secret", "recoveryWindowInDays", 0),
        ("secretsmanager/secret:Secret", "forceOverwriteReplicaSecret", True),
        ("route53/zone:Zone", "forceDestroy", True),
    ):
        for r in stack.of(kind):
            if r.inputs.get(name) != wanted:
                yield broken(r, name, f"{r.inputs.get(name)}, not {wanted}")


@rule("aws_rds_cluster, Terraform provider; DESIGN section 6: after a failover AWS has swapped the roles")
def members_leave_to_aws_what_a_failover_swaps(stack: Stack) -> Iterator[Finding]:
    """Both members ignore what AWS changes in a failover, an upgrade or a rotation: repairing it detaches or replaces them."""
    for r in stack.of(CLUSTER):
        if missing := [name for name in SWAPPED_BY_AWS if name not in r.ignore_changes]:
            yield broken(r, "ignoreChanges", f"without {', '.join(missing)}")


@rule("The ignoreChanges resource option: property paths, Pulumi documentation")
def ignored_changes_are_inputs_in_camel_case(stack: Stack) -> Iterator[Finding]:
    """What is ignored is written as Pulumi names it: a name in snake_case ignores nothing, and says nothing."""
    for r in stack.resources:
        for name in r.ignore_changes:
            if not re.fullmatch(r"\*|[a-z][A-Za-z0-9]*([.\[].+)?", name):
                yield broken(r, "ignoreChanges", f"{name!r}")


@rule("Rotating secrets: the program must not rotate back, components/credentials.py")
def a_rotated_password_stays_rotated(stack: Stack) -> Iterator[Finding]:
    """The secret's value and the set-up's input are left as they are after the first deployment."""
    for kind, name in (
        ("secretsmanager/secretVersion:SecretVersion", "secretString"),
        ("lambda/invocation:Invocation", "input"),
    ):
        for r in stack.of(kind):
            if name not in r.ignore_changes:
                yield broken(r, "ignoreChanges", f"without {name}")


@rule(
    "DescribeAvailabilityZones names no order: a new order would replace subnets and instances, components/network.py"
)
def zones_stay_as_they_were_chosen(stack: Stack) -> Iterator[Finding]:
    """Subnets and instances ignore a change of their zone, which would replace them."""
    for kind in ("ec2/subnet:Subnet", INSTANCE):
        for r in stack.of(kind):
            if "availabilityZone" not in r.ignore_changes:
                yield broken(r, "ignoreChanges", "without availabilityZone")


@rule("aws_route53_zone: use ignore_changes with associations of their own, Terraform provider")
def a_zone_keeps_the_networks_that_were_associated(stack: Stack) -> Iterator[Finding]:
    """A zone with associations of their own ignores its list of networks, or it would detach them."""
    for zone in stack.of("route53/zone:Zone"):
        associated = [
            a
            for a in stack.of("route53/zoneAssociation:ZoneAssociation")
            if zone in stack.behind(a, "zoneId", "route53/zone:Zone")
        ]
        if associated and "vpcs" not in zone.ignore_changes:
            yield broken(zone, "ignoreChanges", "without vpcs")


@rule("AWS's resource schemas: createOnlyProperties (policy/rules/replacement.py)")
def it_is_known_what_would_replace_a_resource(stack: Stack) -> Iterator[Finding]:
    """Of every type it is known which changes replace it."""
    for r in stack.resources:
        if r.type.startswith(("aws:", "random:")) and r.type not in CLOUDFORMATION_TYPES:
            yield broken(r, "", "nobody has looked what replaces this type (policy/rules/replacement.py)")


@rule("AWS's resource schemas: createOnlyProperties; Outputs are unknown before they are made, Pulumi documentation")
def what_replaces_a_cluster_is_settled_before(stack: Stack) -> Iterator[Finding]:
    """What would replace a database or its table is a setting, or comes from what is itself protected or named by settings."""
    settled = {"aws:kms/key:Key", "aws:rds/subnetGroup:SubnetGroup", "aws:rds/globalCluster:GlobalCluster"}
    by_urn = {r.urn: r for r in stack.resources}
    for r in stack.resources:
        if r.type not in ("aws:rds/cluster:Cluster", "aws:rds/globalCluster:GlobalCluster", "aws:dynamodb/table:Table"):
            continue
        for name in create_only_properties(r.type) - set(r.ignore_changes):
            for source in (by_urn[urn] for urn in r.property_dependencies.get(name, ()) if urn in by_urn):
                if source.type.startswith(("aws:", "random:")) and source.type not in settled:
                    yield broken(r, name, f"comes from {source}: its replacement would replace this")


@rule("Creating an Amazon Aurora global database; Deleting Aurora DB clusters, Aurora User Guide")
def members_come_and_go_in_auroras_order(stack: Stack) -> Iterator[Finding]:
    """Global cluster, primary, its instances, secondary, its instances; on destroy the reverse."""
    for r in stack.of(CLUSTER):
        for world in stack.of(WORLD):
            if not stack.waits_for(r, world):
                yield broken(r, "dependsOn", "not after the global cluster")
    instances = {r.urn: r for r in stack.of(INSTANCE)}
    for secondary in stack.secondaries:
        for primary in stack.primaries:
            for instance in _instances(stack, primary, list(instances.values())):
                if not stack.waits_for(secondary, instance):
                    yield broken(secondary, "dependsOn", f"not after {instance.name}")


@rule("Aurora makes the first instance the writer: Creating an Aurora DB cluster, Aurora User Guide")
def the_first_instance_comes_alone(stack: Stack) -> Iterator[Finding]:
    """A cluster's other instances wait for the one of tier 0, so that it becomes the writer, and go before it."""
    for cluster in stack.of(CLUSTER):
        members = _instances(stack, cluster, stack.of(INSTANCE))
        firsts = [r for r in members if r.get("promotionTier") == 0]
        for r in members:
            if r not in firsts and not all(stack.waits_for(r, first) for first in firsts):
                yield broken(r, "dependsOn", "may become the writer")


@rule(
    "Lambda removes a function's network interfaces with its role, Giving Lambda functions access to resources in a VPC"
)
def the_right_to_remove_interfaces_goes_last(stack: Stack) -> Iterator[Finding]:
    """A function's security group waits for the right to remove interfaces, and so goes before it: or it stays for ever."""
    connecting = [p for p in stack.of("iam/rolePolicy:RolePolicy") if p.name.endswith("network-permission")]
    for function in stack.of("lambda/function:Function"):
        for group in stack.behind(function, "vpcConfig", "ec2/securityGroup:SecurityGroup"):
            if not any(stack.waits_for(group, permission) for permission in connecting):
                yield broken(group, "dependsOn", "not after the right to remove its interfaces")


@rule("DESIGN section 4: a first cycle before everything is there would find a disaster")
def controllers_start_when_everything_is_there(stack: Stack) -> Iterator[Finding]:
    """A schedule waits for all instances, the routes both ways, and the set-up of the database."""
    needed = [r for kind in (INSTANCE, "ec2/route:Route", "lambda/invocation:Invocation") for r in stack.of(kind)]
    for schedule in stack.of("scheduler/schedule:Schedule"):
        for r in needed:
            if not stack.waits_for(schedule, r):
                yield broken(schedule, "dependsOn", f"not after {r}")


def _instances(stack: Stack, cluster: Resource, among: list[Resource]) -> list[Resource]:
    return [r for r in among if cluster in stack.behind(r, "clusterIdentifier", CLUSTER)]
