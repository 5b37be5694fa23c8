"""Translation of MySQL statements into SQLite.

sqlglot parses MySQL, and the syntax tree is rewritten. A statement is translated faithfully or refused with error 1235; no
clause that changes a result is dropped.
"""

import json
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import ErrorLevel, ParseError, TokenError, UnsupportedError
from sqlglot.tokenizer_core import TokenType

from rehearsal.aurora.create_table import create_table_plan
from rehearsal.aurora.supported_sql import CONTEXT_FUNCTIONS, TIME_FUNCTIONS, refused_function, refused_part


class _Storage(SQLite):
    """SQLite with names in backticks. SQLite reads an unknown name in double quotes as a string."""

    class Tokenizer(SQLite.Tokenizer):
        IDENTIFIERS = ["`"]  # noqa: RUF012 - sqlglot's convention


class SqlError(Exception):
    """A MySQL error: number, SQLSTATE and message."""

    def __init__(self, code: int, state: str, message: str) -> None:
        super().__init__(f"{code} ({state}): {message}")
        self.code = code
        self.state = state
        self.message = message


def unsupported(feature: str) -> SqlError:
    """Return MySQL's error 1235 for a feature that the embedded database does not support."""
    return SqlError(1235, "42000", f"The embedded Aurora does not support {feature}")


class Kind(StrEnum):
    """The effect of a statement on the transaction."""

    READ = "read"
    WRITE = "write"
    DEFINITION = "definition"  # commits the open transaction, then itself


@dataclass(frozen=True, kw_only=True)
class TableName:
    """A table: database and name."""

    database: str
    name: str

    @property
    def stored_as(self) -> str:
        """The table name in SQLite, prefixed with the database: SQLite has no databases, and ignores the case of names."""
        return re.sub("[A-Z^]", lambda capital: f"^{capital[0].lower()}", f"{self.database}.{self.name}")


@dataclass(frozen=True, kw_only=True)
class Need:
    """A privilege that a statement needs. An empty table name stands for the whole database."""

    privilege: str
    table: TableName


@dataclass(frozen=True, kw_only=True)
class ColumnSource:
    """The source of a result column: a table column, or a known type ('integer', 'datetime')."""

    column: str | None = None
    known_type: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A translated statement."""

    kind: Kind
    verb: str
    statements: tuple[tuple[str, tuple[object, ...]], ...]  # SQLite text and parameters, in order
    needs: tuple[Need, ...] = ()
    tables: tuple[TableName, ...] = ()
    inserts_into: str | None = None  # the table name in SQLite
    variables: tuple[str, ...] = ()  # system variables that it reads
    sources: tuple[ColumnSource, ...] | None = None  # None for SELECT *: use SQLite's column names
    titles: tuple[str, ...] = ()  # empty: SQLite's
    locks_rows: bool = False  # FOR UPDATE or FOR SHARE


_REFUSED = re.compile(
    r"\s*(REPLACE|ALTER|CALL|CHECK|DO|FROM|HANDLER|LOCK|UNLOCK|LOAD|PREPARE|EXECUTE|SAVEPOINT|KILL|XA"
    r"|(?:SELECT|INSERT|UPDATE|DELETE)\s+(?:HIGH_PRIORITY|LOW_PRIORITY|DELAYED|QUICK|SQL_\w+|OR)|(?:UPDATE|DELETE)\s+IGNORE)\b",
    re.I,
)
_ENDS_OF_LIST = {
    *(TokenType.FROM, TokenType.WHERE, TokenType.LIMIT, TokenType.UNION, TokenType.ORDER_BY, TokenType.GROUP_BY),
    *(TokenType.HAVING, TokenType.FOR, TokenType.R_PAREN, TokenType.SEMICOLON, TokenType.EXCEPT, TokenType.INTERSECT),
}


@lru_cache(maxsize=512)
def parse(sql: str) -> tuple[exp.Expr, ...]:
    """Parse MySQL text into statements. The trees are cached: don't change them. Raises SqlError 1064 or 1235."""
    refused = _REFUSED.match(sql)
    if refused:
        raise unsupported(" ".join(refused[1].upper().split()))
    try:
        if "/*!" in sql and _has_executable_comment(sql):
            raise unsupported("comments that are executed, /*! ... */")
        return tuple(tree for tree in sqlglot.parse(sql, dialect="mysql") if tree is not None)
    except (ParseError, TokenError) as error:
        reason = str(error).splitlines()[0]
        raise SqlError(1064, "42000", f"You have an error in your SQL syntax: {reason}") from error


