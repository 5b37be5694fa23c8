"""The default drills: steady state, a failed region, its return, and the switchover back. Each starts where the previous one ends."""

from __future__ import annotations

import time

from rehearsal.drills.baseline import wait_for_baseline
from rehearsal.drills.context import DrillContext
from rehearsal.drills.expectations import (
    expect_call_at_threshold,
    expect_call_in_time,
    expect_cycles,
    expect_dns_after_call,
    expect_dns_unchanged,
    expect_every_write_acknowledged,
    expect_history,
    expect_loss_within_lag,
    expect_no_calls,
    expect_no_notices,
    expect_no_write_after_outage,
    expect_notices_sent_once,
    expect_one_failover,
    expect_roles,
    expect_rows_at_risk,
    expect_short_cycles,
    expect_single_writer,
)
from rehearsal.drills.failover_steps import (
    fail_writer_region,
    is_read_only,
    restore_region,
    wait_for_call,
    wait_for_dns,
    wait_for_failover,
    wait_for_first_write,
    wait_for_writer,
)
from rehearsal.drills.operator import switch_over

STEADY_CYCLES = 8
STABLE_CYCLES = 6
LAG_IN_DRILLS_SECONDS = 0.3
"""Replication lag of the embedded databases: a failover can lose the rows of this period."""


def play_steady(context: DrillContext) -> None:
    """No fault: no failover, and the writer's name resolves to the primary region."""
    # The deployment and a slow cold start cause notices, which do not belong to this drill.
    wait_for_baseline(context, "the baseline at the start", writer=context.environment.primary)
    context.begin()
    since = context.started_at
    cycles = context.wait_cycles(STEADY_CYCLES)
    context.end()
    primary = context.environment.primary.name
    expect_cycles(context, cycles, STEADY_CYCLES)
    expect_no_calls(context, since)
    expect_dns_unchanged(context, since, primary)
    expect_every_write_acknowledged(context, since)
    expect_no_notices(context, since)
    expect_short_cycles(context, since)
    lag_ms = context.environment.cluster(context.environment.standby).replication_lag_ms()
    context.measure("replication_lag_ms", lag_ms)
    context.measure("cycles", min(cycles.values()))


def play_region_lost(context: DrillContext) -> None:
    """The writer's region fails while two clients write, one as docs/connecting.md advises: the standby fails over by itself."""
    with context.unadvised_client():
        _play_region_lost(context)


def _play_region_lost(context: DrillContext) -> None:
    context.environment.database.replication_lag_seconds = LAG_IN_DRILLS_SECONDS
    # The controller must have measured the new lag.
    context.wait_cycles(2)
    outage = fail_writer_region(context)
    call = wait_for_call(context)
    context.measure("outage_to_call_cycles", (call.at - context.zero) / context.interval_seconds)
    failover = wait_for_failover(context, outage.standby)

    expect_one_failover(context, outage.standby)
    expect_call_at_threshold(context, outage.standby, "region-lost")
    expect_call_in_time(context)
    expect_dns_after_call(context, failover)
    expect_no_write_after_outage(context, outage)
    expect_single_writer(context)
    expect_loss_within_lag(context, outage)
    expect_rows_at_risk(context, outage)
    expect_notices_sent_once(context, outage.standby, ("region-lost", "failover-completed"))
    expect_history(context, outage.standby, ("region-lost", "failover-completed"))


def play_old_region_returns(context: DrillContext) -> None:
    """The failed region returns and rejoins as a reader: no second failover, and DNS does not change."""
    environment = context.environment
    writer, returning = environment.writer, environment.standby
    context.begin()
    context.mark_zero("the region's return")
    since = context.started_at
    restore_region(context, returning)
    rejoined_at = context.wait_for(
        f"{returning.cluster_id} replicates from the writer",
        lambda: time.time() if is_read_only(context, returning) is True else None,
        seconds=30 * context.interval_seconds,
        pause_seconds=context.interval_seconds / 20,
    )
    context.measure_since_zero("rejoined_seconds", rejoined_at)
    cycles = context.wait_cycles(STABLE_CYCLES)
    context.end()
    expect_cycles(context, cycles, STABLE_CYCLES)
    context.expect(
        f"{returning.name} is read-only (checked over MySQL)",
        is_read_only(context, returning) is True,
        f"@@innodb_read_only of {returning.cluster_id}, read from {writer.name}",
    )
    expect_no_calls(context, since)
    expect_dns_unchanged(context, since, writer.name)
    expect_every_write_acknowledged(context, since)
    context.measure("failover_calls", len(context.calls_since(since)))


def play_switchover_home(context: DrillContext) -> None:
    """A planned switchover to the primary region: no acknowledged row is lost, and DNS follows."""
    with context.unadvised_client():
        _play_switchover_home(context)


def _play_switchover_home(context: DrillContext) -> None:
    environment = context.environment
    secondary, primary = environment.writer, environment.standby
    environment.database.replication_lag_seconds = LAG_IN_DRILLS_SECONDS
    lost_before = set(context.workload.acknowledged_rows()) - context.workload.present_rows(secondary.writer_endpoint)
    context.mark_zero("the switchover call")
    switch_over(context, source=secondary, target=primary)
    promoted_at = wait_for_writer(context, primary)
    context.measure_since_zero("switched_seconds", promoted_at)
    dns_at = wait_for_dns(context, primary.name)
    context.measure_since_zero("dns_moved_seconds", dns_at)
    wait_for_first_write(context, promoted_at, primary, "the client writes to the primary region again")
    context.wait_cycles(3)

    acknowledged = context.workload.acknowledged_rows()
    missing = set(acknowledged) - context.workload.present_rows(primary.writer_endpoint) - lost_before
    context.lost_rows |= missing
    context.measure("lost_rows", len(missing))
    context.expect(
        "the switchover lost no acknowledged row",
        not missing,
        f"of {len(acknowledged)} rows since the start of the rehearsal, {len(missing)} are missing in {primary.name}",
    )
    calls = [call for call in context.calls_since(context.zero) if call.operation == "failover"]
    context.expect("no failover was called", not calls, f"{len(calls)} FailoverGlobalCluster calls")
    context.expect(
        f"{environment.writer_name} resolves to {primary.name} again",
        context.dns_answers_since(dns_at)[-1:] == [primary.name],
        f"changed {dns_at - context.zero:.2f} s after the call",
    )
    expect_roles(context, primary, secondary)
    expect_single_writer(context)
