"""Assertions that several drills share, each with its evidence. The assertions only read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from rehearsal.cloud.api_proxy import OperationCall
from rehearsal.drills.context import DrillContext
from rehearsal.drills.failover_steps import Failover, PlayedOutage, is_read_only, lost_rows
from rehearsal.drills.recorder import SentNotice
from rehearsal.environment import RegionFacts
from rehearsal.workload import WriteAttempt
from settings import FailoverSettings

EXTRA_CYCLES = 2
"""Additional cycles that the controller requires soon after a silence that healed, such as that of an earlier drill."""
SPARE_CYCLES = 1.5
"""From the outage to the first failing cycle, and for the second observation before the call."""
MAX_CYCLES_TO_CALL = FailoverSettings().failure_threshold + EXTRA_CYCLES + SPARE_CYCLES
"""Most cycles from an outage to the call, soon after a silence that healed."""
MAX_CYCLE_MS = 1500
"""Requests time out only under a fault, so the limit does not depend on the interval."""
ACKNOWLEDGEMENT_DELAY_SECONDS = 0.5
"""Most time between a commit and the client's receipt of its acknowledgement, on a busy machine."""


def expect_cycles(context: DrillContext, cycles: dict[str, int], count: int) -> None:
    """Check that both controllers ran at least the given number of cycles."""
    context.expect(
        f"both controllers ran at least {count} cycles",
        min(cycles.values()) >= count,
        ", ".join(f"{region}: {number}" for region, number in cycles.items()),
    )


def expect_short_cycles(context: DrillContext, since: float) -> None:
    """Check that no cycle exceeded the limit."""
    longest = {
        region.name: context.recorder.metric(region, "CycleDuration", "Maximum", since=since)
        for region in context.environment.regions
    }
    reported = [each for each in longest.values() if each is not None]
    context.expect(
        f"no cycle took longer than {MAX_CYCLE_MS:,} ms",
        len(reported) == len(longest) and max(reported) <= MAX_CYCLE_MS,
        ", ".join(f"{name}: {'not reported' if each is None else f'{each:.0f} ms'}" for name, each in longest.items()),
        timed=True,
    )
    if reported:
        context.measure("longest_cycle_ms", max(reported))


def expect_no_calls(context: DrillContext, since: float) -> None:
    """Check that no failover or switchover was called, accepted or refused."""
    calls = context.calls_since(since)
    context.expect("no failover or switchover was called", not calls, f"{len(calls)} calls")


def expect_dns_unchanged(context: DrillContext, since: float, region: str) -> None:
    """Check that the writer's name resolved to one region only."""
    answers = context.dns_answers_since(since)
    context.expect(
        f"{context.environment.writer_name} always resolved to {region}",
        bool(answers) and set(answers) == {region},
        f"{len(answers)} answers: {', '.join(sorted({each or 'no address' for each in answers}))}",
    )


def expect_every_write_acknowledged(context: DrillContext, since: float) -> None:
    """Check that no client write failed."""
    attempts = context.attempts_since(since)
    failed = [attempt for attempt in attempts if not attempt.acknowledged]
    detail = f"{len(attempts) - len(failed)} acknowledged, {len(failed)} failed"
    if failed:
        detail += f", the first with {failed[0].failure}"
    context.expect("every client write was acknowledged", bool(attempts) and not failed, detail, timed=True)
    context.measure("acknowledged_rows", len(attempts) - len(failed))


def expect_roles(context: DrillContext, writer: RegionFacts, standby: RegionFacts, text: str = "") -> None:
    """Check over MySQL that the writer accepts writes and the standby is read-only."""
    roles = {region.name: is_read_only(context, region) for region in (writer, standby)}
    context.expect(
        text or f"{writer.name} accepts writes and {standby.name} is read-only (checked over MySQL)",
        roles == {writer.name: False, standby.name: True},
        ", ".join(f"{region}: read_only={read_only}" for region, read_only in roles.items()),
    )


