"""Drills in which the failover has to wait: for the grace period, an approval, arming or the RDS API."""

from __future__ import annotations

import time
from math import ceil

from rehearsal.cloud.faults import ApiFault
from rehearsal.drills.context import DrillContext
from rehearsal.drills.expectations import (
    MAX_CYCLES_TO_CALL,
    expect_call_in_time,
    expect_clean_failover,
    expect_dns_after_call,
    expect_loss_within_lag,
    expect_no_write_after_outage,
    expect_rows_at_risk,
)
from rehearsal.drills.failover_steps import (
    PlayedOutage,
    fail_writer_region,
    lost_rows,
    restore_region,
    start_outage,
    wait_for_call,
    wait_for_failover,
)
from rehearsal.drills.operator import approve, set_armed
from rehearsal.drills.recorder import SentNotice
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind

HELD_CYCLES = ceil(MAX_CYCLES_TO_CALL)
HELD_CYCLES_AFTER_NOTICE = 3
TIMEOUT_CYCLES = 30
"""A busy machine may restart the count of failing cycles."""
MAX_CYCLES_AFTER_RELEASE = 3
"""From the release to the call: the cycle in progress, the cycle that notices the release, and one spare cycle."""
HIGH_LAG_SHARE = 1.3
CLOCK_SKEW_SECONDS = 5.0
"""More than twice the heartbeat timeout, so comparing two machines' clocks would give a wrong result."""


def wait_for_request_after_grace(context: DrillContext, standby: RegionFacts, reason: str) -> SentNotice:
    """Wait for a request for approval, and check that it came after the grace period."""
    grace_seconds = context.environment.policy.in_region_grace_seconds
    notice = context.wait_for_notice(reason, standby, seconds=grace_seconds + TIMEOUT_CYCLES * context.interval_seconds)
    requested_seconds = context.measure_since_zero("asked_seconds", notice.at)
    context.expect(
        "no approval was requested within the grace period",
        requested_seconds >= grace_seconds,
        f"requested {requested_seconds:.2f} s after the outage; grace period {grace_seconds} s",
    )
    return notice


def play_writer_down(context: DrillContext) -> None:
    """The writer's databases stay down while its region is up: the standby waits for the grace period and then fails over."""
    environment = context.environment
    grace_seconds = environment.policy.in_region_grace_seconds
    outage = start_outage(context, "the crash", environment.crash_databases)
    context.recorder.record(
        f"{outage.lost.cluster_id} refuses connections; its region is up", EventKind.OUTAGE, outage.lost.name
    )
    call = wait_for_call(context, cycles=grace_seconds / context.interval_seconds + 10)
    call_seconds = call.at - context.zero
    failover = wait_for_failover(context, outage.standby)
    context.expect(
        "no failover was called within the grace period",
        call_seconds >= grace_seconds,
        f"called {call_seconds:.2f} s after the crash; grace period {grace_seconds} s",
    )
    expect_call_in_time(
        context,
        max_cycles=grace_seconds / context.interval_seconds + MAX_CYCLES_TO_CALL,
        since="the crash",
    )
    expect_dns_after_call(context, failover)
    expect_clean_failover(context, outage, ("in-region-grace", "writer-down", "failover-completed"))


def play_lag_too_high(context: DrillContext) -> None:
    """The writer's region fails while the lag exceeds max_data_loss_seconds: the standby waits for an operator's approval."""
    environment = context.environment
    standby = environment.standby
    max_loss_seconds = environment.policy.max_data_loss_seconds
    environment.database.replication_lag_seconds = HIGH_LAG_SHARE * max_loss_seconds
    context.recorder.record(
        f"the standby's replication lag rises to {HIGH_LAG_SHARE * max_loss_seconds:g} s",
        EventKind.OUTAGE,
        standby.name,
    )
    context.wait_cycles(3)
    outage = fail_writer_region(context)
    notice = context.wait_for_notice("lag-too-high", standby, seconds=TIMEOUT_CYCLES * context.interval_seconds)
    context.measure_since_zero("asked_seconds", notice.at)
    context.wait_cycles(HELD_CYCLES_AFTER_NOTICE, standby)
    expect_held(context, "before the approval")
    lag_ms = notice.message["evidence"]["lag_before_outage_ms"]
    context.expect(
        "the notice states the data loss to decide on",
        lag_ms > max_loss_seconds * 1000,
        f"lag {lag_ms} ms, limit {max_loss_seconds:g} s",
    )
    approved_at = approve_requested(context, standby, notice)
    _expect_delayed_failover(context, outage, approved_at, "the approval")
    expect_no_write_after_outage(context, outage)
    expect_loss_within_lag(context, outage)
    expect_rows_at_risk(context, outage)
    expect_clean_failover(context, outage, ("lag-too-high", "region-lost", "failover-completed"), check_loss=False)


