"""Every rule of the policy pack: all rules in the modules below."""

from collections.abc import Iterable

from policy.rules import (
    availability,
    data_protection,
    database,
    dns,
    functions,
    identity,
    keys_secrets_and_logs,
    network,
    placement,
)
from policy.rules.rule import PolicyRule
from policy.rules.stack_model import Stack, Violation

_MODULES = (
    placement,
    database,
    network,
    dns,
    functions,
    identity,
    keys_secrets_and_logs,
    data_protection,
    availability,
)

RULES: tuple[PolicyRule, ...] = tuple(
    each for module in _MODULES for each in vars(module).values() if isinstance(each, PolicyRule)
)


def violations_by_rule(stack: Stack, rules: Iterable[PolicyRule] = RULES) -> dict[str, list[Violation]]:
    """Return the violations in a stack by the rule's name; empty when all rules hold."""
    return {rule.name: violations for rule in rules if (violations := rule.violations(stack))}
