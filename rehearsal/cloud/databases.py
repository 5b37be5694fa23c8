"""The rehearsal's databases behind the API's clusters, and their names in the network.

A cluster has listeners and names exactly while the API lists it. Thread-safe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from rehearsal.aurora.global_database import Cluster, FailoverOutcome, GlobalDatabase, MasterLogin
from rehearsal.cloud.global_cluster import OperationKind, RdsOperation
from rehearsal.cloud.rds_xml import ClusterEndpoints, cluster_of_arn, global_endpoint
from rehearsal.network.network import EmulatedNetwork


@dataclass(kw_only=True)
class _ClusterEntry:
    cluster: Cluster
    group: str
    port: int
    instances: set[str] = field(default_factory=set)


class Databases:
    """All databases, by cluster ARN. A group is a global cluster, or a cluster outside of any."""

    def __init__(
        self, *, network: EmulatedNetwork, account_id: str, clock: Callable[[], float], replication_lag_seconds: float
    ) -> None:
        self._network = network
        self._account_id = account_id
        self._clock = clock
        self._replication_lag_seconds = replication_lag_seconds
        self._databases: dict[str, GlobalDatabase] = {}
        self._masters: dict[str, MasterLogin] = {}
        self._entries: dict[str, _ClusterEntry] = {}
        self._lock = threading.RLock()

    def database(self, global_cluster_id: str) -> GlobalDatabase:
        """Return the database of a group. Raises KeyError if it has no member."""
        with self._lock:
            return self._databases[global_cluster_id]

    def cluster(self, cluster_arn: str) -> Cluster | None:
        """Return a cluster; None for an unknown one."""
        with self._lock:
            entry = self._entries.get(cluster_arn)
            return None if entry is None else entry.cluster

    def databases_of(self, cluster_arns: Iterable[str]) -> tuple[GlobalDatabase, ...]:
        """Return the databases of these clusters, each once; unknown clusters have none."""
        with self._lock:
            groups = dict.fromkeys(self._entries[arn].group for arn in cluster_arns if arn in self._entries)
            return tuple(self._databases[group] for group in groups)

    def is_promoting(self, cluster_arn: str) -> bool:
        """Return whether a detached cluster is still being promoted."""
        cluster = self.cluster(cluster_arn)
        return cluster is not None and cluster.is_promoting

    def is_member(self, cluster_arn: str) -> bool:
        """Return whether a cluster belongs to a global cluster."""
        with self._lock:
            entry = self._entries.get(cluster_arn)
            return entry is not None and entry.group != cluster_arn

    def port_of(self, cluster_arn: str) -> int | None:
        """Return the port of a cluster; None for an unknown cluster."""
        with self._lock:
            entry = self._entries.get(cluster_arn)
            return entry.port if entry is not None else None

    def is_synchronized(self, cluster_arn: str) -> bool:
        """Return whether a cluster is up and replicates from the writer; an unknown cluster counts as such."""
        with self._lock:
            entry = self._entries.get(cluster_arn)
            return entry is None or (entry.cluster.running and not entry.cluster.must_rejoin)

    # --- Clusters and instances --------------------------------------------------------------------------------------

    def add_cluster(
        self, arn: str, *, global_cluster_id: str, port: int, master: MasterLogin | None, database_name: str | None
    ) -> None:
        """Add a new cluster: the first of a group is the writer, later ones replicate from it."""
        region, cluster_id = cluster_of_arn(arn)
        with self._lock:
            group = global_cluster_id or arn
            is_first = group not in self._databases
            if is_first:
                self._databases[group] = GlobalDatabase(
                    clock=self._clock, replication_lag_seconds=self._replication_lag_seconds
                )
                if master is not None:
                    self._masters[group] = master
            cluster = self._databases[group].add_cluster(
                cluster_id,
                region,
                writer=is_first,
                master=master if is_first else None,
                database=database_name if is_first else None,
            )
            self._publish(arn, cluster, group=group, port=port)
            if global_cluster_id and is_first:
                self._network.publish(global_endpoint(self._account_id, global_cluster_id), cluster)

    def restore_cluster(self, arn: str, *, source_arn: str, at: float, port: int) -> None:
        """Add a cluster in a new group, with the data of the source's writer at the time `at`.

        Raises:
            KeyError: the source is unknown.
            ReplicationRefusedError: `at` is before the earliest restorable time.
        """
        region, cluster_id = cluster_of_arn(arn)
        with self._lock:
            source_group = self._entries[source_arn].group
            database = GlobalDatabase(clock=self._clock, replication_lag_seconds=self._replication_lag_seconds)
            cluster = database.add_restored_cluster(cluster_id, region, source=self._databases[source_group], at=at)
            self._databases[arn] = database
            if source_group in self._masters:
                self._masters[arn] = self._masters[source_group]
            self._publish(arn, cluster, group=arn, port=port)

    def master_of(self, cluster_arn: str) -> MasterLogin | None:
        """Return the master user of a cluster."""
        with self._lock:
            entry = self._entries.get(cluster_arn)
            return None if entry is None else self._masters.get(entry.group)

    def earliest_restorable_at(self, cluster_arn: str) -> float | None:
        """Return the earliest restorable time, in seconds since the epoch; None for an unknown cluster."""
        with self._lock:
            entry = self._entries.get(cluster_arn)
            return None if entry is None else self._databases[entry.group].earliest_restorable_at

    def _publish(self, arn: str, cluster: Cluster, *, group: str, port: int) -> None:
        endpoints = ClusterEndpoints.of(arn)
        self._network.add_cluster(cluster, host_names=self._host_names(arn, group), endpoint_port=port)
        self._network.publish(endpoints.writer, cluster)
        self._network.publish(endpoints.reader, cluster)
        self._entries[arn] = _ClusterEntry(cluster=cluster, group=group, port=port)

    def _host_names(self, arn: str, group: str) -> list[str]:
        endpoints = ClusterEndpoints.of(arn)
        global_names = [] if group == arn else [global_endpoint(self._account_id, group)]
        return [endpoints.writer, endpoints.reader, *global_names]

    def remove_cluster(self, arn: str) -> None:
        """Remove a cluster, if it exists."""
        with self._lock:
            entry = self._entries.get(arn)
            if entry is None:
                return
            database = self._databases[entry.group]
            database.remove_cluster(entry.cluster.id)
            self._network.remove_cluster(entry.cluster.id)
            del self._entries[arn]
            if not database.clusters:
                del self._databases[entry.group]
                self._masters.pop(entry.group, None)
                database.close()

    def detach_cluster(self, arn: str, *, seconds: float) -> None:
        """Make a member of a global cluster a group of its own. A former reader with instances is promoted within `seconds`.

        Raises: ReplicationRefusedError.
        """
        with self._lock:
            entry = self._entries.get(arn)
            if entry is None or entry.group == arn:
                return
            group = self._databases[entry.group]
            alone = group.detach(entry.cluster.id, seconds=seconds if entry.instances else 0.0)
            self._databases[arn] = alone
            if entry.group in self._masters:
                self._masters[arn] = self._masters[entry.group]
            if alone is group:
                self._network.withdraw(global_endpoint(self._account_id, entry.group))
                del self._databases[entry.group]
                self._masters.pop(entry.group, None)
            entry.group = arn

    def start_group(self, global_cluster_id: str, arn: str) -> None:
        """Make a cluster outside of any global cluster the writer of a new one."""
        with self._lock:
            entry = self._entries[arn]
            self._databases[global_cluster_id] = self._databases.pop(arn)
            if arn in self._masters:
                self._masters[global_cluster_id] = self._masters.pop(arn)
            entry.group = global_cluster_id
            self._network.publish(global_endpoint(self._account_id, global_cluster_id), entry.cluster)

    def add_instance(self, cluster_arn: str, instance_id: str) -> None:
        """Add an instance; with the first one, the cluster's ports accept connections."""
        with self._lock:
            entry = self._entries.get(cluster_arn)
            if entry is not None:
                entry.instances.add(instance_id)
                self._network.open(entry.cluster.id)

    def remove_instance(self, cluster_arn: str, instance_id: str) -> None:
        """Remove an instance; without instances, the cluster's ports refuse connections."""
        with self._lock:
            entry = self._entries.get(cluster_arn)
            if entry is not None:
                entry.instances.discard(instance_id)
                if not entry.instances:
                    self._network.close(entry.cluster.id)

    def change_master_password(self, cluster_arn: str, password: str) -> None:
        """Set the master password, as ModifyDBCluster does."""
        with self._lock:
            entry = self._entries.get(cluster_arn)
            if entry is not None and entry.group in self._masters:
                master = MasterLogin(name=self._masters[entry.group].name, password=password)
                self._masters[entry.group] = master
                self._databases[entry.group].change_master_password(master)

    def change_port(self, cluster_arn: str, port: int) -> None:
        """Set the port, as ModifyDBCluster does. All connections to the cluster close."""
        with self._lock:
            entry = self._entries.get(cluster_arn)
            if entry is not None and entry.port != port:
                names = self._host_names(cluster_arn, entry.group)
                self._network.change_port(entry.cluster, host_names=names, endpoint_port=port)
                entry.port = port

    # --- Operations --------------------------------------------------------------------------------------------------

    def begin(self, operation: RdsOperation) -> None:
        """Start an operation: a switchover makes the writer read-only.

        Raises: ReplicationRefusedError.
        """
        if operation.kind is OperationKind.SWITCHOVER:
            self.database(operation.global_cluster_id).fence(operation.source.cluster_id)

    def finish(self, operation: RdsOperation) -> FailoverOutcome | None:
        """Change the roles, and point the global endpoint to the new writer. A failover returns its outcome.

        Raises: ReplicationRefusedError; the roles are unchanged then.
        """
        database = self.database(operation.global_cluster_id)
        outcome = None
        if operation.kind is OperationKind.FAILOVER:
            outcome = database.failover(operation.target.cluster_id)
        else:
            database.switchover(operation.target.cluster_id)
        name = global_endpoint(self._account_id, operation.global_cluster_id)
        self._network.publish(name, database.cluster(operation.target.cluster_id))
        return outcome

    def cancel(self, operation: RdsOperation) -> None:
        """Cancel the operation: undo the changes of `begin`."""
        if operation.kind is OperationKind.SWITCHOVER:
            self.database(operation.global_cluster_id).unfence(operation.source.cluster_id)

    # --- Region failures ---------------------------------------------------------------------------------------------

    def stop_region(self, region: str) -> None:
        """Stop all databases of a region at once: transactions that are not yet replicated stay so."""
        for entry in self._in_region(region):
            if entry.cluster.running:
                self._databases[entry.group].stop(entry.cluster.id)

    def start_region(self, region: str) -> None:
        """Start all databases of a region; a former writer rejoins as a reader."""
        for entry in self._in_region(region):
            if not entry.cluster.running:
                self._databases[entry.group].start(entry.cluster.id)

    def close(self) -> None:
        """Remove all clusters."""
        with self._lock:
            # Readers are removed before their writer.
            for arn, _entry in sorted(self._entries.items(), key=lambda item: item[1].cluster.is_writer):
                self.remove_cluster(arn)

    def _in_region(self, region: str) -> list[_ClusterEntry]:
        with self._lock:
            return [entry for entry in self._entries.values() if entry.cluster.region == region]
