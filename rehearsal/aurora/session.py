"""A client's session on a cluster: system variables, transactions and MySQL's answers.

Every commit goes through Cluster.commit. Transactions are optimistic: each statement of an open transaction runs and is
rolled back at once, and COMMIT runs all of them again. No lock outlives a statement. If COMMIT would have another outcome
than the client saw, or finds other rows than UPDATE, DELETE or FOR UPDATE did, it fails with 1213, MySQL's deadlock. Reads see
committed data (READ COMMITTED). An upsert reports one affected row, where MySQL reports two for an update.
"""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from pymysql.converters import escape_item
from sqlglot import exp

from rehearsal.aurora.accounts import can_use, check_privileges, is_account_statement, plan_account_statement
from rehearsal.aurora.event_scheduler import is_event_statement, plan_event_statement
from rehearsal.aurora.show import ShowContext, show, with_usual_words
from rehearsal.aurora.sql import ColumnSource, Kind, Plan, TableName, plan
from rehearsal.aurora.sql_error import SqlError, unsupported
from rehearsal.aurora.storage import ChangeOutcome, ExecutionContext, RowChange, Volume
from rehearsal.aurora.supported_sql import parse

_STATIC_VARIABLES: dict[str, object] = {
    "version": "8.0.42",
    "aurora_version": "3.10.1",
    "version_comment": "Emulated Aurora MySQL",
    "auto_increment_increment": 1,
    "character_set_client": "utf8mb4",
    "character_set_database": "utf8mb4",
    "character_set_server": "utf8mb4",
    "collation_database": "utf8mb4_0900_ai_ci",
    "collation_server": "utf8mb4_0900_ai_ci",
    "foreign_key_checks": True,
    "init_connect": "",
    "interactive_timeout": 28800,
    "license": "GPL",
    "net_write_timeout": 60,
    "performance_schema": False,
    "transaction_read_only": False,
    "unique_checks": True,
    "character_set_connection": "utf8mb4",
    "character_set_results": "utf8mb4",
    "collation_connection": "utf8mb4_0900_ai_ci",
    "lower_case_table_names": 0,
    "partial_revokes": True,
    "sql_big_selects": True,
    "sql_select_limit": 18446744073709551615,
    "max_execution_time": 0,
    "max_allowed_packet": 67108864,
    "wait_timeout": 28800,
    "sql_mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE",
    "system_time_zone": "UTC",
    "time_zone": "UTC",
    "transaction_isolation": "READ-COMMITTED",
    "require_secure_transport": True,
    "innodb_lock_wait_timeout": 50,
    "event_scheduler": "ON",
}
_SETTABLE = {
    *(
        "autocommit",
        "innodb_lock_wait_timeout",
        "max_execution_time",
        "sql_big_selects",
        "sql_mode",
        "sql_select_limit",
    ),
    *("time_zone", "wait_timeout"),
}
_SET_ROLE = re.compile(r"\s*SET\s+ROLE\s+(ALL|DEFAULT|NONE)\s*;?\s*", re.IGNORECASE)
_READ_ONLY = "The MySQL server is running with the --read-only option so it cannot execute this statement"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A result column; `type` is integer, double, decimal, text, blob, date or datetime."""

    name: str
    type: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a statement. Without columns it is MySQL's OK."""

    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    affected_rows: int = 0
    last_insert_id: int = 0


@dataclass(frozen=True, kw_only=True)
class _Pending:
    """A statement of the open transaction and the outcome that its client saw."""

    change: RowChange
    outcome: ChangeOutcome
    sql: str


class _Engine(Protocol):
    """The cluster that runs a session's statements."""

    id: str
    running: bool
    incarnation: int
    volume: Volume

    @property
    def read_only(self) -> bool: ...

    def now(self) -> float: ...

    def locked(self) -> AbstractContextManager[None]: ...

    def commit(
        self, user: str, work: Sequence[tuple[str, RowChange]], *, expected: Sequence[ChangeOutcome] | None = None
    ) -> list[ChangeOutcome]: ...


