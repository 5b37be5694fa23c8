"""Failover and switchover of a global cluster as RDS's API does them: what it refuses, and what passes in which order.

Owns: the checks before an operation, and an operation's life: pending -> failing-over or switching-over -> done, or
cancelling -> idle. Does not own: HTTP, the databases, or any clock: every function is told the time.
Invariant: a global cluster has at most one operation under way, and an operation that was accepted ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

PENDING_SHARE = 0.25
"""The share of an operation's time that it spends pending, while AWS verifies both clusters."""


class OperationKind(StrEnum):
    """What is done to a global cluster: planned without loss, or unplanned with it."""

    FAILOVER = "failover"
    SWITCHOVER = "switchover"


class FailoverStatus(StrEnum):
    """FailoverState.Status of a global cluster; there is no state when nothing is under way.

    Source: "FailoverState" in the Amazon RDS API reference.
    """

    PENDING = "pending"
    FAILING_OVER = "failing-over"
    SWITCHING_OVER = "switching-over"
    CANCELLING = "cancelling"


class RdsRefusal(Exception):
    """An error that RDS answers, by the code that is on the wire."""

    def __init__(self, code: str, message: str, *, http_status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.http_status = http_status


@dataclass(frozen=True, kw_only=True)
class ClusterMember:
    """A cluster of a global cluster, as RDS knows it at the moment of a call."""

    cluster_id: str
    arn: str
    region: str
    is_writer: bool
    engine_version: str
    status: str
    instance_count: int

    @property
    def is_available(self) -> bool:
        """Whether RDS would start an operation with it."""
        return self.status == "available" and self.instance_count > 0


@dataclass(frozen=True, kw_only=True)
class GlobalClusterView:
    """A global cluster at the moment of a call."""

    id: str
    status: str
    members: Sequence[ClusterMember]

    @property
    def writer(self) -> ClusterMember | None:
        """The member that takes writes."""
        return next((member for member in self.members if member.is_writer), None)

    def member(self, identifier: str, *, region: str) -> ClusterMember | None:
        """Find a member by its ARN, or by its name in the region of the call."""
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
        """Read a call.

        Raises:
            RdsRefusal: a parameter is missing, or both ways are asked for at once.

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
    request: OperationRequest, view: GlobalClusterView, under_way: RdsOperation | None
) -> tuple[ClusterMember, ClusterMember]:
    """Return (the present writer, the target) of an operation that RDS would start now.

    The codes are those that the API model names for both calls; for a call in the wrong region AWS documents none.
    Raises: RdsRefusal. Source: "Using switchover or failover in Amazon Aurora Global Database" and the API reference.
    """
    if under_way is not None or view.status != "available":
        raise _invalid_state(
            f"Global cluster {view.id} is in state {view.status}: another operation is under way"
            if under_way is not None
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
        role = "the target" if request.kind is OperationKind.FAILOVER else "the present primary cluster"
        raise _invalid_state(f"A {request.kind} must be called in the Region of {role}: {called_for.region}")
    if target.engine_version != writer.engine_version:
        raise RdsRefusal(
            "InvalidDBClusterStateFault",
            f"Engine versions differ: {writer.cluster_id} has {writer.engine_version}, "
            f"{target.cluster_id} has {target.engine_version}",
        )
    # A failover is for the day when the writer is gone: only the target has to be there.
    needed = [target] if request.kind is OperationKind.FAILOVER else view.members
    for member in needed:
        if not member.is_available:
            raise RdsRefusal(
                "InvalidDBClusterStateFault",
                f"DBCluster {member.cluster_id} is in state {member.status} with {member.instance_count} instances",
            )
    return writer, target


def _invalid_state(message: str) -> RdsRefusal:
    return RdsRefusal("InvalidGlobalClusterStateFault", message)


@dataclass(frozen=True, kw_only=True)
class RdsOperation:
    """An operation that RDS has accepted; times are seconds by the caller's clock."""

    kind: OperationKind
    global_cluster_id: str
    source: ClusterMember
    target: ClusterMember
    accepted_at: float
    seconds: float
    cancelled_at: float | None = None

    @property
    def starts_at(self) -> float:
        """When it stops being pending."""
        return self.accepted_at + PENDING_SHARE * self.seconds

    @property
    def completes_at(self) -> float:
        """When the roles change."""
        return self.accepted_at + self.seconds

    def cancelled(self, now: float) -> RdsOperation:
        """Return the operation as cancelled from now on: both clusters go back to what they were."""
        return replace(self, cancelled_at=now)

    def status(self, now: float) -> FailoverStatus:
        """Return what FailoverState says at a moment."""
        if self.cancelled_at is not None:
            return FailoverStatus.CANCELLING
        if now < self.starts_at:
            return FailoverStatus.PENDING
        if self.kind is OperationKind.FAILOVER:
            return FailoverStatus.FAILING_OVER
        return FailoverStatus.SWITCHING_OVER


def check_new_member(parameters: Mapping[str, str], view: GlobalClusterView, *, is_encrypted: bool) -> None:
    """Refuse a CreateDBCluster into a global cluster as AWS refuses it.

    Raises: RdsRefusal. Source: the messages are AWS's own, as people report them with these codes; "Limitations of
    Amazon Aurora Global Database" for backtracking and RDS-managed passwords.
    """
    if int(parameters.get("BacktrackWindow", "0") or "0") > 0:
        raise _invalid_combination("Backtrack is not supported for global databases.")
    if parameters.get("ManageMasterUserPassword", "").lower() == "true":
        raise _invalid_combination("ManageMasterUserPassword is not supported for global databases.")
    writer = view.writer
    if writer is None:
        return
    for name, words in (
        ("MasterUsername", "user name"),
        ("MasterUserPassword", "password"),
        ("DatabaseName", "database name"),
    ):
        if parameters.get(name):
            raise _invalid_combination(f"Cannot specify {words} for cross region replication cluster")
    if writer.instance_count == 0 or writer.status != "available":
        raise RdsRefusal(
            "InvalidDBClusterStateFault",
            f"Source cluster {writer.arn} is in a state which is not valid for physical replication",
        )
    if is_encrypted:
        if not parameters.get("KmsKeyId"):
            raise _invalid_combination("For encrypted cross-region replica, kmsKeyId should be explicitly specified")
        if not parameters.get("PreSignedUrl"):
            raise _invalid_combination(f"Source cluster {writer.arn} is encrypted; pre-signed URL has to be specified")


def _invalid_combination(message: str) -> RdsRefusal:
    return RdsRefusal("InvalidParameterCombination", message)
