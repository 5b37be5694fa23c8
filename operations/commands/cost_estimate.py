"""Monthly quantities of a stack, from its settings and assumptions, and the price query of each."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from operations.aws.price_list import ProductQuery
from settings import RegionSettings, Settings

HOURS_PER_MONTH = 730
SECONDS_PER_HOUR = 3600
CONTROLLER_GB, HEALTH_CHECK_GB = 0.5, 0.25
"""Memory of the functions (components): 512 and 256 MB."""
CUSTOM_METRICS = 12
"""Metrics of one controller (functions/failover_controller/metrics.py), with the two lag metrics that only a standby has."""
HEALTH_METRICS_REGION = "us-east-1"
"""The region of the alarms on health checks, if it is one of the stack's (components/failover_dns.py)."""
FIXED_PRICE_TYPES: Mapping[str, tuple[str, Callable[[str, bool], int]]] = {
    "aws:cloudwatch/dashboard:Dashboard": ("dashboard", lambda _region, _is_primary: 1),
    # The region's own alarms, and three on the health checks.
    "aws:cloudwatch/metricAlarm:MetricAlarm": (
        "alarm",
        lambda region, _is_primary: 17 + 3 * (region == HEALTH_METRICS_REGION),
    ),
    "aws:kms/key:Key": ("KMS key", lambda _region, _is_primary: 1),
    "aws:route53/healthCheck:HealthCheck": ("health check", lambda _region, is_primary: 6 * is_primary),
    "aws:route53/zone:Zone": ("hosted zone", lambda _region, is_primary: 1 * is_primary),
    # The program registers one secret; AWS bills its replica in the other region as a second one.
    "aws:secretsmanager/secret:Secret": ("secret", lambda _region, _is_primary: 1),
}
"""The resource types that cost the same each month: item name, and number by region. A test compares the numbers with the program."""
NOT_COUNTED = (
    "taxes, support, discounts, reservations and free tiers",
    "Performance Insights beyond 7 days, and the log data of enhanced monitoring",
    "KMS requests, DNS queries, notifications, schedules, events and the queue of failed events: cents",
    "manual snapshots, and the cluster that a rewind restores beside the live one",
)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Assumptions about a month, for what is billed by usage."""

    storage_gb: float = 100
    """Data in the cluster volume; each region stores all of it."""
    io_millions: float = 100
    """Reads and writes of the writer's volume."""
    replicated_write_millions: float = 20
    """Writes among them: each is replicated to the other region and written there."""
    replicated_gb: float = 20
    """Data that the replication sends to the other region."""
    backup_gb: float = 0
    """Backups beyond the size of the cluster, in each region."""
    log_gb: float = 2
    """Logs in each region: audit, errors, slow queries, functions."""
    flow_log_gb: float = 1
    """Flow logs of each VPC that the program creates."""
    health_check_seconds: float = 0.2
    """Duration of one call of health_check."""
    table_writes_per_cycle: float = 2
    table_reads_per_cycle: float = 4


def _query(service: str, family: str, usage_type: str, **attributes: str) -> ProductQuery:
    return ProductQuery(service, usage_type, {"productFamily": family, **attributes})


_MYSQL = {"databaseEngine": "Aurora MySQL"}
_DYNAMODB = ("AmazonDynamoDB", "Amazon DynamoDB PayPerRequest Throughput")
PRODUCTS: Mapping[str, tuple[str, ProductQuery | None]] = {
    "Aurora instance": ("hours", _query("AmazonRDS", "Database Instance", "InstanceUsage:", **_MYSQL)),
    "Aurora instance, I/O-Optimized": (
        "hours",
        _query("AmazonRDS", "Database Instance", "InstanceUsageIOOptimized:", **_MYSQL),
    ),
    "Aurora serverless v2": ("ACU-hours", _query("AmazonRDS", "ServerlessV2", "Aurora:ServerlessV2Usage$", **_MYSQL)),
    "Aurora serverless v2, I/O-Optimized": (
        "ACU-hours",
        _query("AmazonRDS", "ServerlessV2", "Aurora:ServerlessV2IOOptimizedUsage$", **_MYSQL),
    ),
    "KMS key": ("keys", _query("awskms", "Encryption Key", "KMS-Keys$")),
    "alarm": ("alarms", _query("AmazonCloudWatch", "Alarm", "CW:AlarmMonitorUsage$", alarmType="Standard")),
    "dashboard": ("dashboards", _query("AmazonCloudWatch", "Dashboard", "^DashboardsUsageHour$")),
    # Which usage type AWS bills for health checks of alarms and of other health checks is not documented.
    "health check": ("health checks", None),
    "hosted zone": ("zones", _query("AmazonRoute53", "DNS Zone", "^HostedZone$")),
    "secret": ("secrets", _query("AWSSecretsManager", "Secret", "")),
    "custom metric": ("metrics", _query("AmazonCloudWatch", "Metric", "CW:MetricMonitorUsage$")),
    "Aurora storage": ("GB-months", _query("AmazonRDS", "Database Storage", "Aurora:StorageUsage$")),
    "Aurora storage, I/O-Optimized": (
        "GB-months",
        _query("AmazonRDS", "Database Storage", "Aurora:IO-OptimizedStorageUsage$"),
    ),
    "Aurora backup beyond the cluster's size": (
        "GB-months",
        _query("AmazonRDS", "Storage Snapshot", "Aurora:BackupUsage$", **_MYSQL),
    ),
    "Aurora I/O": ("I/Os", _query("AmazonRDS", "System Operation", "Aurora:StorageIOUsage$")),
    "Aurora replicated write I/O": ("I/Os", _query("AmazonRDS", "System Operation", "Aurora:ReplicatedWriteIO")),
    "data transfer to the other region": (
        "GB",
        _query("AWSDataTransfer", "Data Transfer", "", transferType="InterRegion Outbound"),
    ),
    "log ingestion": ("GB", _query("AmazonCloudWatch", "Data Payload", "(^|-)DataProcessing-Bytes$")),
    # Which usage type AWS bills for flow logs in CloudWatch is not documented.
    "flow log ingestion": ("GB", None),
    "Lambda compute on arm64": (
        "GB-seconds",
        _query("AWSLambda", "Serverless", "Lambda-GB-Second-ARM$", group="AWS-Lambda-Duration-ARM"),
    ),
    "Lambda requests": (
        "requests",
        _query("AWSLambda", "Serverless", "Request-ARM$", group="AWS-Lambda-Requests-ARM"),
    ),
    "DynamoDB writes": ("units", _query(*_DYNAMODB, "(^|-)WriteRequestUnits$", group="DDB-WriteUnits")),
    "DynamoDB reads": ("units", _query(*_DYNAMODB, "(^|-)ReadRequestUnits$", group="DDB-ReadUnits")),
    "metric requests": ("requests", _query("AmazonCloudWatch", "API Request", "CW:Requests$")),
}
"""Unit and price query by item; the query is None if the product is unknown."""
WITHOUT_REGION_CODE = ("dashboard", "hosted zone", "data transfer to the other region")


