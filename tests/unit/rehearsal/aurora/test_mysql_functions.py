"""Functions that SQLite lacks or computes differently, and values as a column stores them."""

import time
from collections.abc import Iterator

import pytest

from rehearsal.aurora.global_database import Cluster, GlobalDatabase, SqlError
from rehearsal.aurora.session import MysqlSession


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
        ("ROUND(3.34 + 0.005, 2)", 3.35),
        ("FLOOR(0.29 * 100)", 29),
        ("CEIL(1.10 * 100)", 110),
        ("CAST(12345 AS CHAR(3))", "123"),
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
        ("DATE_FORMAT('0999-01-02 15:04:05', '%c %e %T %% %M')", "1 2 15:04:05 % January"),
        ("MOD(10, 0.3)", 0.1),
        ("ROUND(1e30)", 1e30),
        ("SUBSTR('abc', 2.5)", "c"),
        ("SUBSTR(X'4142', 2)", b"B"),
        ("UPPER(X'6162')", b"ab"),
        ("CAST('1.6' AS SIGNED)", 1),
        ("CAST(1.6 AS SIGNED)", 2),
        ("CAST(9007199254740993 AS SIGNED)", 9007199254740993),
        ("CONCAT('n-', 1 + 1)", "n-2"),
        ("CONCAT('a', NULL)", None),
        ("'2026-01-01' + INTERVAL 2 WEEK", "2026-01-15"),
        ("'2026-01-01 10:00:00' - INTERVAL 90 MINUTE", "2026-01-01 08:30:00"),
        ("'9999-12-31' + INTERVAL 1 DAY", None),
        ("UNIX_TIMESTAMP('2026-01-01 00:00:00')", 1767225600),
        ("TIMESTAMPDIFF(SECOND, 'x', '2026-01-01')", None),
        ("'2026-01-01' + INTERVAL NULL DAY", None),
    ],
)
def test_function_returns_the_documented_value(cluster: Cluster, expression: str, value: object) -> None:
    """The value and its Python type."""
    [(found,)] = cluster.execute(f"SELECT {expression}")
    assert value == found
    assert type(value) is type(found)


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        ("DECIMAL(12, 2)", "10.555", "10.56"),
        ("DECIMAL(12, 2)", "1.005", "1.01"),
        ("DECIMAL(12, 2)", "0.1 + 0.2", "0.30"),
        ("DECIMAL(5, 0)", "1.5", "2"),
        ("DATETIME", "'2026-01-02T03:04:05.6'", "2026-01-02 03:04:06"),
        ("DATETIME(3)", "'2026-12-31 23:59:59.9996'", "2027-01-01 00:00:00"),
        ("DATETIME(6)", "'2026-01-02'", "2026-01-02 00:00:00"),
        ("DATE", "'2026-01-02 10:00:00'", "2026-01-02"),
        ("DATE", "NULL", None),
    ],
)
def test_column_stores_the_value_as_mysql_does(cluster: Cluster, column: str, value: str, stored: str | None) -> None:
    """Inserted and updated values are rounded to the column's digits and spelled in one way."""
    cluster.execute("CREATE DATABASE IF NOT EXISTS kept")
    cluster.execute("DROP TABLE IF EXISTS kept.t")
    cluster.execute(f"CREATE TABLE kept.t (id INT PRIMARY KEY, v {column})")
    cluster.execute(f"INSERT INTO kept.t VALUES (1, {value}), (2, NULL)")
    cluster.execute(f"UPDATE kept.t SET v = {value} WHERE id = 2")
    assert [(stored,), (stored,)] == cluster.execute("SELECT v FROM kept.t ORDER BY id")


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("INSERT INTO narrow.t (price) VALUES (999.999)", 1264),
        ("INSERT INTO narrow.t (at) VALUES ('2040-01-01')", 1292),
        ("INSERT INTO narrow.t (at) VALUES ('2026-W01-1')", 1292),
        ("INSERT INTO narrow.t (id) VALUES (200)", 1264),
        ("INSERT INTO narrow.t (id) VALUES (0)", 1235),
        ("INSERT INTO narrow.t (code) VALUES ('ab')", 1406),
        ("INSERT INTO narrow.t (raw) VALUES (X'414243')", 1406),
        ("INSERT IGNORE INTO narrow.t (code) VALUES ('ab')", 1406),
        ("INSERT INTO narrow.t (code, code) VALUES ('a', 'b')", 1110),
        ("INSERT INTO narrow.named (v) VALUES (1)", 1048),
        ("DELETE FROM narrow.t WHERE id = (SELECT name FROM narrow.named)", 1242),
        ("DELETE FROM narrow.t WHERE id IN (SELECT id FROM narrow.t)", 1093),
        ("SELECT 1 == 1", 1064),
        ("SELECT (1,)", 1064),
        ("SELECT other.t.id FROM narrow.t", 1054),
        ("SET autocommit = 2", 1231),
    ],
)
def test_what_mysql_refuses_is_refused(cluster: Cluster, statement: str, code: int) -> None:
    """SQLite would take each of them, or change other rows."""
    cluster.execute("CREATE DATABASE IF NOT EXISTS narrow")
    cluster.execute(
        "CREATE TABLE IF NOT EXISTS narrow.t (id TINYINT AUTO_INCREMENT PRIMARY KEY, price DECIMAL(5, 2), at TIMESTAMP NULL, "
        "code CHAR, raw VARBINARY(2))"
    )
    cluster.execute("CREATE TABLE IF NOT EXISTS narrow.named (name INT PRIMARY KEY, v INT)")
    cluster.execute("INSERT IGNORE INTO narrow.named VALUES (1, 1), (2, 2)")
    with pytest.raises(SqlError) as caught:
        cluster.execute(statement)
    assert code == caught.value.code
    assert cluster.execute("SELECT COUNT(*) FROM narrow.t") == [(0,)]


