"""Tests of the phases between an outage and the first write: gapless, and only as far as it went."""

from dataclasses import replace

import pytest

from rehearsal.report.model import EventKind
from rehearsal.report.phases import phases
from tests.support.rehearsal.sample_report import AWAY, HOME, at, region_lost, steady, switchover_home


def test_a_failover_divides_into_four_phases_without_a_gap() -> None:
    """Deciding, promoting, DNS, the client: from the outage to the first write."""
    found = phases(region_lost())
    assert [("deciding", 0, 3.3), ("promoting", 3.3, 5.4), ("DNS", 5.4, 9.0), ("client", 9.0, 9.6)] == [
        (one.word, one.start_seconds, one.end_seconds) for one in found
    ]
    assert pytest.approx(9.6) == sum(one.seconds for one in found)


def test_a_switchover_begins_with_the_call() -> None:
    """A person decided: that is no phase."""
    assert ["promoting", "DNS", "client"] == [one.word for one in phases(switchover_home())]


def test_without_a_call_there_are_no_phases() -> None:
    """Nothing was to move."""
    assert () == phases(steady())


def test_what_went_no_further_has_fewer_phases() -> None:
    """A promotion that never came leaves the deciding."""
    timeline = tuple(one for one in region_lost().timeline if one.kind is not EventKind.PROMOTION)
    assert ["deciding"] == [one.word for one in phases(replace(region_lost(), timeline=timeline))]


def test_a_refused_call_decides_nothing() -> None:
    """The deciding lasts until a call was accepted."""
    refused = at(1.5, EventKind.REFUSED, "failover refused", AWAY)
    assert 3.3 == phases(replace(region_lost(), timeline=(refused, *region_lost().timeline)))[0].end_seconds


def test_a_name_that_flaps_to_the_lost_region_is_not_the_move() -> None:
    """Only an answer of the promoted region ends the phase."""
    flap = at(6.0, EventKind.DNS, "answers us-east-1", HOME)
    assert 9.0 == phases(replace(region_lost(), timeline=(*region_lost().timeline, flap)))[2].end_seconds


def test_what_was_before_the_zero_is_no_part_of_it() -> None:
    """A call that belongs to the way into the drill."""
    earlier = at(-8.0, EventKind.CALL, "switchover accepted", AWAY)
    assert 3.3 == phases(replace(region_lost(), timeline=(earlier, *region_lost().timeline)))[0].end_seconds


def test_a_client_that_wrote_before_the_watch_looked_ends_the_dns_phase() -> None:
    """The name led there when it wrote: the whole is the time to the first write, not to a later look."""
    timeline = tuple(
        replace(one, seconds=8.9) if one.kind is EventKind.CLIENT and one.region == AWAY else one
        for one in region_lost().timeline
    )
    found = phases(replace(region_lost(), timeline=timeline))
    assert [("deciding", 3.3), ("promoting", 5.4), ("DNS", 8.9)] == [(one.word, one.end_seconds) for one in found]
