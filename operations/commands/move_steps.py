"""The steps that every move of the writer has: obstacles, the trace, the one call, the way to the end.

Owns them, and the words for clusters and controllers in a plan. Does not own what forbids a switchover or a failover
(`switchover.py`, `failover.py`). Invariant: a call is made once; whatever its answer, RDS is looked at before anything is
called again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from operations.aws.move_ports import AwsRefusedError, GlobalSight
from operations.aws.ports import Change
from operations.aws.table_items import Trace, is_armed, trace_of
from operations.commands.move_progress import Following
from operations.commands.move_survey import RegionSurvey, Survey
from operations.commands.session import Session, write
from operations.commands.waiting import Journey
from operations.stack.deployment import Place
from operations.support.deadlines import bounded
from operations.support.errors import AwsError, ExitCode, OperationError, RefusedError
from operations.support.times import age_text

AVAILABLE = "available"
CALL_DEADLINE_SECONDS = 40.0


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """Why a move must not be called now, and what would help."""

    what: str
    cure: str


@dataclass(frozen=True, kw_only=True)
class Course:
    """How far a move is followed, and for how long."""

    timeout_seconds: float
    with_dns: bool


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A move that has arrived: seconds from the call to the end of each leg."""

    origin: Place
    target: Place
    seconds: dict[str, float]


def begin(session: Session, target: Place, call: Callable[[], None], journey: Journey) -> None:
    """Make the call once. An answer that never came is looked after: RDS may have begun.

    Raises:
        AwsRefusedError: RDS answered no.
        AwsError: no answer, and no operation to be seen.
    """
    try:
        bounded(call, seconds=CALL_DEADLINE_SECONDS)
    except AwsRefusedError as error:
        raise RefusedError(f"{error.what}. AWS refused: nothing was changed", cure=error.cure) from error
    except AwsError as error:
        world = _quiet(session, target)
        if world is None or (world.operation is None and world.writer_arn != target.cluster_arn):
            raise AwsError(
                f"{error.what}. No operation is to be seen: RDS may have taken the call, or not",
                cure="Run the command again: it follows what is under way, and calls nothing twice.",
            ) from error
        journey.note("no answer to the call, but RDS has begun")
    else:
        journey.note(f"accepted: {target.region} becomes the writer")


def arrive(following: Following, course: Course) -> None:
    """Follow a move until clients can write."""
    following.until_promoted()
    following.until_it_writes()
    if course.with_dns:
        following.until_the_name_leads_there()


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
    if state is None or state.beat_at is None:
        return f"{mode}, {armed}; has never beaten"
    return f"{mode}, {armed}; last beat {age_text((session.now() - state.beat_at).total_seconds())} ago"


def record(session: Session, place: Place, trace: Trace, evidence: dict[str, object]) -> str:
    """Leave a trace of what a person is about to do in a region's audit trail; return its id. Raises as `write`."""
    api, change_id, at = session.connect(place), session.new_id(), session.now()
    told = {"by": bounded(api.caller), **evidence}
    key, item = trace_of(
        trace,
        global_cluster_id=session.deployment.global_cluster_id,
        region=place.region,
        at=at,
        change_id=change_id,
        evidence=told,
    )
    attributes = {"kind": str(trace), "at": at.isoformat(), "change_id": change_id}
    change = Change(key=("move", change_id), attributes=attributes, over=None, trace_key=key, trace=item)
    write(api, change, place, lambda _theirs: "an item of the same id")
    return change_id


def cluster_obstacles(region: RegionSurvey) -> Iterator[Obstacle]:
    """Return why a cluster can't take part in a move now."""
    where, cluster = region.place.region, region.cluster
    if cluster is None:
        why = region.failures.get("cluster", "there is no such cluster")
        yield Obstacle(what=f"the cluster of {where} can't be read: {why}", cure="Try again when that region answers.")
        return
    if cluster.status != AVAILABLE:
        yield Obstacle(what=f"the cluster of {where} is {cluster.status}", cure="Wait until it is available.")
    if not cluster.instance_ids:
        yield Obstacle(what=f"the cluster of {where} has no instance", cure="Add an instance, as `pulumi up` does.")


def follow_what_is_under_way(
    session: Session,
    found: Survey,
    wanted: Place | None,
    course: Course,
    say_end: Callable[[Session, Moved], None],
) -> ExitCode:
    """Follow the operation that RDS shows, if it is the wanted one; call nothing. `say_end` gives the result."""
    operation = found.world.operation
    if operation is None:
        raise RefusedError("no operation is under way", cure="Look at `status`.")
    targets = [place for place in session.deployment.places if place.cluster_arn == operation.target_arn]
    if not targets or (wanted is not None and wanted != targets[0]):
        raise RefusedError(
            f"another operation is under way: {operation.word} to {operation.target_arn}, {operation.status}",
            cure="Wait until it has ended; follow it with `status`. Then decide anew.",
        )
    target = targets[0]
    session.screen.note(f"A {operation.word} to {target.region} is under way: nothing is called, it is followed")
    journey = journey_to(session, target, course)
    with journey.followed():
        following = Following(session=session, target=target, journey=journey, started_at=session.now())
        arrive(following, course)
    say_end(session, Moved(origin=session.deployment.other(target), target=target, seconds=journey.seconds))
    return ExitCode.DONE


def journey_to(session: Session, target: Place, course: Course) -> Journey:
    """Return the wait for a move to `target`."""
    return Journey(
        session,
        timeout_seconds=course.timeout_seconds,
        goes_on=f"AWS carries on with the move to {target.region} by itself, and the controllers hold meanwhile.",
        resume=_resume_line(session.command_line, target),
    )


def _resume_line(command_line: str, target: Place) -> str:
    """Return the command that goes on; a switchover's names the target: without, it would go back when all is over."""
    is_named = " switchover" not in command_line or " --to" in command_line
    target_option = "" if is_named else f" --to {target.region}"
    return f"{command_line}{target_option}{'' if ' --resume' in command_line else ' --resume'}"


def refuse_if(obstacles: list[Obstacle]) -> None:
    """Return when there are none.

    Raises:
        RefusedError: naming all, with their cures.
    """
    if obstacles:
        raise RefusedError(
            "; ".join(each.what for each in obstacles) + ". Nothing was called",
            cure=" ".join(dict.fromkeys(each.cure for each in obstacles)),
        )


def _quiet(session: Session, target: Place) -> GlobalSight | None:
    try:
        return bounded(session.moves(target).read_global)
    except OperationError:
        return None
