"""The command `rewind`: restore the writer's cluster to a point in time, into a copy; `--drop` deletes the copy.

Invariant: the live cluster is only read, unless the setting is `rewind.method: backtrack`, and only a cluster with a
copy's tags is deleted.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from operations.aws.move_ports import AwsRefusedError, ClusterInfo, MoveApi
from operations.aws.table_items import OperatorReason
from operations.commands.context import CommandContext
from operations.commands.move_steps import AVAILABLE, CALL_DEADLINE_SECONDS, record, refuse_if_any
from operations.commands.move_topology import Topology, read_topology
from operations.commands.rewind_plan import (
    REWIND_OF,
    REWIND_TO,
    backtrack_blockers,
    blockers_of,
    cluster_settings,
    copy_id,
    differences_of,
    instance_id,
    instance_settings,
    is_copy_of,
)
from operations.commands.waiting import PollResult, Waiter
from operations.stack.deployment import DeployedRegion
from operations.support.deadlines import call_concurrently, call_with_deadline
from operations.support.errors import AwsError, ExitCode, FailedError, OperationError, OperationRefusedError
from operations.support.times import utc_text


def rewind(context: CommandContext, *, to: datetime, reason: str, timeout_seconds: float) -> ExitCode:
    """Restore the writer's cluster as of `to` into a copy, or backtrack it, depending on the stack's settings."""
    found = read_topology(context)
    region, source = found.writer.region, found.writer.cluster
    if source is None:
        cause = found.writer.failures.get("cluster", "there is no such cluster")
        raise AwsError(
            f"the writer's cluster in {region.name} can't be read: {cause}", hint="No changes were made. Try again."
        )
    if context.deployment.rewind_method == "backtrack":
        return _backtrack(context, found, source, to=to, reason=reason, timeout_seconds=timeout_seconds)
    move_api, name = context.move_api(region), copy_id(source.identifier, to)
    copy = call_with_deadline(partial(move_api.read_cluster, name))
    instances = [] if copy is None else list(call_with_deadline(partial(move_api.read_instances, name)))
    if copy is None:
        _show_plan(context, region, source, name, to)
        refuse_if_any(context, blockers_of(source, found.global_cluster, to, context.now()))
    elif not is_copy_of(copy, source.identifier, to):
        raise OperationRefusedError(
            f"the cluster {name} exists already, and it is not a copy of {source.identifier} as of {utc_text(to)}",
            hint="Find the owner of that cluster. No changes were made.",
        )
    else:
        context.screen.note(f"{name} exists already, {copy.status}: resuming")
    if not instances:
        context.confirm(f"Restore {source.identifier} as of {utc_text(to)} into {name}?")
        record(context, region, OperatorReason.REWIND, {"why": reason, "to": utc_text(to), "copy": name})
    waiter = Waiter(
        context,
        timeout_seconds=timeout_seconds,
        continues=f"AWS continues the steps already started for {name}; the live cluster is not touched.",
        resume=context.command_line,
    )
    with waiter.hints():
        if copy is None:
            settings = cluster_settings(source, name, to)
            _call(partial(move_api.restore, source.identifier, name, to, settings), waiter, f"restoring into {name}")
        waiter.wait("restore", lambda: _poll_restore(move_api, name))
        if not instances:
            _add_instance(move_api, source, name, to, waiter)
        waiter.wait("instance", lambda: _poll_instance(move_api, name))
    return _show_copy(context, region, source, name, to, waiter.seconds)


def drop(context: CommandContext, *, name: str, reason: str, timeout_seconds: float) -> ExitCode:
    """Delete a copy that a rewind has made."""
    region, copy = _find_copy(context, name)
    note = context.screen.note
    move_api = context.move_api(region)
    instances = call_with_deadline(partial(move_api.read_instances, name))
    note(f"Plan: delete {name} in {region.name} permanently, without a snapshot")
    note(
        f"  a copy of {copy.tags[REWIND_OF]} as of {copy.tags[REWIND_TO]}, {copy.status}, {len(instances)} instance(s)"
    )
    is_protected = copy.settings.get("DeletionProtection")
    if is_protected:
        note("  its deletion protection is removed first")
    context.confirm(f"Delete {name}?")
    record(context, region, OperatorReason.REWIND, {"why": reason, "dropped": name})
    waiter = Waiter(
        context,
        timeout_seconds=timeout_seconds,
        continues="AWS continues the steps already started; nothing else is deleted.",
        resume=context.command_line,
    )
    with waiter.hints():
        if is_protected:
            _call(partial(move_api.unprotect, name), waiter, "deletion protection is off")
        for instance in instances:
            if instance.status != "deleting":
                _call(partial(move_api.delete_instance, instance.identifier), waiter, f"deleting {instance.identifier}")
        waiter.wait("instances gone", lambda: _poll_no_instance(move_api, name))
        if copy.status != "deleting":
            _call(partial(move_api.delete_cluster, name), waiter, f"deleting {name}")
        waiter.wait("deletion", lambda: _poll_deletion(move_api, name))
    context.screen.result({"dropped": name, "region": region.name, "seconds": waiter.seconds}, [f"{name} is deleted."])
    return ExitCode.DONE


def _find_copy(context: CommandContext, name: str) -> tuple[DeployedRegion, ClusterInfo]:
    """Return the copy and its region.

    Raises:
        OperationRefusedError: there is no such cluster, or it is not a copy.
    """
    regions = context.deployment.regions
    answers = call_concurrently([partial(context.move_api(region).read_cluster, name) for region in regions])
    found = [
        (region, answer) for region, answer in zip(regions, answers, strict=True) if isinstance(answer, ClusterInfo)
    ]
    if not found:
        failed = [answer for answer in answers if isinstance(answer, OperationError)]
        if failed:
            raise AwsError(f"{name} can't be looked up: {failed[0].message}", hint="No changes were made. Try again.")
        raise OperationRefusedError(
            f"rewind --drop: no cluster {name} exists in either region", hint="Use the name that `rewind` printed."
        )
    region, copy = found[0]
    if REWIND_OF not in copy.tags or REWIND_TO not in copy.tags or copy.arn in [each.cluster_arn for each in regions]:
        raise OperationRefusedError(
            f"rewind --drop: {name} is not a copy made by `rewind`: the cluster lacks the tags {REWIND_OF} and {REWIND_TO}",
            hint="This command deletes only copies. No changes were made.",
        )
    return region, copy


def _call(call: "partial[None]", waiter: Waiter, text: str) -> None:
    """Make one call.

    Raises:
        OperationRefusedError: AWS refused it.
        AwsError: AWS did not respond.
    """
    try:
        call_with_deadline(call, seconds=CALL_DEADLINE_SECONDS)
    except AwsRefusedError as error:
        raise OperationRefusedError(
            f"{text}: {error.message}. AWS refused this step",
            hint=f"{error.hint} Earlier steps stay in effect; run the command again to resume.",
        ) from error
    waiter.note(text)


def _add_instance(move_api: MoveApi, source: ClusterInfo, name: str, to: datetime, waiter: Waiter) -> None:
    originals = call_with_deadline(partial(move_api.read_instances, source.identifier))
    if not originals:
        raise OperationRefusedError(
            f"{source.identifier} has no instance whose settings can be copied", hint="Check the instances in `status`."
        )
    writer = next((each for each in originals if each.is_writer), originals[0])
    settings = instance_settings(writer, source, name, to)
    identifier = instance_id(name)
    _call(partial(move_api.create_instance, name, identifier, settings), waiter, f"creating instance {identifier}")


def _poll_restore(move_api: MoveApi, name: str) -> PollResult:
    found = move_api.read_cluster(name)
    if found is not None and "failed" in found.status:
        raise FailedError(
            f"{name} is {found.status}",
            hint="The cluster's events give the reason. Drop the copy with `rewind --drop`, then try again.",
        )
    status = "not visible yet" if found is None else found.status
    return PollResult(done=status == AVAILABLE, text=f"{name}: {status}")


def _poll_instance(move_api: MoveApi, name: str) -> PollResult:
    found = list(move_api.read_instances(name))
    text = ", ".join(f"{each.identifier}: {each.status}" for each in found) or "no instance visible yet"
    return PollResult(done=any(each.status == AVAILABLE for each in found), text=text)


def _poll_no_instance(move_api: MoveApi, name: str) -> PollResult:
    found = [] if move_api.read_cluster(name) is None else list(move_api.read_instances(name))
    text = ", ".join(f"{each.identifier}: {each.status}" for each in found) or "no instance left"
    return PollResult(done=not found, text=text)


def _poll_deletion(move_api: MoveApi, name: str) -> PollResult:
    found = move_api.read_cluster(name)
    return PollResult(done=found is None, text=f"{name}: {'deleted' if found is None else found.status}")


def _show_plan(context: CommandContext, region: DeployedRegion, source: ClusterInfo, name: str, to: datetime) -> None:
    note = context.screen.note
    earliest, latest = source.earliest_restorable, source.latest_restorable
    note(f"Plan: rewind of {source.identifier} in {region.name}, the writer, as of {utc_text(to)}")
    note(f"  copy       {name}: a separate cluster; the live cluster is not touched")
    note("  settings   network, key, parameter groups, IAM login, logs and protection as the live one; one instance")
    note(f"  range      {_text_of(earliest) or 'unknown'} to {_text_of(latest) or 'unknown'}")
    note("  time       AWS restores in minutes to hours, depending on the amount of data; an instance adds minutes")
    note("  costs      storage of a full copy and an instance, until it is dropped")


def _text_of(at: datetime | None) -> str | None:
    return None if at is None else utc_text(at)


def _show_copy(
    context: CommandContext,
    region: DeployedRegion,
    source: ClusterInfo,
    name: str,
    to: datetime,
    seconds: Mapping[str, float],
) -> ExitCode:
    move_api = context.move_api(region)
    copy = call_with_deadline(partial(move_api.read_cluster, name))
    if copy is None:
        raise FailedError(f"{name} was deleted meanwhile", hint="Check `history` for a `rewind --drop`.")
    differences = list(differences_of(copy, source, list(call_with_deadline(partial(move_api.read_instances, name)))))
    context.screen.result(
        {
            "copy": name,
            "endpoint": copy.endpoint,
            "region": region.name,
            "source": source.identifier,
            "as_of": utc_text(to),
            "restorable": {
                "earliest": _text_of(source.earliest_restorable),
                "latest": _text_of(source.latest_restorable),
            },
            "differences": differences,
            "seconds": dict(seconds),
        },
        [
            f"{name} is {source.identifier} as of {utc_text(to)}: {copy.endpoint}",
            *(f"  DIFFERENCE: {each}" for each in differences),
            "Compare: log in to both with the master user, from a machine in the VPC. In the copy the health checks' rows",
            "  in `failover.heartbeat` stop at about that second; only the row `database` continues.",
            "Recover single rows: read them in the copy and write them into the live cluster.",
            "Promote: point the clients at the copy's endpoint. It is in no global database and not in Pulumi's state.",
            context.with_stack_options(f"Drop: python -m operations rewind --drop {name}"),
        ],
    )
    return ExitCode.FAILED if differences else ExitCode.DONE


def _backtrack(
    context: CommandContext, found: Topology, source: ClusterInfo, *, to: datetime, reason: str, timeout_seconds: float
) -> ExitCode:
    region, note = found.writer.region, context.screen.note
    move_api = context.move_api(region)
    note(f"Plan: BACKTRACK of {source.identifier} in {region.name}, the live writer, in place, to {utc_text(to)}")
    note("  data       all writes since then are removed from the live database, for all clients")
    note("  clients    all connections are closed; the cluster is unavailable meanwhile, and its readers restart")
    note("  AWS        does not support Backtrack in a global database, and will refuse the call")
    refuse_if_any(context, backtrack_blockers(source, to, context.now()))
    context.confirm(f"Backtrack {source.identifier} to {utc_text(to)}?")
    record(
        context, region, OperatorReason.REWIND, {"why": reason, "to": utc_text(to), "backtracked": source.identifier}
    )
    waiter = Waiter(
        context,
        timeout_seconds=timeout_seconds,
        continues="AWS continues the backtrack by itself.",
        resume=f"aws rds describe-db-cluster-backtracks --region {region.name} "
        f"--db-cluster-identifier {source.identifier}",
    )
    with waiter.hints():
        try:
            identifier = call_with_deadline(
                partial(move_api.backtrack, source.identifier, to), seconds=CALL_DEADLINE_SECONDS
            )
        except AwsRefusedError as error:
            raise OperationRefusedError(
                f"{error.message}. AWS refused: no changes were made",
                hint="Set `rewind.method: point-in-time`, deploy, and rewind into a copy.",
            ) from error
        waiter.wait("backtrack", lambda: _poll_backtrack(move_api, source.identifier, identifier))
    context.screen.result(
        {"backtracked": source.identifier, "to": utc_text(to), "seconds": waiter.seconds},
        [f"{source.identifier} has its state of {utc_text(to)}."],
    )
    return ExitCode.DONE


def _poll_backtrack(move_api: MoveApi, source_id: str, identifier: str) -> PollResult:
    status = move_api.backtrack_status(source_id, identifier).lower()
    if status == "failed":
        raise FailedError(f"the backtrack {identifier} failed", hint="The cluster events give the reason.")
    return PollResult(done=status == "completed", text=f"backtrack {identifier}: {status}")