def play_region_errs(context: DrillContext) -> None:
    """The database is down and the region's Lambda API returns errors: the standby requests approval after the grace period."""
    environment = context.environment
    standby = environment.standby

    def begin(lost: RegionFacts) -> None:
        environment.crash_databases(lost)
        environment.faults.add(
            ApiFault(
                service="lambda",
                caller_region=standby.name,
                target_region=lost.name,
                error_code="ServiceException",
                error_message="Internal Error",
                error_status=500,
            )
        )

    outage = start_outage(context, "the outage", begin)
    context.recorder.record(
        f"{outage.lost.name} fails partly: its database is down, its Lambda API returns errors",
        EventKind.OUTAGE,
        outage.lost.name,
    )
    notice = wait_for_request_after_grace(context, standby, "region-unclear")
    context.wait_cycles(HELD_CYCLES_AFTER_NOTICE, standby)
    expect_held(context, "before the approval")
    approved_at = approve_requested(context, standby, notice)
    _expect_delayed_failover(context, outage, approved_at, "the approval")
    expect_clean_failover(context, outage, ("peer-unknown", "region-unclear", "region-impaired", "failover-completed"))


def play_disarmed(context: DrillContext) -> None:
    """The writer's region fails while the standby is disarmed: no failover until an operator arms it again."""
    standby = context.environment.standby
    set_armed(context, standby, armed=False, reason="a maintenance window")
    context.wait_cycles(2, standby)
    outage = fail_writer_region(context)
    notice = context.wait_for_notice("disarmed", standby, seconds=TIMEOUT_CYCLES * context.interval_seconds)
    context.measure_since_zero("told_seconds", notice.at)
    context.wait_cycles(HELD_CYCLES_AFTER_NOTICE, standby)
    expect_held(context, "while disarmed")
    armed_at = time.time()
    set_armed(context, standby, armed=True, reason="allow the failover")
    _expect_delayed_failover(context, outage, armed_at, "arming")
    expect_no_write_after_outage(context, outage)
    expect_clean_failover(context, outage, ("disarmed", "region-lost", "failover-completed"))


def play_clock_skew(context: DrillContext) -> None:
    """The writer's clock is wrong, so heartbeats appear too old or too new: no failover until the region really fails."""
    environment = context.environment
    lost, standby = environment.writer, environment.standby
    for skew_seconds, direction in ((-CLOCK_SKEW_SECONDS, "behind"), (CLOCK_SKEW_SECONDS, "ahead")):
        since = time.time()
        environment.cluster(lost).clock_skew_seconds = skew_seconds
        context.recorder.record(
            f"{lost.cluster_id}'s clock is {CLOCK_SKEW_SECONDS:g} s {direction}", EventKind.OUTAGE, lost.name
        )
        context.wait_cycles(HELD_CYCLES)
        age_ms = context.recorder.metric(standby, "HeartbeatAge", "Maximum", since=since)
        context.measure(f"heartbeat_age_with_clock_{direction}_ms", age_ms or 0.0)
        calls = context.calls_since(since)
        context.expect(f"no failover was called while the clock was {direction}", not calls, f"{len(calls)} calls")
    outage = fail_writer_region(context)
    wait_for_call(context)
    wait_for_failover(context, outage.standby)
    environment.cluster(lost).clock_skew_seconds = 0.0
    context.recorder.record(f"{lost.cluster_id}'s clock is correct again", EventKind.RECOVERY, lost.name)
    expect_call_in_time(context)
    expect_no_write_after_outage(context, outage)
    expect_clean_failover(context, outage, ("region-lost", "failover-completed"))


