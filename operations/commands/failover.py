"""The command `failover`: promote the standby by hand when its controller can't or may not.

Invariant: no call while the writer seems reachable, unless the operator overrides this check, and no call while the controller's own
failover is in progress. The controllers are not disarmed: the standby's does not act while RDS shows an operation.
"""

from collections.abc import Iterator
from functools import partial

from functions.failover_controller.model import State
from operations.aws.table_items import OperatorReason
from operations.commands.context import CommandContext
from operations.commands.move_steps import (
    Blocker,
    MoveOptions,
    MoveResult,
    cluster_blockers,
    cluster_text,
    controller_text,
    follow_operation,
    record,
    refuse_if_any,
    run_move,
)
from operations.commands.move_topology import Topology, read_topology
from operations.support.errors import AwsError, ExitCode, OperationRefusedError, UsageProblemError
from operations.support.times import age_text, utc_text

HEARTBEAT_FRESH_SECONDS = 30.0
SNAPSHOT = "rds:unplanned-global-failover-..."


def fail_over(
    context: CommandContext,
    *,
    accepts_data_loss: bool,
    even_if_alive: bool,
    only_resume: bool,
    reason: str,
    options: MoveOptions,
) -> ExitCode:
    """Make the standby the writer; writes that were not replicated are lost."""
    if not accepts_data_loss and not only_resume:
        raise UsageProblemError(
            "failover: the last writes may be lost, which only the owner of the data can accept",
            hint="If the writer's region is reachable, `switchover` loses nothing. If it is lost: --accept-data-loss.",
        )
    found = read_topology(context, with_probes=True)
    target = found.standby.region
    if found.global_cluster.operation is not None:
        return follow_operation(context, found, None, options, _show_result)
    if only_resume:
        raise OperationRefusedError(
            f"failover --resume: no operation is in progress, and {found.writer.region.name} is the writer",
            hint="The failover has ended, or never started: check `status` and `history`.",
        )
    _show_plan(context, found)
    refuse_if_any(context, blockers_of(context, found, even_if_alive=even_if_alive))
    context.confirm(f"Fail over to {target.name}, and lose the writes that it has not received?")
    _record(context, found, reason)
    call = partial(context.move_api(target).fail_over, target.cluster_arn)
    _show_result(context, run_move(context, target, options, call=call))
    return ExitCode.DONE


def blockers_of(context: CommandContext, found: Topology, *, even_if_alive: bool) -> Iterator[Blocker]:
    """Yield the reasons that forbid a failover by hand now."""
    standby, where = found.standby, found.standby.region.name
    if standby.global_cluster is None:
        yield Blocker(
            problem=f"the RDS API in {where}, where a failover is called, does not respond",
            hint="Try again; only that API can promote the cluster.",
        )
    yield from cluster_blockers(standby)
    versions = {region.cluster.engine_version for region in (found.writer, standby) if region.cluster is not None}
    if len(versions) > 1:
        yield Blocker(
            problem=f"the engine versions differ: {' and '.join(sorted(versions))}",
            hint="AWS refuses a failover between different versions. Open a support case.",
        )
    state = standby.controller_state
    if state is not None and state.attempt is not None:
        yield Blocker(
            problem=f"the controller in {where} started a failover at {utc_text(state.attempt.started_at)}",
            hint="Follow this failover with `status`. Do not start a second one before it has ended.",
        )
    evidence = list(writer_evidence(context, found))
    if evidence and not even_if_alive:
        yield Blocker(
            problem=f"the writer seems reachable: {', '.join(evidence)}",
            hint="`switchover` loses nothing while the writer is reachable. To override: --even-if-the-writer-answers.",
        )


def writer_evidence(context: CommandContext, found: Topology) -> Iterator[str]:
    """Yield the evidence that the writer is running."""
    writer, standby = found.writer, found.standby
    if writer.own_probe is not None and writer.own_probe.is_alive:
        yield f"the health_check in {writer.region.name} reaches the writer"
    if standby.peer_probe is not None and standby.peer_probe.is_alive:
        yield f"the health_check in {standby.region.name} reaches the writer over the peering connection"
    state = standby.controller_state
    if state is not None and state.dead_since is None and state.heartbeat_seen_at is not None:
        age_seconds = (context.now() - state.heartbeat_seen_at).total_seconds()
        if age_seconds <= HEARTBEAT_FRESH_SECONDS:
            yield f"the writer's heartbeats arrive, the last one {age_text(age_seconds)} ago"


