"""What CloudWatch asks of alarms and dashboards, and that what they look at exists."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policy.rules.published_metrics import AWS_METRICS, CONTROLLERS_DIMENSIONS, controllers_metrics
from policy.rules.rule import broken, rule
from policy.rules.stack_model import UNKNOWN, Finding, Resource, Stack, as_list

ALARM, DASHBOARD = "cloudwatch/metricAlarm:MetricAlarm", "cloudwatch/dashboard:Dashboard"
PUT_ALARM = "PutMetricAlarm, Amazon CloudWatch API Reference"
ACTIONS = ("alarmActions", "okActions", "insufficientDataActions")
STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
COLUMNS = 24
HEALTH_METRICS_REGION = "us-east-1"
IDENTIFIED_BY: Mapping[str, tuple[str, str]] = {
    "DBClusterIdentifier": ("rds/cluster:Cluster", "clusterIdentifier"),
    "DBInstanceIdentifier": ("rds/clusterInstance:ClusterInstance", "identifier"),
    "FunctionName": ("lambda/function:Function", "name"),
    "TableName": ("dynamodb/table:Table", "name"),
    "TopicName": ("sns/topic:Topic", "name"),
    "GlobalCluster": ("rds/globalCluster:GlobalCluster", "globalClusterIdentifier"),
}
"""Dimension -> the type and input that hold its value."""


@rule("Using Amazon CloudWatch alarms: actions are in the alarm's region, CloudWatch User Guide")
def alarms_call_people_in_their_own_region(stack: Stack) -> Iterator[Finding]:
    """What an alarm does, it does in its own region, by topics of this stack, at most five for a state."""
    for r in stack.of(ALARM):
        for name in ACTIONS:
            if len(as_list(r.get(name))) > 5:
                yield broken(r, name, "more than five")
            for action in as_list(r.get(name)):
                where = str(action).split(":")[3] if str(action).count(":") >= 5 else r.region
                if where != r.region:
                    yield broken(r, name, f"{action} is in {where}")
            for topic in stack.behind(r, name, "sns/topic:Topic"):
                if topic.region != r.region:
                    yield broken(r, name, f"{topic.name} is in {topic.region}")


@rule("How alarms treat missing data, CloudWatch User Guide: nobody should have to know the default")
def alarms_say_what_missing_data_means(stack: Stack) -> Iterator[Finding]:
    """Every alarm says what missing data means."""
    for r in stack.of(ALARM):
        if r.get("treatMissingData") not in ("breaching", "notBreaching", "ignore", "missing"):
            yield broken(r, "treatMissingData", f"{r.get('treatMissingData')!r}")


@rule(PUT_ALARM)
def alarms_have_one_metric_statistic_and_comparison(stack: Stack) -> Iterator[Finding]:
    """An alarm has a metric with one statistic, or metric math; a threshold, and a comparison that CloudWatch knows."""
    comparisons = {
        "GreaterThanThreshold",
        "GreaterThanOrEqualToThreshold",
        "LessThanThreshold",
        "LessThanOrEqualToThreshold",
    }
    for r in stack.of(ALARM):
        if r.get("metricQueries"):
            continue
        if r.says("statistic") == r.says("extendedStatistic") or r.get("statistic") not in (None, *STATISTICS):
            yield broken(r, "statistic", f"{r.get('statistic')!r}, {r.get('extendedStatistic')!r}")
        if r.get("comparisonOperator") not in comparisons or r.get("threshold") is None:
            yield broken(r, "comparisonOperator", f"{r.get('comparisonOperator')!r} {r.get('threshold')}")


@rule(PUT_ALARM)
def alarms_look_back_a_day_at_most(stack: Stack) -> Iterator[Finding]:
    """A period is 10, 20 or 30 seconds or whole minutes, and all periods of an alarm together a day at most."""
    for r in stack.of(ALARM):
        period, periods = r.get("period"), r.get("evaluationPeriods")
        if not isinstance(period, int) or not isinstance(periods, int) or periods < 1:
            yield broken(r, "evaluationPeriods", f"{periods} of {period} s")
        elif (period not in (10, 20, 30) and period % 60) or period * periods > 86400:
            yield broken(r, "period", f"{periods} of {period} s")


@rule("The documentation of each namespace (policy/rules/published_metrics.py), and the controller's own code")
def alarms_watch_metrics_that_are_published(stack: Stack) -> Iterator[Finding]:
    """Every alarm watches a metric that AWS or the controller really publishes, by dimensions by which it is published."""
    for r in stack.of(ALARM):
        if r.get("metricQueries"):
            continue
        dimensions = r.get("dimensions")
        named = frozenset(dimensions) if isinstance(dimensions, Mapping) else None
        problem = _unpublished(stack, r.get("namespace"), r.get("metricName"), named)
        if problem:
            yield broken(r, "metricName", problem)


@rule("Monitoring health checks using CloudWatch: their metrics are in us-east-1 only, Route 53 Developer Guide")
def alarms_on_health_checks_stand_where_the_metrics_are(stack: Stack) -> Iterator[Finding]:
    """An alarm on a health check's status stands in us-east-1."""
    for r in stack.of(ALARM):
        if r.get("namespace") == "AWS/Route53" and r.region != HEALTH_METRICS_REGION:
            yield broken(r, "namespace", f"no such metric in {r.region}")