def play_throttled(context: DrillContext) -> None:
    """The RDS API throttles while the writer's region fails: the standby holds, and fails over once the API responds again."""
    environment = context.environment
    standby, since = environment.standby, time.time()
    fault = environment.faults.add(
        ApiFault(
            service="rds",
            caller_region=standby.name,
            error_code="Throttling",
            error_message="Rate exceeded",
            error_status=400,
        )
    )
    context.recorder.record(f"{standby.name}'s RDS API throttles requests", EventKind.OUTAGE, standby.name)
    context.wait_cycles(1, standby)
    outage = fail_writer_region(context)
    context.wait_cycles(HELD_CYCLES, standby)
    expect_held(context, "while the RDS API throttled")
    tried = [
        one for one in environment.faults.fired if one.at >= outage.at and one.operation == "FailoverGlobalCluster"
    ]
    context.expect(
        "no failover call was tried while throttled",
        not tried,
        f"{fault.fired_count} calls throttled, {len(tried)} of them failover calls",
    )
    environment.faults.remove(fault)
    over_at = time.time()
    context.recorder.record(f"{standby.name}'s RDS API responds again", EventKind.RECOVERY, standby.name)
    _expect_delayed_failover(context, outage, over_at, "the end of the throttling")
    expect_no_write_after_outage(context, outage)
    # The throttling may cause its notice before the outage.
    expect_clean_failover(
        context, outage, ("rds-unreadable", "region-lost", "failover-completed"), notified_since=since
    )


def play_flapping(context: DrillContext) -> None:
    """The writer's region fails and returns every few cycles, before and after the failover: one failover, no failback."""
    environment = context.environment
    lost, standby = environment.writer, environment.standby
    since = time.time()
    flaps = 3
    for _ in range(flaps):
        _fail_briefly(context, lost, failed_cycles=1.5, restored_cycles=2.0)
    calls = context.calls_since(since)
    context.expect(f"{flaps} short outages caused no failover", not calls, f"{len(calls)} calls")
    outage = fail_writer_region(context, "the long outage")
    wait_for_call(context)
    restore_region(context, lost, f"{lost.name} is reachable again while the failover is in progress")
    context.sleep_cycles(1)
    for _ in range(flaps):
        _fail_briefly(context, lost, failed_cycles=1.5, restored_cycles=1.0)
    context.wait_cycles(3, standby)
    expect_call_in_time(context)
    context.measure("absences", 2 * flaps + 1)
    late = lost_rows(context) - outage.lost_before - set(outage.acknowledged)
    context.measure("lost_rows_after_return", len(late))
    expect_clean_failover(context, outage, ("region-lost", "failover-completed"))


def _fail_briefly(context: DrillContext, region: RegionFacts, *, failed_cycles: float, restored_cycles: float) -> None:
    context.environment.network.fail(region.name)
    context.recorder.record(
        f"{region.name} fails for {failed_cycles:g} cycles", EventKind.OUTAGE, region.name, label="flap"
    )
    context.sleep_cycles(failed_cycles)
    restore_region(context, region, label="back")
    context.sleep_cycles(restored_cycles)


def _expect_delayed_failover(context: DrillContext, outage: PlayedOutage, released_at: float, released_by: str) -> None:
    call = wait_for_call(context)
    waited_seconds = call.at - released_at
    context.measure("released_to_call_seconds", waited_seconds)
    failover = wait_for_failover(context, outage.standby)
    expect_call_in_time(context, max_cycles=MAX_CYCLES_AFTER_RELEASE, seconds=waited_seconds, since=released_by)
    expect_dns_after_call(context, failover)


def approve_requested(context: DrillContext, standby: RegionFacts, notice: SentNotice) -> float:
    """Approve the decision that a notice names; return the time."""
    decision_id = str(notice.message["evidence"].get("decision_id", ""))
    pending = context.recorder.state(standby).get("pending", {})
    context.expect(
        "the notice names the pending decision",
        bool(decision_id) and decision_id == pending.get("id"),
        f"requested {decision_id}, pending {pending.get('id')}: {pending.get('verdict')}",
    )
    approved_at = time.time()
    approve(context, standby, decision_id)
    return approved_at


def expect_held(context: DrillContext, condition: str) -> None:
    """Wait until a controller that does not hold would have called, and check that no failover was called."""
    held_until = context.zero + MAX_CYCLES_TO_CALL * context.interval_seconds
    # The notice comes earlier than that if no silence healed recently.
    context.sleep_cycles(max(0.0, held_until - time.time()) / context.interval_seconds)
    calls = context.calls_since(context.zero)
    held_cycles = (time.time() - context.zero) / context.interval_seconds
    context.expect(f"no failover was called {condition}", not calls, f"{len(calls)} calls in {held_cycles:.1f} cycles")
