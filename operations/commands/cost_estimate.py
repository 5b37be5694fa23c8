"""What a stack costs a month, by type: list prices as data, quantities from the settings, assumptions said.

Owns the arithmetic, the assumptions, and which types cost something. Does not own the prices (`prices.json`) or the counts
(`inventory.py`). Does no I/O but reading the prices. Invariants: every type that the program registers is either priced or
listed as free; a price that is missing is said and never taken for nothing; one that was not verified is marked.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from operations.stack.resource_counts import counts
from settings import RegionSettings, Settings

PRICES = Path(__file__).with_name("prices.json")
ANYWHERE = "any"
SECONDS_PER_HOUR = 3600
CONTROLLER_GB, HEALTH_CHECK_GB = 0.5, 0.25
"""Memory of the functions (components): 512 and 256 MB."""
CUSTOM_METRICS = 12
"""What a controller publishes (functions/failover_controller/metrics.py); the standby's two lag metrics counted in both."""
FREE = frozenset(
    {
        *("aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"),
        *("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "aws:ec2/route:Route", "aws:ec2/routeTable:RouteTable"),
        *("aws:ec2/peeringConnectionOptions:PeeringConnectionOptions", "aws:ec2/subnet:Subnet", "aws:ec2/vpc:Vpc"),
        *("aws:ec2/routeTableAssociation:RouteTableAssociation", "aws:ec2/securityGroup:SecurityGroup"),
        *("aws:ec2/vpcPeeringConnection:VpcPeeringConnection",),
        *("aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",),
        *("aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy", "aws:iam/rolePolicyAttachment:RolePolicyAttachment"),
        "aws:iam/policy:Policy",
        *("aws:kms/alias:Alias", "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"),
        *(
            "aws:lambda/invocation:Invocation",
            "aws:lambda/permission:Permission",
            "aws:rds/globalCluster:GlobalCluster",
        ),
        *("aws:rds/clusterParameterGroup:ClusterParameterGroup", "aws:rds/parameterGroup:ParameterGroup"),
        *("aws:rds/subnetGroup:SubnetGroup", "aws:route53/record:Record"),
        *("aws:route53/zoneAssociation:ZoneAssociation", "aws:scheduler/schedule:Schedule"),
        *("aws:secretsmanager/secretVersion:SecretVersion", "aws:sns/topic:Topic", "aws:sns/topicPolicy:TopicPolicy"),
        "aws:sns/topicSubscription:TopicSubscription",
        *("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",),
        *("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",),
    }
)
"""Types that cost nothing by being there; what little some of them cost by use stands in `NOT_COUNTED`."""
NOT_COUNTED = (
    "taxes, support, discounts, reservations and free tiers",
    "Performance Insights beyond 7 days, and the log data of enhanced monitoring",
    "KMS requests, DNS queries, notifications, schedules and events: cents",
    "snapshots that people take, and what a rewind restores beside the live cluster",
)


@dataclass(frozen=True, kw_only=True)
class Price:
    """A list price in USD."""

    what: str
    region: str
    unit: str
    price: float
    date: str
    source: str
    verified: bool


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a month brings, for what is billed by use. Stated with every estimate."""

    storage_gb: float = 100
    """Data in the cluster volume; each region has all of it."""
    io_millions: float = 100
    """Reads and writes of the writer's volume."""
    replicated_write_millions: float = 20
    """Writes among them: each is replicated to the other region, and written there."""
    replicated_gb: float = 20
    """Data that the replication sends to the other region."""
    backup_gb: float = 0
    """Backups beyond the size of the cluster, in each region."""
    log_gb: float = 2
    """Logs, in each region: audit, errors, slow queries, functions."""
    health_check_seconds: float = 0.2
    """How long one call of health_check takes."""
    table_writes_per_beat: float = 2
    table_reads_per_beat: float = 4


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the estimate."""

    what: str
    where: str
    quantity: float
    unit: str
    price: Price | None
    """None: there is no price for it in the data."""
    by_use: bool
    """Whether the quantity rests on an assumption."""

    @property
    def usd(self) -> float | None:
        """The line's amount a month; None without a price."""
        return None if self.price is None else self.quantity * self.price.price


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a stack costs a month."""

    lines: Sequence[Line]
    usage: Usage = field(default_factory=Usage)

    @property
    def usd(self) -> float:
        """The sum of all lines that have a price."""
        return sum(line.usd or 0.0 for line in self.lines)

    @property
    def unverified_usd(self) -> float:
        """How much of it rests on prices that were not verified."""
        return sum(line.usd or 0.0 for line in self.lines if line.price is not None and not line.price.verified)

    @property
    def unpriced(self) -> list[Line]:
        """The lines without a price."""
        return [line for line in self.lines if line.price is None]


def read_prices(file: Path = PRICES) -> tuple[dict[tuple[str, str], Price], float]:
    """Return the prices by (what, region), and the hours of a month."""
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    prices = [Price(**each) for each in content["prices"]]
    return {(price.what, price.region): price for price in prices}, float(content["hours_per_month"])


def estimate(
    settings: Settings, usage: Usage, prices: Mapping[tuple[str, str], Price], hours_per_month: float
) -> Estimate:
    """Return what a stack with these settings costs a month."""
    lines: list[Line] = []
    for region in (settings.primary, settings.secondary):
        wanted = [*_fixed(settings, region, hours_per_month), *_by_use(settings, region, usage, hours_per_month)]
        for what, quantity, unit, by_use in wanted:
            price = prices.get((what, region.region)) or prices.get((what, ANYWHERE))
            lines.append(Line(what=what, where=region.region, quantity=quantity, unit=unit, price=price, by_use=by_use))
    return Estimate(lines=lines, usage=usage)


PRICED: Mapping[str, tuple[str, str]] = {
    "aws:kms/key:Key": ("KMS key", "key-month"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("alarm", "alarm-month"),
    "aws:cloudwatch/dashboard:Dashboard": ("dashboard", "dashboard-month"),
    "aws:route53/zone:Zone": ("hosted zone", "zone-month"),
    "aws:route53/healthCheck:HealthCheck": ("health check", "check-month"),
}
"""Types that cost the same each month by being there -> the price's name and unit."""
SECRET = "aws:secretsmanager/secret:Secret"
PRICED_OTHERWISE = frozenset(
    {
        *(SECRET, "aws:rds/clusterInstance:ClusterInstance", "aws:rds/cluster:Cluster"),
        *("aws:lambda/function:Function", "aws:dynamodb/table:Table", "aws:cloudwatch/logGroup:LogGroup"),
    }
)
"""Types whose lines are made below: by the hour, with a replica, or by use."""

_Wanted = Iterator[tuple[str, float, str, bool]]


def _fixed(settings: Settings, region: RegionSettings, hours: float) -> _Wanted:
    there = counts(settings)
    if region.serverless:
        least_acu_hours = region.instance_count * region.serverless.min_acu * hours
        yield "aurora-mysql serverless v2 at its least", least_acu_hours, "ACU-hour", False
    else:
        yield f"aurora-mysql instance {region.instance_class}", region.instance_count * hours, "hour", False
    for kind, (what, unit) in PRICED.items():
        if count := there.get((kind, region.region), 0):
            yield what, count, unit, False
    # The replica in the other region is a secret of its own.
    yield "secret, each replica counted", there[SECRET, settings.primary.region], "secret-month", False
    yield "custom metric", CUSTOM_METRICS, "metric-month", False


def _by_use(settings: Settings, region: RegionSettings, usage: Usage, hours: float) -> _Wanted:
    is_writer = region.region == settings.primary.region
    beats = hours * SECONDS_PER_HOUR / settings.failover.interval_seconds
    # One controller always beats; each beat asks the own health_check, and the other region's is asked from there.
    checks = 2 * beats
    yield "aurora storage", usage.storage_gb, "GB-month", True
    yield "aurora backup storage beyond the cluster's size", usage.backup_gb, "GB-month", True
    yield "aurora I/O", usage.io_millions if is_writer else usage.replicated_write_millions, "million requests", True
    if is_writer:
        yield "aurora replicated write I/O", usage.replicated_write_millions, "million writes", True
        yield "data transfer to the other region", usage.replicated_gb, "GB", True
    yield "log ingestion", usage.log_gb, "GB", True
    gb_seconds = hours * SECONDS_PER_HOUR * CONTROLLER_GB + checks * usage.health_check_seconds * HEALTH_CHECK_GB
    yield "Lambda compute on arm64", gb_seconds, "GB-second", True
    yield "Lambda request", checks / 1e6, "million requests", True
    yield "DynamoDB write", beats * usage.table_writes_per_beat / 1e6, "million units", True
    yield "DynamoDB read", beats * usage.table_reads_per_beat / 1e6, "million units", True
    yield "metric request", beats / 1e3, "thousand requests", True