def _has_executable_comment(sql: str) -> bool:
    tokens = MySQL().tokenize(sql)
    return not tokens or any(comment.startswith("!") for token in tokens for comment in token.comments)


@lru_cache(maxsize=512)
def plan(sql: str, database: str | None) -> Plan:
    """Translate one statement, with `database` as the default database. Raises SqlError."""
    trees = parse(sql)
    if len(trees) != 1:
        raise unsupported("several statements in one query")
    tree = trees[0].copy()
    if isinstance(tree, exp.Create):
        return _plan_create(tree, database)
    if isinstance(tree, exp.Drop):
        return _plan_drop(tree, database)
    if isinstance(tree, exp.TruncateTable):
        table = _table_name(tree.expressions[0], database)
        return _definition("TRUNCATE", f'DELETE FROM "{table.stored_as}"', privilege="DROP", table=table)
    if isinstance(tree, exp.Query | exp.Insert | exp.Update | exp.Delete):
        return _plan_data(sql, tree, database)
    if isinstance(tree, exp.Condition):  # an expression is no statement
        raise SqlError(1064, "42000", f"You have an error in your SQL syntax near '{sql[:80]}'")
    raise unsupported(sql.split(None, 1)[0].upper() if sql.split() else "an empty statement")


def _table_name(table: exp.Expr, database: str | None) -> TableName:
    if not isinstance(table, exp.Table):
        raise unsupported(f"{type(table).__name__} as a table")
    name = table.db or database
    if not name:
        raise SqlError(1046, "3D000", "No database selected")
    if name.lower() == "information_schema":  # the only database whose names have no case
        return TableName(database="information_schema", name=table.name.lower())
    return TableName(database=name, name=table.name)


def _definition(verb: str, text: str, *, privilege: str, table: TableName) -> Plan:
    needs = (Need(privilege=privilege, table=table),)
    return Plan(kind=Kind.DEFINITION, verb=verb, statements=((text, ()),), needs=needs, tables=(table,))


def _plan_create(tree: exp.Create, database: str | None) -> Plan:
    if tree.kind in ("DATABASE", "SCHEMA"):
        name = tree.this.name
        conflict = "OR IGNORE " if tree.args.get("exists") else ""
        text = f'INSERT {conflict}INTO "aurora.schemata" (schema_name) VALUES (?)'
        needs = (Need(privilege="CREATE", table=TableName(database=name, name="")),)
        return Plan(kind=Kind.DEFINITION, verb="CREATE DATABASE", statements=((text, (name,)),), needs=needs)
    if tree.kind == "TABLE" and isinstance(tree.this, exp.Schema) and not tree.expression:
        table = _table_name(tree.this.this, database)
        refused = refused_function(tree)
        if refused:
            raise unsupported(refused)
        _rewrite(tree)
        try:
            statements = create_table_plan(tree, table.database, table.name, table.stored_as)
        except NotImplementedError as error:
            raise unsupported(str(error)) from error
        needs = (Need(privilege="CREATE", table=table),)
        return Plan(kind=Kind.DEFINITION, verb="CREATE TABLE", statements=statements, needs=needs, tables=(table,))
    if tree.kind == "INDEX":
        table = _table_name(tree.this.args["table"], database)
        columns = ", ".join(f'"{ordered.this.name}"' for ordered in tree.this.args["params"].args["columns"])
        unique = "UNIQUE " if tree.args.get("unique") else ""
        text = f'CREATE {unique}INDEX "{table.stored_as}.{tree.this.name}" ON "{table.stored_as}" ({columns})'
        key = {
            "name": tree.this.name,
            "columns": [ordered.this.name for ordered in tree.this.args["params"].args["columns"]],
            "is_unique": bool(unique),
        }
        describe = (
            "UPDATE \"aurora.tables\" SET description = json_insert(description, '$.keys[#]', json(?)) "
            "WHERE table_schema = ? AND table_name = ?"
        )
        planned = _definition("CREATE INDEX", text, privilege="INDEX", table=table)
        described = (describe, (json.dumps(key), table.database, table.name))
        return replace(planned, statements=(*planned.statements, described))
    raise unsupported(f"CREATE {tree.kind}")


def _plan_drop(tree: exp.Drop, database: str | None) -> Plan:
    targets: list[exp.Expr] = tree.args.get("tables") or [tree.this]
    if tree.kind != "TABLE":
        raise unsupported(f"DROP {tree.kind}")
    tables = tuple(_table_name(target, database) for target in targets)
    exists = "IF EXISTS " if tree.args.get("exists") else ""
    statements: list[tuple[str, tuple[object, ...]]] = []
    for table in tables:
        statements.append((f'DROP TABLE {exists}"{table.stored_as}"', ()))
        for catalog in ("aurora.tables", "aurora.columns"):
            text = f'DELETE FROM "{catalog}" WHERE table_schema = ? AND table_name = ?'
            statements.append((text, (table.database, table.name)))
    needs = tuple(Need(privilege="DROP", table=table) for table in tables)
    return Plan(kind=Kind.DEFINITION, verb="DROP TABLE", statements=tuple(statements), needs=needs, tables=tables)


