"""What stands around one region's controller: the lag that AWS measures, where the writer's name leads, alarms that are on.

Owns the reading of these, and their words. Does not own the controller's own view (`status.py`). Invariant: everything
comes from the region that is looked at; what was not read is `None`, and its reason is kept by who asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from operations.aws.read_ports import ReadApiFactory
from operations.checks.data_path import resolve, resolved_region
from operations.checks.monitoring import shows_role
from operations.stack.resources import RegionResources, StackResources
from operations.support.times import utc_text

LAG_MINUTES = 5


@dataclass(frozen=True, kw_only=True)
class LagMetric:
    """The newest datapoint of AuroraGlobalDBReplicationLag, of one minute."""

    at: datetime
    average_ms: float


@dataclass(frozen=True, kw_only=True)
class DnsAnswer:
    """What the writer's name leads to, as the VPC of a region resolves it."""

    addresses: tuple[str, ...]
    region: str | None
    """The region whose cluster endpoint has the same addresses."""
    failure: str | None


@dataclass(frozen=True, kw_only=True)
class RegionStatus:
    """What one look brought; a part that was not read is `None`."""

    resources: StackResources
    here: RegionResources
    lag: Sequence[LagMetric] | None
    """Empty where AWS has none: in the writer's region."""
    dns: DnsAnswer | None
    alarms: Sequence[str] | None
    """Names of the alarms that are on and tell no role."""


def read_lag(here: RegionResources, read_api_for: ReadApiFactory, now: datetime) -> list[LagMetric]:
    """Return the newest lag that AWS published of this region's cluster. Raises AwsError.

    Source: Monitoring an Amazon Aurora global database: the metric is the secondary's, in milliseconds.
    """
    points = (
        read_api_for(here.region)
        .read(
            "cloudwatch",
            "get_metric_statistics",
            Namespace="AWS/RDS",
            MetricName="AuroraGlobalDBReplicationLag",
            Dimensions=[{"Name": "DBClusterIdentifier", "Value": here.cluster_id}],
            StartTime=now - timedelta(minutes=LAG_MINUTES),
            EndTime=now,
            Period=60,
            Statistics=["Average"],
        )
        .get("Datapoints", [])
    )
    newest: Any = max(points, key=lambda point: point["Timestamp"], default=None)
    return [] if newest is None else [LagMetric(at=newest["Timestamp"], average_ms=float(newest["Average"]))]


def read_dns(resources: StackResources, here: RegionResources, read_api_for: ReadApiFactory) -> DnsAnswer:
    """Return where the writer's name leads in this region's VPC, asked of the health_check inside it. Raises AwsError."""
    answer = resolve(resources, here, read_api_for)
    name: Mapping[str, Any] = answer[0] if answer else {}
    is_whole = len(answer) == 1 + len(resources.regions)
    return DnsAnswer(
        addresses=tuple(name.get("addresses", ())),
        region=resolved_region(resources, answer) if is_whole else None,
        failure=name.get("failure") if is_whole else "the answer has not the form that was asked for",
    )


def read_alarms(here: RegionResources, read_api_for: ReadApiFactory) -> list[str]:
    """Return the names of this region's alarms that are on and tell no role. Raises AwsError."""
    found = read_api_for(here.region).read_all(
        "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=list(here.alarm_names), StateValue="ALARM"
    )
    return sorted(name for each in found if not shows_role(name := str(each["AlarmName"])))


def vicinity_json(around: RegionStatus) -> dict[str, object]:
    """Return the view for machines; `null` where a part was not read."""
    lag = around.lag[0] if around.lag else None
    return {
        "lag_metric_ms": None if lag is None else lag.average_ms,
        "lag_metric_at": None if lag is None else utc_text(lag.at),
        "endpoints": {
            each.region: {"writer": each.writer_endpoint, "reader": each.reader_endpoint}
            for each in around.resources.regions
        },
        "dns": None
        if around.dns is None
        else {
            "name": around.resources.writer_name,
            "leads_to": around.dns.region,
            "addresses": list(around.dns.addresses),
            "failure": around.dns.failure,
        },
        "alarms": None if around.alarms is None else list(around.alarms),
    }


def lag_text(around: RegionStatus) -> str:
    """Return what AWS measures of the lag."""
    if around.lag is None:
        return "AWS's metric unknown"
    if not around.lag:
        return f"AWS has no metric of it here in the last {LAG_MINUTES} minutes"
    return f"AWS's metric {around.lag[0].average_ms:g} ms in the minute of {utc_text(around.lag[0].at)}"


def dns_text(around: RegionStatus, writer: str | None) -> str:
    """Return where the writer's name leads, and whether that is the writer."""
    name, dns = around.resources.writer_name, around.dns
    if dns is None:
        return f"{name}: unknown"
    if dns.region is None:
        why = dns.failure or f"{', '.join(dns.addresses)}, which is neither cluster"
        return f"{name}: {why}"
    word = "the writer" if dns.region == writer else "NOT THE WRITER" if writer else "the writer is unknown"
    return f"{name} leads to {dns.region}, {word} ({', '.join(dns.addresses)}, asked in {around.here.region})"


def endpoint_lines(around: RegionStatus) -> list[tuple[str, str]]:
    """Return the clusters' own endpoints."""
    return [(f"Endpoint {each.region}", each.writer_endpoint) for each in around.resources.regions]


def alarms_text(around: RegionStatus) -> str:
    """Return which alarms are on."""
    if around.alarms is None:
        return "unknown"
    return ", ".join(around.alarms) or f"none of {len(around.here.alarm_names)} is on but the role's"
