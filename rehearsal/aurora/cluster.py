"""One regional cluster, as the clients of its endpoints see it.

Owns: its volume, its role's consequences (read-only, connections that end), how far it has applied the log.
Does not own: the role itself and the log (aurora.py), what a statement does (aurora_session.py).
Invariant: a commit is refused when the cluster is stopped, fenced or a reader; otherwise it is logged before it is answered.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rehearsal.aurora.accounts import SUPERUSER, MysqlAccount, find_account
from rehearsal.aurora.replication import Lag
from rehearsal.aurora.session import MysqlSession
from rehearsal.aurora.sql import SqlError
from rehearsal.aurora.storage import ChangeOutcome, RowChange, Volume

if TYPE_CHECKING:
    from rehearsal.aurora.global_database import GlobalDatabase


class Cluster:
    """One regional cluster, as the clients of its endpoints see it. Made by GlobalDatabase.add_cluster."""

    def __init__(self, global_database: "GlobalDatabase", cluster_id: str, region: str) -> None:
        self.global_database = global_database
        self.id = cluster_id
        self.region = region
        self.running = True
        self.incarnation = 1
        self.fenced = False
        self.must_rejoin = False
        self.clock_skew_seconds = 0.0
        """How far this engine's own clock is ahead: what its SQL takes for now. The log keeps true times."""
        self.applied_sequence = 0
        self.applied_at: float | None = None
        self.last_lag = Lag(measured_at=0.0, durability_ms=0.0, rpo_ms=0.0)
        self.volume = Volume(global_database.status_rows)

    @property
    def is_writer(self) -> bool:
        """Tell whether this cluster has the writer's role, running or not."""
        return self.global_database.writer_id == self.id

    @property
    def read_only(self) -> bool:
        """What @@innodb_read_only answers: not the writer, or fenced."""
        return not self.is_writer or self.fenced

    def replication_lag_ms(self) -> float:
        """Return 0 for the writer; for a reader its last measured lag, which stands still while the stream is down."""
        with self.locked():
            return 0.0 if self.is_writer else self.last_lag.durability_ms

    def newest_commit_at(self) -> float | None:
        """Return when the newest transaction of this volume was committed, in seconds since the epoch, or None."""
        with self.locked():
            return self.applied_at

    def session(self, user: str, connection_id: int = 0) -> MysqlSession:
        """Open a session with that user's privileges. Raises SqlError 2013 when the cluster is stopped."""
        with self.locked():
            if not self.running:
                raise SqlError(2013, "HY000", "Lost connection to MySQL server")
            return MysqlSession(self, user, connection_id)

    def account(self, user: str) -> MysqlAccount | None:
        """Return the account that a log-in with this user name is for, as this cluster has it by now."""
        with self.locked():
            return find_account(self.volume, user)

    def execute(self, sql: str, *args: object) -> list[tuple[object, ...]]:
        """Run one statement in autocommit with every privilege, for tests and drills; return the rows. Raises SqlError."""
        return list(self.session(SUPERUSER).execute(sql, args).rows)

    def commit(
        self, user: str, work: Sequence[tuple[str, RowChange]], *, expected: Sequence[ChangeOutcome] | None = None
    ) -> list[ChangeOutcome]:
        """Commit the changes as one transaction and log it. Sessions call this, with the lock held.

        Raises:
            SqlError: as MySQL would; 1213 when the outcomes aren't the `expected` ones; 1290 when it takes no commits.
        """
        if not self.running or self.read_only:
            raise SqlError(1290, "HY000", "The MySQL server is running with the --read-only option")
        changes = [change for _, change in work]
        if expected is not None:
            self._deadlock_unless_expected(changes, expected)
        outcomes = self.volume.apply(changes)
        self.global_database.log_commit(self, user, work)
        return outcomes

    def now(self) -> float:
        """Return the engine's own clock, in seconds since the epoch."""
        return self.global_database.clock() + self.clock_skew_seconds

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the global database's lock, with replication as far as it is by now."""
        with self.global_database.locked():
            yield

    def _deadlock_unless_expected(self, changes: Sequence[RowChange], expected: Sequence[ChangeOutcome]) -> None:
        try:
            outcomes = self.volume.try_out(changes)
        except SqlError as error:
            raise SqlError(1213, "40001", f"Deadlock found when trying to get lock ({error.message})") from error
        if outcomes != list(expected):
            raise SqlError(1213, "40001", "Deadlock found when trying to get lock; try restarting transaction")
