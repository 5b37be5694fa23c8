"""docs/reference/resources.md: diagrams and a table of the resources that a stack registers."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from docgen.calls import calls_diagram
from docgen.diagram import Box, dependency_diagram
from docgen.graph import NO_REGION, STACK, Graph, Node, drawn_graph
from docgen.markdown import table

HEAD = """\
# Resources

Generated from the resources that the program registers by `python -m docgen` (`make docs`); do not edit.
With the settings of `Pulumi.{stack}.yaml` the program deploys {resources} resources in {components} components: {by_region}.
`python -m rehearsal` deploys all of them on the embedded AWS.

## Components and their dependencies

An arrow leads from a dependency to its dependent.
Implied arrows are omitted.

"""
CALLS = """
## Calls at run time

An arrow is a permission on a named resource, the target of a DNS record, or the alarm of a health check.
Permissions that every function has (log, key, network interface) and permissions on all resources are omitted.

"""
IN_A_REGION = """
## Resources in {region}

The components with resources in this region.

"""
ORDER = """
## The order of deployment

Pulumi creates independent resources in parallel.
This is the longest dependency chain; the databases take most of the time.
`pulumi destroy` uses the reverse order.

"""
STEPS = """
The resources of each step:

"""
TABLE = """
## All resources

The dependencies are direct and have Pulumi's logical names.

"""


def resources_page() -> str:
    """Return the Markdown of the generated page."""
    return page_of(drawn_graph())


def page_of(graph: Graph) -> str:
    """Return the page of a graph."""
    counts = Counter(node.region for node in graph.resources)
    by_region = [f"{counts[region]} in {region}" for region in _regions(graph)]
    components = [node for node in graph.nodes if node.is_component]
    parts = [
        HEAD.format(
            stack=STACK,
            resources=len(graph.resources),
            components=len(components),
            by_region=", ".join([*by_region, f"{counts[NO_REGION]} without a region"]),
        ),
        _components(graph),
        CALLS,
        calls_diagram(graph),
    ]
    for region in _regions(graph):
        parts += [IN_A_REGION.format(region=region), _region(graph, region)]
    parts += [ORDER, _chain(graph.longest_chain), STEPS, *_steps(graph), TABLE]
    parts.append(table(["component", "resource", "type", "region", "dependencies"], _rows(graph)))
    return "".join(parts)


def _regions(graph: Graph) -> list[str]:
    """Return the regions; the primary region has the most resources and comes first."""
    counts = Counter(node.region for node in graph.resources if node.region != NO_REGION)
    return [region for region, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]


def _components(graph: Graph) -> str:
    regions = _regions(graph)
    component_regions = {
        graph.component(node).urn: _component_region(graph, graph.component(node)) for node in graph.resources
    }
    urns = sorted(
        component_regions,
        key=lambda urn: (
            component_regions[urn] not in regions,
            component_regions[urn] != regions[0],
            component_regions[urn],
            urn,
        ),
    )
    boxes = [
        Box(key=urn, lines=[graph.by_urn[urn].name, _class(graph.by_urn[urn])], frame=component_regions[urn])
        for urn in urns
    ]
    return dependency_diagram(boxes, _box_dependencies(graph, graph.resources, lambda node: graph.component(node).urn))


def _region(graph: Graph, region: str) -> str:
    nodes = [node for node in graph.resources if node.region == region]
    boxes = []
    # A component and the function inside it have the same name and share a box.
    for frame, name in sorted({(graph.component(node).name, graph.owner(node).name) for node in nodes}):
        kinds = Counter(node.kind for node in nodes if graph.owner(node).name == name)
        lines = [kind if count == 1 else f"{kind} ({count})" for kind, count in sorted(kinds.items())]
        boxes.append(Box(key=name, lines=[name, *lines], frame=frame))
    return dependency_diagram(boxes, _box_dependencies(graph, nodes, lambda node: graph.owner(node).name))


def _box_dependencies(graph: Graph, nodes: Iterable[Node], box_of: Callable[[Node], str]) -> dict[str, set[str]]:
    """Return the dependencies between boxes, from the dependencies of their resources."""
    drawn = {node.urn: node for node in nodes}
    between: dict[str, set[str]] = {}
    for node in drawn.values():
        targets = {box_of(drawn[urn]) for urn in node.dependencies if urn in drawn}
        between.setdefault(box_of(node), set()).update(targets - {box_of(node)})
    return between


def _component_region(graph: Graph, component: Node) -> str:
    regions = Counter(node.region for node in graph.inside(component))
    most = max(regions.values())
    return " and ".join(sorted(region for region, count in regions.items() if count == most))


def _class(component: Node) -> str:
    return component.type.rpartition(":")[2]


def _chain(chain: Sequence[Node]) -> str:
    boxes = [Box(key=node.urn, lines=[node.name, node.kind]) for node in chain]
    return dependency_diagram(
        boxes, {dependent.urn: [dependency.urn] for dependency, dependent in pairwise(chain)}, "TB"
    )


def _steps(graph: Graph) -> Iterable[str]:
    last = max(graph.depths.values())
    for depth in range(last + 1):
        kinds = Counter(node.kind for node in graph.resources if graph.depths[node.urn] == depth)
        names = [f"`{kind}`" if count == 1 else f"`{kind}` ({count})" for kind, count in sorted(kinds.items())]
        yield f"{depth + 1}. {', '.join(names)}\n"


def _rows(graph: Graph) -> Iterable[Sequence[str]]:
    def sort_key(node: Node) -> tuple[str, str, str]:
        return graph.owner(node).name, node.kind, node.name

    for node in sorted(graph.resources, key=sort_key):
        dependencies = sorted({f"`{graph.by_urn[urn].name}`" for urn in node.dependencies})
        yield [graph.owner(node).name, f"`{node.name}`", f"`{node.kind}`", node.region, ", ".join(dependencies)]
