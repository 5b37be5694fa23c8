"""Translation of CREATE TABLE into SQLite, with MySQL's limits as CHECK constraints.

A clause that changes the accepted rows is translated or refused with NotImplementedError.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict

from sqlglot import exp

from rehearsal.aurora.table_description import DEFAULT_COLLATION, KeyDescription, describe

_BITS = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 24, "INT": 32, "BIGINT": 64}
_INTEGERS = {
    **{name: (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) for name, bits in _BITS.items()},
    # SQLite's integers have 64 bits with a sign: the upper half of BIGINT UNSIGNED is refused.
    **{f"U{name}": (0, min(1 << bits, 1 << 63) - 1) for name, bits in _BITS.items()},
    "BOOLEAN": (-128, 127),
}
"""The least and the greatest value of each type."""
_TEXTS = {"CHAR", "VARCHAR", "TEXT", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM"}
_DATETIMES = {"DATETIME", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPLTZ"}
_BINARIES = {"VARBINARY", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB"}
_NUMBERS = {"INT": "'integer'", "NUMERIC": "'integer', 'real'", "REAL": "'real'"}
"""SQLite keeps a text in a column of numbers; MySQL refuses it, or reads the digits at its beginning."""
_NOT_DESCRIBED = (
    exp.CheckColumnConstraint,
    exp.CollateColumnConstraint,
    exp.CharacterSetColumnConstraint,
    exp.CommentColumnConstraint,
)
_COLLATIONS = {DEFAULT_COLLATION: "NOCASE", "utf8mb4_bin": "BINARY"}
_EXACT_DIGITS = 15  # the digits that a double, SQLite's only decimal type, holds exactly

_Statement = tuple[str, tuple[object, ...]]


def create_table_plan(tree: exp.Create, database: str, name: str, stored_as: str) -> tuple[_Statement, ...]:
    """Return the statements that create the table and its catalog rows.

    Raises:
        NotImplementedError: a clause is not supported.
    """
    primary_key = _primary_key(tree)
    description = describe(tree, primary_key)
    text_collation = _collation(description.collation)
    kept = _kept_values(tree)
    unique = [key for key in description.keys if key.is_unique and kept.keys() & set(map(str.lower, key.columns))]
    _prepare_constraints(tree, kept)
    lines: list[str] = []
    columns: list[tuple[object, ...]] = []
    is_exact = True  # whether the description has every clause
    for node in tree.this.expressions:
        if isinstance(node, exp.ColumnDef):
            line, kind, scale = _column(node, primary_key, text_collation)
            lines.append(line)
            columns.append((kind, scale))
            is_exact = is_exact and not any(map(_is_not_described, node.constraints))
        else:
            constraint = _table_constraint(node)
            lines.extend(constraint)
            is_exact = is_exact and not any(" CHECK (" in line for line in constraint)
    auto_increment = any("AUTOINCREMENT" in line for line in lines)
    if primary_key and not auto_increment and "PRIMARY" not in [key.name for key in unique]:
        lines.append(f"PRIMARY KEY ({', '.join(map(_quoted, primary_key))})")
    exists = "IF NOT EXISTS " if tree.args.get("exists") else ""
    create = (f'CREATE TABLE {exists}"{stored_as}" ({", ".join(lines)})', ())
    catalog = (database, name, json.dumps(asdict(description)), is_exact)
    describe_table = ('INSERT OR IGNORE INTO "aurora.tables" VALUES (?, ?, ?, ?)', catalog)
    insert_column = 'INSERT OR IGNORE INTO "aurora.columns" VALUES (?, ?, ?, ?, ?, ?)'
    rows = [
        (insert_column, (database, name, column.name, number, kind, scale))
        for number, (column, (kind, scale)) in enumerate(zip(description.columns, columns, strict=True), start=1)
    ]
    names = [column.name for column in description.columns if column.name.lower() in kept]
    triggers = _triggers(stored_as, {_quoted(name): kept[name.lower()] for name in names}, exists)
    return (create, *_indexes(stored_as, unique, kept, exists), *triggers, describe_table, *rows)


def _kept_values(tree: exp.Create) -> dict[str, str]:
    """Return the expression of the value that a column keeps, by its name in small letters, where it is not each value."""
    kept: dict[str, str] = {}
    for node in tree.this.expressions:
        if isinstance(node, exp.ColumnDef) and isinstance(node.args.get("kind"), exp.DataType):
            _, client_type, scale, _ = _type(node.name, node.args["kind"], "NOCASE")
            column = _quoted(node.name)
            calls = {
                "decimal": f"mysql_stored_decimal({column}, {scale})",
                "datetime": f"mysql_stored_datetime({column}, {scale})",
                "date": f"mysql_stored_date({column})",
            }
            if client_type in calls:
                kept[node.name.lower()] = calls[client_type]
    return kept


def _prepare_constraints(tree: exp.Create, kept: dict[str, str]) -> None:
    """Let CHECKs test the values that columns keep, and remove unique keys of such columns, which become indexes.

    SQLite looks at constraints before the triggers run.
    """
    for check in tree.find_all(exp.CheckColumnConstraint):
        for column in list(check.find_all(exp.Column)):
            if column.name.lower() in kept:
                column.replace(exp.Var(this=kept[column.name.lower()]))
    for key in list(tree.find_all(exp.UniqueColumnConstraint)):
        definition = key.find_ancestor(exp.ColumnDef)
        columns = [definition.name] if definition else [each.name for each in key.this.expressions]
        if kept.keys() & {column.lower() for column in columns}:
            (key.parent if isinstance(key.parent, exp.ColumnConstraint | exp.Constraint) else key).pop()


def _indexes(table: str, keys: list[KeyDescription], kept: dict[str, str], exists: str) -> Iterator[_Statement]:
    for key in keys:
        columns = ", ".join(kept.get(column.lower(), _quoted(column)) for column in key.columns)
        yield f'CREATE UNIQUE INDEX {exists}"{table}.{key.name}" ON "{table}" ({columns})', ()


def _triggers(table: str, kept: dict[str, str], exists: str) -> Iterator[_Statement]:
    """Yield triggers that round and spell the values of decimals and dates as MySQL stores them."""
    if not kept:
        return
    differs = " OR ".join(f"{column} IS NOT {value}" for column, value in kept.items())
    changes = ", ".join(f"{column} = {value}" for column, value in kept.items())
    for event in ("INSERT", "UPDATE"):
        yield (
            f'CREATE TRIGGER {exists}"{table}.{event}" AFTER {event} ON "{table}" '
            f'BEGIN UPDATE "{table}" SET {changes} WHERE rowid = NEW.rowid AND ({differs}); END',
            (),
        )


def _collation(name: str) -> str:
    """Return SQLite's collation. Raises NotImplementedError."""
    if name not in _COLLATIONS:
        raise NotImplementedError(f"the collation {name}")
    return _COLLATIONS[name]


