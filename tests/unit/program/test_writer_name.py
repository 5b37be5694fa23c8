"""Where `writer.<zone>` leads: what the program registers, judged by Route 53's rules, in every state of both regions.

The metric is each region's `WriterRole`: 1, 0, or None where nothing is heard.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest

from rehearsal.network.alarms import AlarmRule, AlarmState, evaluate
from rehearsal.network.routing import (
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

HOME, ELSEWHERE = "us-east-1", "eu-west-1"
VALUES = (0, 1, None)


def as_check(check_id: str, inputs: Mapping[str, Any]) -> Route53HealthCheck:
    """Return a health check as Route 53 would describe it."""
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
    """Return an alarm as CloudWatch would describe it."""
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
    """The writer's name as deployed. It remembers what Route 53 remembers: each check's last known status."""

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

    def leads_to(self, role: Mapping[str, int | None]) -> str:
        """Return the region that the name leads to while each region's metric has this value."""
        (followed,) = [record.health_check_id for record in self.records if record.health_check_id]
        health = {followed: self.status(self.checks[followed], role)}
        return choose(self.records, health, from_region=HOME).record.id

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


# (what the other region says, what it said when it was last heard) -> where the name leads while home says 0, 1, nothing.
# H is home, E is elsewhere.
TRUTH = {
    (0, 0): "HHH",
    (0, 1): "HHH",  # a planned switchover home
    (0, None): "HHH",
    (1, 0): "EEE",  # the first failover, whether the old region is back (0), cut off and unaware (1), or gone
    (1, 1): "EEE",
    (1, None): "EEE",
    (None, 0): "HHH",  # the standby region is silent: nothing moves
    (None, 1): "EHE",  # the writer's region is silent: only a promoted home changes that
    (None, None): "HHH",  # never heard: a new stack
}


@pytest.mark.parametrize(("before", "home_before"), list(product(VALUES, VALUES)))
@pytest.mark.parametrize(("elsewhere", "home"), list(product(VALUES, VALUES)))
def test_the_truth_table(
    dev: Run, elsewhere: int | None, home: int | None, before: int | None, home_before: int | None
) -> None:
    """All 81 states; what home said before never matters."""
    name = WriterName(dev)
    name.leads_to({HOME: home_before, ELSEWHERE: before})

    expected = {"H": HOME, "E": ELSEWHERE}[TRUTH[elsewhere, before][VALUES.index(home)]]
    assert expected == name.leads_to({HOME: home, ELSEWHERE: elsewhere})


START = (0, 1, "E")
"""The other region is the writer after a first failover, and home is back as a reader."""
STORIES: dict[str, list[tuple[int | None, int | None, str]]] = {
    # Each step: home says, the other region says, the name leads to.
    "first failover, and the old region comes back as a reader": [
        (1, 0, "H"),
        (None, 0, "H"),
        (None, 1, "E"),
        (0, 1, "E"),
    ],
    "a planned switchover there and home": [(1, 0, "H"), (0, 0, "H"), (0, 1, "E"), (0, 0, "H"), (1, 0, "H")],
    "the writer is lost elsewhere, and home takes over": [
        START,
        (0, None, "E"),
        (1, None, "H"),
        (1, 0, "H"),
    ],
    # The limit: Route 53 doesn't know which of two silent regions spoke last. With a memory of home's word the name would
    # instead leave a writer elsewhere that merely falls silent while home is still down.
    "home takes over, and then falls silent as well": [START, (1, None, "H"), (None, None, "E"), (1, None, "H")],
    "the standby region is silent for a while": [(1, 0, "H"), (1, None, "H"), (None, None, "H"), (1, 0, "H")],
    "only the telemetry of the writer elsewhere is gone": [START, (0, None, "E"), (None, None, "E"), START],
    "both claim to be the writer: the one that was promoted while home was cut off": [
        (1, 0, "H"),
        (1, 1, "E"),
        (1, 1, "E"),
        START,
    ],
    "a new stack, before its first cycle": [(None, None, "H"), (0, None, "H"), (1, None, "H"), (1, 0, "H")],
}


@pytest.mark.parametrize("story", STORIES)
def test_the_name_through_a_story(dev: Run, story: str) -> None:
    """One step after the other, with what Route 53 remembers of the steps before."""
    name = WriterName(dev)
    steps = STORIES[story]

    expected = [{"H": HOME, "E": ELSEWHERE}[leads_to] for _home, _elsewhere, leads_to in steps]
    assert expected == [name.leads_to({HOME: home, ELSEWHERE: elsewhere}) for home, elsewhere, _leads_to in steps]
