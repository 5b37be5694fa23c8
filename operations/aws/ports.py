"""Protocol of the calls that the commands make in one region, and their values.

Every call is limited in time, uses one region only, and raises `AwsError` or `VersionConflictError`, no error of boto3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from operations.stack.deployment import DeployedRegion, StackDeployment

Key = tuple[str, str]
Item = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class RdsRoles:
    """The writer, as one region's RDS API describes it."""

    writer_arn: str | None
    """ARN of the only writer; `None` if RDS names no writer or several."""
    operation: str | None
    """Status of a switchover or failover in progress."""


@dataclass(frozen=True, kw_only=True)
class TableWrite:
    """A conditional write of an item and its audit entry in one transaction: it fails if the item has changed since it was read."""

    key: Key
    attributes: Item
    previous: Item | None
    """The item as it was read; `None` if the item did not exist."""
    audit_key: Key
    audit_item: Item


class RegionApi(Protocol):
    """One region's table, RDS, Lambda and STS. Every method raises AwsError."""

    def read_items(self, keys: Sequence[Key]) -> dict[Key, Item | None]:
        """Return the items by key, from one consistent read; a missing item is `None`."""
        ...

    def read_history(self, limit: int, since: str | None = None) -> list[Item]:
        """Return the newest items of the audit trail, newest first, and none older than `since`."""
        ...

    def read_roles(self) -> RdsRoles:
        """Return the writer as this region's RDS API describes it."""
        ...

    def read_environment(self) -> Mapping[str, str]:
        """Return the environment variables of this region's controller."""
        ...

    def caller(self) -> str:
        """Return the caller's ARN, or the access key's id if this region's STS does not respond."""
        ...

    def write(self, change: TableWrite) -> None:
        """Write the item and its audit entry in one transaction.

        Raises:
            VersionConflictError: the item has changed since it was read; nothing was written.
            AwsError: the outcome is unknown.
        """
        ...


Connect = Callable[[DeployedRegion], RegionApi]
ConnectTo = Callable[[StackDeployment], Connect]
