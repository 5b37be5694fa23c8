"""The description of a table as DESCRIBE and SHOW CREATE TABLE give it, in MySQL's words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

DEFAULT_COLLATION = "utf8mb4_0900_ai_ci"
_TEXTS = ("text", "tinytext", "mediumtext", "longtext")


@dataclass(frozen=True, kw_only=True)
class ColumnDescription:
    """A column; `default` is a text, or an expression if `default_is_expression`."""

    name: str
    type: str
    is_nullable: bool
    default: str | None
    default_is_expression: bool
    is_auto_increment: bool

    @property
    def extra(self) -> str:
        """The column Extra of DESCRIBE."""
        return "auto_increment" if self.is_auto_increment else "DEFAULT_GENERATED" * self.default_is_expression

    def definition(self, collation: str) -> str:
        """Return the column's line of SHOW CREATE TABLE, in a table with this collation."""
        parts = [f"`{self.name}` {self.type}"]
        if collation != DEFAULT_COLLATION and self.type.startswith(("varchar", "char", "enum", *_TEXTS)):
            parts.append(f"COLLATE {collation}")
        if not self.is_nullable:
            parts.append("NOT NULL")
        elif self.type.startswith("timestamp"):
            parts.append("NULL")
        if self.is_auto_increment:
            parts.append("AUTO_INCREMENT")
        elif self.default is not None:
            parts.append(f"DEFAULT {self.default}" if self.default_is_expression else f"DEFAULT '{self.default}'")
        elif self.is_nullable and not self.type.endswith(("text", "blob")):
            parts.append("DEFAULT NULL")
        return " ".join(parts)


@dataclass(frozen=True, kw_only=True)
class KeyDescription:
    """A key; the primary key is named PRIMARY."""

    name: str
    columns: tuple[str, ...]
    is_unique: bool

    def definition(self) -> str:
        """Return the key's line of SHOW CREATE TABLE."""
        columns = ",".join(f"`{name}`" for name in self.columns)
        if self.name == "PRIMARY":
            return f"PRIMARY KEY ({columns})"
        return f"{'UNIQUE ' * self.is_unique}KEY `{self.name}` ({columns})"


@dataclass(frozen=True, kw_only=True)
class TableDescription:
    """A table's columns, keys and collation."""

    columns: tuple[ColumnDescription, ...]
    keys: tuple[KeyDescription, ...]
    collation: str

    def rows(self) -> list[tuple[str | None, ...]]:
        """Return the rows of DESCRIBE: Field, Type, Null, Key, Default, Extra."""
        return [
            (each.name, each.type, "YES" if each.is_nullable else "NO", self._key(each.name), each.default, each.extra)
            for each in self.columns
        ]

    def create_statement(self, name: str, *, next_id: int | None) -> str:
        """Return the text of SHOW CREATE TABLE."""
        keys = sorted(self.keys, key=lambda key: (key.name != "PRIMARY", not key.is_unique))
        columns = [each.definition(self.collation) for each in self.columns]
        lines = ",\n  ".join([*columns, *(each.definition() for each in keys)])
        counter = f" AUTO_INCREMENT={next_id}" if next_id else ""
        charset = self.collation.partition("_")[0]
        return f"CREATE TABLE `{name}` (\n  {lines}\n) ENGINE=InnoDB{counter} DEFAULT CHARSET={charset} COLLATE={self.collation}"

    def _key(self, column: str) -> str:
        kinds = [
            "PRI" if key.name == "PRIMARY" else "UNI" if key.is_unique and len(key.columns) == 1 else "MUL"
            for key in self.keys
            if key.columns[0] == column or (key.name == "PRIMARY" and column in key.columns)
        ]
        return next((kind for kind in ("PRI", "UNI", "MUL") if kind in kinds), "")


def describe(tree: exp.Create, primary_key: Sequence[str]) -> TableDescription:
    """Return the description of a CREATE TABLE.

    Raises:
        NotImplementedError: an option of the table is not supported.
    """
    columns = [node for node in tree.this.expressions if isinstance(node, exp.ColumnDef)]
    keys = [KeyDescription(name="PRIMARY", columns=tuple(primary_key), is_unique=True)] if primary_key else []
    keys += _keys(tree)
    return TableDescription(
        columns=tuple(_column(node, primary_key) for node in columns), keys=tuple(keys), collation=_collation(tree)
    )


