"""The rehearsal beside busy processes: `python -m benchmarks.rehearsal` (part of `make benchmark`).

It runs the command of `make rehearse` with 0, 1 and 2 busy processes beside it, three times each, and prints a table; `--page`
also writes the table into the benchmark's page. Processor time is read from /proc, so it needs Linux.
Exit codes: 0 every run passed; 1 one failed; 2 usage.
"""

from rehearsal.support.interrupts import end_on_interrupt, keep_interrupts

if __name__ == "__main__":
    end_on_interrupt()

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.report import REHEARSAL_SECTION, machine, replace_section

ROOT = Path(__file__).resolve().parents[1]
BUSY = "while True: pass"
SAMPLE_SECONDS = 0.5
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})


@dataclass(frozen=True, kw_only=True)
class RehearsalRun:
    """One rehearsal: its result, and the time it took.

    `seconds` is the whole command, `processor_seconds` that of all its processes. `steady_cores` is the average number of cores
    that they used in the steady drill, and `call_cycles` the intervals from the outage to the call in the drill region-lost.
    """

    busy: int
    passed: bool
    interval_seconds: float
    repeated: int
    seconds: float
    processor_seconds: float
    steady_cores: float
    call_cycles: float


@app.command(epilog="Exit codes: 0 every run passed; 1 one failed; 2 usage.")
def main(
    runs: Annotated[int, typer.Option(min=1, help="Rehearsals for each number of busy processes.")] = 3,
    busy: Annotated[list[int] | None, typer.Option(min=0, help="Number of busy processes; may be repeated.")] = None,
    page: Annotated[Path | None, typer.Option(help="Page whose section is replaced by the table (Markdown).")] = None,
) -> None:
    """Run the rehearsal beside busy processes and compare the runs."""
    measured: list[RehearsalRun] = []
    for count in busy or (0, 1, 2):
        for number in range(1, runs + 1):
            typer.echo(f"{count} busy processes, run {number} of {runs} ...", err=True)
            measured.append(rehearse_beside(count))
    table = table_of(measured)
    typer.echo(table)
    if page is not None:
        text = (
            f"Machine: {machine()}, on {datetime.now(UTC).date()}. Command: `python -m benchmarks.rehearsal`. Installation excluded. "
            f"A busy process counts in an endless loop.\n\n{table}"
        )
        page.write_text(replace_section(page.read_text(encoding="utf-8"), REHEARSAL_SECTION, text), encoding="utf-8")
    raise typer.Exit(0 if all(run.passed for run in measured) else 1)


def rehearse_beside(busy: int) -> RehearsalRun:
    """Run one rehearsal beside busy processes. Raises RuntimeError if it writes no report."""
    with _busy_processes(busy), tempfile.TemporaryDirectory() as directory:
        started = time.time()
        process = subprocess.Popen(
            [sys.executable, "-m", "rehearsal", "--report", directory],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        samples: list[tuple[float, float]] = []
        used: dict[int, float] = {}
        while process.poll() is None:
            used.update(_processor_seconds_of_tree(process.pid))
            samples.append((time.time(), sum(used.values())))
            time.sleep(SAMPLE_SECONDS)
        ended = time.time()
        report = Path(directory) / "report.json"
        if not report.exists():
            raise RuntimeError(f"the rehearsal wrote no report (exit code {process.returncode}). Run it by hand")
        return read_run(
            json.loads(report.read_text(encoding="utf-8")), busy=busy, seconds=ended - started, samples=samples
        )


def read_run(
    report: dict[str, Any], *, busy: int, seconds: float, samples: Sequence[tuple[float, float]]
) -> RehearsalRun:
    """Return a run's numbers from its report and samples of (seconds since the epoch, processor seconds so far)."""
    drills = {drill["name"]: drill for drill in report["drills"] if not drill["repeated"]}
    start = datetime.fromisoformat(report["started_at"]).timestamp()
    steady = drills.get("steady", {"zero_seconds": 0.0, "seconds": 0.0})
    begin, end = start + steady["zero_seconds"], start + steady["zero_seconds"] + steady["seconds"]
    within = [sample for sample in samples if begin <= sample[0] <= end]
    cores = 0.0
    if len(within) > 1:
        (first_at, first), (last_at, last) = within[0], within[-1]
        cores = (last - first) / (last_at - first_at)
    return RehearsalRun(
        busy=busy,
        passed=report["passed"],
        interval_seconds=report["time_scale"]["interval_seconds"],
        repeated=sum(bool(drill["repeated"]) for drill in report["drills"]),
        seconds=seconds,
        processor_seconds=max((total for _at, total in samples), default=0.0),
        steady_cores=cores,
        call_cycles=drills.get("region-lost", {"measurements": {}})["measurements"].get("outage_to_call_cycles", 0.0),
    )


def table_of(runs: Sequence[RehearsalRun]) -> str:
    """Return the runs as a Markdown table."""
    lines = [
        "| busy processes | result | interval | drills repeated | outage to call | seconds | processor seconds | cores in steady state |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {run.busy} | {'passed' if run.passed else '**failed**'} | {run.interval_seconds:g} s | {run.repeated} "
        f"| {run.call_cycles:.2f} intervals | {run.seconds:.0f} | {run.processor_seconds:.0f} | {run.steady_cores:.2f} |"
        for run in runs
    ]
    return "\n".join(lines)


@contextmanager
def _busy_processes(count: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _processor_seconds_of_tree(root: int) -> dict[int, float]:
    """Return the processor seconds of a process and its descendants, by process id."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue  # the process has ended
        parents[int(entry.name)] = int(fields[1])
        seconds[int(entry.name)] = (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
    tree = {root}
    while grown := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= grown
    return {pid: seconds[pid] for pid in tree if pid in seconds}


if __name__ == "__main__":
    keep_interrupts()
    app()
