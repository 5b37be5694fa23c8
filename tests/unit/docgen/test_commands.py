"""The commands page shows the `--help` texts."""

from typing import Annotated

import pytest
import typer
import typer.main
from typer.core import TyperGroup

from docgen import commands
from operations.cli.app import app


def test_page_has_every_operator_command() -> None:
    """Every command has a heading."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    page = commands.commands_page()
    assert [] == [name for name in group.commands if f"\n## python -m operations {name}\n" not in page]


def test_page_is_independent_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Width and colours of the terminal do not change the page."""
    page = commands.commands_page()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert page == commands.commands_page()


def test_option_has_its_help_text() -> None:
    """A program with one command shows its options and defaults."""
    small = typer.Typer()

    @small.command()
    def run(size: Annotated[int, typer.Option("--size", metavar="N", help="How large.")] = 3) -> None:
        """Run it."""

    ((name, text),) = commands._help("python -m small", small)  # pyright: ignore[reportPrivateUsage]
    assert "python -m small" == name
    assert text.startswith("Usage: python -m small [OPTIONS]\n\n  Run it.\n")
    assert "--size N How large. [default: 3]" in " ".join(text.split())
