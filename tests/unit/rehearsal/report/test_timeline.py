"""Tests of the timeline's layout: to scale, without overlaps, readable without colour."""

from dataclasses import replace
from itertools import permutations

import pytest

from rehearsal.report.axis import LAYOUTS, Axis, Layout
from rehearsal.report.lanes import dns_spans, role_spans
from rehearsal.report.markers import MARKER_ROW_PX, Marker
from rehearsal.report.model import EventKind, Role, WriteSpan
from rehearsal.report.timeline import Drawing, draw
from tests.support.rehearsal.sample_report import NAME, PRIMARY, SECONDARY, at, region_lost, steady

BROAD, WIDE, NARROW = LAYOUTS


def test_drawing_is_to_scale() -> None:
    """The drill runs from -2 to 12 s: the outage is at 2/14, the promotion at 7.4/14 of the plot."""
    drawing = draw(region_lost(), WIDE)
    assert drawing is not None
    positions = {marker.event.kind: marker.left for marker in drawing.markers}
    assert (positions[EventKind.OUTAGE], positions[EventKind.PROMOTION]) == (
        pytest.approx(100 * 2 / 14, abs=0.001),
        pytest.approx(100 * 7.4 / 14, abs=0.001),
    )
    standby = drawing.lanes[2].bars
    assert standby[1].left == positions[EventKind.PROMOTION]


def text_extent(drawing: Drawing, marker: Marker) -> tuple[float, float]:
    """Return the left and right end of a marker's text in pixels."""
    x = marker.left / 100 * drawing.layout.plot_px
    text_px = 6.6 * len(marker.event.marker) + 6 if drawing.layout.labels and marker.event.marker else 0
    return (x - 9 - text_px, x - 9) if marker.flipped else (x + 9, x + 9 + text_px)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_markers_and_lines_do_not_overlap_texts(layout: Layout) -> None:
    """Markers and lines of forty crowded events do not overlap texts."""
    timeline = tuple(at(index * 0.37 % 11, EventKind.PROMOTION, "x") for index in range(40))
    drawing = draw(replace(region_lost(), timeline=timeline), layout)
    assert drawing is not None
    placed = [marker for marker in drawing.markers if marker.y is not None]
    assert len(placed) >= 10
    for one, other in permutations(placed, 2):
        assert one.y is not None and other.y is not None
        x, (begin, end) = one.left / 100 * layout.plot_px, text_extent(drawing, other)
        if one.y == other.y:
            assert x + 9 < min(begin, other.left / 100 * layout.plot_px - 9) or x - 9 > end
        if one.y < other.y and begin < end:
            assert not begin < x < end


def test_text_near_right_edge_is_left_of_its_marker() -> None:
    """A text near the right edge is left of its marker, so it stays on the page."""
    drawing = draw(replace(region_lost(), timeline=(at(11.9, EventKind.PROMOTION, "x"),)), WIDE)
    assert drawing is not None
    assert [True] == [marker.flipped for marker in drawing.markers]


def test_labelled_markers_are_placed_before_notes() -> None:
    """Eighty notes at the same moment do not displace the promotion."""
    notes = tuple(at(5.4, EventKind.NOTE, "x") for _ in range(80))
    drawing = draw(replace(region_lost(), timeline=(*notes, at(5.4, EventKind.PROMOTION, "x"))), WIDE)
    assert drawing is not None
    assert [MARKER_ROW_PX / 2] == [marker.y for marker in drawing.markers if marker.event.kind is EventKind.PROMOTION]
    assert None in [marker.y for marker in drawing.markers]


def test_verdicts_and_notices_have_their_own_lanes() -> None:
    """Each keeps its number in the list of events; dots in a lane do not overlap."""
    notices = tuple(at(3.4 + index * 0.1, EventKind.NOTICE, "notice sent", SECONDARY) for index in range(3))
    drawing = draw(replace(region_lost(), timeline=(*region_lost().timeline, *notices)), WIDE)
    assert drawing is not None
    kinds = {marker.event.kind for marker in drawing.dots}
    assert {EventKind.VERDICT, EventKind.NOTICE} == kinds
    assert [] == [marker for marker in drawing.markers if marker.event.kind in kinds]
    assert list(range(1, 13)) == sorted(marker.number for marker in (*drawing.markers, *drawing.dots))
    assert ["Controllers", "Notices"] == [heading.name for heading in drawing.headings][1:3]
    for one, other in permutations(drawing.dots, 2):
        if one.y == other.y:
            assert abs(one.left - other.left) / 100 * WIDE.plot_px > 18


