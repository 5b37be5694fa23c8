"""The page of resources tells of the graph that the program registers, whole and right."""

import re
from itertools import pairwise

import pytest

from docgen import graph as graphs
from docgen.graph import ANYWHERE, Graph, GraphError, Node, graph_of
from docgen.resources import page_of


@pytest.fixture(scope="module")
def graph() -> Graph:
    """The graph of the dev stack."""
    return graph_of("dev")


def node(name: str, *needs: str, parent: str = "", kind: str = "aws:ec2/vpc:Vpc", region: str = "r1") -> Node:
    """Return a node whose URN is its name."""
    return Node(
        urn=name,
        type=kind,
        name=name,
        parent=parent,
        region=region,
        needs=frozenset(needs),
        is_component=kind.startswith("aurora:"),
    )


def test_every_resource_stands_in_the_table_once(graph: Graph) -> None:
    """With its type, its region and everything that it waits for."""
    rows = re.findall(
        r"^\| \S+ \| `(\S+)` \| `(\S+)` \| (.+?) \| (.*) \|$", page_of(graph).partition("## Every resource")[2], re.M
    )
    assert sorted((name, kind, region, set(re.findall(r"`(\S+?)`", needs))) for name, kind, region, needs in rows) == (
        sorted((n.name, n.kind, n.region, {graph.by_urn[urn].name for urn in n.needs}) for n in graph.resources)
    )


def test_the_picture_of_components_has_the_order_that_aws_demands(graph: Graph) -> None:
    """Global cluster, primary cluster, secondary cluster, then what watches both."""
    picture = page_of(graph).partition("```mermaid\n")[2].partition("```")[0]
    box = {name: key for key, name in re.findall(r'(b\d+)\["([\w-]+)<br/>', picture)}
    arrows = set(re.findall(r"(b\d+) --> (b\d+)", picture))
    assert (box["global"], box["primary-database"]) in arrows
    assert (box["primary-database"], box["secondary-database"]) in arrows
    assert (box["secondary-health-check"], box["primary-watch"]) in arrows


def test_a_component_that_is_waited_for_stands_for_what_is_in_it(graph: Graph) -> None:
    """The secondary cluster waits for the primary's instances, which the program names one by one."""
    (secondary,) = [n for n in graph.resources if n.name == "secondary-database-cluster"]
    assert {"primary-database-instance-1", "primary-database-instance-2"} <= {
        graph.by_urn[urn].name for urn in secondary.needs
    }


def test_services_of_the_account_have_no_region(graph: Graph) -> None:
    """Whatever provider made them."""
    assert {"iam", "route53", "random"} == {n.service for n in graph.resources if n.region == ANYWHERE}


def test_the_longest_chain_is_one_and_nothing_is_deeper(graph: Graph) -> None:
    """Each waits for the one before; it is as long as the deepest resource says."""
    chain = graph.longest_chain
    assert all(first.urn in then.needs for first, then in pairwise(chain))
    assert 1 + max(graph.depths.values()) == len(chain)


def test_a_resource_is_as_deep_as_the_longest_way_to_it() -> None:
    """Not as the shortest."""
    small = Graph((node("a"), node("b", "a"), node("c", "a", "b")), ())
    assert {"a": 0, "b": 1, "c": 2} == small.depths


def test_two_runs_give_the_same_graph(graph: Graph) -> None:
    """Or the page would change by itself; and a run leaves nothing behind for the next."""
    again = graph_of("dev")
    assert (graph.nodes, graph.outputs) == (again.nodes, again.outputs)


def test_a_program_that_fails_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a picture would be a wrong one."""

    def fails() -> None:
        raise ValueError("no such region")

    monkeypatch.setattr(graphs, "_program", fails)
    with pytest.raises(GraphError, match="stack dev can't be drawn: no such region"):
        graph_of("dev")


def test_waiting_for_a_component_means_waiting_for_all_that_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However deep."""
    inner = node("inner", parent="outer", kind="aurora:x:Inner")
    nodes = [node("outer", kind="aurora:x:Outer"), inner, node("a", parent="inner"), node("b", parent="outer")]

    def record(recorder: graphs._Recorder, stack: str) -> None:  # pyright: ignore[reportPrivateUsage]
        recorder.nodes = [*nodes, node("late", "outer")]

    monkeypatch.setattr(graphs, "_run", record)
    assert {"a", "b"} == graph_of().by_urn["late"].needs
