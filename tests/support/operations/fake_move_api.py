# ruff: noqa: D102 - the fake does what the port that it stands for says
"""`MovesApi` in memory: two regions with switchovers, failovers and copies.

Invariant: time passes only while a command sleeps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from functions.failover_controller.model import Side, State
from operations.aws.move_ports import (
    AwsRefusedError,
    ClusterInfo,
    GlobalClusterInfo,
    Instance,
    MoveOperation,
    ProbeResult,
    ProbeTarget,
)
from operations.aws.ports import RdsRoles
from operations.commands.move_topology import cluster_id
from operations.stack.deployment import DeployedRegion
from tests.support.operations.fakes import DEPLOYMENT, EAST_REGION, WEST, WEST_REGION, FakeEnvironment, after

VERSION = "8.0.mysql_aurora.3.10.4"
COPY_SECONDS = 120.0


@dataclass(kw_only=True)
class FakeOperation:
    """An operation in progress."""

    target: DeployedRegion
    allows_data_loss: bool
    ends_at: datetime


class FakeMoveEnvironment(FakeEnvironment):
    """The fake environment with switchovers, failovers and copies."""

    def __init__(self) -> None:
        super().__init__()
        self.operation: FakeOperation | None = None
        self.operation_seconds = 60.0
        self.changed_at: datetime | None = None
        self.global_status = "available"
        self.synchronization = {region.cluster_arn: "connected" for region in DEPLOYMENT.regions}
        self.unreachable: set[str] = set()
        """Regions with unreachable databases."""
        self.heartbeat_at: datetime | None = None
        """The old writer's last heartbeat, while no cluster takes writes."""
        self.is_stuck = False
        """Whether an operation ends without a change of roles."""
        self.never_writes = False
        self.moving = {region.name: FakeMoveRegion(environment=self, region=region) for region in DEPLOYMENT.regions}
        self.moves = lambda region: self.moving[region.name]
        for fake in self.regions.values():
            fake.policy = controller_environment(fake.region)
        self.west.put_state(
            State(
                version=3,
                cycle_at=after(-4),
                writer=Side.PEER,
                lag_ms=80.0,
                lag_at=after(-4),
                heartbeat_seen_at=after(-4),
            )
        )

    @property
    def writer(self) -> DeployedRegion:
        """Return the writer's region."""
        return next(region for region in DEPLOYMENT.regions if region.cluster_arn == self.roles.writer_arn)

    def begin(self, target: DeployedRegion, *, allows_data_loss: bool) -> None:
        """Start an operation. The old writer takes no writes from now on."""
        self.heartbeat_at = self.now
        self.operation = FakeOperation(
            target=target,
            allows_data_loss=allows_data_loss,
            ends_at=self.now + timedelta(seconds=self.operation_seconds),
        )

    def pass_time(self) -> None:
        """Complete the operation if `ends_at` has passed."""
        operation = self.operation
        if operation is not None and self.now >= operation.ends_at:
            self.operation = None
            if not self.is_stuck:
                self.roles = RdsRoles(writer_arn=operation.target.cluster_arn, operation=None)
                self.changed_at = self.now
            self.heartbeat_at = None

    def called(self, name: str) -> list[str]:
        """Return the regions of these calls, in order."""
        return [region for region, call in self.calls if call == name]


def controller_environment(region: DeployedRegion) -> dict[str, str]:
    """Return the environment variables of a region's controller."""
    peer = DEPLOYMENT.other(region)
    return {
        "MODE": "automatic",
        "INTERVAL_SECONDS": "10",
        "COOLDOWN_SECONDS": "900",
        "MAX_DATA_LOSS_SECONDS": "60",
        "OWN_CLUSTER_ID": cluster_id(region),
        "OWN_WRITER_HOST": f"writer.{region.name}",
        "PEER_CLUSTER_ID": cluster_id(peer),
        "PEER_WRITER_HOST": f"writer.{peer.name}",
        "PEER_REGION": peer.name,
        "DATABASE_PORT": "3306",
        "HEALTH_CHECK_FUNCTION": "payments-health-check-dev",
    }


