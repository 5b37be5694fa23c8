"""Rules on the order of creation that only a change of the program can break."""

from collections.abc import Iterator

from policy.rules.database import CLUSTER, GLOBAL_CLUSTER, INSTANCE
from policy.rules.rule import rule, violation
from policy.rules.stack_model import RegisteredResource, Stack, Violation
from tests.support.policy.graph import depends_on, primary_clusters, secondary_clusters


@rule("Creating an Amazon Aurora global database; Deleting Aurora DB clusters, Aurora User Guide")
def cluster_creation_is_ordered(stack: Stack) -> Iterator[Violation]:
    """The global cluster is created first, then the primary cluster and its instances, then the secondary."""
    for r in stack.of_type(CLUSTER):
        for global_cluster in stack.of_type(GLOBAL_CLUSTER):
            if not depends_on(stack, r, global_cluster):
                yield violation(r, "dependsOn", "not after the global cluster")
    instances = {r.urn: r for r in stack.of_type(INSTANCE)}
    for secondary in secondary_clusters(stack):
        for primary in primary_clusters(stack):
            for instance in _cluster_instances(stack, primary, list(instances.values())):
                if not depends_on(stack, secondary, instance):
                    yield violation(secondary, "dependsOn", f"not after {instance.name}")


@rule("Aurora makes the first instance the writer: Creating an Aurora DB cluster, Aurora User Guide")
def writer_instances_are_created_first(stack: Stack) -> Iterator[Violation]:
    """A cluster's other instances depend on the instance with tier 0, which becomes the writer."""
    for cluster in stack.of_type(CLUSTER):
        members = _cluster_instances(stack, cluster, stack.of_type(INSTANCE))
        firsts = [r for r in members if r.get("promotionTier") == 0]
        for r in members:
            if r not in firsts and not all(depends_on(stack, r, first) for first in firsts):
                yield violation(r, "dependsOn", "may become the writer")


@rule(
    "Lambda removes a function's network interfaces with its role, Giving Lambda functions access to resources in a VPC"
)
def network_permissions_outlive_interfaces(stack: Stack) -> Iterator[Violation]:
    """A function's security group depends on the permission to remove network interfaces."""
    connecting = [p for p in stack.of_type("iam/rolePolicy:RolePolicy") if p.name.endswith("network-permission")]
    for function in stack.of_type("lambda/function:Function"):
        for group in stack.references(function, "vpcConfig", "ec2/securityGroup:SecurityGroup"):
            if not any(depends_on(stack, group, permission) for permission in connecting):
                yield violation(
                    group, "dependsOn", "the group does not depend on the permission to remove its network interfaces"
                )


@rule("A first cycle before the deployment is complete would detect an outage, components/failover_controller.py")
def controllers_start_last(stack: Stack) -> Iterator[Violation]:
    """A schedule depends on all instances, the routes in both directions and the database setup."""
    needed = [r for kind in (INSTANCE, "ec2/route:Route", "lambda/invocation:Invocation") for r in stack.of_type(kind)]
    for schedule in stack.of_type("scheduler/schedule:Schedule"):
        for r in needed:
            if not depends_on(stack, schedule, r):
                yield violation(schedule, "dependsOn", f"not after {r}")


def _cluster_instances(
    stack: Stack, cluster: RegisteredResource, among: list[RegisteredResource]
) -> list[RegisteredResource]:
    return [r for r in among if cluster in stack.references(r, "clusterIdentifier", CLUSTER)]
