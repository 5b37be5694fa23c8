"""Terminal output: the result on stdout, everything else on stderr.

With `as_json`, stdout contains JSON only. In text, control characters from AWS are escaped and times are in whole seconds.
Invariant: identifiers, ARNs and time stamps are never broken, because operators copy them. Outside a terminal lines have no
fixed width. In a terminal that is too narrow for a table, each row becomes a heading and an indented text.
"""

import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from operations.support.errors import OperationError
from operations.support.times import in_whole_seconds

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table


UNLIMITED_WIDTH = 1_000_000
"""Columns outside a terminal."""
Show = Callable[..., None]
"""Show one refresh. Arguments: the JSON values; title and lines of the view; title, headings and rows of its table."""


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
        console = _console()
        _print(console, title, _labelled(console, rows))

    def rows(
        self,
        values: Sequence[Mapping[str, object]],
        title: str,
        headings: Sequence[str],
        rows: Iterable[Sequence[str]],
    ) -> None:
        """Print the result: a JSON array, or a table."""
        if self._as_json:
            _write_json(values, indent=2)
            return
        self.table(title, headings, rows)

    def table(self, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table; nothing with JSON."""
        if self._as_json:
            return
        console = _console()
        _print(console, title, _filled(console, headings, rows))

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
        """Show views, each in the place of the last one; with JSON one a line, in a file one after the other."""
        if self._as_json:
            yield lambda values, *_: _write_json(values)
            return
        from rich.console import Group
        from rich.live import Live
        from rich.text import Text

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
                parts = [(title, _labelled(console, lines))]
                if rows:
                    parts.append((heading, _filled(console, headings, rows)))
                if console.is_terminal:
                    renderables = [
                        each for title, part in parts for each in (Text(_wrapped(title, console.width)), part)
                    ]
                    live.update(Group(*renderables), refresh=True)
                else:
                    for title, part in parts:
                        _print(console, title, part)

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

    console = Console(stderr=stderr, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = UNLIMITED_WIDTH
    return console


def _print(console: "Console", title: str, content: "RenderableType") -> None:
    """Print a title and a table or text; outside a terminal without the spaces that fill a table's rows."""
    from rich.text import Text

    console.print(Text(_wrapped(title, console.width)), soft_wrap=True)
    if console.is_terminal:
        console.print(content, soft_wrap=isinstance(content, Text))
        return
    with console.capture() as captured:
        console.print(content)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _labelled(console: "Console", rows: Iterable[tuple[str, str]]) -> "RenderableType":
    from rich.table import Table

    rows = list(rows)
    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows:
        table.add_row(f"[bold]{label}[/bold]", _safe(text))
    return _fitting(console, table, rows)


def _filled(console: "Console", headings: Sequence[str], rows: Iterable[Sequence[str]]) -> "RenderableType":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    if len(headings) == 1:  # commands to copy: each in one line
        return Text("\n".join(f"  {_printable(text)}" for (text,) in rows))
    table = Table(box=box.SIMPLE if console.is_terminal else None)  # a rule would be as long as the longest row
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(_safe(cell) for cell in row))
    return _fitting(console, table, rows)


def _fitting(console: "Console", table: "Table", rows: Sequence[Sequence[str]]) -> "RenderableType":
    """Return the table; if it would break a word, each row as a heading and the text of its last cell below."""
    from rich.text import Text

    unlimited = console.options.update_width(UNLIMITED_WIDTH)
    if console.measure(table, options=unlimited).minimum <= console.width:
        return table
    text = Text()
    for *first, last in rows:
        text.append("  ".join(_printable(cell) for cell in first) + "\n", style="bold")
        text.append(_wrapped(last, console.width, "  ") + "\n")
    text.rstrip()
    return text


def _wrapped(text: str, width: int, indent: str = "") -> str:
    """Return the text in lines of this width; a longer word is in a line of its own."""
    lines = [
        textwrap.wrap(
            paragraph,
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for paragraph in _printable(text).split("\n")
    ]
    return "\n".join(line for paragraph in lines for line in paragraph)


def _printable(text: str) -> str:
    escaped = "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)
    return in_whole_seconds(escaped)


def _safe(text: str) -> str:
    from rich.markup import escape

    return escape(_printable(text))


def _write_json(values: Mapping[str, object] | Sequence[Mapping[str, object]], *, indent: int | None = None) -> None:
    sys.stdout.write(json.dumps(values, indent=indent, default=str) + "\n")
