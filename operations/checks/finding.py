"""What a look at one promise brought: passed, failed or unknown, with the evidence and the hint.

Owns the words of a finding, their order and what they are worth together. Does no I/O. Invariant: what could not be
looked at is `unknown`, with the reason, and never counts as passed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from operations.support.errors import ExitCode


class Verdict(StrEnum):
    """What a check found."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The end of one check."""

    check: str
    """The promise in a word or two, the same in both regions."""
    where: str
    """The region, or `both` for what the regions have together."""
    verdict: Verdict
    evidence: str
    """What was seen, or why nothing was."""
    hint: str = ""
    """What to do about it; empty when it passed."""

    def to_json(self) -> dict[str, object]:
        """Return the finding as a flat object."""
        return {
            "check": self.check,
            "where": self.where,
            "verdict": str(self.verdict),
            "evidence": self.evidence,
            "hint": self.hint or None,
        }

    def row(self, *, with_hint: bool) -> tuple[str, str, str, str]:
        """Return the finding as a line of a table."""
        evidence = f"{self.evidence}\nCure: {self.hint}" if self.hint and with_hint else self.evidence
        return self.check, self.where, str(self.verdict), evidence


@dataclass(frozen=True, kw_only=True)
class Check:
    """One look at AWS, and the promises that it decides."""

    names: tuple[str, ...]
    """The names of its findings: each becomes unknown when the look fails."""
    where: str
    run: Callable[[], Sequence[CheckResult]]
    """Ask and judge. Raises OperationError when it can't be looked."""


def check_result(name: str, where: str, *, problems: Iterable[str], evidence: str, hint: str) -> CheckResult:
    """Return passed when there is no problem, else failed with all of them."""
    found = "; ".join(problems)
    if found:
        return CheckResult(check=name, where=where, verdict=Verdict.FAILED, evidence=found, hint=hint)
    return CheckResult(check=name, where=where, verdict=Verdict.PASSED, evidence=evidence)


def unknown(name: str, where: str, *, why: str, hint: str) -> CheckResult:
    """Return that nothing can be said, and why."""
    return CheckResult(check=name, where=where, verdict=Verdict.UNKNOWN, evidence=why, hint=hint)


def counts(findings: Sequence[CheckResult]) -> dict[str, int]:
    """Return how many findings there are of each verdict."""
    return {str(verdict): sum(each.verdict is verdict for each in findings) for verdict in Verdict}


def exit_code(findings: Sequence[CheckResult]) -> ExitCode:
    """Return 6 when anything failed, 4 when nothing at all could be looked at, else 0."""
    if any(each.verdict is Verdict.FAILED for each in findings):
        return ExitCode.FAILED
    if all(each.verdict is Verdict.UNKNOWN for each in findings):
        return ExitCode.AWS
    return ExitCode.DONE


def summary(findings: Sequence[CheckResult]) -> str:
    """Return the counts in words; the unknown ones are never left out."""
    return ", ".join(f"{count} {verdict}" for verdict, count in counts(findings).items())
