"""Runbook and code agree: a section for every Reason and alarm, the form of every page, and valid links."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from components.alarms import RUNBOOK
from functions.failover_controller.model import Reason
from functions.failover_controller.ports import UnusableError
from operations.aws.table_items import OperatorReason
from tests.support.failover_controller.rig import Rig
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


def test_sections_of_reasons_are_the_reasons() -> None:
    """The spelling is that of the notices."""
    assert sorted(Reason) == sorted(sections("reasons"))


def test_sections_of_alarms_are_the_alarms() -> None:
    """A heading is the alarm's name without project and environment."""
    alarms = run_program({}).of("cloudwatch/metricAlarm:MetricAlarm")
    things = {alarm.inputs["name"].removeprefix("payments-").removesuffix("-dev") for alarm in alarms}
    assert {EVERYWHERE if thing.startswith(EVERYWHERE) else thing for thing in things} == set(sections("alarms"))


def test_alarm_description_links_to_its_section() -> None:
    """The page and the anchor of the link exist."""
    for alarm in run_program({}).of("cloudwatch/metricAlarm:MetricAlarm"):
        page, _, anchor = alarm.inputs["alarmDescription"].rpartition("Runbook: ")[2].partition("#")
        assert (RUNBOOK, True) == (page, (PROGRAM / page).is_file())
        thing = alarm.inputs["name"].removeprefix("payments-").removesuffix("-dev")
        assert anchor == (EVERYWHERE if thing.startswith(EVERYWHERE) else thing)
        assert anchor in anchors(FILES["alarms"])


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_the_form(name: str) -> None:
    """The lead-ins are When, Which path, Before, Steps, Verify, Undo and What goes wrong, in this order."""
    assert FORM == lead_ins(FILES[name])


@pytest.mark.parametrize("name", CATALOGUES)
def test_every_section_has_the_form(name: str) -> None:
    """Each Reason and each alarm has the same lead-ins."""
    assert [] == [heading for heading, text in sections(name).items() if lead_ins(text) != FORM]


@pytest.mark.parametrize("name", FILES)
def test_every_link_has_a_page_and_a_heading(name: str) -> None:
    """Links within and out of the runbook are checked."""
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", FILES[name]):
        page, _, anchor = target.partition("#")
        file: Path = FOLDER / page if page else FOLDER / f"{name}.md"
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target


def test_index_links_to_every_page() -> None:
    """Every page of the runbook is linked."""
    linked = {target.removesuffix(".md") for target in re.findall(r"\]\(([\w-]+\.md)\)", FILES["README"])}
    assert set(FILES) - {"README"} == linked


def test_headings_named_in_the_code_exist() -> None:
    """Errors say `the runbook, heading X`."""
    texts = [
        file.read_text(encoding="utf-8")
        for folder in ("operations", "functions")
        for file in (PROGRAM / folder).rglob("*.py")
    ]
    named = {heading for text in texts for heading in re.findall(r"runbook, heading `([^`{]+)`", text)}
    headings = {heading for text in FILES.values() for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)}
    assert "Before you start" in named
    assert set() == named - headings


def test_audit_reasons_of_commands_are_documented() -> None:
    """The page of `history` explains each audit reason."""
    assert [] == [word for word in OperatorReason if f"`{word}`" not in FILES["history"]]


def fail_table_reads(rig: Rig) -> None:
    """The table cannot be read."""
    rig.table.fails_to_read = True


def fail_table_writes(rig: Rig) -> None:
    """The table cannot be written."""
    rig.table.fails_to_write = lambda key: True


def fail_metrics(rig: Rig) -> None:
    """CloudWatch takes no metrics."""
    rig.world.metrics_fail = True


def fail_topic(rig: Rig) -> None:
    """SNS takes no notice, and one is due."""
    rig.world.topic_fails = rig.world.peering_is_cut = True


def write_malformed_lease(rig: Rig) -> None:
    """The lease is malformed."""
    rig.table.items["lease", "current"] = {"holder": 7}


def fail_own_health_check(rig: Rig) -> None:
    """The region's own health_check fails."""
    rig.world.own_lambda = UnusableError("no subnet")


@pytest.mark.parametrize(
    ("fault", "texts"),
    [
        (fail_table_reads, {"lease: table: InternalServerError", "state: table: InternalServerError"}),
        (fail_table_writes, {"lease: table: ThrottlingException", "state: table: ThrottlingException"}),
        (write_malformed_lease, {"lease: malformed: holder: 7 is not a str"}),
        (fail_metrics, {"metrics: InternalFailure"}),
        (fail_topic, {"will be delivered again: topic: InternalError"}),
        (fail_own_health_check, {"health_check: no subnet"}),
    ],
)
def test_filter_of_controller_errors_finds_each_problem(
    fault: Callable[[Rig], None], texts: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Each problem of the controller is logged with its text, and the command in the runbook shows the line.

    A term matches the events that contain it, with its case. Source: Filter pattern syntax, CloudWatch Logs.
    """
    (pattern,) = re.findall(r"--filter-pattern (\w+)`", sections("alarms")["controller-errors"])
    rig = Rig()
    fault(rig)
    with caplog.at_level(logging.INFO):
        rig.start().run_cycles(4)
    shown = [line for line in caplog.messages if pattern in line]
    assert all(any(text in line for line in shown) for text in texts), caplog.messages


def test_filter_of_controller_errors_hides_a_healthy_log(caplog: pytest.LogCaptureFixture) -> None:
    """No line of a healthy controller matches."""
    with caplog.at_level(logging.DEBUG):
        Rig().start().run_cycles(4)
    assert [] == [line for line in caplog.messages if "problem" in line]
