"""What people see of a region, and when they are called.

Owns: the alarms on the metrics of the database and of the controller, the rule that passes AWS's own failover events
on to people and to the controller's audit trail, and the dashboard.
Does not own: the topic (`notifications`), the alarms' thresholds (`alarms`), DNS and its alarms (`failover_dns`).
Invariant: it is the same in both regions and looks at its own region only: lag metrics swap sides with the roles, so
the alarms stand in both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.alarms import PEER_REGION_LOST, READER_ROLE, WRITER_ROLE, Alarm
from components.json_text import json_text
from components.site import Region

# Switchover, failover, and writes blocked for either (these two are events of instances, the others of clusters).
# Source: Amazon RDS event categories and event messages for Aurora.
FAILOVER_EVENTS = [
    *(f"RDS-EVENT-{number:04}" for number in (*range(181, 188), *range(238, 242))),
    "RDS-EVENT-0390",
    "RDS-EVENT-0391",
    "RDS-EVENT-0519",
]


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """What is watched."""

    site: Region
    cluster_id: pulumi.Input[str]
    global_cluster_id: pulumi.Input[str]
    controller_name: pulumi.Input[str]
    controller_arn: pulumi.Input[str]
    metric_namespace: str
    topic_arn: pulumi.Input[str]
    alarms: Sequence[Alarm]


class Monitoring(pulumi.ComponentResource):
    """Alarms, event rule and dashboard of one region."""

    alarm_arns: pulumi.Output[list[str]]
    """Every alarm of this component."""
    writer_role_alarm: pulumi.Output[str]
    """The name of the alarm that is on while this region's cluster is the writer."""
    reader_role_alarm: pulumi.Output[str]
    """The name of the alarm that is on while it isn't."""
    peer_region_lost_alarm: pulumi.Output[str]
    """The name of the alarm that is on while this region sees nothing of the other."""
    dashboard_url: pulumi.Output[str]
    """Where the dashboard is shown."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aurora:monitoring:Monitoring", name, None, opts)
        self._name, self._args = name, args
        alarms = {alarm.thing: self._alarm(alarm) for alarm in args.alarms}
        self.alarm_arns = pulumi.Output.all(*[alarm.arn for alarm in alarms.values()])
        self.writer_role_alarm = alarms[WRITER_ROLE.thing].name
        self.reader_role_alarm = alarms[READER_ROLE.thing].name
        self.peer_region_lost_alarm = alarms[PEER_REGION_LOST.thing].name
        self._event_rule()
        self.dashboard_url = self._dashboard(self.alarm_arns)
        self.register_outputs({"alarm_arns": self.alarm_arns, "dashboard_url": self.dashboard_url})

    def _source(self, source: str) -> tuple[str, str, pulumi.Input[str]]:
        """Return namespace, dimension and its value."""
        args = self._args
        return {
            "cluster": ("AWS/RDS", "DBClusterIdentifier", args.cluster_id),
            "controller": (args.metric_namespace, "GlobalCluster", args.global_cluster_id),
            "function": ("AWS/Lambda", "FunctionName", args.controller_name),
        }[source]

    def _alarm(self, alarm: Alarm) -> aws.cloudwatch.MetricAlarm:
        site = self._args.site
        namespace, dimension, value = self._source(alarm.source)
        actions: list[pulumi.Input[str]] = [self._args.topic_arn] if alarm.notifies else []
        return aws.cloudwatch.MetricAlarm(
            f"{self._name}-{alarm.thing}",
            name=site.name(alarm.thing),
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
            tags=site.tags(alarm.thing),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _event_rule(self) -> None:
        site = self._args.site
        rule = aws.cloudwatch.EventRule(
            f"{self._name}-failover-events",
            name=site.name("failover-events"),
            description="What AWS itself says of switchovers and failovers",
            event_pattern=json_text({"source": ["aws.rds"], "detail": {"EventID": FAILOVER_EVENTS}}),
            state="ENABLED",
            tags=site.tags("failover-events"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.cloudwatch.EventTarget(
            f"{self._name}-failover-events-topic",
            rule=rule.name,
            target_id=site.name("failover"),
            arn=self._args.topic_arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        # Beside our own notices in the audit trail. Source: Using resource-based policies for EventBridge: AWS Lambda
        # permissions.
        permission = aws.lambda_.Permission(
            f"{self._name}-failover-events",
            statement_id=site.name("failover-events"),
            action="lambda:InvokeFunction",
            function=self._args.controller_name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.cloudwatch.EventTarget(
            f"{self._name}-failover-events-record",
            rule=rule.name,
            target_id=site.name("failover-controller"),
            arn=self._args.controller_arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[permission]),
        )

    def _dashboard(self, alarm_arns: pulumi.Output[list[str]]) -> pulumi.Output[str]:
        region = self._args.site.region
        dashboard = aws.cloudwatch.Dashboard(
            f"{self._name}-dashboard",
            dashboard_name=self._args.site.name("failover"),
            dashboard_body=json_text({"widgets": self._widgets(alarm_arns)}),
            opts=pulumi.ResourceOptions(parent=self),
        )
        console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#dashboards/dashboard/"
        return pulumi.Output.concat(console, dashboard.dashboard_name)

    def _widgets(self, alarm_arns: pulumi.Output[list[str]]) -> list[dict[str, Any]]:
        """Return the dashboard's widgets, two beside each other on its 24 columns, the alarms across."""
        latencies = ["OwnProbeLatency", "PeerProbeLatency", "PeerFunctionLatency", "CycleDuration"]
        aurora_lags = ["AuroraGlobalDBReplicationLag", "AuroraGlobalDBRPOLag", "AuroraGlobalDBProgressLag"]
        load = ["CPUUtilization", "DatabaseConnections", "Deadlocks", "LoginFailures"]
        rows = [
            self._graph("Roles: 1 is yes", "controller", "Maximum", ["WriterRole", "PeerRegionLost", "NoWriter"]),
            self._graph("Cycles and decisions", "controller", "Sum", ["Cycles", "Held", "Error"]),
            self._graph("Latency by path, and of a whole cycle (ms)", "controller", "Maximum", latencies),
            self._graph("Lag by our own heartbeat (ms)", "controller", "Maximum", ["ReplicationLag", "HeartbeatAge"]),
            self._graph("Lag by Aurora (ms)", "cluster", "Maximum", aurora_lags),
            self._graph("Load", "cluster", "Maximum", load),
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
            "region": self._args.site.region,
            "view": "timeSeries",
            "stat": statistic,
            "period": 60,
            "metrics": [[namespace, metric, dimension, value] for metric in metrics],
        }
