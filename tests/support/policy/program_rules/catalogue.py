"""Every rule that no stack setting can break: a test checks them over the registered resources."""

from collections.abc import Iterable

from policy.rules.catalogue import RULES
from policy.rules.rule import PolicyRule
from policy.rules.stack_model import Stack, Violation
from tests.support.policy.program_rules import (
    alarms,
    cost,
    data_protection,
    database,
    dns,
    functions,
    identity,
    lifecycle,
    network,
    placement,
)

_MODULES = (placement, database, network, dns, alarms, functions, identity, data_protection, lifecycle, cost)

PROGRAM_RULES: tuple[PolicyRule, ...] = tuple(
    each for module in _MODULES for each in vars(module).values() if isinstance(each, PolicyRule)
)
ALL_RULES = (*RULES, *PROGRAM_RULES)


def violations_by_rule(stack: Stack, rules: Iterable[PolicyRule] = ALL_RULES) -> dict[str, list[Violation]]:
    """Return the violations in a stack by the rule's name; empty when all rules hold."""
    return {rule.name: violations for rule in rules if (violations := rule.violations(stack))}
