"""The shape of a policy rule.

A rule's name and description come from its function's name and docstring.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from policy.rules.stack_model import RegisteredResource, Stack, Violation

Check = Callable[[Stack], Iterator[Violation]]
Level = Literal["mandatory", "advisory"]


@dataclass(frozen=True, kw_only=True)
class PolicyRule:
    """One property that every stack must have."""

    name: str
    description: str
    """One sentence."""
    source: str
    """The page of AWS's documentation, or the decision of this project."""
    level: Level
    """Mandatory: AWS would refuse it, or data or a failover would be lost. Advisory: it works, but is not recommended."""
    check: Check

    def violations(self, stack: Stack) -> list[Violation]:
        """Return the violations of the rule in a stack."""
        return list(self.check(stack))


def rule(source: str, *, level: Level = "mandatory") -> Callable[[Check], PolicyRule]:
    """Make a rule of a function whose docstring's first line is the description."""

    def make(check: Check) -> PolicyRule:
        description = (inspect.getdoc(check) or "").partition("\n")[0]
        name = check.__name__.replace("_", "-")
        return PolicyRule(name=name, description=description, source=source, level=level, check=check)

    return make


def violation(resource: RegisteredResource | None, property: str, message: str) -> Violation:
    """Return a violation."""
    return Violation(resource=resource, property=property, message=message)
