"""Neither too little nor too much: what roles allow against what they were asked for."""

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


def test_what_is_asked_for_and_allowed_is_no_shortcoming() -> None:
    """Nothing to say in either direction."""
    roles = [role(EAST, "sns:Publish")]
    asked = [check(EAST, "sns:Publish")]
    assert ([], []) == (denied(asked), unused(roles, asked))


def test_what_is_denied_is_named_with_its_resource() -> None:
    """The permission that is missing, and where; what is allowed stands beside it unmentioned."""
    asked = [
        check(EAST, "rds:DescribeDBClusters", by_role=False, is_allowed=False),
        check(EAST, "sns:Publish"),
    ]
    assert [f"{EAST} does not allow rds:DescribeDBClusters on {TOPIC}"] == denied(asked)


def test_what_the_role_allows_and_the_resource_denies_is_named() -> None:
    """A Deny in the resource's own policy wins."""
    assert [f"{EAST} does not allow sns:Publish on {TOPIC}"] == denied([check(EAST, "sns:Publish", is_allowed=False)])


def test_what_only_the_resources_own_policy_allows_is_named() -> None:
    """The call works, but the role does not say what its function does."""
    asked = [check(EAST, "sns:Publish", by_role=False)]
    assert [f"{EAST} does not allow sns:Publish on {TOPIC}: only the resource's policy does"] == denied(asked)


def test_what_one_regions_function_asks_for_the_others_may() -> None:
    """They are the same and swap with the roles: in one rehearsal only one of them fails over."""
    roles = [role(name, "sns:Publish", FAILOVER) for name in (EAST, WEST)]
    assert [] == unused(roles, [check(WEST, FAILOVER), check(EAST, "sns:Publish")])


def test_what_nobody_asked_for_is_named_for_each_role_that_allows_it() -> None:
    """In a fixed order, so that two reports can be compared."""
    roles = [role(EAST, FAILOVER, "sns:DeleteTopic"), role(WEST, FAILOVER, "sns:DeleteTopic", "sns:AddPermission")]
    assert [
        f"{WEST} allows sns:AddPermission, which was never requested",
        f"{WEST} allows sns:DeleteTopic, which was never requested",
        f"{EAST} allows sns:DeleteTopic, which was never requested",
    ] == unused(roles, [check(WEST, FAILOVER)])


def test_what_another_function_asks_for_excuses_nobody() -> None:
    """Each function's role is its own."""
    roles = [role(EAST, "sns:Publish"), role("probe", "sns:Publish", function=PROBE)]
    assert ["probe allows sns:Publish, which was never requested"] == unused(roles, [check(EAST, "sns:Publish")])


def test_what_a_role_was_denied_is_not_unused() -> None:
    """One mistake is told once."""
    asked = [check(EAST, "sns:Publish", by_role=False, is_allowed=False)]
    assert [] == unused([role(EAST, "sns:Publish")], asked)


@pytest.mark.parametrize("action", sorted(NEVER_REQUESTED_HERE))
def test_a_named_exception_is_not_missed(action: str) -> None:
    """What the emulator can't exercise, each with its reason."""
    assert [] == unused([role(EAST, action)], [])
    assert NEVER_REQUESTED_HERE[action]


def test_roles_of_other_things_are_left_alone() -> None:
    """The emulator's own services take roles too."""
    own = check(EAST, "sns:Publish")
    assert [own] == checks_of_functions(
        [role(EAST)], [check("scheduler", "lambda:InvokeFunction", is_allowed=False), own]
    )


@pytest.mark.parametrize(("action", "is_judged"), [(FAILOVER, True), ("sns:Publish", False)])
def test_what_is_unused_is_judged_after_a_failover_by_a_function(action: str, is_judged: bool) -> None:
    """Without one, much that a failover needs lies idle."""
    assert is_judged is is_unused_decidable([check(EAST, action)])


def test_the_emulators_notes_are_read_line_by_line() -> None:
    """As the launcher writes them."""
    line = {"role": EAST, "action": "sns:Publish", "resource": TOPIC, "by_role": True, "is_allowed": False}
    assert [check(EAST, "sns:Publish", is_allowed=False)] == read_checks([json.dumps(line), ""])
