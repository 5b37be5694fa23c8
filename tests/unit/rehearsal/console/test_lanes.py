"""Tests of a drill's lanes as ASCII text."""

from dataclasses import replace

import pytest

from rehearsal.console.lanes import answer_interval, drill_lanes, lane, role_interval, writes_lane
from rehearsal.report.model import Role, WriteSpan
from tests.support.rehearsal.sample_report import region_lost, steady


def test_lane_is_to_scale_with_one_label_per_state() -> None:
    """The lane is a quarter writer, a quarter unknown and half unreachable."""
    intervals = [role_interval(Role.WRITER, 0, 10), role_interval(Role.UNREACHABLE, 20, 40)]
    line = lane(intervals, start=0, end=40, width=40).plain
    assert "writer ===" + " " * 10 + "unreachable " + "x" * 8 == line


@pytest.mark.parametrize(
    ("seconds", "letters"), [(9, "standby -"), (8, "standby "), (7, "s------"), (0.9, "s"), (0.3, "")]
)
def test_label_that_does_not_fit_is_its_first_letter(seconds: float, letters: str) -> None:
    """A label that does not fit is shortened to its first letter, or omitted."""
    line = lane([role_interval(Role.STANDBY, 0, seconds)], start=0, end=10, width=10)
    assert letters.ljust(10) == line.plain


def test_lane_shows_a_missing_answer() -> None:
    """A missing answer is an interval beside those of the answers."""
    intervals = [answer_interval("us-east-1", 0, 15), answer_interval(None, 15, 30)]
    assert "us-east-1 .....no answer ....." == lane(intervals, start=0, end=30, width=30).plain


def test_writes_lane_shows_the_worst_outcome() -> None:
    """Lost is worse than failed, and failed is worse than acknowledged. A period without writes is blank."""
    writes = [
        WriteSpan(start_seconds=0, end_seconds=1, acknowledged=5),
        WriteSpan(start_seconds=1, end_seconds=2, acknowledged=5, failed=1),
        WriteSpan(start_seconds=2, end_seconds=3, acknowledged=5, failed=1, lost=1),
    ]
    assert "+x! " == writes_lane(writes, start=0, end=4, width=4).plain


def test_drill_has_lanes_for_clusters_dns_client_and_axis() -> None:
    """The lanes have equal width and contain only ASCII."""
    lines = [line.plain for line in drill_lanes(region_lost(), width=70, name_width=14)]
    assert ["us-east-1", "eu-west-1", "DNS", "client", "seconds"] == [line.split()[0] for line in lines]
    assert {70} == {len(line) for line in lines[:-1]}
    assert all(line.isascii() for line in lines)
    assert ["0", "5", "10"] == lines[-1].split()[1:]
    outage = 14 + round(2 / 14 * 56)
    assert ("writer =", "unrea") == (lines[0][14:22], lines[0][outage : outage + 5])
    assert "0" == lines[-1][outage]


def test_drill_without_records_has_no_lanes() -> None:
    """A drill without records and a terminal that is too narrow have no lanes."""
    bare = replace(steady(), timeline=(), roles=(), dns=(), writes=())
    assert ((), ()) == (
        drill_lanes(bare, width=70, name_width=14),
        drill_lanes(region_lost(), width=20, name_width=14),
    )