def expect_roles_reported(context: DrillContext, since: float, writer: RegionFacts, standby: RegionFacts) -> None:
    """Check with each region's own metric that both roles stayed the same in every cycle."""
    own = context.recorder.metric(writer, "WriterRole", "Minimum", since=since)
    other = context.recorder.metric(standby, "WriterRole", "Maximum", since=since)
    context.expect(
        f"each region reported an unchanged role: {writer.name} writer, {standby.name} standby",
        own == 1.0 and other == 0.0,
        f"WriterRole: at least {own} in {writer.name}, at most {other} in {standby.name}",
    )


def expect_clean_failover(
    context: DrillContext,
    outage: PlayedOutage,
    notices: tuple[str, ...],
    *,
    check_loss: bool = True,
    notified_since: float | None = None,
    may_repeat: bool = False,
) -> None:
    """Check the calls, the roles, the lost rows, the notices and the history of a failover; see `expect_notices_sent_once`."""
    expect_one_failover(context, outage.standby)
    calls = context.calls_since(context.zero)
    context.expect(
        "RDS received no second call, not even a refused one",
        len(calls) == 1,
        "; ".join(f"{call.operation} at {call.at - context.zero:.2f} s: {call.error or 'accepted'}" for call in calls),
    )
    expect_single_writer(context)
    if check_loss:
        expect_loss_within_lag(context, outage)
    expect_notices_sent_once(context, outage.standby, notices, since=notified_since, may_repeat=may_repeat)
    expect_history(context, outage.standby, notices)


def expect_one_failover(context: DrillContext, standby: RegionFacts) -> None:
    """Check that exactly one call since zero was accepted, in the standby region, for its cluster."""
    calls = context.calls_since(context.zero)
    accepted = [(call.region, standby.cluster_id in call.target) for call in calls if call.accepted]
    context.expect(
        "RDS accepted exactly one failover call, in the standby region, for the standby cluster",
        accepted == [(standby.name, True)],
        "; ".join(f"{each.operation} in {each.region} to {each.target}" for each in calls),
    )


def expect_call_at_threshold(context: DrillContext, standby: RegionFacts, reason: str) -> None:
    """Check with the call's notice that the controller called in the cycle in which the threshold was reached."""
    threshold = context.environment.policy.failure_threshold
    notices = context.recorder.notices_since(context.zero, region=standby.name)
    counts = [
        tuple(one.message["evidence"][name] for name in ("dead_cycles", "silent_cycles", "required_cycles"))
        for one in notices
        if one.reason == reason
    ]
    context.expect(
        "the controller called in the cycle in which the threshold was reached",
        len(counts) == 1
        and min(counts[0][:2]) == counts[0][2]
        and counts[0][2] in (threshold, threshold + EXTRA_CYCLES),
        "; ".join(
            f"cycles without the writer: {dead}, without the region: {lost}; threshold: {n}" for dead, lost, n in counts
        )
        or f"no notice {reason}",
    )


def cycles_to_call(context: DrillContext) -> float:
    """Return the most cycles from an outage to the call, with the threshold that the call's notice names."""
    required = [
        one.message["evidence"]["required_cycles"]
        for one in context.recorder.notices_since(context.zero)
        if one.action == "fail-over" and "required_cycles" in one.message["evidence"]
    ]
    return required[0] + SPARE_CYCLES if required else MAX_CYCLES_TO_CALL


def expect_call_in_time(
    context: DrillContext,
    *,
    max_cycles: float | None = None,
    seconds: float | None = None,
    since: str = "the outage",
) -> None:
    """Check that the failover was called within `max_cycles` (default: those of its threshold).

    `seconds` counts from another event than the outage.
    """
    max_cycles = cycles_to_call(context) if max_cycles is None else max_cycles
    call_seconds = context.measurements["outage_to_call_seconds"] if seconds is None else seconds
    context.expect(
        f"the failover was called within {max_cycles:g} cycles of {since}",
        call_seconds <= max_cycles * context.interval_seconds,
        f"{call_seconds:.2f} s at an interval of {context.interval_seconds:g} s",
        timed=True,
    )


