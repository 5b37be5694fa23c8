"""Drills in which the act itself is disturbed: its answer is lost, its actor dies, or there are several actors.

Owns: these plays. Each begins and ends in a calm world (calm.py).
"""

from __future__ import annotations

import json
import threading

from rehearsal.cloud.faults import ApiFault
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
from rehearsal.drills.failover_steps import Outage, follow_failover, follow_promotion, lose_region, wait_for_call
from rehearsal.drills.lambda_processes import kill_sandboxes
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind

CALL_TIMES_OUT_SECONDS = 10.0
"""How long the controller waits for an answer to its call."""
CALL_SETTLES_SECONDS = 25.0
"""How long a call may take to show an effect; before, nobody calls again."""
MOST_SECONDS_TO_RESTART = 10.0
MORE_CONTROLLERS = 2
TOLD = ("region-lost", "failover-completed")


def play_answer_lost(stage: DrillContext) -> None:
    """The failover call takes effect, but its answer never comes: it is recognised as done by looking, and not repeated."""
    standby = stage.world.standby
    fault = stage.world.faults.add(
        ApiFault(
            service="rds", operation="FailoverGlobalCluster", caller_region=standby.name, lose_answer=True, times=1
        )
    )
    outage = lose_region(stage)
    call = wait_for_call(stage, cycles=20)
    call_seconds = stage.measure_since_zero("outage_to_call_seconds", call.at)
    failover = follow_failover(stage, call, standby)
    completed = stage.wait_for_notice("failover-completed", standby, seconds=CALL_TIMES_OUT_SECONDS)
    stage.measure("call_to_completed_seconds", completed.at - call.at)
    stage.expect(
        "the failover was known to be complete before the call's answer was given up",
        completed.at - call.at < CALL_TIMES_OUT_SECONDS,
        f"{completed.at - call.at:.2f} s after the call; it is given up after {CALL_TIMES_OUT_SECONDS:g} s",
    )
    # What the controller does when its call times out at last belongs to the drill.
    stage.let_pass((call.at + CALL_TIMES_OUT_SECONDS - completed.at) / stage.interval_seconds + 2)
    stage.expect("the answer really was lost", fault.fired_count == 1, f"{fault.fired_count} answers lost")
    expect_call_in_time(stage, call_seconds, most_cycles=MOST_CYCLES_TO_CALL)
    expect_dns_after_promotion(stage, failover)
    _expect_one_clean_failover(stage, outage)


def play_controller_killed(stage: DrillContext) -> None:
    """The controller's process dies between its intent and the call: its successor finishes, once the call can't show up."""
    world = stage.world
    standby = world.standby
    fault = world.faults.add(
        ApiFault(service="rds", operation="FailoverGlobalCluster", caller_region=standby.name, hang=True, times=1)
    )
    outage = lose_region(stage)
    stage.wait_for("the call that never arrives", lambda: fault.fired_count == 1, seconds=20 * stage.interval_seconds)
    held = [one for one in world.faults.fired if one.operation == "FailoverGlobalCluster"][-1]
    stage.measure_since_zero("held_call_seconds", held.at)
    killed = kill_sandboxes(world, standby.failover_controller_function, standby.name)
    stage.happened(
        f"the controller is killed ({killed} processes), its call held on the way", EventKind.OUTAGE, standby.name
    )
    attempt = stage.watch.state(standby).get("attempt", {})
    stage.expect(
        "the dead controller left its intent in the table, and no call",
        attempt.get("status") == "intended" and killed >= 1 and not stage.calls_since(stage.zero),
        f"attempt {attempt.get('id')} {attempt.get('status')}, {killed} processes killed, "
        f"{len(stage.calls_since(stage.zero))} calls arrived",
    )
    world.start_controller(standby)
    stage.happened(
        "the next start, which the schedule gives within a minute, comes at once", EventKind.NOTE, standby.name
    )
    call = wait_for_call(stage, cycles=(CALL_SETTLES_SECONDS + MOST_SECONDS_TO_RESTART) / stage.interval_seconds)
    call_seconds = stage.measure_since_zero("outage_to_call_seconds", call.at)
    stage.measure("held_to_call_seconds", call.at - held.at)
    follow_promotion(stage, standby)
    stage.expect(
        "the successor waited until the first call could no longer show up",
        call.at - held.at >= CALL_SETTLES_SECONDS - stage.interval_seconds,
        f"{call.at - held.at:.2f} s after the call that was held",
    )
    expect_call_in_time(
        stage,
        call_seconds,
        most_cycles=MOST_CYCLES_TO_CALL + (CALL_SETTLES_SECONDS + MOST_SECONDS_TO_RESTART) / stage.interval_seconds,
    )
    completed = stage.wait_for_notice("failover-completed", standby, seconds=0)
    evidence = completed.message["evidence"]
    stage.expect(
        "the successor finished the dead one's attempt, under its name",
        evidence.get("attempt") == attempt.get("id") and evidence.get("calls") == 2,
        f"attempt {evidence.get('attempt')}, {evidence.get('calls')} calls",
    )
    _expect_one_clean_failover(stage, outage)


