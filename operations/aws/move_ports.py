"""What the acting commands need of one region, as a Protocol, and the values that cross it.

Owns the border of `switchover`, `failover`, `drill` and `rewind`. Does not own any client (`aws_moves.py`) or any fake
(the tests'). Invariant: everything here is bounded in time, speaks to one region only, and raises `AwsError` or, when
AWS's answer to a call that changes something is a clear no, `AwsRefusedError`; nothing of boto3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from operations.stack.deployment import DeployedRegion, StackDeployment
from operations.support.errors import AwsError


class AwsRefusedError(AwsError):
    """AWS answered no: what was asked for did not happen, and is not under way."""


@dataclass(frozen=True, kw_only=True)
class MoveOperation:
    """A switchover or failover that RDS reports (`FailoverState`), whoever started it."""

    status: str
    target_arn: str | None
    allows_data_loss: bool | None

    @property
    def word(self) -> str:
        """What it is."""
        if self.allows_data_loss is None:
            return "operation"
        return "failover" if self.allows_data_loss else "switchover"


@dataclass(frozen=True, kw_only=True)
class GlobalClusterInfo:
    """The global cluster, as one region's RDS API describes it."""

    status: str
    writer_arn: str | None
    """ARN of the only writer; `None` when RDS names none, or more than one."""
    synchronization: Mapping[str, str]
    """Member's ARN -> `SynchronizationStatus`."""
    operation: MoveOperation | None


@dataclass(frozen=True, kw_only=True)
class Instance:
    """An instance of a cluster; `settings` are those that a copy of it would be created with, in RDS's words."""

    identifier: str
    status: str
    is_writer: bool
    settings: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class ClusterInfo:
    """One cluster, as its region's RDS API describes it; `settings` as those of an instance."""

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
    """A cluster's writer endpoint, and the health_check that is to look at it."""

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
        """Return the other region's cluster, as seen across the peering."""
        return cls._of("PEER", environment.get("PEER_REGION", ""), environment)

    @classmethod
    def _of(cls, whose: str, region: str, environment: Mapping[str, str]) -> "ProbeTarget":
        port = environment.get("DATABASE_PORT", "")
        return cls(
            function_name=environment.get("HEALTH_CHECK_FUNCTION", ""),
            cluster_id=environment.get(f"{whose}_CLUSTER_ID", ""),
            region=region,
            host=environment.get(f"{whose}_WRITER_HOST", ""),
            port=int(port) if port.isdigit() else 0,
        )


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """What a region's health_check says of a cluster, at its writer endpoint."""

    is_alive: bool
    read_only: bool | None
    heartbeat: str | None
    """Newest heartbeat that it read there; on a writer, the one that it has just committed."""
    problem: str | None

    @property
    def takes_writes(self) -> bool:
        """Whether a heartbeat was just committed there."""
        return self.is_alive and self.read_only is False and self.heartbeat is not None


class MoveApi(Protocol):
    """One region's RDS, health_check and metrics. Everything raises AwsError."""

    def read_global(self) -> GlobalClusterInfo:
        """Return the global cluster."""
        ...

    def read_cluster(self, identifier: str) -> ClusterInfo | None:
        """Return a cluster of this region by its identifier; `None` when there is none."""
        ...

    def read_instances(self, cluster_id: str) -> Sequence[Instance]:
        """Return the instances of a cluster."""
        ...

    def switch_over(self, target_arn: str) -> None:
        """Start a switchover. Raises AwsRefusedError too."""
        ...

    def fail_over(self, target_arn: str) -> None:
        """Start a failover that may lose data. Raises AwsRefusedError too."""
        ...

    def probe(self, target: ProbeTarget) -> ProbeResult:
        """Ask this region's health_check about a cluster's writer endpoint."""
        ...

    def writer_role(self, since: datetime) -> float | None:
        """Return the newest value of the metric that `writer.<zone>` follows here; `None` without one since then."""
        ...

    def restore(self, source_id: str, copy_id: str, at: datetime, settings: Mapping[str, object]) -> None:
        """Start to restore `source_id` as of `at` into the new cluster `copy_id`. Raises AwsRefusedError too."""
        ...

    def create_instance(self, cluster_id: str, instance_id: str, settings: Mapping[str, object]) -> None:
        """Start to create an instance in a cluster. Raises AwsRefusedError too."""
        ...

    def unprotect(self, cluster_id: str) -> None:
        """Take a cluster's deletion protection away. Raises AwsRefusedError too."""
        ...

    def delete_instance(self, instance_id: str) -> None:
        """Start to delete an instance. Raises AwsRefusedError too."""
        ...

    def delete_cluster(self, cluster_id: str) -> None:
        """Start to delete a cluster, without a final snapshot. Raises AwsRefusedError too."""
        ...

    def backtrack(self, cluster_id: str, at: datetime) -> str:
        """Start to backtrack a cluster in place; return the backtrack's identifier. Raises AwsRefusedError too."""
        ...

    def backtrack_status(self, cluster_id: str, backtrack_id: str) -> str:
        """Return a backtrack's status."""
        ...


Moves = Callable[[DeployedRegion], MoveApi]
MovesTo = Callable[[StackDeployment], Moves]
