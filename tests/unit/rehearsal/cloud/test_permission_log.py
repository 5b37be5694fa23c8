"""Tests of the comparison of allowed and requested permissions."""

import json

import pytest

from rehearsal.cloud.permission_log import (
    FAILOVER,
    NEVER_REQUESTED_HERE,
    FunctionRole,
    PermissionCheck,
    checks_of_functions,
    denied,
    is_unused_decidable,
    read_checks,
    unused,
)

EAST, WEST = "payments-failover-controller-us-east-1-dev", "payments-failover-controller-eu-west-1-dev"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:topic"
CONTROLLER, PROBE = "failover-controller-dev", "health-check-dev"


def role(name: str, *actions: str, function: str = CONTROLLER) -> FunctionRole:
    """Return a function's role that allows some actions."""
    region = "us-east-1" if "us-east-1" in name else "eu-west-1"
    return FunctionRole(function=function, region=region, role=name, actions=frozenset(actions))


def check(name: str, action: str, *, by_role: bool = True, is_allowed: bool = True) -> PermissionCheck:
    """Return a check on a topic."""
    return PermissionCheck(role=name, action=action, resource=TOPIC, by_role=by_role, is_allowed=is_allowed)


def test_requested_and_allowed_action_is_fine() -> None:
    """An action that is requested and allowed is neither denied nor unused."""
    roles = [role(EAST, "sns:Publish")]
    request_parameters = [check(EAST, "sns:Publish")]
    assert ([], []) == (denied(request_parameters), unused(roles, request_parameters))


def test_denied_action_is_named_with_its_resource() -> None:
    """Allowed actions are not listed."""
    request_parameters = [
        check(EAST, "rds:DescribeDBClusters", by_role=False, is_allowed=False),
        check(EAST, "sns:Publish"),
    ]
    assert [f"{EAST} does not allow rds:DescribeDBClusters on {TOPIC}"] == denied(request_parameters)


def test_action_that_only_the_resource_denies_is_named() -> None:
    """A Deny in the resource's policy wins."""
    assert [f"{EAST} does not allow sns:Publish on {TOPIC}"] == denied([check(EAST, "sns:Publish", is_allowed=False)])


def test_action_that_only_the_resource_allows_is_named() -> None:
    """The call works, but the role is incomplete."""
    request_parameters = [check(EAST, "sns:Publish", by_role=False)]
    assert [f"{EAST} does not allow sns:Publish on {TOPIC}: only the resource's policy does"] == denied(
        request_parameters
    )


def test_request_in_one_region_counts_for_both() -> None:
    """In one rehearsal, only one of the two functions fails over."""
    roles = [role(name, "sns:Publish", FAILOVER) for name in (EAST, WEST)]
    assert [] == unused(roles, [check(WEST, FAILOVER), check(EAST, "sns:Publish")])


def test_unused_action_is_named_for_each_role() -> None:
    """The order is fixed, and reports can be compared."""
    roles = [role(EAST, FAILOVER, "sns:DeleteTopic"), role(WEST, FAILOVER, "sns:DeleteTopic", "sns:AddPermission")]
    assert [
        f"{WEST} allows sns:AddPermission, which was never requested",
        f"{WEST} allows sns:DeleteTopic, which was never requested",
        f"{EAST} allows sns:DeleteTopic, which was never requested",
    ] == unused(roles, [check(WEST, FAILOVER)])


def test_request_of_another_function_does_not_count() -> None:
    """Each function has its own role."""
    roles = [role(EAST, "sns:Publish"), role("probe", "sns:Publish", function=PROBE)]
    assert ["probe allows sns:Publish, which was never requested"] == unused(roles, [check(EAST, "sns:Publish")])


def test_denied_action_is_not_unused() -> None:
    """A denied action is reported as denied only, not also as unused."""
    request_parameters = [check(EAST, "sns:Publish", by_role=False, is_allowed=False)]
    assert [] == unused([role(EAST, "sns:Publish")], request_parameters)


@pytest.mark.parametrize("action", sorted(NEVER_REQUESTED_HERE))
def test_exception_is_not_unused(action: str) -> None:
    """Each exception has a reason."""
    assert [] == unused([role(EAST, action)], [])
    assert NEVER_REQUESTED_HERE[action]


def test_roles_of_other_services_are_ignored() -> None:
    """ministack's services also take roles."""
    own = check(EAST, "sns:Publish")
    assert [own] == checks_of_functions(
        [role(EAST)], [check("scheduler", "lambda:InvokeFunction", is_allowed=False), own]
    )


@pytest.mark.parametrize(("action", "is_judged"), [(FAILOVER, True), ("sns:Publish", False)])
def test_unused_is_decidable_after_a_failover_by_a_function(action: str, is_judged: bool) -> None:
    """The permissions of a failover are requested only if a function calls one."""
    assert is_judged is is_unused_decidable([check(EAST, action)])


def test_log_is_read_line_by_line() -> None:
    """The launcher writes one JSON object a line."""
    line = {"role": EAST, "action": "sns:Publish", "resource": TOPIC, "by_role": True, "is_allowed": False}
    assert [check(EAST, "sns:Publish", is_allowed=False)] == read_checks([json.dumps(line), ""])
