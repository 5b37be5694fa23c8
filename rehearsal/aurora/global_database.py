"""The data plane of an Aurora global database: clusters, replication, roles, and what a failover loses.

Owns: which cluster is the writer, what was committed, what has been replicated.
Does not own: the MySQL protocol (mysql_server.py), AWS's API and the time that it takes (control_plane.py), who reaches
whom (network.py), what a statement does (aurora_session.py and what it stands on).
Invariant: at most one cluster takes commits; a commit that was acknowledged is in the log, in order, exactly once, until a
failover loses it, and then it is in `lost_transactions`.

Replication and MySQL's event scheduler run without a thread: whoever looks at a cluster first makes the writer commit what
was due by then (aurora_events.py), each at its own time, and applies what is old enough. Whatever changes roles, lag or
running holds the lock in the same way, so between two looks nothing else changes. The stream between
two regions is AWS's own network, so it doesn't suffer from a cut peering; it stops when the writer or the reader stops.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from rehearsal.aurora.accounts import SUPERUSER, master_statements
from rehearsal.aurora.cluster import Cluster
from rehearsal.aurora.event_scheduler import due_executions, execute_due
from rehearsal.aurora.point_in_time import Journal
from rehearsal.aurora.replication import (
    FailoverOutcome,
    Lag,
    LogEntry,
    MasterLogin,
    OperationRefusedError,
    Statement,
    Transaction,
)
from rehearsal.aurora.sql import SqlError
from rehearsal.aurora.storage import ExecutionContext, RowChange, format_moment

__all__ = [
    "Cluster",
    "FailoverOutcome",
    "GlobalDatabase",
    "MasterLogin",
    "OperationRefusedError",
    "SqlError",
    "Statement",
    "Transaction",
]


class GlobalDatabase:
    """One global database. Thread-safe. `clock` gives seconds since the epoch; the lag is in seconds."""

    def __init__(self, *, clock: Callable[[], float], replication_lag_seconds: float = 0.05) -> None:
        self.clock = clock
        self.writer_id: str | None = None
        self._lock = threading.RLock()
        self._lag_seconds = replication_lag_seconds
        self._clusters: dict[str, Cluster] = {}
        self._log: deque[LogEntry] = deque()
        self._sequence = 0
        self._committed_at: float | None = None
        self._events_run_until = clock()
        self._lost: list[Transaction] = []
        self._journal = Journal(begun_at=clock())

    @property
    def replication_lag_seconds(self) -> float:
        """How old a commit is when a reader applies it. Setting it first applies what is old enough by the former one."""
        return self._lag_seconds

    @replication_lag_seconds.setter
    def replication_lag_seconds(self, seconds: float) -> None:
        with self.locked():
            self._lag_seconds = seconds

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """All clusters, the writer first."""
        with self._lock:
            return tuple(sorted(self._clusters.values(), key=lambda cluster: not cluster.is_writer))

    @property
    def writer(self) -> Cluster:
        """The cluster with the writer's role. Raises OperationRefusedError when there is none."""
        with self._lock:
            if self.writer_id is None:
                raise OperationRefusedError("the global database has no writer")
            return self._clusters[self.writer_id]

    @property
    def lost_transactions(self) -> tuple[Transaction, ...]:
        """Every acknowledged transaction that a failover has lost, oldest first."""
        with self._lock:
            return tuple(self._lost)

    def cluster(self, cluster_id: str) -> Cluster:
        """Return a cluster. Raises OperationRefusedError when there is none of that id."""
        with self._lock:
            if cluster_id not in self._clusters:
                raise OperationRefusedError(f"no cluster {cluster_id}")
            return self._clusters[cluster_id]

    def add_cluster(
        self,
        cluster_id: str,
        region: str,
        *,
        writer: bool,
        master: MasterLogin | None = None,
        database: str | None = None,
    ) -> Cluster:
        """Add a cluster; a reader starts as a copy of the writer's volume, and takes no master and no database.

        Raises:
            OperationRefusedError: a second writer, a reader without a writer or with a master or database, an id in use.

        Source: "CreateDBCluster" (Amazon RDS API reference): a secondary is given none of the three.
        """
        with self.locked():
            if cluster_id in self._clusters:
                raise OperationRefusedError(f"cluster {cluster_id} exists")
            if writer == (self.writer_id is not None):
                raise OperationRefusedError("a global database has exactly one writer, and it is added first")
            if not writer and (master or database):
                raise OperationRefusedError("a secondary takes its users and databases from the writer")
            if not writer and not self.writer.running:
                raise OperationRefusedError("the writer isn't running, and a secondary starts as a copy of it")
            cluster = Cluster(self, cluster_id, region)
            self._clusters[cluster_id] = cluster
            if not writer:
                self._copy_from_writer(cluster)
                return cluster
            self.writer_id = cluster_id
            statements = master_statements(master.name, master.password) if master else ()
            if database:
                statements = (*statements, ('INSERT INTO "aurora.schemata" (schema_name) VALUES (?)', (database,)))
            created = [RowChange(statements=statements, context=ExecutionContext(at=self.clock()))]
            cluster.volume.apply(created)
            self._journal.begin(created)
            return cluster

    def add_restored_cluster(self, cluster_id: str, region: str, *, source: "GlobalDatabase", at: float) -> Cluster:
        """Add the first cluster as a copy of what the writer of another global database was at `at`.

        Raises:
            OperationRefusedError: there is a cluster already, or the source keeps nothing from that long ago.
        """
        with source.locked(), self.locked():
            if self._clusters:
                raise OperationRefusedError("a restored cluster is one of its own")
            cluster = Cluster(self, cluster_id, region)
            source._journal.restore(cluster.volume, at)
            self._journal.begin_as(cluster.volume)
            self._clusters[cluster_id] = cluster
            self.writer_id = cluster_id
            return cluster

    @property
    def earliest_restorable_at(self) -> float:
        """How far back a copy may go, in seconds since the epoch."""
        with self._lock:
            return self._journal.earliest_at

    def remove_cluster(self, cluster_id: str) -> None:
        """Delete a cluster and its volume. Raises OperationRefusedError for the writer while readers remain."""
        with self.locked():
            cluster = self.cluster(cluster_id)
            if cluster.is_writer and len(self._clusters) > 1:
                raise OperationRefusedError("the writer can't be removed while readers remain")
            cluster.running = False
            cluster.incarnation += 1
            del self._clusters[cluster_id]
            if self.writer_id == cluster_id:
                self.writer_id = None
            cluster.volume.close()

    def change_master_password(self, master: MasterLogin) -> None:
        """Set the master's password on the writer, from where it replicates, as ModifyDBCluster does."""
        with self.locked():
            statements = master_statements(master.name, master.password)
            change = RowChange(statements=statements, context=ExecutionContext(at=self.clock()))
            self.writer.commit(SUPERUSER, [(f"ALTER USER '{master.name}'@'%' IDENTIFIED BY <secret>", change)])

    def stop(self, cluster_id: str) -> None:
        """Make a cluster's databases go dark: no commits, no connections, and its stream stops where it is."""
        with self.locked():
            cluster = self.cluster(cluster_id)
            cluster.running = False
            cluster.incarnation += 1

    def start(self, cluster_id: str) -> None:
        """Bring a cluster back: as what it was, or, when another became the writer, as a reader with the writer's volume."""
        with self.locked():
            cluster = self.cluster(cluster_id)
            if not cluster.running:
                cluster.running = True
                cluster.incarnation += 1
            self._replicate(self.clock())

    def fence(self, cluster_id: str) -> None:
        """Make the writer refuse commits, which is how a switchover begins. Raises OperationRefusedError for a reader."""
        with self.locked():
            cluster = self.cluster(cluster_id)
            if not cluster.is_writer:
                raise OperationRefusedError(f"{cluster_id} isn't the writer")
            cluster.fenced = True

    def unfence(self, cluster_id: str) -> None:
        """Take commits again, after a switchover that was given up."""
        with self.locked():
            self.cluster(cluster_id).fenced = False

    def failover(self, target_id: str) -> FailoverOutcome:
        """Promote a reader at once; what hasn't reached it is lost, and every other cluster becomes a copy of it.

        Raises:
            OperationRefusedError: the target is unknown, stopped, rejoining, or the writer already.
        """
        with self.locked():
            target = self._promotable(target_id)
            lost = tuple(
                entry.transaction for entry in self._log if entry.transaction.sequence > target.applied_sequence
            )
            kept = target.applied_at if target.applied_at is not None or not lost else lost[0].committed_at
            lag = lost[-1].committed_at - (kept or 0.0) if lost else 0.0
            self._lost.extend(lost)
            self._journal.lose_after(target.applied_sequence)
            self._log.clear()
            for cluster in self._clusters.values():
                cluster.must_rejoin = cluster is not target
            target.applied_sequence = self._sequence
            self._committed_at = target.applied_at
            self._promote(target)
            return FailoverOutcome(lost_transactions=lost, lag_seconds=lag)

    def switchover(self, target_id: str) -> None:
        """Fence the writer, apply all that it has committed on the target, and swap the roles: nothing is lost.

        Raises:
            OperationRefusedError: the target is unknown, stopped, rejoining or the writer; or the writer isn't running.
        """
        with self.locked():
            target = self._promotable(target_id)
            if not self.writer.running:
                raise OperationRefusedError("the writer isn't running; only a failover can leave it behind")
            self._apply(target, until=float("inf"))
            self._promote(target)

    def close(self) -> None:
        """Free every volume."""
        with self._lock:
            for cluster in self._clusters.values():
                cluster.running = False
                cluster.volume.close()
            self._clusters.clear()
            self.writer_id = None
            self._journal.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, with events and replication as far as they are by now."""
        with self._lock:
            now = self.clock()
            self._run_events(now)
            self._replicate(now)
            yield

    def log_commit(
        self, cluster: Cluster, user: str, work: Sequence[tuple[str, RowChange]], *, at: float | None = None
    ) -> None:
        """Put a commit of the writer into the log, as of now or of `at`. Cluster.commit calls this."""
        self._sequence += 1
        self._committed_at = max(self.clock() if at is None else at, self._committed_at or 0.0)
        transaction = Transaction(
            sequence=self._sequence,
            committed_at=self._committed_at,
            user=user,
            statements=tuple(Statement(sql=sql, database=change.context.database) for sql, change in work),
        )
        cluster.applied_sequence, cluster.applied_at = self._sequence, self._committed_at
        entry = LogEntry(transaction=transaction, changes=tuple(change for _, change in work))
        self._journal.record(entry)
        if len(self._clusters) > 1:
            self._log.append(entry)

    def status_rows(self) -> list[tuple[object, ...]]:
        """Return what information_schema.aurora_global_db_status shows, the writer first.

        Source: "Aurora MySQL-specific information_schema tables" (Amazon Aurora user guide): the primary's lags are 0 and
        its time of calculation is 1970-01-01.
        """
        rows: list[tuple[object, ...]] = []
        for cluster in self.clusters:
            lag = Lag(measured_at=0.0, durability_ms=0.0, rpo_ms=0.0) if cluster.is_writer else cluster.last_lag
            moment = format_moment(datetime.fromtimestamp(lag.measured_at, UTC), 6)
            position = cluster.applied_sequence
            rows.append((cluster.region, position, round(lag.durability_ms), round(lag.rpo_ms), moment, position))
        return rows

    def _promotable(self, target_id: str) -> Cluster:
        target = self.cluster(target_id)
        if target.is_writer:
            raise OperationRefusedError(f"{target_id} is the writer already")
        if not target.running:
            raise OperationRefusedError(f"{target_id} isn't running")
        if target.must_rejoin:
            raise OperationRefusedError(f"{target_id} hasn't rejoined yet")
        return target

    def _promote(self, target: Cluster) -> None:
        for cluster in (self.writer, target):
            cluster.fenced = False
            cluster.incarnation += 1  # a change of role restarts the engine: its connections are gone
        self.writer_id = target.id
        self._replicate(self.clock())

    def _run_events(self, now: float) -> None:
        """Make the writer commit what became due since the last look; while it takes no commits, nothing runs."""
        after, self._events_run_until = self._events_run_until, max(now, self._events_run_until)
        writer = self._clusters.get(self.writer_id or "")
        if writer is None or not writer.running or writer.fenced:
            return
        for execution in due_executions(writer.volume, after=after, until=now):
            change = execute_due(writer.volume, execution, clock_skew_seconds=writer.clock_skew_seconds)
            if change is not None:
                self.log_commit(writer, execution.definer, [(execution.sql, change)], at=execution.at)

    def _replicate(self, now: float) -> None:
        """Apply what is old enough on every reader whose stream is up, and measure its lag."""
        writer = self._clusters.get(self.writer_id or "")
        if writer is None or not writer.running:
            return
        for reader in self._clusters.values():
            if reader is writer or not reader.running:
                continue
            if reader.must_rejoin:
                self._copy_from_writer(reader)
                reader.incarnation += 1
            self._apply(reader, until=now - self._lag_seconds)
            waiting = next((e for e in self._log if e.transaction.sequence > reader.applied_sequence), None)
            rpo_ms = (now - waiting.transaction.committed_at) * 1000 if waiting else 0.0
            durability_ms = max(self._lag_seconds * 1000, rpo_ms)
            reader.last_lag = Lag(measured_at=now, durability_ms=durability_ms, rpo_ms=rpo_ms)
        self._forget_what_all_have()

    def _apply(self, reader: Cluster, *, until: float) -> None:
        for entry in self._log:
            if entry.transaction.sequence <= reader.applied_sequence:
                continue
            if entry.transaction.committed_at > until:
                return
            reader.volume.apply(entry.changes)
            reader.applied_sequence = entry.transaction.sequence
            reader.applied_at = entry.transaction.committed_at

    def _forget_what_all_have(self) -> None:
        positions = [cluster.applied_sequence for cluster in self._clusters.values() if not cluster.must_rejoin]
        while self._log and self._log[0].transaction.sequence <= min(positions):
            self._log.popleft()

    def _copy_from_writer(self, reader: Cluster) -> None:
        writer = self.writer
        reader.volume.copy_from(writer.volume)
        reader.applied_sequence, reader.applied_at = writer.applied_sequence, writer.applied_at
        reader.must_rejoin = False
