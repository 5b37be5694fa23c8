"""The resources page shows the complete graph of the program."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from docgen import graph as graphs
from docgen.graph import NO_REGION, Graph, GraphError, Node, graph_of
from docgen.resources import page_of


@pytest.fixture(scope="module")
def graph() -> Graph:
    """The graph of the dev stack."""
    return graph_of("dev")


def node(name: str, *dependencies: str, parent: str = "", kind: str = "aws:ec2/vpc:Vpc", region: str = "r1") -> Node:
    """Return a node whose URN is its name."""
    return Node(
        urn=name,
        type=kind,
        name=name,
        parent=parent,
        region=region,
        dependencies=frozenset(dependencies),
        is_component=kind.startswith("aurora:"),
    )


def test_table_has_every_resource_once(graph: Graph) -> None:
    """Each row has type, region and direct dependencies."""
    rows = re.findall(
        r"^\| \S+ \| `(\S+)` \| `(\S+)` \| (.+?) \| (.*) \|$", page_of(graph).partition("## All resources")[2], re.M
    )
    assert sorted((name, kind, region, set(re.findall(r"`(\S+?)`", needs))) for name, kind, region, needs in rows) == (
        sorted((n.name, n.kind, n.region, {graph.by_urn[urn].name for urn in n.dependencies}) for n in graph.resources)
    )


def test_component_diagram_has_the_creation_order(graph: Graph) -> None:
    """Global cluster, primary cluster, secondary cluster, failover watch."""
    diagram = page_of(graph).partition("```mermaid\n")[2].partition("```")[0]
    box = {name: key for key, name in re.findall(r'(b\d+)\["([\w-]+)<br/>', diagram)}
    arrows = set(re.findall(r"(b\d+) --> (b\d+)", diagram))
    assert (box["global"], box["primary-database"]) in arrows
    assert (box["primary-database"], box["secondary-database"]) in arrows
    assert (box["secondary-health-check"], box["primary-watch"]) in arrows


def test_dependency_on_component_includes_its_resources(graph: Graph) -> None:
    """The secondary cluster depends on the primary cluster's instances."""
    (secondary,) = [n for n in graph.resources if n.name == "secondary-database-cluster"]
    assert {"primary-database-instance-1", "primary-database-instance-2"} <= {
        graph.by_urn[urn].name for urn in secondary.dependencies
    }


def test_global_services_have_no_region(graph: Graph) -> None:
    """IAM, Route 53 and the random provider have no region."""
    assert {"iam", "route53", "random"} == {n.service for n in graph.resources if n.region == NO_REGION}


def test_longest_chain_has_the_maximum_depth(graph: Graph) -> None:
    """Each resource of the chain depends on the previous one."""
    chain = graph.longest_chain
    assert all(dependency.urn in dependent.dependencies for dependency, dependent in pairwise(chain))
    assert 1 + max(graph.depths.values()) == len(chain)


def test_depth_is_the_longest_path() -> None:
    """The shortest path does not count."""
    small = Graph((node("a"), node("b", "a"), node("c", "a", "b")), ())
    assert {"a": 0, "b": 1, "c": 2} == small.depths


def test_two_runs_give_the_same_graph(graph: Graph) -> None:
    """A run leaves no state for the next run."""
    again = graph_of("dev")
    assert (graph.nodes, graph.outputs) == (again.nodes, again.outputs)


def test_failing_program_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the program's exception."""
    (tmp_path / "Pulumi.yaml").write_text("name: tiny")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}")
    (tmp_path / "__main__.py").write_text('raise ValueError("no such region")')
    monkeypatch.setattr(graphs, "ROOT", tmp_path)
    with pytest.raises(GraphError, match="stack dev failed: no such region"):
        graph_of("dev")


def test_dependency_on_component_is_recursive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resources of nested components count."""
    inner = node("inner", parent="outer", kind="aurora:x:Inner")
    nodes = [node("outer", kind="aurora:x:Outer"), inner, node("a", parent="inner"), node("b", parent="outer")]

    def record(recorder: graphs._Recorder, stack: str) -> None:  # pyright: ignore[reportPrivateUsage]
        recorder.nodes = [*nodes, node("late", "outer")]

    monkeypatch.setattr(graphs, "_run", record)
    assert {"a", "b"} == graph_of().by_urn["late"].dependencies
