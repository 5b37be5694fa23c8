"""A sample report for tests: four realistic drills, and a dashboard with each kind of widget."""

from datetime import UTC, datetime

from rehearsal.report.dashboards import PUBLISHED_BY_AWS, AlarmHistory, AlarmSpan, Dashboard, Level, Series, Widget
from rehearsal.report.lanes import bucket_writes, dns_spans, role_spans
from rehearsal.report.model import (
    Assertion,
    Commit,
    DrillResult,
    EventKind,
    Report,
    Role,
    RoleSpan,
    Shortened,
    TimelineEvent,
    TimeScale,
    UnverifiedProperty,
    WriteOutcome,
)

PRIMARY, SECONDARY = "us-east-1", "eu-west-1"
NAME = "writer.payments.internal"


def lanes(
    primary: list[tuple[float, Role]], secondary: list[tuple[float, Role]], end_seconds: float
) -> tuple[RoleSpan, ...]:
    """Return the lanes of both clusters."""
    return tuple(
        span
        for region, changes in ((PRIMARY, primary), (SECONDARY, secondary))
        for span in role_spans(
            cluster_id=f"payments-{region}-dev", region=region, changes=changes, end_seconds=end_seconds
        )
    )


def passed_check(text: str, detail: str = "") -> Assertion:
    """Return a passed assertion."""
    return Assertion(text=text, passed=True, detail=detail)


def at(seconds: float, kind: EventKind, event: str, region: str | None = None, label: str = "") -> TimelineEvent:
    """Return an event."""
    return TimelineEvent(seconds=seconds, event=event, kind=kind, region=region, label=label)


