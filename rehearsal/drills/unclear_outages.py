"""Drills in which one path alone would mislead: an old silence, a refused port, a writer that cannot commit, a slow RDS API."""

from __future__ import annotations

import time

from rehearsal.cloud.faults import ApiFault
from rehearsal.drills.context import DrillContext
from rehearsal.drills.delayed_failover import approve_requested, wait_for_request_after_grace
from rehearsal.drills.expectations import (
    MAX_CYCLES_TO_CALL,
    expect_call_in_time,
    expect_clean_failover,
    expect_dns_after_call,
    expect_no_calls,
    expect_no_write_after_outage,
    expect_notices_sent_once,
    expect_roles,
)
from rehearsal.drills.failover_steps import fail_writer_region, start_outage, wait_for_call, wait_for_failover
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind

TIMEOUT_CYCLES = 30
SLOW_SHARE = 0.5
"""Share of the interval after which the slow RDS API answers: later than an observation's deadline of 0.35."""


def play_old_silence(context: DrillContext) -> None:
    """The region's APIs have been silent for a while when the writer crashes and recovers: the silence is no evidence of a lost region."""
    environment = context.environment
    writer, standby = environment.writer, environment.standby
    context.mark_zero("the silence")
    _silence_apis(context, writer, standby)
    context.wait_for_notice("peer-silent", standby, seconds=TIMEOUT_CYCLES * context.interval_seconds)
    crashed_at = time.time()
    environment.crash_databases(writer)
    context.recorder.record(f"{writer.cluster_id} crashes", EventKind.OUTAGE, writer.name, label="crash")
    context.wait_for_notice("in-region-grace", standby, seconds=TIMEOUT_CYCLES * context.interval_seconds)
    environment.restart_databases(writer)
    down_seconds = time.time() - crashed_at
    context.measure("down_seconds", down_seconds)
    context.recorder.record(f"{writer.cluster_id} accepts connections again", EventKind.RECOVERY, writer.name)
    context.expect(
        "the writer was down for less than the grace period",
        down_seconds < environment.policy.in_region_grace_seconds,
        f"{down_seconds:.2f} s; grace period {environment.policy.in_region_grace_seconds} s",
    )
    context.wait_cycles(3, standby)
    expect_no_calls(context, context.zero)
    expect_roles(context, writer, standby)
    expect_notices_sent_once(context, standby, ("peer-silent", "in-region-grace"))


def play_refused_port(context: DrillContext) -> None:
    """The writer's port refuses connections and the region's APIs fall silent: a host still answers, so the standby waits for the grace."""
    environment = context.environment
    standby, grace_seconds = environment.standby, environment.policy.in_region_grace_seconds

    def begin(lost: RegionFacts) -> None:
        environment.crash_databases(lost)
        _silence_apis(context, lost, standby)

    outage = start_outage(context, "the outage", begin)
    call = wait_for_call(context, cycles=grace_seconds / context.interval_seconds + TIMEOUT_CYCLES)
    failover = wait_for_failover(context, standby)
    context.expect(
        "no failover was called within the grace period",
        call.at - context.zero >= grace_seconds,
        f"called {call.at - context.zero:.2f} s after the outage; grace period {grace_seconds} s",
    )
    expect_call_in_time(context, max_cycles=grace_seconds / context.interval_seconds + MAX_CYCLES_TO_CALL)
    expect_dns_after_call(context, failover)
    expect_no_write_after_outage(context, outage)
    expect_clean_failover(context, outage, ("in-region-grace", "region-lost", "failover-completed"))


def play_cannot_commit(context: DrillContext) -> None:
    """The writer accepts log-ins and commits nothing, as in a storage outage: the standby requests approval after the grace period."""
    environment = context.environment
    standby = environment.standby

    def begin(lost: RegionFacts) -> None:
        environment.cluster(lost).storage_failed = True

    outage = start_outage(context, "the storage outage", begin)
    context.recorder.record(
        f"{outage.lost.cluster_id} accepts log-ins and commits nothing", EventKind.OUTAGE, outage.lost.name
    )
    notice = wait_for_request_after_grace(context, standby, "writer-unusable")
    expect_no_calls(context, context.zero)
    approve_requested(context, standby, notice)
    wait_for_call(context)
    failover = wait_for_failover(context, standby)
    expect_dns_after_call(context, failover)
    reasons = ("writer-unverified", "writer-unusable", "region-impaired", "failover-completed")
    expect_clean_failover(context, outage, reasons)


def play_slow_rds(context: DrillContext) -> None:
    """The standby's RDS API answers after its deadline while the writer's region fails: the standby uses the late answers."""
    environment = context.environment
    standby = environment.standby
    environment.faults.add(
        ApiFault(
            service="rds",
            caller_region=standby.name,
            target_region=standby.name,
            latency_ms=SLOW_SHARE * context.interval_seconds * 1000,
        )
    )
    context.recorder.record(
        f"{standby.name}'s RDS API answers after {SLOW_SHARE * context.interval_seconds:g} s",
        EventKind.OUTAGE,
        standby.name,
        label="slow",
    )
    context.wait_cycles(3, standby)
    outage = fail_writer_region(context)
    wait_for_call(context)
    failover = wait_for_failover(context, standby)
    expect_call_in_time(context, max_cycles=MAX_CYCLES_TO_CALL + SLOW_SHARE)
    expect_dns_after_call(context, failover)
    expect_no_write_after_outage(context, outage)
    expect_clean_failover(context, outage, ("region-lost", "failover-completed"))


def _silence_apis(context: DrillContext, region: RegionFacts, caller: RegionFacts) -> None:
    for service in ("lambda", "rds"):
        context.environment.faults.add(
            ApiFault(service=service, caller_region=caller.name, target_region=region.name, hang=True)
        )
    context.recorder.record(
        f"{region.name}'s Lambda and RDS APIs do not respond to {caller.name}",
        EventKind.OUTAGE,
        caller.name,
        label="silence",
    )
