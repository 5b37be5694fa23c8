"""The steps that every move of the writer has: obstacles, the trace, the one call, the way to the end.

Owns them, and the words for clusters and controllers in a plan. Does not own what forbids a switchover or a failover
(`switchover.py`, `failover.py`). Invariant: a call is made once; whatever its answer, RDS is looked at before anything is
called again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from operations.aws.move_ports import AwsRefusedError, GlobalClusterInfo
from operations.aws.ports import TableWrite
from operations.aws.table_items import OperatorReason, audit_entry, is_armed
from operations.commands.move_progress import MoveProgress
from operations.commands.move_survey import RegionSurvey, Topology
from operations.commands.session import Session, write
from operations.commands.waiting import Waiter
from operations.stack.deployment import DeployedRegion
from operations.support.deadlines import call_with_deadline
from operations.support.errors import AwsError, ExitCode, OperationError, OperationRefusedError
from operations.support.times import age_text

AVAILABLE = "available"
CALL_DEADLINE_SECONDS = 40.0


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """Why a move must not be called now, and what would help."""

    what: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class MoveOptions:
    """How far a move is followed, and for how long."""

    timeout_seconds: float
    with_dns: bool


@dataclass(frozen=True, kw_only=True)
class MoveResult:
    """A move that has arrived: seconds from the call to the end of each leg."""

    origin: DeployedRegion
    target: DeployedRegion
    seconds: dict[str, float]


def begin(session: Session, target: DeployedRegion, call: Callable[[], None], journey: Waiter) -> None:
    """Make the call once. An answer that never came is looked after: RDS may have begun.

    Raises:
        AwsRefusedError: RDS answered no.
        AwsError: no answer, and no operation to be seen.
    """
    try:
        call_with_deadline(call, seconds=CALL_DEADLINE_SECONDS)
    except AwsRefusedError as error:
        raise OperationRefusedError(f"{error.message}. AWS refused: nothing was changed", hint=error.hint) from error
    except AwsError as error:
        world = _quiet(session, target)
        if world is None or (world.operation is None and world.writer_arn != target.cluster_arn):
            raise AwsError(
                f"{error.message}. No operation is to be seen: RDS may have taken the call, or not",
                hint="Run the command again: it follows what is under way, and calls nothing twice.",
            ) from error
        journey.note("no answer to the call, but RDS has begun")
    else:
        journey.note(f"accepted: {target.name} becomes the writer")


def arrive(following: MoveProgress, course: MoveOptions) -> None:
    """Follow a move until clients can write."""
    following.wait_for_promotion()
    following.until_it_writes()
    if course.with_dns:
        following.wait_for_dns()


def cluster_words(region: RegionSurvey) -> str:
    """Return a cluster in words."""
    if region.cluster is None:
        return f"NOT READ: {region.failures.get('cluster', 'there is no such cluster')}"
    cluster = region.cluster
    return f"{cluster.identifier}, {cluster.status}, {len(cluster.instance_ids)} instance(s), {cluster.engine_version}"


def controller_words(region: RegionSurvey, session: Session) -> str:
    """Return a controller in words."""
    state, switch = region.remembered, region.switch
    mode = f"mode {(region.environment or {}).get('MODE', 'unknown')}"
    if region.state is None or switch is None:
        return f"{mode}; NOT READ: {region.failures.get('table', '')}"
    armed = "switch unreadable" if switch.problem else "armed" if is_armed(switch.value, session.now()) else "disarmed"
    if state is None or state.cycle_at is None:
        return f"{mode}, {armed}; has never beaten"
    return f"{mode}, {armed}; last cycle {age_text((session.now() - state.cycle_at).total_seconds())} ago"


def record(session: Session, region: DeployedRegion, trace: OperatorReason, evidence: dict[str, object]) -> str:
    """Leave a trace of what a person is about to do in a region's audit trail; return its id. Raises as `write`."""
    api, change_id, at = session.connect(region), session.new_id(), session.now()
    notified = {"by": call_with_deadline(api.caller), **evidence}
    key, item = audit_entry(
        trace,
        global_cluster_id=session.deployment.global_cluster_id,
        region=region.name,
        at=at,
        change_id=change_id,
        evidence=notified,
    )
    attributes = {"kind": str(trace), "at": at.isoformat(), "change_id": change_id}
    change = TableWrite(key=("move", change_id), attributes=attributes, over=None, audit_key=key, audit_item=item)
    write(api, change, region, lambda _theirs: "an item of the same id")
    return change_id


