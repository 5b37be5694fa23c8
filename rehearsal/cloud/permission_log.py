"""Comparison of what the functions' roles allow with what they requested: least privilege in both directions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

FAILOVER = "rds:FailoverGlobalCluster"
NEVER_REQUESTED_HERE: Mapping[str, str] = {
    "ec2:AssignPrivateIpAddresses": "the Lambda service creates the network interfaces; ministack has none",
    "ec2:CreateNetworkInterface": "as above",
    "ec2:DeleteNetworkInterface": "as above",
    "ec2:DescribeNetworkInterfaces": "as above",
    "ec2:DescribeSubnets": "as above",
    "ec2:UnassignPrivateIpAddresses": "as above",
    "logs:CreateLogStream": "the Lambda runtime writes the log; ministack's does so without the role",
    "logs:PutLogEvents": "as above",
    "rds-db:connect": "the token is signed locally, and the rehearsal's databases check the token, not the role",
    "kms:Decrypt": "DynamoDB and SNS use the key for the caller (kms:ViaService); ministack's do not check this",
    "kms:DescribeKey": "as above",
    "kms:Encrypt": "as above",
    "kms:GenerateDataKey": "as above",
    "kms:ReEncryptFrom": "as above",
    "kms:ReEncryptTo": "as above",
    "sqs:SendMessage": "the Lambda service keeps a failed event; ministack's does so without the role",
}
"""Why no rehearsal requests an action, by action.

Sources: "Giving Lambda functions access to resources in an Amazon VPC"; "Using customer managed keys" of DynamoDB and SNS;
"IAM database authentication".
"""


@dataclass(frozen=True, kw_only=True)
class PermissionCheck:
    """An authorization of a role's request, and its result.

    `by_role` is the result of the role's own policies, `is_allowed` the final result. Within one account, the resource's
    policy alone may allow a request. Source: Policy evaluation logic, IAM User Guide.
    """

    role: str
    action: str
    resource: str
    by_role: bool
    is_allowed: bool


@dataclass(frozen=True, kw_only=True)
class FunctionRole:
    """A function's role in one region, with the actions that it allows."""

    function: str
    region: str
    role: str
    actions: frozenset[str]


def read_checks(lines: Iterable[str]) -> list[PermissionCheck]:
    """Read the checks that ministack_launcher wrote, one JSON object a line."""
    return [PermissionCheck(**json.loads(line)) for line in lines if line.strip()]


def checks_of_functions(roles: Iterable[FunctionRole], checks: Iterable[PermissionCheck]) -> list[PermissionCheck]:
    """Return the checks of functions' roles, without those of other services' roles."""
    names = {one.role for one in roles}
    return [check for check in checks if check.role in names]


def denied(requested: Iterable[PermissionCheck]) -> list[str]:
    """Return one line for each request that the role does not allow."""
    return [
        f"{one.role} does not allow {one.action} on {one.resource}"
        + (": only the resource's policy does" if one.is_allowed else "")
        for one in requested
        if not (one.by_role and one.is_allowed)
    ]


def is_unused_decidable(requested: Iterable[PermissionCheck]) -> bool:
    """Return whether unused permissions can be determined: only after a function has started a failover."""
    return any(one.action == FAILOVER for one in requested)


def unused(
    roles: Collection[FunctionRole],
    requested: Iterable[PermissionCheck],
    *,
    excepted: Collection[str] = NEVER_REQUESTED_HERE.keys(),
) -> list[str]:
    """Return one line for each allowed action that was never requested.

    A request counts for the function in both regions: the regions swap their roles.
    """
    function_of = {one.role: one.function for one in roles}
    used = {(function_of[one.role], one.action) for one in requested}
    return [
        f"{one.role} allows {action}, which was never requested"
        for one in sorted(roles, key=lambda one: (one.function, one.region))
        for action in sorted(one.actions)
        if action not in excepted and (one.function, action) not in used
    ]
