"""The command `rewind`: the writer's cluster as of a second, beside the live one; and its end, `--drop`.

Owns the steps. Does not own the rules (`rewind_plan.py`). Invariant: the live cluster is only read, unless the stack
says `rewind.method: backtrack`; and nothing is deleted that does not carry a copy's tags.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from operations.aws.move_ports import AwsRefusedError, ClusterInfo, Instance, MoveApi
from operations.aws.table_items import OperatorReason
from operations.commands.move_steps import AVAILABLE, CALL_DEADLINE_SECONDS, record, refuse_if
from operations.commands.move_survey import Topology, survey
from operations.commands.rewind_plan import (
    REWIND_OF,
    REWIND_TO,
    backtrack_obstacles,
    cluster_settings,
    copy_id,
    flaws_of,
    instance_id,
    instance_settings,
    is_copy_of,
    obstacles_of,
)
from operations.commands.session import Session
from operations.commands.waiting import PollResult, Waiter
from operations.stack.deployment import DeployedRegion
from operations.support.deadlines import call_concurrently, call_with_deadline
from operations.support.errors import AwsError, ExitCode, FailedError, OperationError, OperationRefusedError
from operations.support.times import utc_text

RESTORED, INSTANCE, GONE, BACKTRACKED = "restore", "instance", "deletion", "backtrack"


def rewind(session: Session, *, to: datetime, reason: str, timeout_seconds: float) -> ExitCode:
    """Restore the writer's cluster as of `to` into a copy, or backtrack it, as the stack's settings say."""
    found = survey(session)
    region, source = found.writer.region, found.writer.cluster
    if source is None:
        why = found.writer.failures.get("cluster", "there is no such cluster")
        raise AwsError(
            f"the writer's cluster in {region.name} can't be read: {why}", hint="Nothing was changed. Try again."
        )
    if session.deployment.rewind_method == "backtrack":
        return _backtrack(session, found, source, to=to, reason=reason, timeout_seconds=timeout_seconds)
    moves, name = session.moves(region), copy_id(source.identifier, to)
    copy = call_with_deadline(partial(moves.read_cluster, name))
    instances = [] if copy is None else list(call_with_deadline(partial(moves.read_instances, name)))
    if copy is None:
        obstacles = list(obstacles_of(source, found.world, to, session.now()))
        _say_plan(session, region, source, name, to)
        for each in obstacles:
            session.screen.note(f"  OBSTACLE   {each.what}")
        refuse_if(obstacles)
    elif not is_copy_of(copy, source.identifier, to):
        raise OperationRefusedError(
            f"there is a cluster {name} already, and it is no copy of {source.identifier} as of {utc_text(to)}",
            hint="Find out whose it is; nothing was changed.",
        )
    else:
        session.screen.note(f"{name} is there already, {copy.status}: it is gone on with")
    if not instances:
        session.confirm(f"Restore {source.identifier} as of {utc_text(to)} into {name}?")
        record(session, region, OperatorReason.REWIND, {"why": reason, "to": utc_text(to), "copy": name})
    journey = Waiter(
        session,
        timeout_seconds=timeout_seconds,
        goes_on=f"AWS carries on with what was begun of {name}; the live cluster is not touched.",
        resume=session.command_line,
    )
    with journey.followed():
        if copy is None:
            settings = cluster_settings(source, name, to)
            _call(partial(moves.restore, source.identifier, name, to, settings), journey, f"restoring into {name}")
        journey.wait(RESTORED, lambda: _cluster_sign(moves, name))
        if not instances:
            _add_instance(moves, source, name, to, journey)
        journey.wait(INSTANCE, lambda: _instance_sign(moves, name))
    return _say_copy(session, region, source, name, to, journey.seconds)


def drop(session: Session, *, name: str, reason: str, timeout_seconds: float) -> ExitCode:
    """Delete a copy that a rewind has made, and nothing else."""
    region, copy = _find_copy(session, name)
    note = session.screen.note
    moves = session.moves(region)
    instances = call_with_deadline(partial(moves.read_instances, name))
    note(f"Plan: delete {name} in {region.name} for good, without a snapshot")
    note(
        f"  a copy of {copy.tags[REWIND_OF]} as of {copy.tags[REWIND_TO]}, {copy.status}, {len(instances)} instance(s)"
    )
    if copy.settings.get("DeletionProtection"):
        note("  its deletion protection is taken away first")
    session.confirm(f"Delete {name}?")
    record(session, region, OperatorReason.REWIND, {"why": reason, "dropped": name})
    journey = Waiter(
        session,
        timeout_seconds=timeout_seconds,
        goes_on="AWS carries on with what was begun; nothing else is deleted.",
        resume=session.command_line,
    )
    with journey.followed():
        if copy.settings.get("DeletionProtection"):
            _call(partial(moves.unprotect, name), journey, "deletion protection is off")
        for instance in instances:
            if instance.status != "deleting":
                _call(partial(moves.delete_instance, instance.identifier), journey, f"deleting {instance.identifier}")
        journey.wait("instances gone", lambda: _gone_sign(moves, name))
        if copy.status != "deleting":
            _call(partial(moves.delete_cluster, name), journey, f"deleting {name}")
        journey.wait(GONE, lambda: _deleted_sign(moves, name))
    session.screen.result({"dropped": name, "region": region.name, "seconds": journey.seconds}, [f"{name} is deleted."])
    return ExitCode.DONE


def _find_copy(session: Session, name: str) -> tuple[DeployedRegion, ClusterInfo]:
    """Return the copy, in whichever region it is.

    Raises:
        OperationRefusedError: there is none, or it is no copy.
    """
    regions = session.deployment.regions
    answers = call_concurrently([partial(session.moves(region).read_cluster, name) for region in regions])
    found = [
        (region, answer) for region, answer in zip(regions, answers, strict=True) if isinstance(answer, ClusterInfo)
    ]
    if not found:
        failed = [answer for answer in answers if isinstance(answer, OperationError)]
        if failed:
            raise AwsError(f"{name} can't be looked for: {failed[0].message}", hint="Nothing was changed. Try again.")
        raise OperationRefusedError(
            f"there is no cluster {name} in either region", hint="Its name is what `rewind` printed."
        )
    region, copy = found[0]
    if REWIND_OF not in copy.tags or REWIND_TO not in copy.tags or copy.arn in [each.cluster_arn for each in regions]:
        raise OperationRefusedError(
            f"{name} is no copy that a rewind has made: it has no tags {REWIND_OF} and {REWIND_TO}",
            hint="Only copies are deleted here; nothing was changed.",
        )
    return region, copy


def _call(call: "partial[None]", journey: Waiter, words: str) -> None:
    """Make one call; a clear no ends the command, no answer leaves it to the next look.

    Raises:
        OperationRefusedError: AWS answered no.
        AwsError: no answer.
    """
    try:
        call_with_deadline(call, seconds=CALL_DEADLINE_SECONDS)
    except AwsRefusedError as error:
        raise OperationRefusedError(
            f"{words}: {error.message}. AWS refused this step",
            hint=f"{error.hint} What was begun before stays; run the command again to go on.",
        ) from error
    journey.note(words)


def _add_instance(moves: MoveApi, source: ClusterInfo, name: str, to: datetime, journey: Waiter) -> None:
    originals = call_with_deadline(partial(moves.read_instances, source.identifier))
    if not originals:
        raise OperationRefusedError(
            f"{source.identifier} has no instance to copy the settings of", hint="Look at `status`."
        )
    writer = next((each for each in originals if each.is_writer), originals[0])
    settings = instance_settings(writer, source, name, to)
    identifier = instance_id(name)
    _call(partial(moves.create_instance, name, identifier, settings), journey, f"creating instance {identifier}")


def _cluster_sign(moves: MoveApi, name: str) -> PollResult:
    found = moves.read_cluster(name)
    if found is not None and "failed" in found.status:
        raise FailedError(f"{name} is {found.status}", hint="Its events say why; drop it, then try again.")
    status = "not to be seen yet" if found is None else found.status
    return PollResult(done=status == AVAILABLE, words=f"{name}: {status}")


def _instance_sign(moves: MoveApi, name: str) -> PollResult:
    found: list[Instance] = list(moves.read_instances(name))
    words = ", ".join(f"{each.identifier}: {each.status}" for each in found) or "no instance to be seen yet"
    return PollResult(done=any(each.status == AVAILABLE for each in found), words=words)


def _gone_sign(moves: MoveApi, name: str) -> PollResult:
    found = [] if moves.read_cluster(name) is None else list(moves.read_instances(name))
    words = ", ".join(f"{each.identifier}: {each.status}" for each in found) or "no instance is left"
    return PollResult(done=not found, words=words)


def _deleted_sign(moves: MoveApi, name: str) -> PollResult:
    found = moves.read_cluster(name)
    return PollResult(done=found is None, words=f"{name}: {'gone' if found is None else found.status}")


def _say_plan(session: Session, region: DeployedRegion, source: ClusterInfo, name: str, to: datetime) -> None:
    note = session.screen.note
    earliest, latest = source.earliest_restorable, source.latest_restorable
    note(f"Plan: rewind of {source.identifier} in {region.name}, the writer, as of {utc_text(to)}")
    note(f"  copy       {name}: a cluster of its own beside the live one, which is not touched")
    note("  settings   network, key, parameter groups, IAM log-in, logs and protection as the live one; one instance")
    note(f"  can be     {_moment(earliest) or 'unknown'} to {_moment(latest) or 'unknown'}")
    note("  time       AWS restores in minutes to hours, by the amount of data; an instance takes minutes more")
    note("  costs      storage of a full copy and an instance, until it is dropped")


def _moment(at: datetime | None) -> str | None:
    return None if at is None else utc_text(at)


def _say_copy(
    session: Session, region: DeployedRegion, source: ClusterInfo, name: str, to: datetime, seconds: Mapping[str, float]
) -> ExitCode:
    moves = session.moves(region)
    copy = call_with_deadline(partial(moves.read_cluster, name))
    if copy is None:
        raise FailedError(f"{name} is gone again", hint="Somebody dropped it: look at `history`.")
    flaws = list(flaws_of(copy, source, list(call_with_deadline(partial(moves.read_instances, name)))))
    session.screen.result(
        {
            "copy": name,
            "endpoint": copy.endpoint,
            "region": region.name,
            "source": source.identifier,
            "as_of": utc_text(to),
            "restorable": {
                "earliest": _moment(source.earliest_restorable),
                "latest": _moment(source.latest_restorable),
            },
            "flaws": flaws,
            "seconds": dict(seconds),
        },
        [
            f"{name} is {source.identifier} as of {utc_text(to)}: {copy.endpoint}",
            *(f"  NOT AS IT SHOULD BE: {flaw}" for flaw in flaws),
            "Compare: log in to both with the master user, from a machine in the VPC. The health checks' rows of",
            "  `failover.heartbeat` in the copy stand still at about that second; the row `database` goes on.",
            "Take back single rows: read them in the copy, write them into the live cluster.",
            "Promote: point the clients at the copy's endpoint; it is in no global database, and not in Pulumi's state.",
            f"Drop: python -m operations rewind --drop {name}",
        ],
    )
    return ExitCode.FAILED if flaws else ExitCode.DONE


def _backtrack(
    session: Session, found: Topology, source: ClusterInfo, *, to: datetime, reason: str, timeout_seconds: float
) -> ExitCode:
    region, note = found.writer.region, session.screen.note
    moves = session.moves(region)
    obstacles = list(backtrack_obstacles(source, to, session.now()))
    note(f"Plan: BACKTRACK of {source.identifier} in {region.name}, the live writer, in place, to {utc_text(to)}")
    note("  data       everything that was written since then is gone from the live database, for everybody")
    note("  clients    all connections are closed, and it does not serve while it goes back; readers restart too")
    note("  AWS        lists Backtrack among what global databases don't support, and will answer with a refusal")
    for each in obstacles:
        note(f"  OBSTACLE   {each.what}")
    refuse_if(obstacles)
    session.confirm(f"Backtrack {source.identifier} to {utc_text(to)}?")
    record(
        session, region, OperatorReason.REWIND, {"why": reason, "to": utc_text(to), "backtracked": source.identifier}
    )
    journey = Waiter(
        session,
        timeout_seconds=timeout_seconds,
        goes_on="AWS carries on with the backtrack by itself.",
        resume=f"aws rds describe-db-cluster-backtracks --region {region.name} "
        f"--db-cluster-identifier {source.identifier}",
    )
    with journey.followed():
        try:
            identifier = call_with_deadline(
                partial(moves.backtrack, source.identifier, to), seconds=CALL_DEADLINE_SECONDS
            )
        except AwsRefusedError as error:
            raise OperationRefusedError(
                f"{error.message}. AWS refused: nothing was changed",
                hint="Set `rewind.method: point-in-time`, deploy, and rewind into a copy.",
            ) from error
        journey.wait(BACKTRACKED, lambda: _backtrack_sign(moves, source.identifier, identifier))
    session.screen.result(
        {"backtracked": source.identifier, "to": utc_text(to), "seconds": journey.seconds},
        [f"{source.identifier} is what it was at {utc_text(to)}."],
    )
    return ExitCode.DONE


def _backtrack_sign(moves: MoveApi, source_id: str, identifier: str) -> PollResult:
    status = moves.backtrack_status(source_id, identifier).lower()
    if status == "failed":
        raise FailedError(f"the backtrack {identifier} failed", hint="The cluster's events say why.")
    return PollResult(done=status == "completed", words=f"backtrack {identifier}: {status}")