class MysqlSession:
    """One client's session. The global database's lock makes it thread-safe."""

    def __init__(self, cluster: _Engine, user: str, connection_id: int = 0) -> None:
        self.cluster = cluster
        self.user = user
        self.connection_id = connection_id
        self.database: str | None = None
        self.autocommit = True
        self._explicit = False
        self._pending: list[_Pending] = []
        self._changes_nothing = False
        """Whether a transaction is open that was started READ ONLY."""
        self._last_insert_id = 0
        self._incarnation = cluster.incarnation
        self._settings: dict[str, object] = {}

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._explicit or bool(self._pending)

    def execute(self, sql: str, args: Sequence[object] = ()) -> Result:
        """Run one statement, with PyMySQL's %s placeholders, and return its result.

        Raises:
            SqlError: as MySQL; 2013 (lost connection) if the cluster has stopped or changed its role.
        """
        if args:
            sql = sql % tuple(escape_item(arg, "utf8mb4") for arg in args)
        with self.cluster.locked():
            if not self.cluster.running or self._incarnation != self.cluster.incarnation:
                self.close()
                raise SqlError(2013, "HY000", "Lost connection to MySQL server during query")
            return self._dispatch(sql)

    def use(self, database: str) -> None:
        """Set the default database. Raises SqlError 1044 or 1049."""
        with self.cluster.locked():
            if not can_use(self.cluster.volume, self.user, database):
                raise SqlError(1044, "42000", f"Access denied for user '{self.user}'@'%' to database '{database}'")
            self.cluster.volume.require_database(database)
            self.database = database

    def close(self) -> None:
        """Roll back the open transaction."""
        self._pending.clear()
        self._explicit = self._changes_nothing = False

    def _dispatch(self, sql: str) -> Result:
        if is_account_statement(sql):
            return self._run_account_statement(sql)
        if is_event_statement(sql):
            return self._define(sql, plan_event_statement(sql, self._context(), self.cluster.volume))
        if _SET_ROLE.fullmatch(sql):
            return Result()  # no user has a role
        trees = parse(with_usual_words(sql))
        if not trees:
            raise SqlError(1065, "42000", "Query was empty")
        tree = trees[0]
        if isinstance(tree, exp.Show | exp.Describe):
            context = ShowContext(
                volume=self.cluster.volume, user=self.user, database=self.database, variables=self._variables()
            )
            answer = show(tree, context)
            return Result(columns=_text_columns(*answer.titles), rows=answer.rows, affected_rows=len(answer.rows))
        if isinstance(tree, exp.Set):
            return self._set(tree)
        if isinstance(tree, exp.Use):
            self.use(tree.this.name)
            return Result()
        words = _unsupported_words(tree)
        if words:
            raise unsupported(f"{words} in {tree.key.upper()}")
        if isinstance(tree, exp.Transaction | exp.Commit):
            self._commit()
            self._explicit = isinstance(tree, exp.Transaction)
            self._changes_nothing = "READ ONLY" in (tree.args.get("modes") or ())
            return Result()
        if isinstance(tree, exp.Rollback):
            self.close()
            return Result()
        return self._run(sql, plan(sql, self.database))

    def _run(self, sql: str, planned: Plan) -> Result:
        for name in planned.variables:
            if name not in self._variables():
                raise SqlError(1193, "HY000", f"Unknown system variable '{name}'")
        check_privileges(self.cluster.volume, self.user, planned.needs)
        if planned.kind is Kind.READ:
            return self._read(planned)
        change = RowChange(statements=planned.statements, context=self._context(), inserts_into=planned.inserts_into)
        if planned.kind is Kind.DEFINITION:
            return self._define(sql, change, affected_rows=int(planned.verb == "CREATE DATABASE"))
        for table in planned.tables:
            self.cluster.volume.require_database(table.database)
        return self._write(sql, change, planned)

    def _read(self, planned: Plan) -> Result:
        for table in planned.tables:
            self.cluster.volume.require_database(table.database)
        if planned.locks_rows:
            self._lock(planned)
        text, parameters = planned.statements[0]
        after = [pending.change for pending in self._pending]
        names, rows = self.cluster.volume.query(text, parameters, self._context(), after=after)
        sources = planned.sources or tuple(ColumnSource(column=name) for name in names)
        columns: list[Column] = []
        for index, (name, source) in enumerate(zip(names, sources, strict=True)):
            kind, scale = self._column_type(source, planned.tables, [row[index] for row in rows])
            columns.append(Column(name=name, type=kind))
            shown = _SHOWN.get(kind, lambda value, _scale: value)
            rows = [(*row[:index], shown(row[index], scale), *row[index + 1 :]) for row in rows]
        if planned.tables and all(_has_capital_titles(table) for table in planned.tables):
            columns = [replace(column, name=column.name.upper()) for column in columns]
        return Result(columns=tuple(columns), rows=tuple(rows), affected_rows=len(rows))

    def _lock(self, planned: Plan) -> None:
        """Make COMMIT fail if the rows have changed by then. Without a transaction there is nothing to do."""
        self._refuse_if_read_only()
        if self.autocommit and not self._explicit:
            return
        self._add_to_transaction([("SELECT", self._read_of_rows(planned.guard or planned.statements[0][0]))])

    def _read_of_rows(self, query: str) -> RowChange:
        return RowChange(statements=((query, ()),), context=self._context(), is_read=True)

    def _add_to_transaction(self, work: Sequence[tuple[str, RowChange]]) -> ChangeOutcome:
        """Run statements after those of the open transaction and return the last outcome; COMMIT must find the same ones."""
        outcomes = self.cluster.volume.try_out(
            [*(each.change for each in self._pending), *(change for _, change in work)]
        )
        for (sql, change), outcome in zip(work, outcomes[-len(work) :], strict=True):
            self._pending.append(_Pending(change=change, outcome=outcome, sql=sql))
        return outcomes[-1]

    def _column_type(
        self, source: ColumnSource, tables: Sequence[TableName], values: Sequence[object]
    ) -> tuple[str, int]:
        if source.known_type:
            return source.known_type, 0
        declared = self.cluster.volume.column_type(tables, source.column) if source.column else None
        types = {type(value) for value in values if value is not None}
        if declared and types <= _STORED_TYPES.get(declared[0], {str}):
            return declared
        if types and types <= {int, float}:
            return ("double" if float in types else "integer"), 0
        return ("blob" if types == {bytes} else "text"), 0

    def _define(self, sql: str, change: RowChange | None, *, affected_rows: int = 0) -> Result:
        """Commit the open transaction and then the change, if any."""
        self._refuse_in_read_only_transaction()
        self._commit()
        self._refuse_if_read_only()
        if change is not None:
            self.cluster.commit(self.user, [(sql, change)])
        return Result(affected_rows=affected_rows)

    def _write(self, sql: str, change: RowChange, planned: Plan) -> Result:
        self._refuse_in_read_only_transaction()
        self._refuse_if_read_only()
        if self.autocommit and not self._explicit:
            outcome = self.cluster.commit(self.user, [(sql, change)])[0]
        else:
            guard = [("SELECT", self._read_of_rows(planned.guard))] if planned.guard else []
            outcome = self._add_to_transaction([*guard, (sql, change)])
        self._last_insert_id = outcome.last_insert_id or self._last_insert_id
        return Result(affected_rows=outcome.affected_rows, last_insert_id=outcome.last_insert_id)

    def _commit(self) -> None:
        pending = list(self._pending)
        self.close()
        if all(each.change.is_read for each in pending):
            return
        self._refuse_if_read_only()
        expected = [each.outcome for each in pending]
        self.cluster.commit(self.user, [(each.sql, each.change) for each in pending], expected=expected)

    def _refuse_if_read_only(self) -> None:
        if self.cluster.read_only:
            self.close()
            raise SqlError(1290, "HY000", _READ_ONLY)

    def _refuse_in_read_only_transaction(self) -> None:
        if self._changes_nothing:
            raise SqlError(1792, "25006", "Cannot execute statement in a READ ONLY transaction.")

    def _run_account_statement(self, sql: str) -> Result:
        planned = plan_account_statement(sql, self.user, self.cluster.volume)
        if planned.columns:
            return Result(columns=_text_columns(*planned.columns), rows=planned.rows)
        change = RowChange(statements=planned.statements, context=self._context()) if planned.statements else None
        return self._define(sql, change)

    def _set(self, tree: exp.Set) -> Result:
        for item in tree.expressions:
            kind = item.text("kind").upper()
            if kind == "NAMES" or kind == "CHARACTER SET":
                if item.name.lower() not in ("utf8mb4", "utf8", "utf8mb3", "ascii", "default"):
                    raise SqlError(1115, "42000", f"Unknown character set: '{item.name}'")
                continue
            if kind == "TRANSACTION":
                if any(each.name == "READ ONLY" for each in item.expressions):
                    raise unsupported("SET TRANSACTION READ ONLY")
                continue  # the isolation level is always READ COMMITTED
            scope = kind or item.this.this.text("kind").upper()  # SET GLOBAL x and SET @@GLOBAL.x
            if scope not in ("", "SESSION", "LOCAL"):
                raise unsupported(f"SET {scope}")
            self._set_variable(item.this)
        return Result()

    def _set_variable(self, assignment: exp.Expr) -> None:
        if not isinstance(assignment, exp.EQ) or isinstance(assignment.this, exp.Parameter):
            raise unsupported("user variables")
        name = assignment.this.name.lower()
        if name not in _SETTABLE:
            code = 1238 if name in self._variables() else 1193
            raise SqlError(code, "HY000", f"Variable '{name}' can't be set here")
        if name != "autocommit":
            self._settings[name] = _set_value(name, assignment.expression)
            return
        text = assignment.expression.name or assignment.expression.sql()
        if text.upper() not in ("0", "1", "ON", "OFF", "TRUE", "FALSE", "DEFAULT"):
            raise SqlError(1231, "42000", f"Variable 'autocommit' can't be set to the value of '{text}'")
        enabled = text.upper() in ("1", "ON", "TRUE", "DEFAULT")
        if enabled:
            self._commit()
        self.autocommit = enabled

    def _variables(self) -> dict[str, object]:
        return {
            **_STATIC_VARIABLES,
            **self._settings,
            "autocommit": self.autocommit,
            "hostname": self.cluster.id,
            "aurora_server_id": self.cluster.id,
            "innodb_read_only": self.cluster.read_only,
            "read_only": self.cluster.read_only,
        }

    def _context(self) -> ExecutionContext:
        return ExecutionContext(
            at=self.cluster.now(),
            user=self.user,
            database=self.database,
            connection_id=self.connection_id,
            last_insert_id=self._last_insert_id,
            variables=self._variables(),
        )


