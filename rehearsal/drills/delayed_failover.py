"""Drills in which the standby takes over, but only when something else is over: a grace, a question, a switch, a throttle.

Owns: these plays. Each begins and ends in a calm world (calm.py).
"""

from __future__ import annotations

import time

from rehearsal.cloud.faults import ApiFault
from rehearsal.drills.context import DrillContext
from rehearsal.drills.expectations import (
    MOST_CYCLES_TO_CALL,
    expect_audit_trail,
    expect_call_in_time,
    expect_dns_after_promotion,
    expect_loss_was_possible,
    expect_loss_within_lag,
    expect_never_two_writers,
    expect_no_write_in_the_dark,
    expect_one_call_sent,
    expect_one_failover,
    expect_told_once,
)
from rehearsal.drills.failover_steps import (
    Outage,
    follow_failover,
    lose_region,
    lost_rows,
    observe_outage,
    wait_for_call,
)
from rehearsal.drills.operator import approve, set_switch
from rehearsal.drills.recorder import Notice
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind

HELD_CYCLES = 5
HELD_CYCLES_ONCE_TOLD = 3
PATIENCE_CYCLES = 30
"""For a notice that must come: on a busy machine a cycle that sees nothing begins the count anew."""
MOST_CYCLES_AFTERWARDS = 3
"""From the end of what held it to the call: one cycle to see it, one that was under way, one to spare."""
HIGH_LAG_SHARE = 1.3
CLOCK_SKEW_SECONDS = 5.0
"""More than twice what a heartbeat must be quiet for: whoever compared two machines' clocks would be wrong either way."""


def play_writer_down(stage: DrillContext) -> None:
    """The writer's databases are down while its region lives: Aurora gets the grace, then the standby takes over."""
    world = stage.world
    grace_seconds = world.policy.in_region_grace_seconds
    outage = observe_outage(stage, "the crash", world.crash_databases)
    stage.happened(
        f"{outage.lost.cluster_id} refuses connections; its region lives", EventKind.OUTAGE, outage.lost.name
    )
    call = wait_for_call(stage, cycles=grace_seconds / stage.interval_seconds + 10)
    call_seconds = stage.measure_since_zero("outage_to_call_seconds", call.at)
    failover = follow_failover(stage, call, outage.standby)
    stage.expect(
        "nothing was called within the grace",
        call_seconds >= grace_seconds,
        f"called {call_seconds:.2f} s after the crash; grace {grace_seconds} s",
    )
    expect_call_in_time(
        stage, call_seconds, most_cycles=grace_seconds / stage.interval_seconds + MOST_CYCLES_TO_CALL, since="the crash"
    )
    expect_dns_after_promotion(stage, failover)
    _expect_one_clean_failover(stage, outage, ("in-region-grace", "writer-down", "failover-completed"))


def play_lag_too_high(stage: DrillContext) -> None:
    """The standby is further behind than may be lost: it asks, and acts only on a person's word."""
    world = stage.world
    standby = world.standby
    most_seconds = world.policy.max_data_loss_seconds
    world.database.replication_lag_seconds = HIGH_LAG_SHARE * most_seconds
    stage.happened(f"the standby falls {HIGH_LAG_SHARE * most_seconds:g} s behind", EventKind.OUTAGE, standby.name)
    stage.wait_cycles(3)
    outage = lose_region(stage)
    notice = stage.wait_for_notice("lag-too-high", standby, seconds=PATIENCE_CYCLES * stage.interval_seconds)
    stage.measure_since_zero("asked_seconds", notice.at)
    stage.wait_cycles_in(standby, HELD_CYCLES_ONCE_TOLD)
    _expect_held(stage, "no person had approved")
    lag_ms = notice.message["evidence"]["lag_before_outage_ms"]
    stage.expect(
        "the notice names the loss that is to be decided",
        lag_ms > most_seconds * 1000,
        f"lag {lag_ms} ms, may lose {most_seconds:g} s",
    )
    approved_at = _approve_what_was_asked(stage, standby, notice)
    _follow_held_failover(stage, outage, approved_at, "the approval")
    expect_no_write_in_the_dark(stage, outage.at, outage.lost)
    expect_loss_within_lag(stage, outage)
    expect_loss_was_possible(stage, outage)
    _expect_one_clean_failover(stage, outage, ("lag-too-high", "region-lost", "failover-completed"), check_loss=False)


