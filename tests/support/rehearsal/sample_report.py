"""A rehearsal's report for tests: four drills that look like real ones, and a dashboard of each kind of widget."""

from datetime import UTC, datetime

from rehearsal.report.dashboards import NOT_OURS, AlarmHistory, AlarmSpan, Dashboard, Level, Series, Widget
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
    Unproven,
    WriteOutcome,
)

HOME, AWAY = "us-east-1", "eu-west-1"
NAME = "writer.payments.internal"


def lanes(home: list[tuple[float, Role]], away: list[tuple[float, Role]], end_seconds: float) -> tuple[RoleSpan, ...]:
    """The lanes of both clusters."""
    return tuple(
        span
        for region, changes in ((HOME, home), (AWAY, away))
        for span in role_spans(
            cluster_id=f"payments-{region}-dev", region=region, changes=changes, end_seconds=end_seconds
        )
    )


def held(text: str, detail: str = "") -> Assertion:
    """An assertion that held."""
    return Assertion(text=text, passed=True, detail=detail)


def at(seconds: float, kind: EventKind, event: str, region: str | None = None, label: str = "") -> TimelineEvent:
    """An event."""
    return TimelineEvent(seconds=seconds, event=event, kind=kind, region=region, label=label)


def steady() -> DrillResult:
    """Twenty calm cycles."""
    return DrillResult(
        name="steady",
        started_seconds=8.2,
        zero_seconds=8.2,
        title="Steady state",
        description="Twenty cycles of calm: nothing may move.",
        seconds=20.4,
        timeline=(
            at(0, EventKind.NOTE, "The client starts to write through writer.payments.internal"),
            at(0.6, EventKind.VERDICT, "healthy", AWAY),
            at(0.9, EventKind.VERDICT, "healthy", HOME),
            at(20, EventKind.NOTE, "20 cycles are over"),
        ),
        roles=lanes([(0, Role.WRITER)], [(0, Role.STANDBY)], 20),
        dns=dns_spans(name=NAME, changes=[(0, HOME)], end_seconds=20),
        writes=bucket_writes([(i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(200)], width_seconds=0.5),
        measurements={"cycles": 20, "acknowledged_rows": 200, "replication_lag_ms": 51.4},
        assertions=(
            held("No failover or switchover was called", "0 calls seen by the control plane"),
            held("writer.payments.internal answers the primary throughout", "40 answers, all us-east-1"),
            held("Every cycle of both controllers said healthy", "us-east-1: 20 of 20\neu-west-1: 20 of 20"),
        ),
    )


def region_lost() -> DrillResult:
    """The writer's region goes dark under a writing client."""
    writes = [(-2 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(17)]
    writes += [(-0.3 + i * 0.1, WriteOutcome.LOST) for i in range(3)]
    writes += [(0.1 + i * 0.4, WriteOutcome.FAILED) for i in range(24)]
    writes += [(9.6 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(24)]
    return DrillResult(
        name="region-lost",
        started_seconds=28.6,
        zero_seconds=31.0,
        title="The writer's region is lost",
        description="The writer's region goes dark (databases, Lambda and AWS API) under a client that keeps writing.",
        zero="the outage",
        seconds=14.2,
        timeline=(
            at(0, EventKind.OUTAGE, "us-east-1 goes dark: databases, Lambda and AWS API", HOME),
            at(0.4, EventKind.CLIENT, "First write without an answer", label="first failure"),
            at(1.0, EventKind.VERDICT, "region-lost, 1 of 3: port dead, other region silent", AWAY),
            at(2.0, EventKind.VERDICT, "region-lost, 2 of 3: heartbeat 2.1 s old", AWAY),
            at(3.0, EventKind.VERDICT, "region-lost, 3 of 3: fail over", AWAY),
            at(3.3, EventKind.CALL, "FailoverGlobalCluster(AllowDataLoss=true) to payments-eu-west-1-dev", AWAY),
            at(5.4, EventKind.PROMOTION, "payments-eu-west-1-dev is the writer", AWAY),
            at(9.0, EventKind.DNS, "writer.payments.internal answers eu-west-1", AWAY),
            at(9.6, EventKind.CLIENT, "First acknowledged write in eu-west-1", AWAY, "first write"),
        ),
        roles=lanes(
            [(-2, Role.WRITER), (0, Role.DARK)],
            [(-2, Role.STANDBY), (5.4, Role.WRITER)],
            12,
        ),
        dns=dns_spans(name=NAME, changes=[(-2, HOME), (9.0, AWAY)], end_seconds=12),
        writes=bucket_writes(writes),
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
            held("From the outage to the call, at most 4 cycles", "3.3 cycles of 1 s"),
            held("Exactly one failover was called, in eu-west-1", "1 call: FailoverGlobalCluster at 3.30 s, accepted"),
            held(
                "Only rows younger than the lag were lost",
                "3 rows lost, acknowledged 0.30, 0.20 and 0.10 s before the outage; the lag was set to 300 ms",
            ),
            held("DNS moved after the promotion, not before", "promotion at 5.40 s, DNS at 9.00 s"),
        ),
    )


def old_region_returns() -> DrillResult:
    """The dark region comes back as a reader."""
    return DrillResult(
        name="old-region-returns",
        started_seconds=43.1,
        zero_seconds=44.1,
        title="The old region returns",
        zero="the region's return",
        seconds=10.0,
        timeline=(
            at(0, EventKind.RECOVERY, "us-east-1 answers again", HOME),
            at(0.8, EventKind.REJOIN, "payments-us-east-1-dev rejoins on a new volume", HOME),
            at(2.0, EventKind.VERDICT, "healthy", AWAY),
            at(2.1, EventKind.VERDICT, "healthy", HOME),
            at(2.1, EventKind.HELD, "in cooldown", HOME),
        ),
        roles=lanes(
            [(-1, Role.DARK), (0.8, Role.REJOINING), (3, Role.STANDBY)],
            [(-1, Role.WRITER)],
            9,
        ),
        dns=dns_spans(name=NAME, changes=[(-1, AWAY)], end_seconds=9),
        writes=bucket_writes([(-1 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(100)]),
        measurements={"rejoin_seconds": 0.8, "calls_count": 0},
        assertions=(held("No second failover", "0 calls"), held("DNS stays", "20 answers, all eu-west-1")),
    )


def switchover_home(*, passed: bool = True) -> DrillResult:
    """The planned way home."""
    return DrillResult(
        name="switchover-home",
        started_seconds=53.4,
        zero_seconds=54.4,
        title="Switchover home",
        zero="the call",
        seconds=11.0,
        timeline=(
            at(0, EventKind.CALL, "SwitchoverGlobalCluster to payments-us-east-1-dev", AWAY),
            at(1.2, EventKind.PROMOTION, "payments-us-east-1-dev is the writer", HOME),
            at(4.5, EventKind.DNS, "writer.payments.internal answers us-east-1", HOME),
            at(5.0, EventKind.CLIENT, "First acknowledged write in us-east-1", HOME, "first write"),
        ),
        roles=lanes(
            [(-1, Role.STANDBY), (1.2, Role.WRITER)],
            [(-1, Role.WRITER), (1.2, Role.STANDBY)],
            10,
        ),
        dns=dns_spans(name=NAME, changes=[(-1, AWAY), (4.5, HOME)], end_seconds=10),
        writes=bucket_writes(
            [(-1 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(20)]
            + [(1.0 + i * 0.2, WriteOutcome.FAILED) for i in range(20)]
            + [(5.0 + i * 0.1, WriteOutcome.ACKNOWLEDGED) for i in range(50)]
        ),
        measurements={"switchover_seconds": 1.2, "dns_moved_seconds": 4.5, "lost_rows": 0},
        assertions=(
            Assertion(text="No acknowledged row is lost", passed=passed, detail="70 of 70 rows read back"),
            held("DNS returns to us-east-1", "at 4.50 s"),
        ),
    )


def dashboard(region: str) -> Dashboard:
    """A dashboard with a graph that has data, one that has none here, a text and the alarms."""
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
                levels=(Level(label="a cycle a second", value=6),),
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
                        label="CPUUtilization", namespace="AWS/RDS", statistic="Maximum", points=(), absent=NOT_OURS
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
                        says="No region has a writer that takes writes.",
                        rule="Maximum of NoWriter \N{GREATER-THAN OR EQUAL TO} 1, 2 of 2 periods of 60 s",
                        spans=(
                            AlarmSpan(state="OK", start_seconds=2, end_seconds=32),
                            AlarmSpan(state="ALARM", start_seconds=32, end_seconds=44),
                            AlarmSpan(state="OK", start_seconds=44, end_seconds=71.3),
                        ),
                    ),
                    AlarmHistory(
                        name="payments-cpu-dev",
                        says="An instance is short of CPU.",
                        rule="Maximum of CPUUtilization > 80, 5 of 5 periods of 60 s",
                        spans=(AlarmSpan(state="OK", start_seconds=2, end_seconds=71.3),),
                        absent=NOT_OURS,
                    ),
                ),
            ),
        ),
    )


