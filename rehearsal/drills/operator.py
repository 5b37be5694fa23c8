"""An operator's actions in a drill, through the same table and API as `operations`."""

from __future__ import annotations

from rehearsal.drills.context import DrillContext
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind

OPERATOR = "the rehearsal's operator"


def set_armed(context: DrillContext, region: RegionFacts, *, armed: bool, reason: str) -> None:
    """Arm or disarm one region's controller."""
    context.environment.clients("dynamodb", region.name).put_item(
        TableName=region.table_name,
        Item={
            "item": {"S": "switch"},
            "sort": {"S": "current"},
            "armed": {"BOOL": armed},
            "reason": {"S": reason},
            "by": {"S": OPERATOR},
        },
    )
    context.recorder.record(
        f"{OPERATOR} {'arms' if armed else 'disarms'} {region.name}: {reason}", EventKind.NOTE, region.name
    )


def is_armed(context: DrillContext, region: RegionFacts) -> bool:
    """Return whether one region's controller is armed. A controller without a stored arm state is armed."""
    return bool(context.recorder.item(region, "switch").get("armed", True))


def approve(context: DrillContext, region: RegionFacts, decision_id: str) -> None:
    """Approve a pending decision by its id."""
    context.environment.clients("dynamodb", region.name).put_item(
        TableName=region.table_name,
        Item={
            "item": {"S": "approval"},
            "sort": {"S": decision_id},
            "approved": {"BOOL": True},
            "by": {"S": OPERATOR},
        },
    )
    context.recorder.record(f"{OPERATOR} approves decision {decision_id}", EventKind.NOTE, region.name)


def switch_over(context: DrillContext, *, source: RegionFacts, target: RegionFacts) -> None:
    """Call a switchover in the current writer's region."""
    context.recorder.record(f"{OPERATOR} switches over to {target.name}", EventKind.NOTE, source.name)
    context.environment.clients("rds", source.name).switchover_global_cluster(
        GlobalClusterIdentifier=context.environment.global_cluster_id, TargetDbClusterIdentifier=target.cluster_arn
    )
