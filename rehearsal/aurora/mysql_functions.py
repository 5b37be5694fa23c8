"""Functions of MySQL that SQLite does not have or computes otherwise. NULL is None; an invalid date gives NULL, as in MySQL."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

UNITS = {
    "MICROSECOND": timedelta(microseconds=1),
    "SECOND": timedelta(seconds=1),
    "MINUTE": timedelta(minutes=1),
    "HOUR": timedelta(hours=1),
    "DAY": timedelta(days=1),
    "WEEK": timedelta(weeks=1),
}
"""The units of intervals that have a constant length."""


def format_datetime(moment: datetime, digits: int) -> str:
    """Return a UTC time as a MySQL DATETIME with `digits` fractional digits."""
    text = moment.strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{moment.microsecond:06d}"[: 20 + digits] if digits else text


def parse_datetime(text: str) -> datetime:
    """Parse a MySQL DATETIME as a UTC time. Raises ValueError."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def is_datetime(text: object) -> bool:
    """Return whether this is a date, a date with a time, or NULL."""
    return text is None or _moment(text) is not None


def _moment(text: object) -> datetime | None:
    try:
        return parse_datetime(str(text))
    except ValueError:
        return None


def _date(text: object) -> str | None:
    moment = _moment(text)
    return moment.date().isoformat() if moment else None


def _days_between(later: object, earlier: object) -> int | None:
    end, start = _moment(later), _moment(earlier)
    return (end.date() - start.date()).days if end and start else None


def _format(text: object, python_format: str) -> str | None:
    moment = _moment(text)
    return moment.strftime(python_format) if moment else None


def _unix_timestamp(text: object) -> float | None:
    moment = _moment(text)
    seconds = moment.timestamp() if moment else None
    return int(seconds) if seconds is not None and seconds.is_integer() else seconds


def _difference(unit: str, earlier: object, later: object) -> int | None:
    start, end = _moment(earlier), _moment(later)
    if start is None or end is None:
        return None
    quotient, rest = divmod(end - start, UNITS[unit.upper()])
    return quotient + 1 if quotient < 0 and rest else quotient  # MySQL rounds toward zero


def _shift(text: object, amount: float | str | None, unit: str, sign: int) -> str | None:
    moment = _moment(text)
    if moment is None or amount is None:
        return None
    return format_datetime(moment + sign * float(amount) * UNITS[unit.upper()], 6)


def _round(number: float | None, digits: int | None) -> float | None:
    if number is None or digits is None:
        return None
    rounded = Decimal(str(number)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return type(number)(rounded)


def _mod(number: float | None, divisor: float | None) -> float | None:
    if number is None or not divisor:
        return None
    rest = Decimal(str(number)) % Decimal(str(divisor))  # has the sign of the number, as in MySQL
    return int(rest) if isinstance(number, int) and isinstance(divisor, int) else float(rest)


def _substring(text: object, start: float | None, length: float | None = math.inf) -> str | None:
    if text is None or start is None or length is None:
        return None
    whole = str(text)
    first = round(start) - 1 if start > 0 else len(whole) + round(start)
    if round(start) == 0 or first < 0 or length <= 0:
        return ""
    return whole[first:] if length == math.inf else whole[first : first + round(length)]


def _with_case(change: Callable[[str], str]) -> Callable[[object], str | None]:
    def changed(text: object) -> str | None:
        # One character stays one character: MySQL keeps "ß".
        return None if text is None else "".join(new if len(new := change(old)) == 1 else old for old in str(text))

    return changed


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "mysql_is_datetime": (1, is_datetime),
    "mysql_date": (1, _date),
    "mysql_datediff": (2, _days_between),
    "mysql_date_format": (2, _format),
    "mysql_unix_timestamp": (1, _unix_timestamp),
    "mysql_timestampdiff": (3, _difference),
    "mysql_shift": (4, _shift),
    "mysql_ceil": (1, lambda number: None if number is None else math.ceil(number)),
    "mysql_floor": (1, lambda number: None if number is None else math.floor(number)),
    "mysql_round": (2, _round),
    "mysql_mod": (2, _mod),
    "mysql_substring": (-1, _substring),
    "mysql_upper": (1, _with_case(str.upper)),
    "mysql_lower": (1, _with_case(str.lower)),
}
"""By name in SQLite: the number of arguments (-1: any) and the function, which depends on its arguments only."""