def _unsupported_words(tree: exp.Expr) -> str:
    """Return the part of a BEGIN, COMMIT or ROLLBACK that would change its effect, or an empty text."""
    if not isinstance(tree, exp.Transaction | exp.Commit | exp.Rollback):
        return ""
    modes = " ".join(each.strip() for each in tree.args.get("modes") or ())
    words = modes if modes not in ("", "READ ONLY", "READ WRITE") else ""
    return words or ", ".join(name.upper() for name in ("savepoint", "chain", "release") if tree.args.get(name))


def _has_capital_titles(table: TableName) -> bool:
    """Return whether MySQL names the columns of this table in capitals, however the client spells them."""
    return table.database == "information_schema" and not table.name.lower().endswith("_privileges")


def _text_columns(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, type="text") for name in names)


_ONLY_VALUES = {
    "completion_type": ("NO_CHAIN", "0"),
    "time_zone": ("+00:00", "UTC"),
    "sql_select_limit": ("18446744073709551615",),
}


def _set_value(name: str, expression: exp.Expr) -> str:
    """Return the new value of a session variable; refuse one that would change results."""
    value = expression.name
    if not isinstance(expression, exp.Literal | exp.Column | exp.Boolean) or value.upper() == "DEFAULT":
        raise unsupported(f"SET {name} to DEFAULT or to an expression")
    if value not in _ONLY_VALUES.get(name, (value,)):
        raise unsupported(f"{name} = {value}")
    refused = {"ANSI", "ANSI_QUOTES", "PAD_CHAR_TO_FULL_LENGTH", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT"}
    if name == "sql_mode" and refused & {each.strip().upper() for each in value.split(",")}:
        raise unsupported(f"sql_mode = {value}")
    return value


def _fixed(value: object, scale: int) -> object:
    return value if value is None else f"{float(str(value)):.{scale}f}"


def _text(value: object, _scale: int) -> object:
    return value if value is None or isinstance(value, bytes) else str(value)


def _bytes(value: object, _scale: int) -> object:
    return value.encode() if isinstance(value, str) else value


_SHOWN = {"decimal": _fixed, "text": _text, "blob": _bytes}
_STORED_TYPES: dict[str, set[type]] = {
    "integer": {int},
    "decimal": {int, float},
    "double": {int, float},
    "blob": {bytes, str},
    "text": {str, bytes},
}
"""The types of SQLite's values in a column of each type."""
