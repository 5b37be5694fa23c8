"""Who reaches which database: names, and a loopback port for each cluster as seen from each region.

Owns: the names that are published, the listeners behind them, which of the paths are cut, and the file by which Lambda
workers resolve names. Does not own: what a cluster answers (mysql_server.py), or AWS's API (faults.py).
Invariant: a path's fault is a function of what has been switched (darkness, peering, databases, single paths) and of
nothing else: switching a thing off and on again in any order leads back to where it was.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from rehearsal.aurora.global_database import Cluster
from rehearsal.aurora.server import Fault, MySQLServer
from rehearsal.network.certificates import CertificateAuthority

LAMBDA_SITE = Path(__file__).parent / "lambda_site"
"""What is put on the Lambda workers' PYTHONPATH: a sitecustomize.py, and nothing else."""

NAMES_VARIABLE = "AURORA_REHEARSAL_NAMES"
VPC_FUNCTIONS_KEY = "vpc_functions"


class UnknownHost(socket.gaierror):
    """A name that isn't published: what a resolver says to NXDOMAIN."""

    def __init__(self, host_name: str) -> None:
        super().__init__(socket.EAI_NONAME, f"Name or service not known: {host_name}")


class Listener(Protocol):
    """One listening loopback port (mysql_server.MySQLListener)."""

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        ...

    def set_fault(self, fault: Fault) -> None:
        """Change what clients meet; returns when it is in force."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class ListenerStarter(Protocol):
    """Starts the listener of a cluster for clients who know it by these names and this port."""

    def __call__(self, cluster: Cluster, *, host_names: Sequence[str], endpoint_port: int) -> Listener:
        """Return a listener that takes connections."""
        ...


class Layer(Protocol):
    """Something else that goes dark with a region (the AWS API, the databases themselves)."""

    def fail(self, region: str) -> None:
        """Everything to and from the region hangs from now on."""
        ...

    def restore(self, region: str) -> None:
        """The region is back."""
        ...


def mysql_listeners(server: MySQLServer, authority: CertificateAuthority) -> ListenerStarter:
    """Return the starter that the rehearsal uses: MySQL over TLS, one certificate per set of names."""
    contexts = {}

    def start(cluster: Cluster, *, host_names: Sequence[str], endpoint_port: int) -> Listener:
        names = tuple(host_names)
        if names not in contexts:
            contexts[names] = authority.server_context(names)
        return server.listen(cluster, host_names=names, ssl_context=contexts[names], endpoint_port=endpoint_port)

    return start


@dataclass(kw_only=True)
class _Site:
    """A cluster's place in the network: its listener for each viewing region."""

    cluster: Cluster
    listeners: dict[str, Listener]
    is_open: bool = False
    down: Fault = Fault.NONE
    paths: dict[str, Fault] = field(default_factory=dict)
    applied: dict[str, Fault] = field(default_factory=dict)


