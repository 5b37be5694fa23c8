"""MySQL functions that SQLite lacks or computes differently. NULL is None; an invalid date gives NULL."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(\.\d{1,6})?)?")
"""The spellings of a date, with or without a time, that the stand-in reads; MySQL reads more."""
UNITS = {
    "MICROSECOND": timedelta(microseconds=1),
    "SECOND": timedelta(seconds=1),
    "MINUTE": timedelta(minutes=1),
    "HOUR": timedelta(hours=1),
    "DAY": timedelta(days=1),
    "WEEK": timedelta(weeks=1),
}
"""The units of intervals that have a constant length."""
_DIGITS = 400
"""More digits than any floating-point number has."""
_LETTERS = {
    **{letter: f"%{letter}" for letter in "abdfHjmpSwyY%"},
    **{
        "c": "%-m",
        "e": "%-d",
        "h": "%I",
        "I": "%I",
        "i": "%M",
        "k": "%-H",
        "l": "%-I",
        "M": "%B",
        "s": "%S",
        "W": "%A",
    },
    **{"T": "%H:%M:%S", "r": "%I:%M:%S %p"},
}
"""The letters of DATE_FORMAT, each as strftime has it. Source: "DATE_FORMAT", MySQL reference manual."""


def unknown_letter(mysql_format: str) -> str | None:
    """Return the first letter of a format for DATE_FORMAT that is not supported, or None."""
    return next((letter for letter in re.findall("%(.?)", mysql_format) if letter not in _LETTERS), None)


def python_format(mysql_format: str) -> str:
    """Return a format for DATE_FORMAT as strftime has it."""
    return re.sub("%(.)", lambda found: _LETTERS[found[1]], mysql_format)


def format_datetime(moment: datetime, digits: int) -> str:
    """Return a UTC time as a MySQL DATETIME with `digits` fractional digits."""
    text = moment.strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{moment.microsecond:06d}"[: 20 + digits] if digits else text


def parse_datetime(text: str) -> datetime:
    """Parse a MySQL DATETIME as a UTC time. Raises ValueError."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def is_datetime(text: object) -> bool:
    """Return whether the value is a valid date or datetime, or NULL."""
    return text is None or _moment(text) is not None


def _moment(text: object) -> datetime | None:
    try:
        return parse_datetime(str(text)) if _MOMENT.fullmatch(str(text)) else None
    except ValueError:
        return None


