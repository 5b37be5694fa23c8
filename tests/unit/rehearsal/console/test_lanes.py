"""Tests of a drill's lanes in letters: to scale, told without colour, in ASCII."""

from dataclasses import replace

import pytest

from rehearsal.console.lanes import answer_stretch, drill_lanes, lane, role_stretch, writes_lane
from rehearsal.report.model import LedgerSpan, Role
from tests.support.rehearsal.sample_report import region_lost, steady


def test_a_lane_is_to_scale_and_says_each_state_once() -> None:
    """A quarter writer, a quarter nothing known, half dark."""
    stretches = [role_stretch(Role.WRITER, 0, 10), role_stretch(Role.DARK, 20, 40)]
    line = lane(stretches, start=0, end=40, width=40).plain
    assert "writer ===" + " " * 10 + "dark " + "x" * 15 == line


@pytest.mark.parametrize(
    ("seconds", "letters"), [(9, "standby -"), (8, "standby "), (7, "s------"), (0.9, "s"), (0.3, "")]
)
def test_a_word_without_room_is_its_first_letter(seconds: float, letters: str) -> None:
    """Then nothing, rather than a word that reaches into the next stretch."""
    line = lane([role_stretch(Role.STANDBY, 0, seconds)], start=0, end=10, width=10)
    assert letters.ljust(10) == line.plain


def test_a_name_without_an_answer_says_so() -> None:
    """Beside one that leads somewhere."""
    stretches = [answer_stretch("us-east-1", 0, 15), answer_stretch(None, 15, 30)]
    assert "us-east-1 .....no answer ....." == lane(stretches, start=0, end=30, width=30).plain


def test_the_worst_that_happened_in_a_letters_time_is_shown() -> None:
    """Lost before failed, failed before acknowledged, and nothing where nothing was written."""
    writes = [
        LedgerSpan(start_seconds=0, end_seconds=1, acknowledged=5),
        LedgerSpan(start_seconds=1, end_seconds=2, acknowledged=5, failed=1),
        LedgerSpan(start_seconds=2, end_seconds=3, acknowledged=5, failed=1, lost=1),
    ]
    assert "+x! " == writes_lane(writes, start=0, end=4, width=4).plain


def test_a_drill_has_a_lane_for_each_cluster_name_client_and_an_axis() -> None:
    """Each begins with its name, all are as wide, in ASCII."""
    lines = [line.plain for line in drill_lanes(region_lost(), width=70, name_width=14)]
    assert ["us-east-1", "eu-west-1", "DNS", "client", "seconds"] == [line.split()[0] for line in lines]
    assert {70} == {len(line) for line in lines[:-1]}
    assert all(line.isascii() for line in lines)
    assert ["0", "5", "10"] == lines[-1].split()[1:]
    outage = 14 + round(2 / 14 * 56)
    assert ("writer =", "dark ") == (lines[0][14:22], lines[0][outage : outage + 5])
    assert "0" == lines[-1][outage]


def test_a_drill_that_knows_nothing_has_no_lanes() -> None:
    """And neither has a terminal without room."""
    bare = replace(steady(), timeline=(), roles=(), dns=(), writes=())
    assert ((), ()) == (
        drill_lanes(bare, width=70, name_width=14),
        drill_lanes(region_lost(), width=20, name_width=14),
    )
