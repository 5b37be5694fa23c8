"""Tests of the report of limits."""

from benchmarks.limits import Limit, report


def test_each_limit_has_a_line_and_an_exceeded_one_the_exit_code() -> None:
    """A limit is met if the measurement equals it."""
    met = Limit(what="a", measured=1.6, most=1.6, unit="times")
    exceeded = Limit(what="b", measured=20.5, most=20.0, unit="seconds")
    lines: list[str] = []
    assert 0 == report(iter([met]), lines.append)
    assert 1 == report(iter([exceeded, met]), lines.append)
    assert "    1.60 times    at most 1.6: a (met)\n" == lines[0]
    assert "   20.50 seconds  at most 20: b (EXCEEDED)\n" == lines[1]