def _is_not_described(constraint: exp.Expr) -> bool:
    kind = constraint.args["kind"]
    is_expression = isinstance(kind, exp.DefaultColumnConstraint) and isinstance(kind.this, exp.Paren)
    return is_expression or isinstance(kind, _NOT_DESCRIBED)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _primary_key(tree: exp.Create) -> tuple[str, ...]:
    for node in tree.this.expressions:
        if isinstance(node, exp.PrimaryKey):
            return tuple(each.name for each in node.expressions)
        if isinstance(node, exp.ColumnDef) and any(
            isinstance(constraint.kind, exp.PrimaryKeyColumnConstraint) for constraint in node.constraints
        ):
            return (node.name,)
    return ()


def _column(node: exp.ColumnDef, primary_key: tuple[str, ...], text_collation: str) -> tuple[str, str, int]:
    """Return SQLite's column definition, the client's column type and the scale of a decimal."""
    kind = node.args.get("kind")
    if not isinstance(kind, exp.DataType):
        raise NotImplementedError(f"column {node.name} without a type")
    sqlite_type, client_type, scale, check = _type(node.name, kind, text_collation)
    parts = [_quoted(node.name), sqlite_type]
    for constraint in node.constraints:
        auto_increment = isinstance(constraint.kind, exp.AutoIncrementColumnConstraint)
        if auto_increment:
            if primary_key != (node.name,):
                raise NotImplementedError(f"AUTO_INCREMENT on {node.name}, which isn't the whole primary key")
            zero = ("zero", f"{_quoted(node.name)} <> 0")  # MySQL generates a value for it
            parts[1:] = [
                "INTEGER PRIMARY KEY AUTOINCREMENT",
                *_named_check(node.name, check),
                *_named_check(node.name, zero),
            ]
            return " ".join(parts), client_type, scale
    for constraint in node.constraints:
        parts.extend(_column_constraint(node.name, constraint.kind))
    if node.name in primary_key and "NOT NULL" not in parts:
        parts.append("NOT NULL")  # SQLite allows NULL in a primary key
    if sqlite_type in _NUMBERS:
        kinds = f"{_quoted(node.name)} IS NULL OR typeof({_quoted(node.name)}) IN ({_NUMBERS[sqlite_type]})"
        parts.append(f"CONSTRAINT {_quoted('incorrect:' + node.name)} CHECK ({kinds})")
    return " ".join([*parts, *_named_check(node.name, check)]), client_type, scale