def expect_dns_after_call(context: DrillContext, failover: Failover) -> None:
    """Check that the writer DNS name changed after an accepted call, and not before."""
    called_at = min((call.at for call in context.calls_since(context.zero) if call.accepted), default=math.inf)
    context.expect(
        "DNS changed only after the call",
        failover.dns_at >= called_at,
        f"call at {called_at - context.zero:.2f} s, promotion at {failover.promoted_at - context.zero:.2f} s, "
        f"DNS at {failover.dns_at - context.zero:.2f} s",
    )


def expect_no_write_after_outage(context: DrillContext, outage: PlayedOutage) -> None:
    """Check that the failed region acknowledged no write."""
    lost = outage.lost
    late = [
        attempt
        for attempt in context.attempts_since(outage.at)
        if attempt.acknowledged and attempt.endpoint in (lost.writer_endpoint, lost.reader_endpoint)
    ]
    context.expect(
        "the failed region acknowledged no write after the outage",
        not late,
        f"{len(late)} writes acknowledged by {lost.cluster_id}",
    )


def expect_single_writer(context: DrillContext) -> None:
    """Check that at most one cluster accepted writes at a time, by the client's and the data plane's records."""
    clusters = {
        endpoint: region.cluster_id
        for region in context.environment.regions
        for endpoint in (region.writer_endpoint, region.reader_endpoint)
    }
    attempts, writable_clusters = context.attempts_since(context.started_at), _writable_clusters(context)
    wrong = unexplained_writer_changes(attempts, context.environment.control_plane.calls, writable_clusters, clusters)
    wrong += [
        f"{' and '.join(sorted(writable))} at the same time" for _at, writable in writable_clusters if len(writable) > 1
    ]
    context.expect(
        "at most one cluster accepted writes at any time",
        not wrong and bool(writable_clusters),
        "; ".join(wrong) or f"{context.recorder.samples} samples of the data plane and {len(attempts)} writes checked",
    )


def _writable_clusters(context: DrillContext) -> list[tuple[float, frozenset[str]]]:
    """Return the writable clusters at the start of the drill and at each change since then."""
    changes = tuple(context.recorder.writable_clusters)
    at_start = [change for change in changes if change[0] < context.started_at][-1:]
    return at_start + [change for change in changes if change[0] >= context.started_at]


def unexplained_writer_changes(
    attempts: Iterable[WriteAttempt],
    calls: Sequence[OperationCall],
    writable_clusters: Sequence[tuple[float, frozenset[str]]],
    clusters: Mapping[str, str],
) -> list[str]:
    """Describe each change of the cluster that acknowledged writes without a call that explains it.

    A call explains a change if RDS accepted it for the new cluster before that cluster's first write, and the old cluster's
    last write came before the new cluster became writable. `clusters` maps endpoints to cluster ids. `writable_clusters` holds the
    writable clusters at each change.
    """
    wrong: list[str] = []
    acknowledged = [
        (one, clusters[one.endpoint])
        for one in attempts
        if one.acknowledged and one.endpoint and one.endpoint in clusters
    ]
    for (last, source), (first, target) in pairwise(acknowledged):
        if source == target:
            continue
        called = [call.at for call in calls if call.accepted and target in call.target and call.at <= first.at_seconds][
            -1:
        ]
        taken = [at for at, writable in writable_clusters if target in writable and called and at >= called[0]][:1]
        if not taken or last.at_seconds > taken[0] + ACKNOWLEDGEMENT_DELAY_SECONDS:
            wrong.append(f"row {last.row_id} in {source}, then row {first.row_id} in {target}, unexplained")
    return wrong


