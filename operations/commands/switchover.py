"""The command `switchover`: what would be done, what forbids it, the call, and its way to the end.

Owns the gates and the plan. Does not own the reading (`survey.py`), the steps (`moving.py`) or the following
(`following.py`). Invariant: nothing is called before every gate is open and the plan was confirmed; an operation that
is under way is followed, never called a second time.

The controllers are not told: while RDS shows an operation they hold (`operation-under-way`), and the change of roles
starts their cooldown. To disarm them would only leave something to be forgotten.
"""

from collections.abc import Iterator
from functools import partial

from operations.aws.table_items import OperatorReason
from operations.commands.move_progress import MoveProgress
from operations.commands.move_steps import (
    AVAILABLE,
    MoveOptions,
    MoveResult,
    Obstacle,
    arrive,
    begin,
    cluster_obstacles,
    cluster_words,
    controller_words,
    follow_what_is_under_way,
    journey_to,
    record,
    refuse_if,
)
from operations.commands.move_survey import RegionSurvey, Topology, survey
from operations.commands.session import Session
from operations.support.errors import ExitCode, OperationRefusedError
from operations.support.times import utc_text

CONNECTED = "connected"
LAG_FRESH_SECONDS = 120.0
WHAT_AWS_SAYS = (
    "AWS says that the database is unavailable for a short time while the roles change, and names no number; "
    "expect seconds to minutes"
)


def switch_over(
    session: Session, *, to: str | None, max_lag_ms: float, only_resume: bool, reason: str, course: MoveOptions
) -> ExitCode:
    """Make the cluster of the other region, or of `to`, the writer; nothing is lost."""
    found = survey(session)
    target = found.standby.region if to is None else session.deployment.region(to)
    if found.world.operation is not None:
        return follow_what_is_under_way(session, found, None if to is None else target, course, _say_moved)
    if only_resume or target == found.writer.region:
        return _say_nothing_to_do(session, found, to, only_resume=only_resume)
    moved = move(session, found, max_lag_ms=max_lag_ms, reason=reason, course=course)
    _say_moved(session, moved)
    return ExitCode.DONE


def move(
    session: Session, found: Topology, *, max_lag_ms: float, reason: str, course: MoveOptions, asking: bool = True
) -> MoveResult:
    """Switch over to the standby, after the gates, the plan and, when `asking`, the confirmation; follow it to the end.

    Raises:
        OperationRefusedError: a gate is closed, or nobody confirmed; nothing was called.
        OperationError: from the call, or on the way.
    """
    obstacles = list(obstacles_of(found, max_lag_ms=max_lag_ms, now=session.now().timestamp()))
    say_plan(session, found, obstacles)
    refuse_if(obstacles)
    if asking:
        session.confirm(f"Switch over to {found.standby.region.name}?")
    return go_over(session, found, reason=reason, course=course)


def go_over(session: Session, found: Topology, *, reason: str, course: MoveOptions) -> MoveResult:
    """Record it, call it, follow it to the end; the gates were open, and a person has confirmed.

    Raises:
        OperationError: from the call, or on the way.
    """
    record(session, found.standby.region, OperatorReason.SWITCHOVER, {"why": reason, "from": found.writer.region.name})
    started_at = session.now()
    origin, target = found.writer.region, found.standby.region
    journey = journey_to(session, target, course)
    call = partial(session.moves(origin).switch_over, target.cluster_arn)
    with journey.followed():
        begin(session, target, call, journey)
        following = MoveProgress(session=session, target=target, journey=journey, started_at=started_at)
        arrive(following, course)
        following.until_the_other_follows()
    return MoveResult(origin=origin, target=target, seconds=journey.seconds)


def obstacles_of(found: Topology, *, max_lag_ms: float, now: float) -> Iterator[Obstacle]:
    """Return what forbids a switchover now; `now` in seconds since the epoch."""
    writer, standby = found.writer, found.standby
    if writer.world is None:
        yield Obstacle(
            what=f"the RDS API of {writer.region.name}, the writer's region, does not answer, and a switchover is called there",
            hint="If that region is lost: `failover --accept-data-loss`. If not: try again.",
        )
    if found.world.status != AVAILABLE:
        yield Obstacle(what=f"the global cluster is {found.world.status}", hint="Wait until it is available.")
    for region in (writer, standby):
        yield from cluster_obstacles(region)
    versions = [region.cluster.engine_version for region in (writer, standby) if region.cluster is not None]
    if len(set(versions)) > 1:
        yield Obstacle(
            what=f"the engine versions differ: {' and '.join(versions)}",
            hint="Bring both to one version first: the runbook, upgrade of the engine.",
        )
    synchronization = found.world.synchronization.get(standby.region.cluster_arn, "unknown")
    if synchronization != CONNECTED:
        yield Obstacle(
            what=f"{standby.region.name} is not synchronized: {synchronization}",
            hint="Wait until it is connected; the cluster's events say why it is not.",
        )
    lag_ms = fresh_lag_ms(standby, now)
    if lag_ms is not None and lag_ms > max_lag_ms:
        yield Obstacle(
            what=f"the lag is {lag_ms:g} ms, above {max_lag_ms:g} ms: writes would stand still while it catches up",
            hint="Wait until it is lower, or allow more with --max-lag-ms.",
        )
    yield from _controller_obstacles(standby)


