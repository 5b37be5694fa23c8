"""Replication lag, DNS answer and firing alarms of one region."""

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
    """The newest datapoint of AuroraGlobalDBReplicationLag, over one minute."""

    at: datetime
    average_ms: float


@dataclass(frozen=True, kw_only=True)
class WriterNameAnswer:
    """DNS answer for `writer.<zone>` inside a region's VPC."""

    addresses: tuple[str, ...]
    region: str | None
    """The region whose cluster endpoint has the same addresses."""
    failure: str | None


@dataclass(frozen=True, kw_only=True)
class RegionStatus:
    """Lag, DNS answer and alarms of one region; None where a part could not be read."""

    resources: StackResources
    here: RegionResources
    lag: Sequence[LagMetric] | None
    """Empty if AWS has no datapoint, as in the writer's region."""
    dns: WriterNameAnswer | None
    alarms: Sequence[str] | None
    """Names of the firing alarms without those that report a role."""


def read_lag(here: RegionResources, read_api_for: ReadApiFactory, now: datetime) -> list[LagMetric]:
    """Return the newest lag datapoint of this region's cluster. Raises AwsError.

    Source: Monitoring an Amazon Aurora global database: the metric belongs to the secondary, in milliseconds.
    """
    answer = read_api_for(here.region).read(
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
    newest: Any = max(answer.get("Datapoints", []), key=lambda point: point["Timestamp"], default=None)
    return [] if newest is None else [LagMetric(at=newest["Timestamp"], average_ms=float(newest["Average"]))]


def read_dns(resources: StackResources, here: RegionResources, read_api_for: ReadApiFactory) -> WriterNameAnswer:
    """Resolve `writer.<zone>` with the health_check inside this region's VPC. Raises AwsError."""
    answer = resolve(resources, here, read_api_for)
    name: Mapping[str, Any] = answer[0] if answer else {}
    is_complete = len(answer) == 1 + len(resources.regions)
    return WriterNameAnswer(
        addresses=tuple(name.get("addresses", ())),
        region=resolved_region(resources, answer) if is_complete else None,
        failure=name.get("failure") if is_complete else "the health_check's answer is malformed",
    )


def read_alarms(here: RegionResources, read_api_for: ReadApiFactory) -> list[str]:
    """Return the names of this region's firing alarms without those that report a role. Raises AwsError."""
    found = read_api_for(here.region).read_all(
        "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=list(here.alarm_names), StateValue="ALARM"
    )
    return sorted(name for each in found if not shows_role(name := str(each["AlarmName"])))


def status_json(status: RegionStatus) -> dict[str, object]:
    """Return the JSON view; `null` where a part could not be read."""
    lag, dns = status.lag[0] if status.lag else None, status.dns
    return {
        "lag_metric_ms": None if lag is None else lag.average_ms,
        "lag_metric_at": None if lag is None else utc_text(lag.at),
        "endpoints": {
            each.region: {"writer": each.writer_endpoint, "reader": each.reader_endpoint}
            for each in status.resources.regions
        },
        "dns": None
        if dns is None
        else {
            "name": status.resources.writer_name,
            "resolves_to": dns.region,
            "addresses": list(dns.addresses),
            "failure": dns.failure,
        },
        "alarms": None if status.alarms is None else list(status.alarms),
    }


def lag_text(status: RegionStatus) -> str:
    """Return the lag that AWS measures, as text."""
    if status.lag is None:
        return "AWS metric unknown"
    if not status.lag:
        return f"no AWS metric here in the last {LAG_MINUTES} minutes"
    return f"AWS metric {status.lag[0].average_ms:g} ms in the minute of {utc_text(status.lag[0].at)}"


def dns_text(status: RegionStatus, writer: str | None) -> str:
    """Return the region that `writer.<zone>` resolves to, and whether it is the writer's."""
    name, dns = status.resources.writer_name, status.dns
    if dns is None:
        return f"{name}: unknown"
    if dns.region is None:
        reason = dns.failure or f"{', '.join(dns.addresses)}: not the address of either cluster"
        return f"{name}: {reason}"
    role = "the writer" if dns.region == writer else "NOT THE WRITER" if writer else "the writer is unknown"
    return f"{name} resolves to {dns.region}, {role} ({', '.join(dns.addresses)}, resolved in {status.here.region})"


def alarms_text(status: RegionStatus) -> str:
    """Return the firing alarms as text."""
    if status.alarms is None:
        return "unknown"
    return ", ".join(status.alarms) or f"none of {len(status.here.alarm_names)} is firing, except for the role alarm"
