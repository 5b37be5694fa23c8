"""Drills that disturb the failover itself: a lost response, a killed controller, several controllers."""

from __future__ import annotations

import json
import threading

from rehearsal.cloud.faults import ApiFault
from rehearsal.drills.context import DrillContext
from rehearsal.drills.expectations import (
    MAX_CYCLES_TO_CALL,
    expect_call_in_time,
    expect_clean_failover,
    expect_dns_after_call,
    expect_no_write_after_outage,
)
from rehearsal.drills.failover_steps import (
    fail_writer_region,
    wait_for_call,
    wait_for_failover,
    wait_for_promotion,
)
from rehearsal.drills.lambda_processes import kill_processes
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind

CALL_TIMEOUT_SECONDS = 10.0
"""The controller's timeout for its failover call."""
CALL_SETTLES_SECONDS = 25.0
"""Time within which a call may still take effect; the controller does not repeat it earlier."""
MAX_RESTART_SECONDS = 10.0
EXTRA_CONTROLLERS = 2
NOTICES = ("region-lost", "failover-completed")


def play_answer_lost(context: DrillContext) -> None:
    """The failover call takes effect but times out: the controller detects the failover and does not repeat the call."""
    standby = context.environment.standby
    fault = context.environment.faults.add(
        ApiFault(
            service="rds", operation="FailoverGlobalCluster", caller_region=standby.name, lose_answer=True, times=1
        )
    )
    outage = fail_writer_region(context)
    call = wait_for_call(context)
    failover = wait_for_failover(context, standby)
    completed = context.wait_for_notice("failover-completed", standby, seconds=CALL_TIMEOUT_SECONDS)
    context.measure("call_to_completed_seconds", completed.at - call.at)
    context.expect(
        "the controller detected the completed failover before the call timed out",
        completed.at - call.at < CALL_TIMEOUT_SECONDS,
        f"{completed.at - call.at:.2f} s after the call; timeout {CALL_TIMEOUT_SECONDS:g} s",
    )
    # Include what the controller does when its call times out.
    context.sleep_cycles((call.at + CALL_TIMEOUT_SECONDS - completed.at) / context.interval_seconds + 2)
    context.expect("the response was lost", fault.fired_count == 1, f"{fault.fired_count} responses lost")
    expect_call_in_time(context)
    expect_dns_after_call(context, failover)
    expect_no_write_after_outage(context, outage)
    expect_clean_failover(context, outage, NOTICES)


def play_controller_killed(context: DrillContext) -> None:
    """The controller is killed between its intent and the call: the next invocation completes the attempt."""
    environment = context.environment
    standby = environment.standby
    fault = environment.faults.add(
        ApiFault(service="rds", operation="FailoverGlobalCluster", caller_region=standby.name, hang=True, times=1)
    )
    outage = fail_writer_region(context)
    context.wait_for(
        "the call that does not reach RDS", lambda: fault.fired_count == 1, seconds=20 * context.interval_seconds
    )
    unsent_call = [one for one in environment.faults.fired if one.operation == "FailoverGlobalCluster"][-1]
    context.measure_since_zero("held_call_seconds", unsent_call.at)
    killed = kill_processes(environment, standby.failover_controller_function, standby.name)
    context.recorder.record(
        f"the controller is killed ({killed} processes) before its call reaches RDS", EventKind.OUTAGE, standby.name
    )
    attempt = context.recorder.state(standby).get("attempt", {})
    context.expect(
        "the killed controller left its intent in the table and made no call",
        attempt.get("status") == "intended" and killed >= 1 and not context.calls_since(context.zero),
        f"attempt {attempt.get('id')} {attempt.get('status')}, {killed} processes killed, "
        f"{len(context.calls_since(context.zero))} calls arrived",
    )
    environment.start_controller(standby)
    context.recorder.record(
        "the next scheduled invocation starts (on AWS within a minute)", EventKind.NOTE, standby.name
    )
    call = wait_for_call(context, cycles=(CALL_SETTLES_SECONDS + MAX_RESTART_SECONDS) / context.interval_seconds)
    context.measure("held_to_call_seconds", call.at - unsent_call.at)
    wait_for_promotion(context, standby)
    context.expect(
        "the successor waited until the first call could no longer take effect",
        call.at - unsent_call.at >= CALL_SETTLES_SECONDS - context.interval_seconds,
        f"{call.at - unsent_call.at:.2f} s after the first call",
    )
    expect_call_in_time(
        context,
        max_cycles=MAX_CYCLES_TO_CALL + (CALL_SETTLES_SECONDS + MAX_RESTART_SECONDS) / context.interval_seconds,
    )
    completed = context.wait_for_notice("failover-completed", standby, seconds=0)
    evidence = completed.message["evidence"]
    context.expect(
        "the successor completed the same attempt",
        evidence.get("attempt") == attempt.get("id") and evidence.get("calls") == 2,
        f"attempt {evidence.get('attempt')}, {evidence.get('calls')} calls",
    )
    expect_no_write_after_outage(context, outage)
    expect_clean_failover(context, outage, NOTICES, may_repeat=True)


def play_two_controllers(context: DrillContext) -> None:
    """Extra controllers start while a decision is pending: exactly one call."""
    environment = context.environment
    standby = environment.standby
    functions = environment.clients("lambda", standby.name)
    name = standby.failover_controller_function
    reserved = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    if reserved is not None:
        raised = reserved + 2 * EXTRA_CONTROLLERS
        functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=raised)
    lease_version = int(context.recorder.item(standby, "lease")["version"])
    try:
        outage = fail_writer_region(context)
        _start_extra_controllers(context, standby)
        context.wait_for(
            "the second failing cycle",
            lambda: (
                int(context.recorder.state(standby).get("dead_cycles", 0)) >= 2
                or bool(context.calls_since(context.zero))
            ),
            seconds=20 * context.interval_seconds,
        )
        _start_extra_controllers(context, standby)
        wait_for_call(context)
        wait_for_promotion(context, standby)
    finally:
        if reserved is not None:
            functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    context.measure("controllers_started", 2 * EXTRA_CONTROLLERS)
    # Each change of the lease holder may cost one cycle.
    expect_call_in_time(context, max_cycles=2 * MAX_CYCLES_TO_CALL)
    taken = int(context.recorder.item(standby, "lease")["version"]) - lease_version
    context.measure("leases_taken", taken)
    context.expect(
        "the lease changed hands while the decision was pending",
        taken >= 2,
        f"{taken} leases taken by {2 * EXTRA_CONTROLLERS} extra controllers and the scheduled one",
    )
    expect_no_write_after_outage(context, outage)
    expect_clean_failover(context, outage, NOTICES)


def _start_extra_controllers(context: DrillContext, region: RegionFacts) -> None:
    """Start the extra controllers simultaneously."""
    ready = threading.Barrier(EXTRA_CONTROLLERS)
    functions = context.environment.clients("lambda", region.name)

    def start() -> None:
        ready.wait()
        functions.invoke(
            FunctionName=region.failover_controller_function,
            InvocationType="Event",
            Payload=json.dumps({"source": "schedule"}).encode(),
        )

    threads = [threading.Thread(target=start, name=f"start-{number}") for number in range(EXTRA_CONTROLLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    context.recorder.record(
        f"{EXTRA_CONTROLLERS} extra controllers start in {region.name}", EventKind.NOTE, region.name
    )
