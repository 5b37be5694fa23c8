"""Tests of the permission review: reading of the roles, assertions, conditions."""

import json
from typing import Any

from rehearsal.cloud.permission_log import FAILOVER, FunctionRole, PermissionCheck
from rehearsal.report.model import Assertion, DrillResult
from rehearsal.report.permission_review import MAX_LISTED, UNUSED_NOT_CHECKED, review, roles_of_functions

ROLE, FUNCTION, REGION = "payments-failover-controller-eu-west-1-dev", "payments-failover-controller-dev", "eu-west-1"
ALLOWED = "every call of the functions is allowed by their roles"
NOT_UNUSED = "no role allows an action that no function calls"


def checked(action: str, *, is_allowed: bool = True) -> PermissionCheck:
    """Return a recorded permission check."""
    return PermissionCheck(role=ROLE, action=action, resource="*", by_role=is_allowed, is_allowed=is_allowed)


def reviewed(
    *checks: PermissionCheck, actions: tuple[str, ...] = (FAILOVER,), ran_to_the_end: bool = True
) -> DrillResult:
    """Return the review of the role."""
    role = FunctionRole(function=FUNCTION, region=REGION, role=ROLE, actions=frozenset(actions))
    return review(roles=[role], checks=checks, ran_to_the_end=ran_to_the_end)


def test_missing_and_unused_permissions_are_checked_after_failover() -> None:
    """The counts are the evidence."""
    result = reviewed(checked(FAILOVER), actions=(FAILOVER, "logs:PutLogEvents"))
    assert (
        Assertion(text=ALLOWED, passed=True, detail=f"1 roles called {FAILOVER}"),
        Assertion(
            text=NOT_UNUSED,
            passed=True,
            detail="2 actions of 1 roles; 1 cannot be called on the embedded AWS",
        ),
    ) == result.assertions
    assert (True, ()) == (result.passed, result.timeline)


def test_unused_permissions_are_not_checked_without_failover() -> None:
    """`--drill steady` uses few permissions."""
    result = reviewed(checked("sns:Publish"), actions=("sns:Publish", FAILOVER))
    assert [ALLOWED] == [one.text for one in result.assertions]
    assert (True, [UNUSED_NOT_CHECKED]) == (result.passed, [event.event for event in result.timeline])


def test_unused_permissions_are_not_checked_after_early_end() -> None:
    """Denied calls are still reported: they may be the cause."""
    denied = checked("sns:Publish", is_allowed=False)
    result = reviewed(checked(FAILOVER), denied, actions=(FAILOVER, "sns:Subscribe"), ran_to_the_end=False)
    assert [(ALLOWED, False, f"{ROLE} does not allow sns:Publish on *")] == [
        (one.text, one.passed, one.detail) for one in result.assertions
    ]


def test_unused_action_fails_the_review() -> None:
    """The failed assertion names the role and the action."""
    result = reviewed(checked(FAILOVER), actions=(FAILOVER, "sns:Subscribe"))
    assert not result.passed
    assert f"{ROLE} allows sns:Subscribe, which was never requested" == result.assertions[1].detail


def test_review_without_recorded_calls_fails() -> None:
    """A review without recorded calls fails, so a broken recorder is noticed."""
    result = reviewed()
    assert (False, "0 roles called no action") == (result.passed, result.assertions[0].detail)


def test_long_list_is_shortened() -> None:
    """A shortened list ends with the number of omitted entries."""
    many = [checked(f"sns:Action{number:02}", is_allowed=False) for number in range(MAX_LISTED + 3)]
    detail = reviewed(*many).assertions[0].detail
    assert (MAX_LISTED, True) == (detail.count(" does not allow "), detail.endswith("; and 3 more"))


class _Aws:
    """One function whose role has two inline policies, one of them as text, and an attached one."""

    def __init__(self) -> None:
        self.called: list[tuple[str, str]] = []

    def __call__(self, service: str, region: str) -> "_Aws":
        self.called.append((service, region))
        return self

    def get_paginator(self, name: str) -> "_Aws":
        assert name == "list_functions"
        return self

    def paginate(self) -> list[dict[str, Any]]:
        role = f"arn:aws:iam::123456789012:role/{ROLE}"
        return [{"Functions": []}, {"Functions": [{"FunctionName": FUNCTION, "Role": role}]}]

    def list_role_policies(self, RoleName: str) -> dict[str, Any]:
        assert RoleName == ROLE
        return {"PolicyNames": ["own", "network"]}

    def get_role_policy(self, RoleName: str, PolicyName: str) -> dict[str, Any]:
        if PolicyName == "own":
            return {"PolicyDocument": self.document("Allow", ["sns:Publish", FAILOVER])}
        return {"PolicyDocument": json.dumps(self.document("Deny", "ec2:DescribeSubnets"))}

    def list_attached_role_policies(self, RoleName: str) -> dict[str, Any]:
        assert RoleName == ROLE
        return {"AttachedPolicies": [{"PolicyArn": "arn:more"}]}

    def get_policy(self, PolicyArn: str) -> dict[str, Any]:
        return {"Policy": {"DefaultVersionId": f"of {PolicyArn}"}}

    def get_policy_version(self, PolicyArn: str, VersionId: str) -> dict[str, Any]:
        assert (PolicyArn, VersionId) == ("arn:more", "of arn:more")
        return {"PolicyVersion": {"Document": self.document("Allow", "logs:PutLogEvents")}}

    @staticmethod
    def document(effect: str, action: object) -> dict[str, Any]:
        return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action}]}


def test_role_is_read_with_all_its_policies() -> None:
    """Inline and attached policies are read, as object or text; a Deny adds no allowed action."""
    aws = _Aws()
    assert [
        FunctionRole(
            function=FUNCTION,
            region=REGION,
            role=ROLE,
            actions=frozenset({"sns:Publish", FAILOVER, "logs:PutLogEvents"}),
        )
    ] == roles_of_functions(aws, [REGION])
    assert {("lambda", REGION), ("iam", REGION)} == set(aws.called)
