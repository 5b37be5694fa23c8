"""Rewrites the syntax tree of a MySQL statement so that SQLite gives MySQL's results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import ErrorLevel, UnsupportedError

from rehearsal.aurora.mysql_functions import python_format
from rehearsal.aurora.sql_error import SqlError, unsupported
from rehearsal.aurora.supported_sql import CONTEXT_FUNCTIONS, TIME_FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Storage(SQLite):
    """SQLite with names in backticks. SQLite reads an unknown name in double quotes as a string."""

    class Tokenizer(SQLite.Tokenizer):
        IDENTIFIERS = ["`"]  # noqa: RUF012 - sqlglot's convention


def sqlite_text(tree: exp.Expr) -> str:
    """Return the text for SQLite. Raises SqlError 1235."""
    try:
        return tree.sql(_Storage, unsupported_level=ErrorLevel.RAISE, identify=True)
    except UnsupportedError as error:
        raise unsupported(str(error).splitlines()[0]) from error


def rewrite_expressions(tree: exp.Expr) -> None:
    """Replace what SQLite lacks or computes differently by the functions that a volume registers."""
    for node in reversed(list(tree.walk(bfs=False))):  # children first
        replacement = _replacement(node)
        if replacement is not None:
            node.replace(replacement)


def rewrite_upsert(tree: exp.Insert) -> bool:
    """Rewrite ON DUPLICATE KEY UPDATE and IGNORE as ON CONFLICT; return whether rows may be updated.

    INSERT OR IGNORE would also drop rows with faults other than a duplicate key, which MySQL adjusts and stores.
    """
    ignored, conflict = tree.args.get("ignore"), tree.args.get("conflict")
    tree.set("ignore", None)
    if ignored and conflict:
        raise unsupported("IGNORE with ON DUPLICATE KEY UPDATE")
    if ignored:
        tree.set("conflict", exp.OnConflict(action=exp.var("DO NOTHING")))
    if conflict:
        _rewrite_assignments(tree, conflict)
    rows = tree.expression
    if (ignored or conflict) and isinstance(rows, exp.Select) and rows.args.get("from_") and not rows.args.get("where"):
        rows.set("where", exp.Where(this=exp.true()))  # SQLite would read ON as a join's
    return bool(conflict)


def _rewrite_assignments(tree: exp.Insert, conflict: exp.OnConflict) -> None:
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

    target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    remove_qualifiers(conflict.expressions, target.name)
    sets = [node.transform(excluded) for node in conflict.expressions]
    tree.set("conflict", exp.OnConflict(duplicate=False, action=exp.var("DO UPDATE"), expressions=sets))


def remove_qualifiers(assignments: Sequence[exp.Expr], table: str) -> None:
    """Name the changed columns without their table, as SQLite requires. Raises SqlError 1054 for another table's column."""
    for assignment in assignments:
        column = assignment.this
        if column.table not in ("", table):
            raise SqlError(1054, "42S22", f"Unknown column '{column.table}.{column.name}' in 'field list'")
        column.set("table", None)


def use_aliases_in_having(tree: exp.Expr) -> None:
    """Replace the names of result columns in HAVING: MySQL prefers them to the tables' columns, SQLite does not."""
    for select in tree.find_all(exp.Select):
        aliases = {each.alias.lower(): each.this for each in select.selects if isinstance(each, exp.Alias)}
        having, group = select.args.get("having"), select.args.get("group")
        grouped = {each.name.lower() for each in group.expressions} if group else set[str]()
        for column in list(having.find_all(exp.Column)) if having else ():
            is_outside = column.find_ancestor(exp.AggFunc, exp.Query) is select
            if is_outside and not column.table and column.name.lower() in aliases.keys() - grouped:
                column.replace(exp.Paren(this=aliases[column.name.lower()].copy()))


def is_aggregated(select: exp.Select) -> bool:
    """Return whether a SELECT without GROUP BY has one row because of an aggregate function."""
    return not select.args.get("group") and any(
        call.find_ancestor(exp.Window, exp.Query) is select
        for each in select.selects
        for call in each.find_all(exp.AggFunc)
    )


def require_single_rows(tree: exp.Expr) -> None:
    """Make subqueries fail whose only value comes from several rows; SQLite takes the first one.

    Raises SqlError 1235 for a subquery with several columns as a value.
    """
    for subquery in reversed(list(tree.find_all(exp.Subquery))):
        query = subquery.this
        is_set = (
            isinstance(subquery.parent, exp.From | exp.Join | exp.Exists | exp.SetOperation)
            or subquery.arg_key == "query"
        )
        if is_set or not isinstance(query, exp.Query):
            continue
        if len(query.selects) != 1:
            raise unsupported("a subquery with several columns as a value")
        limit = query.args.get("limit")
        if (limit and limit.expression.name == "1") or (isinstance(query, exp.Select) and is_aggregated(query)):
            continue
        first = query
        while isinstance(first, exp.SetOperation):
            first = first.left
        name = first.selects[0].alias or "value"
        first.set("expressions", [exp.alias_(first.selects[0].unalias(), name, quoted=True)])
        rows = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("row")))
        subquery.set("this", exp.select(_call("mysql_only_row", exp.column(name, quoted=True))).from_(rows))


