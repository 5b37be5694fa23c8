"""Neither too little nor too much: what roles allow against what they were asked for."""

import json
from typing import Any

from rehearsal.permissions import (
    FAILOVER,
    PermissionCheck,
    actions_of_functions,
    read_checks,
    shortcomings,
)

EAST, WEST = "payments-failover-controller-us-east-1-dev", "payments-failover-controller-eu-west-1-dev"
ALLOWED = {role: frozenset({"sns:Publish", FAILOVER, "logs:PutLogEvents"}) for role in (EAST, WEST)}


def check(role: str, action: str, *, is_allowed: bool = True) -> PermissionCheck:
    """Return a check on some resource."""
    return PermissionCheck(role=role, action=action, resource="arn:aws:sns:eu-west-1:1:topic", is_allowed=is_allowed)


def test_roles_that_allow_what_is_asked_for_and_nothing_more_have_no_shortcoming() -> None:
    """What one region's controller did, the other's may: they swap with the roles."""
    assert [] == shortcomings(ALLOWED, [check(WEST, "sns:Publish")], failing_over=[WEST])


def test_what_is_denied_is_named() -> None:
    """A permission that is missing, with the resource that it was missing on."""
    denied = check(EAST, "rds:DescribeDBClusters", is_allowed=False)
    assert [f"{EAST} may not rds:DescribeDBClusters on arn:aws:sns:eu-west-1:1:topic"] == shortcomings(
        ALLOWED, [denied], failing_over=[]
    )


def test_a_failover_that_the_role_does_not_allow_is_named() -> None:
    """The control plane takes the call without asking IAM."""
    allowed = {EAST: frozenset({"sns:Publish"})}
    assert [f"{EAST} may not {FAILOVER}"] == shortcomings(allowed, [check(EAST, "sns:Publish")], failing_over=[EAST])


def test_what_nobody_asked_for_is_named_once_there_was_a_failover() -> None:
    """Without one much lies idle that a failover needs."""
    allowed = {EAST: frozenset({"sns:Publish", "sns:DeleteTopic", FAILOVER})}
    asked = [check(EAST, "sns:Publish")]
    assert [] == shortcomings(allowed, asked, failing_over=[])
    assert [f"{EAST} may sns:DeleteTopic, and nobody asked for it"] == shortcomings(allowed, asked, failing_over=[EAST])


def test_roles_of_other_things_are_left_alone() -> None:
    """The emulator's own services take roles too."""
    assert [] == shortcomings(ALLOWED, [check("scheduler", "lambda:InvokeFunction", is_allowed=False)], failing_over=[])


def test_the_emulators_notes_are_read_line_by_line() -> None:
    """As the launcher writes them."""
    line = {"role": EAST, "action": "sns:Publish", "resource": "arn:aws:sns:eu-west-1:1:topic", "is_allowed": True}
    assert [check(EAST, "sns:Publish")] == read_checks([json.dumps(line), ""])


class _Iam:
    """Two roles, one of them Lambda's, whose policies are a document and a text of one."""

    def get_paginator(self, name: str) -> "_Iam":
        assert name == "list_roles"
        return self

    def paginate(self) -> list[dict[str, Any]]:
        trust = {"Statement": [{"Principal": {"Service": "lambda.amazonaws.com"}}]}
        other = {"Statement": [{"Principal": {"Service": "scheduler.amazonaws.com"}}]}
        roles = [
            {"RoleName": EAST, "AssumeRolePolicyDocument": trust},
            {"RoleName": "schedule", "AssumeRolePolicyDocument": other},
        ]
        return [{"Roles": roles}]

    def list_role_policies(self, RoleName: str) -> dict[str, Any]:
        assert RoleName == EAST
        return {"PolicyNames": ["own", "network"]}

    def get_role_policy(self, RoleName: str, PolicyName: str) -> dict[str, Any]:
        allow = {"Effect": "Allow", "Action": ["sns:Publish", FAILOVER]}
        deny = {"Effect": "Deny", "Action": "ec2:DescribeSubnets"}
        document = {"Statement": [allow, deny]}
        return {"PolicyDocument": document if PolicyName == "own" else json.dumps(document)}


def test_only_what_lambdas_roles_allow_counts() -> None:
    """Other services' roles have other callers; a Deny allows nothing."""
    assert {EAST: frozenset({"sns:Publish", FAILOVER})} == actions_of_functions(_Iam())
