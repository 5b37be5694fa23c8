"""The number of resources of each type and region, from the settings.

A test compares the counts with the resources that the program registers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from settings import RegionSettings, Settings

HEALTH_METRICS_REGION = "us-east-1"
"""The region of the alarms on health checks, if it is one of the stack's (components/failover_dns.py)."""


@dataclass(frozen=True, kw_only=True)
class CountedRegion:
    """A region and the settings of its stack."""

    settings: Settings
    region: RegionSettings

    @property
    def is_primary(self) -> bool:
        """Whether this region has the resources that exist once."""
        return self.region.region == self.settings.primary.region


def _one(_: CountedRegion) -> int:
    return 1


def _primary_only(count: int) -> Callable[[CountedRegion], int]:
    return lambda counted: count if counted.is_primary else 0


def _more_in_primary(each: int, more: int) -> Callable[[CountedRegion], int]:
    return lambda counted: each + (more if counted.is_primary else 0)


def _own_network(count: int) -> Callable[[CountedRegion], int]:
    """Return the count of a resource that an existing VPC makes unnecessary."""
    return lambda counted: 0 if counted.region.existing_vpc else count


COUNTS: Mapping[str, Callable[[CountedRegion], int]] = {
    "aws:cloudwatch/dashboard:Dashboard": _one,
    "aws:cloudwatch/eventRule:EventRule": _one,
    "aws:cloudwatch/eventTarget:EventTarget": lambda _: 2,
    # One for each function and each log that the cluster exports.
    "aws:cloudwatch/logGroup:LogGroup": lambda counted: 2 + counted.is_primary + len(counted.settings.logs.exports),
    # The region's own alarms, and three on the health checks.
    "aws:cloudwatch/metricAlarm:MetricAlarm": lambda counted: 16 + 3 * (counted.region.region == HEALTH_METRICS_REGION),
    "aws:dynamodb/table:Table": _one,
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _own_network(1),
    "aws:ec2/peeringConnectionOptions:PeeringConnectionOptions": _one,
    "aws:ec2/route:Route": _one,
    "aws:ec2/routeTable:RouteTable": _own_network(1),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _own_network(3),
    "aws:ec2/securityGroup:SecurityGroup": _more_in_primary(2, 1),
    "aws:ec2/subnet:Subnet": _own_network(3),
    "aws:ec2/vpc:Vpc": _own_network(1),
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": _primary_only(1),
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": lambda counted: 0 if counted.is_primary else 1,
    "aws:iam/policy:Policy": lambda counted: len(counted.settings.database.iam_users) if counted.is_primary else 0,
    "aws:iam/role:Role": _more_in_primary(4, 1),
    "aws:iam/rolePolicy:RolePolicy": _more_in_primary(4, 2),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": _one,
    "aws:kms/alias:Alias": _one,
    "aws:kms/key:Key": _one,
    "aws:lambda/function:Function": _more_in_primary(2, 1),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": _one,
    "aws:lambda/invocation:Invocation": _primary_only(1),
    "aws:lambda/permission:Permission": _one,
    "aws:rds/cluster:Cluster": _one,
    "aws:rds/clusterInstance:ClusterInstance": lambda counted: counted.region.instance_count,
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": _one,
    "aws:rds/globalCluster:GlobalCluster": _primary_only(1),
    "aws:rds/parameterGroup:ParameterGroup": _one,
    "aws:rds/subnetGroup:SubnetGroup": _one,
    "aws:route53/healthCheck:HealthCheck": _primary_only(6),
    "aws:route53/record:Record": _primary_only(4),
    "aws:route53/zone:Zone": _primary_only(1),
    "aws:route53/zoneAssociation:ZoneAssociation": _primary_only(1),
    "aws:scheduler/schedule:Schedule": _one,
    "aws:secretsmanager/secret:Secret": _primary_only(1),
    "aws:secretsmanager/secretVersion:SecretVersion": _primary_only(1),
    "aws:sns/topic:Topic": _one,
    "aws:sns/topicPolicy:TopicPolicy": _one,
    "aws:sns/topicSubscription:TopicSubscription": lambda counted: len(counted.settings.notifications.emails),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _more_in_primary(2, 2),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": lambda counted: (
        2 + len(counted.region.client_cidrs) + len(counted.region.client_security_groups)
    ),
}
"""Number of resources in a region, by resource type."""


def counts(settings: Settings) -> dict[tuple[str, str], int]:
    """Return the number of resources by (type, region), without zeros."""
    regions = [CountedRegion(settings=settings, region=region) for region in (settings.primary, settings.secondary)]
    found = {(kind, each.region.region): count(each) for kind, count in COUNTS.items() for each in regions}
    return {key: count for key, count in found.items() if count}
