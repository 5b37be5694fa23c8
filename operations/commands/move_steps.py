"""Steps that `switchover`, `failover`, `drill` and `rewind` share: blockers, audit entry, the call, the wait.

Invariant: a call is made once; whatever its answer, RDS is read before anything is called again.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from operations.aws.move_ports import AwsRefusedError
from operations.aws.ports import TableWrite
from operations.aws.table_items import OperatorReason, audit_entry, is_armed
from operations.commands.context import CommandContext, write
from operations.commands.move_progress import MoveProgress
from operations.commands.move_topology import RegionSnapshot, Topology
from operations.commands.waiting import Waiter
from operations.stack.deployment import DeployedRegion
from operations.support.deadlines import call_with_deadline
from operations.support.errors import AwsError, ExitCode, OperationError, OperationRefusedError
from operations.support.times import age_text

AVAILABLE = "available"
CALL_DEADLINE_SECONDS = 40.0


@dataclass(frozen=True, kw_only=True)
class Blocker:
    """A reason why the operation must not be started now."""

    problem: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class MoveOptions:
    """Time limit for following a move; `with_dns` waits until DNS has changed too."""

    timeout_seconds: float
    with_dns: bool


@dataclass(frozen=True, kw_only=True)
class MoveResult:
    """A completed move; `seconds` maps each phase to the time from the call to its end.

    `outage_seconds` is how long no write was possible, at most; None if it was not observed.
    """

    origin: DeployedRegion
    target: DeployedRegion
    seconds: dict[str, float]
    outage_seconds: float | None


def run_move(
    context: CommandContext,
    target: DeployedRegion,
    options: MoveOptions,
    *,
    call: Callable[[], None] | None,
    with_replication: bool = False,
) -> MoveResult:
    """Start a move with `call`, or follow the operation in progress if `call` is None, until clients can write.

    Raises:
        OperationRefusedError: RDS refused the call.
        OperationError: raised while waiting.
    """
    started_at = context.now()
    waiter = Waiter(
        context,
        timeout_seconds=options.timeout_seconds,
        continues=f"AWS continues the move to {target.name} by itself, and the controllers hold meanwhile.",
        resume=_resume_command(context.command_line, target),
    )
    with waiter.hints():
        if call is not None:
            _start_move(context, target, call, waiter)
        progress = MoveProgress(context=context, target=target, waiter=waiter, started_at=started_at)
        progress.wait_for_promotion()
        progress.wait_for_first_write()
        if options.with_dns:
            progress.wait_for_dns()
        if with_replication:
            progress.wait_for_replication()
            progress.wait_for_controllers()
    return MoveResult(
        origin=context.deployment.other(target),
        target=target,
        seconds=waiter.seconds,
        outage_seconds=progress.outage_seconds(),
    )


def _start_move(context: CommandContext, target: DeployedRegion, call: Callable[[], None], waiter: Waiter) -> None:
    """Make the call once; after an error, ask RDS whether the same move has started, by this call or by a controller's."""
    try:
        call_with_deadline(call, seconds=CALL_DEADLINE_SECONDS)
    except AwsError as error:
        is_refused = isinstance(error, AwsRefusedError)
        if _has_started(context, target):
            waiter.note(
                f"AWS refused the call, because a move to {target.name} has started before: following that one"
                if is_refused
                else "AWS did not answer the call, but RDS has started the operation"
            )
        elif is_refused:
            raise OperationRefusedError(
                f"{error.message}. AWS refused: no changes were made", hint=error.hint
            ) from error
        else:
            raise AwsError(
                f"{error.message}. RDS shows no operation and may or may not have accepted the call",
                hint="Run the command again. The new run follows an operation that is in progress and never calls twice.",
            ) from error
    else:
        waiter.note(f"accepted: {target.name} becomes the writer")


def _has_started(context: CommandContext, target: DeployedRegion) -> bool:
    """Return whether RDS shows an operation to the target, or the target as the writer."""
    try:
        info = call_with_deadline(context.move_api(target).read_global)
    except OperationError:
        return False
    return (info.operation.target_arn if info.operation else info.writer_arn) == target.cluster_arn


