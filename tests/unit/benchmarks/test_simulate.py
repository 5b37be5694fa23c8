"""A small run of the benchmark."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.assumptions import ASSUMPTIONS
from benchmarks.controller import POLICY, Controller
from benchmarks.histories import year_of_episodes
from benchmarks.simulate import CHUNK_YEARS, DETECTORS, run
from benchmarks.statistics import statistics
from benchmarks.timing import decide_microseconds

pytestmark = pytest.mark.slow


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


def test_threshold_is_irrelevant_without_silence() -> None:
    """A variant of the operating curve then has the default's result, which the benchmark reuses."""
    rng, compared = Random(7), 0
    variant = Controller(replace(POLICY, failure_threshold=3), "other")
    for _ in range(20):
        for episode in year_of_episodes(rng):
            if any(segment.paths.may_seem_silent for segment in episode.segments):
                continue
            results = [detector.detect(episode, Random(episode.start)) for detector in (Controller(), variant)]
            calls = [(result.called_at, result.reason) for result in results]
            assert calls[0] == calls[1]
            compared += 1
    assert compared > 300


def test_decide_is_timed() -> None:
    """The benchmark checks the target, not this test."""
    assert decide_microseconds() > 0


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
    ].__len__() == 6
