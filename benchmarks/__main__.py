"""The benchmark's command line: `python -m benchmarks`.

Exit codes: 0 every target was met; 1 one was not; 2 usage.
"""

from rehearsal.support.interrupts import end_on_interrupt, keep_interrupts

if __name__ == "__main__":
    end_on_interrupt()

import json
import os
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.outage_budget import budget_target, budgets, dns_by_promotion
from benchmarks.report import BenchmarkRun, as_json, show, write_page
from benchmarks.simulate import SimulationResult, run
from benchmarks.statistics import operating_curve, statistics, targets
from benchmarks.timing import decide_microseconds

app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})


@app.command(epilog="Exit codes: 0 every target was met; 1 one was not; 2 usage.")
def benchmark(
    region_years: Annotated[int, typer.Option(min=1, help="Number of region-years.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Random seed; the result does not depend on the workers.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Number of processes; default: one per core.")] = os.cpu_count()
    or 1,
    chart: Annotated[Path | None, typer.Option(help="Path of the chart (PNG).")] = None,
    page: Annotated[Path | None, typer.Option(help="Path of the documentation page (Markdown).")] = None,
    as_json_text: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Simulate years of faults and compare the failover controller with common baselines on the same histories."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # tables in a log or file need no folding
    microseconds = decide_microseconds()
    started, processor_before = time.monotonic(), _processor_seconds()
    outcome = _simulated(region_years, seed, workers, Console(stderr=True))
    took = (time.monotonic() - started, _processor_seconds() - processor_before)
    result = _run(outcome, seed=seed, workers=workers, took=took, microseconds=microseconds)
    if chart is not None:
        from benchmarks.chart import draw  # matplotlib takes a second to import

        draw(
            result.statistics,
            result.curve,
            chart,
            f"{region_years:,} simulated region-years, the same for all (seed {seed})",
        )
    if page is not None:
        write_page(result, page, chart.name if chart is not None else "benchmark.png")
    if as_json_text:
        typer.echo(json.dumps(as_json(result), indent=2))
    else:
        show(result, console)
    raise typer.Exit(0 if all(target.is_met for target in result.targets) else 1)


def _simulated(region_years: int, seed: int, workers: int, console: Console) -> SimulationResult:
    columns = (TextColumn("region-years"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=region_years)
        return run(
            region_years=region_years,
            seed=seed,
            workers=workers,
            advance=lambda years: progress.advance(task, years),
        )


def _processor_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _run(
    outcome: SimulationResult, *, seed: int, workers: int, took: tuple[float, float], microseconds: float
) -> BenchmarkRun:
    all_statistics, found = statistics(outcome), budgets(outcome, seed)
    return BenchmarkRun(
        command=shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]]),
        day=datetime.now(UTC).date(),
        seed=seed,
        region_years=outcome.years,
        workers=workers,
        seconds=took[0],
        processor_seconds=took[1],
        episodes=outcome.episodes,
        isolations=outcome.isolations,
        cycles=outcome.counts_by_detector[all_statistics[0].name].cycles,
        decide_microseconds=microseconds,
        statistics=all_statistics,
        targets=[*targets(all_statistics[0], microseconds), budget_target(found)],
        budgets=found,
        dns_by_promotion=dns_by_promotion(outcome, seed),
        curve_years=outcome.curve_years,
        curve=operating_curve(outcome, all_statistics),
    )


if __name__ == "__main__":
    keep_interrupts()
    app()
