"""Deletion and recreation of a cluster's instances through the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.drills.context import DrillContext
from rehearsal.environment import RegionFacts

KEPT = (
    "DBInstanceIdentifier",
    "DBInstanceClass",
    "Engine",
    "DBClusterIdentifier",
    "PromotionTier",
    "PubliclyAccessible",
)


def delete_instances(context: DrillContext, region: RegionFacts) -> list[Mapping[str, Any]]:
    """Delete every instance of a region's cluster; return what `recreate_instances` needs."""
    rds = context.environment.clients("rds", region.name)
    members = rds.describe_db_clusters(DBClusterIdentifier=region.cluster_id)["DBClusters"][0]["DBClusterMembers"]
    described: list[Mapping[str, Any]] = []
    for member in members:
        name = member["DBInstanceIdentifier"]
        described.append(rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    return described


def recreate_instances(context: DrillContext, region: RegionFacts, described: Sequence[Mapping[str, Any]]) -> None:
    """Recreate the instances."""
    rds = context.environment.clients("rds", region.name)
    for instance in described:
        rds.create_db_instance(**{name: instance[name] for name in KEPT if name in instance})
