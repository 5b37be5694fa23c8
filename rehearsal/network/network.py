"""The network of the embedded AWS: host names, and a loopback port for each cluster as seen from each region.

The network starts the listeners, injects faults on each path and writes the file from which Lambda workers resolve names.
A path's fault depends only on the current faults (failed regions, peering, databases, single paths), not on their order.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from rehearsal.aurora.global_database import Cluster
from rehearsal.aurora.server import Fault, MySQLServer
from rehearsal.network.certificates import CertificateAuthority

LAMBDA_SITE = Path(__file__).parent / "lambda_site"
"""The directory with sitecustomize.py for the Lambda workers' PYTHONPATH."""

NAMES_VARIABLE = "AURORA_REHEARSAL_NAMES"
VPC_FUNCTIONS_KEY = "vpc_functions"


class UnknownHost(socket.gaierror):
    """NXDOMAIN: the DNS name is not published."""

    def __init__(self, host_name: str) -> None:
        super().__init__(socket.EAI_NONAME, f"Name or service not known: {host_name}")


class Listener(Protocol):
    """A listening loopback port, such as MySQLListener."""

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        ...

    def set_fault(self, fault: Fault) -> None:
        """Set the fault and wait until it is active."""

    def close(self) -> None:
        """Stop listening."""


class ListenerStarter(Protocol):
    """Starts the listener of a cluster."""

    def __call__(self, cluster: Cluster, *, host_names: Sequence[str], endpoint_port: int) -> Listener:
        """Return a listener for clients that use these host names and this port."""
        ...


class Layer(Protocol):
    """Another part of a region that fails with it: the AWS API or the databases."""

    def fail(self, region: str) -> None:
        """Fail the region."""

    def restore(self, region: str) -> None:
        """Restore the region."""


def mysql_listeners(server: MySQLServer, authority: CertificateAuthority) -> ListenerStarter:
    """Return a starter of MySQL listeners with TLS, with one certificate for each set of host names."""
    server_context = functools.cache(authority.server_context)

    def start(cluster: Cluster, *, host_names: Sequence[str], endpoint_port: int) -> Listener:
        names = tuple(host_names)
        return server.listen(cluster, host_names=names, ssl_context=server_context(names), endpoint_port=endpoint_port)

    return start


@dataclass(kw_only=True)
class _Endpoint:
    """A cluster, its listener for each client region, and its faults."""

    cluster: Cluster
    listeners: dict[str, Listener]
    has_instance: bool = False
    down: Fault = Fault.NONE
    paths: dict[str, Fault] = field(default_factory=dict)
    applied: dict[str, Fault] = field(default_factory=dict)


