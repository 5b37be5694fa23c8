"""The four first drills: the story that everybody sees. Calm, a lost region, its return, and the way home.

Owns: these plays. They follow each other: each begins where the one before ended.
"""

from __future__ import annotations

import time

from rehearsal.drills.baseline import wait_for_calm
from rehearsal.drills.context import DrillContext
from rehearsal.drills.expectations import (
    MOST_CYCLES_TO_CALL,
    expect_audit_trail,
    expect_call_in_time,
    expect_cycles,
    expect_dns_after_promotion,
    expect_dns_stays,
    expect_every_write_acknowledged,
    expect_loss_was_possible,
    expect_loss_within_lag,
    expect_never_two_writers,
    expect_no_calls,
    expect_no_write_in_the_dark,
    expect_nobody_told,
    expect_one_failover,
    expect_short_cycles,
    expect_told_once,
)
from rehearsal.drills.failover_steps import (
    follow_failover,
    lose_region,
    role_by_protocol,
    wait_for_call,
    wait_for_dns,
    wait_for_first_write,
    wait_until_writer,
)
from rehearsal.drills.operator import switch_over
from rehearsal.report.model import EventKind

STEADY_CYCLES = 20
CALM_CYCLES = 10
LAG_IN_DRILLS_SECONDS = 0.3
"""The replication lag that the stand-ins are given, so that a failover has something to lose."""


def play_steady(stage: DrillContext) -> None:
    """Nothing is broken, and nothing may move."""
    # On a busy machine the functions' first start may be slow enough to be told of: that is not the drill's.
    wait_for_calm(stage, "a calm world to begin with", writer=stage.world.primary)
    since = time.time()
    cycles = stage.wait_cycles(STEADY_CYCLES)
    primary = stage.world.primary.name
    expect_cycles(stage, cycles, STEADY_CYCLES)
    expect_no_calls(stage, since)
    expect_dns_stays(stage, since, primary)
    expect_every_write_acknowledged(stage, since)
    expect_nobody_told(stage, since)
    expect_short_cycles(stage, since)
    lag_ms = stage.world.cluster(stage.world.standby).replication_lag_ms()
    stage.measure("replication_lag_ms", lag_ms)
    stage.measure("cycles", min(cycles.values()))
    stage.measure("acknowledged_rows", len([one for one in stage.attempts_since(since) if one.acknowledged]))


def play_region_lost(stage: DrillContext) -> None:
    """The writer's region goes dark: databases, Lambda and AWS API, under a client that keeps writing."""
    stage.world.database.replication_lag_seconds = LAG_IN_DRILLS_SECONDS
    # The lag of before must have left the stream, and the controller must have measured the new one.
    stage.wait_cycles(3)
    outage = lose_region(stage)
    call = wait_for_call(stage, cycles=20)
    call_seconds = stage.measure_since_zero("outage_to_call_seconds", call.at)
    stage.measure("outage_to_call_cycles", call_seconds / stage.interval_seconds)
    failover = follow_failover(stage, call, outage.standby)

    expect_one_failover(stage, call, outage.standby)
    expect_call_in_time(stage, call_seconds, most_cycles=MOST_CYCLES_TO_CALL)
    expect_dns_after_promotion(stage, failover)
    expect_no_write_in_the_dark(stage, outage.at, outage.lost)
    expect_never_two_writers(stage)
    expect_loss_within_lag(stage, outage)
    expect_loss_was_possible(stage, outage)
    expect_told_once(stage, outage.standby, ("region-lost", "failover-completed"))
    expect_audit_trail(stage, outage.standby, ("region-lost", "failover-completed"))


def play_old_region_returns(stage: DrillContext) -> None:
    """The lost region comes back: as a reader, and nothing moves because of it."""
    world = stage.world
    writer, returning = world.writer, world.standby
    stage.mark_zero("the region's return")
    since = stage.zero
    stage.happened(f"{returning.name} answers again", EventKind.RECOVERY, returning.name)
    world.network.restore(returning.name)
    rejoined_at = stage.wait_for(
        f"{returning.cluster_id} follows the writer",
        lambda: time.time() if role_by_protocol(stage, returning) is True else None,
        seconds=30 * stage.interval_seconds,
    )
    stage.measure_since_zero("rejoined_seconds", rejoined_at)
    cycles = stage.wait_cycles(CALM_CYCLES)
    expect_cycles(stage, cycles, CALM_CYCLES)
    stage.expect(
        f"{returning.name} answers as a reader over the MySQL protocol",
        role_by_protocol(stage, returning) is True,
        f"@@innodb_read_only of {returning.cluster_id} asked from {writer.name}",
    )
    expect_no_calls(stage, since)
    expect_dns_stays(stage, since, writer.name)
    expect_every_write_acknowledged(stage, since)
    stage.measure("failover_calls", len(stage.calls_since(since)))


def play_switchover_home(stage: DrillContext) -> None:
    """A person switches back: planned, and no acknowledged row is lost."""
    world = stage.world
    away, home = world.writer, world.standby
    world.database.replication_lag_seconds = LAG_IN_DRILLS_SECONDS
    lost_before = set(stage.ledger.acknowledged_rows()) - stage.ledger.present_rows(away.writer_endpoint)
    stage.mark_zero("the call of the switchover")
    switch_over(stage, source=away, target=home)
    promoted_at = wait_until_writer(stage, home)
    stage.measure_since_zero("switched_seconds", promoted_at)
    dns_at = wait_for_dns(stage, home.name)
    stage.measure_since_zero("dns_moved_seconds", dns_at)
    wait_for_first_write(stage, promoted_at, home, "the client writes at home again")
    stage.wait_cycles(3)

    acknowledged = stage.ledger.acknowledged_rows()
    missing = set(acknowledged) - stage.ledger.present_rows(home.writer_endpoint) - lost_before
    stage.lost_rows |= missing
    stage.measure("lost_rows", len(missing))
    stage.expect(
        "no acknowledged row was lost by the switchover",
        not missing,
        f"{len(acknowledged)} acknowledged, {len(missing)} missing in {home.name}",
    )
    calls = [call for call in stage.calls_since(stage.zero) if call.operation == "failover"]
    stage.expect("no failover was called", not calls, f"{len(calls)} calls of FailoverGlobalCluster")
    stage.expect(
        f"{world.writer_name} answers {home.name} again",
        stage.dns_answers_since(dns_at)[-1:] == [home.name],
        f"moved {dns_at - stage.zero:.2f} s after the call",
    )
    roles = {region.name: role_by_protocol(stage, region) for region in world.regions}
    stage.expect(
        "over the MySQL protocol, home takes writes and the other region reads",
        roles == {home.name: False, away.name: True},
        ", ".join(f"{region}: read_only={read_only}" for region, read_only in roles.items()),
    )
    expect_never_two_writers(stage)
