"""docs/reference/commands.md: what `--help` says, of every command that people call.

Owns: which programs have a command line, and the width of the text. Does not own: what a command says of itself.
Invariant: the text does not depend on the terminal in which it is made.
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
"""How a program is called -> the module whose `app` it is."""

HEAD = """\
# Commands

Made by `python -m docgen` (`make docs`) from the command lines themselves; do not edit.
Each is called with the project's Python: `.venv/bin/python`, or `python` after `source .venv/bin/activate`.
"""


def commands_page() -> str:
    """Return the page."""
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
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield f"{program} {name}", _text(below, name, context)


def _text(command: Any, name: str, parent: Any = None) -> str:
    # Typer draws frames as wide as the terminal; without its markup mode it writes plain text.
    if isinstance(command, TyperCommand | TyperGroup):
        command.rich_markup_mode = None
    # Parsing nothing and complaining of nothing: only the help is asked for.
    with command.make_context(name, [], parent=parent, resilient_parsing=True) as context:
        context.terminal_width = context.max_content_width = WIDTH
        return command.get_help(context).rstrip()
