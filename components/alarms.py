"""The alarms of one region, as data: what is watched, when it is too much, and what people should make of it.

Owns: the table, and what a share of an instance's memory or connections comes to. Does not own: the alarm resources
(`monitoring`). A row's `thing` is the alarm's name without project and environment.
"""

import math
from dataclasses import dataclass
from typing import Literal

from settings import RegionSettings, Settings

MissingData = Literal["breaching", "notBreaching", "missing"]
RUNBOOK = "docs/runbook/alarms.md"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm on one metric."""

    thing: str
    says: str
    metric: str
    source: Literal["cluster", "controller", "function"]
    """Whose metric: the cluster's (AWS/RDS), the controller's own (AuroraFailover), or Lambda's about it."""
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
        """What the alarm says, and where to read what to do."""
        return described(self.says, self.thing)


def described(says: str, heading: str) -> str:
    """Return an alarm's description: what it says, and its heading in the runbook, by the path in this repository."""
    return f"{says} Runbook: {RUNBOOK}#{heading}"


# The three that DNS follows: one minute, one datapoint, no metric math, standard resolution. Route 53 watches their
# data, never their state. Of an alarm it copies metric, statistic, period, periods, comparison and threshold; what to
# make of missing data is said at each health check instead. So the alarms leave missing data missing: then it is
# missing by either rule. Source: CloudWatchAlarmConfiguration, Route 53 API reference.
# Of the two that tell the role, one is always on: they notify nobody.
WRITER_ROLE = Alarm(
    thing="writer-role",
    says="This region's cluster is the writer. A role, not a fault: DNS follows it, and nobody is told.",
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
    thing="reader-role",
    says="This region's cluster is not the writer. A role, not a fault: DNS follows it, and nobody is told.",
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
    thing="peer-region-lost",
    says="Seen from here, the other region is gone.",
    metric="PeerRegionLost",
    source="controller",
    statistic="Maximum",
    threshold=1,
    comparison="GreaterThanOrEqualToThreshold",
    minutes=1,
    missing="missing",
)


@dataclass(frozen=True, kw_only=True)
class AlarmThresholds:
    """When it is too much, for a region's instances."""

    max_data_loss_seconds: int
    replication_lag_ms: float
    cpu_percent: float
    free_memory_percent: float
    """Of an instance's memory."""
    connections_percent: float
    """Of the connections that an instance takes."""
    deadlocks_per_second: float
    failed_logins_per_second: float
    volume_left_tib: float
    memory_gib: float
    """An instance's memory."""
    max_connections: int | None = None
    """The connections that an instance takes, if they aren't those that its memory gives it."""

    @classmethod
    def of(cls, settings: Settings, place: RegionSettings) -> "AlarmThresholds":
        """Return what the settings say, for the instances of one region."""
        database, parameter = settings.database, "max_connections"
        said = database.instance_parameters.get(parameter) or database.cluster_parameters.get(parameter) or ""
        return cls(
            max_data_loss_seconds=settings.failover.max_data_loss_seconds,
            memory_gib=place.memory_gib,
            # A formula instead of a number is left to Aurora; the default is then the best guess.
            max_connections=int(said) if said.isdecimal() else None,
            **settings.alarms.model_dump(),
        )

    @property
    def free_memory_bytes(self) -> float:
        """How little free memory is too little."""
        return float(int(self.memory_gib * (1 << 30) * self.free_memory_percent / 100))

    @property
    def connections(self) -> float:
        """How many connections are too many."""
        most = self.max_connections or default_max_connections(self.memory_gib)
        return float(int(most * self.connections_percent / 100))


def default_max_connections(memory_gib: float) -> int:
    """Return the connections that Aurora MySQL lets an instance with this memory take, unless a parameter says otherwise.

    The default is log2(DBInstanceClassMemory / 8187281408) * 1000, and a class leaves the database 15.25 of each 16 GiB.
    Serverless v2 counts with its greatest capacity, whatever it has just now.
    Source: Maximum connections to an Aurora MySQL DB instance; Maximum connections for Aurora Serverless v2.
    """
    return int(1000 * math.log2(memory_gib / 8))