@rule("CloudWatch concepts: metrics exist only in the region in which they are created, CloudWatch User Guide")
def alarms_watch_what_is_in_their_region(stack: Stack) -> Iterator[Finding]:
    """What an alarm's dimensions name is of this stack and in the alarm's region."""
    for r in stack.of(ALARM):
        dimensions = r.get("dimensions")
        for name, value in dimensions.items() if isinstance(dimensions, Mapping) else ():
            if name not in IDENTIFIED_BY or value is UNKNOWN:
                continue
            kind, identifier = IDENTIFIED_BY[name]
            where = None if name == "GlobalCluster" else r.region
            known = {each.get(identifier) for each in stack.of(kind, where)}
            if UNKNOWN not in known and value not in known:
                yield broken(r, f"dimensions.{name}", f"no {value} in {r.region}")


@rule("Recommended practice of ours: who is called is told when it is over, components/alarms.py", level="advisory")
def alarms_say_when_it_is_over(stack: Stack) -> Iterator[Finding]:
    """An alarm that calls people tells them as well when it is over, and says in words what it is about."""
    for r in stack.of(ALARM):
        if as_list(r.get("alarmActions")) and not r.says("okActions"):
            yield broken(r, "okActions", "nobody hears that it is over")
        if not r.says("alarmDescription"):
            yield broken(r, "alarmDescription", "no words")


@rule("Dashboard body structure and syntax, Amazon CloudWatch API Reference")
def dashboards_fill_their_grid(stack: Stack) -> Iterator[Finding]:
    """A dashboard's widgets lie within its 24 columns and don't overlap; there are at most 500."""
    for r in stack.of(DASHBOARD):
        taken: set[tuple[int, int]] = set()
        for number, widget in enumerate(_widgets(r)):
            cells = {
                (x, y)
                for x in range(widget["x"], widget["x"] + widget["width"])
                for y in range(widget["y"], widget["y"] + widget["height"])
            }
            if widget["x"] < 0 or widget["x"] + widget["width"] > COLUMNS or cells & taken or number >= 500:
                yield broken(r, "dashboardBody", f"widget {number} overlaps another, or lies beyond the grid")
            taken |= cells


@rule("The documentation of each namespace (policy/rules/published_metrics.py), and the controller's own code")
def dashboards_draw_metrics_that_are_published(stack: Stack) -> Iterator[Finding]:
    """Every line of a dashboard is a metric that AWS or the controller publishes."""
    for r in stack.of(DASHBOARD):
        for number, graph in _graphs(r):
            for namespace, metric, *rest in _lines(graph):
                dimensions = frozenset(name for name in rest[0:-1:2] if isinstance(name, str))
                problem = _unpublished(stack, namespace, metric, dimensions)
                if problem:
                    yield broken(r, "dashboardBody", f"widget {number}: {problem}")


@rule("The decision that a region looks at itself alone, components/monitoring.py")
def dashboards_look_at_their_own_region(stack: Stack) -> Iterator[Finding]:
    """Every graph of a dashboard reads its own region: the other one may be gone."""
    for r in stack.of(DASHBOARD):
        for number, graph in _graphs(r):
            if graph.get("region") != r.region:
                yield broken(r, "dashboardBody", f"widget {number} reads {graph.get('region')}")


def _unpublished(stack: Stack, namespace: Any, metric: Any, dimensions: frozenset[str] | None) -> str | None:
    """Return what is wrong with a metric's name or dimensions, None if nothing is."""
    ours = {
        variables["METRIC_NAMESPACE"]
        for r in stack.of("lambda/function:Function")
        if isinstance(variables := (r.get("environment") or {}).get("variables"), Mapping)
        and "METRIC_NAMESPACE" in variables
    }
    if namespace in ours:
        metrics, ways = controllers_metrics(), CONTROLLERS_DIMENSIONS
    elif namespace in AWS_METRICS:
        metrics, ways = AWS_METRICS[namespace].metrics, AWS_METRICS[namespace].dimensions
    else:
        return f"nobody publishes to {namespace}"
    if metric not in metrics:
        return f"nobody publishes {namespace} {metric}"
    if dimensions is not None and dimensions not in ways:
        return f"{metric} isn't published by {', '.join(sorted(dimensions)) or 'no dimension'}"
    return None


def _widgets(dashboard: Resource) -> Sequence[Any]:
    body = dashboard.json("dashboardBody")
    return body.get("widgets", ()) if isinstance(body, Mapping) else ()


def _graphs(dashboard: Resource) -> list[tuple[int, Mapping[str, Any]]]:
    return [(n, w["properties"]) for n, w in enumerate(_widgets(dashboard)) if w.get("type") == "metric"]


def _lines(graph: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Yield a graph's metrics, `.` and `...` filled in from the line before, options and expressions left out."""
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