def _stored_datetime(text: object, digits: int) -> object:
    """Return a DATETIME as a column with this number of fractional digits keeps it; without a fraction if that is zero."""
    moment = _moment(text)
    if moment is None:
        return text  # the column's constraint refuses it
    unit = 10 ** (6 - digits)
    rounded = timedelta(microseconds=(moment.microsecond + unit // 2) // unit * unit)
    moment = moment.replace(microsecond=0) + rounded
    return format_datetime(moment, 6 if moment.microsecond else 0)


def _stored_date(text: object) -> object:
    return _date(text) or text


def _stored_decimal(number: float | str | None, digits: int) -> object:
    return _round(number, digits) if isinstance(number, int | float) else number


def _date(text: object) -> str | None:
    moment = _moment(text)
    return moment.date().isoformat() if moment else None


def _days_between(later: object, earlier: object) -> int | None:
    end, start = _moment(later), _moment(earlier)
    return (end.date() - start.date()).days if end and start else None


def _format(text: object, format_of_python: str) -> str | None:
    moment = _moment(text)
    return moment.strftime(format_of_python) if moment else None


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
    unit = unit.upper()
    steps = float(amount) if unit == "SECOND" else int(_rounded(float(amount), 0))
    try:
        shifted = moment + sign * steps * UNITS[unit]
    except OverflowError:
        return None
    if unit in ("DAY", "WEEK") and len(str(text)) == len("2026-01-01"):
        return shifted.date().isoformat()
    return format_datetime(shifted, 6 if shifted.microsecond else 0)


def _round(number: float | None, digits: int | None) -> float | None:
    if number is None or digits is None:
        return None
    return type(number)(_rounded(number, digits))


def _rounded(number: float, digits: int) -> Decimal:
    with localcontext(prec=_DIGITS):
        return _decimal(number).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _decimal(number: float) -> Decimal:
    """Return the decimal that a number of SQLite stands for: a double holds 15 digits, and its arithmetic changes the next ones."""
    return Decimal(number) if isinstance(number, int) else Decimal(f"{number:.15g}")


def _signed(value: float | str | bytes | None) -> int | None:
    """Return CAST(value AS SIGNED): a number is rounded, a text read up to its first other character."""
    if value is None:
        return None
    if isinstance(value, int | float):
        return int(_rounded(value, 0))
    found = re.match(r"\s*([+-]?\d+)", value.decode(errors="replace") if isinstance(value, bytes) else value)
    return int(found[1]) if found else 0


def _mod(number: float | None, divisor: float | None) -> float | None:
    if number is None or not divisor:
        return None
    with localcontext(prec=_DIGITS):
        rest = _decimal(number) % _decimal(divisor)  # has the sign of the number, as in MySQL
    return int(rest) if isinstance(number, int) and isinstance(divisor, int) else float(rest)


def _concat(*texts: object) -> str | None:
    if None in texts:
        return None
    return "".join(text.decode(errors="replace") if isinstance(text, bytes) else str(text) for text in texts)


def _substring(text: object, start: float | None, length: float | None = 1e15) -> str | bytes | None:
    if text is None or start is None or length is None:
        return None
    whole = text if isinstance(text, bytes) else str(text)
    position, count = int(_rounded(start, 0)), int(_rounded(length, 0))
    first = position - 1 if position > 0 else len(whole) + position
    return whole[:0] if position == 0 or first < 0 or count <= 0 else whole[first : first + count]


def _with_case(change: Callable[[str], str]) -> Callable[[object], object]:
    def changed(text: object) -> object:
        if text is None or isinstance(text, bytes):
            return text
        # One character stays one character: MySQL keeps "ß".
        return "".join(new if len(new := change(old)) == 1 else old for old in str(text))

    return changed


class ExactSum:
    """SUM as an aggregate and in a window: of decimals, as in MySQL, so that a balanced ledger has the sum 0."""

    def __init__(self) -> None:
        self._sum, self._count, self._floats = Decimal(0), 0, 0

    def step(self, value: float | str | None) -> None:
        """Add a row's value."""
        self._add(value, 1)

    def inverse(self, value: float | str | None) -> None:
        """Take back the value of a row that leaves the window."""
        self._add(value, -1)

    def value(self) -> float | None:
        """Return the sum of the values so far, or NULL without one."""
        if not self._count:
            return None
        return float(self._sum) if self._floats else int(self._sum)

    def finalize(self) -> float | None:
        """Return the sum."""
        return self.value()

    def _add(self, value: float | str | None, sign: int) -> None:
        if value is None:
            return
        number = value if isinstance(value, int | float) else float(_signed(value) or 0)
        with localcontext(prec=_DIGITS):
            self._sum += sign * _decimal(number)
        self._count += sign
        self._floats += sign * isinstance(number, float)


class OnlyRow:
    """An aggregate that returns the value of the only row, or NULL without a row; `step` raises ValueError for a second one."""

    def __init__(self) -> None:
        self._values: list[Any] = []

    def step(self, value: Any) -> None:
        """Take a row's value."""
        if self._values:
            raise ValueError("more than one row")
        self._values.append(value)

    def finalize(self) -> Any:
        """Return the value."""
        return self._values[0] if self._values else None


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "mysql_is_datetime": (1, is_datetime),
    "mysql_date": (1, _date),
    "mysql_datediff": (2, _days_between),
    "mysql_date_format": (2, _format),
    "mysql_unix_timestamp": (1, _unix_timestamp),
    "mysql_timestampdiff": (3, _difference),
    "mysql_shift": (4, _shift),
    "mysql_ceil": (1, lambda number: None if number is None else math.ceil(_decimal(number))),
    "mysql_floor": (1, lambda number: None if number is None else math.floor(_decimal(number))),
    "mysql_round": (2, _round),
    "mysql_signed": (1, _signed),
    "mysql_mod": (2, _mod),
    "mysql_concat": (-1, _concat),
    "mysql_stored_datetime": (2, _stored_datetime),
    "mysql_stored_date": (1, _stored_date),
    "mysql_stored_decimal": (2, _stored_decimal),
    "mysql_substring": (-1, _substring),
    "mysql_upper": (1, _with_case(str.upper)),
    "mysql_lower": (1, _with_case(str.lower)),
}
"""SQLite's name -> the number of arguments (-1: any) and the function. All are deterministic."""
