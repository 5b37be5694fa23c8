"""Tests of `python -m rehearsal`: options, refusals, exit codes."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rehearsal import __main__ as command_line
from rehearsal.drills import DRILLS

RUNNER = CliRunner()
PLAIN = {"COLUMNS": "160", "NO_COLOR": "1", "TERM": "dumb"}


def run(*arguments: str) -> tuple[int, str]:
    """Return the exit code and the output."""
    result = RUNNER.invoke(command_line.app, list(arguments), env=PLAIN)
    return result.exit_code, result.output


def test_help_lists_options_and_exit_codes() -> None:
    """The help explains each option and the meaning of each exit code."""
    code, text = run("--help")
    options = set(re.findall(r"--[a-z]+", text))
    assert (0, True, True) == (
        code,
        {"--drill", "--list", "--interval", "--keep", "--destroy", "--stack", "--report", "--json"} <= options,
        "Exit codes" in text,
    )


def test_list_names_every_drill() -> None:
    """The list names every drill in catalogue order."""
    code, text = run("--list")
    assert (0, [drill.name for drill in DRILLS]) == (code, [line.split()[0] for line in text.splitlines()])


def test_unknown_drill_is_a_usage_error() -> None:
    """The error lists the known drills, and no drill starts."""
    code, text = run("--drill", "region-lots")
    assert (2, True, True) == (code, "region-lots" in text, "region-lost" in text)


@pytest.mark.parametrize("seconds", ["0", "0.1", "60", "soon"])
def test_interval_out_of_range_is_a_usage_error(seconds: str) -> None:
    """The interval is checked before the environment starts."""
    assert 2 == run("--interval", seconds)[0]


def test_stack_without_settings_is_an_error() -> None:
    """The message names the missing file."""
    code, text = run("--stack", "nowhere")
    assert (1, True) == (code, "Pulumi.nowhere.yaml" in text)


def test_keep_and_destroy_are_a_usage_error() -> None:
    """The options are checked before the environment starts."""
    assert 2 == run("--keep", "--destroy")[0]


def test_report_that_is_a_file_is_a_usage_error(tmp_path: Path) -> None:
    """Before the start: otherwise the whole rehearsal would be lost at its end."""
    file = tmp_path / "report"
    file.touch()
    code, text = run("--report", str(file))
    assert (2, True) == (code, "no directory that can be written" in text)


def test_all_and_drill_are_a_usage_error() -> None:
    """`--all` does not silently override the choice of a drill."""
    code, text = run("--all", "--drill", "region-lost")
    assert (2, True, True) == (code, "--all" in text, "--drill" in text)


@pytest.mark.parametrize(
    ("names", "destroys", "played"),
    [
        ((), None, ("steady", "region-lost", "old-region-returns", "switchover-home")),
        ((), True, ()),
        (("region-lost",), None, ("region-lost",)),
        (("region-lost",), True, ("region-lost", "old-region-returns", "switchover-home")),
        (("blip",), True, ("blip",)),
    ],
)
def test_destroy_is_preceded_by_switchover_if_needed(
    names: tuple[str, ...], destroys: bool | None, played: tuple[str, ...]
) -> None:
    """`--destroy` alone runs no drill. AWS refuses the destroy while the writer is in the secondary region."""
    assert played == tuple(drill.name for drill in command_line._drills(names, False, destroys))