class EmulatedNetwork:
    """The network between clients and databases. Thread-safe; a context manager."""

    def __init__(self, *, regions: Sequence[str], names_file: Path, start_listener: ListenerStarter) -> None:
        self.regions = tuple(regions)
        self.names_file = names_file
        self._start_listener = start_listener
        self._endpoints: dict[str, _Endpoint] = {}
        self._names: dict[str, str] = {}
        self._failed: set[str] = set()
        self._peering_cut = False
        self._vpc_functions: set[str] = set()
        self._layers: list[Layer] = []
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        self._write_names()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close every listener and remove the names file. Safe to call twice."""
        with self._lock:
            for cluster_id in list(self._endpoints):
                self.remove_cluster(cluster_id)
            self.names_file.unlink(missing_ok=True)

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make Lambda workers resolve names in this network."""
        return {NAMES_VARIABLE: str(self.names_file), "PYTHONPATH": str(LAMBDA_SITE)}

    def add_cluster(self, cluster: Cluster, *, host_names: Sequence[str], endpoint_port: int = 3306) -> None:
        """Start a cluster's listener for each client region. The listeners refuse connections until `open`.

        `host_names` are the names in the cluster's certificate. `publish` adds a name to the network.
        """
        with self._lock:
            listeners = self._start_listeners(cluster, host_names, endpoint_port)
            self._endpoints[cluster.id] = _Endpoint(cluster=cluster, listeners=listeners)
            self._apply()

    def change_port(self, cluster: Cluster, *, host_names: Sequence[str], endpoint_port: int) -> None:
        """Replace a cluster's listeners, which closes its connections; its names and faults stay."""
        with self._lock:
            endpoint = self._endpoints[cluster.id]
            before = endpoint.listeners
            endpoint.listeners = self._start_listeners(cluster, host_names, endpoint_port)
            endpoint.applied.clear()
            self._apply()
            for listener in before.values():
                listener.close()
            self._write_names()

    def _start_listeners(self, cluster: Cluster, host_names: Sequence[str], endpoint_port: int) -> dict[str, Listener]:
        listeners: dict[str, Listener] = {}
        try:
            for region in self.regions:
                listeners[region] = self._start_listener(cluster, host_names=host_names, endpoint_port=endpoint_port)
        except BaseException:
            for listener in listeners.values():
                listener.close()
            raise
        return listeners

    def remove_cluster(self, cluster_id: str) -> None:
        """Close a cluster's listeners and withdraw its names. Safe to call for an unknown cluster."""
        with self._lock:
            endpoint = self._endpoints.pop(cluster_id, None)
            if endpoint is None:
                return
            for listener in endpoint.listeners.values():
                listener.close()
            self._names = {name: owner for name, owner in self._names.items() if owner != cluster_id}
            self._write_names()

    def open(self, cluster_id: str) -> None:
        """Accept connections to a cluster: the cluster now has an instance."""
        with self._lock:
            self._endpoints[cluster_id].has_instance = True
            self._apply()

    def close(self, cluster_id: str) -> None:
        """Refuse connections to a cluster: the cluster has no instance."""
        with self._lock:
            self._endpoints[cluster_id].has_instance = False
            self._apply()

    def publish(self, host_name: str, cluster: Cluster) -> None:
        """Point a DNS name at a cluster, in every region. A second call moves the DNS name, as for the global endpoint."""
        with self._lock:
            if cluster.id not in self._endpoints:
                raise KeyError(f"{cluster.id}: the cluster has no listeners. Call add_cluster first.")
            self._names[host_name] = cluster.id
            self._write_names()

    def withdraw(self, host_name: str) -> None:
        """Remove a name. Safe to call for an unknown name."""
        with self._lock:
            if self._names.pop(host_name, None) is not None:
                self._write_names()

    def address(self, host_name: str, *, from_region: str) -> tuple[str, int]:
        """Return the address that a client in a region connects to.

        Raises:
            UnknownHost: the DNS name is not published.
        """
        with self._lock:
            endpoint = self._endpoint_of(host_name)
            if from_region not in endpoint.listeners:
                raise UnknownHost(host_name)
            return "127.0.0.1", endpoint.listeners[from_region].port

    def cluster_of(self, host_name: str) -> Cluster:
        """Return the cluster that a name points at.

        Raises:
            UnknownHost: the DNS name is not published.
        """
        with self._lock:
            return self._endpoint_of(host_name).cluster

    def set_vpc_functions(self, names: Iterable[str]) -> None:
        """Set the Lambda functions in the VPC. Functions in the VPC resolve only database names and the private zone."""
        with self._lock:
            self._vpc_functions = set(names)
            self._write_names()

    def attach(self, layer: Layer) -> None:
        """Add a layer that fails and recovers with each region."""
        with self._lock:
            self._layers.append(layer)

    @property
    def failed_regions(self) -> frozenset[str]:
        """The currently failed regions."""
        with self._lock:
            return frozenset(self._failed)

    def fail(self, region: str) -> None:
        """Make every connection to and from a region hang, and fail the region in the attached layers."""
        with self._lock:
            self._require_region(region)
            self._failed.add(region)
            self._apply()
            # The ports first: clients must not see connections close when the databases stop.
            for layer in self._layers:
                layer.fail(region)

    def restore(self, region: str) -> None:
        """Restore a region: first its layers, then its ports."""
        with self._lock:
            self._require_region(region)
            for layer in reversed(self._layers):
                layer.restore(region)
            self._failed.discard(region)
            self._apply()

    def cut_peering(self) -> None:
        """Make cross-region database connections hang. The AWS API doesn't use the peering and is not affected."""
        with self._lock:
            self._peering_cut = True
            self._apply()

    def restore_peering(self) -> None:
        """Restore the database ports across regions after `cut_peering`."""
        with self._lock:
            self._peering_cut = False
            self._apply()

    def database_down(self, cluster_id: str, fault: Fault = Fault.REFUSE) -> None:
        """Fail one cluster's ports for clients of every region."""
        with self._lock:
            self._endpoints[cluster_id].down = Fault(fault)
            self._apply()

    def database_up(self, cluster_id: str) -> None:
        """Restore the cluster's ports for every region after `database_down`."""
        with self._lock:
            self._endpoints[cluster_id].down = Fault.NONE
            self._apply()

    def port_fault(self, cluster_id: str, *, from_region: str, fault: Fault) -> None:
        """Set the fault of one path: one cluster as seen from one region."""
        with self._lock:
            self._require_region(from_region)
            self._endpoints[cluster_id].paths[from_region] = Fault(fault)
            self._apply()

    def clear_port_faults(self) -> None:
        """Clear the faults of paths and databases, but not failed regions or a cut peering."""
        with self._lock:
            for endpoint in self._endpoints.values():
                endpoint.down = Fault.NONE
                endpoint.paths.clear()
            self._apply()

    def fault_of(self, cluster_id: str, *, from_region: str) -> Fault:
        """Return the fault that a client in a region gets from a cluster's port."""
        with self._lock:
            return self._fault(self._endpoints[cluster_id], from_region)

    def _endpoint_of(self, host_name: str) -> _Endpoint:
        cluster_id = self._names.get(host_name.lower().rstrip("."))
        if cluster_id is None:
            raise UnknownHost(host_name)
        return self._endpoints[cluster_id]

    def _fault(self, endpoint: _Endpoint, from_region: str) -> Fault:
        if self._failed & {from_region, endpoint.cluster.region}:
            return Fault.HANG
        if self._peering_cut and from_region != endpoint.cluster.region:
            return Fault.HANG
        path = endpoint.paths.get(from_region, Fault.NONE)
        if path is not Fault.NONE:
            return path
        if endpoint.down is not Fault.NONE:
            return endpoint.down
        return Fault.NONE if endpoint.has_instance else Fault.REFUSE

    def _apply(self) -> None:
        for endpoint in self._endpoints.values():
            for region, listener in endpoint.listeners.items():
                fault = self._fault(endpoint, region)
                if endpoint.applied.get(region) is not fault:
                    listener.set_fault(fault)
                    endpoint.applied[region] = fault

    def _require_region(self, region: str) -> None:
        if region not in self.regions:
            raise ValueError(f"region: {region} is not in this network. Use one of {', '.join(self.regions)}.")

    def _write_names(self) -> None:
        content: dict[str, object] = {
            region: {
                name: ["127.0.0.1", self._endpoints[cluster_id].listeners[region].port]
                for name, cluster_id in sorted(self._names.items())
            }
            for region in self.regions
        }
        content[VPC_FUNCTIONS_KEY] = sorted(self._vpc_functions)
        write_atomically(self.names_file, content)


def write_atomically(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON atomically: a reader sees the old or the new file."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
