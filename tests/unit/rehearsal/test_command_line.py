"""`python -m rehearsal`: its options, its refusals and its exit codes."""

import re

import pytest
from typer.testing import CliRunner

from rehearsal import __main__ as command_line
from rehearsal.drills import DRILLS

RUNNER = CliRunner()
PLAIN = {"COLUMNS": "160", "NO_COLOR": "1", "TERM": "dumb"}


def run(*arguments: str) -> tuple[int, str]:
    """The exit code and everything that was printed."""
    result = RUNNER.invoke(command_line.app, list(arguments), env=PLAIN)
    return result.exit_code, result.output


def test_help_names_every_option_and_exit_code() -> None:
    """A person who asks for help learns the options and what the exit code means."""
    code, text = run("--help")
    options = set(re.findall(r"--[a-z]+", text))
    assert (0, True, True) == (
        code,
        {"--drill", "--list", "--interval", "--keep", "--destroy", "--stack", "--report", "--json"} <= options,
        "Exit codes" in text,
    )


def test_list_names_every_drill() -> None:
    """The names that --drill takes are the ones that --list shows."""
    code, text = run("--list")
    assert (0, [drill.name for drill in DRILLS]) == (code, [line.split()[0] for line in text.splitlines()])


def test_an_unknown_drill_is_a_usage_error_that_names_the_known_ones() -> None:
    """Nothing is started for a name that doesn't exist."""
    code, text = run("--drill", "region-lots")
    assert (2, True, True) == (code, "region-lots" in text, "region-lost" in text)


@pytest.mark.parametrize("cycle", ["0", "0.1", "60", "soon"])
def test_a_cycle_out_of_range_is_a_usage_error(cycle: str) -> None:
    """A cycle that can't be kept, or isn't a number, is refused before anything starts."""
    assert 2 == run("--interval", cycle)[0]


def test_a_stack_without_settings_is_named_and_starts_nothing() -> None:
    """The file that is missing is in the message; the exit code says that it did not pass."""
    code, text = run("--stack", "nowhere")
    assert (1, True) == (code, "Pulumi.nowhere.yaml" in text)


def test_nothing_can_be_kept_of_what_is_destroyed() -> None:
    """The two options together are a usage error, before anything starts."""
    assert 2 == run("--keep", "--destroy")[0]


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
def test_a_destroy_is_preceded_by_the_way_home(
    names: tuple[str, ...], destroys: bool | None, played: tuple[str, ...]
) -> None:
    """Alone it plays no drill; after a drill that leads the writer away it brings the writer home, or AWS would refuse."""
    assert played == tuple(drill.name for drill in command_line._drills(names, False, destroys))
