"""Every rule is violated by its own change of a stack, and by no other rule's change."""

import pytest

from policy.rules.rule import PolicyRule
from policy.rules.stack_model import Stack
from tests.support.policy.breakers_around_the_database import BREAKERS as AROUND_THE_DATABASE
from tests.support.policy.breakers_of_the_database import BREAKERS as OF_THE_DATABASE
from tests.support.policy.program_rules.catalogue import ALL_RULES, violations_by_rule

pytestmark = pytest.mark.slow

BREAKERS = {**OF_THE_DATABASE, **AROUND_THE_DATABASE}


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.name)
def test_breaker_violates_only_its_rule(rule: PolicyRule, dev: Stack, prod: Stack) -> None:
    """A breaker violates its rule and the rules that it lists, and no other rule."""
    breaker = BREAKERS[rule.name]
    stack = breaker.change(prod if breaker.production else dev)
    assert {rule.name, *breaker.also} == set(violations_by_rule(stack))


def test_every_rule_has_a_breaker() -> None:
    """Every rule has exactly one breaker, and every breaker has a rule."""
    assert {rule.name for rule in ALL_RULES} == set(BREAKERS)
    assert set() == set(OF_THE_DATABASE) & set(AROUND_THE_DATABASE)


def test_violation_names_resource_and_input(dev: Stack) -> None:
    """The text of a violation starts with the resource and the input."""
    stack = BREAKERS["instance-classes-are-memory-optimized"].change(dev)
    (violation,) = violations_by_rule(stack)["instance-classes-are-memory-optimized"]
    assert (
        "aws:rds/clusterInstance:ClusterInstance primary-database-instance-1 instanceClass: "
        "db.t4g.large does not support global databases. Use a class such as db.r6g.large."
    ) == str(violation)
