"""All rules over all stacks."""

import time

import pytest

from policy.rules.catalogue import RULES, broken_rules
from policy.rules.rule import Rule
from policy.rules.stack_model import Stack
from settings import Settings
from tests.support.policy.variations import EXAMPLES, settable, values_of
from tests.unit.policy.rules.conftest import Tried

LIMIT_SECONDS = 30.0
SAID_BY_THE_PREVIEW = {"a-global-database-is-not-backtracked"}
"""What a stack may break that asks for it by `rewind.method: backtrack`: the program warns of it itself."""


def test_every_rule_holds_for_every_stack(tried: Tried) -> None:
    """Dev, prod, and every value of every setting, deployed and previewed: nothing that AWS would refuse."""
    for name, stack in tried.stacks.items():
        broken = {rule: [str(f) for f in findings] for rule, findings in broken_rules(stack).items()}
        asked_for = SAID_BY_THE_PREVIEW if _backtracks(stack) else set()
        assert {} == {rule: said for rule, said in broken.items() if rule not in asked_for}, name


def test_all_rules_over_all_stacks_take_less_than_thirty_seconds(
    tried: Tried, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the program's own runs; in processor time, for others use the machine too."""
    started = time.process_time()
    for stack in tried.stacks.values():
        broken_rules(stack)
    rules_seconds = time.process_time() - started
    with capsys.disabled():
        print(  # noqa: T201 - a benchmark prints
            f"\n{len(RULES)} rules over {len(tried.stacks)} stacks: {rules_seconds:.2f} s of processor time, "
            f"and {tried.cpu_seconds:.2f} s to make the stacks"
        )
    assert rules_seconds + tried.cpu_seconds < LIMIT_SECONDS


def test_every_setting_is_varied() -> None:
    """A setting that nobody varies is one whose rules nobody has tried."""
    assert [] == [path for path, values in values_of(Settings) if not values]
    assert set() == set(EXAMPLES) - set(settable())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_says_what_must_hold_and_who_says_so(rule: Rule) -> None:
    """A message without a source can't be argued with."""
    assert rule.says.endswith(".")
    assert len(rule.source) > 10


def test_no_two_rules_have_one_name() -> None:
    """The name is what a policy pack and a person refer to."""
    assert len(RULES) == len({rule.name for rule in RULES})


def _backtracks(stack: Stack) -> bool:
    return any(r.get("backtrackWindow") for r in stack.of("rds/cluster:Cluster"))
