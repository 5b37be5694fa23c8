"""Lists the resources of a region through the API, service by service: a destroy must leave none.

The state is not consulted, so the inventory also finds resources that a destroy has missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jmespath

from rehearsal.provider.resources.network import ENDED_PEERING_STATES
from rehearsal.provider.resources.outcome import GLOBAL
from rehearsal.support.clients import ClientFactory

THREADS = 8
GLOBAL_REGION = "us-east-1"
"""The region whose endpoint serves the services without a region."""


@dataclass(frozen=True, kw_only=True, order=True)
class Found:
    """One resource that the API lists."""

    region: str
    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.region}: {self.kind} {self.id}"


REGIONAL: Sequence[tuple[str, str, str, str]] = (
    ("ec2", "VPC", "describe_vpcs", "Vpcs[?!IsDefault].VpcId"),
    ("ec2", "subnet", "describe_subnets", "Subnets[].[VpcId, SubnetId]"),
    ("ec2", "route table", "describe_route_tables", "RouteTables[].[VpcId, RouteTableId]"),
    ("ec2", "security group", "describe_security_groups", "SecurityGroups[].[VpcId, GroupId]"),
    ("ec2", "network interface", "describe_network_interfaces", "NetworkInterfaces[].NetworkInterfaceId"),
    (
        "ec2",
        "VPC peering",
        "describe_vpc_peering_connections",
        f"VpcPeeringConnections[?!contains({list(ENDED_PEERING_STATES)}, Status.Code)].VpcPeeringConnectionId",
    ),
    ("ec2", "flow log", "describe_flow_logs", "FlowLogs[].FlowLogId"),
    ("kms", "key", "list_keys", "Keys[].KeyId"),
    ("kms", "key alias", "list_aliases", "Aliases[?!starts_with(AliasName, 'alias/aws/')].AliasName"),
    # A secret in its recovery window is listed with its deletion date.
    ("secretsmanager", "secret", "list_secrets", "SecretList[?!DeletedDate].Name"),
    ("rds", "global cluster", "describe_global_clusters", "GlobalClusters[].GlobalClusterIdentifier"),
    ("rds", "cluster", "describe_db_clusters", "DBClusters[].DBClusterIdentifier"),
    ("rds", "instance", "describe_db_instances", "DBInstances[].DBInstanceIdentifier"),
    ("rds", "cluster snapshot", "describe_db_cluster_snapshots", "DBClusterSnapshots[].DBClusterSnapshotIdentifier"),
    ("rds", "subnet group", "describe_db_subnet_groups", "DBSubnetGroups[].DBSubnetGroupName"),
    (
        "rds",
        "cluster parameter group",
        "describe_db_cluster_parameter_groups",
        "DBClusterParameterGroups[].DBClusterParameterGroupName | [?!starts_with(@, 'default')]",
    ),
    (
        "rds",
        "parameter group",
        "describe_db_parameter_groups",
        "DBParameterGroups[].DBParameterGroupName | [?!starts_with(@, 'default')]",
    ),
    ("lambda", "function", "list_functions", "Functions[].FunctionName"),
    ("scheduler", "schedule", "list_schedules", "Schedules[].Name"),
    ("events", "event rule", "list_rules", "Rules[].Name"),
    ("logs", "log group", "describe_log_groups", "logGroups[].logGroupName"),
    ("cloudwatch", "alarm", "describe_alarms", "[MetricAlarms, CompositeAlarms][].AlarmName"),
    ("cloudwatch", "dashboard", "list_dashboards", "DashboardEntries[].DashboardName"),
    ("sns", "topic", "list_topics", "Topics[].TopicArn"),
    ("sns", "subscription", "list_subscriptions", "Subscriptions[].SubscriptionArn"),
    ("sqs", "queue", "list_queues", "QueueUrls[]"),
    ("dynamodb", "table", "list_tables", "TableNames[]"),
)
"""(service, kind, operation, JMESPath of the ids), for each region.

A pair [VpcId, id] is a resource of a VPC. Those of the default VPC do not count: AWS creates them in every account.
"""

WITHOUT_REGION: Sequence[tuple[str, str, str, str]] = (
    ("iam", "role", "list_roles", "Roles[?!starts_with(Path, '/aws-service-role/')].RoleName"),
    ("iam", "policy", "list_policies", "Policies[?!starts_with(Arn, 'arn:aws:iam::aws:')].Arn"),
    ("route53", "hosted zone", "list_hosted_zones", "HostedZones[].Id"),
    ("route53", "health check", "list_health_checks", "HealthChecks[].Id"),
)
"""(service, kind, operation, JMESPath of the ids), for the services without a region."""


def take_inventory(clients: ClientFactory, regions: Sequence[str]) -> tuple[Found, ...]:
    """Return all resources in the regions and in the services without a region, sorted.

    Raises: ClientError or BotoCoreError when a service does not respond.
    """
    listings = [(region, region, *row) for region in regions for row in REGIONAL]
    listings += [(GLOBAL, GLOBAL_REGION, *row) for row in WITHOUT_REGION]

    def found(row: tuple[str, str, str, str, str, str]) -> list[Found]:
        shown, region, service, kind, operation, path = row
        ids = _ids(clients(service, region), operation, path)
        return [Found(region=shown, kind=kind, id=each) for each in ids]

    with ThreadPoolExecutor(THREADS, thread_name_prefix="inventory") as pool:
        return tuple(sorted(one for ones in pool.map(found, listings) for one in ones))


def _ids(client: Any, operation: str, path: str) -> Iterable[str]:
    listed = _listed(client, operation, path)
    if operation == "list_keys":
        return [key for key in listed if _is_live_key(client, key)]
    if listed and isinstance(listed[0], list):
        default = _listed(client, "describe_vpcs", "Vpcs[?IsDefault].VpcId")
        return [id_ for vpc_id, id_ in listed if vpc_id not in default]
    return listed


def _listed(client: Any, operation: str, path: str) -> list[Any]:
    if client.can_paginate(operation):
        pages = client.get_paginator(operation).paginate()
        return [each for each in pages.search(path) if each is not None]
    return jmespath.search(path, getattr(client, operation)()) or []


def _is_live_key(kms: Any, key_id: str) -> bool:
    """Return whether a key belongs to the account's owner and is not pending deletion, when it costs nothing.

    Source: Deleting AWS KMS keys.
    """
    key = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    return key["KeyManager"] == "CUSTOMER" and key["KeyState"] not in ("PendingDeletion", "PendingReplicaDeletion")