def follow_operation(
    context: CommandContext,
    found: Topology,
    requested: DeployedRegion | None,
    options: MoveOptions,
    show_result: Callable[[CommandContext, MoveResult], None],
) -> ExitCode:
    """Follow the operation that RDS shows, if its target is the requested region. Make no call."""
    operation = found.global_cluster.operation
    if operation is None:
        raise OperationRefusedError("no operation is in progress", hint="Check `status` for the current roles.")
    targets = [region for region in context.deployment.regions if region.cluster_arn == operation.target_arn]
    if not targets or (requested is not None and requested != targets[0]):
        raise OperationRefusedError(
            f"another operation is in progress: {operation.label} to {operation.target_arn}, {operation.status}",
            hint="Follow it with `status` until it has ended, then decide again.",
        )
    context.screen.note(
        f"A {operation.label} to {targets[0].name} is in progress: this command follows that operation and makes no call"
    )
    show_result(context, run_move(context, targets[0], options, call=None))
    return ExitCode.DONE


def _resume_command(command_line: str, target: DeployedRegion) -> str:
    """Return the command that resumes; a switchover names its target, else a later run would switch back."""
    is_named = " switchover" not in command_line or " --to" in command_line
    target_option = "" if is_named else f" --to {target.name}"
    return f"{command_line}{target_option}{'' if ' --resume' in command_line else ' --resume'}"


def cluster_text(region: RegionSnapshot) -> str:
    """Return identifier, status, instances and version of a region's cluster as text."""
    if region.cluster is None:
        return f"NOT READ: {region.failures.get('cluster', 'there is no such cluster')}"
    cluster = region.cluster
    return f"{cluster.identifier}, {cluster.status}, {len(cluster.instance_ids)} instance(s), {cluster.engine_version}"


def controller_text(region: RegionSnapshot, context: CommandContext) -> str:
    """Return mode, arm state and last cycle of a region's controller as text."""
    state, switch = region.controller_state, region.switch
    mode = f"mode {(region.environment or {}).get('MODE', 'unknown')}"
    if region.state is None or switch is None:
        return f"{mode}; NOT READ: {region.failures.get('table', '')}"
    armed = "switch unreadable" if switch.problem else "armed" if is_armed(switch.value, context.now()) else "disarmed"
    if state is None or state.cycle_at is None:
        return f"{mode}, {armed}; no cycle completed yet"
    return f"{mode}, {armed}; last cycle {age_text((context.now() - state.cycle_at).total_seconds())} ago"


def record(context: CommandContext, region: DeployedRegion, trace: OperatorReason, evidence: dict[str, object]) -> None:
    """Add an entry to the region's audit trail. Raises the same errors as `write`."""
    api, change_id, at = context.connect(region), context.new_id(), context.now()
    key, item = audit_entry(
        trace,
        global_cluster_id=context.deployment.global_cluster_id,
        region=region.name,
        at=at,
        change_id=change_id,
        evidence={"by": call_with_deadline(api.caller), **evidence},
    )
    attributes = {"kind": str(trace), "at": at.isoformat(), "change_id": change_id}
    change = TableWrite(key=("move", change_id), attributes=attributes, previous=None, audit_key=key, audit_item=item)
    write(api, change, region, lambda _: "an item with the same id exists")


def cluster_blockers(region: RegionSnapshot) -> Iterator[Blocker]:
    """Yield the reasons why a cluster can't take part in a move now."""
    where, cluster = region.region.name, region.cluster
    if cluster is None:
        reason = region.failures.get("cluster", "there is no such cluster")
        yield Blocker(
            problem=f"the cluster in {where} can't be read: {reason}", hint="Try again when that region responds."
        )
        return
    if cluster.status != AVAILABLE:
        yield Blocker(problem=f"the cluster in {where} is {cluster.status}", hint="Wait until it is available.")
    if not cluster.instance_ids:
        yield Blocker(problem=f"the cluster in {where} has no instance", hint="Add an instance with `pulumi up`.")


def refuse_if_any(context: CommandContext, blockers: Iterable[Blocker]) -> None:
    """Show the blockers; if there are any, raise OperationRefusedError with all of them and their hints."""
    blockers = list(blockers)
    for each in blockers:
        context.screen.note(f"  BLOCKER      {each.problem}")
    if blockers:
        raise OperationRefusedError(
            "; ".join(each.problem for each in blockers) + ". No call was made",
            hint=" ".join(dict.fromkeys(each.hint for each in blockers)),
        )
