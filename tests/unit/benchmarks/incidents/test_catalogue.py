"""Public incidents: the controller gives the outcome that an expert wants, or the page says why it does not."""

from urllib.parse import urlsplit

import pytest

from benchmarks.incidents.catalogue import INCIDENTS
from benchmarks.incidents.model import LONGEST_SECONDS, Incident, Outcome
from benchmarks.incidents.replay import PHASES, replays

REQUIRED = {
    *("aws-2011-04-21", "aws-2012-06-29", "aws-2015-09-20", "aws-2020-11-25", "aws-2021-12-07", "aws-2022-07-28"),
    *("aws-2023-06-13", "aws-2024-07-30", "aws-2025-10-20", "github-2018-10-21", "gcp-2019-06-02", "ovh-2021-03-10"),
}
AS_WANTED = [incident for incident in INCIDENTS if not incident.differs]
DIFFERENT = [incident for incident in INCIDENTS if incident.differs]


def name(value: object) -> str | None:
    """Return an incident's name as the id of a test."""
    return value.name if isinstance(value, Incident) else None


@pytest.mark.parametrize("phase", range(len(PHASES)))
@pytest.mark.parametrize("incident", AS_WANTED, ids=name)
def test_controller_gives_the_wanted_outcome(incident: Incident, phase: int) -> None:
    """In each phase of the interval."""
    given = replays(incident)[phase]
    assert incident.wanted.is_fulfilled_by(given.outcome), given


@pytest.mark.parametrize("incident", DIFFERENT, ids=name)
def test_different_outcome_is_really_different(incident: Incident) -> None:
    """An incident that has become as wanted loses its `differs`."""
    outcomes = [given.outcome for given in replays(incident)]
    assert not all(incident.wanted.is_fulfilled_by(outcome) for outcome in outcomes), outcomes


def test_catalogue_has_the_required_incidents_once() -> None:
    """There are at least 15."""
    names = [incident.name for incident in INCIDENTS]
    assert (len(names), len(names) >= 15) == (len(set(names)), True)
    assert REQUIRED <= set(names)


@pytest.mark.parametrize("incident", INCIDENTS, ids=name)
def test_incident_has_a_source_and_a_date_in_its_name(incident: Incident) -> None:
    """The source is a page with a title."""
    address = urlsplit(incident.source_url)
    assert (address.scheme, bool(address.netloc), address.path not in ("", "/")) == ("https", True, True)
    assert str(incident.on) in incident.name
    assert all((incident.source_title, incident.documented, incident.reconstructed, incident.why))


@pytest.mark.parametrize("incident", INCIDENTS, ids=name)
def test_stages_are_not_longer_than_the_page_says(incident: Incident) -> None:
    """A stage of hours is shortened."""
    assert all(0 < stage.seconds <= LONGEST_SECONDS for stage in incident.stages)


def test_every_outcome_is_wanted_by_an_incident() -> None:
    """Neither a controller that always holds nor one that always acts would pass."""
    assert {incident.wanted for incident in INCIDENTS} == set(Outcome)
