"""Collects the tests of the decision once and runs them in this process on changed tables.

The real table is restored after each run. Tests of the table's shape are separated from tests of its behaviour.
"""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from functions.failover_controller import decide
from functions.failover_controller.decide import DECISION_TABLE
from tests.mutation.mutants import Table

SOURCES = (
    "tests/unit/functions/failover_controller/test_decide.py",
    # Slow tests last: few mutants survive the others.
    "tests/unit/functions/failover_controller/test_decide_invariants.py",
)
SHAPE = frozenset(
    {
        "test_last_row_always_applies_and_does_not_act",
        "test_every_row_has_a_reason_and_texts",
        "test_only_three_verdicts_act_and_they_are_last",
    }
)
LEFT_OUT = frozenset({"test_decision_takes_less_than_50_microseconds"})
"""Measures time, and would detect a mutant by chance only."""


@dataclass(frozen=True, kw_only=True)
class CollectedTest:
    """One test with its parameters."""

    name: str
    call: Callable[[], Any]
    module: Any

    @property
    def is_of_shape(self) -> bool:
        """Return whether the test checks the table rather than decisions."""
        return self.name.split("[")[0] in SHAPE


class _Collector:
    """A pytest plugin that keeps the collected tests."""

    def __init__(self) -> None:
        self.tests: list[CollectedTest] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            assert isinstance(item, pytest.Function)
            parameters = item.callspec.params if hasattr(item, "callspec") else {}
            self.tests.append(
                CollectedTest(
                    name=item.name,
                    call=lambda item=item, parameters=parameters: item.obj(**parameters),
                    module=item.module,
                )
            )


def collect() -> list[CollectedTest]:
    """Return the tests of the decision.

    Raises:
        RuntimeError: a test was not collected or fails on the real table.
    """
    collector = _Collector()
    with contextlib.redirect_stdout(io.StringIO()) as output:
        status = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *SOURCES], plugins=[collector])
    tests = [test for test in collector.tests if test.name not in LEFT_OUT]
    missing = SHAPE - {test.name for test in tests}
    if status != 0 or missing:
        raise RuntimeError(f"not collected: {', '.join(sorted(missing)) or status}\n{output.getvalue()}")
    failing = first_failing(tests, DECISION_TABLE)
    if failing is not None:
        raise RuntimeError(f"fails on the real table: {failing}")
    return tests


def first_failing(tests: Sequence[CollectedTest], table: Table) -> str | None:
    """Return the name of the first test that fails on a table."""
    with _in_place(table, tests):
        for test in tests:
            try:
                test.call()
            except Exception:  # noqa: BLE001 - any error means that the test detects the mutant
                return test.name
    return None


@contextlib.contextmanager
def _in_place(table: Table, tests: Sequence[CollectedTest]) -> Iterator[None]:
    modules = [
        decide,
        *{id(test.module): test.module for test in tests if hasattr(test.module, "DECISION_TABLE")}.values(),
    ]
    try:
        for module in modules:
            module.DECISION_TABLE = table
        yield
    finally:
        for module in modules:
            module.DECISION_TABLE = DECISION_TABLE