def _plan_data(sql: str, tree: exp.Expr, database: str | None) -> Plan:
    locks = tree.args.get("locks") or ()
    if len(list(tree.find_all(exp.Lock))) > len(locks) or any(lock.args.get("wait") is not None for lock in locks):
        raise unsupported("FOR UPDATE and FOR SHARE in a subquery, with NOWAIT or with SKIP LOCKED")
    tree.set("locks", None)
    titles = _titles(sql, tree) if isinstance(tree, exp.Query) else ()
    if isinstance(tree, exp.Update | exp.Delete) and (tree.args.get("limit") or tree.args.get("order")):
        raise unsupported("UPDATE or DELETE with ORDER BY or LIMIT")
    if any(each.find(exp.Order) for each in tree.find_all(exp.GroupConcat)):
        raise unsupported("ORDER BY in GROUP_CONCAT")
    refused = refused_part(tree)
    if refused:
        raise unsupported(refused)
    target = _target(tree)
    variables = tuple(node.name.lower() for node in tree.find_all(exp.SessionParameter))
    upsert = isinstance(tree, exp.Insert) and _rewrite_upsert(tree)
    _rewrite(tree)
    sources = _column_sources(tree) if isinstance(tree, exp.Query) else ()
    names = _rewrite_tables(tree, target, database)
    if isinstance(tree, exp.Update):
        _remove_qualifiers(tree)
    verb = tree.key.upper() if not isinstance(tree, exp.Query) else "SELECT"
    needs = [Need(privilege="SELECT", table=name) for node, name in names if node is not target]
    if locks:  # MySQL accepts DELETE or LOCK TABLES as well
        needs += [Need(privilege="UPDATE", table=name) for _, name in names]
    for node, name in names:
        if node is target:
            needs.append(Need(privilege=verb, table=name))
            if upsert:
                needs.append(Need(privilege="UPDATE", table=name))
    try:
        text = tree.sql(_Storage, unsupported_level=ErrorLevel.RAISE, identify=True)
    except UnsupportedError as error:
        raise unsupported(str(error).splitlines()[0]) from error
    return Plan(
        kind=Kind.READ if verb == "SELECT" else Kind.WRITE,
        verb=verb,
        statements=((text, ()),),
        needs=tuple(dict.fromkeys(needs)),
        tables=tuple(dict.fromkeys(name for _, name in names)),
        inserts_into=next((name.stored_as for node, name in names if node is target and verb == "INSERT"), None),
        variables=variables,
        sources=sources,
        titles=titles,
        locks_rows=bool(locks),
    )


def _titles(sql: str, tree: exp.Query) -> tuple[str, ...]:
    """Return the title of each result column: its name, or the text of an expression, as the client sent it."""
    select = tree
    while isinstance(select, exp.SetOperation):
        select = select.left
    if isinstance(select, exp.Select) and not select.selects:
        raise SqlError(1064, "42000", "You have an error in your SQL syntax near ''")
    if not isinstance(select, exp.Select) or any(each.is_star for each in select.selects):
        return ()
    texts = _select_list(sql)
    if len(texts) != len(select.selects):
        return ()
    return tuple(
        each.alias_or_name if isinstance(each, exp.Alias | exp.Column) or _is_string(each) else text
        for each, text in zip(select.selects, texts, strict=True)
    )


