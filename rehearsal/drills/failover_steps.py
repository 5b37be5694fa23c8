"""What a drill waits for after it broke something: the call, the promotion, the name, the client.

Owns: looking by the protocol, the API and the client, with a time limit each. Does not own: what must hold (expectations.py).
Invariant: a role is asked over the MySQL protocol, never of the API.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rehearsal.cloud.api_proxy import OperationCall
from rehearsal.drills.context import DrillContext
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind
from rehearsal.workload import ROW_TABLE, WriteAttempt


@dataclass(frozen=True, kw_only=True)
class Outage:
    """The moment (seconds since the epoch) at which the writer's region was lost, and what there was to lose."""

    at: float
    lost: RegionFacts
    standby: RegionFacts
    acknowledged: dict[int, float]
    lost_before: frozenset[int]
    """Rows that earlier failovers have lost."""


@dataclass(frozen=True, kw_only=True)
class Failover:
    """A failover that took effect, moment by moment, in seconds since the epoch."""

    call: OperationCall
    promoted_at: float
    dns_at: float
    first_write: WriteAttempt


def lose_region(stage: DrillContext, words: str = "the outage") -> Outage:
    """Darken the writer's region: databases, Lambda and AWS API. The drill counts from here."""
    outage = observe_outage(stage, words, lambda lost: stage.world.network.fail(lost.name))
    stage.happened(f"{outage.lost.name} goes dark: databases, Lambda and AWS API", EventKind.OUTAGE, outage.lost.name)
    return outage


def observe_outage(stage: DrillContext, words: str, begin: Callable[[RegionFacts], None]) -> Outage:
    """Begin an outage of the writer's region, and note what there was to lose. The drill counts from here.

    It begins half-way between two cycles of the standby: as far from the cycle that sees it first as an outage is in the mean.
    """
    lost, standby = stage.world.writer, stage.world.standby
    stage.wait_for_middle(standby)
    acknowledged, lost_before = stage.ledger.acknowledged_rows(), lost_rows(stage)
    stage.mark_zero(words)
    begin(lost)
    return Outage(at=time.time(), lost=lost, standby=standby, acknowledged=acknowledged, lost_before=lost_before)


def lost_rows(stage: DrillContext) -> frozenset[int]:
    """The client's rows that failovers have lost so far, as the data plane recorded them."""
    return frozenset(
        int(str(row["id"]))
        for transaction in stage.world.database.lost_transactions
        for row in transaction.inserted_rows(ROW_TABLE)
    )


def wait_for_call(stage: DrillContext, *, cycles: float) -> OperationCall:
    """The first failover or switchover call since zero that was accepted; patient for so many cycles and 5 s."""

    def look() -> OperationCall | None:
        return next((call for call in stage.calls_since(stage.zero) if call.accepted), None)

    return stage.wait_for("the failover call", look, seconds=cycles * stage.interval_seconds + 5)


def follow_failover(stage: DrillContext, call: OperationCall, standby: RegionFacts) -> Failover:
    """Wait until the standby is promoted, the name follows, the client writes there, and three more cycles are over."""
    promoted_at = wait_until_writer(stage, standby)
    stage.measure_since_zero("promoted_seconds", promoted_at)
    dns_at = wait_for_dns(stage, standby.name)
    stage.measure_since_zero("dns_moved_seconds", dns_at)
    first_write = wait_for_first_write(stage, promoted_at, standby, "the client writes again")
    stage.wait_cycles_in(standby, 3)
    return Failover(call=call, promoted_at=promoted_at, dns_at=dns_at, first_write=first_write)


def follow_promotion(stage: DrillContext, standby: RegionFacts) -> None:
    """Wait until the standby is promoted, its controller knows it, and three more cycles are over."""
    stage.measure_since_zero("promoted_seconds", wait_until_writer(stage, standby))
    stage.wait_for_notice("failover-completed", standby, seconds=10 * stage.interval_seconds)
    stage.wait_cycles_in(standby, 3)


def wait_until_writer(stage: DrillContext, region: RegionFacts) -> float:
    """When the region's cluster was first seen to take writes: asked over the MySQL protocol, not of the API."""
    return stage.wait_for(
        f"{region.cluster_id} is promoted",
        lambda: time.time() if role_by_protocol(stage, region) is False else None,
        seconds=stage.world.control_plane.operation_seconds * 4 + 20 * stage.interval_seconds,
    )


def wait_for_dns(stage: DrillContext, region: str) -> float:
    """When the writer's name began to answer a region, and it answers it now."""
    stage.wait_for(
        f"{stage.world.writer_name} answers {region}",
        lambda: stage.dns_answers_since(stage.zero)[-1:] == [region] or None,
        seconds=60 * stage.interval_seconds,
    )
    moved = [at for at, answered in tuple(stage.watch.dns) if answered == region]
    return moved[-1]


def wait_for_first_write(stage: DrillContext, after: float, region: RegionFacts, words: str) -> WriteAttempt:
    """The client's first acknowledged write in a region after that moment; measured and put into the timeline."""
    first_write = stage.wait_for(
        f"an acknowledged write in {region.name}",
        lambda: stage.first_write_after(after, region=region.name),
        seconds=60 * stage.interval_seconds,
    )
    stage.measure_since_zero("writing_again_seconds", first_write.at_seconds)
    stage.happened(
        f"{words}, through {stage.world.writer_name}",
        EventKind.CLIENT,
        region.name,
        at=first_write.at_seconds,
        label="first write",
    )
    return first_write


def role_by_protocol(stage: DrillContext, region: RegionFacts) -> bool | None:
    """`@@innodb_read_only` of a region's cluster as the client's connection sees it; None when it can't be asked."""
    return stage.ledger.read_only(region.writer_endpoint)