@dataclass(frozen=True, kw_only=True)
class CostItem:
    """A quantity that is billed each month."""

    name: str
    region: str
    quantity: float
    unit: str
    by_usage: bool
    """Whether the quantity rests on an assumption."""
    query: ProductQuery | None


def cost_items(settings: Settings, usage: Usage) -> list[CostItem]:
    """Return the items that a stack with these settings is billed for, without quantities of zero."""
    regions = (settings.primary, settings.secondary)
    items = [item for region in regions for item in (*_fixed(settings, region), *_by_usage(settings, region, usage))]
    return [item for item in items if item.quantity]


def _fixed(settings: Settings, region: RegionSettings) -> Iterator[CostItem]:
    hours, storage = region.instance_count * HOURS_PER_MONTH, _storage_suffix(settings)
    if region.serverless:
        item = _item(f"Aurora serverless v2{storage}", region, region.serverless.min_acu * hours)
        yield replace(item, name=f"{item.name} (minimum capacity)")
    else:
        item = _item(f"Aurora instance{storage}", region, hours, instanceType=region.instance_class)
        yield replace(item, name=f"{item.name} {region.instance_class}")
    for name, number in FIXED_PRICE_TYPES.values():
        yield _item(name, region, number(region.region, region.region == settings.primary.region))
    yield _item("custom metric", region, CUSTOM_METRICS)


def _by_usage(settings: Settings, region: RegionSettings, usage: Usage) -> Iterator[CostItem]:
    is_writer, storage = region.region == settings.primary.region, _storage_suffix(settings)
    month_seconds = HOURS_PER_MONTH * SECONDS_PER_HOUR
    cycles = month_seconds / settings.failover.interval_seconds
    # Both controllers call this region's health_check in each of their cycles.
    probes = 2 * cycles
    quantities = {
        f"Aurora storage{storage}": usage.storage_gb,
        "Aurora backup beyond the cluster's size": usage.backup_gb,
        "log ingestion": usage.log_gb,
        "flow log ingestion": usage.flow_log_gb * settings.has_flow_logs(region),
        "Lambda compute on arm64": month_seconds * CONTROLLER_GB
        + probes * usage.health_check_seconds * HEALTH_CHECK_GB,
        "Lambda requests": probes,
        "DynamoDB writes": cycles * usage.table_writes_per_cycle,
        "DynamoDB reads": cycles * usage.table_reads_per_cycle,
        "metric requests": cycles,
    }
    if not storage:
        quantities["Aurora I/O"] = 1e6 * (usage.io_millions if is_writer else usage.replicated_write_millions)
    if is_writer:
        quantities["Aurora replicated write I/O"] = 1e6 * usage.replicated_write_millions
        codes = {"fromRegionCode": region.region, "toRegionCode": settings.secondary.region}
        transfer = _item("data transfer to the other region", region, usage.replicated_gb, **codes)
        yield replace(transfer, by_usage=True)
    for name, quantity in quantities.items():
        yield replace(_item(name, region, quantity), by_usage=True)


def _storage_suffix(settings: Settings) -> str:
    return ", I/O-Optimized" if settings.database.storage_type == "aurora-iopt1" else ""


def _item(name: str, region: RegionSettings, quantity: float, **attributes: str) -> CostItem:
    unit, query = PRODUCTS[name]
    if name not in WITHOUT_REGION_CODE:
        attributes["regionCode"] = region.region
    if query is not None:
        query = replace(query, attributes={**query.attributes, **attributes})
    return CostItem(name=name, region=region.region, quantity=quantity, unit=unit, by_usage=False, query=query)
