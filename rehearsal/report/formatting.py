"""Formatting of numbers, durations, measurements and settings for the page and the terminal."""

MINUS = "\N{MINUS SIGN}"


def format_number(value: float) -> str:
    """Format a number with at most two decimals; small ones with two significant digits."""
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:.2g}" if abs(value) < 0.1 else f"{value:,.2f}".rstrip("0").rstrip(".")


def format_count(number: float, noun: str) -> str:
    """Format a count with its noun: `1 row`, `1,204 rows`."""
    return f"{format_number(number)} {noun}{'' if number == 1 else 's'}"


def format_duration(seconds: float) -> str:
    """Format a duration: `12.3 s`, or `2 min 43 s` from two minutes on."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def format_clock(seconds: float) -> str:
    """Format seconds with two decimals and a true minus sign."""
    return f"{seconds:.2f}".replace("-", MINUS)


UNITS = {"seconds": "s", "ms": "ms", "percent": "%", "count": ""}
LABELS = {
    "absences": "Outages",
    "asked_actions": "Called",
    "asked_seconds": "Approval requested",
    "dark_seconds": "Outage",
    "dns_moved_seconds": "DNS changed",
    "instances_put_back": "Instances recreated",
    "promoted_to_write_seconds": "Promotion to first write",
    "silent_calls": "Unanswered",
    "told_seconds": "Notice sent",
    "without_advice_seconds": "Without the advice at least",
}
"""Labels that differ from the measurement's name."""
ACRONYMS = {"dns": "DNS", "rpo": "RPO", "rto": "RTO", "api": "API", "rds": "RDS", "ttl": "TTL"}


def format_measurement(name: str, value: float) -> tuple[str, str, str]:
    """Return a measurement's label, number and unit: `dns_moved_seconds`, 9.0 -> `DNS changed`, `9`, `s`."""
    stem, _, unit = name.rpartition("_")
    label = LABELS.get(name) or " ".join(ACRONYMS.get(word, word) for word in (stem or unit).split("_"))
    unit = UNITS.get(unit, unit) if stem else ""
    if value == 1 and unit not in UNITS.values():
        unit = unit.removesuffix("s")
    return label[:1].upper() + label[1:], format_number(value), unit


def format_setting(value: object) -> str:
    """Format a setting's value."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return format_number(value)
    if isinstance(value, list | tuple):
        return ", ".join(format_setting(one) for one in value) or "none"
    return str(value)
