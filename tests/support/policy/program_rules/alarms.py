"""Rules on alarms and dashboards that only a change of the program can break."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policy.rules.rule import rule, violation
from policy.rules.stack_model import UNKNOWN, RegisteredResource, Stack, Violation, as_list
from tests.support.policy.program_rules.published_metrics import (
    AWS_METRICS,
    CONTROLLER_DIMENSIONS,
    controller_metrics,
)

ALARM, DASHBOARD = "cloudwatch/metricAlarm:MetricAlarm", "cloudwatch/dashboard:Dashboard"
PUT_ALARM = "PutMetricAlarm, Amazon CloudWatch API Reference"
ACTIONS = ("alarmActions", "okActions", "insufficientDataActions")
STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
COLUMNS = 24
HEALTH_CHECK_METRICS_REGION = "us-east-1"
IDENTIFIERS: Mapping[str, tuple[str, str]] = {
    "DBClusterIdentifier": ("rds/cluster:Cluster", "clusterIdentifier"),
    "DBInstanceIdentifier": ("rds/clusterInstance:ClusterInstance", "identifier"),
    "FunctionName": ("lambda/function:Function", "name"),
    "TableName": ("dynamodb/table:Table", "name"),
    "TopicName": ("sns/topic:Topic", "name"),
    "GlobalCluster": ("rds/globalCluster:GlobalCluster", "globalClusterIdentifier"),
}
"""The type and the input that hold a dimension's value, by dimension."""


@rule("Using Amazon CloudWatch alarms: actions are in the alarm's region, CloudWatch User Guide")
def alarm_actions_are_regional(stack: Stack) -> Iterator[Violation]:
    """An alarm's actions are topics in its own region, at most five for each state."""
    for r in stack.of_type(ALARM):
        for name in ACTIONS:
            if len(as_list(r.get(name))) > 5:
                yield violation(r, name, "more than five")
            for action in as_list(r.get(name)):
                where = str(action).split(":")[3] if str(action).count(":") >= 5 else r.region
                if where != r.region:
                    yield violation(r, name, f"{action} is in {where}")
            for topic in stack.references(r, name, "sns/topic:Topic"):
                if topic.region != r.region:
                    yield violation(r, name, f"{topic.name} is in {topic.region}")


@rule("Configuring how CloudWatch alarms treat missing data, CloudWatch User Guide")
def alarms_define_missing_data(stack: Stack) -> Iterator[Violation]:
    """Every alarm defines the treatment of missing data."""
    for r in stack.of_type(ALARM):
        if r.get("treatMissingData") not in ("breaching", "notBreaching", "ignore", "missing"):
            yield violation(r, "treatMissingData", f"{r.get('treatMissingData')!r}")


@rule(PUT_ALARM)
def alarm_definitions_are_complete(stack: Stack) -> Iterator[Violation]:
    """An alarm has a metric with one statistic or metric math, a threshold and a valid comparison."""
    comparisons = {
        "GreaterThanThreshold",
        "GreaterThanOrEqualToThreshold",
        "LessThanThreshold",
        "LessThanOrEqualToThreshold",
    }
    for r in stack.of_type(ALARM):
        if r.get("metricQueries"):
            continue
        if r.is_set("statistic") == r.is_set("extendedStatistic") or r.get("statistic") not in (None, *STATISTICS):
            yield violation(r, "statistic", f"{r.get('statistic')!r}, {r.get('extendedStatistic')!r}")
        if r.get("comparisonOperator") not in comparisons or r.get("threshold") is None:
            yield violation(r, "comparisonOperator", f"{r.get('comparisonOperator')!r} {r.get('threshold')}")


@rule(PUT_ALARM)
def alarm_periods_are_bounded(stack: Stack) -> Iterator[Violation]:
    """A period is 10, 20 or 30 seconds or whole minutes, and the evaluation range is at most one day."""
    for r in stack.of_type(ALARM):
        period, periods = r.get("period"), r.get("evaluationPeriods")
        if not isinstance(period, int) or not isinstance(periods, int) or periods < 1:
            yield violation(r, "evaluationPeriods", f"{periods} of {period} s")
        elif (period not in (10, 20, 30) and period % 60) or period * periods > 86400:
            yield violation(r, "period", f"{periods} of {period} s")


@rule(
    "The documentation of each namespace (tests/support/policy/program_rules/published_metrics.py), and the controller's own code"
)
def alarms_use_published_metrics(stack: Stack) -> Iterator[Violation]:
    """Every alarm uses a metric and dimensions that AWS or the controller publishes."""
    for r in stack.of_type(ALARM):
        if r.get("metricQueries"):
            continue
        dimensions = r.get("dimensions")
        named = frozenset(dimensions) if isinstance(dimensions, Mapping) else None
        problem = _unpublished(stack, r.get("namespace"), r.get("metricName"), named)
        if problem:
            yield violation(r, "metricName", problem)


@rule("Monitoring health checks using CloudWatch: their metrics are in us-east-1 only, Route 53 Developer Guide")
def route53_alarms_are_in_us_east_1(stack: Stack) -> Iterator[Violation]:
    """An alarm on a health check's status is in us-east-1."""
    for r in stack.of_type(ALARM):
        if r.get("namespace") == "AWS/Route53" and r.region != HEALTH_CHECK_METRICS_REGION:
            yield violation(r, "namespace", f"no such metric in {r.region}")


