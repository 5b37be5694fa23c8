"""An operator's steps of docs/runbook/detach-and-promote.md: detach the standby, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.drills.context import DrillContext
from rehearsal.drills.operator import OPERATOR
from rehearsal.drills.standby_instances import delete_instances, recreate_instances
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind

KEPT_OF_CLUSTER = ("DBClusterIdentifier", "Engine", "EngineVersion", "Port", "StorageEncrypted", "KmsKeyId")
KEPT_UNLESS_EMPTY = ("BackupRetentionPeriod", "PreferredBackupWindow", "PreferredMaintenanceWindow")
SNAPSHOT_ID = "rehearsal-before-the-way-back"


@dataclass(frozen=True, kw_only=True)
class DeletedCluster:
    """What the way back needs of a deleted cluster."""

    parameters: Mapping[str, Any]
    """Parameters of CreateDBCluster."""
    instances: Sequence[Mapping[str, Any]]


def detach(context: DrillContext, region: RegionFacts) -> None:
    """Detach a region's cluster from the global database: RDS promotes it to a standalone cluster."""
    context.recorder.record(f"{OPERATOR} detaches {region.cluster_id}", EventKind.NOTE, region.name)
    context.environment.clients("rds", region.name).remove_from_global_cluster(
        GlobalClusterIdentifier=context.environment.global_cluster_id, DbClusterIdentifier=region.cluster_arn
    )


def delete_old_writer(context: DrillContext, region: RegionFacts) -> DeletedCluster:
    """Delete the last member of the old global database with a snapshot of it, and the global database."""
    rds, global_cluster_id = context.environment.clients("rds", region.name), context.environment.global_cluster_id
    context.recorder.record(
        f"{OPERATOR} takes a snapshot of {region.cluster_id} and deletes the cluster", EventKind.NOTE, region.name
    )
    rds.create_db_cluster_snapshot(DBClusterSnapshotIdentifier=SNAPSHOT_ID, DBClusterIdentifier=region.cluster_id)
    rds.get_waiter("db_cluster_snapshot_available").wait(DBClusterSnapshotIdentifier=SNAPSHOT_ID)
    parameters = _parameters(rds.describe_db_clusters(DBClusterIdentifier=region.cluster_id)["DBClusters"][0])
    tags = rds.list_tags_for_resource(ResourceName=region.cluster_arn)["TagList"]
    instances = delete_instances(context, region)
    # A cluster in a global database cannot be deleted.
    rds.remove_from_global_cluster(GlobalClusterIdentifier=global_cluster_id, DbClusterIdentifier=region.cluster_arn)
    rds.delete_db_cluster(DBClusterIdentifier=region.cluster_id, SkipFinalSnapshot=True)
    rds.delete_global_cluster(GlobalClusterIdentifier=global_cluster_id)
    return DeletedCluster(parameters={**parameters, "Tags": tags}, instances=instances)


def start_new_global_database(context: DrillContext, region: RegionFacts) -> None:
    """Make a region's standalone cluster the writer of a new global database with the old name."""
    context.recorder.record(
        f"{OPERATOR} creates {context.environment.global_cluster_id} with {region.cluster_id} as its writer",
        EventKind.NOTE,
        region.name,
    )
    context.environment.clients("rds", region.name).create_global_cluster(
        GlobalClusterIdentifier=context.environment.global_cluster_id, SourceDBClusterIdentifier=region.cluster_arn
    )


def add_secondary(context: DrillContext, region: RegionFacts, deleted: DeletedCluster, *, writer: RegionFacts) -> None:
    """Create a region's cluster and its instances again, as a secondary of the writer, and delete the snapshot."""
    context.recorder.record(
        f"{OPERATOR} adds {region.cluster_id} as a new secondary cluster", EventKind.NOTE, region.name
    )
    rds = context.environment.clients("rds", region.name)
    rds.create_db_cluster(
        **deleted.parameters,
        GlobalClusterIdentifier=context.environment.global_cluster_id,
        SourceRegion=writer.name,
    )
    rds.get_waiter("db_cluster_available").wait(DBClusterIdentifier=region.cluster_id)
    recreate_instances(context, region, deleted.instances)
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=SNAPSHOT_ID)


def _parameters(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of CreateDBCluster with which a cluster is created again as a secondary."""
    return {
        **{name: described[name] for name in KEPT_OF_CLUSTER},
        **{name: described[name] for name in KEPT_UNLESS_EMPTY if described.get(name)},
        "DBSubnetGroupName": described["DBSubnetGroup"],
        "DBClusterParameterGroupName": described["DBClusterParameterGroup"],
        "VpcSecurityGroupIds": [each["VpcSecurityGroupId"] for each in described["VpcSecurityGroups"]],
        "EnableIAMDatabaseAuthentication": described["IAMDatabaseAuthenticationEnabled"],
        "CopyTagsToSnapshot": described["CopyTagsToSnapshot"],
    }