def cluster_obstacles(region: RegionSurvey) -> Iterator[Obstacle]:
    """Return why a cluster can't take part in a move now."""
    where, cluster = region.region.name, region.cluster
    if cluster is None:
        why = region.failures.get("cluster", "there is no such cluster")
        yield Obstacle(what=f"the cluster of {where} can't be read: {why}", hint="Try again when that region answers.")
        return
    if cluster.status != AVAILABLE:
        yield Obstacle(what=f"the cluster of {where} is {cluster.status}", hint="Wait until it is available.")
    if not cluster.instance_ids:
        yield Obstacle(what=f"the cluster of {where} has no instance", hint="Add an instance, as `pulumi up` does.")


def follow_what_is_under_way(
    session: Session,
    found: Topology,
    wanted: DeployedRegion | None,
    course: MoveOptions,
    say_end: Callable[[Session, MoveResult], None],
) -> ExitCode:
    """Follow the operation that RDS shows, if it is the wanted one; call nothing. `say_end` gives the result."""
    operation = found.world.operation
    if operation is None:
        raise OperationRefusedError("no operation is under way", hint="Look at `status`.")
    targets = [region for region in session.deployment.regions if region.cluster_arn == operation.target_arn]
    if not targets or (wanted is not None and wanted != targets[0]):
        raise OperationRefusedError(
            f"another operation is under way: {operation.label} to {operation.target_arn}, {operation.status}",
            hint="Wait until it has ended; follow it with `status`. Then decide anew.",
        )
    target = targets[0]
    session.screen.note(f"A {operation.label} to {target.name} is under way: nothing is called, it is followed")
    journey = journey_to(session, target, course)
    with journey.followed():
        following = MoveProgress(session=session, target=target, journey=journey, started_at=session.now())
        arrive(following, course)
    say_end(session, MoveResult(origin=session.deployment.other(target), target=target, seconds=journey.seconds))
    return ExitCode.DONE


def journey_to(session: Session, target: DeployedRegion, course: MoveOptions) -> Waiter:
    """Return the wait for a move to `target`."""
    return Waiter(
        session,
        timeout_seconds=course.timeout_seconds,
        goes_on=f"AWS carries on with the move to {target.name} by itself, and the controllers hold meanwhile.",
        resume=_resume_line(session.command_line, target),
    )


def _resume_line(command_line: str, target: DeployedRegion) -> str:
    """Return the command that goes on; a switchover's names the target: without, it would go back when all is over."""
    is_named = " switchover" not in command_line or " --to" in command_line
    target_option = "" if is_named else f" --to {target.name}"
    return f"{command_line}{target_option}{'' if ' --resume' in command_line else ' --resume'}"


def refuse_if(obstacles: list[Obstacle]) -> None:
    """Return when there are none.

    Raises:
        OperationRefusedError: naming all, with their hints.
    """
    if obstacles:
        raise OperationRefusedError(
            "; ".join(each.what for each in obstacles) + ". Nothing was called",
            hint=" ".join(dict.fromkeys(each.hint for each in obstacles)),
        )


def _quiet(session: Session, target: DeployedRegion) -> GlobalClusterInfo | None:
    try:
        return call_with_deadline(session.moves(target).read_global)
    except OperationError:
        return None
