"""Checks side by side, with progress, and their findings as a table.

Owns the deadline that a check has, and how findings are shown. Does not own what is checked. Invariant: every promise of
every check has a finding at the end; one that hangs or meets an error is unknown and delays no other, and what AWS says
not to be there has failed.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from threading import BoundedSemaphore

from operations.checks.finding import Check, CheckResult, Verdict, check_result, counts, exit_code, summary, unknown
from operations.support.deadlines import call_concurrently
from operations.support.errors import ExitCode, NotThereError, OperationError
from operations.support.screen import Screen

CHECK_SECONDS = 20.0
"""How long checks may take that all look at once: time for a call that hangs to its own limit, and for heartbeats to arrive."""
HEADINGS = ("Check", "Where", "Verdict", "Evidence")
_ORDER = (Verdict.FAILED, Verdict.UNKNOWN, Verdict.PASSED)


def run_checks(
    checks: Sequence[Check],
    screen: Screen,
    doing: str,
    *,
    seconds: float = CHECK_SECONDS,
    at_once: int | None = None,
) -> list[CheckResult]:
    """Return the findings of all checks, in their order; what can't be looked at is unknown, with the reason.

    `seconds` is for all of them together; `at_once` bounds how many look at a time, None: all.
    """
    turns = BoundedSemaphore(at_once or max(1, len(checks)))
    with screen.progress(doing, len(checks)) as advance:
        ends = call_concurrently([partial(_looked, check, turns, advance) for check in checks], seconds)
    return list(chain.from_iterable(_taken(check, end) for check, end in zip(checks, ends, strict=True)))


def show_results(screen: Screen, title: str, findings: Sequence[CheckResult], more: Mapping[str, object]) -> ExitCode:
    """Show what was found, failures first, and return what it is worth."""
    code = exit_code(findings)
    values = {**more, "counts": counts(findings), "findings": [each.to_json() for each in findings]}
    worst_first = sorted(findings, key=lambda each: _ORDER.index(each.verdict))
    screen.table(title, HEADINGS, _rows(worst_first))
    screen.result({**values, "exit_code": int(code)}, [summary(findings)])
    return code


def _rows(findings: Sequence[CheckResult]) -> list[tuple[str, str, str, str]]:
    """Return the lines of the table; a hint that stands on the line above is not repeated."""
    above = ["", *(each.hint for each in findings)]
    return [each.row(with_hint=each.hint != hint) for each, hint in zip(findings, above, strict=False)]


def _looked(check: Check, turns: BoundedSemaphore, advance: Callable[[], None]) -> Sequence[CheckResult]:
    try:
        with turns:
            return check.run()
    finally:
        advance()


def _taken(check: Check, end: Sequence[CheckResult] | OperationError) -> Sequence[CheckResult]:
    if isinstance(end, NotThereError):
        return [
            check_result(each, check.where, problems=[end.message], evidence="", hint=end.hint) for each in check.names
        ]
    if isinstance(end, OperationError):
        return [unknown(promise, check.where, why=end.message, hint=end.hint) for promise in check.names]
    return end
