"""Concurrent checks with a deadline and a progress bar, and their results as a table."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from threading import BoundedSemaphore

from operations.checks.finding import Check, CheckResult, Verdict, check_result, counts, exit_code, summary, unknown
from operations.support.deadlines import call_concurrently
from operations.support.errors import ExitCode, NotThereError, OperationError
from operations.support.screen import Screen

CHECK_SECONDS = 20.0
"""The deadline of concurrent checks: longer than a hanging call's timeout, and than a heartbeat takes to arrive."""
HEADINGS = ("Check", "Where", "Verdict", "Evidence")
_ORDER = (Verdict.FAILED, Verdict.UNKNOWN, Verdict.PASSED)


def run_checks(
    checks: Sequence[Check],
    screen: Screen,
    text: str,
    *,
    seconds: float = CHECK_SECONDS,
    at_once: int | None = None,
) -> list[CheckResult]:
    """Return the results of all checks in order; a check that raises an error or misses the deadline is unknown.

    `seconds` limits all checks together, `at_once` how many of them run concurrently.
    """
    slots = BoundedSemaphore(at_once or max(1, len(checks)))
    with screen.progress(text, len(checks)) as advance:
        outcomes = call_concurrently([partial(_run, check, slots, advance) for check in checks], seconds)
    return list(chain.from_iterable(_results(check, outcome) for check, outcome in zip(checks, outcomes, strict=True)))


def show_results(
    screen: Screen,
    title: str,
    results: Sequence[CheckResult],
    more: Mapping[str, object],
    *,
    decisive: Sequence[CheckResult] | None = None,
    appendix: tuple[str, Sequence[str]] | None = None,
) -> ExitCode:
    """Print the results, failures first, and return the exit code, which follows the `decisive` results; default: all.

    `appendix`: a heading and lines to copy, printed before the summary.
    """
    code = exit_code(results if decisive is None else decisive)
    values = {**more, "counts": counts(results), "findings": [each.to_json() for each in results]}
    worst_first = sorted(results, key=lambda each: _ORDER.index(each.verdict))
    screen.table(title, HEADINGS, _rows(worst_first))
    if appendix is not None:
        heading, lines = appendix
        screen.table(heading, ("Line",), ([line] for line in lines))
    screen.result({**values, "exit_code": int(code)}, [summary(results)])
    return code


def _rows(results: Sequence[CheckResult]) -> list[tuple[str, str, str, str]]:
    """Return the rows of the table; the hint of the row above is not repeated."""
    above = ["", *(each.hint for each in results)]
    return [each.row(with_hint=each.hint != hint) for each, hint in zip(results, above, strict=False)]


def _run(check: Check, slots: BoundedSemaphore, advance: Callable[[], None]) -> Sequence[CheckResult]:
    try:
        with slots:
            return check.run()
    finally:
        advance()


def _results(check: Check, outcome: Sequence[CheckResult] | OperationError) -> Sequence[CheckResult]:
    if isinstance(outcome, NotThereError):
        return [
            check_result(each, check.where, problems=[outcome.message], evidence="", hint=outcome.hint)
            for each in check.names
        ]
    if isinstance(outcome, OperationError):
        return [unknown(name, check.where, why=outcome.message, hint=outcome.hint) for name in check.names]
    return outcome
