"""The answers to SHOW and DESCRIBE: what clients ask when they connect and when they list tables and columns.

SHOW GRANTS is an account statement (accounts.py).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from rehearsal.aurora.accounts import can_use, check_privileges
from rehearsal.aurora.sql import Need, TableName
from rehearsal.aurora.sql_error import SqlError, unsupported
from rehearsal.aurora.storage import Volume
from rehearsal.aurora.table_description import ColumnDescription, KeyDescription, TableDescription

_SYNONYMS = re.compile(r"\s*SHOW\s+(EXTENDED\s+)?(FULL\s+)?(FIELDS|KEYS|INDEXES|SCHEMAS)\b", re.IGNORECASE)
_NAMES = {"FIELDS": "COLUMNS", "KEYS": "INDEX", "INDEXES": "INDEX", "SCHEMAS": "DATABASES"}


@dataclass(frozen=True, kw_only=True)
class ShownRows:
    """Titles and rows, all of them text."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class ShowContext:
    """Who asks, where, and the session's variables."""

    volume: Volume
    user: str
    database: str | None
    variables: Mapping[str, object]


def with_usual_words(sql: str) -> str:
    """Return the statement with MySQL's synonyms replaced: sqlglot knows SHOW COLUMNS, INDEX and DATABASES."""
    found = _SYNONYMS.match(sql)
    if not found:
        return sql
    return f"SHOW {found[2] or ''}{_NAMES[found[3].upper()]}{sql[found.end() :]}"


def show(tree: exp.Show | exp.Describe, context: ShowContext) -> ShownRows:
    """Return the answer. Raises SqlError."""
    if isinstance(tree, exp.Describe):
        if not isinstance(tree.this, exp.Table):
            raise unsupported("EXPLAIN")
        return _columns(context, _table(tree.this.name, tree.this.db, context), like=None)
    kind, like = tree.name.upper(), _like(tree)
    target, database = tree.args.get("target"), tree.args.get("db")
    if kind in ("WARNINGS", "ERRORS"):
        return ShownRows(titles=("Level", "Code", "Message"))
    if kind == "VARIABLES":
        rows = [(name, shown(value)) for name, value in sorted(context.variables.items())]
        return ShownRows(titles=("Variable_name", "Value"), rows=_matching(rows, like))
    if kind == "DATABASES":
        names = context.volume.rows("SELECT schema_name FROM \"aurora.schemata\" UNION SELECT 'mysql' ORDER BY 1")
        visible = [(str(name),) for (name,) in names if can_use(context.volume, context.user, str(name))]
        titles = ("Database" if like is None else f"Database ({like})",)
        return ShownRows(
            titles=titles, rows=_matching(sorted([*visible, ("information_schema",)]), like, case_sensitive=True)
        )
    if kind == "TABLES":
        return _tables(context, database.name if database else None, like, full=bool(tree.args.get("full")))
    if target is not None and kind == "COLUMNS" and not tree.args.get("full"):
        return _columns(context, _table(target.name, database.name if database else "", context), like=like)
    if target is not None and kind == "CREATE TABLE":
        return _create_table(context, _table(target.name, database.name if database else "", context))
    raise unsupported(f"SHOW {'FULL ' * bool(tree.args.get('full'))}{kind}")


def shown(value: object) -> str:
    """Return a variable's value as SHOW VARIABLES has it."""
    return ("OFF", "ON")[value] if isinstance(value, bool) else str(value)


def _like(tree: exp.Show) -> str | None:
    like, where = tree.args.get("like"), tree.args.get("where")
    if where is None:
        return like.name if like is not None else None
    condition = where.this
    named = isinstance(condition, exp.EQ) and condition.this.name.lower() == "variable_name"
    if not named:
        raise unsupported(f"SHOW {tree.name} with this WHERE")
    return condition.expression.name


def _matching(
    rows: list[tuple[str, str]] | list[tuple[str]], like: str | None, *, case_sensitive: bool = False
) -> tuple[tuple[str, ...], ...]:
    """Return the rows whose first column matches. Names of databases and tables are case-sensitive; others are not."""
    if like is None:
        return tuple(rows)
    parts = re.findall(r"\\.|%|_|[^%_\\]+", like)
    wildcards = {"%": ".*", "_": "."}
    expression = "".join(wildcards.get(part) or re.escape(part.removeprefix("\\")) for part in parts)
    pattern = re.compile(expression, 0 if case_sensitive else re.IGNORECASE)
    return tuple(row for row in rows if pattern.fullmatch(row[0]))


def _table(name: str, database: str, context: ShowContext) -> TableName:
    database = database or context.database or ""
    if not database:
        raise SqlError(1046, "3D000", "No database selected")
    table = TableName(database=database, name=name)
    if not can_use(context.volume, context.user, database):
        check_privileges(context.volume, context.user, [Need(privilege="SELECT", table=table)])
    return table


def _tables(context: ShowContext, database: str | None, like: str | None, *, full: bool) -> ShownRows:
    database = database or context.database
    if not database:
        raise SqlError(1046, "3D000", "No database selected")
    if not can_use(context.volume, context.user, database):
        raise SqlError(1044, "42000", f"Access denied for user '{context.user}'@'%' to database '{database}'")
    context.volume.require_database(database)
    sql = 'SELECT table_name FROM "aurora.tables" WHERE table_schema = ? ORDER BY table_name'
    rows = _matching([(str(name),) for (name,) in context.volume.rows(sql, database)], like, case_sensitive=True)
    title = f"Tables_in_{database}" if like is None else f"Tables_in_{database} ({like})"
    if full:
        return ShownRows(titles=(title, "Table_type"), rows=tuple((*row, "BASE TABLE") for row in rows))
    return ShownRows(titles=(title,), rows=rows)


def _columns(context: ShowContext, table: TableName, *, like: str | None) -> ShownRows:
    description, _ = _description(context, table)
    names = {row[0] for row in _matching([(each.name,) for each in description.columns], like)}
    titles = ("Field", "Type", "Null", "Key", "Default", "Extra")
    return ShownRows(titles=titles, rows=tuple(row for row in description.rows() if row[0] in names))


def _create_table(context: ShowContext, table: TableName) -> ShownRows:
    description, is_exact = _description(context, table)
    if not is_exact:
        raise unsupported("SHOW CREATE TABLE of a table with CHECK, COMMENT or a column's own collation")
    counter = None
    if any(column.is_auto_increment for column in description.columns):
        rows = context.volume.rows("SELECT seq FROM sqlite_sequence WHERE name = ? AND seq > 0", table.stored_as)
        counter = int(str(rows[0][0])) + 1 if rows else None
    text = description.create_statement(table.name, next_id=counter)
    return ShownRows(titles=("Table", "Create Table"), rows=((table.name, text),))


def _description(context: ShowContext, table: TableName) -> tuple[TableDescription, bool]:
    sql = 'SELECT description, is_exact FROM "aurora.tables" WHERE table_schema = ? AND table_name = ?'
    rows = context.volume.rows(sql, table.database, table.name)
    if not rows:
        raise SqlError(1146, "42S02", f"Table '{table.database}.{table.name}' doesn't exist")
    stored = json.loads(str(rows[0][0]))
    description = TableDescription(
        columns=tuple(ColumnDescription(**each) for each in stored["columns"]),
        keys=tuple(KeyDescription(**{**each, "columns": tuple(each["columns"])}) for each in stored["keys"]),
        collation=stored["collation"],
    )
    return description, bool(rows[0][1])
