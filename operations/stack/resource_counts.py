"""How many resources of each type a stack has, by region, from its settings alone.

Owns the counts. Does not own any price. Invariant: the counts are those of the program: a test compares every one with
what the program registers, for the stacks of this repository and for others, so that a resource which comes or goes has to
be counted here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from settings import RegionSettings, Settings

HEALTH_METRICS_REGION = "us-east-1"
"""Where the alarms on health checks stand, if one of the regions is this one (components/failover_dns.py)."""


@dataclass(frozen=True, kw_only=True)
class Where:
    """A region of a stack, as the counts see it."""

    settings: Settings
    region: RegionSettings

    @property
    def is_primary(self) -> bool:
        """Whether what exists once is counted here."""
        return self.region.region == self.settings.primary.region


def _one(_: Where) -> int:
    return 1


def _primary_only(count: int) -> Callable[[Where], int]:
    return lambda where: count if where.is_primary else 0


def _more_in_primary(each: int, more: int) -> Callable[[Where], int]:
    return lambda where: each + (more if where.is_primary else 0)


def _own_network(count: int) -> Callable[[Where], int]:
    """Nothing of it is made where an existing VPC is used."""
    return lambda where: 0 if where.region.existing_vpc else count


COUNTS: Mapping[str, Callable[[Where], int]] = {
    "aws:cloudwatch/dashboard:Dashboard": _one,
    "aws:cloudwatch/eventRule:EventRule": _one,
    "aws:cloudwatch/eventTarget:EventTarget": lambda _: 2,
    # One a function, and one a log that the cluster exports.
    "aws:cloudwatch/logGroup:LogGroup": lambda where: 2 + where.is_primary + len(where.settings.logs.exports),
    # The region's own alarms, and three on the health checks.
    "aws:cloudwatch/metricAlarm:MetricAlarm": lambda where: 16 + 3 * (where.region.region == HEALTH_METRICS_REGION),
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
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": lambda where: 0 if where.is_primary else 1,
    "aws:iam/policy:Policy": lambda where: len(where.settings.database.iam_users) if where.is_primary else 0,
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
    "aws:rds/clusterInstance:ClusterInstance": lambda where: where.region.instance_count,
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
    "aws:sns/topicSubscription:TopicSubscription": lambda where: len(where.settings.notifications.emails),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _more_in_primary(2, 2),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": lambda where: (
        2 + len(where.region.client_cidrs) + len(where.region.client_security_groups)
    ),
}
"""Resource type -> how many of it a region has."""


def counts(settings: Settings) -> dict[tuple[str, str], int]:
    """Return how many resources there are by (type, region), without those that there are none of."""
    regions = [Where(settings=settings, region=region) for region in (settings.primary, settings.secondary)]
    found = {(kind, where.region.region): count(where) for kind, count in COUNTS.items() for where in regions}
    return {key: count for key, count in found.items() if count}
