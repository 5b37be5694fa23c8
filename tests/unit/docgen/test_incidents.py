"""The page of incidents: counts, sequences and sections."""

import re

from benchmarks.incidents.catalogue import INCIDENTS
from docgen.incidents import incidents_page, is_as_wanted

PAGE = incidents_page()


def test_page_counts_the_incidents_as_wanted() -> None:
    """The number is that of the table."""
    agree = sum(is_as_wanted(incident) for incident in INCIDENTS)
    assert f"\n{agree} of {len(INCIDENTS)} incidents have the wanted outcome in every phase.\n" in PAGE
    assert (PAGE.count("| yes |"), PAGE.count("| **no** |")) == (agree, len(INCIDENTS) - agree)


def test_each_incident_has_a_linked_section_with_its_source() -> None:
    """The heading is the incident's name."""
    assert re.findall(r"^### (.+)$", PAGE, flags=re.MULTILINE) == [incident.name for incident in INCIDENTS]
    for incident in INCIDENTS:
        assert f"](#{incident.name})" in PAGE
        assert f"]({incident.source_url})" in PAGE


def test_different_outcomes_are_explained() -> None:
    """No other section has this line."""
    assert PAGE.count("**Why they differ.**") == sum(not is_as_wanted(incident) for incident in INCIDENTS)


def test_repeated_observations_are_shown_once() -> None:
    """Two cycles of errors and two healthy ones, 30 times."""
    section = PAGE.partition("### aws-2015-09-20")[2].partition("###")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert rows == [
        "| 2 | alive | unknown | arrives | works |",
        "| 2 | alive | fine | arrives | works |",
        "| the same 29 times more |  |  |  |  |",
    ]
