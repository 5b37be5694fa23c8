"""The runbook and the code agree: a heading for every Reason, a real command in every line, a target for every link."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from functions.failover_controller.model import Reason
from operations.cli import app
from operations.records import Trace

DOCS = Path(__file__).resolve().parents[3] / "docs"
RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")
FILES = {file.stem: file.read_text(encoding="utf-8") for file in sorted((DOCS / "runbook").glob("*.md"))}
HEADINGS = [line.lstrip("#").strip() for line in RUNBOOK.splitlines() if re.match(r"#{1,6} ", line)]
REASONS = RUNBOOK.partition("# What a notice means")[2].partition("\n## ")[0]
PROGRAM = "python -m operations "
PAGES = ("Disarm for maintenance", "Arm again", "Approve a pending decision", "Read the history")
FORM = ["When", "Which path", "Before", "Steps", "Verify", "Undo", "What goes wrong here"]


def commands() -> list[str]:
    """Return every command line of ours that the runbook shows, in code blocks and within sentences."""
    text = "\n".join([RUNBOOK, *FILES.values()])
    blocks = re.findall(rf"^\$ ({PROGRAM}.*)$", text, flags=re.MULTILINE)
    inline = re.findall(rf"`({PROGRAM}[^`]*)`", text)
    return sorted({*blocks, *inline})


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_heading_once(reason: Reason) -> None:
    """Whoever gets a notice finds its word, exactly as it is in the notice, and what to do."""
    assert HEADINGS.count(str(reason)) == 1
    section = REASONS.partition(f"### {reason}\n")[2].partition("\n### ")[0]
    assert section.startswith("- *Means*: ")
    assert "\n- *Do*: " in section


def test_no_heading_is_of_a_reason_that_does_not_exist() -> None:
    """A word that the code does not know any more is found here."""
    assert set(re.findall(r"^### (.+)$", REASONS, flags=re.MULTILINE)) == {str(reason) for reason in Reason}


@pytest.mark.parametrize("line", commands())
def test_every_command_parses_against_the_real_command_line(line: str) -> None:
    """Names, options and their values are those of today's code; nothing is run."""
    words = shlex.split(line.removeprefix(PROGRAM).partition(" > ")[0])
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    with group.make_context("operations", list(words)) as context:
        name, command, rest = group.resolve_command(context, words)
        assert command is not None
        assert command.make_context(name, rest, parent=context).params


def test_the_runbook_shows_every_command() -> None:
    """No command is without a page that uses it."""
    shown = {line.removeprefix(PROGRAM).split()[0] for line in commands()}
    assert shown == {"status", "disarm", "arm", "approve", "history", "switchover", "failover", "rewind"}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_the_form(page: str) -> None:
    """When, which path, before, steps, verify, undo, what goes wrong: in this order."""
    text = RUNBOOK.partition(f"\n## {page}\n")[2].partition("\n## ")[0].partition("\n# ")[0]
    assert re.findall(r"^\*\*(.+?)\.\*\*", text, flags=re.MULTILINE) == FORM


@pytest.mark.parametrize("name", FILES)
def test_every_file_has_the_form(name: str) -> None:
    """A page of its own has the same parts in the same order."""
    assert re.findall(r"^\*\*(.+?)\.\*\*", FILES[name], flags=re.MULTILINE) == FORM


def test_every_link_leads_to_a_heading() -> None:
    """Anchors are made as GitHub makes them."""
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADINGS}
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors


def test_the_words_of_people_s_entries_are_explained() -> None:
    """The audit trail has words beside the Reasons: the runbook says whose they are."""
    assert [word for word in Trace if f"`{word}`" not in RUNBOOK] == []
