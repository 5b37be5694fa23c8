"""The list of supported SQL, and the cost of a translation."""

from pathlib import Path

import pytest

from rehearsal.aurora.mysql_functions import UNITS
from rehearsal.aurora.sql import plan
from rehearsal.aurora.sql_error import SqlError
from rehearsal.aurora.supported_sql import NAMED_FUNCTIONS, SUPPORTED, parse

LIST = Path(__file__).parents[3] / "integration" / "database" / "statements.txt"


def test_each_supported_part_is_compared_with_mysql() -> None:
    """Each clause, operator, function and unit is in a statement that runs on both."""
    parts: set[str] = set()
    for line in LIST.read_text(encoding="utf-8").splitlines():
        _, _, statement = line.partition("> ")
        try:
            plan(statement, "shop")
        except SqlError:
            continue
        for node in (each for tree in parse(statement) for each in tree.walk()):
            parts |= {type(node).__name__, node.name.upper(), node.text("unit").upper()}
    assert {each.__name__ for each in SUPPORTED} | NAMED_FUNCTIONS | set(UNITS) <= parts


def test_deep_expression_is_refused() -> None:
    """The translation is recursive."""
    with pytest.raises(SqlError, match="an expression of this depth"):
        plan(f"SELECT {'(' * 50}1{' + 1)' * 50}{' % 2' * 300}", None)


def test_nested_calls_are_translated_once() -> None:
    """The plan of a statement grows with its length."""
    depth = 20
    [(text, _)] = plan(f"SELECT {'UPPER(' * depth}'a'{')' * depth}{' % 2' * depth}", None).statements
    assert text.lower().count("mysql_upper") == depth
    assert text.lower().count("mysql_mod") == depth
