"""The report's part on permissions: what is read of the roles, what must hold, and in which runs."""

import json
from typing import Any

from rehearsal.cloud.permission_log import FAILOVER, FunctionRole, PermissionCheck
from rehearsal.report.model import Assertion, DrillResult
from rehearsal.report.permission_review import LISTED, NOT_JUDGED, review, roles_of_functions

ROLE, FUNCTION, REGION = "payments-failover-controller-eu-west-1-dev", "payments-failover-controller-dev", "eu-west-1"
ENOUGH = "every call of the functions is allowed by the role that makes it"
NOT_TOO_MUCH = "no role allows an action that no function calls"


def checked(action: str, *, is_allowed: bool = True) -> PermissionCheck:
    """Return what the role was asked for."""
    return PermissionCheck(role=ROLE, action=action, resource="*", by_role=is_allowed, is_allowed=is_allowed)


def reviewed(*checks: PermissionCheck, may: tuple[str, ...] = (FAILOVER,), ran_to_the_end: bool = True) -> DrillResult:
    """Return the review of the one role."""
    role = FunctionRole(function=FUNCTION, region=REGION, role=ROLE, actions=frozenset(may))
    return review(roles=[role], checks=checks, ran_to_the_end=ran_to_the_end)


def test_after_a_failover_both_directions_are_judged() -> None:
    """With what was counted as the evidence."""
    result = reviewed(checked(FAILOVER), may=(FAILOVER, "logs:PutLogEvents"))
    assert (
        Assertion(text=ENOUGH, passed=True, detail=f"of 1 roles: {FAILOVER}"),
        Assertion(
            text=NOT_TOO_MUCH,
            passed=True,
            detail="2 actions of 1 roles; 1 can't be called here, each for a named reason",
        ),
    ) == result.assertions
    assert (True, ()) == (result.passed, result.timeline)


def test_without_a_failover_nothing_is_called_unused() -> None:
    """`--drill steady` uses little, and says that it did not judge."""
    result = reviewed(checked("sns:Publish"), may=("sns:Publish", FAILOVER))
    assert [ENOUGH] == [one.text for one in result.assertions]
    assert (True, [NOT_JUDGED]) == (result.passed, [event.event for event in result.timeline])


def test_after_a_drill_that_broke_off_nothing_is_called_unused() -> None:
    """What it would have called is not known; what was denied is, and may be why."""
    denied = checked("sns:Publish", is_allowed=False)
    result = reviewed(checked(FAILOVER), denied, may=(FAILOVER, "sns:Subscribe"), ran_to_the_end=False)
    assert [(ENOUGH, False, f"{ROLE} does not allow sns:Publish on *")] == [
        (one.text, one.passed, one.detail) for one in result.assertions
    ]


def test_an_action_that_is_never_called_fails_the_rehearsal() -> None:
    """It names the role and the action."""
    result = reviewed(checked(FAILOVER), may=(FAILOVER, "sns:Subscribe"))
    assert not result.passed
    assert f"{ROLE} allows sns:Subscribe, which was never requested" == result.assertions[1].detail


def test_nothing_recorded_is_no_pass() -> None:
    """A recorder that is broken would otherwise let everything pass."""
    result = reviewed()
    assert (False, "of 0 roles: nothing was asked for") == (result.passed, result.assertions[0].detail)


def test_a_long_list_is_cut_and_says_so() -> None:
    """One line of the report stays one line."""
    many = [checked(f"sns:Action{number:02}", is_allowed=False) for number in range(LISTED + 3)]
    detail = reviewed(*many).assertions[0].detail
    assert (LISTED, True) == (detail.count(" does not allow "), detail.endswith("; and 3 more"))


class _Aws:
    """One function whose role has two inline policies, one of them a text, and one that is attached."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, service: str, region: str) -> "_Aws":
        self.asked.append((service, region))
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


def test_a_functions_role_is_read_with_all_its_policies() -> None:
    """Inline and attached, one action or several, as an object or as text; a Deny allows nothing."""
    aws = _Aws()
    assert [
        FunctionRole(
            function=FUNCTION,
            region=REGION,
            role=ROLE,
            actions=frozenset({"sns:Publish", FAILOVER, "logs:PutLogEvents"}),
        )
    ] == roles_of_functions(aws, [REGION])
    assert {("lambda", REGION), ("iam", REGION)} == set(aws.asked)