def test_every_dot_has_a_row() -> None:
    """Simultaneous events are stacked: none is left out."""
    timeline = tuple(at(3 + index * 0.001, EventKind.VERDICT, "x") for index in range(5))
    drawing = draw(replace(region_lost(), timeline=timeline), WIDE)
    assert drawing is not None
    assert 5 == len({dot.y for dot in drawing.dots} - {None})


def test_phases_are_drawn_without_gaps() -> None:
    """Each phase shows its seconds where the text fits."""
    drawing = draw(region_lost(), BROAD)
    assert drawing is not None
    bars = drawing.lanes[0].bars
    assert ["decision 3.3 s", "2.1 s", "DNS 3.6 s", ""] == [bar.label for bar in bars]
    assert [bar.left for bar in bars[1:]] == [pytest.approx(bar.left + bar.width, abs=0.002) for bar in bars[:-1]]


def test_long_name_is_shortened_in_the_gutter_only() -> None:
    """The heading's title and the narrow layout show the full name."""
    name = "writer.a-rather-long-name-of-a-zone.internal"
    dns = dns_spans(name=name, changes=[(0, PRIMARY)], end_seconds=20)
    wide, narrow = (draw(replace(steady(), dns=dns), layout) for layout in (WIDE, NARROW))
    assert wide is not None and narrow is not None
    (cut,), (whole,) = wide.headings[-2].details, narrow.headings[-2].details
    assert (name, name, True) == (wide.headings[-2].text, whole, len(cut) <= 26)
    assert cut.startswith("writer.a") and cut.endswith("internal")


def test_markers_take_at_most_seven_rows() -> None:
    """Markers without room keep their line."""
    timeline = tuple(at(index * 0.01, EventKind.CLIENT, "x") for index in range(60))
    drawing = draw(replace(region_lost(), timeline=timeline), WIDE)
    assert drawing is not None
    assert (drawing.lanes_y < 165, sum(marker.y is None for marker in drawing.markers) > 0) == (True, True)


@pytest.mark.parametrize(
    ("start", "end", "most", "labels"),
    [
        (-2, 12, 12, ["\u22122", "0", "2", "4", "6", "8", "10", "12"]),
        (0, 20, 6, ["0", "5", "10", "15", "20"]),
        (0, 0.9, 6, ["0", "0.2", "0.4", "0.6", "0.8"]),
        (3, 1000, 6, ["200", "400", "600", "800", "1,000"]),
    ],
)
def test_axis_has_round_seconds(start: float, end: float, most: int, labels: list[str]) -> None:
    """Steps of 1, 2 or 5, at most as many as fit, with a true minus sign."""
    assert [label for _, label in Axis(start_seconds=start, end_seconds=end).ticks(most)] == labels


def test_label_that_does_not_fit_is_shortened_or_omitted() -> None:
    """The bar keeps its pattern and title."""
    spans = role_spans(
        cluster_id="c",
        region=PRIMARY,
        changes=[(0, Role.WRITER), (1, Role.UNREACHABLE), (1.05, Role.STANDBY)],
        end_seconds=14,
    )
    drawing = draw(replace(steady(), roles=spans, timeline=(), writes=(), dns=()), NARROW)
    assert drawing is not None
    assert [bar.label for bar in drawing.lanes[0].bars] == ["W", "", "standby"]


def test_one_lost_row_among_hundreds_is_visible() -> None:
    """A count above zero is at least 3 px high."""
    writes = (WriteSpan(start_seconds=0, end_seconds=1, acknowledged=900, lost=1),)
    drawing = draw(replace(steady(), writes=writes), WIDE)
    assert drawing is not None
    (lane,) = drawing.writes
    assert (lane.bars[0].lost_px, lane.lost) == (3.0, 1)


def test_client_without_the_advice_has_a_lane_of_its_own() -> None:
    """Both clients are drawn to the same scale of time, one below the other."""
    failed = (WriteSpan(start_seconds=0, end_seconds=1, failed=3),)
    drawing = draw(replace(steady(), unadvised_writes=failed), WIDE)
    assert drawing is not None
    advised, unadvised = drawing.writes
    assert unadvised.y > advised.y
    assert [heading.name for heading in drawing.headings][-2:] == ["Client", "Without advice"]
    assert "client without the advice of docs/connecting.md: 0 acknowledged, 3 failed." in drawing.description


def test_dns_answers_have_a_pattern_per_region() -> None:
    """Each region has a pattern, and so has a period without an answer."""
    dns = dns_spans(name=NAME, changes=[(0, PRIMARY), (2, None), (3, SECONDARY)], end_seconds=20)
    drawing = draw(replace(steady(), dns=dns), WIDE)
    assert drawing is not None
    assert [bar.style for bar in drawing.lanes[2].bars] == ["answer-0", "answer-none", "answer-1"]
