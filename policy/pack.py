"""The pack's policies, one a rule, and a stack as the engine shows it.

Owns: the way from Pulumi's policy API to the rules. Does not own: any rule (`policy/rules/`).
Invariant: the rules judge what the program asks for. The engine shows a stack's policies what each resource has become,
which after a failover is AWS's doing (a secondary that was a writer has a user name then); so the inputs are remembered
from the check that comes before, of each resource by itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy import proxy as policy_proxy

from policy.rules.catalogue import RULES
from policy.rules.rule import Rule
from policy.rules.stack_model import UNKNOWN, Finding, Resource, Stack

_UNKNOWN_TEXTS = frozenset(
    value for name, value in vars(policy_proxy).items() if name.startswith("UNKNOWN_") and isinstance(value, str)
)
_LEVELS = {"mandatory": EnforcementLevel.MANDATORY, "advisory": EnforcementLevel.ADVISORY}


class Asked:
    """What the program asks for, resource by resource, and the stack that comes of it."""

    def __init__(self) -> None:
        self._inputs: dict[str, Mapping[str, Any]] = {}
        self._stack: Stack | None = None

    def remember(self, args: ResourceValidationArgs, report: ReportViolation) -> None:
        """Keep the inputs of a resource; as a policy it finds nothing."""
        self._inputs[args.urn] = plain(args.props)
        self._stack = None

    def stack(self, resources: Sequence[PolicyResource]) -> Stack:
        """Return the stack as the rules see it; a resource that was never asked for is seen as it has become.

        The engine shows the same stack to one policy after the other: it is looked at once.
        """
        if self._stack is None or not {each.urn for each in resources} <= {r.urn for r in self._stack.resources}:
            self._stack = self._seen(resources)
        return self._stack

    def _seen(self, resources: Sequence[PolicyResource]) -> Stack:
        found = [
            _resource(each, self._inputs[each.urn] if each.urn in self._inputs else plain(each.props))
            for each in resources
        ]
        known = {r.urn for r in found}
        # The engine may name a provider only at the resources that use it.
        providers = {each.provider.urn: each.provider for each in resources if each.provider is not None}
        for urn, provider in providers.items():
            if urn not in known:
                found.append(
                    Resource(urn=urn, type=provider.resource_type, name=provider.name, inputs=plain(provider.props))
                )
        return Stack(tuple(found))


def policies() -> list[Policy]:
    """Return every rule as a policy, and first the one that remembers what was asked for."""
    asked = Asked()
    first = ResourceValidationPolicy(
        name="remember-what-was-asked-for",
        description="Finds nothing: it keeps each resource's inputs for the policies on the whole stack.",
        validate=asked.remember,
        enforcement_level=EnforcementLevel.ADVISORY,
    )
    return [first, *(_policy(rule, asked) for rule in RULES)]


def plain(value: Any) -> Any:
    """Return a value of the policy API without its proxies, what isn't known as `UNKNOWN`, whole numbers as ints."""
    if isinstance(value, str):
        return UNKNOWN if value in _UNKNOWN_TEXTS else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in _unproxied(value).items() if name != "__defaults"}
    if isinstance(value, Sequence):
        return [plain(item) for item in _unproxied(value)]
    return value


def _unproxied(value: Any) -> Any:
    """Return what a proxy stands for: it raises when somebody looks at what isn't known."""
    is_proxy = type(value).__module__ == policy_proxy.__name__
    return value["__target"] if is_proxy else value


def _policy(rule: Rule, asked: Asked) -> Policy:
    return StackValidationPolicy(
        name=rule.name,
        description=f"{rule.says} Source: {rule.source}.",
        validate=_validation(rule, asked),
        enforcement_level=_LEVELS[rule.level],
    )


def _validation(rule: Rule, asked: Asked) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for finding in rule.findings(asked.stack(args.resources)):
            report(_message(finding), finding.resource.urn if finding.resource else None)

    return validate


def _message(finding: Finding) -> str:
    return f"{finding.property}: {finding.problem}" if finding.property else finding.problem


def _resource(resource: PolicyResource, inputs: Mapping[str, Any]) -> Resource:
    provider = resource.provider
    region = plain(provider.props).get("region") if provider is not None else None
    return Resource(
        urn=resource.urn,
        type=resource.resource_type,
        name=resource.name,
        inputs=inputs,
        region=region if isinstance(region, str) else "",
        provider=provider.urn if provider is not None else "",
        parent=resource.parent.urn if resource.parent is not None else "",
        protect=bool(resource.opts.protect),
        ignore_changes=tuple(resource.opts.ignore_changes),
        dependencies=frozenset(each.urn for each in resource.dependencies),
        property_dependencies={
            name: frozenset(each.urn for each in sources) for name, sources in resource.property_dependencies.items()
        },
    )
