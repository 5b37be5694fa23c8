"""Every rule that no stack setting can break: a test checks them over the registered resources."""

from policy.rules.rule import PolicyRule
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
