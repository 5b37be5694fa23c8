"""`python -m tests.mutation`: change the decision table row by row, and say which changes the tests notice.

Owns: the run, its table and its exit status: 0 when the behaviour tests notice every change but those that are proven to
change nothing.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.mutation.behaviour import CollectedTest, collect, first_failing
from tests.mutation.equivalents import cases_of_proof, refuted, why_equivalent
from tests.mutation.mutants import Mutant, mutants


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What became of a mutant."""

    mutant: Mutant
    by_behaviour: str | None
    """The first test of behaviour that notices it."""
    by_shape: str | None
    """The first test of the table's shape that notices it."""
    why_equivalent: str | None = None
    """Why it decides everything alike; proven."""
    refuted_by: str | None = None
    """A case that shows the reason on the list to be wrong."""

    @property
    def verdict(self) -> str:
        """Caught, equivalent, or survived."""
        if self.by_behaviour is not None:
            return "caught"
        return "equivalent" if self.why_equivalent is not None and self.refuted_by is None else "SURVIVED"


def examine(mutant: Mutant, behaviour: Sequence[CollectedTest], shape: Sequence[CollectedTest]) -> Finding:
    """Run the tests on a mutant; for one that none of behaviour notices, prove the reason on the list."""
    noticed, by_shape = first_failing(behaviour, mutant.table), first_failing(shape, mutant.table)
    why = None if noticed is not None else why_equivalent(mutant)
    if why is None:
        return Finding(mutant=mutant, by_behaviour=noticed, by_shape=by_shape)
    counter_example = refuted(mutant)
    return Finding(
        mutant=mutant,
        by_behaviour=None,
        by_shape=by_shape,
        why_equivalent=f"{why} ({cases_of_proof(mutant)} combinations)",
        refuted_by=counter_example,
    )


def report(findings: Sequence[Finding], seconds: float) -> Iterable[str]:
    """Return the lines of the table and of the figure."""
    width = max(len(finding.mutant.name) for finding in findings)
    for finding in findings:
        shape = "shape too" if finding.by_shape else ""
        note = finding.by_behaviour or finding.refuted_by or finding.why_equivalent or "not on the list of equivalents"
        change = f"{finding.mutant.change:<21}"
        yield f"{finding.verdict:<10}  {change}  {finding.mutant.name:<{width}}  {shape:<9}  {note}"
    count = Counter(finding.verdict for finding in findings)
    by_shape = sum(1 for finding in findings if finding.by_shape)
    yield (
        f"{len(findings)} mutants: {count['caught']} caught by behaviour, {count['equivalent']} proven equivalent, "
        f"{count['SURVIVED']} survived; the tests of shape alone notice {by_shape}; {seconds:.0f} s"
    )


def main() -> int:
    """Examine every mutant and print what became of it."""
    started = time.perf_counter()
    tests = collect()
    behaviour = [test for test in tests if not test.is_of_shape]
    shape = [test for test in tests if test.is_of_shape]
    findings = [examine(mutant, behaviour, shape) for mutant in mutants()]
    for line in report(findings, time.perf_counter() - started):
        sys.stdout.write(line.rstrip() + "\n")
    return 1 if any(finding.verdict == "SURVIVED" for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
