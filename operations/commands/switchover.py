"""The command `switchover`: check, show the plan, ask for confirmation, call RDS, wait until clients can write.

The controllers are not disarmed: they do not act while RDS shows an operation (`operation-under-way`), and the change of roles
starts their cooldown.
"""

from collections.abc import Iterator
from functools import partial

from operations.aws.table_items import OperatorReason
from operations.commands.context import CommandContext
from operations.commands.move_steps import (
    AVAILABLE,
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
from operations.commands.move_topology import RegionSnapshot, Topology, read_topology
from operations.support.errors import ExitCode, OperationRefusedError
from operations.support.times import utc_text

CONNECTED = "connected"
LAG_FRESH_SECONDS = 120.0


def switch_over(
    context: CommandContext, *, to: str | None, max_lag_ms: float, only_resume: bool, reason: str, options: MoveOptions
) -> ExitCode:
    """Make the cluster of the other region, or of `to`, the writer without data loss."""
    wanted = None if to is None else context.deployment.region(to, option="--to")
    found = read_topology(context)
    target = wanted or found.standby.region
    if found.global_cluster.operation is not None:
        return follow_operation(context, found, wanted, options, _show_result)
    if only_resume or target == found.writer.region:
        return _show_no_operation(context, found, to, only_resume=only_resume)
    result = plan_and_switch_over(context, found, max_lag_ms=max_lag_ms, reason=reason, options=options)
    _show_result(context, result)
    return ExitCode.DONE


def plan_and_switch_over(
    context: CommandContext, found: Topology, *, max_lag_ms: float, reason: str, options: MoveOptions, ask: bool = True
) -> MoveResult:
    """Switch over to the standby after the checks, the plan and, with `ask`, the confirmation.

    Raises:
        OperationRefusedError: a blocker exists, or it was not confirmed; no call was made.
        OperationError: raised by the call or while waiting.
    """
    show_plan(context, found, max_lag_ms=max_lag_ms)
    if ask:
        context.confirm(f"Switch over to {found.standby.region.name}?")
    return call_switchover(context, found, reason=reason, options=options)


def call_switchover(context: CommandContext, found: Topology, *, reason: str, options: MoveOptions) -> MoveResult:
    """Record the switchover, make the call and wait for the end. The caller has run all checks and asked for confirmation.

    Raises:
        OperationError: raised by the call or while waiting.
    """
    writer, standby = found.writer.region, found.standby.region
    record(context, standby, OperatorReason.SWITCHOVER, {"why": reason, "from": writer.name})
    call = partial(context.move_api(writer).switch_over, standby.cluster_arn)
    return run_move(context, standby, options, call=call, with_replication=True)


def blockers_of(found: Topology, *, max_lag_ms: float, now: float) -> Iterator[Blocker]:
    """Yield the reasons that forbid a switchover now; `now` in seconds since the epoch."""
    writer, standby = found.writer, found.standby
    if writer.global_cluster is None:
        yield Blocker(
            problem=f"the RDS API in {writer.region.name}, where a switchover is called, does not respond",
            hint="If that region is lost: `failover --accept-data-loss`. If not: try again.",
        )
    if found.global_cluster.status != AVAILABLE:
        yield Blocker(
            problem=f"the global cluster is {found.global_cluster.status}", hint="Wait until it is available."
        )
    for region in (writer, standby):
        yield from cluster_blockers(region)
    versions = [region.cluster.engine_version for region in (writer, standby) if region.cluster is not None]
    if len(set(versions)) > 1:
        yield Blocker(
            problem=f"the engine versions differ: {' and '.join(versions)}",
            hint="Upgrade both clusters to one version first. See the runbook, upgrade of the engine.",
        )
    synchronization = found.global_cluster.synchronization.get(standby.region.cluster_arn, "unknown")
    if synchronization != CONNECTED:
        yield Blocker(
            problem=f"{standby.region.name} is not synchronized: {synchronization}",
            hint="Wait until the standby is connected; the cluster events give the reason.",
        )
    lag_ms = fresh_lag_ms(standby, now)
    if lag_ms is not None and lag_ms > max_lag_ms:
        yield Blocker(
            problem=f"the lag is {lag_ms:g} ms, above {max_lag_ms:g} ms: writes would stop while the standby catches up",
            hint="Wait until the lag is lower, or allow more with --max-lag-ms.",
        )
    yield from _controller_blockers(standby)


def fresh_lag_ms(standby: RegionSnapshot, now: float) -> float | None:
    """Return the replication lag that the standby's controller measured in the last 120 s, else None."""
    state = standby.controller_state
    if state is None or state.lag_ms is None or state.lag_at is None:
        return None
    return state.lag_ms if now - state.lag_at.timestamp() <= LAG_FRESH_SECONDS else None


def show_plan(context: CommandContext, found: Topology, *, max_lag_ms: float) -> None:
    """Show what the switchover does and what the operator should know before.

    Raises:
        OperationRefusedError: a blocker exists.
    """
    note = context.screen.note
    writer, standby = found.writer, found.standby
    lag_ms = fresh_lag_ms(standby, context.now().timestamp())
    cooldown = (standby.environment or {}).get("COOLDOWN_SECONDS")
    note(f"Plan: switchover of {context.deployment.global_cluster_id}; no data is lost")
    note(f"  writer now   {writer.region.name}: {cluster_text(writer)}")
    note(f"  writer then  {standby.region.name}: {cluster_text(standby)}")
    note(f"  lag          {'no recent measurement; AWS waits for replication' if lag_ms is None else f'{lag_ms:g} ms'}")
    for region in (standby, writer):
        note(f"  controller   {region.region.name}: {controller_text(region, context)}")
    note("  controllers  stay armed: they do not act while RDS shows an operation, and then for their cooldown")
    if cooldown is not None:
        note(f"               of {cooldown} s; if a region is lost during the cooldown, fail over by hand")
    note("  clients      writes stop and connections break while the roles change; clients reconnect through")
    note("               writer.<zone>, which follows one to two minutes after the call, or through the")
    note("               global writer endpoint")
    note('  time         AWS gives no number ("a short time"); expect seconds to minutes')
    refuse_if_any(context, blockers_of(found, max_lag_ms=max_lag_ms, now=context.now().timestamp()))


def _controller_blockers(standby: RegionSnapshot) -> Iterator[Blocker]:
    where, state = standby.region.name, standby.controller_state
    if standby.state is None or standby.state.problem is not None:
        reason = standby.failures.get("table") or (standby.state and standby.state.problem)
        yield Blocker(
            problem=f"the state of the controller in {where} can't be read, so the controller may be about to act: {reason}",
            hint="Try again; see `state-unreadable` in the runbook.",
        )
    if state is None:
        return
    if state.attempt is not None:
        started = utc_text(state.attempt.started_at)
        yield Blocker(
            problem=f"the controller in {where} started a failover at {started}",
            hint="Follow this failover with `status`.",
        )
    elif state.pending is not None:
        yield Blocker(
            problem=f"the controller in {where} considers the writer lost and requests approval of decision {state.pending.id}",
            hint="Answer the request with `approve`, or wait until the writer is reachable again.",
        )
    elif state.dead_since is not None:
        since = utc_text(state.dead_since)
        yield Blocker(
            problem=f"the controller in {where} has not reached the writer since {since}: it may act in its next cycles",
            hint="A switchover needs a reachable writer. Check `status`, and let the controller decide.",
        )


def _show_no_operation(context: CommandContext, found: Topology, to: str | None, *, only_resume: bool) -> ExitCode:
    writer = found.writer.region.name
    if only_resume and to not in (None, writer):
        raise OperationRefusedError(
            f"switchover --resume: no operation is in progress, and {writer} is the writer",
            hint="The switchover has ended, or never started: check `history`. Run the command without --resume to start it.",
        )
    context.screen.result(
        {"writer": writer, "changed": False},
        [f"No operation is in progress, and {writer} is the writer: nothing to do."],
    )
    return ExitCode.DONE


def _show_result(context: CommandContext, result: MoveResult) -> None:
    context.screen.result(
        {
            "from": result.origin.name,
            "writer": result.target.name,
            "changed": True,
            "seconds": result.seconds,
            "outage_seconds": result.outage_seconds,
        },
        [
            f"{result.target.name} is the writer.",
            *(f"  {phase}: after {seconds:g} s" for phase, seconds in result.seconds.items()),
            *_outage_lines(result),
            context.with_stack_options(f"Switch back: python -m operations switchover --to {result.origin.name}"),
        ],
    )


def _outage_lines(result: MoveResult) -> Iterator[str]:
    if result.outage_seconds is None:
        yield "Client outage: unknown, no heartbeat of the old writer was read during the operation."
    else:
        yield f"Client outage: at most {result.outage_seconds:g} s without a write, by the heartbeats and DNS."
