"""The part of MySQL's SQL that the stand-in runs as MySQL does.

sqlglot parses more than MySQL, and SQLite runs more: RETURNING, FULL JOIN, functions of its own. So each part of a statement's
syntax tree is looked up here, and a part that is not listed is refused by name.
"""

from __future__ import annotations

import math
import re

from sqlglot import exp

from rehearsal.aurora.mysql_functions import UNITS

_CLAUSES: dict[type[exp.Expr], str] = {
    exp.Select: "expressions distinct from_ joins where group having order limit offset windows with_",
    exp.Insert: "this expression ignore conflict",
    exp.Update: "this expressions where",
    exp.Delete: "this where",
    exp.Union: "this expression distinct order limit offset with_",
    exp.Intersect: "this expression distinct order limit offset with_",
    exp.Except: "this expression distinct order limit offset with_",
    exp.CTE: "this alias",
    exp.Column: "this table db",
    exp.Distinct: "expressions",
    exp.From: "this",
    exp.Group: "expressions",
    exp.Having: "this",
    exp.Identifier: "this quoted",
    exp.Join: "this on using side kind method",
    exp.Limit: "expression",
    exp.Offset: "expression",
    exp.OnConflict: "action duplicate expressions",
    exp.Order: "expressions",
    exp.Ordered: "this desc nulls_first",
    exp.Schema: "this expressions",
    exp.Star: "",
    exp.Subquery: "this alias",
    exp.Table: "this db alias",
    exp.TableAlias: "this columns",
    exp.Tuple: "expressions",
    exp.Values: "expressions alias",
    exp.Where: "this",
    exp.Window: "this over partition_by order spec alias",
    exp.WindowSpec: "kind start start_side end end_side",
    exp.With: "expressions recursive",
}
"""The clauses by node of sqlglot's tree, each with the arguments that may have a value."""

_VALUES: dict[type[exp.Expr], str] = {
    exp.Alias: "this alias",
    exp.Boolean: "this",
    exp.BitString: "this",
    exp.Cast: "this to",
    exp.DataType: "this",
    exp.HexString: "this",
    exp.Interval: "this unit",
    exp.Literal: "this is_string",
    exp.Null: "",
    exp.Paren: "this",
    exp.SessionParameter: "this kind",
    exp.Var: "this",
}

_BINARY = (
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.And, exp.Or),
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.Is, exp.Like, exp.Escape),
)
_OPERATORS: dict[type[exp.Expr], str] = {
    **dict.fromkeys(_BINARY, "this expression safe typed negate"),
    exp.Between: "this low high",
    exp.Case: "this ifs default",
    exp.Exists: "this",
    exp.In: "this expressions query",
    exp.Neg: "this",
    exp.Not: "this",
}

_ONE_VALUE = (exp.Abs, exp.Ceil, exp.Floor, exp.Lower, exp.Sqrt, exp.Sum, exp.Avg, exp.Max, exp.Min, exp.Upper)
_FUNCTIONS: dict[type[exp.Expr], str] = {
    **dict.fromkeys(_ONE_VALUE, "this"),
    **dict.fromkeys((exp.RowNumber, exp.Rank, exp.DenseRank), ""),
    **dict.fromkeys((exp.CurrentUser, exp.CurrentSchema, exp.CurrentVersion, exp.CurrentDate, exp.UtcDate), ""),
    **dict.fromkeys((exp.CurrentTimestamp, exp.UtcTimestamp, exp.TsOrDsToDate, exp.TsOrDsToTimestamp), "this"),
    exp.Anonymous: "this expressions",
    exp.Coalesce: "this expressions",
    exp.Concat: "expressions safe",
    exp.Count: "this big_int",
    exp.DateAdd: "this expression unit",
    exp.DateDiff: "this expression date_part_boundary",
    exp.DateSub: "this expression unit",
    exp.FirstValue: "this",
    exp.Greatest: "this expressions",
    exp.GroupConcat: "this separator",
    exp.If: "this true false",
    exp.Lag: "this offset default",
    exp.LastValue: "this",
    exp.Lead: "this offset default",
    exp.Least: "this expressions",
    exp.Length: "this binary",
    exp.NthValue: "this offset",
    exp.Ntile: "this",
    exp.Nullif: "this expression",
    exp.Pow: "this expression",
    exp.Rand: "",
    exp.Replace: "this expression replacement",
    exp.Round: "this decimals",
    exp.Sign: "this",
    exp.Substring: "this start length",
    exp.TimeToStr: "this format",
    exp.TimestampDiff: "this expression unit",
    exp.Trim: "this position",
    exp.Uuid: "",
}
_SUPPORTED = {**_CLAUSES, **_VALUES, **_OPERATORS, **_FUNCTIONS}