def play_two_controllers(stage: DrillContext) -> None:
    """More controllers than are ever deployed start in the midst of a decision: there is one call all the same."""
    world = stage.world
    standby = world.standby
    functions = world.clients("lambda", standby.name)
    name = standby.failover_controller_function
    # Where nothing is reserved, nothing bounds them either.
    reserved = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    if reserved is not None:
        more = reserved + 2 * MORE_CONTROLLERS
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=more)
    lease_version = int(stage.watch.item(standby, "lease")["version"])
    try:
        outage = lose_region(stage)
        _start_at_once(stage, standby)
        stage.wait_for(
            "the second failing cycle",
            lambda: int(stage.watch.state(standby).get("dead_cycles", 0)) >= 2 or bool(stage.calls_since(stage.zero)),
            seconds=20 * stage.interval_seconds,
        )
        _start_at_once(stage, standby)
        call = wait_for_call(stage, cycles=20)
        call_seconds = stage.measure_since_zero("outage_to_call_seconds", call.at)
        follow_promotion(stage, standby)
    finally:
        if reserved is not None:
            functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    stage.measure("controllers_started", 2 * MORE_CONTROLLERS)
    # Each hand-over in the midst of the count may cost the cycle in which it happens.
    expect_call_in_time(stage, call_seconds, most_cycles=2 * MOST_CYCLES_TO_CALL)
    taken = int(stage.watch.item(standby, "lease")["version"]) - lease_version
    stage.measure("leases_taken", taken)
    stage.expect(
        "controllers really took over from each other while the decision was made",
        taken >= 2,
        f"the lease was taken {taken} times by {2 * MORE_CONTROLLERS} more controllers and the schedule's",
    )
    _expect_one_clean_failover(stage, outage)


def _start_at_once(stage: DrillContext, region: RegionFacts) -> None:
    """Start more controllers in the same instant, as far as threads can."""
    ready = threading.Barrier(MORE_CONTROLLERS)
    functions = stage.world.clients("lambda", region.name)

    def start() -> None:
        ready.wait()
        functions.invoke(
            FunctionName=region.failover_controller_function,
            InvocationType="Event",
            Payload=json.dumps({"source": "schedule"}).encode(),
        )

    threads = [threading.Thread(target=start, name=f"start-{number}") for number in range(MORE_CONTROLLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stage.happened(f"{MORE_CONTROLLERS} more controllers start in {region.name}", EventKind.NOTE, region.name)


def _expect_one_clean_failover(stage: DrillContext, outage: Outage) -> None:
    call = wait_for_call(stage, cycles=1)
    expect_one_failover(stage, call, outage.standby)
    expect_one_call_sent(stage)
    expect_no_write_in_the_dark(stage, outage.at, outage.lost)
    expect_never_two_writers(stage)
    expect_loss_within_lag(stage, outage)
    expect_told_once(stage, outage.standby, TOLD)
    expect_audit_trail(stage, outage.standby, TOLD)
