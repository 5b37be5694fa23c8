"""`python -m tests.mutation`: change the decision table row by row and list the changes that the tests detect.

Exits with 0 if the behaviour tests detect every change except those that are proven equivalent.
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
class MutantResult:
    """Result for a mutant."""

    mutant: Mutant
    by_behaviour: str | None
    """First behaviour test that fails."""
    by_shape: str | None
    """First test of the table's shape that fails."""
    why_equivalent: str | None = None
    """Proven reason why the mutant decides every case alike."""
    refuted_by: str | None = None
    """A case that refutes the listed reason."""

    @property
    def verdict(self) -> str:
        """Caught, equivalent, or survived."""
        if self.by_behaviour is not None:
            return "caught"
        return "equivalent" if self.why_equivalent is not None and self.refuted_by is None else "SURVIVED"


def examine(mutant: Mutant, behaviour: Sequence[CollectedTest], shape: Sequence[CollectedTest]) -> MutantResult:
    """Run the tests on a mutant; if no behaviour test fails, prove that it is equivalent."""
    by_behaviour, by_shape = first_failing(behaviour, mutant.table), first_failing(shape, mutant.table)
    why = None if by_behaviour is not None else why_equivalent(mutant)
    if why is None:
        return MutantResult(mutant=mutant, by_behaviour=by_behaviour, by_shape=by_shape)
    counter_example = refuted(mutant)
    return MutantResult(
        mutant=mutant,
        by_behaviour=None,
        by_shape=by_shape,
        why_equivalent=f"{why} ({cases_of_proof(mutant)} combinations)",
        refuted_by=counter_example,
    )


def report(findings: Sequence[MutantResult], seconds: float) -> Iterable[str]:
    """Return a line for each mutant and a summary."""
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
        f"{count['SURVIVED']} survived; the shape tests alone detect {by_shape}; {seconds:.0f} s"
    )


def main() -> int:
    """Examine every mutant and print the results."""
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
