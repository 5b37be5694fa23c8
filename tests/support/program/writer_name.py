"""The writer's name as the program declares it, by Route 53's rules."""

from collections.abc import Mapping
from typing import Any

from rehearsal.network.alarms import AlarmRule, AlarmState, evaluate
from rehearsal.network.route53_routing import (
    DnsRecord,
    HealthStatus,
    Route53HealthCheck,
    choose,
    final_status,
    health_of_alarm,
    health_of_children,
    require_supported_alarm,
    require_supported_children,
)
from tests.support.program.harness import Run

PRIMARY, SECONDARY = "us-east-1", "eu-west-1"


def as_check(check_id: str, inputs: Mapping[str, Any]) -> Route53HealthCheck:
    """Return a health check as Route 53 describes it."""
    config = {
        "Type": inputs["type"],
        "InsufficientDataHealthStatus": inputs.get("insufficientDataHealthStatus"),
        "Inverted": inputs.get("invertHealthcheck"),
        "ChildHealthChecks": inputs.get("childHealthchecks", []),
        "HealthThreshold": inputs.get("childHealthThreshold", 0),
    }
    if "cloudwatchAlarmName" in inputs:
        config["AlarmIdentifier"] = {
            "Name": inputs["cloudwatchAlarmName"],
            "Region": inputs["cloudwatchAlarmRegion"],
        }
    return Route53HealthCheck.from_description({"Id": check_id, "HealthCheckConfig": config})


def as_rule(inputs: Mapping[str, Any]) -> AlarmRule:
    """Return an alarm as CloudWatch describes it."""
    return AlarmRule.from_description(
        {
            "AlarmName": inputs["name"],
            "Namespace": inputs["namespace"],
            "MetricName": inputs["metricName"],
            "Dimensions": [{"Name": name, "Value": value} for name, value in inputs["dimensions"].items()],
            "Statistic": inputs["statistic"],
            "Period": inputs["period"],
            "EvaluationPeriods": inputs["evaluationPeriods"],
            "Threshold": inputs["threshold"],
            "ComparisonOperator": inputs["comparisonOperator"],
            "TreatMissingData": inputs["treatMissingData"],
        }
    )


class WriterName:
    """The writer's name as deployed, with each check's last known status."""

    def __init__(self, run: Run) -> None:
        ids: dict[str, str] = run.exports["health_check_ids"]
        self.checks = {
            ids[r.name.removeprefix("dns-")]: as_check(ids[r.name.removeprefix("dns-")], r.inputs)
            for r in run.of("route53/healthCheck:HealthCheck")
        }
        self.rules = {
            (r.region, r.inputs["name"]): as_rule(r.inputs) for r in run.of("cloudwatch/metricAlarm:MetricAlarm")
        }
        self.records = [
            DnsRecord(
                name=r.inputs["name"],
                type=r.inputs["type"],
                values=tuple(r.inputs["records"]),
                ttl_seconds=r.inputs["ttl"],
                id=r.inputs["setIdentifier"],
                failover=r.inputs["failoverRoutingPolicies"][0]["type"],
                health_check_id=r.inputs.get("healthCheckId"),
            )
            for r in run.of("route53/record:Record")
            if "failoverRoutingPolicies" in r.inputs
        ]
        self.known: dict[str, HealthStatus] = {}

    def resolves_to(self, role: Mapping[str, int | None]) -> str:
        """Return the region that the name resolves to for these values of the metric."""
        (check_id,) = [record.health_check_id for record in self.records if record.health_check_id]
        health = {check_id: self.status(self.checks[check_id], role)}
        return choose(self.records, health, from_region=PRIMARY).record.id

    def status(self, check: Route53HealthCheck, role: Mapping[str, int | None]) -> HealthStatus:
        """Return a check's status."""
        if check.is_calculated:
            children = [self.checks[child] for child in check.children]
            require_supported_children(check, children)
            return final_status(check, health_of_children(check, [self.status(child, role) for child in children]))
        assert check.alarm_region is not None
        assert check.alarm_name is not None
        rule = self.rules[check.alarm_region, check.alarm_name]
        require_supported_alarm(rule)
        value = role[check.alarm_region]
        state = evaluate([None if value is None else float(value)], rule, AlarmState.INSUFFICIENT_DATA)
        status = health_of_alarm(check, state, self.known.get(check.id))
        if state is not AlarmState.INSUFFICIENT_DATA:
            self.known[check.id] = status
        return final_status(check, status)
