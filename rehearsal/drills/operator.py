"""What a person does in a drill, through the same table and API as `operations`: disarm, arm, approve, switch over.

Owns: these acts. Does not own: what the controller makes of them.
Invariant: only what a person may do; nothing here touches the controller's own items (state, lease, lock, history).
"""

from __future__ import annotations

from rehearsal.drills.context import DrillContext
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind

PERSON = "a person of the rehearsal"


def set_switch(stage: DrillContext, region: RegionFacts, *, armed: bool, reason: str) -> None:
    """Arm or disarm one region's controller."""
    stage.world.clients("dynamodb", region.name).put_item(
        TableName=region.table_name,
        Item={
            "item": {"S": "switch"},
            "sort": {"S": "current"},
            "armed": {"BOOL": armed},
            "reason": {"S": reason},
            "by": {"S": PERSON},
        },
    )
    stage.happened(f"{PERSON} {'arms' if armed else 'disarms'} {region.name}: {reason}", EventKind.NOTE, region.name)


def is_armed(stage: DrillContext, region: RegionFacts) -> bool:
    """Whether one region's controller is armed; without an item it is."""
    return bool(stage.watch.item(region, "switch").get("armed", True))


def approve(stage: DrillContext, region: RegionFacts, decision_id: str) -> None:
    """Approve one pending decision, by the id that the notice named."""
    stage.world.clients("dynamodb", region.name).put_item(
        TableName=region.table_name,
        Item={
            "item": {"S": "approval"},
            "sort": {"S": decision_id},
            "approved": {"BOOL": True},
            "by": {"S": PERSON},
        },
    )
    stage.happened(f"{PERSON} approves decision {decision_id}", EventKind.NOTE, region.name)


def switch_over(stage: DrillContext, *, source: RegionFacts, target: RegionFacts) -> None:
    """Call a switchover, in the region of the present writer."""
    stage.happened(f"a person switches over to {target.name}", EventKind.NOTE, source.name)
    stage.world.clients("rds", source.name).switchover_global_cluster(
        GlobalClusterIdentifier=stage.world.global_cluster_id, TargetDbClusterIdentifier=target.cluster_arn
    )
