"""The alarms, the rule for AWS's failover events and the dashboard of one region.

Both regions have the same ones, because the lag metrics exist in the current standby region only. They read metrics of
their own region only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.alarms import PEER_REGION_LOST, READER_ROLE, WRITER_ROLE, Alarm
from components.failover_controller import METRIC_NAMESPACE
from components.region import Region

# Switchover, failover, and blocked writes (0390 and 0391 are instance events, the others cluster events).
# Source: Amazon RDS event categories and event messages for Aurora.
FAILOVER_EVENTS = [
    *(f"RDS-EVENT-{number:04}" for number in (*range(181, 188), *range(238, 242))),
    "RDS-EVENT-0390",
    "RDS-EVENT-0391",
    "RDS-EVENT-0519",
]


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """The monitored resources, and the topic of the alarms."""

    region: Region
    cluster_id: pulumi.Input[str]
    global_cluster_id: pulumi.Input[str]
    controller_name: pulumi.Input[str]
    controller_arn: pulumi.Input[str]
    topic_arn: pulumi.Input[str]
    alarms: Sequence[Alarm]


class Monitoring(pulumi.ComponentResource):
    """Alarms, event rule and dashboard of one region."""

    alarm_arns: pulumi.Output[list[str]]
    """Every alarm of this component."""
    writer_role_alarm: pulumi.Output[str]
    """The name of the alarm that fires while this region's cluster is the writer."""
    reader_role_alarm: pulumi.Output[str]
    """The name of the alarm that fires while this region's cluster is not the writer."""
    peer_region_lost_alarm: pulumi.Output[str]
    """The name of the alarm that fires while the other region is unreachable from this region."""
    dashboard_url: pulumi.Output[str]
    """The dashboard's page in the AWS console."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:monitoring:Monitoring", name, None, opts)
        self._name, self._args = name, args
        alarms = {alarm.name: self._alarm(alarm) for alarm in args.alarms}
        self.alarm_arns = pulumi.Output.all(*[alarm.arn for alarm in alarms.values()])
        self.writer_role_alarm = alarms[WRITER_ROLE.name].name
        self.reader_role_alarm = alarms[READER_ROLE.name].name
        self.peer_region_lost_alarm = alarms[PEER_REGION_LOST.name].name
        self._event_rule()
        self.dashboard_url = self._dashboard(self.alarm_arns)
        self.register_outputs({"alarm_arns": self.alarm_arns, "dashboard_url": self.dashboard_url})

    def _source(self, source: str) -> tuple[str, str, pulumi.Input[str]]:
        """Return the namespace of a source's metrics, and the name and value of their dimension."""
        args = self._args
        return {
            "cluster": ("AWS/RDS", "DBClusterIdentifier", args.cluster_id),
            "controller": (METRIC_NAMESPACE, "GlobalCluster", args.global_cluster_id),
            "function": ("AWS/Lambda", "FunctionName", args.controller_name),
        }[source]

    def _alarm(self, alarm: Alarm) -> aws.cloudwatch.MetricAlarm:
        region = self._args.region
        namespace, dimension, value = self._source(alarm.source)
        actions: list[pulumi.Input[str]] = [self._args.topic_arn] if alarm.notifies else []
        return aws.cloudwatch.MetricAlarm(
            f"{self._name}-{alarm.name}",
            name=region.name(alarm.name),
            alarm_description=alarm.description,
            namespace=namespace,
            metric_name=alarm.metric,
            dimensions={dimension: value},
            statistic=alarm.statistic,
            period=60,
            evaluation_periods=alarm.minutes,
            threshold=alarm.threshold,
            comparison_operator=alarm.comparison,
            treat_missing_data=alarm.missing,
            alarm_actions=actions,
            ok_actions=actions,
            tags=region.tags(alarm.name),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _event_rule(self) -> None:
        region = self._args.region
        rule = aws.cloudwatch.EventRule(
            f"{self._name}-failover-events",
            name=region.name("failover-events"),
            description="AWS events about switchovers and failovers",
            event_pattern=pulumi.Output.json_dumps({"source": ["aws.rds"], "detail": {"EventID": FAILOVER_EVENTS}}),
            state="ENABLED",
            tags=region.tags("failover-events"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.cloudwatch.EventTarget(
            f"{self._name}-failover-events-topic",
            rule=rule.name,
            target_id=region.name("failover"),
            arn=self._args.topic_arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        # The controller records the events in its audit trail. Source: Using resource-based policies for EventBridge: AWS
        # Lambda permissions.
        permission = aws.lambda_.Permission(
            f"{self._name}-failover-events",
            statement_id=region.name("failover-events"),
            action="lambda:InvokeFunction",
            function=self._args.controller_name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.cloudwatch.EventTarget(
            f"{self._name}-failover-events-record",
            rule=rule.name,
            target_id=region.name("failover-controller"),
            arn=self._args.controller_arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission]),
        )

    def _dashboard(self, alarm_arns: pulumi.Output[list[str]]) -> pulumi.Output[str]:
        region = self._args.region
        dashboard = aws.cloudwatch.Dashboard(
            f"{self._name}-dashboard",
            dashboard_name=region.name("failover"),
            dashboard_body=pulumi.Output.json_dumps({"widgets": self._widgets(alarm_arns)}),
            opts=pulumi.ResourceOptions(parent=self),
        )
        console = (
            f"https://{region.code}.console.aws.amazon.com/cloudwatch/home?region={region.code}#dashboards/dashboard/"
        )
        return pulumi.Output.concat(console, dashboard.dashboard_name)

    def _widgets(self, alarm_arns: pulumi.Output[list[str]]) -> list[dict[str, Any]]:
        """Return two columns of graphs on the dashboard's 24 columns, and the alarms below."""
        latencies = ["OwnProbeLatency", "PeerProbeLatency", "PeerFunctionLatency", "CycleDuration"]
        aurora_lags = ["AuroraGlobalDBReplicationLag", "AuroraGlobalDBRPOLag", "AuroraGlobalDBProgressLag"]
        load = ["CPUUtilization", "DatabaseConnections", "Deadlocks", "LoginFailures"]
        rows = [
            self._graph("Roles (1 = yes)", "controller", "Maximum", ["WriterRole", "PeerRegionLost", "NoWriter"]),
            self._graph("Cycles and decisions", "controller", "Sum", ["Cycles", "Held", "Error"]),
            self._graph("Latency of each path and of a cycle (ms)", "controller", "Maximum", latencies),
            self._graph(
                "Replication lag by heartbeat (ms)", "controller", "Maximum", ["ReplicationLag", "HeartbeatAge"]
            ),
            self._graph("Replication lag by Aurora (ms)", "cluster", "Maximum", aurora_lags),
            self._graph("Database load", "cluster", "Maximum", load),
        ]
        graphs = [
            {"type": "metric", "x": 12 * (i % 2), "y": 6 * (i // 2), "width": 12, "height": 6, "properties": graph}
            for i, graph in enumerate(rows)
        ]
        alarms = {"title": "Alarms", "alarms": alarm_arns}
        return [*graphs, {"type": "alarm", "x": 0, "y": 18, "width": 24, "height": 4, "properties": alarms}]

    def _graph(self, title: str, source: str, statistic: str, metrics: list[str]) -> dict[str, Any]:
        namespace, dimension, value = self._source(source)
        return {
            "title": title,
            "region": self._args.region.code,
            "view": "timeSeries",
            "stat": statistic,
            "period": 60,
            "metrics": [[namespace, metric, dimension, value] for metric in metrics],
        }
