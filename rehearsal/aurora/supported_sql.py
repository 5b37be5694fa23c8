"""Reads MySQL's SQL and refuses by name what the stand-in does not run.

sqlglot parses more than MySQL, and SQLite runs more: RETURNING, FULL JOIN, functions of its own. So each part of a statement's
syntax tree is looked up here, and a part that is not listed is refused.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING

from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import TokenType

from rehearsal.aurora.mysql_functions import UNITS, unknown_letter
from rehearsal.aurora.sql_error import SqlError, unsupported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot.tokenizer_core import Token

_NAMES = """
ABS AVG CAST CEIL CEILING CHARACTER_LENGTH CHAR_LENGTH COALESCE CONCAT CONVERT COUNT CURDATE CURRENT_DATE
CURRENT_TIMESTAMP CURRENT_USER DATABASE DATE DATEDIFF DATE_ADD DATE_SUB DENSE_RANK FIRST_VALUE FLOOR GREATEST
GROUP_CONCAT IF IFNULL ISNULL LAG LAST_VALUE LCASE LEAD LEAST LENGTH LOCALTIME LOCALTIMESTAMP LOWER LTRIM MAX MIN MOD
NTH_VALUE NTILE NULLIF POW POWER RAND RANK REPLACE ROUND ROW_NUMBER RTRIM SCHEMA SIGN SQRT SUBSTR SUBSTRING SUM
TIMESTAMPDIFF TRIM UCASE UPPER UTC_DATE UTC_TIMESTAMP UUID VALUES VERSION
"""
_PARSED_FUNCTIONS = frozenset(_NAMES.split())
"""The functions that sqlglot gives a node of their own. Other names stay names: sqlglot knows those of many databases."""
TIME_FUNCTIONS = {"NOW", "SYSDATE"}
CONTEXT_FUNCTIONS = {"CONNECTION_ID", "LAST_INSERT_ID", "SESSION_USER", "SYSTEM_USER", "USER"}
NAMED_FUNCTIONS = {*TIME_FUNCTIONS, *CONTEXT_FUNCTIONS, "DATE_FORMAT", "UNIX_TIMESTAMP"}
"""The other functions."""


class _MySql(MySQL):
    class Parser(MySQL.Parser):
        FUNCTIONS = {  # noqa: RUF012 - sqlglot's convention
            name: build for name, build in MySQL.Parser.FUNCTIONS.items() if name in _PARSED_FUNCTIONS
        }
        FUNCTION_PARSERS = {  # noqa: RUF012
            name: parse for name, parse in MySQL.Parser.FUNCTION_PARSERS.items() if name != "STRING_AGG"
        }
        COLUMN_OPERATORS = {  # noqa: RUF012
            token: parse for token, parse in MySQL.Parser.COLUMN_OPERATORS.items() if token is not TokenType.DCOLON
        }


_DIALECT = _MySql()

_CLAUSES: dict[type[exp.Expr], str] = {
    exp.Select: "expressions distinct from_ joins where group having order limit offset windows with_",
    exp.Insert: "this expression ignore conflict",
    exp.Update: "this expressions where",
    exp.Delete: "this where",
    **dict.fromkeys((exp.Union, exp.Intersect, exp.Except), "this expression distinct order limit offset with_"),
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
_VALUES: dict[type[exp.Expr], str] = {
    exp.Alias: "this alias",
    exp.Boolean: "this",
    exp.BitString: "this",
    exp.Cast: "this to",
    exp.DataType: "this expressions",
    exp.DataTypeParam: "this",
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
_ONE_VALUE = (
    *(exp.Abs, exp.Avg, exp.Ceil, exp.CurrentTimestamp, exp.FirstValue, exp.Floor, exp.LastValue, exp.Localtime),
    *(
        exp.Localtimestamp,
        exp.Lower,
        exp.Max,
        exp.Min,
        exp.Ntile,
        exp.Sign,
        exp.Sqrt,
        exp.Sum,
        exp.TsOrDsToDate,
        exp.Upper,
    ),
    exp.UtcTimestamp,
)
_NO_VALUE = (
    *(exp.CurrentDate, exp.CurrentSchema, exp.CurrentUser, exp.CurrentVersion, exp.DenseRank, exp.Rand, exp.Rank),
    *(exp.RowNumber, exp.UtcDate, exp.Uuid),
)
_FUNCTIONS: dict[type[exp.Expr], str] = {
    **dict.fromkeys(_ONE_VALUE, "this"),
    **dict.fromkeys(_NO_VALUE, ""),
    exp.Anonymous: "this expressions",
    exp.Coalesce: "this expressions",
    exp.Concat: "expressions safe",
    exp.Count: "this big_int",
    exp.DateAdd: "this expression unit",
    exp.DateDiff: "this expression date_part_boundary",
    exp.DateSub: "this expression unit",
    exp.Greatest: "this expressions",
    exp.GroupConcat: "this separator",
    exp.If: "this true false",
    exp.Lag: "this offset default",
    exp.Lead: "this offset default",
    exp.Least: "this expressions",
    exp.Length: "this binary",
    exp.NthValue: "this offset",
    exp.Nullif: "this expression",
    exp.Pow: "this expression",
    exp.Replace: "this expression replacement",
    exp.Round: "this decimals",
    exp.Substring: "this start length",
    exp.TimestampDiff: "this expression unit",
    exp.Trim: "this position",
}
SUPPORTED = {**_CLAUSES, **_VALUES, **_OPERATORS, **_FUNCTIONS}
"""sqlglot's node -> its arguments that may be set."""

