"""RestoreDBClusterToPointInTime, for clusters with a database in this rehearsal.

A restored cluster is `creating`, and takes no instance, until its time is over.
"""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ElementTree
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from rehearsal.aurora.global_database import ReplicationRefusedError
from rehearsal.cloud.databases import Databases
from rehearsal.cloud.global_cluster import RdsRefusal
from rehearsal.cloud.ministack_client import UpstreamResponse
from rehearsal.cloud.rds_xml import NAMESPACE, cluster_of_arn, parse, refusal_in

ACTION = "RestoreDBClusterToPointInTime"
BACKUP_DELAY_SECONDS = 1.0
"""The age of the latest restorable time. On AWS it is "typically within the last 5 minutes"."""
_RESTORE_PARAMETERS = {
    "Action",
    "Version",
    "SourceDBClusterIdentifier",
    "RestoreToTime",
    "RestoreType",
    "UseLatestRestorableTime",
}

Call = Callable[..., Awaitable[UpstreamResponse]]
"""Calls ministack's RDS with a region, an action and parameters by name."""


class Restores:
    """Restores clusters. `clock` returns seconds since the epoch, `seconds` the duration of a restore."""

    def __init__(
        self, *, call: Call, databases: Databases, clock: Callable[[], float], seconds: Callable[[], float]
    ) -> None:
        self._call = call
        self._databases = databases
        self._clock = clock
        self._seconds = seconds
        self._ready_at: dict[str, float] = {}

    def window(self, cluster_arn: str) -> tuple[float, float] | None:
        """Return the earliest and latest restorable time, in seconds since the epoch; None for an unknown cluster."""
        earliest = self._databases.earliest_restorable_at(cluster_arn)
        return None if earliest is None else (earliest, max(earliest, self._clock() - BACKUP_DELAY_SECONDS))

    def is_creating(self, cluster_arn: str) -> bool:
        """Return whether a cluster is still being restored."""
        return self._clock() < self._ready_at.get(cluster_arn, 0.0)

    def check_new_instance(self, cluster_arn: str) -> None:
        """Raise RdsRefusal if a new instance's cluster is still being restored.

        Source: "RestoreDBClusterToPointInTime" (Amazon RDS API reference).
        """
        if self.is_creating(cluster_arn):
            raise RdsRefusal(
                "InvalidDBClusterStateFault", f"DBCluster {cluster_of_arn(cluster_arn)[1]} is in state creating"
            )

    async def restore(self, parameters: Mapping[str, str], *, region: str) -> bytes:
        """Restore a cluster; return RDS's response. Raises RdsRefusal."""
        for name in ("SourceDBClusterIdentifier", "DBClusterIdentifier"):
            if not parameters.get(name):
                raise RdsRefusal("MissingParameter", f"The request must contain the parameter {name}")
        source = await self._source(parameters["SourceDBClusterIdentifier"], region)
        at = self._restore_time(parameters, source)
        response = await self._call(region, "CreateDBCluster", **self._as_new_cluster(parameters, source))
        if response.status != 200:
            raise refusal_in("CreateDBCluster", response.body, response.status)
        created = parse("CreateDBCluster", response.body)["DBCluster"]
        arn = created["DBClusterArn"]
        try:
            await asyncio.to_thread(
                self._databases.restore_cluster, arn, source_arn=source["DBClusterArn"], at=at, port=created["Port"]
            )
        except ReplicationRefusedError as error:
            raise RdsRefusal("InvalidRestoreFault", str(error)) from error
        self._ready_at[arn] = self._clock() + self._seconds()
        return _renamed(response.body)

    async def _source(self, identifier: str, region: str) -> Mapping[str, Any]:
        response = await self._call(region, "DescribeDBClusters", DBClusterIdentifier=identifier)
        found = parse("DescribeDBClusters", response.body)["DBClusters"] if response.status == 200 else []
        if not found or self.window(found[0]["DBClusterArn"]) is None:
            raise RdsRefusal("DBClusterNotFoundFault", f"DBCluster {identifier} not found.", http_status=404)
        if (status := found[0]["Status"]) != "available":
            raise RdsRefusal("InvalidDBClusterStateFault", f"DBCluster {identifier} is in state {status}")
        return found[0]

    def _restore_time(self, parameters: Mapping[str, str], source: Mapping[str, Any]) -> float:
        """Return the requested time. AWS's reference has no error code for a time outside the window: this one is assumed."""
        window = self.window(source["DBClusterArn"])
        assert window is not None  # `_source` has checked it.
        earliest, latest = window
        if parameters.get("UseLatestRestorableTime", "").lower() == "true":
            return latest
        text = parameters.get("RestoreToTime", "")
        try:
            at = datetime.fromisoformat(text).astimezone(UTC).timestamp()
        except ValueError as error:
            raise RdsRefusal(
                "InvalidParameterCombination", f"RestoreToTime or UseLatestRestorableTime must be given, not {text!r}"
            ) from error
        if not earliest <= at <= latest:
            raise RdsRefusal(
                "InvalidParameterValue",
                f"The restore time {text} is outside of {_iso(earliest)} to {_iso(latest)}",
            )
        return at

    def _as_new_cluster(self, parameters: Mapping[str, str], source: Mapping[str, Any]) -> dict[str, str]:
        """Return the parameters for CreateDBCluster: the caller's, and those that a restore inherits from its source."""
        given = {name: value for name, value in parameters.items() if name not in _RESTORE_PARAMETERS}
        names = ("EngineVersion", "Port", "StorageEncrypted", "KmsKeyId", "BackupRetentionPeriod")
        inherited = {name: str(source[name]) for name in names if source.get(name) not in (None, "")}
        inherited |= {"Engine": "aurora-mysql", "StorageEncrypted": str(source["StorageEncrypted"]).lower()}
        master = self._databases.master_of(source["DBClusterArn"])
        if master is not None:
            inherited |= {"MasterUsername": master.name, "MasterUserPassword": master.password}
        return {**inherited, **given}


def _renamed(xml: bytes) -> bytes:
    """Rename the elements of a CreateDBCluster response to those of RestoreDBClusterToPointInTime."""
    root = ElementTree.fromstring(xml)
    for element in root.iter():
        for end in ("Response", "Result"):
            if element.tag == f"{{{NAMESPACE}}}CreateDBCluster{end}":
                element.tag = f"{{{NAMESPACE}}}{ACTION}{end}"
    return ElementTree.tostring(root, encoding="utf-8", default_namespace=NAMESPACE)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
