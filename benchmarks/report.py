"""Output of a benchmark run as tables, JSON or the documentation page."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.assumptions import ASSUMPTIONS
from benchmarks.counts import MISSED_AFTER_SECONDS
from benchmarks.outage_budget import PROMOTION_SECONDS, TRIALS, Budget, budget_tables
from benchmarks.simulated_regions import GRACE_SECONDS, Cause
from benchmarks.statistics import (
    KINDS,
    BenchmarkTarget,
    DetectorStatistics,
    OperatingPoint,
    fastest_careful_baseline,
    ratio,
    seconds_text,
)

REHEARSAL_SECTION = "The rehearsal beside busy processes"
ENGINES_SECTION = "The commands on both engines"
TEMPLATE = Path(__file__).with_name("page.md.in")


@dataclass(frozen=True, kw_only=True)
class BenchmarkRun:
    """One run: its options and results."""

    command: str
    day: date
    seed: int
    region_years: int
    workers: int
    seconds: float
    processor_seconds: float
    episodes: int
    isolations: int
    cycles: int
    """Controller cycles of the simulation."""
    decide_microseconds: float
    statistics: Sequence[DetectorStatistics]
    targets: Sequence[BenchmarkTarget]
    curve_years: int
    curve: Sequence[OperatingPoint]
    budgets: Sequence[Budget] = ()
    dns_by_promotion: Sequence[tuple[float, list[float]]] = ()


def as_json(run: BenchmarkRun) -> dict[str, object]:
    """Return the run and its key figures as JSON values."""
    careful = fastest_careful_baseline(run.statistics)
    return {
        **asdict(run),
        "day": run.day.isoformat(),
        "machine": machine(),
        "grace_seconds": GRACE_SECONDS,
        "missed_after_seconds": MISSED_AFTER_SECONDS,
        "fastest_careful_baseline": None if careful is None else careful.name,
        "ratio_of_p99": None if careful is None else ratio(run.statistics[0], careful),
    }


def machine() -> str:
    """Return the cores, processor model, system and Python version of the machine."""
    model = ""
    cpu = Path("/proc/cpuinfo")
    if cpu.is_file():
        lines = (line for line in cpu.read_text().splitlines() if line.startswith("model name"))
        model = next(lines, ":").split(":", 1)[1].strip()
    return (
        f"{os.cpu_count()} cores {model or platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    )


def show(run: BenchmarkRun, console: Console) -> None:
    """Print the tables, the summary and the targets."""
    for title, header, rows in tables(run):
        table = Table(title=title, title_justify="left", title_style="bold")
        for index, name in enumerate(header):
            table.add_column(name, justify="left" if index == 0 else "right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for line in summary(run):
        console.print(line, highlight=False)
    for target in run.targets:
        mark = "[green]met   [/]" if target.is_met else "[red]MISSED[/]"
        console.print(f"{mark} {target.text}: {target.measured}", highlight=False)


def tables(run: BenchmarkRun) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return the result tables: title, header, rows."""
    return [
        *(_times_table(run, kind) for kind in KINDS),
        _wrong_table(run),
        _curve_table(run),
        *budget_tables(run.budgets, run.dns_by_promotion),
    ]


def summary(run: BenchmarkRun) -> list[str]:
    """Return the summary: full isolations, fastest baseline, half-lost regions and size of the run."""
    controller = run.statistics[0]
    careful = fastest_careful_baseline(run.statistics)
    lines = [_isolation_line(run)]
    if careful is None or (share := ratio(controller, careful)) is None:
        lines.append("Every baseline makes more wrong failovers than the controller.")
    else:
        missed = careful.times["region loss"]
        lines.append(
            f"The fastest baseline with no more wrong failovers is `{careful.label}`. Its p99 is {1 / share:,.0f} times longer, "
            f"and it misses {missed.missed:,} of {missed.outages:,} region losses."
        )
    lines.append(_questions_line(run))
    lines.append(
        f"{run.region_years:,} region-years, {run.episodes:,} episodes, {run.cycles:,} controller cycles "
        f"in {run.seconds:.1f} s on {run.workers} workers ({run.processor_seconds:.0f} s of processor time); "
        f"one `decide` call takes {run.decide_microseconds:.1f} microseconds; seed {run.seed}."
    )
    return lines


