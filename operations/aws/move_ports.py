"""Protocol of the calls that `switchover`, `failover`, `drill` and `rewind` make in one region, and their values.

Every call is limited in time, uses one region only, and raises `AwsError`, or `AwsRefusedError` if AWS rejected the call.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from operations.stack.deployment import DeployedRegion, StackDeployment
from operations.support.errors import AwsError


class AwsRefusedError(AwsError):
    """AWS rejected the call. No operation was started."""


@dataclass(frozen=True, kw_only=True)
class MoveOperation:
    """A switchover or failover that RDS reports (`FailoverState`)."""

    status: str
    target_arn: str | None
    allows_data_loss: bool | None

    @property
    def label(self) -> str:
        """`switchover`, `failover`, or `operation` if unknown."""
        if self.allows_data_loss is None:
            return "operation"
        return "failover" if self.allows_data_loss else "switchover"


@dataclass(frozen=True, kw_only=True)
class GlobalClusterInfo:
    """The global cluster, as one region's RDS API describes it."""

    status: str
    writer_arn: str | None
    """ARN of the only writer; `None` if RDS names no writer or several."""
    synchronization: Mapping[str, str]
    """`SynchronizationStatus` by member ARN."""
    operation: MoveOperation | None


@dataclass(frozen=True, kw_only=True)
class Instance:
    """An instance of a cluster; `settings` are the RDS parameters that create a copy of it."""

    identifier: str
    status: str
    is_writer: bool
    settings: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class ClusterInfo:
    """A cluster; `settings` are the RDS parameters that create a copy of it."""

    identifier: str
    arn: str
    status: str
    engine_version: str
    is_encrypted: bool
    earliest_restorable: datetime | None
    latest_restorable: datetime | None
    backtrack_window_seconds: int
    endpoint: str
    settings: Mapping[str, object]
    tags: Mapping[str, str]
    instance_ids: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class ProbeTarget:
    """A cluster's writer endpoint, and the health_check function that probes it."""

    function_name: str
    cluster_id: str
    region: str
    host: str
    port: int

    @classmethod
    def own(cls, region: DeployedRegion, environment: Mapping[str, str]) -> "ProbeTarget":
        """Return the region's own cluster, as its controller's environment names it."""
        return cls._of("OWN", region.name, environment)

    @classmethod
    def peer(cls, environment: Mapping[str, str]) -> "ProbeTarget":
        """Return the other region's cluster, reached through the VPC peering."""
        return cls._of("PEER", environment.get("PEER_REGION", ""), environment)

    @classmethod
    def _of(cls, prefix: str, region: str, environment: Mapping[str, str]) -> "ProbeTarget":
        port = environment.get("DATABASE_PORT", "")
        return cls(
            function_name=environment.get("HEALTH_CHECK_FUNCTION", ""),
            cluster_id=environment.get(f"{prefix}_CLUSTER_ID", ""),
            region=region,
            host=environment.get(f"{prefix}_WRITER_HOST", ""),
            port=int(port) if port.isdigit() else 0,
        )


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """A health_check's result for a cluster's writer endpoint."""

    is_alive: bool
    read_only: bool | None
    heartbeat: str | None
    """The newest heartbeat in the database; on a writer, the one that the probe has just committed."""
    problem: str | None

    @property
    def takes_writes(self) -> bool:
        """Whether the probe has just committed a heartbeat."""
        return self.is_alive and self.read_only is False and self.heartbeat is not None


class MoveApi(Protocol):
    """One region's RDS, health_check and metrics. Every method raises AwsError, changing methods AwsRefusedError too."""

    def read_global(self) -> GlobalClusterInfo:
        """Return the global cluster."""
        ...

    def read_cluster(self, identifier: str) -> ClusterInfo | None:
        """Return a cluster of this region; `None` if it does not exist."""
        ...

    def read_instances(self, cluster_id: str) -> Sequence[Instance]:
        """Return the instances of a cluster."""
        ...

    def switch_over(self, target_arn: str) -> None:
        """Start a switchover."""
        ...

    def fail_over(self, target_arn: str) -> None:
        """Start a failover that may lose data."""
        ...

    def probe(self, target: ProbeTarget) -> ProbeResult:
        """Probe a cluster's writer endpoint with this region's health_check."""
        ...

    def writer_role(self, since: datetime) -> float | None:
        """Return the newest value of the metric that `writer.<zone>` follows here; `None` if there is no value since then."""
        ...

    def restore(self, source_id: str, copy_id: str, at: datetime, settings: Mapping[str, object]) -> None:
        """Start to restore `source_id` as of `at` into the new cluster `copy_id`."""
        ...

    def create_instance(self, cluster_id: str, instance_id: str, settings: Mapping[str, object]) -> None:
        """Start to create an instance in a cluster."""
        ...

    def unprotect(self, cluster_id: str) -> None:
        """Disable a cluster's deletion protection."""
        ...

    def delete_instance(self, instance_id: str) -> None:
        """Start to delete an instance."""
        ...

    def delete_cluster(self, cluster_id: str) -> None:
        """Start to delete a cluster, without a final snapshot."""
        ...

    def backtrack(self, cluster_id: str, at: datetime) -> str:
        """Start to backtrack a cluster in place; return the backtrack's identifier."""
        ...

    def backtrack_status(self, cluster_id: str, backtrack_id: str) -> str:
        """Return a backtrack's status."""
        ...


Moves = Callable[[DeployedRegion], MoveApi]
MovesTo = Callable[[StackDeployment], Moves]
