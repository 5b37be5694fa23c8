"""docs/reference/rules.md: every rule with its description, level and source."""

from collections.abc import Iterator

from policy.rules.catalogue import RULES
from policy.rules.rule import PolicyRule


def rules_page() -> str:
    """Return the Markdown of the generated page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Rules"
    yield ""
    yield "Generated from `policy/rules/` by `python -m docgen` (`make docs`); do not edit."
    yield ""
    yield "Each rule checks the resources that a stack registers."
    yield "The tests check every rule for dev, prod and every setting, and violate each rule with a change of its own."
    yield "`pulumi preview --policy-pack policy` checks your stack before any change."
    yield "A violated mandatory rule stops the preview: AWS would refuse the change, or data or a failover would be lost."
    yield "A violated advisory rule is a warning."
    yield "The rules that only a change of the program can violate are tests (`tests/support/policy/program_rules/`)."
    for module in dict.fromkeys(_module(rule) for rule in RULES):
        yield ""
        yield f"## {module.replace('_', ' ').capitalize()}"
        yield ""
        yield "| rule | description | level | source |"
        yield "|---|---|---|---|"
        for rule in (each for each in RULES if _module(each) == module):
            cells = (f"`{rule.name}`", rule.description, rule.level, rule.source)
            yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _module(rule: PolicyRule) -> str:
    return rule.check.__module__.rpartition(".")[2]