def play_region_errs(stage: DrillContext) -> None:
    """Database and replication are gone, and the region's Lambda API errs instead of falling silent: a person is asked."""
    world = stage.world
    standby = world.standby
    grace_seconds = world.policy.in_region_grace_seconds

    def begin(lost: RegionFacts) -> None:
        world.crash_databases(lost)
        world.faults.add(
            ApiFault(
                service="lambda",
                caller_region=standby.name,
                target_region=lost.name,
                error_code="ServiceException",
                error_message="Internal Error",
                error_status=500,
            )
        )

    outage = observe_outage(stage, "the outage", begin)
    stage.happened(
        f"{outage.lost.name} is half lost: its database is gone, its Lambda API errs",
        EventKind.OUTAGE,
        outage.lost.name,
    )
    notice = stage.wait_for_notice(
        "region-unclear", standby, seconds=grace_seconds + PATIENCE_CYCLES * stage.interval_seconds
    )
    asked_seconds = stage.measure_since_zero("asked_seconds", notice.at)
    stage.expect(
        "nobody was asked within the grace",
        asked_seconds >= grace_seconds,
        f"asked {asked_seconds:.2f} s after the outage; grace {grace_seconds} s",
    )
    stage.wait_cycles_in(standby, HELD_CYCLES_ONCE_TOLD)
    _expect_held(stage, "no person had approved")
    approved_at = _approve_what_was_asked(stage, standby, notice)
    _follow_held_failover(stage, outage, approved_at, "the approval")
    _expect_one_clean_failover(
        stage, outage, ("peer-unknown", "region-unclear", "region-impaired", "failover-completed")
    )


def play_disarmed(stage: DrillContext) -> None:
    """The off-switch is set when the region is lost: nothing happens until a person arms again."""
    standby = stage.world.standby
    set_switch(stage, standby, armed=False, reason="a maintenance window")
    stage.wait_cycles_in(standby, 2)
    outage = lose_region(stage)
    notice = stage.wait_for_notice("disarmed", standby, seconds=PATIENCE_CYCLES * stage.interval_seconds)
    stage.measure_since_zero("told_seconds", notice.at)
    stage.wait_cycles_in(standby, HELD_CYCLES_ONCE_TOLD)
    _expect_held(stage, "it was disarmed")
    armed_at = time.time()
    set_switch(stage, standby, armed=True, reason="take over")
    _follow_held_failover(stage, outage, armed_at, "arming")
    expect_no_write_in_the_dark(stage, outage.at, outage.lost)
    _expect_one_clean_failover(stage, outage, ("disarmed", "region-lost", "failover-completed"))


def play_clock_skew(stage: DrillContext) -> None:
    """The writer's clock is behind, so that heartbeats look old, then ahead, so that they look new: neither changes a thing."""
    world = stage.world
    lost, standby = world.writer, world.standby
    for skew_seconds, words in ((-CLOCK_SKEW_SECONDS, "behind"), (CLOCK_SKEW_SECONDS, "ahead")):
        since = time.time()
        world.cluster(lost).clock_skew_seconds = skew_seconds
        stage.happened(f"{lost.cluster_id}'s clock is {CLOCK_SKEW_SECONDS:g} s {words}", EventKind.OUTAGE, lost.name)
        stage.wait_cycles(HELD_CYCLES)
        age_ms = stage.watch.metric(standby, "HeartbeatAge", "Maximum", since=since)
        stage.measure(f"heartbeat_age_with_clock_{words}_ms", age_ms or 0.0)
        calls = stage.calls_since(since)
        stage.expect(f"nothing was called while the clock was {words}", not calls, f"{len(calls)} calls")
    outage = lose_region(stage)
    call = wait_for_call(stage, cycles=20)
    call_seconds = stage.measure_since_zero("outage_to_call_seconds", call.at)
    follow_failover(stage, call, outage.standby)
    world.cluster(lost).clock_skew_seconds = 0.0
    stage.happened(f"{lost.cluster_id}'s clock is set right", EventKind.RECOVERY, lost.name)
    expect_call_in_time(stage, call_seconds, most_cycles=MOST_CYCLES_TO_CALL)
    expect_no_write_in_the_dark(stage, outage.at, outage.lost)
    _expect_one_clean_failover(stage, outage, ("region-lost", "failover-completed"))


def play_throttled(stage: DrillContext) -> None:
    """The standby's RDS API throttles while the region is lost: it holds, and acts when the API answers again."""
    world = stage.world
    standby, since = world.standby, time.time()
    fault = world.faults.add(
        ApiFault(
            service="rds",
            caller_region=standby.name,
            error_code="Throttling",
            error_message="Rate exceeded",
            error_status=400,
        )
    )
    stage.happened(f"{standby.name}'s RDS API throttles", EventKind.OUTAGE, standby.name)
    stage.wait_cycles_in(standby, 1)
    outage = lose_region(stage)
    stage.wait_cycles_in(standby, HELD_CYCLES)
    _expect_held(stage, "the RDS API throttled")
    tried = [one for one in world.faults.fired if one.at >= outage.at and one.operation == "FailoverGlobalCluster"]
    stage.expect(
        "no call was tried blindly", not tried, f"{fault.fired_count} calls throttled, {len(tried)} of them failovers"
    )
    world.faults.remove(fault)
    over_at = time.time()
    stage.happened(f"{standby.name}'s RDS API answers again", EventKind.RECOVERY, standby.name)
    _follow_held_failover(stage, outage, over_at, "the end of the throttling")
    expect_no_write_in_the_dark(stage, outage.at, outage.lost)
    # People may hear of the throttling before the outage: nobody controls how many cycles pass between the two.
    _expect_one_clean_failover(stage, outage, ("rds-blind", "region-lost", "failover-completed"), told_since=since)


