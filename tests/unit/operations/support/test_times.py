"""Parsing and formatting of durations, times and ages."""

from datetime import UTC, datetime, timedelta

import pytest

from operations.support.times import age_text, in_whole_seconds, parse_duration, parse_time, utc_text


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
def test_parse_duration_accepts_units_from_largest_to_smallest(text: str, expected: timedelta) -> None:
    """A duration is numbers with the units d, h, m or s."""
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "2", "h", "-2h", "2 hours", "30m1h", "1.5h", "0m", "367d", "999999999d", "٣h "])
def test_parse_duration_rejects_an_invalid_duration(text: str) -> None:
    """A duration needs a number and a unit, and is between one second and 366 days."""
    with pytest.raises(ValueError, match="Invalid duration"):
        parse_duration(text.replace("٣", "x"))


@pytest.mark.parametrize("text", ["2026-11-24T18:00:00Z", "2026-11-24T19:00:00+01:00", "2026-11-24 18:00+00:00"])
def test_parse_time_converts_to_utc(text: str) -> None:
    """The time zone of the text does not matter."""
    assert parse_time(text) == datetime(2026, 11, 24, 18, tzinfo=UTC)
    assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-11-24T18:00:00", "no time zone"),
        ("tomorrow", "Invalid time 'tomorrow'"),
        ("9999-12-31T23:59:59-14:00", "out of range"),
    ],
)
def test_parse_time_rejects_an_invalid_time(text: str, why: str) -> None:
    """A time without a zone is ambiguous."""
    with pytest.raises(ValueError, match=why):
        parse_time(text)


def test_utc_text_is_exact_to_the_second() -> None:
    """The text has a Z and no fraction of a second."""
    assert utc_text(datetime(2026, 11, 24, 18, 0, 0, 999, tzinfo=UTC)) == "2026-11-24T18:00:00Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at 2026-11-24T12:00:00.123456+00:00, by me", "at 2026-11-24T12:00:00Z, by me"),
        ("2026-11-24T12:00:00+00:00", "2026-11-24T12:00:00Z"),
        ("2026-11-24T12:00:00.5Z and 2026-11-24 12:00:01.000250", "2026-11-24T12:00:00Z and 2026-11-24 12:00:01"),
        ("2026-11-24T12:00:00+02:00, lag 1.25 ms, 10.0.0.1", "2026-11-24T12:00:00+02:00, lag 1.25 ms, 10.0.0.1"),
    ],
)
def test_times_in_a_text_lose_their_fractions(text: str, expected: str) -> None:
    """Other numbers, and the zone of a time that is not in UTC, stay."""
    assert in_whole_seconds(text) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (4.4, "4 s"), (200, "3 min 20 s"), (7_322, "2 h 2 min"), (190_000, "2 d 4 h"), (-3, "3 s")],
)
def test_age_text_has_two_units(seconds: float, expected: str) -> None:
    """The text has the two largest units that are not zero."""
    assert age_text(seconds) == expected
