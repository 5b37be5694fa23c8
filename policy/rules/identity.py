"""Rules on policy documents."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from policy.rules.rule import rule, violation
from policy.rules.stack_model import RegisteredResource, Stack, Violation, as_list

DOCUMENTS: Mapping[str, tuple[str, int]] = {
    "iam/role:Role": ("assumeRolePolicy", 2048),
    "iam/rolePolicy:RolePolicy": ("policy", 10240),
    "iam/policy:Policy": ("policy", 6144),
    "kms/key:Key": ("policy", 32768),
    "sns/topicPolicy:TopicPolicy": ("policy", 30720),
}
"""The input that holds a policy and the maximum size in characters, by type. Source: IAM and AWS STS quotas; KMS; SNS."""


@rule("Grammar of the IAM JSON policy language; IAM and AWS STS quotas, IAM User Guide")
def iam_policies_are_valid(stack: Stack) -> Iterator[Violation]:
    """Every policy has version 2012-10-17, a valid size and complete statements."""
    for r, name, policy in policy_documents(stack):
        size = len(re.sub(r"\s", "", json.dumps(policy)))
        if policy.get("Version") != "2012-10-17" or size > DOCUMENTS[r.type.removeprefix("aws:")][1]:
            yield violation(
                r,
                name,
                f"Version {policy.get('Version')} or its {size} characters are invalid. Shorten the policy.",
            )
        sids = [s["Sid"] for s in as_list(policy.get("Statement")) if "Sid" in s]
        if len(sids) != len(set(sids)) or not all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids):
            yield violation(r, name, f"Statement ids {sids} are invalid. Use unique letters and digits.")
        for statement in as_list(policy.get("Statement")):
            needs = {"Principal"} if name == "assumeRolePolicy" else {"Resource"}
            if statement.get("Effect") not in ("Allow", "Deny") or not ({"Action"} | needs) <= set(statement):
                yield violation(
                    r, name, f"The statement {statement} is incomplete. Set effect, action, and principal or resource."
                )


@rule("AWS JSON policy elements: Principal, IAM User Guide")
def policy_principals_are_specific(stack: Stack) -> Iterator[Violation]:
    """No policy allows an action to every principal."""
    for r, name, policy in policy_documents(stack):
        for statement in allow_statements(policy):
            principal = statement.get("Principal")
            given = (
                [principal]
                if isinstance(principal, str)
                else [v for p in (principal or {}).values() for v in as_list(p)]
            )
            if "*" in given:
                yield violation(r, name, "The policy allows every principal. Name the principals.")


def policy_documents(stack: Stack) -> Iterator[tuple[RegisteredResource, str, Mapping[str, Any]]]:
    """Yield every known policy: its resource, input and content."""
    for kind, (name, _) in DOCUMENTS.items():
        for r in stack.of_type(kind):
            policy = r.json(name)
            if isinstance(policy, Mapping):
                yield r, name, policy


def allow_statements(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the Allow statements of a policy."""
    return [s for s in as_list(policy.get("Statement")) if s.get("Effect") == "Allow"]
