"""Each rule is broken by something, and by that alone."""

import pytest

from policy.rules.catalogue import RULES, broken_rules
from policy.rules.rule import Rule
from policy.rules.stack_model import Stack
from tests.support.policy.breakers_around_it import BREAKERS as AROUND_IT
from tests.support.policy.breakers_of_the_database import BREAKERS as OF_THE_DATABASE

BREAKERS = {**OF_THE_DATABASE, **AROUND_IT}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_is_broken_by_its_breaker_and_by_nothing_more(rule: Rule, dev: Stack, prod: Stack) -> None:
    """A rule that nothing breaks proves nothing; one that something else breaks, too, says the wrong thing."""
    breaker = BREAKERS[rule.name]
    stack = breaker.change(prod if breaker.production else dev)
    assert {rule.name, *breaker.also} == set(broken_rules(stack))


def test_no_rule_is_without_a_breaker_and_no_breaker_without_a_rule() -> None:
    """A new rule fails here until something breaks it."""
    assert {rule.name for rule in RULES} == set(BREAKERS)
    assert set() == set(OF_THE_DATABASE) & set(AROUND_IT)


def test_a_finding_names_the_resource_and_the_input(dev: Stack) -> None:
    """Whoever reads it needs to search for nothing."""
    stack = BREAKERS["instances-are-memory-optimised"].change(dev)
    (finding,) = broken_rules(stack)["instances-are-memory-optimised"]
    assert (
        "aws:rds/clusterInstance:ClusterInstance primary-database-instance-1 instanceClass: "
        "db.t4g.large isn't a class for global databases"
    ) == str(finding)
