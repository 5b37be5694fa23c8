"""Drills in which nothing may be promoted, however it looks from one side.

Owns: the plays in which the right act is to hold. Each begins and ends in a calm world (calm.py).
"""

from __future__ import annotations

import time

from rehearsal.cloud.faults import ApiFault
from rehearsal.drills.baseline import mend
from rehearsal.drills.context import DrillContext
from rehearsal.drills.expectations import (
    expect_dns_stays,
    expect_never_two_writers,
    expect_no_calls,
    expect_nobody_told,
    expect_roles_kept,
    expect_roles_reported,
    expect_told_once,
)
from rehearsal.drills.failover_steps import lose_region
from rehearsal.drills.standby_instances import delete_instances, put_back
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind

BLIP_CYCLES = 1.5
"""Touches two cycles at most, however it falls: one cycle looks for 0.35 of a cycle."""
HELD_CYCLES = 5
"""Two more than it takes to act."""
HELD_CYCLES_ONCE_TOLD = 3


def play_blip(stage: DrillContext) -> None:
    """The writer's region is silent for less than it takes to judge."""
    world = stage.world
    writer, standby = world.writer, world.standby
    outage = lose_region(stage, "the blip")
    stage.let_pass(BLIP_CYCLES)
    world.network.restore(writer.name)
    stage.measure_since_zero("dark_seconds", time.time())
    stage.happened(f"{writer.name} answers again", EventKind.RECOVERY, writer.name)
    stage.wait_cycles(HELD_CYCLES)
    _expect_nothing_moved(stage, outage.at, writer, standby)
    expect_nobody_told(stage, outage.at, region=standby)
    _expect_writing_again(stage, writer)


def play_partition(stage: DrillContext) -> None:
    """The peering is cut, and then the other region's Lambda API too: only the heartbeat still says that the writer lives."""
    world = stage.world
    writer, standby = world.writer, world.standby
    stage.mark_zero("the cut")
    world.network.cut_peering()
    stage.happened("the peering is cut: no database port is reached across regions", EventKind.OUTAGE, standby.name)
    stage.wait_cycles_in(standby, HELD_CYCLES)
    stage.wait_for_notice("network-partition", standby, seconds=5 * stage.interval_seconds)
    silence = world.faults.add(
        ApiFault(service="lambda", caller_region=standby.name, target_region=writer.name, hang=True)
    )
    stage.happened(
        f"{writer.name}'s Lambda API is silent to {standby.name} too",
        EventKind.OUTAGE,
        standby.name,
        label="second cut",
    )
    stage.wait_cycles_in(standby, HELD_CYCLES)
    stage.measure("silent_calls", silence.fired_count)
    # The client sits in the standby region: it was cut off as well, and is no witness of the writer.
    expect_roles_reported(stage, stage.zero, writer, standby)
    stage.measure(
        "oldest_heartbeat_ms", stage.watch.metric(standby, "HeartbeatAge", "Maximum", since=stage.zero) or 0.0
    )
    mend(stage)
    stage.happened("both paths are back", EventKind.RECOVERY, standby.name)
    stage.wait_cycles(3)
    _expect_nothing_moved(stage, stage.zero, writer, standby)
    expect_told_once(stage, standby, ("network-partition",))
    _expect_writing_again(stage, writer)


def play_probe_blind(stage: DrillContext) -> None:
    """The standby's own health check fails, and then the writer's region is lost: who can't see doesn't judge."""
    world = stage.world
    standby = world.standby
    stage.mark_zero("the fault of the own probe")
    fault = world.faults.add(
        ApiFault(
            service="lambda",
            operation="Invoke",
            caller_region=standby.name,
            target_region=standby.name,
            error_code="ServiceException",
            error_message="the drill's fault",
            error_status=500,
        )
    )
    stage.happened(f"{standby.name}'s own health check fails", EventKind.OUTAGE, standby.name)
    since = stage.zero
    stage.wait_for_notice("probe-blind", standby, seconds=10 * stage.interval_seconds)
    outage = lose_region(stage, "the outage, unseen")
    stage.wait_cycles_in(standby, HELD_CYCLES)
    world.network.restore(outage.lost.name)
    stage.measure_since_zero("dark_seconds", time.time())
    stage.happened(f"{outage.lost.name} answers again", EventKind.RECOVERY, outage.lost.name)
    stage.wait_cycles(2)
    stage.measure("failed_probes", fault.fired_count)
    _expect_nothing_moved(stage, since, outage.lost, standby)
    expect_told_once(stage, standby, ("probe-blind",), since=since)
    _expect_writing_again(stage, outage.lost)