def region_alarms(thresholds: AlarmThresholds) -> tuple[Alarm, ...]:
    """Return the alarms that every region has, whichever role it plays.

    The lag metrics exist only where the standby is, so their absence is no alarm.
    Source: Monitoring an Amazon Aurora global database.
    """
    at_least = "GreaterThanOrEqualToThreshold"
    return (
        WRITER_ROLE,
        READER_ROLE,
        PEER_REGION_LOST,
        Alarm(
            thing="no-writer",
            says="No region has a writer that takes writes.",
            metric="NoWriter",
            source="controller",
            statistic="Maximum",
            threshold=1,
            comparison=at_least,
            minutes=2,
        ),
        Alarm(
            thing="controller-silent",
            says="The controller hasn't observed anything for three minutes: nobody would fail over.",
            metric="Cycles",
            source="controller",
            statistic="Sum",
            threshold=1,
            comparison="LessThanThreshold",
            minutes=3,
            missing="breaching",
        ),
        Alarm(
            thing="controller-errors",
            says="Cycles of the controller meet errors.",
            metric="Error",
            source="controller",
            statistic="Sum",
            threshold=1,
            comparison=at_least,
            minutes=3,
        ),
        Alarm(
            thing="controller-crashes",
            says="Invocations of the controller end in an error.",
            metric="Errors",
            source="function",
            statistic="Sum",
            threshold=1,
            comparison=at_least,
            minutes=3,
        ),
        Alarm(
            thing="failover-held",
            says="A rule wanted to act, and a guard held it: read the notice, then decide.",
            metric="Held",
            source="controller",
            statistic="Maximum",
            threshold=1,
            comparison=at_least,
            minutes=1,
        ),
        Alarm(
            thing="replication-lag",
            says=f"The standby is more than {thresholds.replication_lag_ms:g} ms behind.",
            metric="AuroraGlobalDBReplicationLag",
            source="cluster",
            statistic="Maximum",
            threshold=thresholds.replication_lag_ms,
        ),
        Alarm(
            thing="rpo-lag",
            says="A failover now would lose more than failover.max_data_loss_seconds allows.",
            metric="AuroraGlobalDBRPOLag",
            source="cluster",
            statistic="Maximum",
            threshold=max(1, thresholds.max_data_loss_seconds) * 1000,
            minutes=1,
        ),
        Alarm(
            thing="cpu",
            says="An instance is short of CPU.",
            metric="CPUUtilization",
            source="cluster",
            statistic="Maximum",
            threshold=thresholds.cpu_percent,
        ),
        Alarm(
            thing="free-memory",
            says=f"An instance has less than {thresholds.free_memory_percent:g} % of its memory left.",
            metric="FreeableMemory",
            source="cluster",
            statistic="Minimum",
            threshold=thresholds.free_memory_bytes,
            comparison="LessThanThreshold",
        ),
        Alarm(
            thing="connections",
            says=f"An instance has {thresholds.connections_percent:g} % of the connections that it takes.",
            metric="DatabaseConnections",
            source="cluster",
            statistic="Maximum",
            threshold=thresholds.connections,
        ),
        Alarm(
            thing="deadlocks",
            says="Transactions deadlock each other.",
            metric="Deadlocks",
            source="cluster",
            statistic="Average",
            threshold=thresholds.deadlocks_per_second,
        ),
        Alarm(
            thing="failed-logins",
            says="Log-ins fail.",
            metric="LoginFailures",
            source="cluster",
            statistic="Average",
            threshold=thresholds.failed_logins_per_second,
        ),
        Alarm(
            thing="volume",
            says=f"Less than {thresholds.volume_left_tib:g} TiB are left of the 128 TiB that a cluster volume can grow to.",
            metric="AuroraVolumeBytesLeftTotal",
            source="cluster",
            statistic="Minimum",
            threshold=thresholds.volume_left_tib * (1 << 40),
            comparison="LessThanThreshold",
        ),
    )
