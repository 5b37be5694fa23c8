"""Whether the functions' roles allow what the functions call, and nothing more.

Owns: the comparison of what roles allow with what they were asked for, and the few actions that nothing here asks for.
Does not own: the recording (`ministack_launcher`, which evaluates the deployed policies), nor the policies' form (rules/).
Invariant: an action that is denied is named, and so is one that is allowed and that nobody asked for in a rehearsal with a
failover: least privilege in both directions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FAILOVER = "rds:FailoverGlobalCluster"
NEVER_ASKED_HERE: Mapping[str, str] = {
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
    """What a role was asked for, and whether its policies allowed it."""

    role: str
    action: str
    resource: str
    is_allowed: bool


def read_checks(lines: Iterable[str]) -> list[PermissionCheck]:
    """Return the checks that the emulator wrote down, a JSON object a line."""
    return [PermissionCheck(**json.loads(line)) for line in lines if line.strip()]


def actions_of_functions(iam: Any) -> dict[str, frozenset[str]]:
    """Return what each role that Lambda may take allows, as it is deployed: role -> actions. `iam` is a boto3 client."""
    found: dict[str, frozenset[str]] = {}
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            if "lambda.amazonaws.com" not in json.dumps(role["AssumeRolePolicyDocument"]):
                continue
            name = role["RoleName"]
            policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
            documents = (iam.get_role_policy(RoleName=name, PolicyName=p)["PolicyDocument"] for p in policies)
            found[name] = frozenset(action for document in documents for action in _allowed(document))
    return found


def shortcomings(
    allowed: Mapping[str, frozenset[str]], checks: Iterable[PermissionCheck], *, failing_over: Iterable[str]
) -> list[str]:
    """Return what the roles lack and what they have too much, a line each.

    `failing_over`: the roles whose call of `FailoverGlobalCluster` the control plane took, for the emulator's IAM isn't
    asked then. What nobody asked for is only told when there was such a call: without a failover much lies idle.
    """
    asked = [check for check in checks if check.role in allowed]
    callers = set(failing_over)
    # Where the resource has a policy, too, the emulator looks at that one as well: one of the two that allows is enough.
    allowing = {(check.role, check.action, check.resource) for check in asked if check.is_allowed}
    found = [
        f"{c.role} may not {c.action} on {c.resource}"
        for c in asked
        if not c.is_allowed and (c.role, c.action, c.resource) not in allowing
    ]
    found += [f"{role} may not {FAILOVER}" for role in sorted(callers) if FAILOVER not in allowed.get(role, ())]
    if callers:
        used = {(check.role, check.action) for check in asked} | {(role, FAILOVER) for role in callers}
        # The same policy in both regions: what one region's function asked for, the other's may.
        kinds = {(_kind(role), action) for role, action in used}
        found += [
            f"{role} may {action}, and nobody asked for it"
            for role, actions in sorted(allowed.items())
            for action in sorted(actions - NEVER_ASKED_HERE.keys())
            if (_kind(role), action) not in kinds
        ]
    return found


def _kind(role: str) -> str:
    """Return a role's name without its region, which stands before the environment."""
    parts = role.split("-")
    return "-".join(part for i, part in enumerate(parts) if not _is_of_a_region(parts, i))


def _is_of_a_region(parts: list[str], index: int) -> bool:
    """Return whether a part belongs to a region's code: two letters, a word, a digit."""
    for start in range(max(0, index - 2), index + 1):
        code = parts[start : start + 3]
        if len(code) == 3 and len(code[0]) == 2 and code[1].isalpha() and len(code[2]) == 1 and code[2].isdigit():
            return True
    return False


def _allowed(document: Any) -> Iterator[str]:
    policy = json.loads(document) if isinstance(document, str) else document
    for statement in policy["Statement"]:
        if statement["Effect"] == "Allow":
            actions = statement["Action"]
            yield from [actions] if isinstance(actions, str) else actions