@dataclass(kw_only=True)
class FakeMoveRegion:
    """One region's RDS, health_check and metrics."""

    environment: FakeMoveEnvironment
    region: DeployedRegion

    def __post_init__(self) -> None:
        """Start with the deployed cluster."""
        own = cluster_id(self.region)
        self.clusters: dict[str, ClusterInfo] = {own: _cluster(self.region)}
        self.instances: dict[str, list[Instance]] = {
            own: [_instance(f"{own}-{number}", is_writer=number == 1) for number in (1, 2)]
        }
        self.ready_at: dict[str, datetime] = {}
        self.restored: list[tuple[str, str, datetime, Mapping[str, object]]] = []
        self.backtracked: list[tuple[str, datetime]] = []

    def set_cluster(self, **changes: Any) -> None:
        """Change the deployed cluster."""
        own = cluster_id(self.region)
        self.clusters[own] = replace(self.clusters[own], **changes)

    def read_global(self) -> GlobalClusterInfo:
        self.environment.record_call(self.region, "read_global")
        self.environment.pass_time()
        operation = self.environment.operation
        return GlobalClusterInfo(
            status=self.environment.global_status,
            writer_arn=self.environment.roles.writer_arn,
            synchronization=self.environment.synchronization,
            operation=None
            if operation is None
            else MoveOperation(
                status="failing-over" if operation.allows_data_loss else "switching-over",
                target_arn=operation.target.cluster_arn,
                allows_data_loss=operation.allows_data_loss,
            ),
        )

    def read_cluster(self, identifier: str) -> ClusterInfo | None:
        self.environment.record_call(self.region, "read_cluster")
        found = self.clusters.get(identifier)
        if found is None:
            return None
        names = [instance.identifier for instance in self.instances.get(identifier, [])]
        return replace(found, status=self._status(identifier, found.status), instance_ids=names)

    def read_instances(self, cluster_id: str) -> Sequence[Instance]:
        self.environment.record_call(self.region, "read_instances")
        found = self.instances.get(cluster_id, [])
        return [replace(each, status=self._status(each.identifier, each.status)) for each in found]

    def switch_over(self, target_arn: str) -> None:
        self.environment.record_call(self.region, "switch_over")
        if self.region != self.environment.writer:
            raise AwsRefusedError("a switchover is called in the writer's region", hint="")
        self.environment.begin(_target_region(target_arn), allows_data_loss=False)
        self.environment.record_call(self.region, "switching")

    def fail_over(self, target_arn: str) -> None:
        self.environment.record_call(self.region, "fail_over")
        if self.region.cluster_arn != target_arn:
            raise AwsRefusedError("a failover is called in the target's region", hint="")
        self.environment.begin(_target_region(target_arn), allows_data_loss=True)
        self.environment.record_call(self.region, "failing")

    def probe(self, target: ProbeTarget) -> ProbeResult:
        self.environment.record_call(self.region, "probe")
        assert target.function_name == "payments-health-check-dev"
        if target.region in self.environment.unreachable:
            return ProbeResult(is_alive=False, read_only=None, heartbeat=None, problem="timeout")
        heartbeat_at = self.environment.heartbeat_at or self.environment.now
        read_only = target.region != self.environment.writer.name or self.environment.never_writes
        return ProbeResult(is_alive=True, read_only=read_only, heartbeat=heartbeat_at.isoformat(), problem=None)

    def writer_role(self, since: datetime) -> float | None:
        self.environment.record_call(self.region, "writer_role")
        changed_at = self.environment.changed_at
        if changed_at is not None and self.environment.now - changed_at < timedelta(seconds=60):
            # The metric is the maximum of a minute: a 1 counts at once, a 0 only after a whole minute.
            return 1.0
        return float(self.region == self.environment.writer)

    def restore(self, source_id: str, copy_id: str, at: datetime, settings: Mapping[str, object]) -> None:
        self.environment.record_call(self.region, "restore")
        if copy_id in self.clusters:
            raise AwsRefusedError(f"{copy_id} exists", hint="")
        source = self.clusters[source_id]
        tags = {tag["Key"]: tag["Value"] for tag in settings["Tags"]}  # type: ignore[attr-defined]
        own = {name: value for name, value in settings.items() if name != "Tags"}
        self.clusters[copy_id] = replace(
            source, identifier=copy_id, arn=source.arn.replace(source_id, copy_id), tags=tags, settings=own
        )
        self.instances[copy_id] = []
        self.restored.append((source_id, copy_id, at, settings))
        self.ready_at[copy_id] = self.environment.now + timedelta(seconds=COPY_SECONDS)
        self.environment.record_call(self.region, "restoring")

    def create_instance(self, cluster_id: str, instance_id: str, settings: Mapping[str, object]) -> None:
        self.environment.record_call(self.region, "create_instance")
        if self._status(cluster_id, "available") != "available":
            raise AwsRefusedError(f"{cluster_id} is not available", hint="")
        self.instances[cluster_id].append(replace(_instance(instance_id, is_writer=True), settings=settings))
        self.ready_at[instance_id] = self.environment.now + timedelta(seconds=COPY_SECONDS)

    def unprotect(self, cluster_id: str) -> None:
        self.environment.record_call(self.region, "unprotect")
        found = self.clusters[cluster_id]
        self.clusters[cluster_id] = replace(found, settings={**found.settings, "DeletionProtection": False})

    def delete_instance(self, instance_id: str) -> None:
        self.environment.record_call(self.region, "delete_instance")
        for cluster, instances in self.instances.items():
            self.instances[cluster] = [each for each in instances if each.identifier != instance_id]

    def delete_cluster(self, cluster_id: str) -> None:
        self.environment.record_call(self.region, "delete_cluster")
        if self.clusters[cluster_id].settings.get("DeletionProtection") or self.instances[cluster_id]:
            raise AwsRefusedError(f"{cluster_id} is protected, or has instances", hint="")
        del self.clusters[cluster_id]

    def backtrack(self, cluster_id: str, at: datetime) -> str:
        self.environment.record_call(self.region, "backtrack")
        self.backtracked.append((cluster_id, at))
        self.ready_at["backtrack-1"] = self.environment.now + timedelta(seconds=COPY_SECONDS)
        return "backtrack-1"

    def backtrack_status(self, cluster_id: str, backtrack_id: str) -> str:
        self.environment.record_call(self.region, "backtrack_status")
        return "APPLYING" if self._status(backtrack_id, "available") != "available" else "COMPLETED"

    def _status(self, identifier: str, status: str) -> str:
        return "creating" if self.environment.now < self.ready_at.get(identifier, self.environment.now) else status


def _target_region(arn: str) -> DeployedRegion:
    return WEST_REGION if WEST in arn else EAST_REGION


def _cluster(region: DeployedRegion) -> ClusterInfo:
    return ClusterInfo(
        identifier=cluster_id(region),
        arn=region.cluster_arn,
        status="available",
        engine_version=VERSION,
        is_encrypted=True,
        earliest_restorable=after(-7 * 86_400),
        latest_restorable=after(-120),
        backtrack_window_seconds=0,
        endpoint=f"writer.{region.name}",
        settings={
            "DBSubnetGroupName": "payments-database-dev",
            "DBClusterParameterGroupName": "payments-cluster-dev",
            "KmsKeyId": f"arn:aws:kms:{region.name}:123456789012:key/own",
            "VpcSecurityGroupIds": ["sg-1"],
            "EnableIAMDatabaseAuthentication": True,
            "DeletionProtection": True,
        },
        tags={"Environment": "dev"},
        instance_ids=[],
    )


def _instance(identifier: str, *, is_writer: bool) -> Instance:
    settings = {"DBInstanceClass": "db.r6g.large", "DBParameterGroupName": "payments-instance-dev"}
    return Instance(identifier=identifier, status="available", is_writer=is_writer, settings=settings)
