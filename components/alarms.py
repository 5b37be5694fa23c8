"""The alarms of one region, as data: what is watched, when it is too much, and what people should make of it.

Owns: the table. Does not own: the alarm resources (`monitoring`). A row's `thing` is the alarm's name without project
and environment.
"""

from dataclasses import dataclass
from typing import Literal

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


def region_alarms(*, max_data_loss_seconds: int) -> tuple[Alarm, ...]:
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
            metric="Beat",
            source="controller",
            statistic="Sum",
            threshold=1,
            comparison="LessThanThreshold",
            minutes=3,
            missing="breaching",
        ),
        Alarm(
            thing="controller-errors",
            says="Beats of the controller meet errors.",
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
            says="The standby is more than a second behind.",
            metric="AuroraGlobalDBReplicationLag",
            source="cluster",
            statistic="Maximum",
            threshold=1000,
        ),
        Alarm(
            thing="rpo-lag",
            says="A failover now would lose more than failover.max_data_loss_seconds allows.",
            metric="AuroraGlobalDBRPOLag",
            source="cluster",
            statistic="Maximum",
            threshold=max(1, max_data_loss_seconds) * 1000,
            minutes=1,
        ),
        Alarm(
            thing="cpu",
            says="An instance is short of CPU.",
            metric="CPUUtilization",
            source="cluster",
            statistic="Maximum",
            threshold=80,
        ),
        Alarm(
            thing="free-memory",
            says="An instance has less than 1 GiB of memory left.",
            metric="FreeableMemory",
            source="cluster",
            statistic="Minimum",
            threshold=float(1 << 30),
            comparison="LessThanThreshold",
        ),
        Alarm(
            thing="connections",
            says="An instance nears the connections that its class takes (1000 for db.r6g.large).",
            metric="DatabaseConnections",
            source="cluster",
            statistic="Maximum",
            threshold=800,
        ),
        Alarm(
            thing="deadlocks",
            says="Transactions deadlock each other.",
            metric="Deadlocks",
            source="cluster",
            statistic="Average",
            threshold=0.1,
        ),
        Alarm(
            thing="failed-logins",
            says="Log-ins fail.",
            metric="LoginFailures",
            source="cluster",
            statistic="Average",
            threshold=0.5,
        ),
        Alarm(
            thing="volume",
            says="Less than 10 TiB are left of the 128 TiB that a cluster volume can grow to.",
            metric="AuroraVolumeBytesLeftTotal",
            source="cluster",
            statistic="Minimum",
            threshold=float(10 << 40),
            comparison="LessThanThreshold",
        ),
    )
