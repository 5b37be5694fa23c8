"""RestoreDBClusterToPointInTime as RDS's API does it, for the clusters that we have the data of.

Owns: what RDS refuses, the new cluster's metadata in the emulator, its data, and the time for which it is being created.
Does not own: the data's history (aurora_journal.py), HTTP (control_plane.py).
Invariant: the source is only read; a copy is `creating`, and takes no instance, until its time is over.
"""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ElementTree
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rehearsal.aurora.global_database import OperationRefusedError
from rehearsal.cloud.databases import Databases
from rehearsal.cloud.global_cluster import RdsRefusal
from rehearsal.cloud.rds_xml import NAMESPACE, DescribedCluster, cluster_of_arn, described_clusters, refusal_in
from rehearsal.cloud.upstream import UpstreamResponse

ACTION = "RestoreDBClusterToPointInTime"
BACKUP_DELAY_SECONDS = 1.0
"""How old a commit is when a copy can have it. Of AWS: LatestRestorableTime is "typically within the last 5 minutes"."""
_OWN_WORDS = {"Action", "SourceDBClusterIdentifier", "RestoreToTime", "RestoreType", "UseLatestRestorableTime"}

Ask = Callable[..., Awaitable[UpstreamResponse]]
"""Makes a call of ours to the emulator's RDS: region, action, parameters by name."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Between which seconds since the epoch a copy of a cluster may lie."""

    earliest: float
    latest: float


class Restores:
    """The copies of a rehearsal. `clock` gives seconds since the epoch; `seconds` is how long one takes."""

    def __init__(
        self, *, ask: Ask, databases: Databases, clock: Callable[[], float], seconds: Callable[[], float]
    ) -> None:
        self._ask = ask
        self._databases = databases
        self._clock = clock
        self._seconds = seconds
        self._ready_at: dict[str, float] = {}

    def window(self, cluster_arn: str) -> Window | None:
        """Return from when to when copies of a cluster may be made; None for one that we don't know."""
        earliest = self._databases.earliest_restorable_at(cluster_arn)
        if earliest is None:
            return None
        return Window(earliest=earliest, latest=max(earliest, self._clock() - BACKUP_DELAY_SECONDS))

    def is_being_made(self, cluster_arn: str) -> bool:
        """Whether a cluster is a copy that is still being created."""
        return self._clock() < self._ready_at.get(cluster_arn, 0.0)

    def check_new_instance(self, cluster_arn: str) -> None:
        """Refuse an instance of a copy that is not available yet.

        Raises: RdsRefusal. Source: "RestoreDBClusterToPointInTime" (Amazon RDS API reference): instances only afterwards.
        """
        if self.is_being_made(cluster_arn):
            raise RdsRefusal(
                "InvalidDBClusterStateFault", f"DBCluster {cluster_of_arn(cluster_arn)[1]} is in state creating"
            )

    async def restore(self, parameters: Mapping[str, str], *, region: str) -> bytes:
        """Make the copy; return RDS's answer. Raises RdsRefusal."""
        for name in ("SourceDBClusterIdentifier", "DBClusterIdentifier"):
            if not parameters.get(name):
                raise RdsRefusal("MissingParameter", f"The request must contain the parameter {name}")
        source = await self._source(parameters["SourceDBClusterIdentifier"], region)
        at = self._moment(parameters, source)
        answer = await self._ask(region, "CreateDBCluster", **self._as_new_cluster(parameters, source))
        if answer.status != 200:
            raise refusal_in(answer.body, answer.status)
        created = described_clusters(answer.body)[0]
        try:
            await asyncio.to_thread(
                self._databases.restore_cluster, created.arn, source_arn=source.arn, at=at, port=created.port
            )
        except OperationRefusedError as error:
            raise RdsRefusal("InvalidRestoreFault", str(error)) from error
        self._ready_at[created.arn] = self._clock() + self._seconds()
        return _renamed(answer.body)

    async def _source(self, identifier: str, region: str) -> DescribedCluster:
        answer = await self._ask(region, "DescribeDBClusters", DBClusterIdentifier=identifier)
        found = described_clusters(answer.body) if answer.status == 200 else []
        if not found or self.window(found[0].arn) is None:
            raise RdsRefusal("DBClusterNotFoundFault", f"DBCluster {identifier} not found.", http_status=404)
        if found[0].status != "available":
            raise RdsRefusal("InvalidDBClusterStateFault", f"DBCluster {identifier} is in state {found[0].status}")
        return found[0]

    def _moment(self, parameters: Mapping[str, str], source: DescribedCluster) -> float:
        """Return the asked second. The code of a refusal is an assumption: AWS's reference names none for the time."""
        window = self.window(source.arn)
        assert window is not None  # _source has looked
        if parameters.get("UseLatestRestorableTime", "").lower() == "true":
            return window.latest
        text = parameters.get("RestoreToTime", "")
        try:
            at = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC).timestamp()
        except ValueError as error:
            raise RdsRefusal(
                "InvalidParameterCombination", f"RestoreToTime or UseLatestRestorableTime must be given, not {text!r}"
            ) from error
        if not window.earliest <= at <= window.latest:
            raise RdsRefusal(
                "InvalidParameterValue",
                f"The restore time {text} is outside of {_words(window.earliest)} to {_words(window.latest)}",
            )
        return at

    def _as_new_cluster(self, parameters: Mapping[str, str], source: DescribedCluster) -> dict[str, str]:
        """What the emulator is asked to create: the caller's words, and from the source what a restore inherits."""
        given = {
            name: value for name, value in parameters.items() if name not in _OWN_WORDS and name not in ("Version",)
        }
        inherited = {
            "Engine": "aurora-mysql",
            "EngineVersion": source.engine_version,
            "Port": str(source.port),
            "StorageEncrypted": str(source.is_encrypted).lower(),
            "KmsKeyId": source.kms_key_id,
            "BackupRetentionPeriod": source.backup_retention_days,
        }
        master = self._databases.master_of(source.arn)
        if master is not None:
            inherited |= {"MasterUsername": master.name, "MasterUserPassword": master.password}
        return {**{name: value for name, value in inherited.items() if value}, **given}


def _renamed(xml: bytes) -> bytes:
    """Return the answer to CreateDBCluster as the answer to a restore."""
    root = ElementTree.fromstring(xml)
    for element in root.iter():
        for end in ("Response", "Result"):
            if element.tag == f"{{{NAMESPACE}}}CreateDBCluster{end}":
                element.tag = f"{{{NAMESPACE}}}{ACTION}{end}"
    return ElementTree.tostring(root, encoding="utf-8", default_namespace=NAMESPACE)


def _words(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
