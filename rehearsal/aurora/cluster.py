"""One regional cluster, as the clients of its endpoints see it.

A stopped, fenced or reader cluster refuses commits. Every other commit is logged before it is acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from rehearsal.aurora.accounts import SUPERUSER, MysqlAccount, find_account
from rehearsal.aurora.replication import Lag
from rehearsal.aurora.session import MysqlSession
from rehearsal.aurora.sql_error import SqlError
from rehearsal.aurora.storage import ChangeOutcome, RowChange, Volume


class _Replication(Protocol):
    """The global database that a cluster belongs to."""

    writer_id: str | None
    clock: Callable[[], float]

    def locked(self) -> AbstractContextManager[None]: ...

    def status_rows(self) -> Sequence[Sequence[object]]: ...

    def log_commit(self, cluster: Cluster, user: str, work: Sequence[tuple[str, RowChange]]) -> None: ...


class Cluster:
    """A regional cluster. GlobalDatabase.add_cluster creates it."""

    def __init__(self, global_database: _Replication, cluster_id: str, region: str) -> None:
        self.global_database = global_database
        self.id = cluster_id
        self.region = region
        self.running = True
        self.incarnation = 1
        self.fenced = False
        self.promoted_at = 0.0
        """The end of the promotion to a standalone cluster, in seconds since the epoch; until then the cluster is read-only."""
        self.must_rejoin = False
        self.clock_skew_seconds = 0.0
        """How far this engine's SQL clock is ahead. The log keeps true times."""
        self.storage_failed = False
        """Whether every commit fails, as in a storage outage, while log-ins and reads work."""
        self.applied_sequence = 0
        self.applied_at: float | None = None
        self.last_lag = Lag(measured_at=0.0, durability_ms=0.0, rpo_ms=0.0)
        # A detached cluster has another global database.
        self.volume = Volume(lambda: self.global_database.status_rows())

    @property
    def is_writer(self) -> bool:
        """Whether this cluster has the writer role, running or not."""
        return self.global_database.writer_id == self.id

    @property
    def is_promoting(self) -> bool:
        """Whether this cluster is being promoted to a standalone cluster."""
        return self.global_database.clock() < self.promoted_at

    @property
    def read_only(self) -> bool:
        """The value of @@innodb_read_only: true for a reader, a fenced writer and a cluster that is being promoted."""
        return not self.is_writer or self.fenced or self.is_promoting

    def replication_lag_ms(self) -> float:
        """Return 0 for the writer, and a reader's last measured lag. The lag stays constant while replication is stopped."""
        with self.locked():
            return 0.0 if self.is_writer else self.last_lag.durability_ms

    def newest_commit_at(self) -> float | None:
        """Return the commit time of the newest transaction of this volume, in seconds since the epoch, or None."""
        with self.locked():
            return self.applied_at

    def session(self, user: str, connection_id: int = 0) -> MysqlSession:
        """Open a session with the privileges of `user`. Raises SqlError 2013 if the cluster is stopped."""
        with self.locked():
            if not self.running:
                raise SqlError(2013, "HY000", "Lost connection to MySQL server")
            return MysqlSession(self, user, connection_id)

    def account(self, user: str) -> MysqlAccount | None:
        """Return the account with this user name, or None."""
        with self.locked():
            return find_account(self.volume, user)

    def execute(self, sql: str, *args: object) -> list[tuple[object, ...]]:
        """Run one statement in autocommit with every privilege and return the rows. Raises SqlError."""
        return list(self.session(SUPERUSER).execute(sql, args).rows)

    def commit(
        self, user: str, work: Sequence[tuple[str, RowChange]], *, expected: Sequence[ChangeOutcome] | None = None
    ) -> list[ChangeOutcome]:
        """Commit the changes as one transaction and log it. The caller holds the lock.

        Raises:
            SqlError: as MySQL; 1213 if the outcomes differ from `expected`, 1205 or 1290 if the cluster accepts no commits.
        """
        if not self.running or self.read_only:
            raise SqlError(1290, "HY000", "The MySQL server is running with the --read-only option")
        if self.storage_failed:
            raise SqlError(1205, "HY000", "Lock wait timeout exceeded; try restarting transaction")
        changes = [change for _, change in work]
        if expected is not None:
            self._deadlock_unless_expected(changes, expected)
        outcomes = self.volume.apply(changes)
        self.global_database.log_commit(self, user, [each for each in work if not each[1].is_read])
        return outcomes

    def now(self) -> float:
        """Return the time of the engine's clock, in seconds since the epoch."""
        return self.global_database.clock() + self.clock_skew_seconds

    def locked(self) -> AbstractContextManager[None]:
        """Bring replication up to date and hold the global database's lock."""
        return self.global_database.locked()

    def _deadlock_unless_expected(self, changes: Sequence[RowChange], expected: Sequence[ChangeOutcome]) -> None:
        try:
            outcomes = self.volume.try_out(changes)
        except SqlError as error:
            raise SqlError(1213, "40001", f"Deadlock found when trying to get lock ({error.message})") from error
        if outcomes != list(expected):
            raise SqlError(1213, "40001", "Deadlock found when trying to get lock; try restarting transaction")
