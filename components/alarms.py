"""The alarms of one region as data: metric, threshold, and the description that subscribers read."""

import math
from dataclasses import dataclass
from typing import Literal

from settings import RegionSettings, Settings

MissingData = Literal["breaching", "notBreaching", "missing"]
RUNBOOK = "docs/runbook/alarms.md"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm on one metric."""

    name: str
    """The physical name without project and environment; also the alarm's heading in the runbook."""
    summary: str
    metric: str
    source: Literal["cluster", "controller", "function"]
    """The metric's publisher: RDS for the cluster, the controller itself, or Lambda for the controller."""
    statistic: Literal["Average", "Maximum", "Minimum", "Sum", "SampleCount"]
    threshold: float
    comparison: Literal["GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold"] = (
        "GreaterThanThreshold"
    )
    minutes: int = 5
    missing: MissingData = "notBreaching"
    notifies: bool = True

    @property
    def description(self) -> str:
        """The alarm's description."""
        return alarm_description(self.summary, self.name)


def alarm_description(summary: str, heading: str) -> str:
    """Return an alarm's description: a summary and the alarm's heading in the runbook."""
    return f"{summary} Runbook: {RUNBOOK}#{heading}"


# DNS follows these three: one minute, one datapoint, no metric math, standard resolution. A Route 53 health check copies
# the alarm's metric, statistic, period, periods, comparison and threshold, and evaluates the data itself. It ignores the
# alarm's state and its treatment of missing data, which each health check sets instead; the alarms use "missing", so both
# agree. Source: CloudWatchAlarmConfiguration, Route 53 API reference.
# One of the two role alarms is always on, so neither notifies subscribers.
WRITER_ROLE = Alarm(
    name="writer-role",
    summary="This region's cluster is the writer or becomes it. DNS follows this alarm; subscribers are not notified.",
    metric="WriterRole",
    source="controller",
    statistic="Maximum",
    threshold=1,
    comparison="GreaterThanOrEqualToThreshold",
    minutes=1,
    missing="missing",
    notifies=False,
)
READER_ROLE = Alarm(
    name="reader-role",
    summary="This region's cluster is not the writer, or is being demoted. DNS follows this alarm; subscribers are not notified.",
    metric="WriterRole",
    source="controller",
    statistic="Maximum",
    threshold=1,
    comparison="LessThanThreshold",
    minutes=1,
    missing="missing",
    notifies=False,
)
PEER_REGION_LOST = Alarm(
    name="peer-region-lost",
    summary="The other region is unreachable from this region.",
    metric="PeerRegionLost",
    source="controller",
    statistic="Maximum",
    threshold=1,
    comparison="GreaterThanOrEqualToThreshold",
    minutes=1,
    missing="missing",
)


HEARTBEAT_AGE_MS = 60_000
"""An older heartbeat is no evidence in an outage: the controller would request approval (`heartbeat-unknown`)."""


def default_max_connections(memory_gib: float) -> int:
    """Return an instance's maximum connections if no parameter sets them.

    The default is log2(DBInstanceClassMemory / 8187281408) * 1000, and a class leaves the database 15.25 of each 16 GiB.
    Serverless v2 uses its maximum capacity.
    Source: Maximum connections to an Aurora MySQL DB instance; Maximum connections for Aurora Serverless v2.
    """
    return int(1000 * math.log2(memory_gib / 8))


def _max_connections(stack: Settings, region: RegionSettings) -> int:
    database, name = stack.database, "max_connections"
    value = database.instance_parameters.get(name) or database.cluster_parameters.get(name) or ""
    # Aurora evaluates a formula itself; the default is an approximation of it.
    return int(value) if value.isdecimal() else default_max_connections(region.memory_gib)


