"""Drills in which a failover would be wrong."""

from __future__ import annotations

import time

from rehearsal.cloud.faults import ApiFault
from rehearsal.drills.baseline import clear_faults
from rehearsal.drills.context import DrillContext
from rehearsal.drills.expectations import (
    expect_dns_unchanged,
    expect_no_calls,
    expect_no_notices,
    expect_notices_sent_once,
    expect_roles,
    expect_roles_reported,
    expect_single_writer,
)
from rehearsal.drills.failover_steps import fail_writer_region, restore_region
from rehearsal.drills.standby_instances import delete_instances, recreate_instances
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind
from settings import FailoverSettings

BLIP_CYCLES = 1.5
"""Overlaps at most two cycles: a cycle observes for 0.35 of the interval."""
HELD_CYCLES = FailoverSettings().failure_threshold + 2
HELD_CYCLES_AFTER_NOTICE = 3


def play_blip(context: DrillContext) -> None:
    """The writer's region is unreachable for fewer cycles than the failure threshold: no failover, no notice."""
    environment = context.environment
    writer, standby = environment.writer, environment.standby
    outage = fail_writer_region(context, "the short outage")
    context.sleep_cycles(BLIP_CYCLES)
    restore_region(context, writer)
    context.measure_since_zero("dark_seconds", time.time())
    context.wait_cycles(HELD_CYCLES)
    _expect_no_change(context, outage.at, writer, standby)
    expect_no_notices(context, outage.at, region=standby)
    _expect_writing_again(context, writer)


def play_partition(context: DrillContext) -> None:
    """Two of the three paths between the regions fail: both clusters keep their roles."""
    environment = context.environment
    writer, standby = environment.writer, environment.standby
    context.mark_zero("the cut")
    environment.network.cut_peering()
    context.recorder.record(
        "the VPC peering is cut: database ports are unreachable across regions", EventKind.OUTAGE, standby.name
    )
    context.wait_cycles(HELD_CYCLES, standby)
    context.wait_for_notice("network-partition", standby, seconds=10 * context.interval_seconds)
    silence = environment.faults.add(
        ApiFault(service="lambda", caller_region=standby.name, target_region=writer.name, hang=True)
    )
    context.recorder.record(
        f"{writer.name}'s Lambda API does not respond to {standby.name} either",
        EventKind.OUTAGE,
        standby.name,
        label="second cut",
    )
    context.wait_cycles(HELD_CYCLES, standby)
    context.measure("silent_calls", silence.fired_count)
    # The client runs in the standby region and was cut off too, so the regions' own metrics are the evidence.
    expect_roles_reported(context, context.zero, writer, standby)
    context.measure(
        "oldest_heartbeat_ms", context.recorder.metric(standby, "HeartbeatAge", "Maximum", since=context.zero) or 0.0
    )
    clear_faults(context)
    context.recorder.record("both paths work again", EventKind.RECOVERY, standby.name)
    context.wait_cycles(3)
    _expect_no_change(context, context.zero, writer, standby)
    expect_notices_sent_once(context, standby, ("network-partition",))
    _expect_writing_again(context, writer)


