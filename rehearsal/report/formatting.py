"""Numbers, durations, measurements and settings in words, the same on the page and on the terminal.

Owns: how values are spelled for people. Does not own: what they mean (`report`), or where they stand.
"""

MINUS = "\N{MINUS SIGN}"


def shown(value: float) -> str:
    """A number for people: whole, or at most two decimals; small ones keep two digits."""
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:.2g}" if abs(value) < 0.1 else f"{value:,.2f}".rstrip("0").rstrip(".")


def counted(number: float, noun: str) -> str:
    """How many of something: `1 row`, `1,204 rows`."""
    return f"{shown(number)} {noun}{'' if number == 1 else 's'}"


def duration_words(seconds: float) -> str:
    """A duration for people: `12.3 s`, or `1 min 43 s` from two minutes on."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def clock_words(seconds: float) -> str:
    """A moment of a drill with two decimals and a true minus sign."""
    return f"{seconds:.2f}".replace("-", MINUS)


UNITS = {"seconds": "s", "ms": "ms", "percent": "%", "count": ""}
ACRONYMS = {"dns": "DNS", "rpo": "RPO", "rto": "RTO", "api": "API", "rds": "RDS", "ttl": "TTL"}


def measurement_words(name: str, value: float) -> tuple[str, str, str]:
    """A measurement's label, number and unit: `dns_moved_seconds`, 9.0 -> `DNS moved`, `9`, `s`."""
    stem, _, unit = name.rpartition("_")
    label = " ".join(ACRONYMS.get(word, word) for word in (stem or unit).split("_"))
    unit = UNITS.get(unit, unit) if stem else ""
    if value == 1 and unit not in UNITS.values():
        unit = unit.removesuffix("s")
    return label[:1].upper() + label[1:], shown(value), unit


def setting_words(value: object) -> str:
    """A setting's value for people."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return shown(value)
    if isinstance(value, list | tuple):
        return ", ".join(setting_words(one) for one in value) or "none"
    return str(value)