def _named_check(column: str, check: tuple[str, str] | None) -> list[str]:
    return [f"CONSTRAINT {_quoted(check[0] + ':' + column)} CHECK ({check[1]})"] if check else []


def _type(name: str, kind: exp.DataType, text_collation: str) -> tuple[str, str, int, tuple[str, str] | None]:
    type_name = str(kind.this.value)
    sizes = [int(each.name) for each in kind.expressions if each.name.isdigit()]
    column = _quoted(name)
    if type_name in _INTEGERS:
        least, most = _INTEGERS[type_name]
        # As INTEGER, a primary key would get ids by itself.
        return "INT", "integer", 0, ("out_of_range", f"{column} BETWEEN {least} AND {most}")
    if type_name == "DECIMAL":
        digits, scale = [*sizes, 0][:2] if sizes else (10, 0)
        limit = 10 ** (min(digits, _EXACT_DIGITS) - scale)
        return "NUMERIC", "decimal", scale, ("out_of_range", f"abs({column}) < {limit}")
    if type_name in ("FLOAT", "DOUBLE") and not sizes:
        return "REAL", "double", 0, None
    if type_name in _TEXTS:
        limits = {"VARCHAR": sizes, "CHAR": sizes or [1], "TINYTEXT": [255]}.get(type_name)
        check = ("too_long", f"length({column}) <= {limits[0]}") if limits else None
        if type_name == "ENUM":
            check = ("truncated", f"{column} IN ({', '.join(each.sql('sqlite') for each in kind.expressions)})")
        return f"TEXT COLLATE {text_collation}", "text", 0, check
    if type_name in _DATETIMES or type_name == "DATE":
        condition = f"mysql_is_datetime({column})"
        if type_name.startswith("TIMESTAMP"):
            stored = f"mysql_stored_datetime({column}, {sizes[0] if sizes else 0})"
            condition += f" AND {stored} BETWEEN '1970-01-01 00:00:01' AND '2038-01-19 03:14:07.999999'"
        check = ("incorrect_datetime", condition)
        digits = sizes[0] if sizes else 0
        return ("TEXT", "datetime", digits, check) if type_name in _DATETIMES else ("TEXT", "date", 0, check)
    if type_name in _BINARIES:
        return "BLOB", "blob", 0, ("too_long", f"length({column}) <= {sizes[0]}") if sizes else None
    raise NotImplementedError(f"the type {type_name} of column {name}")


def _column_constraint(name: str, kind: exp.Expr) -> list[str]:
    if isinstance(kind, exp.NotNullColumnConstraint):
        return [] if kind.args.get("allow_null") else ["NOT NULL"]
    if isinstance(kind, exp.DefaultColumnConstraint):
        return [f"DEFAULT ({kind.this.sql('sqlite')})"]
    if isinstance(kind, exp.UniqueColumnConstraint):
        return ["UNIQUE"]
    if isinstance(kind, exp.CheckColumnConstraint):
        return [_check("check", kind)]
    if isinstance(kind, exp.CollateColumnConstraint):
        return [f"COLLATE {_collation(kind.this.name)}"]
    if isinstance(kind, exp.CharacterSetColumnConstraint) and kind.this.name != "utf8mb4":
        raise NotImplementedError("another character set than utf8mb4")
    if isinstance(
        kind, exp.PrimaryKeyColumnConstraint | exp.CommentColumnConstraint | exp.CharacterSetColumnConstraint
    ):
        return []
    raise NotImplementedError(f"{kind.sql('mysql')} on column {name}")


def _check(name: str, node: exp.CheckColumnConstraint) -> str:
    # SQLite gives a constraint without a name the name of the one before it.
    return f"CONSTRAINT {_quoted(name)} CHECK ({node.this.sql('sqlite')})"


def _table_constraint(node: exp.Expr, name: str = "check") -> list[str]:
    if node.find(exp.ColumnPrefix):
        raise NotImplementedError("a key on a part of a column")
    if isinstance(node, exp.PrimaryKey | exp.IndexColumnConstraint):
        return []  # create_table_plan adds the key; a plain index has no effect on results
    if isinstance(node, exp.UniqueColumnConstraint):
        return [f"UNIQUE ({', '.join(_quoted(each.name) for each in node.this.expressions)})"]
    if isinstance(node, exp.CheckColumnConstraint):
        return [_check(name, node)]
    if isinstance(node, exp.Constraint):
        return [line for each in node.expressions for line in _table_constraint(each, node.name)]
    raise NotImplementedError(f"{node.sql('mysql')} in CREATE TABLE")