def steady() -> DrillResult:
    """Return a drill without a fault."""
    return DrillResult(
        name="steady",
        started_seconds=8.2,
        zero_seconds=8.2,
        title="Steady state",
        description="20 cycles without a fault.",
        seconds=20.4,
        timeline=(
            at(0, EventKind.NOTE, "the client starts writing through writer.payments.internal"),
            at(0.6, EventKind.VERDICT, "healthy", SECONDARY),
            at(0.9, EventKind.VERDICT, "healthy", PRIMARY),
            at(20, EventKind.NOTE, "20 cycles have run"),
        ),
        roles=lanes([(0, Role.WRITER)], [(0, Role.STANDBY)], 20),
        dns=dns_spans(name=NAME, changes=[(0, PRIMARY)], end_seconds=20),
        writes=bucket_writes([(i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(200)], width_seconds=0.5),
        measurements={"cycles": 20, "acknowledged_rows": 200, "replication_lag_ms": 51.4},
        assertions=(
            passed_check("no failover or switchover was called", "0 calls"),
            passed_check("writer.payments.internal always resolved to us-east-1", "40 answers, all us-east-1"),
            passed_check("every cycle of both controllers was healthy", "us-east-1: 20 of 20\neu-west-1: 20 of 20"),
        ),
    )


def region_lost() -> DrillResult:
    """Return a drill in which the writer's region fails."""
    writes = [(-2 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(17)]
    writes += [(-0.3 + i * 0.1, WriteOutcome.LOST) for i in range(3)]
    writes += [(0.1 + i * 0.4, WriteOutcome.FAILED) for i in range(24)]
    writes += [(9.6 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(24)]
    return DrillResult(
        name="region-lost",
        started_seconds=28.6,
        zero_seconds=31.0,
        title="The writer's region fails",
        description="The writer's region becomes unreachable while a client writes. The standby fails over automatically.",
        zero="the outage",
        seconds=14.2,
        timeline=(
            at(0, EventKind.OUTAGE, "us-east-1 fails: databases, Lambda and the AWS API are unreachable", PRIMARY),
            at(0.4, EventKind.CLIENT, "first write without an answer", label="first failure"),
            at(1.0, EventKind.VERDICT, "region-lost, 1 of 3: port unreachable, other region not answering", SECONDARY),
            at(2.0, EventKind.VERDICT, "region-lost, 2 of 3: heartbeat 2.1 s old", SECONDARY),
            at(3.0, EventKind.VERDICT, "region-lost, 3 of 3: fail over", SECONDARY),
            at(3.3, EventKind.CALL, "FailoverGlobalCluster(AllowDataLoss=true) to payments-eu-west-1-dev", SECONDARY),
            at(5.4, EventKind.PROMOTION, "payments-eu-west-1-dev is the writer", SECONDARY),
            at(9.0, EventKind.DNS, "writer.payments.internal resolves to eu-west-1", SECONDARY),
            at(9.6, EventKind.CLIENT, "first acknowledged write in eu-west-1", SECONDARY, "first write"),
        ),
        roles=lanes(
            [(-2, Role.WRITER), (0, Role.UNREACHABLE)],
            [(-2, Role.STANDBY), (5.4, Role.WRITER)],
            12,
        ),
        dns=dns_spans(name=NAME, changes=[(-2, PRIMARY), (9.0, SECONDARY)], end_seconds=12),
        writes=bucket_writes(writes),
        unadvised_writes=bucket_writes([(-2 + i * 0.5, WriteOutcome.ACKNOWLEDGED) for i in range(4)]),
        measurements={
            "detection_seconds": 3.0,
            "outage_to_call_seconds": 3.3,
            "promotion_seconds": 2.1,
            "dns_moved_seconds": 9.0,
            "first_write_seconds": 9.6,
            "lost_rows": 3,
            "lag_set_ms": 300.0,
        },
        key_measurements=("outage_to_call_seconds", "first_write_seconds", "lost_rows"),
        assertions=(
            passed_check("the failover was called within 4 cycles of the outage", "3.3 cycles of 1 s"),
            passed_check(
                "RDS accepted exactly one failover call, in eu-west-1",
                "1 call: FailoverGlobalCluster at 3.30 s, accepted",
            ),
            passed_check(
                "every lost row was newer than the replication lag",
                "3 rows lost, acknowledged 0.30, 0.20 and 0.10 s before the outage; lag 300 ms",
            ),
            passed_check("DNS changed only after the call", "call at 3.30 s, promotion at 5.40 s, DNS at 9.00 s"),
        ),
    )


def old_region_returns() -> DrillResult:
    """Return a drill in which the failed region rejoins as a reader."""
    return DrillResult(
        name="old-region-returns",
        started_seconds=43.1,
        zero_seconds=44.1,
        title="The failed region returns",
        zero="the region's return",
        seconds=10.0,
        timeline=(
            at(0, EventKind.RECOVERY, "us-east-1 is reachable again", PRIMARY),
            at(0.8, EventKind.REJOIN, "payments-us-east-1-dev rejoins on a new volume", PRIMARY),
            at(2.0, EventKind.VERDICT, "healthy", SECONDARY),
            at(2.1, EventKind.VERDICT, "healthy", PRIMARY),
            at(2.1, EventKind.HELD, "in cooldown", PRIMARY),
        ),
        roles=lanes(
            [(-1, Role.UNREACHABLE), (0.8, Role.REJOINING), (3, Role.STANDBY)],
            [(-1, Role.WRITER)],
            9,
        ),
        dns=dns_spans(name=NAME, changes=[(-1, SECONDARY)], end_seconds=9),
        writes=bucket_writes([(-1 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(100)]),
        measurements={"rejoin_seconds": 0.8, "calls_count": 0},
        assertions=(
            passed_check("no failover was called", "0 calls"),
            passed_check("writer.payments.internal always resolved to eu-west-1", "20 answers, all eu-west-1"),
        ),
    )


def switchover_home(*, passed: bool = True) -> DrillResult:
    """Return a planned switchover to the primary region."""
    return DrillResult(
        name="switchover-home",
        started_seconds=53.4,
        zero_seconds=54.4,
        title="Switchover to the primary region",
        zero="the switchover call",
        seconds=11.0,
        timeline=(
            at(0, EventKind.CALL, "SwitchoverGlobalCluster to payments-us-east-1-dev", SECONDARY),
            at(1.2, EventKind.PROMOTION, "payments-us-east-1-dev is the writer", PRIMARY),
            at(4.5, EventKind.DNS, "writer.payments.internal resolves to us-east-1", PRIMARY),
            at(5.0, EventKind.CLIENT, "first acknowledged write in us-east-1", PRIMARY, "first write"),
        ),
        roles=lanes(
            [(-1, Role.STANDBY), (1.2, Role.WRITER)],
            [(-1, Role.WRITER), (1.2, Role.STANDBY)],
            10,
        ),
        dns=dns_spans(name=NAME, changes=[(-1, SECONDARY), (4.5, PRIMARY)], end_seconds=10),
        writes=bucket_writes(
            [(-1 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(20)]
            + [(1.0 + i * 0.2, WriteOutcome.FAILED) for i in range(20)]
            + [(5.0 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(50)]
        ),
        measurements={"switchover_seconds": 1.2, "dns_moved_seconds": 4.5, "lost_rows": 0},
        assertions=(
            Assertion(text="the switchover lost no acknowledged row", passed=passed, detail="70 of 70 rows read back"),
            passed_check("writer.payments.internal resolves to us-east-1 again", "at 4.50 s"),
        ),
    )


def dashboard(region: str) -> Dashboard:
    """Return a dashboard with a graph, a graph without data, a text and alarms."""
    return Dashboard(
        name="payments-failover-dev",
        region=region,
        start_seconds=0,
        end_seconds=71.3,
        widgets=(
            Widget(
                kind="metric",
                title="Cycles and decisions",
                x=0,
                y=0,
                width=12,
                height=6,
                view="timeSeries",
                period_seconds=6,
                series=(
                    Series(
                        label="Cycles",
                        namespace="AuroraFailover",
                        statistic="Sum",
                        points=((2.0, 3.0), (8.0, 6.0), (14.0, 6.0), (32.0, 5.0), (38.0, 6.0)),
                    ),
                    Series(
                        label="Held",
                        namespace="AuroraFailover",
                        statistic="Sum",
                        points=((2.0, 0.0), (8.0, 0.0)),
                    ),
                ),
                levels=(Level(label="one cycle per second", value=6),),
            ),
            Widget(
                kind="metric",
                title="Load",
                x=12,
                y=0,
                width=12,
                height=6,
                view="timeSeries",
                period_seconds=6,
                series=(
                    Series(
                        label="CPUUtilization",
                        namespace="AWS/RDS",
                        statistic="Maximum",
                        points=(),
                        absent=PUBLISHED_BY_AWS,
                    ),
                ),
                undrawn=("legend",),
            ),
            Widget(kind="text", title="", x=0, y=6, width=24, height=2, text="Read the *runbook* first."),
            Widget(
                kind="alarm",
                title="Alarms",
                x=0,
                y=8,
                width=24,
                height=4,
                alarms=(
                    AlarmHistory(
                        name="payments-no-writer-dev",
                        says="No region has a writer that accepts writes.",
                        rule="Maximum of NoWriter \N{GREATER-THAN OR EQUAL TO} 1, 2 of 2 periods of 60 s",
                        spans=(
                            AlarmSpan(state="OK", start_seconds=2, end_seconds=32),
                            AlarmSpan(state="ALARM", start_seconds=32, end_seconds=44),
                            AlarmSpan(state="OK", start_seconds=44, end_seconds=71.3),
                        ),
                    ),
                    AlarmHistory(
                        name="payments-cpu-dev",
                        says="An instance has a high CPU load.",
                        rule="Maximum of CPUUtilization > 80, 5 of 5 periods of 60 s",
                        spans=(AlarmSpan(state="OK", start_seconds=2, end_seconds=71.3),),
                        absent=PUBLISHED_BY_AWS,
                    ),
                ),
            ),
        ),
    )


def sample_report() -> Report:
    """Return a rehearsal in which all four drills passed."""
    return Report(
        started_at=datetime(2026, 11, 24, 2, 43, 7, tzinfo=UTC),
        seconds=71.3,
        subject="payments-global-dev",
        time_scale=TimeScale(interval_seconds=1.0),
        settings={
            "environment": "dev",
            "project": "payments",
            "primary": {"region": PRIMARY, "vpc_cidr": "10.10.0.0/16", "instance_count": 2},
            "secondary": {"region": SECONDARY, "vpc_cidr": "10.20.0.0/16", "instance_count": 2},
            "database": {"engine_version": "8.0.mysql_aurora.3.10.1", "log_exports": ["audit", "error", "slowquery"]},
            "failover": {"mode": "automatic", "interval_seconds": 1.0, "failure_threshold": 3, "approver": None},
            "deletion_protection": False,
        },
        versions={"python": "3.11.7", "pulumi": "3.272.0", "pulumi-aws": "7.51.1", "ministack": "1.5.33"},
        resources={
            PRIMARY: {"aws:rds/cluster:Cluster": 1, "aws:rds/clusterInstance:ClusterInstance": 2, "aws:ec2/vpc:Vpc": 1},
            "global": {"aws:rds/globalCluster:GlobalCluster": 1, "aws:route53/zone:Zone": 1, "aws:iam/role:Role": 8},
            SECONDARY: {
                "aws:rds/cluster:Cluster": 1,
                "aws:rds/clusterInstance:ClusterInstance": 2,
                "aws:ec2/vpc:Vpc": 1,
            },
        },
        deployment_seconds=12.3,
        drills=(steady(), region_lost(), old_region_returns(), switchover_home()),
        commit=Commit(id="4f7c2a90d1b34e5f8a6b7c8d9e0f1a2b3c4d5e6f", modified=False),
        machine="Linux x86_64, 2 processors",
        shortened=(Shortened(what="failover.interval_seconds", deployed_seconds=10, here_seconds=1),),
        not_held=(
            UnverifiedProperty(
                type="aws:rds/cluster:Cluster",
                property="databaseInsightsMode",
                reason="a cluster of the embedded AWS has no such field",
            ),
        ),
        dashboards=(dashboard(PRIMARY), dashboard(SECONDARY)),
        notes=(
            "The databases are embedded: the duration of a promotion says nothing about Aurora.",
            "DNS answers are computed from the deployed records and health checks, not returned by Route 53.",
            "The emulator accepts Performance Insights and enhanced monitoring but does not store them.",
        ),
    )