def region_alarms(stack: Settings, region: RegionSettings) -> tuple[Alarm, ...]:
    """Return the alarms of a region, the same for the writer and the standby.

    The lag metrics exist only in the standby region, so missing data raises no alarm.
    Source: Monitoring an Amazon Aurora global database.
    """
    alarms, at_least = stack.alarms, "GreaterThanOrEqualToThreshold"
    return (
        WRITER_ROLE,
        READER_ROLE,
        PEER_REGION_LOST,
        Alarm(
            name="no-writer",
            summary="No region has a writer that accepts writes.",
            metric="NoWriter",
            source="controller",
            statistic="Maximum",
            threshold=1,
            comparison=at_least,
            minutes=2,
        ),
        Alarm(
            name="controller-silent",
            summary="The controller has completed no cycle for three minutes and cannot fail over.",
            metric="Cycles",
            source="controller",
            statistic="Sum",
            threshold=1,
            comparison="LessThanThreshold",
            minutes=3,
            missing="breaching",
        ),
        Alarm(
            name="controller-errors",
            summary="The controller's cycles report errors.",
            metric="Error",
            source="controller",
            statistic="Sum",
            threshold=1,
            comparison=at_least,
            minutes=3,
        ),
        Alarm(
            name="controller-crashes",
            summary="Invocations of the controller end in an error.",
            metric="Errors",
            source="function",
            statistic="Sum",
            threshold=1,
            comparison=at_least,
            minutes=3,
        ),
        Alarm(
            name="failover-held",
            summary="The controller would act, but a guard holds it. Read the notice, then decide.",
            metric="Held",
            source="controller",
            statistic="Maximum",
            threshold=1,
            comparison=at_least,
            minutes=1,
        ),
        Alarm(
            name="replication-lag",
            summary=f"The standby is more than {alarms.replication_lag_ms:g} ms behind the writer.",
            metric="AuroraGlobalDBReplicationLag",
            source="cluster",
            statistic="Maximum",
            threshold=alarms.replication_lag_ms,
        ),
        Alarm(
            name="rpo-lag",
            summary="A failover now would lose more data than failover.max_data_loss_seconds allows.",
            metric="AuroraGlobalDBRPOLag",
            source="cluster",
            statistic="Maximum",
            threshold=max(1, stack.failover.max_data_loss_seconds) * 1000,
            minutes=1,
        ),
        Alarm(
            name="heartbeat-age",
            summary="No heartbeat of the writer has reached the standby for a minute.",
            metric="HeartbeatAge",
            source="controller",
            statistic="Minimum",
            threshold=HEARTBEAT_AGE_MS,
            minutes=3,
        ),
        Alarm(
            name="cpu",
            summary=f"An instance uses more than {alarms.cpu_percent:g} % of its CPU.",
            metric="CPUUtilization",
            source="cluster",
            statistic="Maximum",
            threshold=alarms.cpu_percent,
        ),
        Alarm(
            name="free-memory",
            summary=f"An instance has less than {alarms.free_memory_percent:g} % of its memory free.",
            metric="FreeableMemory",
            source="cluster",
            statistic="Minimum",
            threshold=float(int(region.memory_gib * (1 << 30) * alarms.free_memory_percent / 100)),
            comparison="LessThanThreshold",
        ),
        Alarm(
            name="connections",
            summary=f"An instance uses more than {alarms.connections_percent:g} % of its maximum connections.",
            metric="DatabaseConnections",
            source="cluster",
            statistic="Maximum",
            threshold=float(int(_max_connections(stack, region) * alarms.connections_percent / 100)),
        ),
        Alarm(
            name="deadlocks",
            summary=f"The cluster has more than {alarms.deadlocks_per_second:g} deadlocks a second.",
            metric="Deadlocks",
            source="cluster",
            statistic="Average",
            threshold=alarms.deadlocks_per_second,
        ),
        Alarm(
            name="failed-logins",
            summary=f"More than {alarms.failed_logins_per_second:g} logins a second fail.",
            metric="LoginFailures",
            source="cluster",
            statistic="Average",
            threshold=alarms.failed_logins_per_second,
        ),
        Alarm(
            name="volume",
            summary=f"The cluster volume has less than {alarms.volume_left_tib:g} of 128 TiB left.",
            metric="AuroraVolumeBytesLeftTotal",
            source="cluster",
            statistic="Minimum",
            threshold=alarms.volume_left_tib * (1 << 40),
            comparison="LessThanThreshold",
        ),
    )
