"""The diagram of calls shows the roles' permissions."""

import json
import re
from collections.abc import Mapping

import pytest

from docgen.calls import calls_diagram
from docgen.graph import Graph, Node, drawn_graph


def arrows(diagram: str) -> set[tuple[str, str, str]]:
    """Return the arrows of a diagram by the names in its boxes."""
    names = dict(re.findall(r'(b\d+)\["([\w-]+)<br/>', diagram))
    return {(names[a], label, names[b]) for a, label, b in re.findall(r'(b\d+) -- "(.+?)" --> (b\d+)', diagram)}


def graph(policy: Mapping[str, object]) -> Graph:
    """Return two components with a resource each; the first has a role with this policy."""

    def node(name: str, parent: str, kind: str, text: str = "") -> Node:
        return Node(
            urn=name,
            type=kind,
            name=name,
            parent=parent,
            region="eu-west-1",
            dependencies=frozenset(),
            is_component=not parent,
            policy=text,
        )

    return Graph(
        (
            node("caller", "", "aurora:x:Caller"),
            node("role-policy", "caller", "aws:iam/rolePolicy:RolePolicy", json.dumps({"Statement": [policy]})),
            node("target", "", "aurora:x:Target"),
            node("target-topic", "target", "aws:sns/topic:Topic"),
        ),
        (),
    )


def test_controllers_call_health_checks_and_fail_over() -> None:
    """The controllers of both regions have these permissions and no others."""
    diagram = arrows(calls_diagram(drawn_graph()))
    for region in ("primary", "secondary"):
        assert {
            ("lambda:InvokeFunction", "primary-health-check"),
            ("lambda:InvokeFunction", "secondary-health-check"),
            ("rds:FailoverGlobalCluster", "global"),
            ("rds:FailoverGlobalCluster", "primary-database"),
            ("rds:FailoverGlobalCluster", "secondary-database"),
            ("sns:Publish", f"{region}-notifications"),
        } == {(label, end) for start, label, end in diagram if start == f"{region}-watch-controller"}
        assert {("rds-db:connect", "primary-database"), ("rds-db:connect", "secondary-database")} == {
            (label, end) for start, label, end in diagram if start == f"{region}-health-check"
        }


def test_dns_resolves_to_clusters_and_monitors_alarms() -> None:
    """Arrows start at DNS records and health checks."""
    assert {
        ("resolves to", "primary-database"),
        ("resolves to", "secondary-database"),
        ("monitors", "primary-watch-monitoring"),
        ("monitors", "secondary-watch-monitoring"),
    } == {(label, end) for start, label, end in arrows(calls_diagram(drawn_graph())) if start == "dns"}


def test_permission_is_an_arrow_to_the_component() -> None:
    """The arrow has the action as its label."""
    allowed = graph({"Action": ["sns:Publish"], "Resource": "arn:aws:sns:r:1:target-topic"})
    assert {("caller", "sns:Publish", "target")} == arrows(calls_diagram(allowed))


@pytest.mark.parametrize(
    "policy",
    [
        {"Action": "kms:Decrypt", "Resource": "arn:aws:sns:r:1:target-topic"},
        {"Action": "sns:Publish", "Resource": "*"},
        {"Action": "sns:Publish", "Resource": "arn:aws:sns:r:1:other-topic"},
    ],
)
def test_unspecific_permissions_are_omitted(policy: Mapping[str, object]) -> None:
    """Permissions of every function, on all resources or on other resources have no arrow."""
    assert set() == arrows(calls_diagram(graph(policy)))