def _collation(tree: exp.Create) -> str:
    properties = tree.args.get("properties")
    collation, charset = None, "utf8mb4"
    for each in properties.expressions if properties else ():
        if isinstance(each, exp.CollateProperty):
            collation = each.name
        elif isinstance(each, exp.CharacterSetProperty):
            charset = each.name
        elif not (isinstance(each, exp.EngineProperty) and each.name.upper() == "INNODB"):
            raise NotImplementedError(f"{each.sql('mysql')} in CREATE TABLE")
    if charset != "utf8mb4" or not (collation or DEFAULT_COLLATION).startswith("utf8mb4_"):
        raise NotImplementedError("another character set than utf8mb4")
    return collation or DEFAULT_COLLATION


def _column(node: exp.ColumnDef, primary_key: Sequence[str]) -> ColumnDescription:
    kinds = [constraint.kind for constraint in node.constraints]
    not_null = any(isinstance(kind, exp.NotNullColumnConstraint) and not kind.args.get("allow_null") for kind in kinds)
    data_type = node.args["kind"]
    default = next((kind.this for kind in kinds if isinstance(kind, exp.DefaultColumnConstraint)), None)
    text, is_expression = _default(default, data_type)
    return ColumnDescription(
        name=node.name,
        type=_type(data_type),
        is_nullable=not (not_null or node.name in primary_key),
        default=text,
        default_is_expression=is_expression,
        is_auto_increment=any(isinstance(kind, exp.AutoIncrementColumnConstraint) for kind in kinds),
    )


def _type(data_type: exp.DataType) -> str:
    name, parenthesis, size = data_type.sql("mysql").partition("(")
    implied = {"BOOLEAN": "tinyint(1)", "DECIMAL": "decimal(10,0)", "CHAR": "char(1)"}
    if not parenthesis:
        return implied.get(name, name.lower())
    if name == "DECIMAL" and "," not in size:
        size = size.replace(")", ",0)")
    return f"{name.lower()}({size.replace(', ', ',')}"


def _default(value: exp.Expr | None, data_type: exp.DataType) -> tuple[str | None, bool]:
    """Return the default as MySQL stores it: in the column's type, as text."""
    if value is None or isinstance(value, exp.Null):
        return None, False
    if isinstance(value, exp.Anonymous):
        if value.name != "mysql_now":
            raise NotImplementedError(f"DEFAULT ({value.name})")
        digits = value.expressions[0].name
        return "CURRENT_TIMESTAMP" + f"({digits})" * (digits != "0"), True
    if isinstance(value, exp.Boolean):
        return str(int(value.this)), False
    text = f"-{value.this.name}" if isinstance(value, exp.Neg) else value.name
    if data_type.this is exp.DataType.Type.DECIMAL:
        scale = int(data_type.expressions[1].name) if len(data_type.expressions) > 1 else 0
        text = f"{float(text):.{scale}f}"
    return text, False


def _keys(tree: exp.Create) -> Iterator[KeyDescription]:
    names: set[str] = set()
    for node in tree.this.expressions:
        if isinstance(node, exp.ColumnDef):
            if any(isinstance(constraint.kind, exp.UniqueColumnConstraint) for constraint in node.constraints):
                yield KeyDescription(name=_free(node.name, names), columns=(node.name,), is_unique=True)
            continue
        name = node.name if isinstance(node, exp.Constraint) else None
        for each in node.expressions if isinstance(node, exp.Constraint) else [node]:
            if isinstance(each, exp.UniqueColumnConstraint):
                columns = tuple(column.name for column in each.this.expressions)
                wanted = name or each.this.name or columns[0]
                yield KeyDescription(name=_free(wanted, names), columns=columns, is_unique=True)
            elif isinstance(each, exp.IndexColumnConstraint):
                columns = tuple(column.name for column in each.expressions)
                yield KeyDescription(name=_free(each.name or columns[0], names), columns=columns, is_unique=False)


def _free(name: str, names: set[str]) -> str:
    found, number = name, 2
    while found in names:
        found, number = f"{name}_{number}", number + 1
    names.add(found)
    return found
