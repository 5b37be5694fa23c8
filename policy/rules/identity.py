"""What holds for IAM policies: they are valid, allow what is needed on what is needed, and trust whom they must.

Owns: policies as documents. Does not own: whether they suffice for what the functions really call (the rehearsal's
recording, `rules.sufficiency`).
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from policy.rules.iam_actions import EVERY_RESOURCE, exists
from policy.rules.rule import broken, rule
from policy.rules.stack_model import Finding, Resource, Stack, as_list

ROLE, POLICY = "iam/role:Role", "iam/rolePolicy:RolePolicy"
ALLOWING = (f"aws:{POLICY}", "aws:iam/policy:Policy")
"""The types whose policies allow somebody something, rather than say who may use the resource."""
DOCUMENTS: Mapping[str, tuple[str, int]] = {
    "iam/role:Role": ("assumeRolePolicy", 2048),
    "iam/rolePolicy:RolePolicy": ("policy", 10240),
    "iam/policy:Policy": ("policy", 6144),
    "kms/key:Key": ("policy", 32768),
    "sns/topicPolicy:TopicPolicy": ("policy", 30720),
}
"""Type -> the input that holds a policy, and how many characters AWS takes. Source: IAM and AWS STS quotas; KMS; SNS."""
MANAGED_POLICIES = {"service-role/AmazonRDSEnhancedMonitoringRole"}
FAILOVER = "rds:FailoverGlobalCluster"


@rule("Grammar of the IAM JSON policy language; IAM and AWS STS quotas, IAM User Guide")
def policies_are_valid(stack: Stack) -> Iterator[Finding]:
    """Every policy is of version 2012-10-17, of a size that AWS takes, and each statement says effect, action and whom or what."""
    for r, name, policy in _documents(stack):
        size = len(re.sub(r"\s", "", json.dumps(policy)))
        if policy.get("Version") != "2012-10-17" or size > DOCUMENTS[r.type.removeprefix("aws:")][1]:
            yield broken(r, name, f"version {policy.get('Version')}, {size} characters")
        sids = [s["Sid"] for s in as_list(policy.get("Statement")) if "Sid" in s]
        if len(sids) != len(set(sids)) or not all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids):
            yield broken(r, name, f"statement ids {sids}")
        for statement in as_list(policy.get("Statement")):
            needs = {"Principal"} if name == "assumeRolePolicy" else {"Resource"}
            if statement.get("Effect") not in ("Allow", "Deny") or not ({"Action"} | needs) <= set(statement):
                yield broken(r, name, f"{statement}")


@rule("Actions, resources, and condition keys for AWS services, Service Authorization Reference")
def policies_name_actions_that_exist(stack: Stack) -> Iterator[Finding]:
    """Every action in a policy is one that IAM knows."""
    for r, name, policy in _documents(stack):
        for statement in as_list(policy.get("Statement")):
            for action in as_list(statement.get("Action")):
                if "*" not in action and not exists(action):
                    yield broken(r, name, f"there is no {action}")


@rule("Security best practices in IAM: least privilege, IAM User Guide")
def no_role_may_do_everything(stack: Stack) -> Iterator[Finding]:
    """No role's policy allows an action with a star, or everything but something."""
    for r, name, policy in _documents(stack):
        if r.type not in ALLOWING:
            continue
        for statement in _allowing(policy):
            stars = [action for action in as_list(statement.get("Action")) if "*" in action]
            if stars or "NotAction" in statement or "NotResource" in statement:
                yield broken(r, name, f"{stars or 'NotAction or NotResource'}")


