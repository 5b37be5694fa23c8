"""What the commands need of one region, as a Protocol, and the values that cross it.

Owns the border. Does not own any client (`aws.py`) or any fake (the tests'). Invariant: everything here is bounded in
time, speaks to one region only, and raises `AwsError` or `VersionConflictError`, nothing of boto3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from operations.stack.deployment import DeployedRegion, StackDeployment

Key = tuple[str, str]
Item = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class RdsRoles:
    """Who is the writer, as one region's RDS API says."""

    writer_arn: str | None
    """ARN of the only writer; `None` when RDS names none, or more than one."""
    operation: str | None
    """Status of a switchover or failover under way; `None` when there is none."""


@dataclass(frozen=True, kw_only=True)
class TableWrite:
    """One item to be written over exactly what was read, and its trace in the audit trail, both or none."""

    key: Key
    attributes: Item
    over: Item | None
    """The item as it was read; `None` when there was none."""
    audit_key: Key
    audit_item: Item


class RegionApi(Protocol):
    """One region's table, RDS, Lambda and STS. Everything raises AwsError."""

    def read_items(self, keys: Sequence[Key]) -> dict[Key, Item | None]:
        """Return the items by key, consistently read and all of them; an absent one is `None`."""
        ...

    def read_history(self, limit: int, since: str | None = None) -> list[Item]:
        """Return the newest items of the audit trail, newest first, none with a sort key before `since`."""
        ...

    def read_roles(self) -> RdsRoles:
        """Return who is the writer, by this region's RDS API."""
        ...

    def read_policy(self) -> Mapping[str, str]:
        """Return the environment variables of this region's controller."""
        ...

    def caller(self) -> str:
        """Return who we are: the ARN, or the access key's id when this region's STS does not answer."""
        ...

    def write(self, change: TableWrite) -> None:
        """Write the change and its trace in one transaction.

        Raises:
            VersionConflictError: the item is not what was read any more; nothing was written.
            AwsError: it may or may not have been written.
        """
        ...


Connect = Callable[[DeployedRegion], RegionApi]
ConnectTo = Callable[[StackDeployment], Connect]