def test_negative_and_restarted_ids(cluster: Cluster) -> None:
    """A client gets no negative id as the last one, and TRUNCATE starts at 1 again."""
    cluster.execute("CREATE DATABASE IF NOT EXISTS ids")
    cluster.execute("CREATE TABLE ids.t (id INT AUTO_INCREMENT PRIMARY KEY)")
    session = cluster.session("rdsadmin")
    assert session.execute("INSERT INTO ids.t VALUES (-5)").last_insert_id == 0
    session.execute("INSERT INTO ids.t VALUES (7)")
    session.execute("TRUNCATE TABLE ids.t")
    assert session.execute("INSERT INTO ids.t VALUES (NULL)").last_insert_id == 1


LEDGER = (
    "CREATE DATABASE ledger_{0}",
    "CREATE TABLE ledger_{0}.t (id INT PRIMARY KEY, n INT, amt DECIMAL(10, 2), CHECK (amt <= 100))",
    "CREATE TABLE ledger_{0}.u (id INT PRIMARY KEY, n INT)",
    "INSERT INTO ledger_{0}.t VALUES (1, 30, 0.1), (2, 20, 0.2), (3, 10, -0.3)",
    "INSERT INTO ledger_{0}.u VALUES (1, 1), (3, 30)",
)


@pytest.fixture
def ledger(cluster: Cluster) -> Iterator[MysqlSession]:
    """A session in a database with two tables."""
    name = f"ledger_{len(cluster.execute('SHOW DATABASES'))}"
    for statement in LEDGER:
        cluster.execute(statement.format(name.removeprefix("ledger_")))
    session = cluster.session("rdsadmin")
    session.use(name)
    yield session
    session.close()


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT SUM(amt) = 0 FROM t", ((1,),)),
        ("SELECT id FROM (SELECT id, SUM(amt) OVER (ORDER BY id) AS s FROM t) x WHERE s = 0", ((3,),)),
        ("SELECT SUM(amt) FROM t WHERE id > 9", ((None,),)),
        ("SELECT 1 AS n FROM t GROUP BY id HAVING SUM(n) > 20", ((1,),)),
        ("SELECT SUM(n) AS n FROM t HAVING n > 20", ((60,),)),
        ("SELECT 5 AS id FROM t GROUP BY n HAVING EXISTS (SELECT 1 FROM u WHERE id = 3) LIMIT 1", ((5,),)),
        (
            "SELECT (SELECT y.n * 2 AS d FROM t y WHERE y.id = u.id ORDER BY d LIMIT 2) FROM u ORDER BY id",
            ((60,), (20,)),
        ),
        ("SELECT n FROM t WHERE id IN ((SELECT id FROM u WHERE n = 1), 3) ORDER BY n", ((10,), (30,))),
    ],
)
def test_query_has_mysqls_rows(ledger: MysqlSession, query: str, rows: tuple[object, ...]) -> None:
    """Sums are exact, HAVING sees aliases outside of aggregates, and a subquery's alias keeps its name."""
    assert rows == ledger.execute(query).rows


