"""docs/reference/commands.md: the `--help` text of every command.

The text does not depend on the terminal.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

import typer.main
from typer import Typer
from typer.core import TyperCommand, TyperGroup

WIDTH = 100
PROGRAMS: Mapping[str, str] = {
    "python -m operations": "operations.cli.app",
    "python -m rehearsal": "rehearsal.__main__",
    "python -m rehearsal.sandbox": "rehearsal.sandbox.__main__",
}
"""The module with the `app` of each command."""

HEAD = """\
# Commands

Generated from the command-line help by `python -m docgen` (`make docs`); do not edit.
Run the commands with the project's Python: `.venv/bin/python`, or `python` after `source .venv/bin/activate`.
"""


def commands_page() -> str:
    """Return the Markdown of the generated page."""
    return HEAD + "".join(
        f"\n## {name}\n\n```text\n{text}\n```\n"
        for program, module in PROGRAMS.items()
        for name, text in _help(program, import_module(module).app)
    )


def _help(program: str, app: Typer) -> Iterable[tuple[str, str]]:
    command = typer.main.get_command(app)
    yield program, _text(command, program)
    if not isinstance(command, TyperGroup):
        return
    with command.make_context(program, [], resilient_parsing=True) as context:
        for name in command.list_commands(context):
            subcommand = command.get_command(context, name)
            if subcommand is not None and not subcommand.hidden:
                yield f"{program} {name}", _text(subcommand, name, context)


def _text(command: Any, name: str, parent: Any = None) -> str:
    # Typer draws frames as wide as the terminal unless its markup mode is off.
    if isinstance(command, TyperCommand | TyperGroup):
        command.rich_markup_mode = None
    with command.make_context(name, [], parent=parent, resilient_parsing=True) as context:
        context.terminal_width = context.max_content_width = WIDTH
        return command.get_help(context).rstrip()
