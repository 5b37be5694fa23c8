"""The functions that SQLite lacks or computes otherwise, with MySQL's results."""

import time
from collections.abc import Iterator

import pytest

from rehearsal.aurora.global_database import Cluster, GlobalDatabase, SqlError


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A writer."""
    database = GlobalDatabase(clock=time.time)
    yield database.add_cluster("payments-us-east-1-dev", "us-east-1", writer=True)
    database.close()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("UPPER('\u00e9')", "\u00c9"),
        ("UPPER('\u00df')", "\u00df"),
        ("LOWER(12)", "12"),
        ("LOWER(NULL)", None),
        ("SUBSTR('abcdef', 2, 3)", "bcd"),
        ("SUBSTR('abcdef', -3, 2)", "de"),
        ("SUBSTR('abcdef', 0, 2)", ""),
        ("SUBSTR('abc', -5, 3)", ""),
        ("SUBSTR('abcdef', 2, -1)", ""),
        ("SUBSTR('abc', 1.6)", "bc"),
        ("SUBSTR('abc', 1, NULL)", None),
        ("ROUND(5)", 5),
        ("ROUND(1250, -2)", 1300),
        ("ROUND(2.55, 1)", 2.6),
        ("ROUND(-2.5)", -3.0),
        ("CEIL(1.2)", 2),
        ("FLOOR(-1.5)", -2),
        ("MOD(-7, 3)", -1),
        ("7.5 % 2", 1.5),
        ("7 % 0", None),
        ("DATE('2026-02-30')", None),
        ("DATEDIFF('2026-01-01', '2026-01-03 23:00:00')", -2),
        ("DATEDIFF('x', '2026-01-01')", None),
        ("DATE_FORMAT('2026-01-02 15:04:05', '%d/%m/%y %h:%i %p')", "02/01/26 03:04 PM"),
        ("DATE_FORMAT('x', '%Y')", None),
        ("UNIX_TIMESTAMP('2026-01-01 00:00:00')", 1767225600),
        ("TIMESTAMPDIFF(SECOND, 'x', '2026-01-01')", None),
        ("'2026-01-01' + INTERVAL NULL DAY", None),
    ],
)
def test_value_is_mysqls(cluster: Cluster, expression: str, value: object) -> None:
    """NULL and dates that do not exist give NULL."""
    [(found,)] = cluster.execute(f"SELECT {expression}")
    assert value == found
    assert type(value) is type(found)


def test_error_has_the_name_that_the_client_sent(cluster: Cluster) -> None:
    """SQLite has another name for a table with a capital."""
    cluster.execute("CREATE DATABASE IF NOT EXISTS shop")
    with pytest.raises(SqlError) as caught:
        cluster.execute("SELECT 1 FROM shop.Orders")
    assert caught.value.message == "Table 'shop.Orders' doesn't exist"


def test_names_of_tables_have_a_case(cluster: Cluster) -> None:
    """Aurora's cluster parameter lower_case_table_names is 0."""
    cluster.execute("CREATE DATABASE Ledger")
    cluster.execute("CREATE DATABASE ledger")
    for name in ("Ledger.t", "ledger.t", "ledger.T", "ledger.`^t`"):
        cluster.execute(f"CREATE TABLE {name} (id INT)")
        cluster.execute(f"INSERT INTO {name} VALUES (1)")
    cluster.execute("DROP TABLE ledger.T")
    assert cluster.execute("SELECT COUNT(*) FROM ledger.t") == [(1,)]
    assert cluster.execute("SELECT COUNT(*) FROM ledger.`^t`") == [(1,)]