def sample_report() -> Report:
    """A rehearsal in which all four drills passed."""
    return Report(
        started_at=datetime(2026, 11, 24, 2, 43, 7, tzinfo=UTC),
        seconds=71.3,
        subject="payments-global-dev",
        time_scale=TimeScale(interval_seconds=1.0),
        settings={
            "environment": "dev",
            "project": "payments",
            "primary": {"region": HOME, "vpc_cidr": "10.10.0.0/16", "instance_count": 2},
            "secondary": {"region": AWAY, "vpc_cidr": "10.20.0.0/16", "instance_count": 2},
            "database": {"engine_version": "8.0.mysql_aurora.3.10.1", "log_exports": ["audit", "error", "slowquery"]},
            "failover": {"mode": "automatic", "interval_seconds": 1.0, "failure_threshold": 3, "approver": None},
            "deletion_protection": False,
        },
        versions={"python": "3.11.7", "pulumi": "3.272.0", "pulumi-aws": "7.51.1", "ministack": "1.5.33"},
        resources={
            HOME: {"aws:rds/cluster:Cluster": 1, "aws:rds/clusterInstance:ClusterInstance": 2, "aws:ec2/vpc:Vpc": 1},
            "global": {"aws:rds/globalCluster:GlobalCluster": 1, "aws:route53/zone:Zone": 1, "aws:iam/role:Role": 8},
            AWAY: {"aws:rds/cluster:Cluster": 1, "aws:rds/clusterInstance:ClusterInstance": 2, "aws:ec2/vpc:Vpc": 1},
        },
        deployment_seconds=12.3,
        drills=(steady(), region_lost(), old_region_returns(), switchover_home()),
        commit=Commit(id="4f7c2a90d1b34e5f8a6b7c8d9e0f1a2b3c4d5e6f", modified=False),
        machine="Linux x86_64, 2 processors",
        shortened=(Shortened(what="failover.interval_seconds", deployed_seconds=10, here_seconds=1),),
        not_held=(
            Unproven(
                type="aws:rds/cluster:Cluster",
                property="databaseInsightsMode",
                reason="there is no such field on a cluster",
            ),
        ),
        dashboards=(dashboard(HOME), dashboard(AWAY)),
        notes=(
            "The databases are MySQL-protocol stand-ins: a promotion here says nothing about how long Aurora takes.",
            "Route 53's answers are computed from the records and checks as deployed, not asked from Route 53.",
            "Performance Insights and enhanced monitoring are accepted by the emulator and not held.",
        ),
    )
