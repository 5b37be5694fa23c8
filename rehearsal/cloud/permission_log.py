"""Whether the functions' roles allow what the functions call, and nothing more.

Owns: the comparison of what roles allow with what they were asked for, and the few actions that nothing here asks for.
Does not own: the recording (`ministack_launcher`, which evaluates the deployed policies), the reading of the roles and the
report's words (`permission_review`), nor the policies' form (rules/). Pure.
Invariant: an action that is denied is named, and so is one that is allowed and that nobody asked for: least privilege in
both directions.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

FAILOVER = "rds:FailoverGlobalCluster"
NEVER_REQUESTED_HERE: Mapping[str, str] = {
    "ec2:AssignPrivateIpAddresses": "Lambda's own service connects a function to its network; the emulator has none",
    "ec2:CreateNetworkInterface": "as above",
    "ec2:DeleteNetworkInterface": "as above",
    "ec2:DescribeNetworkInterfaces": "as above",
    "ec2:DescribeSubnets": "as above",
    "ec2:UnassignPrivateIpAddresses": "as above",
    "logs:CreateLogStream": "the Lambda runtime writes a function's log; the emulator's does so without its role",
    "logs:PutLogEvents": "as above",
    "rds-db:connect": "a token is signed locally, and the databases' stand-ins see the token, not the role",
    "kms:Decrypt": "DynamoDB and SNS use the key on the caller's behalf (kms:ViaService); the emulator's don't ask",
    "kms:DescribeKey": "as above",
    "kms:Encrypt": "as above",
    "kms:GenerateDataKey": "as above",
    "kms:ReEncryptFrom": "as above",
    "kms:ReEncryptTo": "as above",
}
"""Action -> why no rehearsal asks for it. Sources: "Giving Lambda functions access to resources in an Amazon VPC"; "Using
customer managed keys" of DynamoDB and SNS; "IAM database authentication"."""


@dataclass(frozen=True, kw_only=True)
class PermissionCheck:
    """What a role was asked for, and the answer.

    `by_role` says whether the role's own policies allow it, `is_allowed` whether the call was: a resource may have a policy,
    too, and in one account either is enough. Source: Policy evaluation logic, IAM User Guide.
    """

    role: str
    action: str
    resource: str
    by_role: bool
    is_allowed: bool


@dataclass(frozen=True, kw_only=True)
class FunctionRole:
    """A function's role in one region, and the actions that it allows."""

    function: str
    region: str
    role: str
    actions: frozenset[str]


def read_checks(lines: Iterable[str]) -> list[PermissionCheck]:
    """Return the checks that the emulator wrote down, a JSON object a line."""
    return [PermissionCheck(**json.loads(line)) for line in lines if line.strip()]


def checks_of_functions(roles: Iterable[FunctionRole], checks: Iterable[PermissionCheck]) -> list[PermissionCheck]:
    """Return the checks that were made of functions' roles: the emulator's own services take roles, too."""
    names = {one.role for one in roles}
    return [check for check in checks if check.role in names]


def denied(asked: Iterable[PermissionCheck]) -> list[str]:
    """Return what roles were asked for and do not allow, a line each; whatever a fault kept from IAM was never asked."""
    return [
        f"{one.role} may not {one.action} on {one.resource}"
        + (": only the resource's own policy allows it" if one.is_allowed else "")
        for one in asked
        if not (one.by_role and one.is_allowed)
    ]


def is_unused_decidable(asked: Iterable[PermissionCheck]) -> bool:
    """Whether so much was played that an action nobody asked for is one too many: a failover was called by a function."""
    return any(one.action == FAILOVER for one in asked)


def unused(
    roles: Collection[FunctionRole],
    asked: Iterable[PermissionCheck],
    *,
    excepted: Collection[str] = NEVER_REQUESTED_HERE.keys(),
) -> list[str]:
    """Return what is allowed and nobody asked for, a line each.

    What one region's function asked for, the other's may as well: they are the same, and swap with the roles.
    """
    function_of = {one.role: one.function for one in roles}
    used = {(function_of[one.role], one.action) for one in asked}
    return [
        f"{one.role} may {action}, and nobody asked for it"
        for one in sorted(roles, key=lambda one: (one.function, one.region))
        for action in sorted(one.actions)
        if action not in excepted and (one.function, action) not in used
    ]
