"""The command `failover`: by hand, when the writer's region is lost and the controller is held, disarmed or silent.

Owns what forbids it, the evidence that a person sees before, and what is theirs to do afterwards. Does not own the
steps (`moving.py`). Invariant: while anything says that the writer lives nothing is called, unless a person says that
it does not matter; and never while the controller's own failover is under way.

The controllers are not told: the standby's holds while RDS shows an operation, and RDS takes only one at a time.
"""

from collections.abc import Iterator
from functools import partial

from functions.failover_controller.model import State
from operations.aws.table_items import OperatorReason
from operations.commands.move_progress import MoveProgress
from operations.commands.move_steps import (
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
from operations.commands.move_survey import Topology, survey
from operations.commands.session import Session
from operations.support.errors import AwsError, ExitCode, OperationRefusedError, UsageProblemError
from operations.support.times import age_text, utc_text

HEARTBEAT_FRESH_SECONDS = 30.0
SNAPSHOT = "rds:unplanned-global-failover-..."


def fail_over(
    session: Session,
    *,
    accepts_data_loss: bool,
    even_if_alive: bool,
    only_resume: bool,
    reason: str,
    course: MoveOptions,
) -> ExitCode:
    """Make the standby the writer, whatever the writer has not replicated yet."""
    if not accepts_data_loss and not only_resume:
        raise UsageProblemError(
            "a failover may lose what was written last, and only whoever owns the data can accept that",
            hint="If the writer's region lives, nothing need be lost: `switchover`. If it is lost: --accept-data-loss.",
        )
    found = survey(session, probing=True)
    target = found.standby.region
    if found.world.operation is not None:
        return follow_what_is_under_way(session, found, None, course, _say_end)
    if only_resume:
        raise OperationRefusedError(
            f"no operation is under way, and {found.writer.region.name} is the writer: there is nothing to follow",
            hint="It has ended, or never began: look at `status` and `history`.",
        )
    obstacles = list(obstacles_of(session, found, even_if_alive=even_if_alive))
    _say_plan(session, found, obstacles)
    refuse_if(obstacles)
    session.confirm(f"Fail over to {target.name}, and lose what it has not received?")
    _record(session, found, reason)
    started_at = session.now()
    journey = journey_to(session, target, course)
    with journey.followed():
        begin(session, target, partial(session.moves(target).fail_over, target.cluster_arn), journey)
        following = MoveProgress(session=session, target=target, journey=journey, started_at=started_at)
        arrive(following, course)
    _say_end(session, MoveResult(origin=found.writer.region, target=target, seconds=journey.seconds))
    return ExitCode.DONE


def obstacles_of(session: Session, found: Topology, *, even_if_alive: bool) -> Iterator[Obstacle]:
    """Return what forbids a failover by hand now."""
    standby, where = found.standby, found.standby.region.name
    if standby.world is None:
        yield Obstacle(
            what=f"the RDS API of {where} does not answer, and a failover is called there",
            hint="Try again; without that API nobody can promote its cluster.",
        )
    yield from cluster_obstacles(standby)
    versions = {region.cluster.engine_version for region in (found.writer, standby) if region.cluster is not None}
    if len(versions) > 1:
        yield Obstacle(
            what=f"the engine versions differ: {' and '.join(sorted(versions))}",
            hint="AWS refuses it: open a case with AWS.",
        )
    state = standby.remembered
    if state is not None and state.attempt is not None:
        yield Obstacle(
            what=f"the controller of {where} called a failover at {utc_text(state.attempt.started_at)}",
            hint="Never call a second one before the first has ended: follow it with `status`.",
        )
    signs = list(signs_of_life(session, found))
    if signs and not even_if_alive:
        yield Obstacle(
            what=f"the writer looks alive: {', '.join(signs)}",
            hint="While it lives nothing need be lost: `switchover`. If you know better: --even-if-the-writer-answers.",
        )


def signs_of_life(session: Session, found: Topology) -> Iterator[str]:
    """Return everything that says that the writer lives."""
    writer, standby = found.writer, found.standby
    if writer.own_probe is not None and writer.own_probe.is_alive:
        yield f"the health_check of {writer.region.name} reaches it"
    if standby.peer_probe is not None and standby.peer_probe.is_alive:
        yield f"the health_check of {standby.region.name} reaches it across the peering"
    state = standby.remembered
    if state is not None and state.dead_since is None and state.heartbeat_seen_at is not None:
        age_seconds = (session.now() - state.heartbeat_seen_at).total_seconds()
        if age_seconds <= HEARTBEAT_FRESH_SECONDS:
            yield f"its heartbeats arrive, the last {age_text(age_seconds)} ago"


def _say_plan(session: Session, found: Topology, obstacles: list[Obstacle]) -> None:
    note = session.screen.note
    writer, standby = found.writer, found.standby
    note(f"Plan: FAILOVER of {session.deployment.global_cluster_id}; what was not replicated is lost")
    note(f"  writer now   {writer.region.name}: {cluster_words(writer)}")
    note(f"  writer then  {standby.region.name}: {cluster_words(standby)}")
    note(f"  synchronized {found.world.synchronization.get(standby.region.cluster_arn, 'unknown')}")
    note(f"  alive?       {'; '.join(signs_of_life(session, found)) or 'nothing says that the writer lives'}")
    for words, probe in (
        ("its own region's health_check", writer.own_probe),
        ("across the peering", standby.peer_probe),
    ):
        said = "no answer" if probe is None else probe.problem or ("takes writes" if probe.takes_writes else "answers")
        note(f"               {words}: {said}")
    note(f"  controller   {standby.region.name}: {controller_words(standby, session)}")
    for line in _evidence(standby.remembered):
        note(f"               {line}")
    note("  controllers  are not told: they hold while RDS shows an operation, and RDS takes one at a time")
    note(f"  afterwards   AWS keeps the old volume as a snapshot {SNAPSHOT} when {writer.region.name} returns")
    for each in obstacles:
        note(f"  OBSTACLE     {each.what}")


def _evidence(state: State | None) -> Iterator[str]:
    if state is None:
        yield "remembers nothing that can be read: what would be lost is unknown"
        return
    if state.dead_since is not None:
        yield f"the writer counts as dead since {utc_text(state.dead_since)}, for {state.dead_cycles} cycles"
    if state.lag_ms is None or state.lag_at is None:
        yield "estimated loss: unknown, the lag was never measured"
    else:
        yield (
            f"estimated loss: what was written in the last {state.lag_ms:g} ms before the writer stopped; "
            f"the lag was measured at {utc_text(state.lag_at)}"
        )
    if state.heartbeats:
        yield f"newest heartbeat that arrived: {state.heartbeats[-1]}"
    if state.pending is not None:
        yield f"asks about decision {state.pending.id}: {state.pending.verdict}; `approve` would do the same, recorded by itself"
    if state.notified:
        yield f"told: {', '.join(state.notified)}"


def _record(session: Session, found: Topology, reason: str) -> None:
    """Leave the trace; in a disaster a table that can't be written must not stop it."""
    state = found.standby.remembered
    evidence: dict[str, object] = {
        "why": reason,
        "from": found.writer.region.name,
        "dead_since": None if state is None or state.dead_since is None else utc_text(state.dead_since),
        "lag_before_outage_ms": None if state is None else state.lag_ms,
        "decision_id": None if state is None or state.pending is None else state.pending.id,
        "signs_of_life": list(signs_of_life(session, found)),
    }
    try:
        record(session, found.standby.region, OperatorReason.FAILOVER, evidence)
    except (AwsError, OperationRefusedError) as error:
        session.screen.note(
            f"NOT RECORDED in the audit trail: {error.message}. It goes on; write down who did this and why."
        )


def _say_end(session: Session, moved: MoveResult) -> None:
    origin, target = moved.origin.name, moved.target.name
    steps = [
        f"When {origin} returns: copy its snapshot {SNAPSHOT} before its retention ends, it holds the writes that were lost: "
        f"aws rds describe-db-cluster-snapshots --snapshot-type automated --region {origin}",
        f"When `status` shows {origin} as a connected standby, go home when you choose: "
        f"python -m operations switchover --to {origin}",
        "Is the switch armed? `status` says so; `arm` if not.",
    ]
    session.screen.result(
        {"from": origin, "writer": target, "changed": True, "seconds": moved.seconds, "next": steps},
        [
            f"{target} is the writer.",
            *(f"  {leg}: after {seconds:g} s" for leg, seconds in moved.seconds.items()),
            "Next:",
            *(f"  {number}. {step}" for number, step in enumerate(steps, 1)),
        ],
    )
