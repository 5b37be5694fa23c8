"""Compare a preview with the changes that wait for a maintenance window: `python -m tools.drift PREVIEW_JSON`.

In production a change that restarts an instance waits for the instance's window, and RDS describes the old value until then.
It is a difference, and no drift. The input is the output of `pulumi preview --refresh --json`. The exit code is 7 if there is
drift, as with `pulumi preview --expect-no-changes`.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

UNCHANGED = ("same", "read", "refresh")
DRIFT = 7

# Properties by resource type, and their names in PendingModifiedValues. Source: RDS API reference, PendingModifiedValues of
# DBInstance, and ClusterPendingModifiedValues.
DEFERRED: Mapping[str, Mapping[str, str]] = {
    "aws:rds/clusterInstance:ClusterInstance": {
        "instanceClass": "DBInstanceClass",
        "caCertIdentifier": "CACertificateIdentifier",
    },
    "aws:rds/cluster:Cluster": {
        "backupRetentionPeriod": "BackupRetentionPeriod",
        "iamDatabaseAuthenticationEnabled": "IAMDatabaseAuthenticationEnabled",
        "storageType": "StorageType",
    },
}

Pending = Callable[[str, str, str], Mapping[str, Any]]
"""Return PendingModifiedValues of a resource: (type, region, id)."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One step of a preview that is not empty."""

    op: str
    urn: str
    type: str
    id: str
    region: str
    wanted: Mapping[str, Any]
    """The changed properties with their goal values."""

    def __str__(self) -> str:
        return f"{self.op} {self.urn.rpartition('::')[2]} ({self.type}): {', '.join(sorted(self.wanted)) or 'the resource'}"


def differences(preview: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield each step of a preview that changes something."""
    for step in preview.get("steps", []):
        if step["op"] in UNCHANGED:
            continue
        old, new = step.get("oldState") or {}, step.get("newState") or {}
        changed = {path.partition(".")[0].partition("[")[0] for path in step.get("detailedDiff") or {}}
        changed |= set(step.get("diffReasons") or [])
        inputs = new.get("inputs") or {}
        yield Difference(
            op=step["op"],
            urn=step["urn"],
            type=new.get("type") or old.get("type") or "",
            id=old.get("id") or "",
            region=_region((old.get("outputs") or {}).get("arn") or ""),
            wanted={name: inputs.get(name) for name in changed},
        )


def _region(arn: str) -> str:
    return arn.split(":")[3] if arn.count(":") > 3 else ""


def waits(difference: Difference, pending_of: Pending) -> bool:
    """Return whether RDS will make exactly this change in the next maintenance window."""
    names = DEFERRED.get(difference.type, {})
    if difference.op != "update" or not difference.wanted or not set(difference.wanted) <= set(names):
        return False
    pending = pending_of(difference.type, difference.region, difference.id)
    return all(pending.get(names[name]) == value for name, value in difference.wanted.items())


def report(found: Sequence[Difference], pending_of: Pending) -> tuple[list[str], bool]:
    """Return a line for each difference, and whether one of them is drift."""
    waiting = [each for each in found if waits(each, pending_of)]
    drift = [each for each in found if each not in waiting]
    lines = [f"drift: {each}" for each in drift]
    return [*lines, *(f"waits for the maintenance window: {each}" for each in waiting)], bool(drift)


def _pending(type_: str, region: str, id_: str) -> Mapping[str, Any]:
    rds: Any = boto3.Session().client("rds", region_name=region)
    if type_.endswith(":ClusterInstance"):
        found = rds.describe_db_instances(DBInstanceIdentifier=id_)["DBInstances"]
    else:
        found = rds.describe_db_clusters(DBClusterIdentifier=id_)["DBClusters"]
    return found[0].get("PendingModifiedValues") or {}


def main(arguments: list[str]) -> int:
    """Print each difference and return the exit code."""
    preview = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    lines, is_drift = report(list(differences(preview)), _pending)
    sys.stdout.writelines(f"{line}\n" for line in lines or ["no difference"])
    return DRIFT if is_drift else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
