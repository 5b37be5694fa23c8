"""Every rule. A rule that is written in one of these modules is in force: there is no list to forget it in."""

from policy.rules import alarms, cost, database, dns, functions, identity, lifecycle, network
from policy.rules import availability as offered
from policy.rules import data_protection as keeping
from policy.rules import placement as placing
from policy.rules.rule import Rule
from policy.rules.stack_model import Finding, Stack

_MODULES = (placing, database, network, dns, alarms, functions, identity, keeping, lifecycle, cost, offered)

RULES: tuple[Rule, ...] = tuple(each for module in _MODULES for each in vars(module).values() if isinstance(each, Rule))


def broken_rules(stack: Stack) -> dict[str, list[Finding]]:
    """Return what breaks which rule in a stack: the rule's name -> its findings; empty when all hold."""
    return {rule.name: findings for rule in RULES if (findings := rule.findings(stack))}