def _call(function: str, *arguments: exp.Expr | str | int) -> exp.Expr:
    """Return a call. Texts and numbers become literals."""
    return exp.Anonymous(this=function, expressions=[exp.convert(each) for each in arguments])


def _number(node: exp.Expr) -> exp.Expr:
    """Return `value + 0`: SQLite converts a text to its leading number, as MySQL does."""
    return exp.Add(this=exp.Paren(this=node), expression=exp.Literal.number(0))


def _replacement(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.Anonymous):
        return _named_function(node)
    if isinstance(node, exp.SessionParameter):
        return _call("mysql_variable", node.name.lower())
    if isinstance(node, exp.Limit) and int(node.expression.name) >= 1 << 63:
        return exp.Limit(expression=exp.Literal.number(-1))  # no limit: what clients write for an offset alone
    if isinstance(node, exp.Like) and not isinstance(node.parent, exp.Escape):
        return exp.Escape(this=node.copy(), expression=exp.Literal.string("\\"))
    return _time(node) or _value(node)


def _value(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.Cast) and node.to.this is exp.DType.BIGINT:
        return _call("mysql_signed", node.this)
    if isinstance(node, exp.Cast) and node.to.expressions:
        text = exp.Cast(this=node.this, to=exp.DataType.build("TEXT"))
        return _call("mysql_substring", text, 1, int(node.to.expressions[0].name))
    if isinstance(node, exp.Sum):
        return exp.AnonymousAggFunc(this="mysql_sum", expressions=[node.this])
    if isinstance(node, exp.Length) and node.args.get("binary"):
        return _call("length", exp.Cast(this=node.this, to=exp.DataType.build("BLOB")))
    if isinstance(node, exp.Concat):
        return _call("mysql_concat", *node.expressions)
    if isinstance(node, exp.Ceil | exp.Floor):
        return _call(f"mysql_{node.key}", _number(node.this))
    if isinstance(node, exp.Round):
        return _call("mysql_round", _number(node.this), node.args.get("decimals") or 0)
    if isinstance(node, exp.Mod):
        return _call("mysql_mod", _number(node.this), _number(node.expression))
    if isinstance(node, exp.Upper | exp.Lower):
        return _call(f"mysql_{node.key}", node.this)
    if isinstance(node, exp.Substring):
        parts = (node.this, node.args["start"], node.args.get("length"))
        return _call("mysql_substring", *(part for part in parts if part))
    if isinstance(node, exp.Uuid | exp.Rand):
        return _call(f"mysql_{node.key}")
    if isinstance(node, exp.CurrentUser | exp.CurrentSchema | exp.CurrentVersion):
        return _call("mysql_context", node.key)
    return None


def _time(node: exp.Expr) -> exp.Expr | None:
    if isinstance(node, exp.UtcTimestamp | exp.CurrentTimestamp | exp.Localtime | exp.Localtimestamp):
        return _call("mysql_now", node.this or 0)
    if isinstance(node, exp.UtcDate | exp.CurrentDate):
        return _call("mysql_today")
    if isinstance(node, exp.TsOrDsToDate):
        return _call("mysql_date", node.this)
    if isinstance(node, exp.DateDiff):
        return _call("mysql_datediff", node.this, node.expression)
    if isinstance(node, exp.TimestampDiff):
        return _call("mysql_timestampdiff", node.text("unit"), node.expression, node.this)
    if isinstance(node, exp.DateAdd | exp.DateSub):
        sign = -1 if isinstance(node, exp.DateSub) else 1
        return _call("mysql_shift", node.this, node.expression, node.text("unit"), sign)
    if isinstance(node, exp.Add | exp.Sub) and isinstance(node.expression, exp.Interval):
        interval, sign = node.expression, -1 if isinstance(node, exp.Sub) else 1
        return _call("mysql_shift", node.this, interval.this, interval.text("unit"), sign)
    return None


def _named_function(node: exp.Anonymous) -> exp.Expr | None:
    name = node.name.upper()
    if name == "DATE_FORMAT":
        moment, mysql_format = node.expressions
        return _call("mysql_date_format", moment, python_format(mysql_format.name))
    if name == "UNIX_TIMESTAMP":
        return _call("mysql_unix_timestamp", *(node.expressions or [_call("mysql_now", 0)]))
    if name in TIME_FUNCTIONS:
        return _call("mysql_now", node.expressions[0] if node.expressions else 0)
    if name in CONTEXT_FUNCTIONS:
        return _call("mysql_context", name.lower())
    return None
