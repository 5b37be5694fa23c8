"""The answer of `writer.<zone>` by Route 53's rules, in every state of both regions.

The metric is each region's `WriterRole`: 1, 0, or None without data.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest

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
VALUES = (0, 1, None)


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


# (the secondary region's metric, its last value) -> the answers while the primary region's metric is 0, 1, None.
# P is primary, S is secondary.
TRUTH = {
    (0, 0): "PPP",
    (0, 1): "PPP",  # a switchover to the primary region
    (0, None): "PPP",
    (1, 0): "SSS",  # a failover: the old region is back (0), isolated (1) or lost
    (1, 1): "SSS",
    (1, None): "SSS",
    (None, 0): "PPP",  # the standby region reports nothing: no change
    (None, 1): "SPS",  # the writer's region reports nothing: only a promotion changes the answer
    (None, None): "PPP",  # a new stack
}


@pytest.mark.parametrize(("before", "primary_before"), list(product(VALUES, VALUES)))
@pytest.mark.parametrize(("secondary", "primary"), list(product(VALUES, VALUES)))
def test_truth_table(
    dev: Run, secondary: int | None, primary: int | None, before: int | None, primary_before: int | None
) -> None:
    """All 81 states; the primary region's earlier value never matters."""
    name = WriterName(dev)
    name.resolves_to({PRIMARY: primary_before, SECONDARY: before})

    expected = {"P": PRIMARY, "S": SECONDARY}[TRUTH[secondary, before][VALUES.index(primary)]]
    assert expected == name.resolves_to({PRIMARY: primary, SECONDARY: secondary})


START = (0, 1, "S")
"""After a failover: the secondary region is the writer, the primary region is back as a reader."""
SEQUENCES: dict[str, list[tuple[int | None, int | None, str]]] = {
    # Each step: the primary region's metric, the secondary region's metric, the answer.
    "a failover, after which the old region returns as a reader": [
        (1, 0, "P"),
        (None, 0, "P"),
        (None, 1, "S"),
        (0, 1, "S"),
    ],
    "a switchover and the switchover back": [(1, 0, "P"), (0, 0, "P"), (0, 1, "S"), (0, 0, "P"), (1, 0, "P")],
    "the secondary region is lost as the writer, and the primary region takes over": [
        START,
        (0, None, "S"),
        (1, None, "P"),
        (1, 0, "P"),
    ],
    # A limit: without data from both regions, Route 53 does not know which one reported last. If it kept the primary region's
    # last report, the name would leave a writer in the secondary region that only loses its telemetry.
    "the primary region takes over and then reports nothing": [
        START,
        (1, None, "P"),
        (None, None, "S"),
        (1, None, "P"),
    ],
    "the standby region reports nothing for a while": [(1, 0, "P"), (1, None, "P"), (None, None, "P"), (1, 0, "P")],
    "the writer in the secondary region loses its telemetry": [START, (0, None, "S"), (None, None, "S"), START],
    "both report that they are the writer, after a promotion while the primary region was isolated": [
        (1, 0, "P"),
        (1, 1, "S"),
        (1, 1, "S"),
        START,
    ],
    "a new stack, before its first cycle": [(None, None, "P"), (0, None, "P"), (1, None, "P"), (1, 0, "P")],
}


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_name_follows_a_sequence_of_states(dev: Run, sequence: str) -> None:
    """Each step keeps Route 53's last known statuses."""
    name = WriterName(dev)
    steps = SEQUENCES[sequence]

    expected = [{"P": PRIMARY, "S": SECONDARY}[answer] for _primary, _secondary, answer in steps]
    assert expected == [
        name.resolves_to({PRIMARY: primary, SECONDARY: secondary}) for primary, secondary, _answer in steps
    ]
