"""Rules of `rewind`: the copy's name, tags and settings, the blockers, and the checks of a finished copy.

Invariant: the same cluster and second always give the same name, so an interrupted rewind is resumable. A copy is
identified by its tags, never by its name alone.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from operations.aws.move_ports import ClusterInfo, GlobalClusterInfo, Instance
from operations.commands.move_steps import AVAILABLE, Blocker
from operations.support.times import utc_text

REWIND_OF, REWIND_TO = "RewindOf", "RewindTo"
MANAGED_BY = "operations rewind"
LONGEST_IDENTIFIER = 63
"""Source: Amazon RDS API Reference, RestoreDBClusterToPointInTime: 1 to 63 letters, numbers or hyphens."""
_KEPT = ("DBSubnetGroupName", "DBClusterParameterGroupName", "KmsKeyId", "EnableIAMDatabaseAuthentication")


def copy_id(source_id: str, at: datetime) -> str:
    """Return the name of a cluster's copy as of a second; the name of its instance is two characters longer."""
    ending = f"-rewind-{at.astimezone(UTC):%Y%m%d-%H%M%S}"
    return source_id[: LONGEST_IDENTIFIER - 2 - len(ending)].rstrip("-") + ending


def instance_id(copy: str) -> str:
    """Return the name of a copy's instance."""
    return f"{copy}-1"


def copy_tags(source: ClusterInfo, copy: str, at: datetime) -> dict[str, str]:
    """Return the source's tags and those that mark a copy; tags with the prefix `aws:` can't be set."""
    inherited = {key: value for key, value in source.tags.items() if not key.startswith("aws:")}
    marks = {REWIND_OF: source.identifier, REWIND_TO: utc_text(at), "ManagedBy": MANAGED_BY, "Name": copy}
    return {**inherited, **marks}


def cluster_settings(source: ClusterInfo, copy: str, at: datetime) -> dict[str, object]:
    """Return the parameters of the restore: network, encryption, parameter group, login and protection of the source."""
    return {**source.settings, "Tags": _tag_list(copy_tags(source, copy, at))}


def instance_settings(writer: Instance, source: ClusterInfo, copy: str, at: datetime) -> dict[str, object]:
    """Return the parameters of the copy's instance: those of the source's writer."""
    return {**writer.settings, "Tags": _tag_list(copy_tags(source, copy, at))}


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def is_copy_of(cluster: ClusterInfo, source_id: str, at: datetime) -> bool:
    """Return whether a cluster's tags mark it as the copy of this source as of this second."""
    return cluster.tags.get(REWIND_OF) == source_id and cluster.tags.get(REWIND_TO) == utc_text(at)


def blockers_of(source: ClusterInfo, info: GlobalClusterInfo, at: datetime, now: datetime) -> Iterator[Blocker]:
    """Yield the reasons that forbid a restore of `source` as of `at`."""
    if info.operation is not None:
        yield Blocker(
            problem=f"a {info.operation.label} is in progress: {info.operation.status}", hint="Wait until it has ended."
        )
    if source.status != AVAILABLE:
        yield Blocker(problem=f"{source.identifier} is {source.status}", hint="Wait until it is available.")
    earliest, latest = source.earliest_restorable, source.latest_restorable
    if earliest is None or latest is None:
        yield Blocker(
            problem=f"RDS reports no restorable time range for {source.identifier}",
            hint="Check that its backups are on. A new cluster has none in its first minutes.",
        )
    elif not earliest <= at <= latest:
        yield Blocker(
            problem=f"{utc_text(at)} can't be restored: the earliest is {utc_text(earliest)}, the latest {utc_text(latest)}",
            hint="The latest restorable time advances with the backups: run the command again in a few minutes."
            if latest < at <= now
            else "Give a time between the two.",
        )


def backtrack_blockers(source: ClusterInfo, at: datetime, now: datetime) -> Iterator[Blocker]:
    """Yield the reasons that forbid a backtrack of `source` to `at`. AWS refuses a backtrack in a global database."""
    window = timedelta(seconds=source.backtrack_window_seconds)
    if not window:
        yield Blocker(
            problem=f"{source.identifier} has no backtrack window: AWS supports none in a global database",
            hint="Set `rewind.method: point-in-time`, deploy, and rewind into a copy.",
        )
    elif not now - window <= at <= now:
        yield Blocker(
            problem=f"{utc_text(at)} can't be reached: the earliest is {utc_text(now - window)}, the latest {utc_text(now)}",
            hint="Give a time between the two.",
        )


def differences_of(copy: ClusterInfo, source: ClusterInfo, instances: list[Instance]) -> Iterator[str]:
    """Yield the differences of a finished copy from its source."""
    if copy.status != AVAILABLE:
        yield f"it is {copy.status}"
    if copy.engine_version != source.engine_version:
        yield f"its engine is {copy.engine_version}, not {source.engine_version}"
    if source.is_encrypted and not copy.is_encrypted:
        yield "it is not encrypted"
    for name in _KEPT:
        if copy.settings.get(name) != source.settings.get(name):
            yield f"{name} is {copy.settings.get(name)}, not {source.settings.get(name)}"
    copied, original = (sorted(map(str, _list(each.settings.get("VpcSecurityGroupIds")))) for each in (copy, source))
    if copied != original:
        yield f"its security groups are {copied}, not {original}"
    if not any(instance.status == AVAILABLE for instance in instances):
        yield "none of its instances is available"


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []
