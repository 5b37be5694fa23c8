"""docs/reference/resources.md: what a stack deploys, drawn and listed from the graph that the program registers.

Owns: which pictures there are, and the page's words. Does not own: the graph (`graph.py`) or how it is drawn (`diagram.py`).
Invariant: every resource of the graph stands in the table once, under the component that makes it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from docgen.calls import calls
from docgen.diagram import Box, order
from docgen.graph import ANYWHERE, STACK, Graph, Node, drawn_graph
from docgen.markdown import table

HEAD = """\
# Resources

Made by `python -m docgen` (`make docs`) from the graph that the program registers; do not edit.
With the settings of `Pulumi.{stack}.yaml` it deploys {resources} resources in {components} components, {by_region}.
`python -m rehearsal` makes every one of them on the embedded AWS.

## Components and what they need

An arrow leads from what must exist first to what waits for it.
Arrows that others imply are left out.

"""
CALLS = """
## Who asks whom, while it runs

Drawn from the roles: an arrow is a permission that names its target, or what a DNS record leads to and what its health check follows.
Left out is what every function may do (its log, its key, its network interface), and questions that AWS ties to no resource.

"""
IN_A_REGION = """
## In {region}

Every component that makes something here, with what it makes.

"""
ORDER = """
## The order of deployment

Pulumi makes at the same time whatever does not wait for something else.
This is the longest chain, in which each waits for the one before; most of a deployment's time is that of the databases in it.
`pulumi destroy` takes the reverse.

"""
STEPS = """
What can be made at each step, at the earliest:

"""
TABLE = """
## Every resource

`needs` names what it waits for directly, by the names that Pulumi shows.

"""


def resources_page() -> str:
    """Return the page."""
    return page_of(drawn_graph())


def page_of(graph: Graph) -> str:
    """Return the page about a graph."""
    counts = Counter(node.region for node in graph.resources)
    places = [f"{counts[region]} in {region}" for region in _regions(graph)]
    components = [node for node in graph.nodes if node.is_component]
    parts = [
        HEAD.format(
            stack=STACK,
            resources=len(graph.resources),
            components=len(components),
            by_region=", ".join([*places, f"{counts[ANYWHERE]} that belong to no region"]),
        ),
        _components(graph),
        CALLS,
        calls(graph),
    ]
    for region in _regions(graph):
        parts += [IN_A_REGION.format(region=region), _region(graph, region)]
    parts += [ORDER, _chain(graph.longest_chain), STEPS, *_steps(graph), TABLE]
    parts.append(table(["component", "resource", "type", "region", "needs"], _rows(graph)))
    return "".join(parts)


def _regions(graph: Graph) -> list[str]:
    """Return the regions, the one with more resources first (the primary: it has the global cluster and the set-up)."""
    counts = Counter(node.region for node in graph.resources if node.region != ANYWHERE)
    return [region for region, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]


def _components(graph: Graph) -> str:
    regions = _regions(graph)
    places = {graph.component(node).urn: _place(graph, graph.component(node)) for node in graph.resources}
    parts = sorted(places, key=lambda urn: (places[urn] not in regions, places[urn] != regions[0], places[urn], urn))
    boxes = [
        Box(key=urn, lines=[graph.by_urn[urn].name, _class(graph.by_urn[urn])], frame=places[urn]) for urn in parts
    ]
    return order(boxes, _needs(graph, graph.resources, lambda node: graph.component(node).urn))


def _region(graph: Graph, region: str) -> str:
    here = [node for node in graph.resources if node.region == region]
    boxes = []
    # A component and the function inside it have one name, and make one box.
    for frame, name in sorted({(graph.component(node).name, graph.owner(node).name) for node in here}):
        kinds = Counter(node.kind for node in here if graph.owner(node).name == name)
        lines = [kind if count == 1 else f"{kind} ({count})" for kind, count in sorted(kinds.items())]
        boxes.append(Box(key=name, lines=[name, *lines], frame=frame))
    return order(boxes, _needs(graph, here, lambda node: graph.owner(node).name))


def _needs(graph: Graph, nodes: Iterable[Node], box_of: Callable[[Node], str]) -> dict[str, set[str]]:
    """Return which box needs which, because something in it needs something in the other."""
    drawn = {node.urn: node for node in nodes}
    found: dict[str, set[str]] = {}
    for node in drawn.values():
        firsts = {box_of(drawn[urn]) for urn in node.needs if urn in drawn}
        found.setdefault(box_of(node), set()).update(firsts - {box_of(node)})
    return found


def _place(graph: Graph, component: Node) -> str:
    regions = Counter(node.region for node in graph.inside(component))
    most = max(regions.values())
    (first, *more) = sorted(region for region, count in regions.items() if count == most)
    return " and ".join([first, *more])


def _class(component: Node) -> str:
    return component.type.rpartition(":")[2]


def _chain(chain: Sequence[Node]) -> str:
    boxes = [Box(key=node.urn, lines=[node.name, node.kind]) for node in chain]
    return order(boxes, {then.urn: [first.urn] for first, then in pairwise(chain)}, "TB")


def _steps(graph: Graph) -> Iterable[str]:
    last = max(graph.depths.values())
    for depth in range(last + 1):
        kinds = Counter(node.kind for node in graph.resources if graph.depths[node.urn] == depth)
        names = [f"`{kind}`" if count == 1 else f"`{kind}` ({count})" for kind, count in sorted(kinds.items())]
        yield f"{depth + 1}. {', '.join(names)}\n"


def _rows(graph: Graph) -> Iterable[Sequence[str]]:
    def place(node: Node) -> tuple[str, str, str]:
        return graph.owner(node).name, node.kind, node.name

    for node in sorted(graph.resources, key=place):
        needs = sorted({f"`{graph.by_urn[urn].name}`" for urn in node.needs})
        yield [graph.owner(node).name, f"`{node.name}`", f"`{node.kind}`", node.region, ", ".join(needs)]
