"""docs/reference/rules.md: every rule, what it says and who says so.

Owns: the page's words around the rules. Does not own: the rules (`policy/rules/`): those are quoted.
"""

from collections.abc import Iterator

from policy.rules.catalogue import RULES
from policy.rules.rule import Rule


def rules_page() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Rules"
    yield ""
    yield "This page is made from `policy/rules/` by `make docs`; a test checks that it is current."
    yield ""
    yield "Each rule is a predicate over everything that a stack registers."
    yield "The tests hold all of them against dev, prod and every value of every setting, and break each by a change of its own."
    yield "`pulumi preview --policy-pack policy` holds them against your stack before anything is changed."
    yield "A mandatory rule stops the preview: AWS would refuse it, or data or a failover would be lost."
    yield "An advisory one is only said."
    for module in dict.fromkeys(_module(rule) for rule in RULES):
        yield ""
        yield f"## {module.capitalize()}"
        yield ""
        yield "| rule | says | level | source |"
        yield "|---|---|---|---|"
        for rule in (each for each in RULES if _module(each) == module):
            cells = (f"`{rule.name}`", rule.says, rule.level, rule.source)
            yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _module(rule: Rule) -> str:
    return rule.check.__module__.rpartition(".")[2]
