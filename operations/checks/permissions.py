"""Checks that the caller may make the calls of `pulumi up`, as far as IAM can simulate it.

The simulation does not see service control policies, session policies and policies on resources; the result says so.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial

from operations.aws.read_ports import Answer, ReadApiFactory, ReadOnlyApi
from operations.checks.finding import Check, CheckResult, check_result, unknown
from operations.checks.required_permissions import STACK_ARNS, actions_by_service, types_needing
from settings import Settings

GLOBAL_REGION = "us-east-1"
_ASSUMED = re.compile(r"arn:(?P<partition>[^:]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/.*")
NOT_SEEN = "the simulation does not see service control policies, session policies, or policies on resources"
HINT = "Allow them to the deploying role. operations/checks/required_permissions.py lists all by resource type."


def permission_checks(settings: Settings, read_api_for: ReadApiFactory, caller_arn: str, account: str) -> list[Check]:
    """Return a check of each service's actions in both regions."""
    checks = []
    for region in (settings.primary, settings.secondary):
        for service, actions in actions_by_service().items():
            arns = stack_arns(settings, service, region=region.region, account=account, caller_arn=caller_arn)
            run = partial(_simulate, read_api_for(GLOBAL_REGION), caller_arn, service, region.region, actions, arns)
            checks.append(Check(names=(f"permissions: {service}",), where=region.region, run=run))
    return checks


def stack_arns(settings: Settings, service: str, *, region: str, account: str, caller_arn: str) -> list[str]:
    """Return the ARNs on which a service's actions are simulated: `*` and those of this stack."""
    partition = caller_arn.split(":")[1]
    names = {
        "region": region,
        "account": account,
        "project": settings.project,
        "environment": settings.environment,
    }
    return ["*", *(f"arn:{partition}:{pattern.format(**names)}" for pattern in STACK_ARNS[service])]


def _simulate(
    api: ReadOnlyApi, caller_arn: str, service: str, where: str, actions: Sequence[str], arns: Sequence[str]
) -> list[CheckResult]:
    name = f"permissions: {service}"
    if caller_arn.endswith(":root"):
        why = "IAM cannot simulate the account's root user"
        return [unknown(name, where, why=why, hint="Deploy with a role instead of root.")]
    results = api.read_all(
        "iam",
        "simulate_principal_policy",
        "EvaluationResults",
        PolicySourceArn=principal(api, caller_arn),
        ActionNames=list(actions),
        ResourceArns=list(arns),
    )
    return [check_permissions(service, where, actions, results)]


def principal(api: ReadOnlyApi, caller_arn: str) -> str:
    """Return the ARN that IAM can simulate; for an assumed role, the role's ARN with the path that STS omits.

    Source: SimulatePrincipalPolicy, IAM API reference: the ARN of a user, group or role.
    """
    assumed = _ASSUMED.fullmatch(caller_arn)
    if assumed is None:
        return caller_arn
    return str(api.read("iam", "get_role", RoleName=assumed["role"])["Role"]["Arn"])


def check_permissions(service: str, where: str, actions: Sequence[str], results: Sequence[Answer]) -> CheckResult:
    """Check that each action is allowed on `*` or on at least one ARN of this stack."""
    decisions: dict[str, list[str]] = {}
    for result in results:
        specific = [str(each["EvalResourceDecision"]) for each in result.get("ResourceSpecificResults", [])]
        decisions.setdefault(result["EvalActionName"], []).extend([*specific, str(result["EvalDecision"])])
    denied = [action for action in actions if "allowed" not in decisions.get(action, [])]
    problems = [f"{action} ({_types(action)}; {_decision(decisions, action)})" for action in denied]
    evidence = f"all {len(actions)} actions; {NOT_SEEN}"
    return check_result(f"permissions: {service}", where, problems=problems, evidence=evidence, hint=HINT)


def _types(action: str) -> str:
    return ", ".join(each.rpartition(":")[2] for each in types_needing(action))


def _decision(decisions: Mapping[str, Sequence[str]], action: str) -> str:
    if action not in decisions:
        return "no decision"
    return "denied by a policy" if "explicitDeny" in decisions[action] else "not allowed by any policy"