def _is_string(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string


def _select_list(sql: str) -> list[str]:
    """Return the texts between the commas of the first SELECT's list."""
    tokens = MySQL().tokenize(sql)
    depth, start = 0, None
    for index, token in enumerate(tokens):  # the SELECT behind common table expressions
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if token.token_type is TokenType.SELECT and depth == 0:
            start = index
            break
    if start is None:
        return []
    start += 1 + (tokens[start + 1].token_type is TokenType.DISTINCT)
    texts: list[str] = []
    depth, first = 0, start
    for index in range(start, len(tokens) + 1):
        token = tokens[index] if index < len(tokens) else None
        kind = token.token_type if token else None
        if kind is TokenType.L_PAREN:
            depth += 1
        elif kind is TokenType.R_PAREN and depth:
            depth -= 1
        elif depth == 0 and (kind is None or kind is TokenType.COMMA or kind in _ENDS_OF_LIST):
            texts.append(sql[tokens[first].start : tokens[index - 1].end + 1] if index > first else "")
            first = index + 1
            if kind is not TokenType.COMMA:
                break
    return texts


def _target(tree: exp.Expr) -> exp.Expr | None:
    """Return the node of the table that the statement writes, or None."""
    if isinstance(tree, exp.Insert):
        return tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    if isinstance(tree, exp.Update | exp.Delete):
        return tree.this
    return None


def _rewrite_upsert(tree: exp.Insert) -> bool:
    """Rewrite ON DUPLICATE KEY UPDATE as ON CONFLICT DO UPDATE, and INSERT IGNORE as INSERT OR IGNORE."""
    if tree.args.get("ignore"):
        tree.set("ignore", None)
        tree.set("alternative", "IGNORE")
    conflict = tree.args.get("conflict")
    if conflict is None:
        return False
    alias = tree.expression.args.get("alias")
    row_name = alias.name if alias else None
    if alias:
        tree.expression.set("alias", None)

    def excluded(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Anonymous) and node.name.upper() == "VALUES":
            return exp.column(node.expressions[0].name, table="excluded")
        if isinstance(node, exp.Column) and row_name and node.table == row_name:
            return exp.column(node.name, table="excluded")
        return node

    sets = [node.transform(excluded) for node in conflict.expressions]
    tree.set("conflict", exp.OnConflict(duplicate=False, action=exp.var("DO UPDATE"), expressions=sets))
    return True


def _rewrite(tree: exp.Expr) -> None:
    """Replace time, session and interval functions in place by the functions that a volume registers."""
    for node in list(tree.walk(bfs=False)):
        replacement = _replacement(node)
        if replacement is not None:
            node.replace(replacement)


def _call(function: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=function, expressions=list(arguments))


def _replacement(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.SessionParameter):
        return _call("mysql_variable", exp.Literal.string(node.name.lower()))
    if isinstance(node, exp.UtcTimestamp | exp.CurrentTimestamp):
        return _call("mysql_now", node.this.copy() if node.this else exp.Literal.number(0))
    if isinstance(node, exp.Cast) and node.to.this is exp.DType.BIGINT:  # MySQL rounds
        rounded = exp.Round(this=_rewritten(node.this.copy()))
        return exp.Cast(this=rounded, to=exp.DataType.build("INTEGER"))
    if isinstance(node, exp.Like) and not isinstance(node.parent, exp.Escape):
        operands = {name: _rewritten(node.args[name].copy()) for name in ("this", "expression")}
        like = exp.Like(**{**node.args, **operands})
        return exp.Escape(this=like, expression=exp.Literal.string("\\"))
    if isinstance(node, exp.Length) and node.args.get("binary"):
        return _call("length", exp.Cast(this=_rewritten(node.this.copy()), to=exp.DataType.build("BLOB")))
    if isinstance(node, exp.Ceil | exp.Floor):
        return _call(f"mysql_{node.key}", _number(node.this))
    if isinstance(node, exp.Round):
        digits = node.args.get("decimals") or exp.Literal.number(0)
        return _call("mysql_round", _number(node.this), _rewritten(digits.copy()))
    if isinstance(node, exp.Mod):
        return _call("mysql_mod", _number(node.this), _number(node.expression))
    if isinstance(node, exp.Upper | exp.Lower):
        return _call(f"mysql_{node.key}", _rewritten(node.this.copy()))
    if isinstance(node, exp.Substring):
        parts = (node.this, node.args["start"], node.args.get("length"))
        return _call("mysql_substring", *(_rewritten(part.copy()) for part in parts if part))
    if isinstance(node, exp.TsOrDsToDate):
        return _call("mysql_date", _rewritten(node.this.copy()))
    if isinstance(node, exp.DateDiff):
        return _call("mysql_datediff", _rewritten(node.this.copy()), _rewritten(node.expression.copy()))
    if isinstance(node, exp.TimeToStr):
        return _call("mysql_date_format", _rewritten(node.this.this.copy()), node.args["format"].copy())
    if isinstance(node, exp.UtcDate | exp.CurrentDate):
        return _call("mysql_today")
    if isinstance(node, exp.Uuid | exp.Rand):
        return _call("mysql_uuid" if isinstance(node, exp.Uuid) else "mysql_rand")
    if isinstance(node, exp.CurrentUser | exp.CurrentSchema | exp.CurrentVersion):
        return _call("mysql_context", exp.Literal.string(node.key))
    if isinstance(node, exp.TimestampDiff):
        earlier, later = _rewritten(node.expression.copy()), _rewritten(node.this.copy())
        return _call("mysql_timestampdiff", exp.Literal.string(node.text("unit")), earlier, later)
    if isinstance(node, exp.DateAdd | exp.DateSub):
        return _shift(node.this, node.expression, node.text("unit"), back=isinstance(node, exp.DateSub))
    if isinstance(node, exp.Add | exp.Sub) and isinstance(node.expression, exp.Interval):
        interval = node.expression
        return _shift(node.this, interval.this, interval.text("unit"), back=isinstance(node, exp.Sub))
    if isinstance(node, exp.Anonymous):
        name = node.name.upper()
        if name == "UNIX_TIMESTAMP":
            moments = node.expressions or [_call("mysql_now", exp.Literal.number(0))]
            return _call("mysql_unix_timestamp", *(_rewritten(moment.copy()) for moment in moments))
        if name in TIME_FUNCTIONS:
            return _call("mysql_now", node.expressions[0].copy() if node.expressions else exp.Literal.number(0))
        if name in CONTEXT_FUNCTIONS:
            return _call("mysql_context", exp.Literal.string(name.lower()))
    return None


def _rewritten(node: exp.Expr) -> exp.Expr:
    holder = exp.Paren(this=node)
    _rewrite(holder)
    return holder.this


def _number(node: exp.Expr) -> exp.Expr:
    """Return a value as a number: a sum reads the digits at the beginning of a text, as MySQL does."""
    return exp.Add(this=exp.Paren(this=_rewritten(node.copy())), expression=exp.Literal.number(0))


def _shift(datetime: exp.Expr, amount: exp.Expr, unit: str, *, back: bool) -> exp.Expr:
    sign = exp.Literal.number(-1 if back else 1)
    return _call("mysql_shift", _rewritten(datetime.copy()), _rewritten(amount.copy()), exp.Literal.string(unit), sign)


def _rewrite_tables(tree: exp.Expr, target: exp.Expr | None, database: str | None) -> list[tuple[exp.Expr, TableName]]:
    """Replace each table name by its SQLite name, keep the qualifier of its columns, and return the tables."""
    for source in list(tree.find_all(exp.From)):
        if isinstance(source.this, exp.Table) and not source.this.db and source.this.name.upper() == "DUAL":
            source.pop()
    common = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    found: list[tuple[exp.Expr, TableName]] = []
    for table in list(tree.find_all(exp.Table)):
        if not table.db and table.name in common:
            continue
        name = _table_name(table, database)
        found.append((table, name))
        table.set("db", None)
        if not table.alias and table is not target:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(name.name, quoted=True)))
        table.set("this", exp.to_identifier(name.stored_as, quoted=True))
    targets = {name.name: name.stored_as for node, name in found if node is target}
    known = common | {each.alias for each in tree.find_all(exp.Table, exp.Subquery)} | set(targets)
    for column in tree.find_all(exp.Column):
        column.set("db", None)
        if column.table in targets:
            column.set("table", exp.to_identifier(targets[column.table], quoted=True))
        elif column.table not in known and column.table.lower() in {each.lower() for each in known}:
            # SQLite ignores the case of a table's name.
            raise SqlError(1054, "42S22", f"Unknown column '{column.table}.{column.name}' in 'field list'")
    return found


