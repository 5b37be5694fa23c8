"""Every rule. A rule that is written in one of these modules is in force: there is no list to forget it in."""

from rules import alarms, cost, database, dns, functions, identity, keeping, lifecycle, network, offered, placing
from rules.resource import Finding, Stack
from rules.rule import Rule

_MODULES = (placing, database, network, dns, alarms, functions, identity, keeping, lifecycle, cost, offered)

RULES: tuple[Rule, ...] = tuple(each for module in _MODULES for each in vars(module).values() if isinstance(each, Rule))


def broken_rules(stack: Stack) -> dict[str, list[Finding]]:
    """Return what breaks which rule in a stack: the rule's name -> its findings; empty when all hold."""
    return {rule.name: findings for rule in RULES if (findings := rule.findings(stack))}
