"""Tests of the benchmark of rehearsals beside busy processes."""

import os
from typing import Any

import pytest

from benchmarks.rehearsal import _processor_seconds_of_tree, read_run, table_of
from benchmarks.report import replace_section, section

REPORT: dict[str, Any] = {
    "passed": True,
    "started_at": "1970-01-01T00:01:40+00:00",
    "time_scale": {"interval_seconds": 2.0},
    "drills": [
        {"name": "steady", "repeated": "", "zero_seconds": 10.0, "seconds": 20.0, "measurements": {}},
        {"name": "region-lost", "repeated": "a stall", "measurements": {"outage_to_call_cycles": 9.0}},
        {"name": "region-lost", "repeated": "", "measurements": {"outage_to_call_cycles": 3.21}},
    ],
}


def test_numbers_are_of_the_results_that_count() -> None:
    """The cores are those of the steady drill: from 110 to 130 s."""
    samples = [(100.0, 0.0), (110.0, 12.0), (120.0, 15.0), (130.0, 17.0), (140.0, 30.0)]
    run = read_run(REPORT, busy=1, seconds=75.0, samples=samples)
    assert (1, True, 2.0, 1, 75.0) == (run.busy, run.passed, run.interval_seconds, run.repeated, run.seconds)
    assert (30.0, 0.25, 3.21) == (run.processor_seconds, run.steady_cores, run.call_cycles)


def test_failed_run_without_drills_has_a_row() -> None:
    """A rehearsal whose deployment fails has no drill."""
    run = read_run({**REPORT, "passed": False, "drills": []}, busy=0, seconds=5.0, samples=[])
    assert "| 0 | **failed** | 2 s | 0 | 0.00 intervals | 5 | 0 | 0.00 |" == table_of([run]).splitlines()[-1]


def test_tree_includes_this_process() -> None:
    """Its processor time is above zero."""
    assert _processor_seconds_of_tree(os.getpid())[os.getpid()] > 0


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("# Page\n\n## Other\ntext\n", "# Page\n\n## Other\ntext\n\n## Busy\nnew\n"),
        ("# Page\n\n## Busy\nold\n\n## Other\ntext\n", "# Page\n\n## Busy\nnew\n\n## Other\ntext\n"),
    ],
)
def test_section_is_added_or_replaced(page: str, expected: str) -> None:
    """Other sections stay as they are."""
    replaced = replace_section(page, "Busy", "new")
    assert expected == replaced
    assert "new" == section(replaced, "Busy")