def write_page(run: BenchmarkRun, path: Path, chart: str) -> None:
    """Write the documentation page to `path`; `chart` is the chart's file name."""
    *times, wrong, curve, budget, dns = (
        f"### {title}\n{_markdown(header, rows)}" for title, header, rows in tables(run)
    )
    assumed = [[str(item.cause), f"{item.per_year:g}", item.lasts, item.does, f"{item.source}"] for item in ASSUMPTIONS]
    kept = [[target.text, target.measured, "met" if target.is_met else "**missed**"] for target in run.targets]
    page = TEMPLATE.read_text().format(
        command=run.command,
        day=run.day.isoformat(),
        machine=machine(),
        chart=chart,
        summary="\n".join(summary(run)),
        targets=_markdown(["target", "measured", ""], kept),
        times="\n\n".join(times),
        wrong=wrong,
        curve=curve,
        budget=f"{budget}\n\n{dns}",
        promotion_from=f"{PROMOTION_SECONDS[0]:g}",
        promotion_to=f"{PROMOTION_SECONDS[1]:g}",
        trials=f"{TRIALS:,}",
        curve_years=f"{run.curve_years:,}",
        assumptions=_markdown(["fault", "per region-year", "duration", "effect", "source"], assumed),
        grace=f"{GRACE_SECONDS:g}",
        missed_after=f"{MISSED_AFTER_SECONDS / 60:g}",
    )
    # These sections are measured by other commands.
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    for title in (ENGINES_SECTION, REHEARSAL_SECTION):
        if kept_section := section(before, title):
            page = replace_section(page, title, kept_section)
    path.write_text(page, encoding="utf-8")


def section(page: str, title: str) -> str:
    """Return the text of a page's section of the second level; empty if the page has none."""
    _before, found, after = page.partition(f"\n## {title}\n")
    return after.partition("\n## ")[0].strip() if found else ""


def replace_section(page: str, title: str, text: str) -> str:
    """Return a page with the section's text replaced, or with the section at its end."""
    old = section(page, title)
    if old:
        return page.replace(old, text, 1)
    return f"{page.rstrip()}\n\n## {title}\n{text}\n"


def _times_table(run: BenchmarkRun, kind: str) -> tuple[str, list[str], list[list[str]]]:
    header = ["detector", "p50", "p99", "longest", "outages", "missed", "requested"]
    rows = [
        [
            detector.label,
            seconds_text(times.p50),
            seconds_text(times.p99),
            seconds_text(times.longest),
            f"{times.outages:,}",
            f"{times.missed:,}",
            f"{times.requested:,}",
        ]
        for detector in run.statistics
        for times in [detector.times[kind]]
    ]
    return f"From outage to call: {kind}", header, rows


def _curve_table(run: BenchmarkRun) -> tuple[str, list[str], list[list[str]]]:
    header = ["setting", "p50", "p99", "missed", "wrong per 1,000 region-years"]
    rows = [
        [
            f"controller, {point.label}{' (default)' if point.is_default else ''}"
            if point.is_controller
            else point.label,
            seconds_text(point.p50),
            seconds_text(point.p99),
            f"{point.missed:,}",
            f"{point.wrong:,.1f}",
        ]
        for point in run.curve
    ]
    return "Operating curve: region loss to call, and wrong failovers", header, rows


def _wrong_table(run: BenchmarkRun) -> tuple[str, list[str], list[list[str]]]:
    labels = {label for detector in run.statistics for label in detector.wrong}
    order = {str(cause): index for index, cause in enumerate(Cause)}
    single = sorted((label for label in labels if label in order), key=order.__getitem__)
    combined = sorted(label for label in run.statistics[0].wrong if label not in order)
    rows = [
        [label, *(f"{detector.wrong.get(label, 0):,.1f}" for detector in run.statistics)]
        for label in [*single, *combined]
    ]
    rest = labels - {*single, *combined}
    if rest:
        sums = (sum(rate for label, rate in detector.wrong.items() if label in rest) for detector in run.statistics)
        rows.append(["other simultaneous faults", *(f"{rate:,.1f}" for rate in sums)])
    rows.append(["all", *(f"{detector.total_wrong:,.1f}" for detector in run.statistics)])
    names = [detector.label for detector in run.statistics]
    return "Wrong failovers per 1,000 region-years", ["faults at the call", *names], rows


def _questions_line(run: BenchmarkRun) -> str:
    half_lost, unnecessary = run.statistics[0].times["half-lost region"], run.statistics[0].unnecessary_requests
    requested = (
        f"{half_lost.requested:,}"
        if half_lost.requested == half_lost.missed
        else f"{half_lost.missed:,}: {half_lost.requested:,} times"
    )
    by_cause = "; ".join(f"{rate:.1f} in {label}" for label, rate in unnecessary.items())
    verdict = (
        f"{sum(unnecessary.values()):.1f} requests per 1,000 region-years were unnecessary ({by_cause})."
        if unnecessary
        else "No request was unnecessary."
    )
    return (
        f"The controller failed over in {half_lost.outages - half_lost.missed:,} of {half_lost.outages:,} half-lost regions "
        f"and requested approval in the other {requested}. {verdict}"
    )


def _isolation_line(run: BenchmarkRun) -> str:
    wrong = sum(count for label, count in run.statistics[0].wrong_calls.items() if str(Cause.ISOLATION) in label)
    if not run.isolations:
        return "The histories contain no full isolation."
    return (
        f"The controller failed over in {wrong:,} of {run.isolations:,} full isolations ({wrong / run.isolations:.0%}). "
        f"Each additional isolation per region-year adds {1000 * wrong / run.isolations:,.0f} wrong failovers "
        "per 1,000 region-years."
    )


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:" if len(header) > 5 else "---" for _ in header[1:]]], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
