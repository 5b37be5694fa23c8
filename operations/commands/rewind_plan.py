"""What a rewind is: the copy's name, tags and settings, what forbids it, what must hold of it. Pure.

Owns these rules. Does no I/O (`rewind.py` does). Invariant: the same cluster and second always give the same name, so
that a rewind which was interrupted is found again; and a copy is known by its tags, never by its name alone.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from operations.aws.move_ports import ClusterInfo, GlobalClusterInfo, Instance
from operations.commands.move_steps import AVAILABLE, Obstacle
from operations.support.times import utc_text

REWIND_OF, REWIND_TO = "RewindOf", "RewindTo"
MANAGED_BY = "operations rewind"
LONGEST_IDENTIFIER = 63
"""Source: Amazon RDS API Reference, RestoreDBClusterToPointInTime: 1 to 63 letters, numbers or hyphens."""
_KEPT = ("DBSubnetGroupName", "DBClusterParameterGroupName", "KmsKeyId", "EnableIAMDatabaseAuthentication")


def copy_id(source_id: str, at: datetime) -> str:
    """Return the name of the copy of a cluster as of a second; its instance adds two characters."""
    ending = f"-rewind-{at.astimezone(UTC):%Y%m%d-%H%M%S}"
    return source_id[: LONGEST_IDENTIFIER - 2 - len(ending)].rstrip("-") + ending


def instance_id(copy: str) -> str:
    """Return the name of a copy's instance."""
    return f"{copy}-1"


def copy_tags(source: ClusterInfo, copy: str, at: datetime) -> dict[str, str]:
    """Return the source's tags, and those that mark a copy as one; AWS's own can't be set."""
    own = {key: value for key, value in source.tags.items() if not key.startswith("aws:")}
    marks = {REWIND_OF: source.identifier, REWIND_TO: utc_text(at), "ManagedBy": MANAGED_BY, "Name": copy}
    return {**own, **marks}


def cluster_settings(source: ClusterInfo, copy: str, at: datetime) -> dict[str, object]:
    """Return what the copy is restored with: as the source in network, encryption, parameters, log-in, protection."""
    return {**source.settings, "Tags": as_tag_list(copy_tags(source, copy, at))}


def instance_settings(writer: Instance, source: ClusterInfo, copy: str, at: datetime) -> dict[str, object]:
    """Return what the copy's instance is created with: as the source's writer."""
    return {**writer.settings, "Tags": as_tag_list(copy_tags(source, copy, at))}


def as_tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in RDS's form."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def is_copy_of(cluster: ClusterInfo, source_id: str, at: datetime) -> bool:
    """Whether a cluster is the copy of this source as of this second."""
    return cluster.tags.get(REWIND_OF) == source_id and cluster.tags.get(REWIND_TO) == utc_text(at)


def obstacles_of(source: ClusterInfo, world: GlobalClusterInfo, at: datetime, now: datetime) -> Iterator[Obstacle]:
    """Return what forbids to restore `source` as of `at`."""
    if world.operation is not None:
        yield Obstacle(
            what=f"a {world.operation.label} is under way: {world.operation.status}", hint="Wait until it has ended."
        )
    if source.status != AVAILABLE:
        yield Obstacle(what=f"{source.identifier} is {source.status}", hint="Wait until it is available.")
    earliest, latest = source.earliest_restorable, source.latest_restorable
    if earliest is None or latest is None:
        yield Obstacle(
            what=f"RDS does not say from when to when {source.identifier} can be restored",
            hint="Are its backups on? A new cluster has none in its first minutes.",
        )
    elif not earliest <= at <= latest:
        soon = at > latest and at <= now
        yield Obstacle(
            what=f"{utc_text(at)} can't be restored: the earliest is {utc_text(earliest)}, the latest {utc_text(latest)}",
            hint="The latest moves on with the backups: run it again in some minutes."
            if soon
            else "Give a second between the two.",
        )


def backtrack_obstacles(source: ClusterInfo, at: datetime, now: datetime) -> Iterator[Obstacle]:
    """Return what forbids to backtrack `source` to `at`; that it is in a global database AWS says itself."""
    window = timedelta(seconds=source.backtrack_window_seconds)
    if not window:
        yield Obstacle(
            what=f"{source.identifier} has no backtrack window: AWS supports none in a global database",
            hint="Set `rewind.method: point-in-time`, deploy, and rewind into a copy.",
        )
    elif not now - window <= at <= now:
        yield Obstacle(
            what=f"{utc_text(at)} is out of reach: the earliest is {utc_text(now - window)}, the latest {utc_text(now)}",
            hint="Give a second between the two.",
        )


def flaws_of(copy: ClusterInfo, source: ClusterInfo, instances: list[Instance]) -> Iterator[str]:
    """Return what a finished copy lacks."""
    if copy.status != AVAILABLE:
        yield f"it is {copy.status}"
    if copy.engine_version != source.engine_version:
        yield f"its engine is {copy.engine_version}, not {source.engine_version}"
    if source.is_encrypted and not copy.is_encrypted:
        yield "it is not encrypted"
    for name in _KEPT:
        if copy.settings.get(name) != source.settings.get(name):
            yield f"{name} is {copy.settings.get(name)}, not {source.settings.get(name)}"
    groups = [sorted(map(str, _list(each.settings.get("VpcSecurityGroupIds")))) for each in (copy, source)]
    if groups[0] != groups[1]:
        yield f"its security groups are {groups[0]}, not {groups[1]}"
    if not any(instance.status == AVAILABLE for instance in instances):
        yield "none of its instances is available"


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []
