"""The databases that stand behind the clusters of the API, and their names in the network.

Owns: one GlobalDatabase for each global cluster, who joins and leaves it, which cluster has instances, and which names lead
where. Does not own: when an operation happens (control_plane.py), or what a database does (aurora.py).
Invariant: a cluster has listeners and names exactly while the API says that it exists. Synchronous and thread-safe.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from rehearsal.aurora.global_database import Cluster, FailoverOutcome, GlobalDatabase, MasterLogin
from rehearsal.cloud.global_cluster import Operation, OperationKind
from rehearsal.cloud.rds_xml import ClusterEndpoints, cluster_of_arn, global_endpoint
from rehearsal.network.network import EmulatedNetwork


@dataclass(kw_only=True)
class _StandIn:
    cluster: Cluster
    group: str
    port: int
    instances: set[str] = field(default_factory=set)


class Databases:
    """All stand-ins of a rehearsal, by cluster ARN. A group is a global cluster, or a cluster that is in none."""

    def __init__(
        self, *, network: EmulatedNetwork, account_id: str, clock: Callable[[], float], replication_lag_seconds: float
    ) -> None:
        self._network = network
        self._account_id = account_id
        self._clock = clock
        self._replication_lag_seconds = replication_lag_seconds
        self._databases: dict[str, GlobalDatabase] = {}
        self._masters: dict[str, MasterLogin] = {}
        self._stand_ins: dict[str, _StandIn] = {}
        self._lock = threading.RLock()

    def database(self, global_cluster_id: str) -> GlobalDatabase:
        """Return the database of a global cluster. Raises KeyError when it has no member."""
        with self._lock:
            return self._databases[global_cluster_id]

    def port_of(self, cluster_arn: str) -> int | None:
        """Return the port that a cluster was created with, None for one that we don't know."""
        with self._lock:
            stand_in = self._stand_ins.get(cluster_arn)
            return stand_in.port if stand_in is not None else None

    def is_synchronized(self, cluster_arn: str) -> bool:
        """Whether a cluster follows the writer: one that is gone, or has yet to rejoin, doesn't."""
        with self._lock:
            stand_in = self._stand_ins.get(cluster_arn)
            return stand_in is None or (stand_in.cluster.running and not stand_in.cluster.must_rejoin)

    # --- Clusters and instances --------------------------------------------------------------------------------------

    def add_cluster(
        self, arn: str, *, global_cluster_id: str, port: int, master: MasterLogin | None, database_name: str | None
    ) -> None:
        """Make the stand-in of a new cluster: the first of a global cluster is the writer, a later one its copy."""
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
        """Make the stand-in of a new cluster, in no global one, with what the source's writer held at `at`.

        Raises:
            KeyError: the source has no stand-in.
            OperationRefusedError: that is longer ago than anything is kept.
        """
        region, cluster_id = cluster_of_arn(arn)
        with self._lock:
            source_group = self._stand_ins[source_arn].group
            database = GlobalDatabase(clock=self._clock, replication_lag_seconds=self._replication_lag_seconds)
            cluster = database.add_restored_cluster(cluster_id, region, source=self._databases[source_group], at=at)
            self._databases[arn] = database
            if source_group in self._masters:
                self._masters[arn] = self._masters[source_group]
            self._publish(arn, cluster, group=arn, port=port)

    def master_of(self, cluster_arn: str) -> MasterLogin | None:
        """Return the master user that a cluster was created with, or restored from."""
        with self._lock:
            stand_in = self._stand_ins.get(cluster_arn)
            return None if stand_in is None else self._masters.get(stand_in.group)

    def earliest_restorable_at(self, cluster_arn: str) -> float | None:
        """Return how far back a copy of a cluster may go, in seconds since the epoch; None for one that we don't know."""
        with self._lock:
            stand_in = self._stand_ins.get(cluster_arn)
            return None if stand_in is None else self._databases[stand_in.group].earliest_restorable_at

    def _publish(self, arn: str, cluster: Cluster, *, group: str, port: int) -> None:
        endpoints = ClusterEndpoints.of(arn)
        everywhere = [] if group == arn else [global_endpoint(self._account_id, group)]
        self._network.add_cluster(
            cluster, host_names=[endpoints.writer, endpoints.reader, *everywhere], endpoint_port=port
        )
        self._network.publish(endpoints.writer, cluster)
        self._network.publish(endpoints.reader, cluster)
        self._stand_ins[arn] = _StandIn(cluster=cluster, group=group, port=port)

    def remove_cluster(self, arn: str) -> None:
        """Take a cluster's stand-in away. Safe to call for one that isn't there."""
        with self._lock:
            stand_in = self._stand_ins.get(arn)
            if stand_in is None:
                return
            database = self._databases[stand_in.group]
            database.remove_cluster(stand_in.cluster.id)
            self._network.remove_cluster(stand_in.cluster.id)
            del self._stand_ins[arn]
            if not database.clusters:
                del self._databases[stand_in.group]
                self._masters.pop(stand_in.group, None)
                database.close()

    def add_instance(self, cluster_arn: str, instance_id: str) -> None:
        """Note an instance; with its first one a cluster's ports answer."""
        with self._lock:
            stand_in = self._stand_ins.get(cluster_arn)
            if stand_in is not None:
                stand_in.instances.add(instance_id)
                self._network.open(stand_in.cluster.id)

    def remove_instance(self, cluster_arn: str, instance_id: str) -> None:
        """Forget an instance; without its last one a cluster's ports refuse."""
        with self._lock:
            stand_in = self._stand_ins.get(cluster_arn)
            if stand_in is not None:
                stand_in.instances.discard(instance_id)
                if not stand_in.instances:
                    self._network.close(stand_in.cluster.id)

    def change_master_password(self, cluster_arn: str, password: str) -> None:
        """Set the master password that ModifyDBCluster asks for."""
        with self._lock:
            stand_in = self._stand_ins.get(cluster_arn)
            if stand_in is not None and stand_in.group in self._masters:
                master = MasterLogin(name=self._masters[stand_in.group].name, password=password)
                self._masters[stand_in.group] = master
                self._databases[stand_in.group].change_master_password(master)

    # --- Operations --------------------------------------------------------------------------------------------------

    def begin(self, operation: Operation) -> None:
        """Do what happens as soon as an operation is accepted: a switchover fences the present writer.

        Raises: OperationRefusedError.
        """
        if operation.kind is OperationKind.SWITCHOVER:
            self.database(operation.global_cluster_id).fence(operation.source.cluster_id)

    def finish(self, operation: Operation) -> FailoverOutcome | None:
        """Change the roles, and let the global endpoint lead to the new writer. A failover has an outcome.

        Raises: OperationRefusedError (then nothing has changed).
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

    def cancel(self, operation: Operation) -> None:
        """Undo `begin`."""
        if operation.kind is OperationKind.SWITCHOVER:
            self.database(operation.global_cluster_id).unfence(operation.source.cluster_id)

    # --- Darkness ----------------------------------------------------------------------------------------------------

    def stop_region(self, region: str) -> None:
        """Stop all databases of a region there and then: what was not replicated at this moment stays so."""
        for stand_in in self._in_region(region):
            if stand_in.cluster.running:
                self._databases[stand_in.group].stop(stand_in.cluster.id)

    def start_region(self, region: str) -> None:
        """Start them again: a cluster that is no longer the writer rejoins as a reader."""
        for stand_in in self._in_region(region):
            if not stand_in.cluster.running:
                self._databases[stand_in.group].start(stand_in.cluster.id)

    def close(self) -> None:
        """Take all stand-ins away."""
        with self._lock:
            # Readers go before their writer.
            for arn, _stand_in in sorted(self._stand_ins.items(), key=lambda item: item[1].cluster.is_writer):
                self.remove_cluster(arn)

    def _in_region(self, region: str) -> list[_StandIn]:
        with self._lock:
            return [stand_in for stand_in in self._stand_ins.values() if stand_in.cluster.region == region]