class EmulatedNetwork:
    """The network between clients and databases, region by region. Thread-safe; a context manager."""

    def __init__(self, *, regions: Sequence[str], names_file: Path, start_listener: ListenerStarter) -> None:
        self.regions = tuple(regions)
        self.names_file = names_file
        self._start_listener = start_listener
        self._sites: dict[str, _Site] = {}
        self._names: dict[str, str] = {}
        self._failed: set[str] = set()
        self._peering_cut = False
        self._vpc_functions: set[str] = set()
        self._layers: list[Layer] = []
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Write the names file, still without a name in it."""
        self._write_names()
        return self

    def stop(self) -> None:
        """Close every listener and remove the names file. Safe to call twice."""
        with self._lock:
            for cluster_id in list(self._sites):
                self.remove_cluster(cluster_id)
            self.names_file.unlink(missing_ok=True)

    def environment(self) -> dict[str, str]:
        """Return what the emulator's environment needs so that its Lambda workers resolve by this network."""
        return {NAMES_VARIABLE: str(self.names_file), "PYTHONPATH": str(LAMBDA_SITE)}

    # --- What there is -----------------------------------------------------------------------------------------------

    def add_cluster(self, cluster: Cluster, *, host_names: Sequence[str], endpoint_port: int = 3306) -> None:
        """Start a cluster's listeners, one for each viewing region. They refuse until `open`.

        `host_names` are all the names that may ever lead to it (its certificate needs them); `publish` says which do.
        """
        with self._lock:
            listeners: dict[str, Listener] = {}
            try:
                for region in self.regions:
                    listeners[region] = self._start_listener(
                        cluster, host_names=host_names, endpoint_port=endpoint_port
                    )
            except BaseException:
                for listener in listeners.values():
                    listener.close()
                raise
            self._sites[cluster.id] = _Site(cluster=cluster, listeners=listeners)
            self._apply()

    def remove_cluster(self, cluster_id: str) -> None:
        """Close a cluster's listeners and withdraw its names. Safe to call for one that isn't there."""
        with self._lock:
            site = self._sites.pop(cluster_id, None)
            if site is None:
                return
            for listener in site.listeners.values():
                listener.close()
            self._names = {name: owner for name, owner in self._names.items() if owner != cluster_id}
            self._write_names()

    def open(self, cluster_id: str) -> None:
        """Let a cluster's ports answer: it has an instance."""
        with self._lock:
            self._sites[cluster_id].is_open = True
            self._apply()

    def close(self, cluster_id: str) -> None:
        """Make a cluster's ports refuse: it has no instance (left)."""
        with self._lock:
            self._sites[cluster_id].is_open = False
            self._apply()

    def publish(self, host_name: str, cluster: Cluster) -> None:
        """Let a name lead to a cluster, in every region; again for another cluster moves it (the global endpoint)."""
        with self._lock:
            if cluster.id not in self._sites:
                raise KeyError(f"{cluster.id} has no listeners: add_cluster first")
            self._names[host_name] = cluster.id
            self._write_names()

    def withdraw(self, host_name: str) -> None:
        """Take a name out of the DNS. Safe to call for one that isn't there."""
        with self._lock:
            if self._names.pop(host_name, None) is not None:
                self._write_names()

    def address(self, host_name: str, *, from_region: str) -> tuple[str, int]:
        """Return what a client in a region connects to.

        Raises:
            UnknownHost: the name isn't published.
        """
        with self._lock:
            cluster_id = self._names.get(host_name.lower().rstrip("."))
            if cluster_id is None or from_region not in self._sites[cluster_id].listeners:
                raise UnknownHost(host_name)
            return "127.0.0.1", self._sites[cluster_id].listeners[from_region].port

    def cluster_of(self, host_name: str) -> Cluster:
        """Return the cluster that a name leads to at this moment.

        Raises:
            UnknownHost: the name isn't published.
        """
        with self._lock:
            cluster_id = self._names.get(host_name.lower().rstrip("."))
            if cluster_id is None:
                raise UnknownHost(host_name)
            return self._sites[cluster_id].cluster

    def set_vpc_functions(self, names: Iterable[str]) -> None:
        """Name the Lambda functions that sit in the VPC: they resolve published database names and nothing else."""
        with self._lock:
            self._vpc_functions = set(names)
            self._write_names()

    # --- What is broken ----------------------------------------------------------------------------------------------

    def attach(self, layer: Layer) -> None:
        """Let a layer go dark together with this one: then one `fail` is the whole outage."""
        with self._lock:
            self._layers.append(layer)

    @property
    def failed_regions(self) -> frozenset[str]:
        """The regions that are dark now."""
        with self._lock:
            return frozenset(self._failed)

    def fail(self, region: str) -> None:
        """Let every connection to and from a region hang: databases, and all that the attached layers stand for."""
        with self._lock:
            self._require_region(region)
            self._failed.add(region)
            self._apply()
            # The ports come first: once the databases are stopped, nobody may hear so much as a closing connection.
            for layer in self._layers:
                layer.fail(region)

    def restore(self, region: str) -> None:
        """Bring a region back: first all the layers, then the ports in front of them."""
        with self._lock:
            self._require_region(region)
            for layer in reversed(self._layers):
                layer.restore(region)
            self._failed.discard(region)
            self._apply()

    def cut_peering(self) -> None:
        """Let the database ports across regions hang; AWS's API isn't reached through the peering and stays."""
        with self._lock:
            self._peering_cut = True
            self._apply()

    def restore_peering(self) -> None:
        """Undo `cut_peering`."""
        with self._lock:
            self._peering_cut = False
            self._apply()

    def database_down(self, cluster_id: str, fault: Fault = Fault.REFUSE) -> None:
        """Make one cluster's ports fail for everybody, while its region lives."""
        with self._lock:
            self._sites[cluster_id].down = Fault(fault)
            self._apply()

    def database_up(self, cluster_id: str) -> None:
        """Undo `database_down`."""
        with self._lock:
            self._sites[cluster_id].down = Fault.NONE
            self._apply()

    def port_fault(self, cluster_id: str, *, from_region: str, fault: Fault) -> None:
        """Break a single path: one cluster as seen from one region. `Fault.NONE` mends it."""
        with self._lock:
            self._require_region(from_region)
            self._sites[cluster_id].paths[from_region] = Fault(fault)
            self._apply()

    def clear_port_faults(self) -> None:
        """Mend all single paths and databases; darkness and a cut peering stay."""
        with self._lock:
            for site in self._sites.values():
                site.down = Fault.NONE
                site.paths.clear()
            self._apply()

    def fault_of(self, cluster_id: str, *, from_region: str) -> Fault:
        """Say what a client in a region meets at a cluster's port now."""
        with self._lock:
            return self._fault(self._sites[cluster_id], from_region)

    def _fault(self, site: _Site, from_region: str) -> Fault:
        # What hangs hides everything behind it, so it is asked for first.
        if self._failed & {from_region, site.cluster.region}:
            return Fault.HANG
        if self._peering_cut and from_region != site.cluster.region:
            return Fault.HANG
        path = site.paths.get(from_region, Fault.NONE)
        if path is not Fault.NONE:
            return path
        if site.down is not Fault.NONE:
            return site.down
        return Fault.NONE if site.is_open else Fault.REFUSE

    def _apply(self) -> None:
        for site in self._sites.values():
            for region, listener in site.listeners.items():
                fault = self._fault(site, region)
                if site.applied.get(region) is not fault:
                    listener.set_fault(fault)
                    site.applied[region] = fault

    def _require_region(self, region: str) -> None:
        if region not in self.regions:
            raise ValueError(f"no such region in this network: {region} (it has {', '.join(self.regions)})")

    def _write_names(self) -> None:
        content: dict[str, object] = {
            region: {
                name: ["127.0.0.1", self._sites[cluster_id].listeners[region].port]
                for name, cluster_id in sorted(self._names.items())
            }
            for region in self.regions
        }
        content[VPC_FUNCTIONS_KEY] = sorted(self._vpc_functions)
        write_atomically(self.names_file, content)


def write_atomically(path: Path, content: Mapping[str, object]) -> None:
    """Write JSON so that a reader sees the old file or the new one, never a part of one."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
