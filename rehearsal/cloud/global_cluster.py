"""Failover and switchover of a global cluster by RDS's rules: the checks, and the states of an operation.

The states are: pending, then failing-over or switching-over, then done; or cancelling, then idle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

PENDING_SHARE = 0.25
"""The share of an operation's duration in which it is pending and AWS verifies both clusters."""


class OperationKind(StrEnum):
    """An unplanned failover, which may lose data, or a planned switchover, which does not."""

    FAILOVER = "failover"
    SWITCHOVER = "switchover"


class FailoverStatus(StrEnum):
    """FailoverState.Status of a global cluster with an operation in progress.

    Source: "FailoverState" in the Amazon RDS API reference.
    """

    PENDING = "pending"
    FAILING_OVER = "failing-over"
    SWITCHING_OVER = "switching-over"
    CANCELLING = "cancelling"


class RdsRefusal(Exception):
    """An error response of RDS."""

    def __init__(self, code: str, message: str, *, http_status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.http_status = http_status


@dataclass(frozen=True, kw_only=True)
class ClusterMember:
    """A member of a global cluster at the time of a call."""

    cluster_id: str
    arn: str
    region: str
    is_writer: bool
    engine_version: str
    status: str
    instance_count: int

    @property
    def is_available(self) -> bool:
        """Whether RDS accepts the cluster for an operation."""
        return self.status == "available" and self.instance_count > 0


@dataclass(frozen=True, kw_only=True)
class GlobalClusterView:
    """A global cluster at the time of a call."""

    id: str
    status: str
    members: Sequence[ClusterMember]

    @property
    def writer(self) -> ClusterMember | None:
        """The member that is the writer."""
        return next((member for member in self.members if member.is_writer), None)

    def member(self, identifier: str, *, region: str) -> ClusterMember | None:
        """Return a member by its ARN, or by its name in the region of the call."""
        for member in self.members:
            if identifier == member.arn or (identifier == member.cluster_id and member.region == region):
                return member
        return None


@dataclass(frozen=True, kw_only=True)
class OperationRequest:
    """A call to FailoverGlobalCluster or SwitchoverGlobalCluster in a region."""

    kind: OperationKind
    global_cluster_id: str
    target: str
    region: str

    @classmethod
    def from_parameters(cls, action: str, parameters: Mapping[str, str], *, region: str) -> OperationRequest:
        """Return the request in a call's parameters.

        Raises: RdsRefusal for a missing parameter, or for both AllowDataLoss and Switchover.

        Source: "FailoverGlobalCluster": without AllowDataLoss the operation defaults to a switchover.
        """
        for name in ("GlobalClusterIdentifier", "TargetDbClusterIdentifier"):
            if not parameters.get(name):
                raise RdsRefusal("MissingParameter", f"The request must contain the parameter {name}")
        if "AllowDataLoss" in parameters and "Switchover" in parameters:
            raise RdsRefusal("InvalidParameterCombination", "AllowDataLoss and Switchover can't be specified together.")
        loses_data = action == "FailoverGlobalCluster" and parameters.get("AllowDataLoss", "").lower() == "true"
        return cls(
            kind=OperationKind.FAILOVER if loses_data else OperationKind.SWITCHOVER,
            global_cluster_id=parameters["GlobalClusterIdentifier"].lower(),
            target=parameters["TargetDbClusterIdentifier"],
            region=region,
        )


def check(
    request: OperationRequest, view: GlobalClusterView, in_progress: RdsOperation | None
) -> tuple[ClusterMember, ClusterMember]:
    """Return the (writer, target) of an operation that RDS would accept.

    The error codes are those of the API model. For a call in the wrong region, AWS documents none.
    Raises: RdsRefusal. Source: "Using switchover or failover in Amazon Aurora Global Database" and the API reference.
    """
    if in_progress is not None or view.status != "available":
        raise _invalid_state(
            f"Global cluster {view.id} is in state {view.status}: another operation is in progress"
            if in_progress is not None
            else f"Global cluster {view.id} is in state {view.status}, not available"
        )
    target = view.member(request.target, region=request.region)
    if target is None:
        raise RdsRefusal("DBClusterNotFoundFault", f"DBCluster {request.target} not found.", http_status=404)
    writer = view.writer
    if writer is None:
        raise _invalid_state(f"Global cluster {view.id} has no writer")
    if target.is_writer:
        raise _invalid_state(f"DBCluster {target.cluster_id} is already the writer of global cluster {view.id}")
    called_for = target if request.kind is OperationKind.FAILOVER else writer
    if request.region != called_for.region:
        role = "the target cluster" if request.kind is OperationKind.FAILOVER else "the current primary cluster"
        raise _invalid_state(f"Call {request.kind} in {called_for.region}, the Region of {role}.")
    if target.engine_version != writer.engine_version:
        raise _invalid_cluster_state(
            f"Engine versions differ: {writer.cluster_id} has {writer.engine_version}, "
            f"{target.cluster_id} has {target.engine_version}"
        )
    # A failover does not need the writer, which may be lost.
    needed = [target] if request.kind is OperationKind.FAILOVER else view.members
    for member in needed:
        if not member.is_available:
            raise _invalid_cluster_state(
                f"DBCluster {member.cluster_id} is in state {member.status} with {member.instance_count} instances"
            )
    return writer, target


def _invalid_state(message: str) -> RdsRefusal:
    return RdsRefusal("InvalidGlobalClusterStateFault", message)


def _invalid_cluster_state(message: str) -> RdsRefusal:
    return RdsRefusal("InvalidDBClusterStateFault", message)


@dataclass(frozen=True, kw_only=True)
class RdsOperation:
    """An accepted operation; times are in seconds by the caller's clock."""

    kind: OperationKind
    global_cluster_id: str
    source: ClusterMember
    target: ClusterMember
    accepted_at: float
    seconds: float
    cancelled_at: float | None = None

    @property
    def starts_at(self) -> float:
        """The end of the pending state."""
        return self.accepted_at + PENDING_SHARE * self.seconds

    @property
    def completes_at(self) -> float:
        """The time at which the roles change."""
        return self.accepted_at + self.seconds

    def cancelled(self, now: float) -> RdsOperation:
        """Return the operation, cancelled."""
        return replace(self, cancelled_at=now)

    def status(self, now: float) -> FailoverStatus:
        """Return the FailoverState.Status at a time."""
        if self.cancelled_at is not None:
            return FailoverStatus.CANCELLING
        if now < self.starts_at:
            return FailoverStatus.PENDING
        if self.kind is OperationKind.FAILOVER:
            return FailoverStatus.FAILING_OVER
        return FailoverStatus.SWITCHING_OVER


def check_new_member(parameters: Mapping[str, str], view: GlobalClusterView, *, is_encrypted: bool) -> None:
    """Check a CreateDBCluster into a global cluster.

    Raises: RdsRefusal, with AWS's code and message as users report them. Source: "Limitations of Amazon Aurora Global
    Database" for RDS-managed passwords.
    """
    check_no_backtrack(parameters)
    if parameters.get("ManageMasterUserPassword", "").lower() == "true":
        raise _invalid_combination("ManageMasterUserPassword is not supported for global databases.")
    writer = view.writer
    if writer is None:
        return
    for name, label in (
        ("MasterUsername", "user name"),
        ("MasterUserPassword", "password"),
        ("DatabaseName", "database name"),
    ):
        if parameters.get(name):
            raise _invalid_combination(f"Cannot specify {label} for cross region replication cluster")
    if writer.instance_count == 0 or writer.status != "available":
        raise _invalid_cluster_state(
            f"Source cluster {writer.arn} is in a state which is not valid for physical replication"
        )
    if is_encrypted:
        if not parameters.get("KmsKeyId"):
            raise _invalid_combination("For encrypted cross-region replica, kmsKeyId should be explicitly specified")
        if not parameters.get("PreSignedUrl"):
            raise _invalid_combination(f"Source cluster {writer.arn} is encrypted; pre-signed URL has to be specified")


def check_no_backtrack(parameters: Mapping[str, str]) -> None:
    """Check the backtrack window of a member of a global cluster, on CreateDBCluster and ModifyDBCluster.

    Raises: RdsRefusal. Source: "Limitations of Amazon Aurora Global Database".
    """
    if int(parameters.get("BacktrackWindow", "0") or "0") > 0:
        raise _invalid_combination("Backtrack is not supported for global databases.")


def check_new_global_cluster(parameters: Mapping[str, str], *, is_promoting: bool) -> None:
    """Check a CreateGlobalCluster with an existing cluster as its writer; `is_promoting` tells whether that is being promoted.

    Raises: RdsRefusal. Source: "CreateGlobalCluster" (Amazon RDS API reference), which has no message.
    """
    for name in ("DatabaseName", "Engine", "EngineVersion", "StorageEncrypted"):
        if parameters.get(name):
            raise _invalid_combination(f"{name} can't be specified if SourceDBClusterIdentifier is specified.")
    if is_promoting:
        raise _invalid_cluster_state(f"DBCluster {parameters['SourceDBClusterIdentifier']} is in state promoting")


def check_no_operation(operation: RdsOperation | None) -> None:
    """Check a RemoveFromGlobalCluster, which RDS refuses during an operation.

    Raises: RdsRefusal. Source: "RemoveFromGlobalCluster" (Amazon RDS API reference): InvalidGlobalClusterStateFault.
    """
    if operation is not None:
        raise _invalid_state(f"Global cluster {operation.global_cluster_id}: another operation is in progress")


def _invalid_combination(message: str) -> RdsRefusal:
    return RdsRefusal("InvalidParameterCombination", message)
