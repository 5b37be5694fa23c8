"""The summary at the end: one row per drill, the failed assertions with their evidence, and the result.

The summary fits 80 columns. A number and its unit stay on one line.
"""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rehearsal.report.formatting import format_measurement
from rehearsal.report.model import DrillResult, Report

WIDE_COLUMNS = 110
"""Minimum width at which the key numbers are a column of the table."""
NO_BREAK = "\N{NO-BREAK SPACE}"


def verdict(passed: bool, *, repeated: bool = False) -> tuple[str, str]:
    """Return the label ('passed', 'FAILED' or 'repeated') and its Rich style."""
    if repeated:
        return "repeated", "bold yellow"
    return ("passed", "bold green") if passed else ("FAILED", "bold red")


def one_line(text: str) -> str:
    """Return the text with each run of white space, line breaks included, replaced by one space."""
    return " ".join(text.split())


def passed_count(drill: DrillResult) -> str:
    """Return how many of a drill's assertions passed."""
    return f"{len(drill.assertions) - len(drill.failures)} of {len(drill.assertions)}"


def summary_table(report: Report, *, width: int) -> Table:
    """Return a table with one row per drill."""
    is_wide = width >= WIDE_COLUMNS
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Drill", overflow="fold")
    table.add_column("Result", no_wrap=True)
    table.add_column("Assertions", justify="right", no_wrap=True)
    table.add_column("Seconds", justify="right", no_wrap=True)
    if is_wide:
        table.add_column("Key numbers")
    for drill in report.drills:
        label, style = verdict(drill.passed, repeated=bool(drill.repeated))
        cells: list[RenderableType] = [
            Text(drill.name),
            Text(label, style=style),
            passed_count(drill),
            f"{drill.seconds:.1f}",
        ]
        table.add_row(*cells, *([_key_numbers(drill)] if is_wide else []))
    return table


def key_number_rows(report: Report) -> Iterator[RenderableType]:
    """Yield the key numbers of the drills for a narrow terminal."""
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(no_wrap=True, style="dim")
    rows.add_column()
    for drill in report.drills:
        if drill.key_numbers:
            rows.add_row(Text(drill.name), _key_numbers(drill))
    if rows.row_count:
        yield Text("")
        yield rows


def _key_numbers(drill: DrillResult) -> Text:
    numbers = [" ".join(format_measurement(name, value)).rstrip() for name, value in drill.key_numbers.items()]
    return Text(", ".join(one.replace(" ", NO_BREAK) for one in numbers))


def failures(report: Report) -> Iterator[RenderableType]:
    """Yield every failure, drill by drill, with its evidence."""
    for drill in report.drills:
        if drill.passed:
            continue
        yield Text(f"{drill.name}: {drill.title}", style="bold")
        if drill.repeated:
            yield from _indented("repeated", drill.repeated)
        if drill.error:
            yield from _indented("ended early", one_line(drill.error))
        for failure in drill.failures:
            yield from _indented("FAILED", failure.text, failure.detail)
        if not drill.assertions:
            yield from _indented("FAILED", "the drill checked no assertion")
    for error in report.errors:
        yield from _indented("error", one_line(error))


def _indented(label: str, text: str, evidence: str = "") -> Iterator[RenderableType]:
    yield Padding(Text.assemble((f"{label}  ", "bold red"), text), (0, 0, 0, 2), expand=False)
    for line in evidence.splitlines():
        yield Padding(Text(line, style="dim"), (0, 0, 0, 2 + len(label) + 2), expand=False)
