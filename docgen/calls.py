"""Who asks whom while the system runs: drawn from what the roles allow, and from what the records follow.

Owns: which permissions and dependencies are drawn, and in which words. Does not own: the graph. Invariant: an arrow stands
for a statement of a role's policy or a dependency of a record or health check; nothing is drawn that the program doesn't say.
"""

import json
from collections.abc import Iterable, Iterator

from docgen.diagram import Arrow, Box, flowchart
from docgen.graph import Graph, Node

LEFT_OUT = ("logs", "kms", "ec2")
"""Every function writes its log, uses its region's key, and has its network interface: that says nothing of who asks whom."""
FOLLOWS = {
    ("route53.Record", "rds.Cluster"): "leads to",
    ("route53.HealthCheck", "cloudwatch.MetricAlarm"): "follows",
}
"""Kinds, from and to -> the word for it."""


def calls(graph: Graph) -> str:
    """Return the picture."""
    found = dict.fromkeys([*_permissions(graph), *_followed(graph)])
    words: dict[tuple[str, str], list[str]] = {}
    for start, end, word in found:
        words.setdefault((start.name, end.name), []).append(word)
    boxes = {node.name: node for start, end, _ in found for node in (start, end)}
    places = {name: _region(graph, node) for name, node in boxes.items()}
    return flowchart(
        [
            Box(key=name, lines=[name, _class(boxes[name])], frame=places[name])
            for name in sorted(boxes, key=lambda name: (not places[name], places[name], name))
        ],
        [
            Arrow(start=start, end=end, word=", ".join(sorted(set(said))))
            for (start, end), said in sorted(words.items())
        ],
    )


def _permissions(graph: Graph) -> Iterator[tuple[Node, Node, str]]:
    """Return who may do what to whom: statements that name resources of the stack."""
    for node in graph.resources:
        for statement in json.loads(node.policy)["Statement"] if node.policy else ():
            actions = [action for action in _list(statement["Action"]) if action.partition(":")[0] not in LEFT_OUT]
            targets = [graph.named_by(arn) for arn in _list(statement["Resource"])]
            for target in targets:
                if actions and target is not None and graph.owner(target).name != graph.owner(node).name:
                    yield graph.owner(node), graph.owner(target), " ".join(actions)


def _followed(graph: Graph) -> Iterator[tuple[Node, Node, str]]:
    """Return what answers a name, and what a health check goes by."""
    for node in graph.resources:
        for first in (graph.by_urn[urn] for urn in node.needs):
            word = FOLLOWS.get((node.kind, first.kind))
            if word and graph.owner(first).name != graph.owner(node).name:
                yield graph.owner(node), graph.owner(first), word


def _region(graph: Graph, node: Node) -> str:
    """Return where most of a component's resources are; nothing for what has no region."""
    regions = [each.region for each in graph.resources if graph.owner(each).name == node.name]
    most = max(sorted(set(regions)), key=regions.count)
    return most if "-" in most else ""


def _class(node: Node) -> str:
    return node.type.rpartition(":")[2]


def _list(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
