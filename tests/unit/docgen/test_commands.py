"""The page of commands is what `--help` says."""

from typing import Annotated

import pytest
import typer
import typer.main
from typer.core import TyperGroup

from docgen import commands
from operations.cli.app import app


def test_every_command_of_the_operators_has_its_help_on_the_page() -> None:
    """Whoever adds one gets it here."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    page = commands.commands_page()
    assert [] == [name for name in group.commands if f"\n## python -m operations {name}\n" not in page]


def test_the_page_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrow one, or a colourful one, would make another page."""
    page = commands.commands_page()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert page == commands.commands_page()


def test_an_option_stands_there_with_its_words() -> None:
    """From a program of one command."""
    small = typer.Typer()

    @small.command()
    def run(size: Annotated[int, typer.Option("--size", metavar="N", help="How large.")] = 3) -> None:
        """Run it."""

    ((name, text),) = commands._help("python -m small", small)  # pyright: ignore[reportPrivateUsage]
    assert "python -m small" == name
    assert text.startswith("Usage: python -m small [OPTIONS]\n\n  Run it.\n")
    assert "--size N How large. [default: 3]" in " ".join(text.split())