TIME_FUNCTIONS = {"NOW", "SYSDATE", "LOCALTIME", "LOCALTIMESTAMP", "CURRENT_TIMESTAMP"}
CONTEXT_FUNCTIONS = {"CONNECTION_ID", "USER", "SESSION_USER", "SYSTEM_USER", "LAST_INSERT_ID"}
"""Functions that sqlglot has no node for."""
_NAMED_FUNCTIONS = {*TIME_FUNCTIONS, *CONTEXT_FUNCTIONS, "UNIX_TIMESTAMP"}
_FORMAT_LETTERS = set("YmdHMSfyBAabIpj%")
"""The letters of a date's format, in Python's spelling, that mean the same in MySQL. "-" before one removes its zero."""
_CASTS = (exp.DType.BIGINT, exp.DType.CHAR)


def refused_part(tree: exp.Expr) -> str | None:
    """Return the name of the first part of a query or a change that is not supported, or None."""
    for node in tree.walk():
        refused = _refused_node(node) or _refused_argument(node) or _refused_value(node)
        if refused:
            return refused
    return None


def refused_function(tree: exp.Expr) -> str | None:
    """Return the name of the first function in a definition that is not supported, or None."""
    return next((refused for node in tree.find_all(exp.Func) if (refused := _refused_node(node))), None)


def _refused_node(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Anonymous):
        name = node.name.upper()
        is_new_value = name == "VALUES" and node.find_ancestor(exp.OnConflict) is not None
        return None if name in _NAMED_FUNCTIONS or is_new_value else f"the function {name}"
    if isinstance(node, exp.Cast) and (node.to.expressions or node.to.this not in _CASTS):
        return f"CAST AS {node.to.this.value}"
    return None if type(node) in _SUPPORTED else _name(node)


def _name(node: exp.Expr) -> str:
    if isinstance(node, exp.Func) and not isinstance(node, exp.Connector):
        return f"the function {node.sql_name()}"
    return node.key.upper()


def _refused_argument(node: exp.Expr) -> str | None:
    supported = _SUPPORTED[type(node)].split()
    for name, value in node.args.items():
        if value not in (None, False, "", []) and name not in supported:
            if name == "joins" and isinstance(node, exp.Table):
                return "JOIN in UPDATE and DELETE"
            return f"{name.strip('_').upper()} in {_name(node)}"
    return None


def _refused_value(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Join):
        words = {node.side, node.kind, node.method} - {"", "LEFT", "RIGHT", "INNER", "CROSS", "OUTER", "NATURAL"}
        return f"{min(words)} JOIN" if words else None
    if isinstance(node, exp.Ordered) and bool(node.args.get("desc")) == bool(node.args.get("nulls_first")):
        return "NULLS FIRST and NULLS LAST"
    if isinstance(node, exp.OnConflict) and not node.args.get("duplicate"):
        return "ON CONFLICT"
    if isinstance(node, exp.Column | exp.Var) and node.sql().upper() == "DEFAULT":
        return "DEFAULT as a value"
    if isinstance(node, exp.Interval | exp.DateAdd | exp.DateSub | exp.TimestampDiff):
        unit = node.text("unit").upper()
        return None if unit in UNITS else f"the unit {unit}"
    if isinstance(node, exp.TimeToStr):
        return _refused_format(node.args["format"])
    if isinstance(node, exp.Greatest | exp.Least) and not node.expressions:
        return f"{node.sql_name()} of one value"
    if isinstance(node, exp.Literal) and not node.is_string and not math.isfinite(float(node.name)):
        return f"the number {node.name}"
    return None


def _refused_format(format_node: exp.Expr) -> str | None:
    if not isinstance(format_node, exp.Literal):
        return "a format that is not a constant"
    unknown = {found.lstrip("-") for found in re.findall("%(-?.?)", format_node.name)} - _FORMAT_LETTERS
    return f"a format with %{min(unknown)}" if unknown else None
