"""A cluster's volume: an in-memory SQLite database with the tables, users, grants and events of one Aurora cluster.

Changes are atomic. Replaying a change on another volume produces the same rows, because the change records its timestamp,
session variables and random seed.
"""

import json
import random
import re
import sqlite3
import time
import uuid
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rehearsal.aurora.mysql_functions import FUNCTIONS, ExactSum, OnlyRow, format_datetime
from rehearsal.aurora.sql import TableName, shown_names
from rehearsal.aurora.sql_error import SqlError, unsupported

GLOBAL_STATUS_COLUMNS = {
    "aws_region": "text",
    "highest_lsn_written": "integer",
    "durability_lag_in_milliseconds": "double",
    "rpo_lag_in_milliseconds": "double",
    "last_lag_calculation_timestamp": "datetime",
    "oldest_read_view_trx_id": "integer",
}
"""The documented columns of information_schema.aurora_global_db_status and how a client decodes them.

Source: "Aurora MySQL-specific information_schema tables" (Amazon Aurora user guide).
"""

_CATALOG = """
CREATE TABLE "aurora.ids" (id INTEGER PRIMARY KEY AUTOINCREMENT); -- creates sqlite_sequence
CREATE TABLE "aurora.schemata" (schema_name TEXT PRIMARY KEY);
CREATE TABLE "aurora.tables" (table_schema TEXT, table_name TEXT, description TEXT, is_exact INTEGER,
  PRIMARY KEY (table_schema, table_name));
CREATE TABLE "aurora.columns" (table_schema TEXT, table_name TEXT, column_name TEXT, ordinal_position INTEGER,
  data_type TEXT, numeric_scale INTEGER, PRIMARY KEY (table_schema, table_name, column_name));
CREATE TABLE "aurora.grants" (user TEXT, host TEXT, privilege TEXT, table_schema TEXT, table_name TEXT,
  PRIMARY KEY (user, host, privilege, table_schema, table_name));
CREATE TABLE "aurora.events" (event_schema TEXT, event_name TEXT, definer TEXT, body TEXT, starts_at REAL,
  interval_value INTEGER, status TEXT, on_completion TEXT, PRIMARY KEY (event_schema, event_name));
CREATE TABLE "mysql.user" (host TEXT, user TEXT, plugin TEXT NOT NULL, authentication_string TEXT, ssl_type TEXT NOT NULL,
  account_locked TEXT NOT NULL, PRIMARY KEY (host, user));
CREATE VIEW "aurora.visible" AS
  SELECT schema_name FROM "aurora.schemata" WHERE mysql_user() = 'rdsadmin' OR EXISTS (SELECT 1 FROM "aurora.grants" g
    WHERE g.user = mysql_user() AND g.table_schema IN ('*', schema_name))
  UNION SELECT 'information_schema'
  UNION SELECT 'mysql' WHERE mysql_user() = 'rdsadmin' OR EXISTS (SELECT 1 FROM "aurora.grants" g
    WHERE g.user = mysql_user() AND g.table_schema IN ('*', 'mysql'));
CREATE VIEW "aurora.visible_grants" AS
  SELECT '''' || user || '''@''' || host || '''' AS grantee, user, table_schema, table_name, privilege AS privilege_type,
    CASE WHEN EXISTS (SELECT 1 FROM "aurora.grants" o WHERE o.user = g.user AND o.host = g.host
      AND o.table_schema = g.table_schema AND o.table_name = g.table_name AND o.privilege = 'GRANT OPTION')
      THEN 'YES' ELSE 'NO' END AS is_grantable
  FROM "aurora.grants" g WHERE privilege <> 'GRANT OPTION'
    AND (user = mysql_user() OR 'mysql' IN (SELECT schema_name FROM "aurora.visible"));
CREATE VIEW "information_schema.user_privileges" AS
  SELECT grantee, 'def' AS table_catalog, privilege_type, is_grantable FROM "aurora.visible_grants" WHERE table_schema = '*'
  UNION ALL SELECT '''' || user || '''@''' || host || '''', 'def', 'USAGE', 'NO' FROM "mysql.user" u
    WHERE (user = mysql_user() OR 'mysql' IN (SELECT schema_name FROM "aurora.visible")) AND NOT EXISTS
      (SELECT 1 FROM "aurora.grants" g WHERE g.user = u.user AND g.host = u.host AND g.table_schema = '*');
CREATE VIEW "information_schema.schema_privileges" AS
  SELECT grantee, 'def' AS table_catalog, table_schema, privilege_type, is_grantable FROM "aurora.visible_grants"
    WHERE table_schema <> '*' AND table_name = '*';
CREATE VIEW "information_schema.table_privileges" AS
  SELECT grantee, 'def' AS table_catalog, table_schema, table_name, privilege_type, is_grantable
    FROM "aurora.visible_grants" WHERE table_name <> '*';
CREATE VIEW "information_schema.schemata" AS SELECT schema_name FROM "aurora.visible";
CREATE VIEW "information_schema.tables" AS
  SELECT table_schema, table_name, 'BASE TABLE' AS table_type, 'InnoDB' AS engine FROM "aurora.tables"
    WHERE table_schema IN (SELECT schema_name FROM "aurora.visible");
CREATE VIEW "information_schema.columns" AS
  SELECT table_schema, table_name, json_extract(value, '$.name') AS column_name, key + 1 AS ordinal_position,
    json_extract(value, '$.default') AS column_default,
    CASE json_extract(value, '$.is_nullable') WHEN 1 THEN 'YES' ELSE 'NO' END AS is_nullable,
    replace(substr(json_extract(value, '$.type'), 1, instr(json_extract(value, '$.type') || '(', '(') - 1), ' unsigned', '')
      AS data_type, json_extract(value, '$.type') AS column_type
  FROM "aurora.tables", json_each(description, '$.columns')
    WHERE table_schema IN (SELECT schema_name FROM "aurora.visible");
CREATE VIEW "information_schema.events" AS
  SELECT event_schema, event_name, definer, body AS event_definition, 'RECURRING' AS event_type,
    CAST(interval_value AS TEXT) AS interval_value, 'SECOND' AS interval_field, datetime(starts_at, 'unixepoch') AS starts,
    status, on_completion FROM "aurora.events" WHERE mysql_user() = 'rdsadmin' OR EXISTS (SELECT 1 FROM "aurora.grants" g
      WHERE g.user = mysql_user() AND g.privilege = 'EVENT' AND g.table_schema IN ('*', event_schema));
"""


