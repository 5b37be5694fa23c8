"""The steps of a failover drill: the outage, the call, the promotion, DNS, and the client's first write."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rehearsal.client_pool import LONGEST_PAUSE_SECONDS
from rehearsal.cloud.api_proxy import OperationCall
from rehearsal.drills.context import DrillContext, longest_gap
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind
from rehearsal.workload import ROW_TABLE


@dataclass(frozen=True, kw_only=True)
class PlayedOutage:
    """An outage of the writer's region: when it began (seconds since the epoch), and the rows at risk."""

    at: float
    lost: RegionFacts
    standby: RegionFacts
    acknowledged: dict[int, float]
    lost_before: frozenset[int]
    """Rows that earlier failovers lost."""


@dataclass(frozen=True, kw_only=True)
class Failover:
    """A completed failover; times in seconds since the epoch."""

    promoted_at: float
    dns_at: float


def fail_writer_region(context: DrillContext, description: str = "the outage") -> PlayedOutage:
    """Fail the writer's region, and set the drill's zero."""
    outage = start_outage(context, description, lambda lost: context.environment.network.fail(lost.name))
    context.recorder.record(
        f"{outage.lost.name} fails: databases, Lambda and the AWS API are unreachable",
        EventKind.OUTAGE,
        outage.lost.name,
    )
    return outage


def restore_region(context: DrillContext, region: RegionFacts, text: str = "", *, label: str = "") -> None:
    """Restore a region, and record it."""
    context.environment.network.restore(region.name)
    context.recorder.record(text or f"{region.name} is reachable again", EventKind.RECOVERY, region.name, label=label)


def start_outage(context: DrillContext, description: str, begin: Callable[[RegionFacts], None]) -> PlayedOutage:
    """Begin an outage of the writer's region, and set the drill's zero.

    The outage begins midway between two cycles of the standby: the average delay until a cycle detects it.
    """
    lost, standby = context.environment.writer, context.environment.standby
    context.wait_for_mid_cycle(standby)
    acknowledged, lost_before = context.workload.acknowledged_rows(), lost_rows(context)
    context.mark_zero(description)
    begin(lost)
    return PlayedOutage(at=time.time(), lost=lost, standby=standby, acknowledged=acknowledged, lost_before=lost_before)


def lost_rows(context: DrillContext) -> frozenset[int]:
    """Return the client's rows that failovers have lost so far, by the data plane's record."""
    return frozenset(
        int(str(row["id"]))
        for database in context.environment.databases
        for transaction in database.lost_transactions
        for row in transaction.inserted_rows(ROW_TABLE)
    )


def wait_for_call(context: DrillContext, *, cycles: float = 20) -> OperationCall:
    """Return the first accepted failover or switchover call since zero, and measure it; wait at most `cycles` intervals and 5 s."""
    call = context.wait_for(
        "the failover call",
        lambda: next((call for call in context.calls_since(context.zero) if call.accepted), None),
        seconds=cycles * context.interval_seconds + 5,
    )
    context.measure_since_zero("outage_to_call_seconds", call.at)
    return call


def wait_for_failover(context: DrillContext, standby: RegionFacts) -> Failover:
    """Wait for the promotion, DNS, the client's first write and three more cycles."""
    promoted_at = wait_for_writer(context, standby)
    context.measure_since_zero("promoted_seconds", promoted_at)
    dns_at = wait_for_dns(context, standby.name)
    context.measure_since_zero("dns_moved_seconds", dns_at)
    wait_for_first_write(context, promoted_at, standby, "the client writes again")
    context.wait_cycles(3, standby)
    return Failover(promoted_at=promoted_at, dns_at=dns_at)


def wait_for_promotion(context: DrillContext, standby: RegionFacts) -> None:
    """Wait for the promotion, its notice and three more cycles."""
    context.measure_since_zero("promoted_seconds", wait_for_writer(context, standby))
    context.wait_for_notice("failover-completed", standby, seconds=10 * context.interval_seconds)
    context.wait_cycles(3, standby)


def wait_for_writer(context: DrillContext, region: RegionFacts) -> float:
    """Wait until the region's cluster accepts writes (read over MySQL, not from the API); return the time of the promotion."""

    def poll() -> float | None:
        return context.recorder.promoted_at(region) if is_read_only(context, region) is False else None

    return context.wait_for(
        f"{region.cluster_id} is promoted",
        poll,
        seconds=context.environment.control_plane.operation_seconds * 4 + 20 * context.interval_seconds,
        pause_seconds=context.interval_seconds / 20,
    )


def wait_for_dns(context: DrillContext, region: str) -> float:
    """Wait until the writer's name resolves to a region; return the time of the change."""
    context.wait_for(
        f"{context.environment.writer_name} resolves to {region}",
        lambda: context.dns_answers_since(context.zero)[-1:] == [region] or None,
        seconds=60 * context.interval_seconds,
    )
    return [at for at, answer in tuple(context.recorder.dns) if answer == region][-1]


def wait_for_first_write(context: DrillContext, after: float, region: RegionFacts, description: str) -> None:
    """Wait for the client's first acknowledged write in a region after a moment, and record it."""
    first_write = context.wait_for(
        f"an acknowledged write in {region.name}",
        lambda: context.first_write_after(after, region=region.name),
        seconds=60 * context.interval_seconds,
    )
    context.measure_since_zero("writing_again_seconds", first_write.at_seconds)
    context.measure("promoted_to_write_seconds", first_write.at_seconds - after)
    context.measure(
        "client_outage_seconds",
        longest_gap(context.workload.attempts, since=context.zero, until=first_write.at_seconds),
    )
    expect_carried_through(
        context, first_write.at_seconds, promoted_at=after, named_at=_name_moved_at(context, region.name)
    )
    context.recorder.record(
        f"{description}, through {context.environment.writer_name}",
        EventKind.CLIENT,
        region.name,
        at=first_write.at_seconds,
        label="first write",
    )


def expect_carried_through(
    context: DrillContext, first_write_at: float, *, promoted_at: float, named_at: float
) -> None:
    """Check that the client wrote again soon after the promotion and the DNS change; times in seconds since the epoch."""
    limit, ready_at = _carried_within_seconds(context), max(promoted_at, named_at)
    context.expect(
        f"the client with the advised pool wrote again at most {limit:g} s after the promotion and the DNS change",
        first_write_at - ready_at <= limit,
        f"{first_write_at - ready_at:.2f} s after both, {first_write_at - promoted_at:.2f} s after the promotion",
        timed=True,
    )


def _name_moved_at(context: DrillContext, region: str) -> float:
    """Return when the writer's name began to lead to a region, for the last time."""
    return [at for at, answer in tuple(context.recorder.dns) if answer == region][-1]


def _carried_within_seconds(context: DrillContext) -> float:
    """Return the longest time of the advised client: a running attempt, the record's TTL, a pause, and the next attempt."""
    scale, environment = context.environment.time_scale, context.environment
    ttl_seconds = environment.resolve_dns(environment.writer_name, from_region=environment.client_region).ttl_seconds
    return 2 * context.workload.attempt_seconds() + (ttl_seconds + LONGEST_PAUSE_SECONDS) / scale


def is_read_only(context: DrillContext, region: RegionFacts) -> bool | None:
    """Return `@@innodb_read_only` of a region's cluster; None if it cannot be read."""
    return context.workload.read_only(region.writer_endpoint)
