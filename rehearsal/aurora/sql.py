"""Translation of MySQL statements into SQLite.

Each statement is translated or refused with error 1235. docs/rehearsal-database.md lists the answers that differ.
"""

import json
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from rehearsal.aurora.create_table import create_table_plan
from rehearsal.aurora.sql_error import SqlError, unsupported
from rehearsal.aurora.supported_sql import ENDS_OF_LIST, parse, refuse_unknown_parts, refuse_use_of_changes, tokenize
from rehearsal.aurora.translation import (
    is_aggregated,
    remove_qualifiers,
    require_single_rows,
    rewrite_expressions,
    rewrite_upsert,
    sqlite_text,
    use_aliases_in_having,
)


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
        """The table's name in SQLite: `database.table`, with `^` before each capital and each `^`.

        SQLite has no databases and ignores the case of names.
        """
        return re.sub("[A-Z^]", lambda found: f"^{found[0].lower()}", f"{self.database}.{self.name}")


def shown_names(text: str) -> str:
    """Return a text with the names of tables as clients know them instead of `TableName.stored_as`."""
    return re.sub(r"\^(.)", lambda found: found[1].upper(), text)


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
    locks_rows: bool = False  # FOR UPDATE or FOR SHARE
    guard: str | None = None  # reads the rows that it changes or locks, with all their columns


@lru_cache(maxsize=512)
def plan(sql: str, database: str | None) -> Plan:
    """Translate one statement, with `database` as the default database. Raises SqlError."""
    trees = parse(sql)
    if len(trees) != 1:
        raise unsupported("several statements in one query")
    try:
        return _plan(sql, trees[0].copy(), database)
    except RecursionError as error:
        raise unsupported("an expression of this depth") from error


def _plan(sql: str, tree: exp.Expr, database: str | None) -> Plan:
    if isinstance(tree, exp.Create):
        return _plan_create(tree, database)
    if isinstance(tree, exp.Drop):
        return _plan_drop(tree, database)
    if isinstance(tree, exp.TruncateTable):
        table = _table_name(tree.expressions[0], database)
        planned = _definition("TRUNCATE", f'DELETE FROM "{table.stored_as}"', privilege="DROP", table=table)
        restart = ("DELETE FROM sqlite_sequence WHERE name = ?", (table.stored_as,))
        return replace(planned, statements=(*planned.statements, restart))
    if isinstance(tree, exp.Query | exp.Insert | exp.Update | exp.Delete):
        return _plan_data(sql, tree, database)
    if isinstance(tree, exp.Condition):  # an expression is no statement
        raise SqlError(1064, "42000", f"You have an error in your SQL syntax near '{sql[:80]}'")
    raise unsupported(tokenize(sql)[0].text.upper())


def _table_name(table: exp.Expr, database: str | None) -> TableName:
    if not isinstance(table, exp.Table):
        raise unsupported(f"{type(table).__name__} as a table")
    name = table.db or database
    if not name:
        raise SqlError(1046, "3D000", "No database selected")
    if name.lower() == "information_schema":  # the only database whose names are not case-sensitive
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
        for node in tree.find_all(exp.CheckColumnConstraint, exp.DefaultColumnConstraint):
            refuse_unknown_parts(node.this)
        rewrite_expressions(tree)
        try:
            statements = create_table_plan(tree, table.database, table.name, table.stored_as)
        except NotImplementedError as error:
            raise unsupported(str(error)) from error
        needs = (Need(privilege="CREATE", table=table),)
        return Plan(kind=Kind.DEFINITION, verb="CREATE TABLE", statements=statements, needs=needs, tables=(table,))
    if tree.kind == "INDEX":
        table = _table_name(tree.this.args["table"], database)
        if not all(isinstance(ordered.this, exp.Column) for ordered in tree.this.args["params"].args["columns"]):
            raise unsupported("an index on a part of a column or on an expression")
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
    if isinstance(tree, exp.Update | exp.Delete) and (tree.args.get("limit") or tree.args.get("order")):
        raise unsupported("UPDATE or DELETE with ORDER BY or LIMIT")
    if any(each.find(exp.Order) for each in tree.find_all(exp.GroupConcat)):
        raise unsupported("ORDER BY in GROUP_CONCAT")
    refuse_unknown_parts(tree)
    refuse_use_of_changes(tree)
    use_aliases_in_having(tree)
    if isinstance(tree, exp.Query):
        _add_titles(sql, tree)
    target = _target(tree)
    variables = tuple(node.name.lower() for node in tree.find_all(exp.SessionParameter))
    upsert = isinstance(tree, exp.Insert) and rewrite_upsert(tree)
    rewrite_expressions(tree)
    sources = _column_sources(tree) if isinstance(tree, exp.Query) else ()
    require_single_rows(tree)
    names = _rewrite_tables(tree, database)
    _refuse_read_of_target(tree, target, names)
    if isinstance(tree, exp.Update):
        remove_qualifiers(tree.expressions, tree.this.alias_or_name)
    verb = tree.key.upper() if not isinstance(tree, exp.Query) else "SELECT"
    needs = [Need(privilege="SELECT", table=name) for node, name in names if node is not target]
    if locks:  # MySQL accepts DELETE or LOCK TABLES as well
        needs += [Need(privilege="UPDATE", table=name) for _, name in names]
    for node, name in names:
        if node is target:
            needs.append(Need(privilege=verb, table=name))
            if upsert:
                needs.append(Need(privilege="UPDATE", table=name))
    return Plan(
        kind=Kind.READ if verb == "SELECT" else Kind.WRITE,
        verb=verb,
        statements=((sqlite_text(tree), ()),),
        needs=tuple(dict.fromkeys(needs)),
        tables=tuple(dict.fromkeys(name for _, name in names)),
        inserts_into=next((name.stored_as for node, name in names if node is target and verb == "INSERT"), None),
        variables=variables,
        sources=sources,
        locks_rows=bool(locks),
        guard=_guard(tree, [table.name for lock in locks for table in lock.expressions]),
    )