@rule("CloudWatch concepts: metrics exist only in the region in which they are created, CloudWatch User Guide")
def alarm_dimensions_are_regional(stack: Stack) -> Iterator[Violation]:
    """An alarm's dimensions name resources of this stack in the alarm's region."""
    for r in stack.of_type(ALARM):
        dimensions = r.get("dimensions")
        for name, value in dimensions.items() if isinstance(dimensions, Mapping) else ():
            if name not in IDENTIFIERS or value is UNKNOWN:
                continue
            kind, identifier = IDENTIFIERS[name]
            where = None if name == "GlobalCluster" else r.region
            known = {each.get(identifier) for each in stack.of_type(kind, where)}
            if UNKNOWN not in known and value not in known:
                yield violation(r, f"dimensions.{name}", f"no {value} in {r.region}")


@rule("The decision that recovery is notified, components/alarms.py", level="advisory")
def alarms_notify_recovery(stack: Stack) -> Iterator[Violation]:
    """An alarm with actions notifies recovery as well, and every alarm has a description."""
    for r in stack.of_type(ALARM):
        if as_list(r.get("alarmActions")) and not r.is_set("okActions"):
            yield violation(r, "okActions", "recovery is not notified")
        if not r.is_set("alarmDescription"):
            yield violation(r, "alarmDescription", "no description")


@rule("Dashboard body structure and syntax, Amazon CloudWatch API Reference")
def dashboard_widgets_fit_grid(stack: Stack) -> Iterator[Violation]:
    """A dashboard has at most 500 widgets, within 24 columns and without overlap."""
    for r in stack.of_type(DASHBOARD):
        occupied: set[tuple[int, int]] = set()
        for number, widget in enumerate(_widgets(r)):
            cells = {
                (x, y)
                for x in range(widget["x"], widget["x"] + widget["width"])
                for y in range(widget["y"], widget["y"] + widget["height"])
            }
            if widget["x"] < 0 or widget["x"] + widget["width"] > COLUMNS or cells & occupied or number >= 500:
                yield violation(r, "dashboardBody", f"widget {number} overlaps another or is outside the grid")
            occupied |= cells


@rule(
    "The documentation of each namespace (tests/support/policy/program_rules/published_metrics.py), and the controller's own code"
)
def dashboards_use_published_metrics(stack: Stack) -> Iterator[Violation]:
    """Every metric of a dashboard is published by AWS or the controller."""
    for r in stack.of_type(DASHBOARD):
        for number, graph in _graphs(r):
            for namespace, metric, *rest in _lines(graph):
                dimensions = frozenset(name for name in rest[0:-1:2] if isinstance(name, str))
                problem = _unpublished(stack, namespace, metric, dimensions)
                if problem:
                    yield violation(r, "dashboardBody", f"widget {number}: {problem}")


@rule("The decision that a region monitors only itself, components/monitoring.py")
def dashboards_read_own_region(stack: Stack) -> Iterator[Violation]:
    """Every graph of a dashboard reads metrics of the dashboard's region."""
    for r in stack.of_type(DASHBOARD):
        for number, graph in _graphs(r):
            if graph.get("region") != r.region:
                yield violation(r, "dashboardBody", f"widget {number} reads {graph.get('region')}")


def _unpublished(stack: Stack, namespace: Any, metric: Any, dimensions: frozenset[str] | None) -> str | None:
    """Return the problem with a metric's name or dimensions, or None."""
    own_namespaces = {
        variables["METRIC_NAMESPACE"]
        for r in stack.of_type("lambda/function:Function")
        if isinstance(variables := (r.get("environment") or {}).get("variables"), Mapping)
        and "METRIC_NAMESPACE" in variables
    }
    if namespace in own_namespaces:
        metrics, dimension_sets = controller_metrics(), CONTROLLER_DIMENSIONS
    elif namespace in AWS_METRICS:
        metrics, dimension_sets = AWS_METRICS[namespace].metrics, AWS_METRICS[namespace].dimensions
    else:
        return f"{namespace} is not a published namespace"
    if metric not in metrics:
        return f"{namespace} {metric} is not published"
    if dimensions is not None and dimensions not in dimension_sets:
        return f"{metric} is not published with {', '.join(sorted(dimensions)) or 'no dimension'}"
    return None


def _widgets(dashboard: RegisteredResource) -> Sequence[Any]:
    body = dashboard.json("dashboardBody")
    return body.get("widgets", ()) if isinstance(body, Mapping) else ()


def _graphs(dashboard: RegisteredResource) -> list[tuple[int, Mapping[str, Any]]]:
    return [(n, w["properties"]) for n, w in enumerate(_widgets(dashboard)) if w.get("type") == "metric"]


def _lines(graph: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Yield a graph's metrics with `.` and `...` expanded, without options and expressions."""
    before: list[Any] = []
    for line in graph.get("metrics", ()):
        words = [word for word in line if not isinstance(word, Mapping)]
        if not words:
            continue
        if words[0] == "...":
            words = [*before[: len(before) - len(words) + 1], *words[1:]]
        words = [before[i] if word == "." and i < len(before) else word for i, word in enumerate(words)]
        before = words
        yield words