@dataclass(frozen=True, kw_only=True)
class ExecutionContext:
    """The time, session values and random seed of a statement."""

    at: float  # seconds since the epoch
    user: str = ""
    database: str | None = None
    connection_id: int = 0
    last_insert_id: int = 0
    variables: Mapping[str, object] = field(default_factory=dict)
    seed: int = field(default_factory=lambda: random.getrandbits(64))


@dataclass(frozen=True, kw_only=True)
class RowChange:
    """A writing statement in SQLite's SQL, with the context to replay it in."""

    statements: tuple[tuple[str, tuple[object, ...]], ...]
    context: ExecutionContext
    inserts_into: str | None = None  # the table name in SQLite
    is_read: bool = False  # a locking read: it changes nothing, and COMMIT must find the same rows


@dataclass(frozen=True, kw_only=True)
class ChangeOutcome:
    """The counts that a client gets for a change, or the rows of a locking read."""

    affected_rows: int
    last_insert_id: int
    rows: tuple[tuple[object, ...], ...] = ()


STATEMENT_SECONDS = 5.0
"""The longest time of a statement: it holds the lock of all clusters, which also the controllers' probes need."""
PROGRESS_STEPS = 100_000
"""Steps of SQLite's machine between two looks at the clock."""


class Volume:
    """The storage of one cluster. Not thread-safe: the global database's lock guards it."""

    def __init__(
        self,
        global_status: Callable[[], Sequence[Sequence[object]]],
        *,
        statement_seconds: float = STATEMENT_SECONDS,
    ) -> None:
        self._statement_seconds = statement_seconds
        self._deadline = float("inf")
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._close = weakref.finalize(self, self._connection.close)
        self._connection.executescript(_CATALOG)
        self._context = ExecutionContext(at=0.0)
        self._random = random.Random(0)
        self._column_types: dict[tuple[str, str, str], tuple[str, int]] = {}
        self._register_functions(global_status)
        self._connection.set_progress_handler(lambda: time.monotonic() > self._deadline, PROGRESS_STEPS)
        columns = ", ".join(
            f"json_extract(value, '$[{i}]') AS {name.upper()}" for i, name in enumerate(GLOBAL_STATUS_COLUMNS)
        )
        view = f'CREATE VIEW "information_schema.aurora_global_db_status" AS SELECT {columns} FROM json_each(global_status())'
        self._connection.execute(view)

    def close(self) -> None:
        """Close the database. Safe to call twice."""
        self._close()

    def copy_from(self, source: "Volume") -> None:
        """Replace all data with a copy of another volume."""
        source._connection.backup(self._connection)
        self._column_types.clear()

    def apply(self, changes: Sequence[RowChange]) -> list[ChangeOutcome]:
        """Commit all changes or none. Raises SqlError as MySQL."""
        self._execute("BEGIN IMMEDIATE")
        try:
            outcomes = [self._run(change) for change in changes]
        except SqlError:
            self._execute("ROLLBACK")
            raise
        self._execute("COMMIT")
        self._column_types.clear()
        return outcomes

    def try_out(self, changes: Sequence[RowChange]) -> list[ChangeOutcome]:
        """Run the changes, roll them back and return their outcomes. Raises SqlError as MySQL."""
        self._execute("BEGIN IMMEDIATE")
        try:
            return [self._run(change) for change in changes]
        finally:
            self._execute("ROLLBACK")

    def query(
        self, text: str, parameters: Sequence[object], context: ExecutionContext, *, after: Sequence[RowChange] = ()
    ) -> tuple[list[str], list[tuple[object, ...]]]:
        """Return column names and rows, as seen after the changes `after` of an open transaction. Raises SqlError."""
        if after:
            self._execute("BEGIN IMMEDIATE")
        try:
            for change in after:
                self._run(change)
            self._enter(context)
            cursor = self._execute(text, parameters)
            return [column[0] for column in cursor.description or ()], _fetched(cursor, text)
        finally:
            if after:
                self._execute("ROLLBACK")

    def rows(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        """Return the rows of a catalog query."""
        return _fetched(self._execute(sql, parameters), sql)

    def require_database(self, name: str) -> None:
        """Raise SqlError 1049 for an unknown database."""
        known = ("information_schema", "mysql", "performance_schema", "sys")
        if name not in known and not self.rows('SELECT 1 FROM "aurora.schemata" WHERE schema_name = ?', name):
            raise SqlError(1049, "42000", f"Unknown database '{name}'")

    def column_type(self, tables: Sequence[TableName], column: str) -> tuple[str, int] | None:
        """Return the declared type and scale of a column of these tables, or None for an undeclared column."""
        if not self._column_types:
            sql = 'SELECT table_schema, table_name, column_name, data_type, numeric_scale FROM "aurora.columns"'
            for schema, table, name, kind, scale in self._connection.execute(sql):
                self._column_types[schema, table, name.lower()] = (kind, scale)
            for name, kind in GLOBAL_STATUS_COLUMNS.items():
                self._column_types["information_schema", "aurora_global_db_status", name] = (kind, 0)
        for table in tables:
            found = self._column_types.get((table.database, table.name, column.lower()))
            if found:
                return found
        return None

    def _run(self, change: RowChange) -> ChangeOutcome:
        self._enter(change.context)
        affected = last_id = 0
        rows: tuple[tuple[object, ...], ...] = ()
        for text, parameters in change.statements:
            cursor = self._execute(text, parameters)
            if change.is_read:
                rows = tuple(_fetched(cursor, text))
            if cursor.rowcount > 0:
                affected += cursor.rowcount
            is_plain = " ON CONFLICT " not in text  # otherwise SQLite's last id may be another table's
            if (
                change.inserts_into
                and is_plain
                and cursor.rowcount > 0
                and self._has_auto_increment(change.inserts_into)
            ):
                # MySQL returns the first id of several rows, and none for a negative one.
                last_id = max((cursor.lastrowid or 0) - cursor.rowcount + 1, 0)
        return ChangeOutcome(affected_rows=affected, last_insert_id=last_id, rows=rows)

    def _has_auto_increment(self, table: str) -> bool:
        sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? AND sql LIKE '%AUTOINCREMENT%'"
        return self._connection.execute(sql, (table,)).fetchone() is not None

    def _enter(self, context: ExecutionContext) -> None:
        self._context = context
        self._random.seed(context.seed)

    def _execute(self, text: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        self._deadline = time.monotonic() + self._statement_seconds
        try:
            return self._connection.execute(text, tuple(parameters))
        except sqlite3.Error as error:
            raise _as_mysql(error, text) from error

    def _register_functions(self, global_status: Callable[[], Sequence[Sequence[object]]]) -> None:
        functions: dict[str, tuple[int, Callable[..., Any]]] = {
            "global_status": (0, lambda: json.dumps([list(row) for row in global_status()])),
            "mysql_now": (1, lambda digits: format_datetime(self._now(), int(digits))),
            "mysql_today": (0, lambda: self._now().date().isoformat()),
            "mysql_uuid": (0, lambda: str(uuid.UUID(int=self._random.getrandbits(128), version=4))),
            "mysql_rand": (0, lambda: self._random.random()),
            "mysql_user": (0, lambda: self._context.user),
            "mysql_variable": (1, self._variable),
            "mysql_context": (1, self._session_value),
        }
        for name, (arity, function) in functions.items():
            self._connection.create_function(name, arity, function)
        self._connection.create_aggregate("mysql_only_row", 1, OnlyRow)
        self._connection.create_window_function("mysql_sum", 1, ExactSum)
        for name, (arity, function) in FUNCTIONS.items():
            self._connection.create_function(name, arity, function, deterministic=True)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._context.at, UTC)

    def _variable(self, name: str) -> object:
        value = self._context.variables[name]  # the session refuses unknown variables
        # SQLite's integers have 64 bits with a sign.
        return (
            str(value)
            if isinstance(value, int) and value >= 1 << 63
            else int(value)
            if isinstance(value, bool)
            else value
        )

    def _session_value(self, name: str) -> object:
        context = self._context
        values: dict[str, object] = {
            "currentschema": context.database,
            "currentversion": context.variables.get("version"),
            "connection_id": context.connection_id,
            "last_insert_id": context.last_insert_id,
        }
        return values.get(name, f"{context.user}@{'%' if name == 'currentuser' else 'localhost'}")


def _fetched(cursor: sqlite3.Cursor, statement: str) -> list[tuple[object, ...]]:
    try:
        return cursor.fetchall()
    except sqlite3.Error as error:
        raise _as_mysql(error, statement) from error


def _as_mysql(error: sqlite3.Error, statement: str) -> SqlError:
    """Translate a SQLite error into MySQL's error for the same mistake."""
    text = str(error)
    if text.startswith(("no such table", "table", "UNIQUE")):
        text = shown_names(text)
    if statement.startswith("DROP TABLE") and text.startswith("no such table"):
        return SqlError(1051, "42S02", f"Unknown table '{text.partition(': ')[2]}'")
    patterns: list[tuple[str, int, str, str]] = [
        (r"UNIQUE constraint failed: aurora\.schemata", 1007, "HY000", "Can't create database; database exists"),
        (r"UNIQUE constraint failed: (.*)", 1062, "23000", "Duplicate entry for key '{0}'"),
        (r"NOT NULL constraint failed: .*\.(\w+)", 1048, "23000", "Column '{0}' cannot be null"),
        (r"CHECK constraint failed: too_long:(.*)", 1406, "22001", "Data too long for column '{0}'"),
        (r"CHECK constraint failed: out_of_range:(.*)", 1264, "22003", "Out of range value for column '{0}'"),
        (
            r"CHECK constraint failed: zero:(.*)",
            1235,
            "42000",
            "The embedded Aurora does not support 0 in column '{0}'",
        ),
        (r"CHECK constraint failed: truncated:(.*)", 1265, "01000", "Data truncated for column '{0}'"),
        (r"CHECK constraint failed: incorrect:(.*)", 1366, "HY000", "Incorrect value for column '{0}'"),
        (
            r"CHECK constraint failed: incorrect_datetime:(.*)",
            1292,
            "22007",
            "Incorrect datetime value for column '{0}'",
        ),
        (r"CHECK constraint failed: (.*)", 3819, "HY000", "Check constraint '{0}' is violated."),
        (r"no such table: (.*)", 1146, "42S02", "Table '{0}' doesn't exist"),
        (r"table \"?(.*?)\"? already exists", 1050, "42S01", "Table '{0}' already exists"),
        (r"no such column: (.*)", 1054, "42S22", "Unknown column '{0}' in 'field list'"),
        (r"table (.*) has no column named (.*)", 1054, "42S22", "Unknown column '{1}' in 'field list'"),
        (r"'step' method", 1242, "21000", "Subquery returns more than 1 row"),
        (r"interrupted", 3024, "HY000", "Query execution was interrupted, maximum statement execution time exceeded"),
        (r"datatype mismatch", 1366, "HY000", "Incorrect integer value"),
        (r"(\d+) values for (\d+) columns", 1136, "21S01", "Column count doesn't match value count at row 1"),
    ]
    for pattern, code, state, message in patterns:
        found = re.search(pattern, text)
        if found:
            return SqlError(code, state, message.format(*found.groups()))
    return unsupported(f"this statement ({text})")
