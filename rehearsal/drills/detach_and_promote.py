"""The drill in which RDS refuses the managed failover and an operator detaches the standby by docs/runbook/detach-and-promote.md."""

from __future__ import annotations

import time

from rehearsal.cloud.faults import ApiFault
from rehearsal.drills.context import DrillContext
from rehearsal.drills.default_drills import LAG_IN_DRILLS_SECONDS
from rehearsal.drills.detachment import add_secondary, delete_old_writer, detach, start_new_global_database
from rehearsal.drills.expectations import (
    expect_every_write_acknowledged,
    expect_loss_within_lag,
    expect_no_write_after_outage,
    expect_notices_sent_once,
    expect_rows_at_risk,
)
from rehearsal.drills.failover_steps import (
    PlayedOutage,
    fail_writer_region,
    restore_region,
    wait_for_dns,
    wait_for_first_write,
    wait_for_writer,
)
from rehearsal.environment import RegionFacts

HELD_CYCLES = 3
TIMEOUT_CYCLES = 30
REFUSAL = "InvalidDBClusterStateFault"
NOTICES = ("region-lost", "failover-refused", "cluster-detached")


def play_detach_and_promote(context: DrillContext) -> None:
    """The writer's region fails and RDS refuses the failover: an operator detaches the standby, and DNS follows. Then the way back."""
    environment = context.environment
    standby = environment.standby
    environment.database.replication_lag_seconds = LAG_IN_DRILLS_SECONDS
    context.wait_cycles(1, standby)
    refusals = environment.faults.add(
        ApiFault(
            service="rds",
            operation="FailoverGlobalCluster",
            caller_region=standby.name,
            error_code=REFUSAL,
            error_message="Engine versions differ",
            error_status=400,
        )
    )
    outage = fail_writer_region(context)
    _expect_refused(context, outage)
    detached_at = time.time()
    detach(context, standby)
    promoted_at = wait_for_writer(context, standby)
    context.measure_since_zero("promoted_seconds", promoted_at)
    dns_at = wait_for_dns(context, standby.name)
    context.measure_since_zero("dns_moved_seconds", dns_at)
    wait_for_first_write(context, promoted_at, standby, "the client writes again")
    led_since = time.time()
    context.wait_cycles(HELD_CYCLES, standby)
    context.expect(
        "DNS changed only after the operator detached the standby",
        dns_at >= detached_at and refusals.fired_count > 0,
        f"{refusals.fired_count} calls refused, detached at {detached_at - context.zero:.2f} s, promoted at "
        f"{promoted_at - context.zero:.2f} s, DNS at {dns_at - context.zero:.2f} s",
    )
    _expect_no_two_writers(context)
    expect_no_write_after_outage(context, outage)
    expect_rows_at_risk(context, outage)
    expect_loss_within_lag(context, outage)
    expect_notices_sent_once(context, standby, NOTICES)
    restore_region(context, outage.lost)
    _expect_detached_cluster_leads(context, outage, led_since)
    _return_to_two_members(context, outage, led_since)


def _expect_refused(context: DrillContext, outage: PlayedOutage) -> None:
    """Check that the controller notifies the refusal, changes nothing, and that clients wait."""
    standby = outage.standby
    refused = context.wait_for_notice(
        "failover-refused", standby, seconds=TIMEOUT_CYCLES * context.interval_seconds + 5
    )
    context.measure_since_zero("refused_seconds", refused.at)
    context.expect(
        "the notice contains the error with which RDS refused the failover",
        REFUSAL in str(refused.message["evidence"].get("error")),
        str(refused.message["evidence"].get("error")),
    )
    context.wait_cycles(HELD_CYCLES, standby)
    writes = [one for one in context.attempts_since(outage.at) if one.acknowledged]
    accepted = [call for call in context.calls_since(context.zero) if call.accepted]
    context.expect(
        "no cluster was promoted while RDS refused the failover",
        context.recorder.promoted_at(standby) is None and not accepted and not writes,
        f"{len(accepted)} calls accepted, {len(writes)} writes acknowledged since the outage",
    )


def _expect_no_two_writers(context: DrillContext) -> None:
    both = [writable for at, writable in tuple(context.recorder.writable_clusters) if at >= context.zero]
    context.expect(
        "at most one cluster accepted writes while the old region was unreachable",
        all(len(writable) <= 1 for writable in both),
        "; ".join(" and ".join(sorted(writable)) or "no cluster" for writable in both),
    )


def _expect_detached_cluster_leads(context: DrillContext, outage: PlayedOutage, since: float) -> None:
    """Check that the return of the old writer, which still accepts writes, moves no client."""
    standby = outage.standby
    returned_at = time.time()
    context.wait_for_notice("standby-missing", outage.lost, seconds=TIMEOUT_CYCLES * context.interval_seconds)
    context.wait_cycles(HELD_CYCLES)
    _expect_name_stayed(context, standby, "after the old region returned", answers_since=returned_at, since=since)


def _return_to_two_members(context: DrillContext, outage: PlayedOutage, since: float) -> None:
    """Lead back to a global database with two members, while the clients write to the detached cluster."""
    environment, lost, standby = context.environment, outage.lost, outage.standby
    began_at = time.time()
    deleted = delete_old_writer(context, lost)
    # On AWS each step takes minutes: the controllers meet every state in between.
    context.wait_cycles(HELD_CYCLES, standby)
    start_new_global_database(context, standby)
    context.wait_cycles(HELD_CYCLES, standby)
    add_secondary(context, lost, deleted, writer=standby)
    context.wait_cycles(HELD_CYCLES)
    context.measure("way_back_seconds", time.time() - began_at)
    described = environment.clients("rds", standby.name).describe_global_clusters(
        GlobalClusterIdentifier=environment.global_cluster_id
    )["GlobalClusters"][0]
    members = {
        each["DBClusterArn"]: (each["IsWriter"], each["SynchronizationStatus"])
        for each in described["GlobalClusterMembers"]
    }
    context.expect(
        "the new global database has the detached cluster as its writer and a synchronized secondary",
        members == {standby.cluster_arn: (True, "connected"), lost.cluster_arn: (False, "connected")},
        str({arn.rpartition(":")[2]: state for arn, state in members.items()}),
    )
    _expect_name_stayed(context, standby, "throughout the way back", answers_since=began_at, since=since)
    expect_every_write_acknowledged(context, since)
    expect_no_write_after_outage(context, outage)


def _expect_name_stayed(
    context: DrillContext, region: RegionFacts, description: str, *, answers_since: float, since: float
) -> None:
    """Check that the writer's name led to a region, and that its controller reported it as the writer in every cycle."""
    answers = context.dns_answers_since(answers_since)
    reported = {
        name: sorted(
            {
                value
                for statistic in ("Minimum", "Maximum")
                for value in context.recorder.values(region, name, statistic, since=since)
            }
        )
        for name in ("WriterRole", "NoWriter")
    }
    context.expect(
        f"{context.environment.writer_name} stayed with {region.name} {description}",
        bool(answers) and set(answers) == {region.name} and reported == {"WriterRole": [1.0], "NoWriter": [0.0]},
        f"{len(answers)} answers: {', '.join(sorted({each or 'no address' for each in answers}))}; metrics {reported}",
    )
