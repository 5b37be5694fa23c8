"""The drill in which the region that took over fails too. tests/integration/test_dns_second_failover.py covers the DNS details."""

from __future__ import annotations

from rehearsal.drills.baseline import wait_for_baseline
from rehearsal.drills.context import DrillContext
from rehearsal.drills.expectations import (
    expect_call_in_time,
    expect_clean_failover,
    expect_dns_after_call,
    expect_no_write_after_outage,
)
from rehearsal.drills.failover_steps import fail_writer_region, wait_for_call, wait_for_failover, wait_for_writer
from rehearsal.drills.operator import switch_over
from rehearsal.report.model import EventKind


def play_second_failover(context: DrillContext) -> None:
    """The writer is in the secondary region when that region fails: the primary takes over and DNS follows."""
    environment = context.environment
    primary, secondary = environment.primary, environment.secondary
    environment.move_client(primary)
    context.recorder.record(f"the client moves to {primary.name}", EventKind.NOTE, primary.name)
    switch_over(context, source=primary, target=secondary)
    wait_for_writer(context, secondary)
    wait_for_baseline(context, f"the baseline with the writer in {secondary.name}", writer=secondary)
    outage = fail_writer_region(context, "the second outage")
    wait_for_call(context)
    failover = wait_for_failover(context, primary)
    expect_call_in_time(context)
    expect_dns_after_call(context, failover)
    context.expect(
        f"{environment.writer_name} resolved to {primary.name} while {outage.lost.name} was unreachable",
        outage.lost.name in environment.network.failed_regions
        and context.dns_answers_since(failover.dns_at)[-1:] == [primary.name],
        f"{failover.dns_at - failover.promoted_at:.2f} s after the promotion",
    )
    expect_no_write_after_outage(context, outage)
    expect_clean_failover(context, outage, ("region-lost", "failover-completed"))