def _show_plan(context: CommandContext, found: Topology) -> None:
    note = context.screen.note
    writer, standby = found.writer, found.standby
    note(f"Plan: FAILOVER of {context.deployment.global_cluster_id}; writes that were not replicated are lost")
    note(f"  writer now   {writer.region.name}: {cluster_text(writer)}")
    note(f"  writer then  {standby.region.name}: {cluster_text(standby)}")
    note(f"  synchronized {found.global_cluster.synchronization.get(standby.region.cluster_arn, 'unknown')}")
    note(f"  reachable?   {'; '.join(writer_evidence(context, found)) or 'no evidence that the writer is running'}")
    for path, probe in (
        ("health_check in the writer's region", writer.own_probe),
        ("health_check over the peering", standby.peer_probe),
    ):
        result = (
            "did not respond"
            if probe is None
            else probe.problem or ("accepts writes" if probe.takes_writes else "accepts connections")
        )
        note(f"               {path}: {result}")
    note(f"  controller   {standby.region.name}: {controller_text(standby, context)}")
    for line in _controller_evidence(standby.controller_state):
        note(f"               {line}")
    note("  controllers  stay armed: they do not act while RDS shows an operation, and RDS runs one at a time")
    note(f"  afterwards   AWS keeps the old volume as a snapshot {SNAPSHOT} when {writer.region.name} returns")


def _controller_evidence(state: State | None) -> Iterator[str]:
    if state is None:
        yield "the controller's state can't be read: the possible data loss is unknown"
        return
    if state.dead_since is not None:
        yield f"the writer is unreachable since {utc_text(state.dead_since)}, for {state.dead_cycles} cycles"
    if state.lag_ms is None or state.lag_at is None:
        yield "estimated loss: unknown, the lag was never measured"
    else:
        yield (
            f"estimated loss: the writes of the last {state.lag_ms:g} ms before the writer stopped; "
            f"the lag was measured at {utc_text(state.lag_at)}"
        )
    if state.heartbeats:
        yield f"newest heartbeat received: {state.heartbeats[-1]}"
    if state.pending is not None:
        yield (
            f"requests approval of decision {state.pending.id}: {state.pending.verdict}; "
            "`approve` would do the same and record it"
        )
    if state.notified:
        yield f"notified: {', '.join(state.notified)}"


def _record(context: CommandContext, found: Topology, reason: str) -> None:
    """Record the failover; an unwritable table must not block it."""
    state = found.standby.controller_state
    evidence: dict[str, object] = {
        "why": reason,
        "from": found.writer.region.name,
        "dead_since": None if state is None or state.dead_since is None else utc_text(state.dead_since),
        "lag_before_outage_ms": None if state is None else state.lag_ms,
        "decision_id": None if state is None or state.pending is None else state.pending.id,
        "signs_of_life": list(writer_evidence(context, found)),
    }
    try:
        record(context, found.standby.region, OperatorReason.FAILOVER, evidence)
    except (AwsError, OperationRefusedError) as error:
        context.screen.note(
            f"NOT RECORDED in the audit trail: {error.message}. The failover continues; write down who did this and why."
        )


def _show_result(context: CommandContext, result: MoveResult) -> None:
    origin, target = result.origin.name, result.target.name
    steps = [
        f"When {origin} returns: copy its snapshot {SNAPSHOT} before its retention ends. It holds the writes that were lost: "
        f"aws rds describe-db-cluster-snapshots --snapshot-type automated --region {origin}",
        f"When `status` shows {origin} as a connected standby, switch back at a time of your choice: "
        + context.with_stack_options(f"python -m operations switchover --to {origin}"),
        "Check the switch in `status`; run `arm` if it is disarmed.",
    ]
    context.screen.result(
        {"from": origin, "writer": target, "changed": True, "seconds": result.seconds, "next": steps},
        [
            f"{target} is the writer.",
            *(f"  {phase}: after {seconds:g} s" for phase, seconds in result.seconds.items()),
            "Next:",
            *(f"  {number}. {step}" for number, step in enumerate(steps, 1)),
        ],
    )
