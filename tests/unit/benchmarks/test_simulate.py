"""A small run of the benchmark."""

import json
from pathlib import Path

from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.assumptions import ASSUMPTIONS
from benchmarks.simulate import CHUNK_YEARS, DETECTORS, run
from benchmarks.statistics import statistics
from benchmarks.timing import decide_microseconds


def test_result_depends_on_seed_only() -> None:
    """Two workers give the result of one; another seed gives another result."""
    years = CHUNK_YEARS + 10
    one, two, other = (
        statistics(run(region_years=years, seed=seed, workers=workers)) for seed, workers in ((1, 1), (1, 2), (2, 1))
    )
    assert (one == two, one == other) == (True, False)


def test_progress_adds_up() -> None:
    """Each chunk reports its years."""
    years_done: list[int] = []
    outcome = run(region_years=CHUNK_YEARS + 1, seed=1, workers=1, rates={}, advance=years_done.append)
    assert (years_done, outcome.years, outcome.episodes) == ([CHUNK_YEARS, 1], CHUNK_YEARS + 1, 0)


def test_decide_is_timed() -> None:
    """The benchmark checks the target, not this test."""
    assert 0 < decide_microseconds() < 5000


def test_command_writes_json_chart_and_page(tmp_path: Path) -> None:
    """The page has every assumption, and the JSON has every detector."""
    chart, page = tmp_path / "chart.png", tmp_path / "page.md"
    options = ["--region-years", "20", "--workers", "1", "--json", "--chart", str(chart), "--page", str(page)]
    result = CliRunner().invoke(app, options)
    shown = json.loads(result.stdout)
    assert result.exit_code == (0 if all(target["is_met"] for target in shown["targets"]) else 1)
    assert [detector["name"] for detector in shown["statistics"]] == [detector.name for detector in DETECTORS]
    assert chart.read_bytes()[:4] == b"\x89PNG"
    text = page.read_text()
    assert [assumption.does for assumption in ASSUMPTIONS if assumption.does not in text] == []


def test_tables_show_every_target() -> None:
    """Each target has its result."""
    result = CliRunner().invoke(app, ["--region-years", "5", "--workers", "1"])
    assert [
        line.split()[0] for line in result.stdout.splitlines() if line.startswith(("met ", "MISSED"))
    ].__len__() == 4