def fresh_lag_ms(standby: RegionSurvey, now: float) -> float | None:
    """Return the replication lag as the standby's controller measured it just now; `None` when it did not."""
    state = standby.remembered
    if state is None or state.lag_ms is None or state.lag_at is None:
        return None
    return state.lag_ms if now - state.lag_at.timestamp() <= LAG_FRESH_SECONDS else None


def say_plan(session: Session, found: Topology, obstacles: list[Obstacle]) -> None:
    """Show what would be done, and what a person should know before."""
    note = session.screen.note
    writer, standby = found.writer, found.standby
    lag_ms = fresh_lag_ms(standby, session.now().timestamp())
    cooldown = (standby.environment or {}).get("COOLDOWN_SECONDS")
    note(f"Plan: switchover of {session.deployment.global_cluster_id}; no data is lost")
    note(f"  writer now   {writer.region.name}: {cluster_words(writer)}")
    note(f"  writer then  {standby.region.name}: {cluster_words(standby)}")
    note(f"  lag          {'not measured just now; AWS waits for it anyway' if lag_ms is None else f'{lag_ms:g} ms'}")
    for region in (standby, writer):
        note(f"  controller   {region.region.name}: {controller_words(region, session)}")
    note("  controllers  are not told: they hold while RDS shows an operation, then for their cooldown")
    if cooldown is not None:
        note(f"               of {cooldown} s after the change of roles; a region lost within it is for people")
    note("  clients      writes stop while the roles change, connections break; they reconnect through writer.<zone>,")
    note("               which follows one to two minutes after the promotion, or through the global writer endpoint")
    note(f"  time         {WHAT_AWS_SAYS}")
    for each in obstacles:
        note(f"  OBSTACLE     {each.what}")


def _controller_obstacles(standby: RegionSurvey) -> Iterator[Obstacle]:
    where, state = standby.region.name, standby.remembered
    if standby.state is None or standby.state.problem is not None:
        why = standby.failures.get("table") or (standby.state and standby.state.problem)
        yield Obstacle(
            what=f"whether the controller of {where} is about to act can't be read: {why}",
            hint="Try again; the runbook, heading `state-unreadable`.",
        )
    if state is None:
        return
    if state.attempt is not None:
        called = utc_text(state.attempt.started_at)
        yield Obstacle(what=f"the controller of {where} called a failover at {called}", hint="Follow it with `status`.")
    elif state.pending is not None:
        yield Obstacle(
            what=f"the controller of {where} asks about decision {state.pending.id}: it takes the writer for lost",
            hint="Answer it with `approve`, or wait until the trouble is over.",
        )
    elif state.dead_since is not None:
        since = utc_text(state.dead_since)
        yield Obstacle(
            what=f"for the controller of {where} the writer counts as dead since {since}: it may act within cycles",
            hint="A switchover needs a living writer. Look at `status`, and let the controller decide.",
        )


def _say_nothing_to_do(session: Session, found: Topology, to: str | None, *, only_resume: bool) -> ExitCode:
    writer = found.writer.region.name
    if only_resume and to not in (None, writer):
        raise OperationRefusedError(
            f"no operation is under way, and {writer} is the writer: there is nothing to follow",
            hint="It has ended, or never began: look at `history`. Without --resume it is called anew.",
        )
    session.screen.result(
        {"writer": writer, "changed": False}, [f"No operation is under way, and {writer} is the writer: nothing to do."]
    )
    return ExitCode.DONE


def _say_moved(session: Session, moved: MoveResult) -> None:
    session.screen.result(
        {"from": moved.origin.name, "writer": moved.target.name, "changed": True, "seconds": moved.seconds},
        [
            f"{moved.target.name} is the writer.",
            *(f"  {leg}: after {seconds:g} s" for leg, seconds in moved.seconds.items()),
            f"Back: python -m operations switchover --to {moved.origin.name}",
        ],
    )
