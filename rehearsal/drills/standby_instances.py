"""Taking a cluster's instances away and putting them back, through the API.

Owns: deleting all instances of one cluster, and making them again as they were described.
Does not own: what a cluster without instances means (control_plane.py closes its ports, as AWS has nothing that could answer).
"""

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


def delete_instances(stage: DrillContext, region: RegionFacts) -> list[Mapping[str, Any]]:
    """Delete every instance of a region's cluster; return what `put_back` needs."""
    rds = stage.world.clients("rds", region.name)
    members = rds.describe_db_clusters(DBClusterIdentifier=region.cluster_id)["DBClusters"][0]["DBClusterMembers"]
    described: list[Mapping[str, Any]] = []
    for member in members:
        name = member["DBInstanceIdentifier"]
        described.append(rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    return described


def put_back(stage: DrillContext, region: RegionFacts, described: Sequence[Mapping[str, Any]]) -> None:
    """Make the instances again."""
    rds = stage.world.clients("rds", region.name)
    for instance in described:
        rds.create_db_instance(**{name: instance[name] for name in KEPT if name in instance})
