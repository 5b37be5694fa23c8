"""What a global database remembers: committed transactions, what a failover lost, how far behind a reader is.

Owns: these records, and the reading of rows out of INSERT statements.
Does not own: when one is made (aurora.py).
Invariant: records don't change.
"""

from dataclasses import dataclass

from sqlglot import exp

from rehearsal.aurora.sql import parse
from rehearsal.aurora.storage import RowChange


@dataclass(frozen=True, kw_only=True)
class MasterLogin:
    """The master user of a cluster, as CreateDBCluster names it."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"MasterLogin(name={self.name!r}, password=...)"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement as the client sent it; its arguments are already in the text, which is how PyMySQL sends them."""

    sql: str
    args: tuple[object, ...] = ()
    database: str | None = None  # the session's default one, for names without a database


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """A transaction that a writer committed and acknowledged."""

    sequence: int
    committed_at: float  # seconds since the epoch, by the global database's clock
    user: str
    statements: tuple[Statement, ...]

    def inserted_rows(self, table: str) -> list[dict[str, object]]:
        """Return the rows that its INSERT statements name for a table, by column, literals as they were written.

        `table` is `database.table`, or a name alone for that table in any database.
        """
        rows: list[dict[str, object]] = []
        for statement in self.statements:
            if statement.sql.lstrip()[:6].upper() != "INSERT":
                continue
            for tree in parse(statement.sql):
                if _is_insert_into(tree, table, statement.database) and isinstance(tree.expression, exp.Values):
                    names = [column.name for column in tree.this.expressions]
                    for values in tree.expression.expressions:
                        rows.append(dict(zip(names, map(_literal, values.expressions), strict=True)))
        return rows


@dataclass(frozen=True, kw_only=True)
class FailoverOutcome:
    """What a failover cost: the acknowledged transactions that never reached the target, oldest first."""

    lost_transactions: tuple[Transaction, ...]
    lag_seconds: (
        float  # newest commit on the old writer minus newest commit that the target has; 0 when nothing is lost
    )


class OperationRefusedError(Exception):
    """The data plane can't do this now: no such cluster, a stopped one, one that is the writer already."""


@dataclass(frozen=True, kw_only=True)
class LogEntry:
    """A transaction and how to repeat it on a reader."""

    transaction: Transaction
    changes: tuple[RowChange, ...]


@dataclass(frozen=True, kw_only=True)
class Lag:
    """A measurement of one reader's lag."""

    measured_at: float
    durability_ms: float
    rpo_ms: float


def _is_insert_into(tree: exp.Expr, table: str, default_database: str | None) -> bool:
    if not isinstance(tree, exp.Insert) or not isinstance(tree.this, exp.Schema):
        return False
    node = tree.this.this
    return table in (node.name, f"{node.db or default_database}.{node.name}")


def _literal(node: exp.Expr) -> object:
    if isinstance(node, exp.Literal):
        return node.name if node.is_string else (float(node.name) if "." in node.name else int(node.name))
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        value = _literal(node.this)
        return -value if isinstance(value, int | float) else value
    return None if isinstance(node, exp.Null) else node.sql("mysql")