@rule(
    "Actions, resources, and condition keys for AWS services, Service Authorization Reference (policy/rules/iam_actions.py)"
)
def every_resource_is_allowed_only_where_it_must_be(stack: Stack) -> Iterator[Finding]:
    """`*` as a resource stands only with the actions of the list that says why; metrics only with their namespace."""
    for r, name, policy in _documents(stack):
        if r.type not in ALLOWING:
            continue
        for statement in _allowing(policy):
            if "*" not in as_list(statement.get("Resource")):
                continue
            for action in as_list(statement.get("Action")):
                if action not in EVERY_RESOURCE and "*" not in action:
                    yield broken(r, name, f"{action} on every resource")
            if "cloudwatch:PutMetricData" in as_list(
                statement.get("Action")
            ) and "cloudwatch:namespace" not in json.dumps(statement.get("Condition", {})):
                yield broken(r, name, "metrics of any namespace")


@rule("The confused deputy problem, IAM User Guide")
def roles_trust_a_service_for_this_account_alone(stack: Stack) -> Iterator[Finding]:
    """Every role trusts services only, on behalf of this account or of one resource."""
    for r in stack.of(ROLE):
        policy = r.json("assumeRolePolicy")
        for statement in as_list(policy.get("Statement")) if isinstance(policy, Mapping) else ():
            principal, condition = statement.get("Principal"), json.dumps(statement.get("Condition", {}))
            if not isinstance(principal, Mapping) or set(principal) != {"Service"}:
                yield broken(r, "assumeRolePolicy", f"trusts {principal}")
            if "aws:SourceAccount" not in condition and "aws:SourceArn" not in condition:
                yield broken(r, "assumeRolePolicy", "on anybody's behalf")


@rule("AWS JSON policy elements: Principal, IAM User Guide")
def nobody_is_everybody(stack: Stack) -> Iterator[Finding]:
    """No policy allows anything to every principal."""
    for r, name, policy in _documents(stack):
        for statement in _allowing(policy):
            principal = statement.get("Principal")
            given = (
                [principal]
                if isinstance(principal, str)
                else [v for p in (principal or {}).values() for v in as_list(p)]
            )
            if "*" in given:
                yield broken(r, name, "everybody")


@rule("Using failover in an Amazon Aurora global database: permissions, Aurora User Guide")
def who_fails_over_may_do_so_on_all_three(stack: Stack) -> Iterator[Finding]:
    """Who may fail over may do so on the global cluster, whose ARN has no region, and on both members; some role may."""
    allowed: list[tuple[Resource, list[str]]] = []
    documents = [(r, p) for r, _, p in _documents(stack) if r.type == f"aws:{POLICY}"]
    for r, policy in documents:
        for statement in _allowing(policy):
            if FAILOVER in as_list(statement.get("Action")):
                allowed.append((r, as_list(statement.get("Resource"))))
    clusters = stack.of("rds/cluster:Cluster")
    for r, arns in allowed:
        if len(arns) != 1 + len(clusters) or "*" in arns:
            yield broken(r, "policy", f"{FAILOVER} on {', '.join(arns)}")
    complete = len(documents) == len(stack.of(POLICY))
    if clusters and complete and len(allowed) != len(clusters):
        yield broken(clusters[0], "", f"{len(allowed)} roles may fail over, of {len(clusters)} regions")


@rule("AWS managed policies, IAM User Guide", level="advisory")
def managed_policies_are_the_ones_that_are_known(stack: Stack) -> Iterator[Finding]:
    """The only policy of AWS's that a role has is the one that AWS wants for enhanced monitoring."""
    for r in stack.of("iam/rolePolicyAttachment:RolePolicyAttachment"):
        arn = r.get("policyArn")
        if isinstance(arn, str) and arn.partition(":policy/")[2] not in MANAGED_POLICIES:
            yield broken(r, "policyArn", f"{arn}")


def _documents(stack: Stack) -> Iterator[tuple[Resource, str, Mapping[str, Any]]]:
    """Yield every policy that is known: its resource, input and content."""
    for kind, (name, _) in DOCUMENTS.items():
        for r in stack.of(kind):
            policy = r.json(name)
            if isinstance(policy, Mapping):
                yield r, name, policy


def _allowing(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [s for s in as_list(policy.get("Statement")) if s.get("Effect") == "Allow"]
