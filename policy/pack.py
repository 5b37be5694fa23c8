"""Policies of the pack, one for each rule, over the stack that the engine reports.

The rules check the program's inputs. The engine gives stack policies the resources' state, which AWS changes in a failover
(a former writer has a user name), so a resource policy records the inputs first.
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
from policy.rules.rule import PolicyRule
from policy.rules.stack_model import UNKNOWN, RegisteredResource, Stack

_UNKNOWN_STRINGS = frozenset(
    value for name, value in vars(policy_proxy).items() if name.startswith("UNKNOWN_") and isinstance(value, str)
)
_LEVELS = {"mandatory": EnforcementLevel.MANDATORY, "advisory": EnforcementLevel.ADVISORY}


class ProgramInputs:
    """The inputs of the program's resources, and the stack built from them."""

    def __init__(self) -> None:
        self._inputs: dict[str, Mapping[str, Any]] = {}
        self._stack: Stack | None = None

    def record(self, args: ResourceValidationArgs, report: ReportViolation) -> None:
        """Record the inputs of a resource, as a policy without violations."""
        self._inputs[args.urn] = plain(args.props)
        self._stack = None

    def stack(self, resources: Sequence[PolicyResource]) -> Stack:
        """Return the stack for the rules; a resource without recorded inputs has its state.

        The engine passes the same stack to every policy, so the result is cached.
        """
        if self._stack is None or not {each.urn for each in resources} <= {r.urn for r in self._stack.resources}:
            self._stack = self._build_stack(resources)
        return self._stack

    def _build_stack(self, resources: Sequence[PolicyResource]) -> Stack:
        registered = [
            _registered_resource(each, self._inputs[each.urn] if each.urn in self._inputs else plain(each.props))
            for each in resources
        ]
        known = {r.urn for r in registered}
        # The engine may report a provider only on the resources that use it.
        providers = {each.provider.urn: each.provider for each in resources if each.provider is not None}
        for urn, provider in providers.items():
            if urn not in known:
                registered.append(
                    RegisteredResource(
                        urn=urn, type=provider.resource_type, name=provider.name, inputs=plain(provider.props)
                    )
                )
        return Stack(tuple(registered))


def policies() -> list[Policy]:
    """Return the policy that records inputs, and every rule as a policy."""
    program_inputs = ProgramInputs()
    first = ResourceValidationPolicy(
        name="record-program-inputs",
        description="Reports no violation; records each resource's inputs for the stack policies.",
        validate=program_inputs.record,
        enforcement_level=EnforcementLevel.ADVISORY,
    )
    return [first, *(_policy(rule, program_inputs) for rule in RULES)]


def plain(value: Any) -> Any:
    """Return a value without the policy API's proxies, with `UNKNOWN` for unknown values and ints for whole numbers."""
    if isinstance(value, str):
        return UNKNOWN if value in _UNKNOWN_STRINGS else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in _unproxied(value).items() if name != "__defaults"}
    if isinstance(value, Sequence):
        return [plain(item) for item in _unproxied(value)]
    return value


def _unproxied(value: Any) -> Any:
    """Return the target of a proxy, which raises on access to unknown values."""
    is_proxy = type(value).__module__ == policy_proxy.__name__
    return value["__target"] if is_proxy else value


def _policy(rule: PolicyRule, program_inputs: ProgramInputs) -> Policy:
    return StackValidationPolicy(
        name=rule.name,
        description=f"{rule.description} Source: {rule.source}.",
        validate=_validation(rule, program_inputs),
        enforcement_level=_LEVELS[rule.level],
    )


def _validation(
    rule: PolicyRule, program_inputs: ProgramInputs
) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        for violation in rule.violations(program_inputs.stack(args.resources)):
            message = f"{violation.property}: {violation.message}" if violation.property else violation.message
            report(message, violation.resource.urn if violation.resource else None)

    return validate


def _registered_resource(resource: PolicyResource, inputs: Mapping[str, Any]) -> RegisteredResource:
    provider = resource.provider
    region = plain(provider.props).get("region") if provider is not None else None
    return RegisteredResource(
        urn=resource.urn,
        type=resource.resource_type,
        name=resource.name,
        inputs=inputs,
        region=region if isinstance(region, str) else "",
        provider=provider.urn if provider is not None else "",
        protect=bool(resource.opts.protect),
        ignore_changes=tuple(resource.opts.ignore_changes),
        property_dependencies={
            name: frozenset(each.urn for each in sources) for name, sources in resource.property_dependencies.items()
        },
    )