@pytest.mark.parametrize(
    "query",
    [
        "SELECT (SELECT n FROM t)",
        "SELECT (SELECT x.n + (SELECT MAX(n) FROM u) FROM t x)",
        "SELECT (SELECT SUM(n) OVER () FROM u)",
        "SELECT (SELECT 1 UNION SELECT 2)",
    ],
)
def test_value_from_several_rows_is_refused(ledger: MysqlSession, query: str) -> None:
    """SQLite would take the first row."""
    with pytest.raises(SqlError) as caught:
        ledger.execute(query)
    assert caught.value.code == 1242


def test_name_of_the_changed_table_as_an_alias(ledger: MysqlSession) -> None:
    """In a subquery it is another table."""
    ledger.execute("DELETE FROM t WHERE id IN (SELECT t.id FROM u t WHERE t.n = 30)")
    ledger.execute("INSERT INTO t (id, n) SELECT t.id + 10, t.n FROM t WHERE t.id = 1")
    ledger.execute("UPDATE t SET t.n = (SELECT u.n FROM u WHERE u.id = t.id) WHERE t.id = 1")
    assert ((1, 1), (2, 20), (11, 30)) == ledger.execute("SELECT id, n FROM t ORDER BY id").rows


def test_constraints_see_the_stored_values(ledger: MysqlSession) -> None:
    """CHECK, UNIQUE and ON DUPLICATE KEY UPDATE, whose values are rounded later than SQLite looks at them."""
    ledger.execute("INSERT INTO t VALUES (4, 1, 100.004)")
    ledger.execute("CREATE TABLE days (day DATE PRIMARY KEY, price DECIMAL(5, 2) UNIQUE, n INT)")
    ledger.execute("INSERT INTO days VALUES ('2026-01-01 10:00:00', 1.004, 1)")
    ledger.execute("INSERT INTO days VALUES ('2026-01-01 11:00:00', 2, 1) ON DUPLICATE KEY UPDATE n = n + 1")
    assert (
        1
        == ledger.execute("INSERT IGNORE INTO days VALUES ('2026-01-02', 1.001, 1), ('2026-01-03', 3, 1)").affected_rows
    )
    assert (("2026-01-01", "1.00", 2), ("2026-01-03", "3.00", 1)) == ledger.execute(
        "SELECT * FROM days ORDER BY day"
    ).rows


def test_columns_with_one_name_and_two_types(cluster: Cluster) -> None:
    """The type of a column's name in another table is not used for values that it cannot have."""
    cluster.execute("CREATE DATABASE IF NOT EXISTS types")
    cluster.execute("CREATE TABLE types.n (id INT PRIMARY KEY, amount DECIMAL(5, 2))")
    cluster.execute("CREATE TABLE types.s (id VARCHAR(5) PRIMARY KEY, amount VARCHAR(5), raw BLOB)")
    cluster.execute("INSERT INTO types.n VALUES (1, 2.5)")
    cluster.execute("INSERT INTO types.s VALUES ('r-1', 'n/a', 'text')")
    rows = cluster.execute(
        "SELECT n.id, s.id, s.amount, s.raw, COALESCE(n.amount, 'none') FROM types.n n JOIN types.s s"
    )
    assert rows == [(1, "r-1", "n/a", b"text", "2.50")]


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
