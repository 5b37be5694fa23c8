"""Tests of the comparison of the two engines."""

from benchmarks.engines import PULUMI, PYTHON, table_of


def test_table_has_the_median_of_each_step() -> None:
    """A step that an engine does not have stays empty."""
    table = table_of({("dev", PYTHON, "up"): [3.0, 9.0, 4.04], ("prod", PULUMI, "up"): [7.0]})
    assert table.splitlines()[0] == "| command | dev, in Python | dev, Pulumi | prod, in Python | prod, Pulumi |"
    assert "| up | 4.0 s |  |  | 7.0 s |" in table.splitlines()