def _guard(tree: exp.Expr, locked: list[str]) -> str | None:
    """Return a query of the whole rows that a translated statement changes or locks, or None.

    `locked` has the tables of FOR UPDATE OF.
    """
    if isinstance(tree, exp.Update | exp.Delete):
        rows = exp.select("*").from_(tree.this.copy())
        rows.set("where", tree.args.get("where"))
        return sqlite_text(rows)
    if not isinstance(tree, exp.Select) or not tree.args.get("from_"):
        return None
    rows = tree.copy()
    stars = [exp.Column(this=exp.Star(), table=exp.to_identifier(table)) for table in locked] or [exp.Star()]
    if is_aggregated(tree) or tree.args.get("group") or tree.args.get("distinct"):
        for clause in ("distinct", "group", "having", "order", "limit", "offset"):
            rows.set(clause, None)
        rows.set("expressions", stars)
    else:  # ORDER BY and LIMIT may use the names of the other columns
        rows.set("expressions", [*stars, *rows.expressions])
    return sqlite_text(rows)


def _add_titles(sql: str, tree: exp.Query) -> None:
    """Give each result column a name as MySQL does: a column's or the text of an expression, as the client sent it."""
    select = tree
    while isinstance(select, exp.SetOperation):
        select = select.left
    if not isinstance(select, exp.Select):
        return
    if not select.selects:
        raise SqlError(1064, "42000", "You have an error in your SQL syntax near ''")
    texts = _select_list(sql)
    if len(texts) != len(select.selects):
        return
    _refuse_ambiguous_order(tree, select)
    for each, text in zip(select.selects, texts, strict=True):
        if not each.is_star and not isinstance(each, exp.Alias):
            value = each.unnest()
            title = value.name if isinstance(value, exp.Column) or _is_string(value) else text
            each.replace(exp.Alias(this=each.copy(), alias=exp.to_identifier(title, quoted=True)))


def _refuse_ambiguous_order(tree: exp.Query, select: exp.Select) -> None:
    """Raise SqlError 1052 for ORDER BY a name that columns of several tables have; SQLite would take the first one's title."""
    order = tree.args.get("order")
    for ordered in order.expressions if order else ():
        name = ordered.this.name.lower() if isinstance(ordered.this, exp.Column) and not ordered.this.table else None
        columns = [each for each in select.selects if isinstance(each, exp.Column) and each.name.lower() == name]
        if len({each.table for each in columns} - {""}) > 1:
            raise SqlError(1052, "23000", f"Column '{name}' in order clause is ambiguous")


def _is_string(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and node.is_string


def _select_list(sql: str) -> list[str]:
    """Return the texts between the commas of the first SELECT's list."""
    tokens = tokenize(sql)
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
        elif depth == 0 and (kind is None or kind is TokenType.COMMA or kind in ENDS_OF_LIST):
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


def _rewrite_tables(tree: exp.Expr, database: str | None) -> list[tuple[exp.Expr, TableName]]:
    """Replace each table name by its SQLite name, keep the qualifier of its columns as an alias, and return the tables."""
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
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        table.set("this", exp.to_identifier(name.stored_as, quoted=True))
    if len({name.name for _, name in found}) < len({(name.database, name.name) for _, name in found}):
        raise unsupported("tables of the same name in two databases")
    known = common | {each.alias for each in tree.find_all(exp.Table, exp.Subquery)}
    qualified = {(name.database, node.alias) for node, name in found}
    for column in tree.find_all(exp.Column):
        database_name = column.text("db")
        if database_name.lower() == "information_schema":
            database_name = "information_schema"
        is_unknown = bool(database_name) and (database_name, column.table) not in qualified
        # SQLite ignores the case of a table's name.
        has_other_case = column.table not in known and column.table.lower() in {each.lower() for each in known}
        if is_unknown or has_other_case:
            raise SqlError(1054, "42S22", f"Unknown column '{column.sql('mysql')}' in 'field list'")
        column.set("db", None)
    return found


def _refuse_read_of_target(tree: exp.Expr, target: exp.Expr | None, names: list[tuple[exp.Expr, TableName]]) -> None:
    """Raise SqlError 1093 as MySQL, which reads the changed table in a derived table or in INSERT ... SELECT only."""
    changed = next((name for node, name in names if node is target), None)
    if isinstance(tree, exp.Insert) and not isinstance(tree.expression, exp.Values):
        return
    for node, name in names:
        derived = node.find_ancestor(exp.Subquery)
        if node is not target and name == changed and not (derived and isinstance(derived.parent, exp.From | exp.Join)):
            raise SqlError(1093, "HY000", f"You can't specify target table '{name.name}' for update in FROM clause")


def _column_sources(tree: exp.Query) -> tuple[ColumnSource, ...] | None:
    selects = tree.selects
    if any(select.is_star for select in selects):
        return None
    return tuple(_column_source(select) for select in selects)


def _column_source(node: exp.Expr) -> ColumnSource:
    if isinstance(node, exp.AnonymousAggFunc):  # mysql_sum
        return _column_source(node.expressions[0])
    if isinstance(node, exp.Alias | exp.Paren | exp.Max | exp.Min | exp.Coalesce | exp.Subquery):
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
