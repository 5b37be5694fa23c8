"""The result of a check: passed, failed or unknown, with evidence and a hint.

A check that could not be made is `unknown` with the reason, and never counts as passed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from operations.support.errors import ExitCode


class Verdict(StrEnum):
    """The verdict of a check."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The result of one check."""

    check: str
    """Name of the check, the same in both regions."""
    where: str
    """The region, `both`, or `global`."""
    verdict: Verdict
    evidence: str
    """Observed state, or the reason why it could not be read."""
    hint: str = ""
    """Next step for the operator; empty if the check passed."""

    def to_json(self) -> dict[str, object]:
        """Return the result as a flat object."""
        return {
            "check": self.check,
            "where": self.where,
            "verdict": str(self.verdict),
            "evidence": self.evidence,
            "hint": self.hint or None,
        }

    def row(self, *, with_hint: bool) -> tuple[str, str, str, str]:
        """Return the result as a row of a table."""
        evidence = f"{self.evidence}\nHint: {self.hint}" if self.hint and with_hint else self.evidence
        return self.check, self.where, str(self.verdict), evidence


@dataclass(frozen=True, kw_only=True)
class Check:
    """Calls to AWS that decide one or more named checks."""

    names: tuple[str, ...]
    """The names of the results: each becomes unknown if `run` fails."""
    where: str
    run: Callable[[], Sequence[CheckResult]]
    """Return the results. Raises OperationError if AWS cannot be read."""


def check_result(name: str, where: str, *, problems: Iterable[str], evidence: str, hint: str) -> CheckResult:
    """Return passed if there is no problem, else failed with all problems."""
    found = "; ".join(problems)
    if found:
        return CheckResult(check=name, where=where, verdict=Verdict.FAILED, evidence=found, hint=hint)
    return CheckResult(check=name, where=where, verdict=Verdict.PASSED, evidence=evidence)


def unknown(name: str, where: str, *, why: str, hint: str) -> CheckResult:
    """Return unknown with the reason."""
    return CheckResult(check=name, where=where, verdict=Verdict.UNKNOWN, evidence=why, hint=hint)


def counts(results: Sequence[CheckResult]) -> dict[str, int]:
    """Return the number of results by verdict."""
    return {str(verdict): sum(each.verdict is verdict for each in results) for verdict in Verdict}


def exit_code(results: Sequence[CheckResult]) -> ExitCode:
    """Return 6 if a check failed, 4 if all are unknown, else 0."""
    if any(each.verdict is Verdict.FAILED for each in results):
        return ExitCode.FAILED
    if all(each.verdict is Verdict.UNKNOWN for each in results):
        return ExitCode.AWS
    return ExitCode.DONE


def summary(results: Sequence[CheckResult]) -> str:
    """Return the counts as text, including zeros."""
    return ", ".join(f"{count} {verdict}" for verdict, count in counts(results).items())