def _remove_qualifiers(tree: exp.Update) -> None:
    """Name the changed columns without their table, as SQLite requires."""
    for assignment in tree.expressions:
        column = assignment.this
        if column.table not in ("", tree.this.alias_or_name):
            raise SqlError(1054, "42S22", f"Unknown column '{column.table}.{column.name}' in 'field list'")
        column.set("table", None)


def _column_sources(tree: exp.Query) -> tuple[ColumnSource, ...] | None:
    selects = tree.selects
    if any(select.is_star for select in selects):
        return None
    return tuple(_column_source(select) for select in selects)


def _column_source(node: exp.Expr) -> ColumnSource:
    if isinstance(node, exp.Alias | exp.Paren | exp.Max | exp.Min | exp.Sum | exp.Coalesce | exp.Subquery):
        inner = node.this
        if isinstance(inner, exp.Select):
            return _column_source(inner.selects[0]) if len(inner.selects) == 1 else ColumnSource()
        return _column_source(inner)
    if isinstance(node, exp.Column):
        return ColumnSource(column=node.name)
    if isinstance(node, exp.Anonymous):
        known = {
            **{"mysql_now": "datetime", "mysql_shift": "datetime", "mysql_timestampdiff": "integer"},
            **{"mysql_date": "date", "mysql_today": "date"},
        }
        return ColumnSource(known_type=known.get(node.name))
    return ColumnSource()