_MYSQL_WORDS = {"BITWISEAND": "&", "BITWISEOR": "|", "BITWISEXOR": "^", "BITWISENOT": "~", "REGEXPLIKE": "REGEXP"}
_CASTS = (exp.DType.BIGINT, exp.DType.CHAR)
_VERBS = "ALTER CALL CHECK DO EXECUTE FROM HANDLER KILL LOAD LOCK PREPARE RELEASE REPLACE SAVEPOINT UNLOCK XA"
_REFUSED_VERBS = frozenset(_VERBS.split())
_REFUSED_MODIFIERS = {
    **{verb: {"LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "OR"} for verb in ("INSERT", "UPDATE", "DELETE")},
    "START": {"TRANSACTION WITH"},
}
ENDS_OF_LIST = {
    *(TokenType.FROM, TokenType.WHERE, TokenType.LIMIT, TokenType.UNION, TokenType.ORDER_BY, TokenType.GROUP_BY),
    *(TokenType.HAVING, TokenType.FOR, TokenType.R_PAREN, TokenType.SEMICOLON, TokenType.EXCEPT, TokenType.INTERSECT),
}


@lru_cache(maxsize=8)
def tokenize(sql: str) -> list[Token]:
    """Return the tokens of a statement. They are cached for its parser and its titles: don't change them.

    Raises SqlError 1064.
    """
    try:
        return _DIALECT.tokenize(sql)
    except TokenError as error:
        raise SqlError(1064, "42000", f"You have an error in your SQL syntax: {str(error).splitlines()[0]}") from error


@lru_cache(maxsize=512)
def parse(sql: str) -> tuple[exp.Expr, ...]:
    """Parse MySQL text into statements. The trees are cached: don't change them. Raises SqlError 1064 or 1235."""
    tokens = tokenize(sql)
    if "/*!" in sql and (not tokens or any(comment.startswith("!") for token in tokens for comment in token.comments)):
        raise unsupported("comments that are executed, /*! ... */")
    _refuse_beginning([token.text.upper() for token in tokens[:3]])
    for token, after in zip_longest(tokens, tokens[1:]):
        ends = after is None or after.token_type in ENDS_OF_LIST
        is_double = token.token_type is TokenType.EQ and token.text == "=="
        if is_double or (token.token_type is TokenType.COMMA and ends):  # sqlglot reads both
            raise SqlError(1064, "42000", f"You have an error in your SQL syntax near '{sql[token.start :][:80]}'")
    try:
        return tuple(tree for tree in _DIALECT.parser().parse(tokens, sql) if tree is not None)
    except ParseError as error:
        raise SqlError(1064, "42000", f"You have an error in your SQL syntax: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise unsupported("an expression of this depth") from error


def _refuse_beginning(words: Sequence[str]) -> None:
    """Refuse statements and modifiers that sqlglot does not read."""
    verb, *others = [*words, "", ""]
    refused = _REFUSED_MODIFIERS.get(verb, set[str]())
    if verb in _REFUSED_VERBS:
        raise unsupported(verb)
    if (
        others[0] in refused
        or " ".join(others[:2]) in refused
        or (verb in ("UPDATE", "DELETE") and others[0] == "IGNORE")
    ):
        raise unsupported(f"{verb} {others[0]}")


def refuse_unknown_parts(tree: exp.Expr) -> None:
    """Raise SqlError for the first part of a query, a change or an expression that is not supported."""
    for node in tree.walk():
        refused = _refused_node(node) or _refused_argument(node) or _refused_value(node)
        if refused:
            raise unsupported(refused)


def refuse_use_of_changes(tree: exp.Expr) -> None:
    """Refuse an assignment that reads a column assigned before it: MySQL gives the new value, SQLite the old one.

    Raises SqlError 1110 for a column that is named twice.
    """
    conflict = tree.args.get("conflict")
    assignments = tree.expressions if isinstance(tree, exp.Update) else conflict.expressions if conflict else []
    new_row = tree.expression.alias if conflict else None
    assigned: set[str] = set()
    for assignment in assignments:
        columns = [
            column
            for column in assignment.expression.find_all(exp.Column)
            if not isinstance(column.parent, exp.Anonymous)
            and (not new_row or column.table != new_row)  # VALUES(column)
        ]
        if assigned & {column.name.lower() for column in columns}:
            raise unsupported("an assignment that reads a column assigned before it")
        assigned.add(assignment.this.name.lower())
    names = [each.name.lower() for each in tree.this.expressions] if isinstance(tree, exp.Insert) else []
    if len(set(names)) < len(names):
        raise SqlError(1110, "42000", "Column specified twice")


def _refused_node(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Anonymous):
        name = node.name.upper()
        if name in CONTEXT_FUNCTIONS and node.expressions:
            return f"{name} with an argument"
        is_new_value = name == "VALUES" and node.find_ancestor(exp.OnConflict) is not None
        return None if name in NAMED_FUNCTIONS or is_new_value else f"the function {name}"
    if isinstance(node, exp.Cast) and node.to.this not in _CASTS:
        return f"CAST AS {node.to.sql('mysql')}"
    return None if type(node) in SUPPORTED else _name(node)


def _name(node: exp.Expr) -> str:
    key = node.key.upper()
    if key in _MYSQL_WORDS:
        return _MYSQL_WORDS[key]
    if isinstance(node, exp.Func) and not isinstance(node, exp.Connector):
        return f"the function {node.sql_name()}"
    return key


def _refused_argument(node: exp.Expr) -> str | None:
    supported = SUPPORTED[type(node)].split()
    for name, value in node.args.items():
        if value not in (None, False, "", []) and name not in supported:
            if name == "joins":
                return "JOIN in UPDATE and DELETE" if isinstance(node, exp.Table) else "JOIN in parentheses"
            if name == "operation_modifiers":
                return f"SELECT {value[0]}"
            return f"{name.strip('_').upper()} in {_name(node)}"
    return None


def _refused_value(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Func):
        return _refused_function_value(node)
    if isinstance(node, exp.Join):
        words = {node.side, node.kind, node.method} - {"", "LEFT", "RIGHT", "INNER", "CROSS", "OUTER", "NATURAL"}
        return f"{min(words).removesuffix('_JOIN')} JOIN" if words else None
    if isinstance(node, exp.Ordered) and bool(node.args.get("desc")) == bool(node.args.get("nulls_first")):
        return "NULLS FIRST and NULLS LAST"
    if isinstance(node, exp.In) and not node.expressions and not node.args.get("query"):
        return "IN without a value"
    if isinstance(node, exp.Is) and not isinstance(node.expression, exp.Null | exp.Boolean):
        return "IS with another value than NULL, TRUE and FALSE"
    if isinstance(node, exp.Offset) and node.parent is not None and not node.parent.args.get("limit"):
        return "OFFSET without LIMIT"
    if isinstance(node, exp.Limit | exp.Offset) and not node.expression.is_int:
        return f"{node.key.upper()} of an expression"
    if isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Query):
        return "a table in parentheses"
    if isinstance(node, exp.Subquery) and isinstance(node.parent, exp.From | exp.Join) and not node.alias:
        return "a subquery in FROM without a name"
    if isinstance(node, exp.WindowSpec) and node.text("kind") == "GROUPS":
        return "GROUPS in a window"
    if isinstance(node, exp.Values) and node.args.get("alias") and node.args["alias"].columns:
        return "names of columns behind VALUES"
    if isinstance(node, exp.OnConflict) and not node.args.get("duplicate"):
        return "ON CONFLICT"
    if isinstance(node, exp.Column | exp.Var) and node.sql().upper() == "DEFAULT":
        return "DEFAULT as a value"
    if isinstance(node, exp.Interval):
        return _refused_unit(node)
    if isinstance(node, exp.Literal) and not node.is_string and not math.isfinite(float(node.name)):
        return f"the number {node.name}"
    return None


def _refused_function_value(node: exp.Func) -> str | None:
    if isinstance(node, exp.DateAdd | exp.DateSub | exp.TimestampDiff):
        return _refused_unit(node)
    if isinstance(node, exp.Greatest | exp.Least) and not node.expressions:
        return f"{node.sql_name()} of one value"
    if isinstance(node, exp.GroupConcat) and isinstance(node.parent, exp.Window):
        return "GROUP_CONCAT in a window"
    if isinstance(node, exp.Anonymous) and node.name.upper() == "DATE_FORMAT":
        mysql_format = node.expressions[1] if len(node.expressions) == 2 else None
        if not isinstance(mysql_format, exp.Literal) or not mysql_format.is_string:
            return "DATE_FORMAT with a format that is not a constant"
        unknown = unknown_letter(mysql_format.name)
        return f"%{unknown} in DATE_FORMAT" if unknown else None
    return None


def _refused_unit(node: exp.Expr) -> str | None:
    unit = node.text("unit").upper()
    return None if unit in UNITS else f"the unit {unit}" if unit else "an interval of several units"
