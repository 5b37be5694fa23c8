"""Tests of the comparison of the two engines: it must see a difference, and accept what is named as right by design."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.engine.state import KeptResource, StackState
from rehearsal.provider.resources.values import secret
from tests.support.two_engines import CliPreview, Plan, Renaming, Step, changed_config, state_differences

TOPIC, QUEUE, PASSWORD = "aws:sns/topic:Topic", "aws:sqs/queue:Queue", "random:index/randomPassword:RandomPassword"


def urn(type_: str, name: str) -> str:
    """Return a URN."""
    return f"urn:pulumi:dev::tiny::{type_}::{name}"


@pytest.mark.parametrize(
    ("own", "cli", "agree"),
    [
        ("vpc-0fcc1814964506744", "vpc-ddb502a9e4cfb11ac", True),
        (["sg-0fcc18", {"id": "sg-0fcc18"}], ["sg-ddb502", {"id": "sg-ddb502"}], True),
        (["sg-0fcc18", "sg-0fcc18"], ["sg-ddb502", "sg-cfb11a"], False),
        (["sg-0fcc18", "sg-1fcc18"], ["sg-ddb502", "sg-ddb502"], False),
        (["sg-0fcc18"], ["sg-ddb502", "sg-ddb502"], False),
        ("db.r6g.large", "db.r6g.xlarge", False),
        ("db.r6g.2xlarge", "db.r6g.4xlarge", False),
        ("us-east-1", "eu-west-1", False),
        ("10", "20", False),
        (10000, 20000, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ("made 2026-11-29T11:32:25+00:00", "made 2026-11-29T11:33:00.844+0000", True),
    ],
)
def test_only_generated_names_may_differ(own: Any, cli: Any, agree: bool) -> None:
    """Each has one partner."""
    assert Renaming().agrees(own, cli) is agree


def test_difference_teaches_no_names() -> None:
    """Otherwise all that follows would differ too."""
    renaming = Renaming()
    assert not renaming.agrees(["sg-0fcc18", "a"], ["sg-ddb502", "b"])
    assert renaming.agrees("sg-0fcc18", "sg-cfb11a")
    assert not renaming.agrees("sg-0fcc18", "sg-ddb502")


def states(**changes: Any) -> list[str]:
    """Compare two states with a password and a topic; `changes` are those of the exported topic."""
    kept = {
        each.urn: each
        for each in (
            KeptResource(
                urn=urn(PASSWORD, "p"),
                type=PASSWORD,
                name="p",
                region="global",
                id="none",
                inputs={},
                outputs={"result": 'correct"horse'},
                secret_outputs=frozenset({"result"}),
            ),
            KeptResource(
                urn=urn(TOPIC, "t"),
                type=TOPIC,
                name="t",
                region="us-east-1",
                id="news",
                inputs={"name": 'has "correct\\"horse"'},
                outputs={"arn": "arn:news"},
            ),
        )
    }
    password = {**secret(None), "plaintext": '"battery-staple"'}
    topic = {
        "inputs": {"name": 'has "battery-staple"'},
        "outputs": {"name": 'has "battery-staple"', "arn": "arn:news"},
        **changes,
    }
    exported = [
        {"urn": urn(PASSWORD, "p"), "type": PASSWORD, "id": "none", "inputs": {}, "outputs": {"result": password}},
        {"urn": urn(TOPIC, "t"), "type": TOPIC, "id": "news", **topic},
    ]
    return state_differences(StackState(resources=kept), exported)


def test_equal_states_differ_in_the_password_only() -> None:
    """Also where it is part of a JSON text."""
    assert states() == []


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"protect": True}, "protect"),
        ({"ignoreChanges": ["name"]}, "ignored"),
        ({"dependencies": [urn(PASSWORD, "p")]}, "dependencies"),
        ({"provider": urn("pulumi:providers:aws", "east") + "::1"}, "provider"),
        ({"inputs": {}}, "input name"),
        ({"id": "other"}, "id"),
        (
            {"outputs": {"name": 'has "battery-staple"', "arn": secret("arn:news") | {"plaintext": '"arn:news"'}}},
            "secret outputs",
        ),
    ],
)
def test_difference_of_states_is_seen(changes: dict[str, Any], fact: str) -> None:
    """The line names resource, fact and both values."""
    assert any(line.startswith(f"{TOPIC} t, {fact}: in-process ") for line in states(**changes))


def plan_differences(own: dict[str, Step], *printed: dict[str, Any], errors: tuple[str, ...] = ()) -> list[str]:
    """Compare a plan with the steps that the CLI printed; the queue depends on the topic."""
    preview = CliPreview(
        printed={"steps": printed, "diagnostics": [{"severity": "error", "message": each} for each in errors]}
    )
    return Plan(steps=own, refused=frozenset()).differences_from(preview, {urn(QUEUE, "q"): [urn(TOPIC, "t")]})


def step(type_: str, name: str, operation: str, *properties: str, forced_by: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a step as the CLI prints it."""
    return {
        "op": operation,
        "urn": urn(type_, name),
        "diffReasons": list(properties),
        "replaceReasons": list(forced_by),
    }


def test_reason_may_be_missing_only_after_a_replaced_dependency() -> None:
    """The real engine replaces what depends on a resource that it deletes first, without naming an input."""
    topic: Step = ("replace", ("name",), ("name",))
    queue: Step = ("replace", ("policy",), ("policy",))
    own = {urn(TOPIC, "t"): topic, urn(QUEUE, "q"): queue}
    replaced = step(TOPIC, "t", "replace", "name", forced_by=("name",))
    assert plan_differences(own, replaced, step(QUEUE, "q", "replace")) == []
    assert len(plan_differences({urn(QUEUE, "q"): queue}, step(QUEUE, "q", "replace"))) == 2


@pytest.mark.parametrize(
    "printed",
    [
        [],
        [step(TOPIC, "t", "same")],
        [step(TOPIC, "t", "update", "name")],
        [step(TOPIC, "t", "update", "name", "tags"), step(QUEUE, "q", "create")],
    ],
)
def test_difference_of_plans_is_seen(printed: list[dict[str, Any]]) -> None:
    """A step, its kind, or an input of it."""
    assert plan_differences({urn(TOPIC, "t"): ("update", ("name", "tags"), ())}, *printed) != []


def test_refusal_of_one_engine_is_a_difference() -> None:
    """The URN is in the CLI's message."""
    message = f'error: unable to replace resource "{urn(TOPIC, "t")}"\nas it is currently marked for protection. To'
    assert plan_differences({}, errors=(message,)) == ["aws:sns/topic:Topic t: only the CLI has it"]


def test_settings_are_changed_section_by_section() -> None:
    """The other settings of a section stay."""
    before = {"aurora-global-database:logs": '{"a": 1, "b": 2}', "aurora-global-database:project": "x"}
    assert changed_config(before, {"logs": {"b": 3}, "project": "y"}) == {
        "aurora-global-database:logs": '{"a": 1, "b": 3}',
        "aurora-global-database:project": "y",
    }
