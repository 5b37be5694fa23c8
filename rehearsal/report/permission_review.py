"""Review of the functions' permissions: the deployed roles compared with the recorded calls.

Unused permissions are checked only if a function called a failover and every drill ran to its end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rehearsal.cloud.permission_log import (
    NEVER_REQUESTED_HERE,
    FunctionRole,
    PermissionCheck,
    checks_of_functions,
    denied,
    is_unused_decidable,
    unused,
)
from rehearsal.report.model import Assertion, DrillResult, TimelineEvent
from rehearsal.support.clients import ClientFactory

NAME, TITLE = "permissions", "Permissions of the functions"
UNUSED_NOT_CHECKED = (
    "unused permissions are not checked: this requires a failover by a function, and drills that all ran to their end"
)
MAX_LISTED = 12
"""Maximum number of findings in an assertion's detail."""


def roles_of_functions(clients: ClientFactory, regions: Iterable[str]) -> list[FunctionRole]:
    """Return the role of every function in some regions, with all allowed actions, inline or attached."""
    found = []
    for region in regions:
        for page in clients("lambda", region).get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                role = function["Role"].rpartition("/")[2]
                documents = _documents(clients("iam", region), role)
                actions = frozenset(action for each in documents for action in _allowed(each))
                found.append(FunctionRole(function=function["FunctionName"], region=region, role=role, actions=actions))
    return found


def review(*, roles: Sequence[FunctionRole], checks: Iterable[PermissionCheck], ran_to_the_end: bool) -> DrillResult:
    """Return the review in the form of a drill."""
    called = checks_of_functions(roles, checks)
    checks_unused = ran_to_the_end and is_unused_decidable(called)
    denied_actions = denied(called)
    kinds = {(one.role, one.action) for one in called}
    allowed = {(one.role, action) for one in roles for action in one.actions}
    assertions = [
        Assertion(
            text="every call of the functions is allowed by their roles",
            passed=bool(called) and not denied_actions,
            detail=_listing(denied_actions) or f"{len({one.role for one in called})} roles called {_names(called)}",
        )
    ]
    if checks_unused:
        unused_actions = unused(roles, called)
        uncallable = sum(action in NEVER_REQUESTED_HERE for _, action in allowed - kinds)
        assertions.append(
            Assertion(
                text="no role allows an action that no function calls",
                passed=not unused_actions,
                detail=_listing(unused_actions)
                or f"{len(allowed)} actions of {len(roles)} roles; {uncallable} cannot be called on the embedded AWS",
            )
        )
    return DrillResult(
        name=NAME,
        title=TITLE,
        description="The actions called in the drills, compared with the deployed policies.",
        assertions=tuple(assertions),
        timeline=() if checks_unused else (TimelineEvent(seconds=0, event=UNUSED_NOT_CHECKED),),
        measurements={"asked_actions": len(kinds), "allowed_actions": len(allowed)},
    )


def _documents(iam: Any, role: str) -> Iterator[Any]:
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        yield iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        yield iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def _allowed(document: Any) -> Iterator[str]:
    policy = json.loads(document) if isinstance(document, str) else document
    for statement in policy["Statement"]:
        if statement["Effect"] == "Allow":
            actions = statement["Action"]
            yield from [actions] if isinstance(actions, str) else actions


def _names(called: Iterable[PermissionCheck]) -> str:
    return ", ".join(sorted({one.action for one in called})) or "no action"


def _listing(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - MAX_LISTED} more"] if len(lines) > MAX_LISTED else []
    return "; ".join([*lines[:MAX_LISTED], *more])
