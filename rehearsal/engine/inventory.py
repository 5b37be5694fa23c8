"""What there is in a region, service by service, as the API lists it: nothing may be left after a destroy.

Owns: the list of what is looked at, and what AWS itself leaves behind and so doesn't count.
Does not own: the deletion (destruction.py).
Invariant: it asks the API, never the state: what a destroy forgot is found because nobody remembers it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rehearsal.provider.resources.outcome import GLOBAL
from rehearsal.support.clients import ClientFactory

THREADS = 8
GLOBAL_REGION = "us-east-1"
"""Where the services without a region are asked."""


@dataclass(frozen=True, kw_only=True, order=True)
class Found:
    """One resource that the API lists."""

    region: str
    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.region}: {self.kind} {self.id}"


Listing = Callable[[Any], Iterable[str]]
"""From a service's client to the ids of what it lists."""


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**arguments):
            yield from page.get(key, [])
    else:
        yield from getattr(client, operation)(**arguments).get(key, [])


def _every(operation: str, key: str, name: str = "") -> Listing:
    """List everything that an operation lists, by the field `name`, or as it is."""
    return lambda client: (each[name] if name else each for each in _pages(client, operation, key))


def _default_vpcs(ec2: Any) -> set[str]:
    """Return the VPCs that AWS gives to every account; what belongs to them is nobody's."""
    return {vpc["VpcId"] for vpc in _pages(ec2, "describe_vpcs", "Vpcs") if vpc.get("IsDefault")}


def _of_our_networks(operation: str, key: str, name: str) -> Listing:
    def listing(ec2: Any) -> Iterator[str]:
        default = _default_vpcs(ec2)
        return (each[name] for each in _pages(ec2, operation, key) if each.get("VpcId") not in default)

    return listing


def _live_peerings(ec2: Any) -> Iterator[str]:
    """A deleted peering is listed for hours. Source: VPC peering connection lifecycle."""
    for each in _pages(ec2, "describe_vpc_peering_connections", "VpcPeeringConnections"):
        if each["Status"]["Code"] not in ("deleted", "deleting", "rejected", "expired", "failed"):
            yield each["VpcPeeringConnectionId"]


def _live_keys(kms: Any) -> Iterator[str]:
    """A key that waits for its deletion can't be used, and costs nothing. Source: Deleting AWS KMS keys."""
    for each in _pages(kms, "list_keys", "Keys"):
        described = kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"]
        if described["KeyManager"] == "CUSTOMER" and described["KeyState"] not in (
            "PendingDeletion",
            "PendingReplicaDeletion",
        ):
            yield each["KeyId"]


def _aliases(kms: Any) -> Iterator[str]:
    for each in _pages(kms, "list_aliases", "Aliases"):
        if not each["AliasName"].startswith("alias/aws/"):
            yield each["AliasName"]


def _secrets(client: Any) -> Iterator[str]:
    """A secret in its recovery window holds its name: it counts only until its deletion is planned."""
    return (each["Name"] for each in _pages(client, "list_secrets", "SecretList") if not each.get("DeletedDate"))


def _parameter_groups(operation: str, key: str, name: str) -> Listing:
    return lambda rds: (each[name] for each in _pages(rds, operation, key) if not each[name].startswith("default"))


def _own_policies(iam: Any) -> Iterator[str]:
    return (each["Arn"] for each in _pages(iam, "list_policies", "Policies", Scope="Local"))


def _roles(iam: Any) -> Iterator[str]:
    for each in _pages(iam, "list_roles", "Roles"):
        if not each["Path"].startswith("/aws-service-role/"):
            yield each["RoleName"]


def _alarms(cloudwatch: Any) -> Iterator[str]:
    for key in ("MetricAlarms", "CompositeAlarms"):
        yield from (each["AlarmName"] for each in _pages(cloudwatch, "describe_alarms", key))


REGIONAL: Sequence[tuple[str, str, Listing]] = (
    ("ec2", "VPC", lambda ec2: (v["VpcId"] for v in _pages(ec2, "describe_vpcs", "Vpcs") if not v.get("IsDefault"))),
    ("ec2", "subnet", _of_our_networks("describe_subnets", "Subnets", "SubnetId")),
    ("ec2", "route table", _of_our_networks("describe_route_tables", "RouteTables", "RouteTableId")),
    ("ec2", "security group", _of_our_networks("describe_security_groups", "SecurityGroups", "GroupId")),
    ("ec2", "network interface", _every("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId")),
    ("ec2", "VPC peering", _live_peerings),
    ("kms", "key", _live_keys),
    ("kms", "key alias", _aliases),
    ("secretsmanager", "secret", _secrets),
    ("rds", "global cluster", _every("describe_global_clusters", "GlobalClusters", "GlobalClusterIdentifier")),
    ("rds", "cluster", _every("describe_db_clusters", "DBClusters", "DBClusterIdentifier")),
    ("rds", "instance", _every("describe_db_instances", "DBInstances", "DBInstanceIdentifier")),
    (
        "rds",
        "cluster snapshot",
        _every("describe_db_cluster_snapshots", "DBClusterSnapshots", "DBClusterSnapshotIdentifier"),
    ),
    ("rds", "subnet group", _every("describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName")),
    (
        "rds",
        "cluster parameter group",
        _parameter_groups(
            "describe_db_cluster_parameter_groups", "DBClusterParameterGroups", "DBClusterParameterGroupName"
        ),
    ),
    (
        "rds",
        "parameter group",
        _parameter_groups("describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"),
    ),
    ("lambda", "function", _every("list_functions", "Functions", "FunctionName")),
    ("scheduler", "schedule", _every("list_schedules", "Schedules", "Name")),
    ("events", "event rule", _every("list_rules", "Rules", "Name")),
    ("logs", "log group", _every("describe_log_groups", "logGroups", "logGroupName")),
    ("cloudwatch", "alarm", _alarms),
    ("cloudwatch", "dashboard", _every("list_dashboards", "DashboardEntries", "DashboardName")),
    ("sns", "topic", _every("list_topics", "Topics", "TopicArn")),
    ("sns", "subscription", _every("list_subscriptions", "Subscriptions", "SubscriptionArn")),
    ("dynamodb", "table", _every("list_tables", "TableNames")),
)
"""(service, what it is, how it is listed), asked in each region."""

WITHOUT_REGION: Sequence[tuple[str, str, Listing]] = (
    ("iam", "role", _roles),
    ("iam", "policy", _own_policies),
    ("route53", "hosted zone", _every("list_hosted_zones", "HostedZones", "Id")),
    ("route53", "health check", _every("list_health_checks", "HealthChecks", "Id")),
)
"""The same for the services that have no region."""


def take_inventory(clients: ClientFactory, regions: Sequence[str]) -> tuple[Found, ...]:
    """Return everything that the API lists in the regions and in the services without one; sorted.

    Raises: ClientError or BotoCoreError when a service can't be asked: what was not looked at is not empty.
    """
    asked = [(region, region, *row) for region in regions for row in REGIONAL]
    asked += [(GLOBAL, GLOBAL_REGION, *row) for row in WITHOUT_REGION]

    def look(row: tuple[str, str, str, str, Listing]) -> list[Found]:
        shown, region, service, kind, listing = row
        return [Found(region=shown, kind=kind, id=str(each)) for each in listing(clients(service, region))]

    with ThreadPoolExecutor(THREADS, thread_name_prefix="inventory") as pool:
        return tuple(sorted(found for each in pool.map(look, asked) for found in each))
