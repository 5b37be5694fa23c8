"""Records of replication: committed transactions, the cost of a failover, the lag of a reader."""

from dataclasses import dataclass

from sqlglot import exp

from rehearsal.aurora.storage import RowChange
from rehearsal.aurora.supported_sql import parse


@dataclass(frozen=True, kw_only=True)
class MasterLogin:
    """The master user of a cluster, as given to CreateDBCluster."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"MasterLogin(name={self.name!r}, password=...)"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A statement as the client sent it, with its arguments in the text (as PyMySQL sends them)."""

    sql: str
    database: str | None = None  # the session's default database


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """A transaction that a writer committed and acknowledged."""

    sequence: int
    committed_at: float  # seconds since the epoch, by the global database's clock
    user: str
    statements: tuple[Statement, ...]

    def inserted_rows(self, table: str) -> list[dict[str, object]]:
        """Return the literal rows of its INSERT statements for `table` (`database.table`, or a table name in any database)."""
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
    """The acknowledged transactions that a failover lost, oldest first."""

    lost_transactions: tuple[Transaction, ...]
    lag_seconds: float
    """Newest commit of the old writer minus newest commit of the target; 0 without a loss."""


class ReplicationRefusedError(Exception):
    """The operation is impossible in the current state: unknown cluster, stopped cluster, already the writer ..."""


@dataclass(frozen=True, kw_only=True)
class LogEntry:
    """A transaction and the changes that repeat it on a reader."""

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
