"""Every rule over every tested stack."""

import pytest

from policy.rules.rule import PolicyRule
from policy.rules.stack_model import Stack
from settings import Settings
from tests.support.policy.program_rules.catalogue import ALL_RULES, violations_by_rule
from tests.support.policy.variations import EXAMPLES, settable, values_of

pytestmark = pytest.mark.slow

REPORTED_BY_PREVIEW = {"global-databases-disable-backtrack"}
"""Rules that `rewind.method: backtrack` violates on purpose; the program warns about it."""


def test_every_rule_holds_for_every_stack(stacks: dict[str, Stack]) -> None:
    """Dev, prod and every value of every setting, deployed and previewed."""
    for name, stack in stacks.items():
        violated = {rule: [str(v) for v in violations] for rule, violations in violations_by_rule(stack).items()}
        allowed = REPORTED_BY_PREVIEW if _backtracks(stack) else set()
        assert {} == {rule: messages for rule, messages in violated.items() if rule not in allowed}, name


def test_every_setting_is_varied() -> None:
    """Every setting has a value to test, and every example belongs to a setting."""
    assert [] == [path for path, values in values_of(Settings) if not values]
    assert set() == set(EXAMPLES) - set(settable())


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.name)
def test_rule_has_description_and_source(rule: PolicyRule) -> None:
    """Every rule has a sentence and a source."""
    assert rule.description.endswith(".")
    assert len(rule.source) > 10


def test_rule_names_are_unique() -> None:
    """No two rules have the same name."""
    assert len(ALL_RULES) == len({rule.name for rule in ALL_RULES})


def _backtracks(stack: Stack) -> bool:
    return any(r.get("backtrackWindow") for r in stack.of_type("rds/cluster:Cluster"))
