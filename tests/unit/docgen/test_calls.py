"""The picture of who asks whom says what the roles say."""

import json
import re
from collections.abc import Mapping

import pytest

from docgen.calls import calls
from docgen.graph import Graph, Node, drawn_graph
from docgen.readme import BEGIN, END, with_picture


def arrows(picture: str) -> set[tuple[str, str, str]]:
    """Return the arrows of a picture by the names in its boxes."""
    names = dict(re.findall(r'(b\d+)\["([\w-]+)<br/>', picture))
    return {(names[a], word, names[b]) for a, word, b in re.findall(r'(b\d+) -- "(.+?)" --> (b\d+)', picture)}


def graph(policy: Mapping[str, object]) -> Graph:
    """Return two components with a resource each, the first with a role of this policy."""

    def node(name: str, parent: str, kind: str, text: str = "") -> Node:
        return Node(
            urn=name,
            type=kind,
            name=name,
            parent=parent,
            region="eu-west-1",
            needs=frozenset(),
            is_component=not parent,
            policy=text,
        )

    return Graph(
        (
            node("asks", "", "aurora:x:Asks"),
            node("role-policy", "asks", "aws:iam/rolePolicy:RolePolicy", json.dumps({"Statement": [policy]})),
            node("asked", "", "aurora:x:Asked"),
            node("asked-topic", "asked", "aws:sns/topic:Topic"),
        ),
        (),
    )


def test_the_controllers_ask_both_health_checks_and_may_fail_over_and_nothing_else_may() -> None:
    """In both regions alike; a permission more would be an arrow more."""
    picture = arrows(calls(drawn_graph()))
    for place in ("primary", "secondary"):
        assert {
            ("lambda:InvokeFunction", "primary-health-check"),
            ("lambda:InvokeFunction", "secondary-health-check"),
            ("rds:FailoverGlobalCluster", "global"),
            ("rds:FailoverGlobalCluster", "primary-database"),
            ("rds:FailoverGlobalCluster", "secondary-database"),
            ("sns:Publish", f"{place}-notifications"),
        } == {(word, end) for start, word, end in picture if start == f"{place}-watch-controller"}
        assert {("rds-db:connect", "primary-database"), ("rds-db:connect", "secondary-database")} == {
            (word, end) for start, word, end in picture if start == f"{place}-health-check"
        }


def test_names_lead_to_both_clusters_and_follow_both_regions_words() -> None:
    """Records and health checks, by what they depend on."""
    assert {
        ("leads to", "primary-database"),
        ("leads to", "secondary-database"),
        ("follows", "primary-watch-monitoring"),
        ("follows", "secondary-watch-monitoring"),
    } == {(word, end) for start, word, end in arrows(calls(drawn_graph())) if start == "dns"}


def test_a_permission_on_a_resource_is_an_arrow_to_its_component() -> None:
    """With the action on it."""
    allowed = graph({"Action": ["sns:Publish"], "Resource": "arn:aws:sns:r:1:asked-topic"})
    assert {("asks", "sns:Publish", "asked")} == arrows(calls(allowed))


@pytest.mark.parametrize(
    "policy",
    [
        {"Action": "kms:Decrypt", "Resource": "arn:aws:sns:r:1:asked-topic"},
        {"Action": "sns:Publish", "Resource": "*"},
        {"Action": "sns:Publish", "Resource": "arn:aws:sns:r:1:somebody-elses-topic"},
    ],
)
def test_what_says_nothing_of_who_asks_whom_is_left_out(policy: Mapping[str, object]) -> None:
    """What every function may do, what is tied to nothing, and what is not of this stack."""
    assert set() == arrows(calls(graph(policy)))


def test_only_what_is_between_the_marks_changes() -> None:
    """The rest of the README is people's."""
    assert f"a\n{BEGIN}new\n{END}z\n" == with_picture(f"a\n{BEGIN}old\nolder\n{END}z\n", "new\n")


@pytest.mark.parametrize("text", ["", BEGIN, END])
def test_a_readme_without_its_marks_is_an_error(text: str) -> None:
    """The picture would be lost without a word."""
    with pytest.raises(ValueError, match="lacks a mark"):
        with_picture(text, "new")
