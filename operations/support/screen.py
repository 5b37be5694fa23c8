"""Terminal output: the result on stdout, everything else on stderr.

With `as_json`, stdout contains JSON only. Control characters in text from AWS are escaped.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from operations.support.errors import OperationError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


Show = Callable[..., None]
"""Takes the JSON values; then title and lines, and title, headings and rows of a table."""


class Screen:
    """The output of a command."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def note(self, text: str) -> None:
        """Print a note on stderr."""
        _console(stderr=True).print(_safe(text), soft_wrap=True)

    def result(self, values: Mapping[str, object], lines: Sequence[str]) -> None:
        """Print the result: one JSON object, or lines."""
        if self._as_json:
            _write_json(values, indent=2)
            return
        for line in lines:
            _console().print(_safe(line), soft_wrap=True)

    def labelled(self, values: Mapping[str, object], title: str, rows: Iterable[tuple[str, str]]) -> None:
        """Print the result: one JSON object, or a label and a text in each row."""
        if self._as_json:
            _write_json(values, indent=2)
            return
        _console().print(_labelled(title, rows))

    def rows(
        self,
        values: Sequence[Mapping[str, object]],
        title: str,
        headings: Sequence[str],
        rows: Iterable[Sequence[str]],
    ) -> None:
        """Print the result: a JSON object in each line, or a table."""
        if self._as_json:
            for value in values:
                _write_json(value)
            return
        self.table(title, headings, rows)

    def table(self, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table; nothing with JSON."""
        if self._as_json:
            return
        _console().print(_filled(title, headings, rows))

    @contextmanager
    def progress(self, text: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a progress bar; each call of the yielded function advances it by one."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        console = _console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(_safe(text), total=total)
            yield partial(bar.advance, task)

    @contextmanager
    def live(self) -> Iterator["Show"]:
        """Show a view that the next one replaces; with JSON each is a line, in a file each follows the other."""
        if self._as_json:
            yield lambda values, *_: _write_json(values)
            return
        from rich.console import Group
        from rich.live import Live

        console = _console()
        with Live(console=console, auto_refresh=False) as live:

            def show(
                values: Mapping[str, object],
                title: str,
                lines: Iterable[tuple[str, str]],
                heading: str,
                headings: Sequence[str],
                rows: Sequence[Sequence[str]],
            ) -> None:
                parts = [_labelled(title, lines), *([_filled(heading, headings, rows)] if rows else [])]
                if console.is_terminal:
                    live.update(Group(*parts), refresh=True)
                else:
                    console.print(*parts)

            yield show

    def error(self, error: OperationError) -> None:
        """Print an error and its hint on stderr, and as JSON on stdout if requested."""
        if self._as_json:
            _write_json({"error": error.message, "hint": error.hint, "exit_code": int(error.exit_code)}, indent=2)
        console = _console(stderr=True)
        console.print(f"[bold red]{error.label}[/bold red] {_safe(error.message)}", soft_wrap=True)
        console.print(f"Hint: {_safe(error.hint)}", soft_wrap=True)


def is_interactive() -> bool:
    """Return whether the command can prompt for confirmation."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, emoji=False)


def _labelled(title: str, rows: Iterable[tuple[str, str]]) -> "Table":
    table = _table(title, (), bare=True)
    for label, text in rows:
        table.add_row(f"[bold]{label}[/bold]", _safe(text))
    return table


def _filled(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> "Table":
    table = _table(title, headings)
    for row in rows:
        table.add_row(*(_safe(cell) for cell in row))
    return table


def _table(title: str, headings: Sequence[str], *, bare: bool = False) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=_safe(title), title_justify="left", box=None if bare else box.SIMPLE, show_header=not bare)
    if bare:
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _safe(text: str) -> str:
    from rich.markup import escape

    return escape("".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text))


def _write_json(values: Mapping[str, object], *, indent: int | None = None) -> None:
    sys.stdout.write(json.dumps(values, indent=indent, default=str) + "\n")
