"""Times as people write and read them: durations, ISO-8601 in UTC, ages.

Owns parsing and wording. Invariant: every datetime that leaves here is aware and in UTC.
"""

import re
from datetime import UTC, datetime, timedelta

LONGEST_WINDOW = timedelta(days=366)
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(?P<d>\d{1,9})d)?(?:(?P<h>\d{1,9})h)?(?:(?P<m>\d{1,9})m)?(?:(?P<s>\d{1,9})s)?")


def parse_duration(text: str) -> timedelta:
    """Return a duration such as `90m`, `2h`, `1d` or `1h30m`.

    Raises:
        ValueError: when it is not one, is zero, or is longer than `LONGEST_WINDOW`.
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groupdict().values()):
        raise ValueError(f"{text!r} is no duration: write for instance 90m, 2h or 1d")
    duration = timedelta(seconds=sum(int(match[unit] or 0) * seconds for unit, seconds in _UNITS.items()))
    if not duration:
        raise ValueError(f"{text!r} is no time at all")
    if duration > LONGEST_WINDOW:
        raise ValueError(f"{text!r} is longer than {LONGEST_WINDOW.days} days: leave it out to have no end")
    return duration


def parse_time(text: str) -> datetime:
    """Return a moment such as `2026-11-24T18:00:00Z`, in UTC.

    Raises:
        ValueError: when it is not one, or has no time zone.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"{text!r} is no ISO-8601 time: write for instance 2026-11-24T18:00:00Z") from error
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: end it with Z for UTC")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is out of range") from error


def utc_text(moment: datetime) -> str:
    """Return `2026-11-24T18:00:00Z`: to the second, as people read it."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def age_text(seconds: float) -> str:
    """Return how long something took or is ago, in the two largest units: `4 s`, `3 min 20 s`, `2 d 5 h`."""
    left, parts = round(abs(seconds)), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
