"""Tests of the phases between an outage and the first write."""

from dataclasses import replace

import pytest

from rehearsal.report.model import EventKind
from rehearsal.report.phases import phases
from tests.support.rehearsal.sample_report import PRIMARY, SECONDARY, at, region_lost, steady, switchover_home


def test_failover_has_four_phases_without_gaps() -> None:
    """Decision, promotion, DNS, client: their sum is the time to the first write."""
    found = phases(region_lost())
    assert [("decision", 0, 3.3), ("promotion", 3.3, 5.4), ("DNS", 5.4, 9.0), ("client", 9.0, 9.6)] == [
        (one.name, one.start_seconds, one.end_seconds) for one in found
    ]
    assert pytest.approx(9.6) == sum(one.seconds for one in found)


def test_switchover_starts_with_the_call() -> None:
    """An operator's decision is not a phase."""
    assert ["promotion", "DNS", "client"] == [one.name for one in phases(switchover_home())]


def test_drill_without_call_has_no_phases() -> None:
    """There is no change of roles to divide."""
    assert () == phases(steady())


def test_failover_without_promotion_has_only_the_decision() -> None:
    """Later phases need the promotion."""
    timeline = tuple(one for one in region_lost().timeline if one.kind is not EventKind.PROMOTION)
    assert ["decision"] == [one.name for one in phases(replace(region_lost(), timeline=timeline))]


def test_refused_call_does_not_end_the_decision() -> None:
    """The decision lasts until the accepted call."""
    refused = at(1.5, EventKind.REFUSED, "failover refused", SECONDARY)
    assert 3.3 == phases(replace(region_lost(), timeline=(refused, *region_lost().timeline)))[0].end_seconds


def test_dns_answer_of_failed_region_does_not_end_dns_phase() -> None:
    """The DNS phase ends only with an answer of the promoted region."""
    flap = at(6.0, EventKind.DNS, "answers us-east-1", PRIMARY)
    assert 9.0 == phases(replace(region_lost(), timeline=(*region_lost().timeline, flap)))[2].end_seconds


def test_call_before_zero_is_ignored() -> None:
    """A call before the drill's zero belongs to the preparation of the drill."""
    earlier = at(-8.0, EventKind.CALL, "switchover accepted", SECONDARY)
    assert 3.3 == phases(replace(region_lost(), timeline=(earlier, *region_lost().timeline)))[0].end_seconds


def test_client_write_before_recorded_dns_change_ends_dns_phase() -> None:
    """The client resolved the name before the recorder did."""
    timeline = tuple(
        replace(one, seconds=8.9) if one.kind is EventKind.CLIENT and one.region == SECONDARY else one
        for one in region_lost().timeline
    )
    found = phases(replace(region_lost(), timeline=timeline))
    assert [("decision", 3.3), ("promotion", 5.4), ("DNS", 8.9)] == [(one.name, one.end_seconds) for one in found]


def test_dns_change_before_the_promotion_has_no_phase() -> None:
    """The name moved while AWS promoted: the client's phase starts with the promotion."""
    timeline = tuple(
        replace(one, seconds=4.0) if one.kind is EventKind.DNS and one.region == SECONDARY else one
        for one in region_lost().timeline
    )
    found = phases(replace(region_lost(), timeline=timeline))
    assert [("decision", 3.3), ("promotion", 5.4), ("client", 9.6)] == [(one.name, one.end_seconds) for one in found]
