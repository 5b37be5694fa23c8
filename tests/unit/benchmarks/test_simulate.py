"""A whole small run: reproducible, shown in three ways, and timed."""

import json
from pathlib import Path

from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.assumptions import ASSUMPTIONS
from benchmarks.figures import figures
from benchmarks.simulate import CHUNK_YEARS, DETECTORS, run
from benchmarks.timing import decide_microseconds


def test_the_result_depends_on_the_seed_and_not_on_the_workers() -> None:
    """Two processes find what one finds; another seed finds something else."""
    years = CHUNK_YEARS + 10
    one, two, other = (
        figures(run(region_years=years, seed=seed, workers=workers)) for seed, workers in ((1, 1), (1, 2), (2, 1))
    )
    assert (one == two, one == other) == (True, False)


def test_progress_adds_up() -> None:
    """Each chunk tells of its years."""
    notified: list[int] = []
    outcome = run(region_years=CHUNK_YEARS + 1, seed=1, workers=1, rates={}, advance=notified.append)
    assert (notified, outcome.years, outcome.episodes) == ([CHUNK_YEARS, 1], CHUNK_YEARS + 1, 0)


def test_a_decision_is_timed() -> None:
    """Some microseconds; the promise itself is checked by the benchmark, not on a busy test machine."""
    assert 0 < decide_microseconds() < 5000


def test_the_command_prints_json_draws_the_chart_and_writes_the_page(tmp_path: Path) -> None:
    """All from one run; the page shows every assumption and every detector."""
    chart, page = tmp_path / "chart.png", tmp_path / "page.md"
    options = ["--region-years", "20", "--workers", "1", "--json", "--chart", str(chart), "--page", str(page)]
    result = CliRunner().invoke(app, options)
    shown = json.loads(result.stdout)
    assert result.exit_code == (0 if all(target["is_met"] for target in shown["targets"]) else 1)
    assert [detector["name"] for detector in shown["figures"]] == [detector.name for detector in DETECTORS]
    assert chart.read_bytes()[:4] == b"\x89PNG"
    text = page.read_text()
    assert [assumption.does for assumption in ASSUMPTIONS if assumption.does not in text] == []


def test_the_tables_name_every_target() -> None:
    """The terminal shows what is promised, and whether it was kept."""
    result = CliRunner().invoke(app, ["--region-years", "5", "--workers", "1"])
    assert [
        line.split()[0] for line in result.stdout.splitlines() if line.startswith(("met ", "MISSED"))
    ].__len__() == 4
