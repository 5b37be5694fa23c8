"""What a rule is.

Owns: the shape of a rule and how one is written. Does not own: any rule. A rule's name is its function's, its words are
the first line of the function's docstring, so that a message and the code that gives it never differ.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from policy.rules.stack_model import Finding, Resource, Stack

Check = Callable[[Stack], Iterator[Finding]]
Level = Literal["mandatory", "advisory"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One thing that must hold for every stack."""

    name: str
    says: str
    """What must hold, in one sentence."""
    source: str
    """Who says so: a page of AWS's documentation, or the decision of ours that it keeps."""
    level: Level
    """Mandatory: AWS would refuse it, or data or a failover would be lost. Advisory: it would work, and shouldn't be so."""
    check: Check

    def findings(self, stack: Stack) -> list[Finding]:
        """Return what breaks the rule in a stack."""
        return list(self.check(stack))


def rule(source: str, *, level: Level = "mandatory") -> Callable[[Check], Rule]:
    """Make a rule of a function whose docstring's first line says what must hold."""

    def make(check: Check) -> Rule:
        says = (inspect.getdoc(check) or "").partition("\n")[0]
        return Rule(name=check.__name__.replace("_", "-"), says=says, source=source, level=level, check=check)

    return make


def broken(resource: Resource | None, property: str, problem: str) -> Finding:
    """Return a finding."""
    return Finding(resource=resource, property=property, problem=problem)
