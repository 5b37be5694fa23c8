"""Who deploys, in which account, and whether they may do what `pulumi up` does, as far as IAM can simulate it.

Owns the way from a caller to a principal that can be simulated, and the judgement of the simulation. Does not own the
table of actions (`needed_permissions.py`). Invariant: nothing is said to be allowed that the simulation did not allow;
what it can't see (service control policies of an organization, session policies, permissions on resources) is said.
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
CURE = "Allow them to whoever deploys; operations/checks/required_permissions.py lists all by the type of resource."


def permission_checks(settings: Settings, read_api_for: ReadApiFactory, caller_arn: str, account: str) -> list[Check]:
    """Return a look at each service's actions, in both regions."""
    checks = []
    for region in (settings.primary, settings.secondary):
        for service, actions in actions_by_service().items():
            arns = stack_arns(settings, service, region=region.region, account=account, caller_arn=caller_arn)
            look = partial(_look, read_api_for(GLOBAL_REGION), caller_arn, service, region.region, actions, arns)
            checks.append(Check(names=(f"permissions: {service}",), where=region.region, run=look))
    return checks


def stack_arns(settings: Settings, service: str, *, region: str, account: str, caller_arn: str) -> list[str]:
    """Return the ARNs on which a service's actions are tried: all, and this stack's own."""
    partition = caller_arn.split(":")[1]
    names = {
        "region": region,
        "account": account,
        "project": settings.project,
        "environment": settings.environment,
    }
    return ["*", *(f"arn:{partition}:{pattern.format(**names)}" for pattern in STACK_ARNS[service])]


def _look(
    ask: ReadOnlyApi, caller_arn: str, service: str, where: str, actions: Sequence[str], arns: Sequence[str]
) -> list[CheckResult]:
    name = f"permissions: {service}"
    if caller_arn.endswith(":root"):
        why = "IAM can't simulate the account's root"
        return [unknown(name, where, why=why, hint="Deploy with a role instead of root.")]
    results = ask.read_all(
        "iam",
        "simulate_principal_policy",
        "EvaluationResults",
        PolicySourceArn=principal(ask, caller_arn),
        ActionNames=list(actions),
        ResourceArns=list(arns),
    )
    return [check_permissions(service, where, actions, results)]


def principal(ask: ReadOnlyApi, caller_arn: str) -> str:
    """Return the ARN that IAM can simulate: of an assumed role the role's own, which has a path that STS leaves out.

    Source: SimulatePrincipalPolicy, IAM API reference: the ARN of a user, group or role.
    """
    assumed = _ASSUMED.fullmatch(caller_arn)
    if assumed is None:
        return caller_arn
    return str(ask.read("iam", "get_role", RoleName=assumed["role"])["Role"]["Arn"])


def check_permissions(service: str, where: str, actions: Sequence[str], results: Sequence[Answer]) -> CheckResult:
    """Return whether each action is allowed on all resources, or on at least one of this stack's own names."""
    decisions: dict[str, list[str]] = {}
    for result in results:
        specific = [str(each["EvalResourceDecision"]) for each in result.get("ResourceSpecificResults", [])]
        decisions.setdefault(result["EvalActionName"], []).extend([*specific, str(result["EvalDecision"])])
    denied = [action for action in actions if "allowed" not in decisions.get(action, [])]
    problems = [f"{action} ({_for(action)}; {_word(decisions, action)})" for action in denied]
    evidence = f"all {len(actions)} actions; {NOT_SEEN}"
    return check_result(f"permissions: {service}", where, problems=problems, evidence=evidence, hint=CURE)


def _for(action: str) -> str:
    return ", ".join(each.rpartition(":")[2] for each in types_needing(action))


def _word(decisions: Mapping[str, Sequence[str]], action: str) -> str:
    if action not in decisions:
        return "no decision"
    return "denied by a policy" if "explicitDeny" in decisions[action] else "not allowed by any policy"
