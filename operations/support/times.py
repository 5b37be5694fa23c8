"""Parsing and formatting of durations, times in UTC, and ages."""

import re
from datetime import UTC, datetime, timedelta

LONGEST_WINDOW = timedelta(days=366)
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(?P<d>\d{1,9})d)?(?:(?P<h>\d{1,9})h)?(?:(?P<m>\d{1,9})m)?(?:(?P<s>\d{1,9})s)?")

_TIME = re.compile(r"(?P<seconds>\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.\d+)?(?P<utc>\+00:00|Z)?")


def parse_duration(text: str) -> timedelta:
    """Return a duration such as `90m`, `2h`, `1d` or `1h30m`.

    Raises:
        ValueError: the text is not a duration, or it is zero or longer than `LONGEST_WINDOW`.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groupdict().values()):
        raise ValueError(f"Invalid duration {text!r}. Use a value such as 90m, 2h or 1d.")
    duration = timedelta(seconds=sum(int(match[unit] or 0) * seconds for unit, seconds in _UNITS.items()))
    if not duration:
        raise ValueError(f"Invalid duration {text!r}. The duration is zero. Use a value such as 90m, 2h or 1d.")
    if duration > LONGEST_WINDOW:
        raise ValueError(
            f"Invalid duration {text!r}. The duration is longer than {LONGEST_WINDOW.days} days. To set no end, omit the option."
        )
    return duration


def parse_time(text: str) -> datetime:
    """Return a time such as `2026-11-24T18:00:00Z`, in UTC.

    Raises:
        ValueError: the text is not a time, or has no time zone.
    """
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"Invalid time {text!r}. Use a value such as 2026-11-24T18:00:00Z.") from error
    if time.tzinfo is None:
        raise ValueError(f"Invalid time {text!r}. The time has no time zone; append Z for UTC.")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"Invalid time {text!r}. The time is out of range.") from error


def utc_text(time: datetime) -> str:
    """Return a time to the second, such as `2026-11-24T18:00:00Z`."""
    return time.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def in_whole_seconds(text: str) -> str:
    """Return a text whose times have no fraction of a second, and Z for UTC."""
    return _TIME.sub(lambda time: f"{time['seconds']}{'Z' if time['utc'] else ''}", text)


def age_text(seconds: float) -> str:
    """Return a duration in its two largest units, such as `4 s`, `3 min 20 s` or `2 d 5 h`."""
    left, parts = round(abs(seconds)), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
