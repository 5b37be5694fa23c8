"""Rules on IAM policies that only a change of the program can break."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from policy.rules.rule import rule, violation
from policy.rules.stack_model import RegisteredResource, Stack, Violation, as_list
from tests.support.policy.program_rules.iam_actions import ALLOWED_ON_ALL_RESOURCES, exists

DOCUMENTS: Mapping[str, tuple[str, int]] = {
    "iam/role:Role": ("assumeRolePolicy", 2048),
    "iam/rolePolicy:RolePolicy": ("policy", 10240),
    "iam/policy:Policy": ("policy", 6144),
    "kms/key:Key": ("policy", 32768),
    "sns/topicPolicy:TopicPolicy": ("policy", 30720),
}
"""The input that holds a policy and the maximum size in characters, by type. Source: IAM and AWS STS quotas; KMS; SNS."""

ROLE, POLICY = "iam/role:Role", "iam/rolePolicy:RolePolicy"
ALLOWING = (f"aws:{POLICY}", "aws:iam/policy:Policy")
"""Types of identity policies; the other policies are attached to a resource."""
MANAGED_POLICIES = {"service-role/AmazonRDSEnhancedMonitoringRole"}
FAILOVER = "rds:FailoverGlobalCluster"


@rule("Actions, resources, and condition keys for AWS services, Service Authorization Reference")
def iam_actions_exist(stack: Stack) -> Iterator[Violation]:
    """Every action in a policy exists in IAM."""
    for r, name, policy in policy_documents(stack):
        for statement in as_list(policy.get("Statement")):
            for action in as_list(statement.get("Action")):
                if "*" not in action and not exists(action):
                    yield violation(r, name, f"there is no {action}")


@rule("Security best practices in IAM: least privilege, IAM User Guide")
def iam_actions_are_explicit(stack: Stack) -> Iterator[Violation]:
    """No role's policy uses wildcard actions, NotAction or NotResource."""
    for r, name, policy in policy_documents(stack):
        if r.type not in ALLOWING:
            continue
        for statement in allow_statements(policy):
            stars = [action for action in as_list(statement.get("Action")) if "*" in action]
            if stars or "NotAction" in statement or "NotResource" in statement:
                yield violation(r, name, f"{stars or 'NotAction or NotResource'}")


@rule("Actions, resources, and condition keys for AWS services, Service Authorization Reference (iam_actions.py)")
def wildcard_resources_are_justified(stack: Stack) -> Iterator[Violation]:
    """A policy uses `*` as a resource only for the actions in ALLOWED_ON_ALL_RESOURCES, and limits metrics to a namespace."""
    for r, name, policy in policy_documents(stack):
        if r.type not in ALLOWING:
            continue
        for statement in allow_statements(policy):
            if "*" not in as_list(statement.get("Resource")):
                continue
            for action in as_list(statement.get("Action")):
                if action not in ALLOWED_ON_ALL_RESOURCES and "*" not in action:
                    yield violation(r, name, f"{action} on every resource")
            if "cloudwatch:PutMetricData" in as_list(
                statement.get("Action")
            ) and "cloudwatch:namespace" not in json.dumps(statement.get("Condition", {})):
                yield violation(r, name, "metrics of any namespace")


@rule("The confused deputy problem, IAM User Guide")
def role_trust_is_scoped(stack: Stack) -> Iterator[Violation]:
    """Every role trusts only services, limited to this account or one resource."""
    for r in stack.of_type(ROLE):
        policy = r.json("assumeRolePolicy")
        for statement in as_list(policy.get("Statement")) if isinstance(policy, Mapping) else ():
            principal, condition = statement.get("Principal"), json.dumps(statement.get("Condition", {}))
            if not isinstance(principal, Mapping) or set(principal) != {"Service"}:
                yield violation(r, "assumeRolePolicy", f"trusts {principal}")
            if "aws:SourceAccount" not in condition and "aws:SourceArn" not in condition:
                yield violation(r, "assumeRolePolicy", "no condition on account or source")


@rule("Using failover in an Amazon Aurora global database: permissions, Aurora User Guide")
def failover_permissions_cover_all_clusters(stack: Stack) -> Iterator[Violation]:
    """Each region has one role that may fail over, with permission on the global cluster and both members."""
    allowed: list[tuple[RegisteredResource, list[str]]] = []
    documents = [(r, p) for r, _, p in policy_documents(stack) if r.type == f"aws:{POLICY}"]
    for r, policy in documents:
        for statement in allow_statements(policy):
            if FAILOVER in as_list(statement.get("Action")):
                allowed.append((r, as_list(statement.get("Resource"))))
    clusters = stack.of_type("rds/cluster:Cluster")
    for r, arns in allowed:
        if len(arns) != 1 + len(clusters) or "*" in arns:
            yield violation(r, "policy", f"{FAILOVER} on {', '.join(arns)}")
    complete = len(documents) == len(stack.of_type(POLICY))
    if clusters and complete and len(allowed) != len(clusters):
        yield violation(clusters[0], "", f"{len(allowed)} roles may fail over, of {len(clusters)} regions")


@rule("AWS managed policies, IAM User Guide", level="advisory")
def managed_policies_are_approved(stack: Stack) -> Iterator[Violation]:
    """Roles use no AWS managed policy except the one for Enhanced Monitoring."""
    for r in stack.of_type("iam/rolePolicyAttachment:RolePolicyAttachment"):
        arn = r.get("policyArn")
        if isinstance(arn, str) and arn.partition(":policy/")[2] not in MANAGED_POLICIES:
            yield violation(r, "policyArn", f"{arn}")


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
