"""What the documents promise: headings that people rely on, settings as the model has them, links and commands that exist."""

import html
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from documentation.settings import sections, shown_default
from rehearsal.__main__ import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def test_mission_point_7_readme_says_how_to_wait_verify_test_a_failover_and_roll_back() -> None:
    """Somebody who deployed it finds each of the four under its own heading, with something to do in it."""
    for heading in ("### Wait", "### Verify", "### Test a failover", "### Roll back"):
        section = README.split(heading + "\n", 1)[1].split("\n#", 1)[0]
        assert len(section.strip()) > 200, heading


def test_settings_table_is_of_the_model() -> None:
    """The few settings that people set first are the model's, with its defaults; the page that has all is linked."""
    section = README.split("## Settings", 1)[1].split("\n## ", 1)[0]
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| `?([^|`]+)`? \|", html.unescape(section), re.MULTILINE))
    model = {
        each.path + name: shown_default(each.path + name, field).strip("`")
        for each in sections()
        for name, field in each.own_fields()
    }
    shown = {key: "none" if model[key] == "needed" else model[key] for key in rows}
    assert shown == {key: default.strip() for key, default in rows.items()}
    assert 10 <= len(rows) <= 16
    assert "(docs/reference/settings.md)" in section


def test_rewind_is_told_in_three_lines() -> None:
    """What AWS refuses, what is done instead, and what the other method does: three sentences, three lines."""
    section = README.split("### Rewind\n", 1)[1].split("\n#", 1)[0]
    assert 3 == len(section.strip().splitlines())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(document: Path) -> None:
    """No document points at a file that isn't there."""
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", document.read_text(encoding="utf-8"))
    assert [] == [target for target in targets if not (document.parent / target).exists()]


def test_make_targets_in_the_readme_exist() -> None:
    """Every `make X` that the README shows is a target."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^\$ |`)make ([a-z]+)", README, re.MULTILINE))
    assert named and [] == [name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)]


def test_rehearsal_commands_in_the_readme_are_understood() -> None:
    """Every option of the rehearsal that the README shows is one that it has."""
    commands = [shlex.split(one)[3:] for one in re.findall(r"`(\.venv/bin/python -m rehearsal[^`]*)`", README)]
    usage = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    options = {word for command in commands for word in command if word.startswith("--")}
    assert options and [] == [option for option in options if option not in usage]


def test_ci_runs_what_the_readme_says() -> None:
    """CI calls the same three commands that people call."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert ["make check", "make test", "make rehearse"] == re.findall(r"^make \w+$", script, re.MULTILINE)
