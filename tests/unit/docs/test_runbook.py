"""The runbook and the code agree: a section for every Reason and alarm, a form for every page, a target for every link.

That every command in it is a real one, `tests/unit/docs/test_documents.py` asks of all documents.
"""

import re
from pathlib import Path

import pytest

from components.alarms import RUNBOOK
from functions.failover_controller.model import Reason
from functions.failover_controller.notices import NEXT_STEPS
from operations.aws.table_items import OperatorReason
from tests.support.program.harness import PROGRAM, run_program

FOLDER = PROGRAM / "docs" / "runbook"
FILES = {file.stem: file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.md"))}
CATALOGUES = ("reasons", "alarms")
"""Pages that have a section, and not a page, for each thing."""
PAGES = [name for name in FILES if name not in ("README", *CATALOGUES)]
FORM = ["When", "Which path", "Before", "Steps", "Verify", "Undo", "What goes wrong"]
EVERYWHERE = "dns-reader"
"""One section for the alarms that differ by their region alone."""


def sections(name: str) -> dict[str, str]:
    """Return the sections of a catalogue, by their headings."""
    parts = re.split(r"^### (.+)$", FILES[name], flags=re.MULTILINE)[1:]
    return {heading: text.partition("\n## ")[0] for heading, text in zip(parts[::2], parts[1::2], strict=True)}


def lead_ins(text: str) -> list[str]:
    """Return the bold words that begin the parts of a page or section."""
    return re.findall(r"^(?:- )?\*\*(.+?)\.\*\*", text, flags=re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return a page's anchors, made as GitHub makes them."""
    headings = re.findall(r"^#{1,6} (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_reason_has_its_section_and_every_section_is_a_reason() -> None:
    """Whoever gets a notice finds its word, exactly as it is in the notice; a word that is gone is gone here too."""
    assert sorted(Reason) == sorted(sections("reasons"))


def test_every_alarm_has_its_section_and_every_section_is_an_alarm() -> None:
    """By the name without project and environment, those of DNS included."""
    alarms = run_program({}).of("cloudwatch/metricAlarm:MetricAlarm")
    things = {alarm.inputs["name"].removeprefix("payments-").removesuffix("-dev") for alarm in alarms}
    assert {EVERYWHERE if thing.startswith(EVERYWHERE) else thing for thing in things} == set(sections("alarms"))


def test_an_alarm_s_description_leads_to_its_section() -> None:
    """Page and anchor are there: whoever is called at night follows it."""
    for alarm in run_program({}).of("cloudwatch/metricAlarm:MetricAlarm"):
        page, _, anchor = alarm.inputs["alarmDescription"].rpartition("Runbook: ")[2].partition("#")
        assert (RUNBOOK, True) == (page, (PROGRAM / page).is_file())
        thing = alarm.inputs["name"].removeprefix("payments-").removesuffix("-dev")
        assert anchor == (EVERYWHERE if thing.startswith(EVERYWHERE) else thing)
        assert anchor in anchors(FILES["alarms"])


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_the_form(name: str) -> None:
    """When, which path, before, steps, verify, undo, what goes wrong: in this order, and once."""
    assert FORM == lead_ins(FILES[name])


@pytest.mark.parametrize("name", CATALOGUES)
def test_every_section_has_the_form(name: str) -> None:
    """Of each Reason and of each alarm."""
    assert [] == [heading for heading, text in sections(name).items() if lead_ins(text) != FORM]


@pytest.mark.parametrize("name", FILES)
def test_every_link_leads_to_a_page_and_to_a_heading_on_it(name: str) -> None:
    """In the runbook and out of it."""
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", FILES[name]):
        page, _, anchor = target.partition("#")
        file: Path = FOLDER / page if page else FOLDER / f"{name}.md"
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target


def test_the_index_leads_to_every_page() -> None:
    """What is not linked is not found at night."""
    linked = {target.removesuffix(".md") for target in re.findall(r"\]\(([\w-]+\.md)\)", FILES["README"])}
    assert set(FILES) - {"README"} == linked


def test_headings_that_the_code_names_are_there() -> None:
    """Notices and errors say `the runbook, heading X`: each X is a heading."""
    texts = [
        *(
            file.read_text(encoding="utf-8")
            for folder in ("operations", "functions")
            for file in (PROGRAM / folder).rglob("*.py")
        ),
        *NEXT_STEPS.values(),
    ]
    named = {heading for text in texts for heading in re.findall(r"runbook, heading `([^`{]+)`", text)}
    headings = {heading for text in FILES.values() for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)}
    assert "Before you start" in named
    assert set() == named - headings


def test_the_words_of_people_s_entries_are_explained() -> None:
    """The audit trail has words beside the Reasons: the runbook says whose they are."""
    assert [] == [word for word in OperatorReason if f"`{word}`" not in FILES["history"]]
