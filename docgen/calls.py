"""Diagram of the calls between components, from the roles' policies and the dependencies of DNS records and health checks."""

import json
from collections.abc import Iterable, Iterator

from docgen.diagram import Arrow, Box, flowchart
from docgen.graph import Graph, Node

OMITTED_SERVICES = ("logs", "kms", "ec2")
"""Services of permissions that every function has: its log, its region's key, its network interface."""
DEPENDENCY_LABELS = {
    ("route53.Record", "rds.Cluster"): "resolves to",
    ("route53.HealthCheck", "cloudwatch.MetricAlarm"): "monitors",
}
"""The arrow's label, by the kinds of the two resources."""


def calls_diagram(graph: Graph) -> str:
    """Return the Mermaid diagram of the calls between components."""
    calls = dict.fromkeys([*_permissions(graph), *_dns_dependencies(graph)])
    labels: dict[tuple[str, str], list[str]] = {}
    for start, end, label in calls:
        labels.setdefault((start.name, end.name), []).append(label)
    boxes = {node.name: node for start, end, _ in calls for node in (start, end)}
    regions = {name: _region(graph, node) for name, node in boxes.items()}
    return flowchart(
        [
            Box(key=name, lines=[name, _class(boxes[name])], frame=regions[name])
            for name in sorted(boxes, key=lambda name: (not regions[name], regions[name], name))
        ],
        [
            Arrow(start=start, end=end, label=", ".join(sorted(set(names))))
            for (start, end), names in sorted(labels.items())
        ],
    )


def _permissions(graph: Graph) -> Iterator[tuple[Node, Node, str]]:
    """Yield the caller, the target and the actions of every statement that names a resource of the stack."""
    for node in graph.resources:
        for statement in json.loads(node.policy)["Statement"] if node.policy else ():
            actions = [
                action for action in _list(statement["Action"]) if action.partition(":")[0] not in OMITTED_SERVICES
            ]
            targets = [graph.named_by(arn) for arn in _list(statement["Resource"])]
            for target in targets:
                if actions and target is not None and graph.owner(target).name != graph.owner(node).name:
                    yield graph.owner(node), graph.owner(target), " ".join(actions)


def _dns_dependencies(graph: Graph) -> Iterator[tuple[Node, Node, str]]:
    """Yield the clusters of DNS records and the alarms of health checks."""
    for node in graph.resources:
        for target in (graph.by_urn[urn] for urn in node.dependencies):
            label = DEPENDENCY_LABELS.get((node.kind, target.kind))
            if label and graph.owner(target).name != graph.owner(node).name:
                yield graph.owner(node), graph.owner(target), label


def _region(graph: Graph, node: Node) -> str:
    """Return the region of most of a component's resources; empty for global components."""
    regions = [each.region for each in graph.resources if graph.owner(each).name == node.name]
    most = max(sorted(set(regions)), key=regions.count)
    return most if "-" in most else ""


def _class(node: Node) -> str:
    return node.type.rpartition(":")[2]


def _list(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