def expect_loss_within_lag(context: DrillContext, outage: PlayedOutage) -> None:
    """Check that the lost rows match the data plane's record and are no older than the lag allows."""
    acknowledged = {
        row: at
        for row, at in context.workload.acknowledged_rows().items()
        if at <= outage.at and row not in outage.lost_before
    }
    present = context.workload.present_rows(outage.standby.writer_endpoint)
    missing = {row: at for row, at in acknowledged.items() if row not in present}
    context.measure("lost_rows", len(missing))
    lag_seconds = context.environment.database.replication_lag_seconds
    context.measure("replication_lag_ms", lag_seconds * 1000)
    ages = [outage.at - at for at in missing.values()]
    if ages:
        context.measure("oldest_lost_row_ms", max(ages) * 1000)
    # The client receives an acknowledgement up to one write interval after the commit.
    tolerance_seconds = context.workload.pace_seconds * 2
    context.expect(
        "every lost row was newer than the replication lag",
        all(age <= lag_seconds + tolerance_seconds for age in ages),
        f"{len(missing)} acknowledged rows lost"
        + (f", the oldest {max(ages) * 1000:.0f} ms before the outage" if ages else "")
        + f"; lag {lag_seconds * 1000:.0f} ms",
    )
    recorded = lost_rows(context) - outage.lost_before
    context.lost_rows |= set(missing) | recorded
    context.expect(
        "the lost rows are exactly the rows that were not replicated",
        set(missing) == recorded & set(acknowledged),
        f"missing: {sorted(missing)[:20]}; not replicated: {sorted(recorded)[:20]}",
    )


def expect_rows_at_risk(context: DrillContext, outage: PlayedOutage) -> None:
    """Check that rows were written within the lag before the outage: otherwise no loss was possible."""
    lag_seconds = context.environment.database.replication_lag_seconds
    recent = [
        row
        for row, at in context.workload.acknowledged_rows().items()
        if outage.at - lag_seconds <= at <= outage.at and row not in outage.lost_before
    ]
    context.expect(
        "rows were written within the replication lag before the outage",
        bool(recent) and bool(outage.acknowledged),
        f"{len(recent)} rows in the last {lag_seconds * 1000:.0f} ms",
    )


def expect_notices_sent_once(
    context: DrillContext,
    region: RegionFacts,
    reasons: tuple[str, ...],
    *,
    since: float | None = None,
    may_repeat: bool = False,
) -> None:
    """Check that each reason caused exactly one notice, and no notice was sent twice.

    `may_repeat`: a controller was killed, and its successor may send a notice again, with the same id.
    """
    notices = context.recorder.notices_since(context.zero if since is None else since, region=region.name)
    if may_repeat:
        notices = list({notice.message["id"]: notice for notice in notices}.values())
    counts = Counter(notice.reason for notice in notices)
    context.expect(
        f"each of these notices was sent once, and no other twice: {', '.join(reasons)}",
        all(counts[reason] == 1 for reason in reasons) and max(counts.values(), default=0) <= 1,
        f"{_reasons(notices)} from {region.name}",
    )


def expect_no_notices(context: DrillContext, since: float, *, region: RegionFacts | None = None) -> None:
    """Check that no notice was sent."""
    notices = context.recorder.notices_since(since, region=None if region is None else region.name)
    where = "" if region is None else f" by {region.name}"
    # A request that times out on a busy machine causes a notice too.
    context.expect(f"no notice was sent{where}", not notices, _reasons(notices) or "no notice", timed=True)


def expect_history(context: DrillContext, region: RegionFacts, reasons: tuple[str, ...]) -> None:
    """Check that the table of the acting region records the decision and its outcome."""
    items = context.environment.clients("dynamodb", region.name).query(
        TableName=region.table_name,
        KeyConditionExpression="#item = :history",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":history": {"S": "history"}},
        ConsistentRead=True,
    )["Items"]
    text = " ".join(
        str(item) for item in items if datetime.fromisoformat(item["at"]["S"]).timestamp() >= context.started_at
    )
    context.expect(
        "the history in the standby region records the decision and its outcome",
        all(reason in text for reason in reasons),
        f"{len(items)} entries in {region.table_name}",
    )


def _reasons(notices: list[SentNotice]) -> str:
    return ", ".join(notice.reason for notice in notices)
