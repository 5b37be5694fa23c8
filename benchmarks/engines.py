"""The commands of a stack's life on both engines, against the embedded AWS: `python -m benchmarks.engines`.

One engine is the rehearsal's own, in Python (`python -m rehearsal.sandbox up`), the other is Pulumi's (`pulumi up`). Each command
is measured as its user waits for it, with the start of its process. Needs a Pulumi CLI: `make pulumi`.
Exit codes: 0 done; 1 a command failed; 2 usage.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.report import ENGINES_SECTION, machine, replace_section
from tests.support.pulumi_cli import PulumiShell, open_cli_terminal
from tests.support.sandbox_terminal import Terminal
from tools import fetch_pulumi

STACKS = ("dev", "prod")
PYTHON, PULUMI = "in Python", "Pulumi"
INTERVAL_SECONDS = "3"
"""Between the controllers' cycles, which run beside the commands once the stack is up."""
STEPS = {
    "preview": "preview of an empty account",
    "up": "up",
    "unchanged": "preview without changes, after a refresh",
    "unread": "the same without the refresh",
    "destroy": "destroy",
}
"""The title of each step."""
app = typer.Typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
Times = dict[tuple[str, str, str], list[float]]
"""Seconds of each run, by stack, engine and step."""


def steps_in_python(terminal: Terminal, stack: str) -> dict[str, Callable[[], object]]:
    """Return the steps on the engine in Python; it cannot destroy a protected stack without a change of its settings."""
    settings = ("--stack", stack)
    steps: dict[str, Callable[[], object]] = {
        "preview": lambda: terminal.sandbox("preview", *settings),
        "up": lambda: terminal.sandbox("up", *settings),
        "unchanged": lambda: terminal.sandbox("preview", "--refresh", *settings),
        "unread": lambda: terminal.sandbox("preview", *settings),
    }
    return steps if stack == "prod" else {**steps, "destroy": lambda: terminal.sandbox("destroy")}


def steps_of_pulumi(shell: PulumiShell) -> dict[str, Callable[[], object]]:
    """Return the steps on Pulumi's engine."""
    return {
        "preview": lambda: shell.run("preview"),
        "up": shell.up,
        "unchanged": lambda: shell.run("preview", "--expect-no-changes"),
        "unread": lambda: shell.run("preview", "--expect-no-changes", "--refresh=false"),
        "destroy": lambda: shell.run("destroy", "--yes", "--skip-preview"),
    }


def life_of_a_stack(stack: str, engine: str) -> Iterator[tuple[str, float]]:
    """Deploy and destroy a stack in a new sandbox; yield each step and its seconds."""
    with tempfile.TemporaryDirectory() as directory, open_cli_terminal(Path(directory)) as terminal:
        terminal.start("--stack", stack, "--interval", INTERVAL_SECONDS)
        shell = PulumiShell.of(terminal, stack) if engine == PULUMI else None
        steps = steps_of_pulumi(shell) if shell else steps_in_python(terminal, stack)
        for step, run in steps.items():
            if shell and step == "destroy" and stack == "prod":
                shell.unprotect()
            started = time.monotonic()
            run()
            yield step, time.monotonic() - started


def table_of(times: Mapping[tuple[str, str, str], Sequence[float]]) -> str:
    """Return the medians as a Markdown table: a row for each step, a column for each stack and engine."""
    columns = [(stack, engine) for stack in STACKS for engine in (PYTHON, PULUMI)]
    lines = [
        "| command | " + " | ".join(f"{stack}, {engine}" for stack, engine in columns) + " |",
        "| --- |" + " ---: |" * len(columns),
    ]
    for step, title in STEPS.items():
        cells = [times.get((stack, engine, step)) for stack, engine in columns]
        lines.append(f"| {title} | " + " | ".join(f"{median(cell):.1f} s" if cell else "" for cell in cells) + " |")
    return "\n".join(lines)


@app.command(epilog="Exit codes: 0 done; 1 a command failed; 2 usage.")
def main(
    runs: Annotated[
        int, typer.Option(min=1, help="Lives of each stack on each engine; the table has the medians.")
    ] = 3,
    page: Annotated[Path | None, typer.Option(help="Page whose section is replaced by the table (Markdown).")] = None,
) -> None:
    """Deploy and destroy dev and prod on both engines, and compare the times."""
    if fetch_pulumi.find(os.environ) is None:
        raise typer.BadParameter(fetch_pulumi.INSTALL)
    times: Times = {}
    for number in range(1, runs + 1):
        for stack in STACKS:
            for engine in (PYTHON, PULUMI):
                typer.echo(f"run {number} of {runs}: {stack}, {engine} ...", err=True)
                try:
                    for step, seconds in life_of_a_stack(stack, engine):
                        times.setdefault((stack, engine, step), []).append(seconds)
                except AssertionError as error:
                    sys.exit(f"error: {error}")
    table = table_of(times)
    typer.echo(table)
    if page is not None:
        counted = "One run" if runs == 1 else f"Medians of {runs} runs"
        text = (
            f"Machine: {machine()}, on {datetime.now(UTC).date()}. Command: `python -m benchmarks.engines`. "
            f"{counted}; each command is a process, and its start counts. Only Pulumi's engine destroys prod: "
            f"after the steps of [the runbook](runbook/destroy.md), which are not in the figure.\n\n{table}"
        )
        page.write_text(replace_section(page.read_text(encoding="utf-8"), ENGINES_SECTION, text), encoding="utf-8")


if __name__ == "__main__":
    app()