def play_flapping(stage: DrillContext) -> None:
    """The writer's region comes and goes, stays away, and comes and goes again: one failover, and none back."""
    world = stage.world
    lost, standby = world.writer, world.standby
    since = time.time()
    flaps = 3
    for _ in range(flaps):
        _flap(stage, lost, dark_cycles=1.5, light_cycles=2.0)
    calls = stage.calls_since(since)
    stage.expect(f"{flaps} short absences moved nothing", not calls, f"{len(calls)} calls")
    outage = lose_region(stage, "the absence that stays")
    call = wait_for_call(stage, cycles=20)
    call_seconds = stage.measure_since_zero("outage_to_call_seconds", call.at)
    world.network.restore(lost.name)
    stage.happened(f"{lost.name} is back while the failover is under way", EventKind.RECOVERY, lost.name)
    stage.let_pass(1)
    for _ in range(flaps):
        _flap(stage, lost, dark_cycles=1.5, light_cycles=1.0)
    stage.wait_cycles_in(standby, 3)
    expect_call_in_time(stage, call_seconds, most_cycles=MOST_CYCLES_TO_CALL)
    stage.measure("absences", 2 * flaps + 1)
    late = lost_rows(stage) - outage.lost_before - set(outage.acknowledged)
    stage.measure("lost_rows_after_return", len(late))
    _expect_one_clean_failover(stage, outage, ("region-lost", "failover-completed"))


def _flap(stage: DrillContext, region: RegionFacts, *, dark_cycles: float, light_cycles: float) -> None:
    stage.world.network.fail(region.name)
    stage.happened(f"{region.name} goes dark for {dark_cycles:g} cycles", EventKind.OUTAGE, region.name, label="flap")
    stage.let_pass(dark_cycles)
    stage.world.network.restore(region.name)
    stage.happened(f"{region.name} answers again", EventKind.RECOVERY, region.name, label="back")
    stage.let_pass(light_cycles)


def _follow_held_failover(stage: DrillContext, outage: Outage, released_at: float, released_by: str) -> None:
    call = wait_for_call(stage, cycles=20)
    stage.measure_since_zero("outage_to_call_seconds", call.at)
    waited_seconds = call.at - released_at
    stage.measure("released_to_call_seconds", waited_seconds)
    failover = follow_failover(stage, call, outage.standby)
    expect_call_in_time(stage, waited_seconds, most_cycles=MOST_CYCLES_AFTERWARDS, since=released_by)
    expect_dns_after_promotion(stage, failover)


def _approve_what_was_asked(stage: DrillContext, standby: RegionFacts, notice: Notice) -> float:
    """Approve the decision that a notice names, which must be the pending one; return when."""
    decision_id = str(notice.message["evidence"].get("decision_id", ""))
    pending = stage.watch.state(standby).get("pending", {})
    stage.expect(
        "the notice names the decision that is pending",
        bool(decision_id) and decision_id == pending.get("id"),
        f"asked for {decision_id}, pending {pending.get('id')}: {pending.get('verdict')}",
    )
    approved_at = time.time()
    approve(stage, standby, decision_id)
    return approved_at


def _expect_held(stage: DrillContext, because: str) -> None:
    calls = stage.calls_since(stage.zero)
    held_cycles = (time.time() - stage.zero) / stage.interval_seconds
    stage.expect(
        f"nothing was called while {because}",
        not calls and held_cycles > MOST_CYCLES_TO_CALL,
        f"{len(calls)} calls in {held_cycles:.1f} cycles",
    )


def _expect_one_clean_failover(
    stage: DrillContext,
    outage: Outage,
    notified: tuple[str, ...],
    *,
    check_loss: bool = True,
    told_since: float | None = None,
) -> None:
    """`told_since` is for what people may hear of before the outage, which is when the notices are counted from otherwise."""
    call = wait_for_call(stage, cycles=1)
    expect_one_failover(stage, call, outage.standby)
    expect_one_call_sent(stage)
    expect_never_two_writers(stage)
    if check_loss:
        expect_loss_within_lag(stage, outage)
    expect_told_once(stage, outage.standby, notified, since=told_since)
    expect_audit_trail(stage, outage.standby, notified)