def play_probe_blind(context: DrillContext) -> None:
    """The standby's health check fails before the writer's region does: the standby cannot see the outage and does not fail over."""
    environment = context.environment
    standby = environment.standby
    context.mark_zero("the health check fault")
    fault = environment.faults.add(
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
    context.recorder.record(f"{standby.name}'s health check fails", EventKind.OUTAGE, standby.name)
    since = context.zero
    context.wait_for_notice("probe-unusable", standby, seconds=10 * context.interval_seconds)
    outage = fail_writer_region(context, "the undetected outage")
    context.wait_cycles(HELD_CYCLES, standby)
    restore_region(context, outage.lost)
    context.measure_since_zero("dark_seconds", time.time())
    context.wait_cycles(2)
    context.measure("failed_probes", fault.fired_count)
    _expect_no_change(context, since, outage.lost, standby)
    expect_notices_sent_once(context, standby, ("probe-unusable",), since=since)
    _expect_writing_again(context, outage.lost)


def play_standby_without_instances(context: DrillContext) -> None:
    """The standby's cluster has no instance: a notice at once, and no failover when the writer's region fails."""
    standby = context.environment.standby
    context.mark_zero("the deletion of the standby's instances")
    since = context.zero
    deleted = delete_instances(context, standby)
    context.recorder.record(f"{standby.cluster_id} has no instance", EventKind.OUTAGE, standby.name)
    context.wait_for_notice("standby-not-ready", standby, seconds=10 * context.interval_seconds)
    outage = fail_writer_region(context)
    context.wait_for_notice("standby-without-instance", standby, seconds=10 * context.interval_seconds)
    context.wait_cycles(HELD_CYCLES_AFTER_NOTICE, standby)
    restore_region(context, outage.lost)
    context.wait_cycles(1)
    recreate_instances(context, standby, deleted)
    context.recorder.record(
        f"{standby.cluster_id} has its {len(deleted)} instances again", EventKind.RECOVERY, standby.name
    )
    context.wait_cycles(2)
    context.measure("instances_put_back", len(deleted))
    _expect_no_change(context, since, outage.lost, standby)
    expect_notices_sent_once(context, standby, ("standby-not-ready", "standby-without-instance"), since=since)
    _expect_writing_again(context, outage.lost)


def play_writer_heals(context: DrillContext) -> None:
    """The writer crashes, and Aurora recovers it within the grace period: no failover."""
    environment = context.environment
    writer, standby = environment.writer, environment.standby
    context.mark_zero("the crash")
    environment.crash_databases(writer)
    context.recorder.record(f"{writer.cluster_id} refuses connections; its region is up", EventKind.OUTAGE, writer.name)
    context.wait_for_notice("in-region-grace", standby, seconds=10 * context.interval_seconds)
    context.wait_cycles(1, standby)
    environment.restart_databases(writer)
    down_seconds = context.measure_since_zero("down_seconds", time.time())
    context.recorder.record(f"{writer.cluster_id} accepts connections again", EventKind.RECOVERY, writer.name)
    context.wait_cycles(3)
    context.expect(
        "the writer was down for longer than the failure threshold and less than the grace period",
        environment.policy.failure_threshold * context.interval_seconds
        < down_seconds
        < environment.policy.in_region_grace_seconds,
        f"{down_seconds:.2f} s; grace period {environment.policy.in_region_grace_seconds} s",
    )
    _expect_no_change(context, context.zero, writer, standby)
    expect_notices_sent_once(context, standby, ("in-region-grace",))
    _expect_writing_again(context, writer)


def play_both_regions_lost(context: DrillContext) -> None:
    """Fail both regions. No controller can act, and no controller fails over after the regions are restored."""
    environment = context.environment
    writer, standby = environment.writer, environment.standby
    outage = fail_writer_region(context, "the outage of both")
    environment.network.fail(standby.name)
    context.recorder.record(f"{standby.name} fails too", EventKind.OUTAGE, standby.name)
    context.sleep_cycles(2 * HELD_CYCLES)
    clear_faults(context)
    context.measure_since_zero("dark_seconds", time.time())
    context.recorder.record("both regions are reachable again", EventKind.RECOVERY)
    # Reports that the outage held arrive now as well, so counted cycles would end this too early.
    context.sleep_cycles(HELD_CYCLES)
    _expect_no_change(context, outage.at, writer, standby)
    for region in (writer, standby):
        expect_notices_sent_once(context, region, ("state-unreadable",))
    _expect_writing_again(context, writer)


def _expect_no_change(context: DrillContext, since: float, writer: RegionFacts, standby: RegionFacts) -> None:
    expect_no_calls(context, since)
    expect_dns_unchanged(context, since, writer.name)
    expect_roles(context, writer, standby)
    expect_single_writer(context)


def _expect_writing_again(context: DrillContext, writer: RegionFacts) -> None:
    now = time.time()
    again = context.wait_for(
        f"an acknowledged write in {writer.name}",
        lambda: context.first_write_after(now, region=writer.name),
        seconds=20 * context.interval_seconds,
    )
    context.expect("the client writes to the same region again", True, f"row {again.row_id} in {writer.name}")
