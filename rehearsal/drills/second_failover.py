"""The second failover: the region that had taken over is lost too, and home takes over again.

Owns: this play, which begins and ends in a calm world (calm.py). Does not own: every course of the name's health checks,
which tests/integration/test_dns_second_failover.py goes through without waiting.
"""

from __future__ import annotations

from rehearsal.drills.baseline import wait_for_calm
from rehearsal.drills.context import DrillContext
from rehearsal.drills.expectations import (
    MOST_CYCLES_TO_CALL,
    expect_audit_trail,
    expect_call_in_time,
    expect_dns_after_promotion,
    expect_loss_within_lag,
    expect_never_two_writers,
    expect_no_write_in_the_dark,
    expect_one_call_sent,
    expect_one_failover,
    expect_told_once,
)
from rehearsal.drills.failover_steps import follow_failover, lose_region, wait_for_call, wait_until_writer
from rehearsal.drills.operator import switch_over
from rehearsal.report.model import EventKind

TOLD = ("region-lost", "failover-completed")


def play_second_failover(stage: DrillContext) -> None:
    """The writer sits in the secondary region, and that region is lost: home takes over by itself, and the name comes home."""
    world = stage.world
    home, away = world.primary, world.secondary
    world.move_client(home)
    stage.happened(f"the client moves to {home.name}", EventKind.NOTE, home.name)
    switch_over(stage, source=home, target=away)
    wait_until_writer(stage, away)
    wait_for_calm(stage, f"a calm world with the writer in {away.name}", writer=away)
    outage = lose_region(stage, "the loss of the region that had taken over")
    call = wait_for_call(stage, cycles=20)
    call_seconds = stage.measure_since_zero("outage_to_call_seconds", call.at)
    failover = follow_failover(stage, call, home)
    expect_call_in_time(stage, call_seconds, most_cycles=MOST_CYCLES_TO_CALL)
    expect_dns_after_promotion(stage, failover)
    stage.expect(
        f"{world.writer_name} came home while the other region was dark, and nobody edited a record",
        outage.lost.name in world.network.failed_regions
        and stage.dns_answers_since(failover.dns_at)[-1:] == [home.name],
        f"{failover.dns_at - failover.promoted_at:.2f} s after the promotion",
    )
    expect_no_write_in_the_dark(stage, outage.at, outage.lost)
    expect_one_failover(stage, call, home)
    expect_one_call_sent(stage)
    expect_never_two_writers(stage)
    expect_loss_within_lag(stage, outage)
    expect_told_once(stage, home, TOLD)
    expect_audit_trail(stage, home, TOLD)