def play_standby_without_instances(stage: DrillContext) -> None:
    """The standby has storage, but nothing that could serve: told in calm, and held when the writer's region is lost."""
    standby = stage.world.standby
    stage.mark_zero("the standby's last instance goes")
    since = stage.zero
    deleted = delete_instances(stage, standby)
    stage.happened(f"{standby.cluster_id} has no instance any more", EventKind.OUTAGE, standby.name)
    stage.wait_for_notice("standby-not-ready", standby, seconds=10 * stage.interval_seconds)
    outage = lose_region(stage)
    stage.wait_for_notice("standby-without-instance", standby, seconds=10 * stage.interval_seconds)
    stage.wait_cycles_in(standby, HELD_CYCLES_ONCE_TOLD)
    stage.world.network.restore(outage.lost.name)
    stage.happened(f"{outage.lost.name} answers again", EventKind.RECOVERY, outage.lost.name)
    stage.wait_cycles(1)
    put_back(stage, standby, deleted)
    stage.happened(f"{standby.cluster_id} has its {len(deleted)} instances again", EventKind.RECOVERY, standby.name)
    stage.wait_cycles(2)
    stage.measure("instances_put_back", len(deleted))
    _expect_nothing_moved(stage, since, outage.lost, standby)
    expect_told_once(stage, standby, ("standby-not-ready", "standby-without-instance"), since=since)
    _expect_writing_again(stage, outage.lost)


def play_writer_heals(stage: DrillContext) -> None:
    """The writer crashes in a living region and is back before the grace ends, as Aurora does it: nobody else takes over."""
    world = stage.world
    writer, standby = world.writer, world.standby
    stage.mark_zero("the crash")
    world.crash_databases(writer)
    stage.happened(f"{writer.cluster_id} refuses connections; its region lives", EventKind.OUTAGE, writer.name)
    stage.wait_for_notice("in-region-grace", standby, seconds=10 * stage.interval_seconds)
    stage.let_pass(0.5 * world.policy.in_region_grace_seconds / stage.interval_seconds - HELD_CYCLES)
    stage.wait_cycles_in(standby, HELD_CYCLES - 2)
    world.heal_databases(writer)
    down_seconds = stage.measure_since_zero("down_seconds", time.time())
    stage.happened(f"{writer.cluster_id} serves again", EventKind.RECOVERY, writer.name)
    stage.wait_cycles(3)
    stage.expect(
        "it was down for longer than a lost region takes to be judged, and for less than the grace",
        world.policy.failure_threshold * stage.interval_seconds < down_seconds < world.policy.in_region_grace_seconds,
        f"{down_seconds:.2f} s; grace {world.policy.in_region_grace_seconds} s",
    )
    _expect_nothing_moved(stage, stage.zero, writer, standby)
    expect_told_once(stage, standby, ("in-region-grace",))
    _expect_writing_again(stage, writer)


def play_both_regions_lost(stage: DrillContext) -> None:
    """Both regions are dark: nobody can act, and nobody does when they are back."""
    world = stage.world
    writer, standby = world.writer, world.standby
    outage = lose_region(stage, "the outage of both")
    world.network.fail(standby.name)
    stage.happened(f"{standby.name} goes dark too", EventKind.OUTAGE, standby.name)
    stage.let_pass(2 * HELD_CYCLES)
    mend(stage)
    stage.measure_since_zero("dark_seconds", time.time())
    stage.happened("both regions answer again", EventKind.RECOVERY)
    stage.wait_cycles(HELD_CYCLES)
    _expect_nothing_moved(stage, outage.at, writer, standby)
    for region in (writer, standby):
        expect_told_once(stage, region, ("state-unreadable",))
    _expect_writing_again(stage, writer)


def _expect_nothing_moved(stage: DrillContext, since: float, writer: RegionFacts, standby: RegionFacts) -> None:
    expect_no_calls(stage, since)
    expect_dns_stays(stage, since, writer.name)
    expect_roles_kept(stage, writer, standby)
    expect_never_two_writers(stage)


def _expect_writing_again(stage: DrillContext, writer: RegionFacts) -> None:
    now = time.time()
    again = stage.wait_for(
        f"an acknowledged write in {writer.name}",
        lambda: stage.first_write_after(now, region=writer.name),
        seconds=20 * stage.interval_seconds,
    )
    stage.expect("the client writes again, where it wrote before", True, f"row {again.row_id} in {writer.name}")
