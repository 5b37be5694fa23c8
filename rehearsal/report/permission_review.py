"""What a rehearsal says of the functions' permissions: read as they are deployed, held against what was called.

Owns: reading the roles, and this part of the report. Does not own: the comparison (permissions.py) or the recording
(ministack_launcher.py).
Invariant: nothing recorded is no pass; what nobody asked for is judged only after drills in which a function called a
failover and that were all played to their end, for otherwise much lies idle.
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

NAME, TITLE = "permissions", "The functions' roles allow what is called, and nothing more"
NOT_JUDGED = (
    "whether a role allows more than is called is not judged: that takes a failover by a function, and drills that all ran to "
    "their end"
)
LISTED = 12
"""How many shortcomings are spelled out."""


def roles_of_functions(clients: ClientFactory, regions: Iterable[str]) -> list[FunctionRole]:
    """Return the role of every function in some regions, with all that it allows, inline or attached."""
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
    """Return what must hold of the roles, in the form of a drill."""
    asked = checks_of_functions(roles, checks)
    is_judged = ran_to_the_end and is_unused_decidable(asked)
    lacking = denied(asked)
    kinds = {(one.role, one.action) for one in asked}
    allowed = {(one.role, action) for one in roles for action in one.actions}
    assertions = [
        Assertion(
            text="every call of the functions is allowed by the role that makes it",
            passed=bool(asked) and not lacking,
            detail=_words(lacking) or f"of {len({one.role for one in asked})} roles: {_names(asked)}",
        )
    ]
    if is_judged:
        idle = unused(roles, asked)
        excepted = sum(action in NEVER_REQUESTED_HERE for _, action in allowed - kinds)
        assertions.append(
            Assertion(
                text="no role allows an action that no function calls",
                passed=not idle,
                detail=_words(idle)
                or f"{len(allowed)} actions of {len(roles)} roles; {excepted} can't be called here, each for a named reason",
            )
        )
    return DrillResult(
        name=NAME,
        title=TITLE,
        description="What IAM was asked for in the drills, against the policies as they are deployed.",
        assertions=tuple(assertions),
        timeline=() if is_judged else (TimelineEvent(seconds=0, event=NOT_JUDGED),),
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


def _names(asked: Iterable[PermissionCheck]) -> str:
    return ", ".join(sorted({one.action for one in asked})) or "nothing was asked for"


def _words(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - LISTED} more"] if len(lines) > LISTED else []
    return "; ".join([*lines[:LISTED], *more])
