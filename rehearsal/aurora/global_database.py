"""The Aurora global database of the embedded AWS: clusters, roles, replication and the transactions that a failover loses.

At most one cluster accepts commits. Every acknowledged commit stays in the log, in order, until a failover loses it; then
it is in `lost_transactions`.

No thread runs replication or MySQL's event scheduler. Each access to a cluster first commits the due events of the writer
at their due times, and then applies every commit that is older than the lag. Replication between regions uses AWS's
network, not the VPC peering: replication stops only when the writer or the reader stops.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from rehearsal.aurora.accounts import SUPERUSER, master_statements
from rehearsal.aurora.cluster import Cluster
from rehearsal.aurora.event_scheduler import due_executions, execute_due
from rehearsal.aurora.point_in_time import ContinuousBackup
from rehearsal.aurora.replication import (
    FailoverOutcome,
    Lag,
    LogEntry,
    MasterLogin,
    ReplicationRefusedError,
    Statement,
    Transaction,
)
from rehearsal.aurora.sql_error import SqlError
from rehearsal.aurora.storage import ExecutionContext, RowChange, format_datetime

__all__ = [
    "Cluster",
    "FailoverOutcome",
    "GlobalDatabase",
    "MasterLogin",
    "ReplicationRefusedError",
    "SqlError",
    "Statement",
    "Transaction",
]


class GlobalDatabase:
    """A thread-safe global database. `clock` returns seconds since the epoch."""

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
        self._backup = ContinuousBackup(started_at=clock())

    @property
    def replication_lag_seconds(self) -> float:
        """The age at which a reader applies a commit. A new value applies from now on."""
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
        """The cluster with the writer role. Raises ReplicationRefusedError if there is none."""
        with self._lock:
            if self.writer_id is None:
                raise ReplicationRefusedError("the global database has no writer. Add one with writer=True")
            return self._clusters[self.writer_id]

    @property
    def lost_transactions(self) -> tuple[Transaction, ...]:
        """The acknowledged transactions that failovers lost, oldest first."""
        with self._lock:
            return tuple(self._lost)

    def cluster(self, cluster_id: str) -> Cluster:
        """Return a cluster. Raises ReplicationRefusedError for an unknown id."""
        with self._lock:
            if cluster_id not in self._clusters:
                raise ReplicationRefusedError(f"cluster {cluster_id} does not exist")
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
        """Add a cluster. A reader starts as a copy of the writer's volume and takes no master user and no database.

        Raises:
            ReplicationRefusedError: the id is in use, there are two writers, or a reader has a master or database.

        Source: "CreateDBCluster" (Amazon RDS API reference).
        """
        with self.locked():
            if cluster_id in self._clusters:
                raise ReplicationRefusedError(f"cluster {cluster_id} already exists")
            if writer == (self.writer_id is not None):
                raise ReplicationRefusedError("a global database has exactly one writer. Add the writer first")
            if not writer and (master or database):
                raise ReplicationRefusedError(
                    f"cluster {cluster_id}: a secondary cluster accepts no master user or database name. Omit both"
                )
            if not writer and not self.writer.running:
                raise ReplicationRefusedError(
                    "the writer is not running, and a secondary cluster starts as a copy of the writer. Start the writer first"
                )
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
            self._backup.start_with(created)
            return cluster

    def add_restored_cluster(self, cluster_id: str, region: str, *, source: "GlobalDatabase", at: float) -> Cluster:
        """Add the first cluster as a copy of another global database's writer as of `at` (seconds since the epoch).

        Raises:
            ReplicationRefusedError: a cluster exists, or the source's backup starts later than `at`.
        """
        with source.locked(), self.locked():
            if self._clusters:
                raise ReplicationRefusedError("a cluster is restored into an empty global database only")
            cluster = Cluster(self, cluster_id, region)
            source._backup.restore(cluster.volume, at)
            self._backup.start_from(cluster.volume)
            self._clusters[cluster_id] = cluster
            self.writer_id = cluster_id
            return cluster

    @property
    def earliest_restorable_at(self) -> float:
        """The earliest restorable time, in seconds since the epoch."""
        with self._lock:
            return self._backup.earliest_at

    def remove_cluster(self, cluster_id: str) -> None:
        """Delete a cluster and its volume. Raises ReplicationRefusedError if it is the writer and readers remain."""
        with self.locked():
            cluster = self.cluster(cluster_id)
            if cluster.is_writer and len(self._clusters) > 1:
                raise ReplicationRefusedError("the writer can't be removed while readers remain")
            cluster.running = False
            cluster.incarnation += 1
            del self._clusters[cluster_id]
            if self.writer_id == cluster_id:
                self.writer_id = None
            cluster.volume.close()

    def detach(self, cluster_id: str, *, seconds: float = 0.0) -> "GlobalDatabase":
        """Move a cluster into a global database of its own, as its writer, and return it. The last cluster keeps this one.

        A reader loses the commits that it lacks, and is read-only for `seconds` while it is promoted.

        Raises:
            ReplicationRefusedError: the cluster is unknown, or the writer of readers that remain.

        Source: "Removing a cluster from an Amazon Aurora global database" (Amazon Aurora user guide).
        """
        with self.locked():
            cluster = self.cluster(cluster_id)
            if cluster.is_writer and len(self._clusters) > 1:
                raise ReplicationRefusedError("the writer can't be removed while readers remain")
            if cluster.is_writer:
                return self
            alone = GlobalDatabase(clock=self.clock, replication_lag_seconds=self._lag_seconds)
            lost = [entry.transaction for entry in self._log if entry.transaction.sequence > cluster.applied_sequence]
            alone._lost = [*self._lost, *lost]
            alone._sequence, alone._committed_at = cluster.applied_sequence, cluster.applied_at
            alone._backup.start_from(cluster.volume)
            alone._clusters, alone.writer_id = {cluster_id: cluster}, cluster_id
            del self._clusters[cluster_id]
            self._trim_log()
            cluster.must_rejoin = False
            cluster.promoted_at = self.clock() + seconds
            cluster.incarnation += 1  # a promotion restarts the engine and closes its connections
            cluster.global_database = alone
            return alone

    def change_master_password(self, master: MasterLogin) -> None:
        """Set the master password on the writer, as ModifyDBCluster does. The change replicates to the readers."""
        with self.locked():
            statements = master_statements(master.name, master.password)
            change = RowChange(statements=statements, context=ExecutionContext(at=self.clock()))
            self.writer.commit(SUPERUSER, [(f"ALTER USER '{master.name}'@'%' IDENTIFIED BY <secret>", change)])

    def stop(self, cluster_id: str) -> None:
        """Stop a cluster: it accepts no commits and no connections, and its replication stops."""
        with self.locked():
            cluster = self.cluster(cluster_id)
            cluster.running = False
            cluster.incarnation += 1

    def start(self, cluster_id: str) -> None:
        """Start a cluster in its former role, or as a copy of the new writer after a failover."""
        with self.locked():
            cluster = self.cluster(cluster_id)
            if not cluster.running:
                cluster.running = True
                cluster.incarnation += 1
            self._replicate(self.clock())

    def fence(self, cluster_id: str) -> None:
        """Make the writer refuse commits at the start of a switchover. Raises ReplicationRefusedError for a reader."""
        with self.locked():
            cluster = self.cluster(cluster_id)
            if not cluster.is_writer:
                raise ReplicationRefusedError(f"cluster {cluster_id} is not the writer")
            cluster.fenced = True

    def unfence(self, cluster_id: str) -> None:
        """Accept commits again after a cancelled switchover."""
        with self.locked():
            self.cluster(cluster_id).fenced = False

    def failover(self, target_id: str) -> FailoverOutcome:
        """Promote a reader at once. Lose the commits that it lacks, and make every other cluster a copy of it.

        Raises:
            ReplicationRefusedError: the target is unknown, stopped, rejoining or already the writer.
        """
        with self.locked():
            target = self._promotable(target_id)
            lost = tuple(
                entry.transaction for entry in self._log if entry.transaction.sequence > target.applied_sequence
            )
            kept = target.applied_at if target.applied_at is not None or not lost else lost[0].committed_at
            lag = lost[-1].committed_at - (kept or 0.0) if lost else 0.0
            self._lost.extend(lost)
            self._backup.discard_after(target.applied_sequence)
            self._log.clear()
            for cluster in self._clusters.values():
                cluster.must_rejoin = cluster is not target
            target.applied_sequence = self._sequence
            self._committed_at = target.applied_at
            self._promote(target)
            return FailoverOutcome(lost_transactions=lost, lag_seconds=lag)

    def switchover(self, target_id: str) -> None:
        """Apply every commit of the writer on the target and swap the roles, without a loss.

        Raises:
            ReplicationRefusedError: the target is unknown, stopped, rejoining or the writer, or the writer isn't running.
        """
        with self.locked():
            target = self._promotable(target_id)
            if not self.writer.running:
                raise ReplicationRefusedError("the writer is not running, so only a failover can promote a reader")
            self._apply(target, until=float("inf"))
            self._promote(target)

    def close(self) -> None:
        """Close every volume."""
        with self._lock:
            for cluster in self._clusters.values():
                cluster.running = False
                cluster.volume.close()
            self._clusters.clear()
            self.writer_id = None
            self._backup.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Bring events and replication up to date and hold the lock."""
        with self._lock:
            now = self.clock()
            self._run_events(now)
            self._replicate(now)
            yield

    def log_commit(
        self, cluster: Cluster, user: str, work: Sequence[tuple[str, RowChange]], *, at: float | None = None
    ) -> None:
        """Append a commit of the writer to the log, as of now or of `at`."""
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
        self._backup.record(entry)
        if len(self._clusters) > 1:
            self._log.append(entry)

    def status_rows(self) -> list[tuple[object, ...]]:
        """Return the rows of information_schema.aurora_global_db_status, the writer first.

        The writer's lags are 0 and its calculation time is 1970-01-01.
        Source: "Aurora MySQL-specific information_schema tables" (Amazon Aurora user guide).
        """
        rows: list[tuple[object, ...]] = []
        for cluster in self.clusters:
            lag = Lag(measured_at=0.0, durability_ms=0.0, rpo_ms=0.0) if cluster.is_writer else cluster.last_lag
            calculated_at = format_datetime(datetime.fromtimestamp(lag.measured_at, UTC), 6)
            position = cluster.applied_sequence
            rows.append(
                (cluster.region, position, round(lag.durability_ms), round(lag.rpo_ms), calculated_at, position)
            )
        return rows

    def _promotable(self, target_id: str) -> Cluster:
        target = self.cluster(target_id)
        if target.is_writer:
            raise ReplicationRefusedError(f"cluster {target_id} is already the writer")
        if not target.running:
            raise ReplicationRefusedError(f"cluster {target_id} is not running")
        if target.must_rejoin:
            raise ReplicationRefusedError(f"cluster {target_id} has not rejoined yet")
        return target

    def _promote(self, target: Cluster) -> None:
        for cluster in (self.writer, target):
            cluster.fenced = False
            cluster.incarnation += 1  # a role change restarts the engine and closes its connections
        self.writer_id = target.id
        self._replicate(self.clock())

    def _run_events(self, now: float) -> None:
        """Commit the writer's events that became due since the last call. A writer that accepts no commits skips them."""
        after, self._events_run_until = self._events_run_until, max(now, self._events_run_until)
        writer = self._clusters.get(self.writer_id or "")
        if writer is None or not writer.running or writer.read_only or writer.storage_failed:
            return
        for execution in due_executions(writer.volume, after=after, until=now):
            change = execute_due(writer.volume, execution, clock_skew_seconds=writer.clock_skew_seconds)
            if change is not None:
                self.log_commit(writer, execution.definer, [(execution.sql, change)], at=execution.at)

    def _replicate(self, now: float) -> None:
        """Apply every commit older than the lag on each running reader, and measure the reader's lag."""
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
            oldest = next((e for e in self._log if e.transaction.sequence > reader.applied_sequence), None)
            rpo_ms = (now - oldest.transaction.committed_at) * 1000 if oldest else 0.0
            durability_ms = max(self._lag_seconds * 1000, rpo_ms)
            reader.last_lag = Lag(measured_at=now, durability_ms=durability_ms, rpo_ms=rpo_ms)
        self._trim_log()

    def _apply(self, reader: Cluster, *, until: float) -> None:
        for entry in self._log:
            if entry.transaction.sequence <= reader.applied_sequence:
                continue
            if entry.transaction.committed_at > until:
                return
            reader.volume.apply(entry.changes)
            reader.applied_sequence = entry.transaction.sequence
            reader.applied_at = entry.transaction.committed_at

    def _trim_log(self) -> None:
        positions = [cluster.applied_sequence for cluster in self._clusters.values() if not cluster.must_rejoin]
        while self._log and self._log[0].transaction.sequence <= min(positions):
            self._log.popleft()

    def _copy_from_writer(self, reader: Cluster) -> None:
        writer = self.writer
        reader.volume.copy_from(writer.volume)
        reader.applied_sequence, reader.applied_at = writer.applied_sequence, writer.applied_at
        reader.must_rejoin = False
