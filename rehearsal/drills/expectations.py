"""What must hold in more than one drill, each with its evidence.

Owns: the sentences of the report and what proves them. Does not own: what a drill breaks, or how long it waits.
Invariant: an expectation looks at records and asks; it changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from rehearsal.cloud.api_proxy import OperationCall
from rehearsal.drills.context import DrillContext
from rehearsal.drills.failover_steps import Failover, Outage, lost_rows, role_by_protocol
from rehearsal.drills.recorder import Notice
from rehearsal.environment import RegionFacts
from rehearsal.workload import WriteAttempt

MOST_CYCLES_TO_CALL = 4
LONGEST_CYCLE_MS = 1500
"""In calm, whatever the cycle is: nothing is waited for in vain."""
ANSWER_ON_ITS_WAY_SECONDS = 0.5
"""The client learns of a commit a little after the database made it, and later on a machine that is busy."""


def expect_cycles(stage: DrillContext, cycles: dict[str, int], count: int) -> None:
    """Both controllers went on beating."""
    stage.expect(
        f"both controllers cycle {count} times",
        min(cycles.values()) >= count,
        ", ".join(f"{region}: {number}" for region, number in cycles.items()),
    )


def expect_short_cycles(stage: DrillContext, since: float) -> None:
    """No cycle of either controller took long: what it cost to look along all three paths, to decide and to keep it."""
    longest = {
        region.name: stage.watch.metric(region, "CycleDuration", "Maximum", since=since)
        for region in stage.world.regions
    }
    reported = [each for each in longest.values() if each is not None]
    stage.expect(
        f"no cycle took longer than {LONGEST_CYCLE_MS:,} ms, all three paths and the table included",
        len(reported) == len(longest) and max(reported) <= LONGEST_CYCLE_MS,
        ", ".join(f"{name}: {'not reported' if each is None else f'{each:.0f} ms'}" for name, each in longest.items()),
    )
    if reported:
        stage.measure("longest_cycle_ms", max(reported))


def expect_no_calls(stage: DrillContext, since: float) -> None:
    """Nobody called a failover or switchover, in vain or not."""
    calls = stage.calls_since(since)
    stage.expect("no failover and no switchover was called", not calls, f"{len(calls)} calls")


def expect_dns_stays(stage: DrillContext, since: float, region: str) -> None:
    """The writer's name answered one region and no other."""
    answers = stage.dns_answers_since(since)
    stage.expect(
        f"{stage.world.writer_name} answered {region} all the time",
        bool(answers) and set(answers) == {region},
        f"{len(answers)} answers: {', '.join(sorted({each or 'nothing' for each in answers}))}",
    )


def expect_every_write_acknowledged(stage: DrillContext, since: float) -> None:
    """The client noticed nothing."""
    attempts = stage.attempts_since(since)
    failed = [attempt for attempt in attempts if not attempt.acknowledged]
    detail = f"{len(attempts) - len(failed)} acknowledged, {len(failed)} failed"
    if failed:
        detail += f", the first with {failed[0].failure}"
    stage.expect("every write of the client was acknowledged", bool(attempts) and not failed, detail)


def expect_roles_kept(stage: DrillContext, writer: RegionFacts, standby: RegionFacts) -> None:
    """Over the MySQL protocol, the writer takes writes and the standby reads, as before."""
    roles = {region.name: role_by_protocol(stage, region) for region in (writer, standby)}
    stage.expect(
        f"over the MySQL protocol, {writer.name} still takes writes and {standby.name} reads",
        roles == {writer.name: False, standby.name: True},
        ", ".join(f"{region}: read_only={read_only}" for region, read_only in roles.items()),
    )


def expect_roles_reported(stage: DrillContext, since: float, writer: RegionFacts, standby: RegionFacts) -> None:
    """By each region's own metric, in every cycle: the writer stayed the writer, and the standby never was."""
    own = stage.watch.metric(writer, "WriterRole", "Minimum", since=since)
    other = stage.watch.metric(standby, "WriterRole", "Maximum", since=since)
    stage.expect(
        f"each region saw its own role unchanged: {writer.name} writes, {standby.name} doesn't",
        own == 1.0 and other == 0.0,
        f"WriterRole: at least {own} in {writer.name}, at most {other} in {standby.name}",
    )


def expect_one_failover(stage: DrillContext, call: OperationCall, standby: RegionFacts) -> None:
    """One call took effect, in the right place, and it is the only one since zero."""
    calls = stage.calls_since(stage.zero)
    accepted = [each for each in calls if each.accepted]
    stage.expect(
        "exactly one failover call took effect, in the standby region, for its own cluster",
        accepted == [call] and call.region == standby.name and standby.cluster_id in call.target,
        "; ".join(f"{each.operation} in {each.region} to {each.target}" for each in calls),
    )


def expect_one_call_sent(stage: DrillContext) -> None:
    """Not even a call that RDS had to refuse came after the first."""
    calls = stage.calls_since(stage.zero)
    stage.expect(
        "no second call reached RDS, not even one that it refused",
        len(calls) == 1,
        "; ".join(f"{call.operation} at {call.at - stage.zero:.2f} s: {call.error or 'accepted'}" for call in calls),
    )


def expect_call_in_time(
    stage: DrillContext, call_seconds: float, *, most_cycles: float, since: str = "the outage"
) -> None:
    """From something to the call at most so many cycles."""
    stage.expect(
        f"from {since} to the failover call at most {most_cycles:g} cycles",
        call_seconds <= most_cycles * stage.interval_seconds,
        f"{call_seconds:.2f} s with a cycle of {stage.interval_seconds:g} s",
    )


def expect_dns_after_promotion(stage: DrillContext, failover: Failover) -> None:
    """The name never led to a cluster that was still a reader."""
    stage.expect(
        "DNS moved after the promotion, not before it",
        failover.dns_at >= failover.promoted_at,
        f"promotion at {failover.promoted_at - stage.zero:.2f} s, DNS at {failover.dns_at - stage.zero:.2f} s",
    )


def expect_no_write_in_the_dark(stage: DrillContext, dark_at: float, lost: RegionFacts) -> None:
    """What is dark acknowledges nothing: the rehearsal's own darkness holds."""
    late = [
        attempt
        for attempt in stage.attempts_since(dark_at)
        if attempt.acknowledged and attempt.endpoint in (lost.writer_endpoint, lost.reader_endpoint)
    ]
    stage.expect(
        "the lost region acknowledged nothing after the outage",
        not late,
        f"{len(late)} writes acknowledged by {lost.cluster_id}",
    )


def expect_never_two_writers(stage: DrillContext) -> None:
    """No two clusters took writes at once: by the client's record, and by the data plane at every look of the watch."""
    clusters = {
        endpoint: region.cluster_id
        for region in stage.world.regions
        for endpoint in (region.writer_endpoint, region.reader_endpoint)
    }
    attempts, takers = stage.attempts_since(stage.started_at), tuple(stage.watch.takers)
    wrong = unexplained_moves(attempts, stage.world.control_plane.calls, takers, clusters)
    wrong += [f"{' and '.join(sorted(taking))} at once" for _at, taking in takers if len(taking) > 1]
    stage.expect(
        "no two clusters ever took writes at the same time",
        not wrong and bool(takers),
        "; ".join(wrong) or f"by {stage.watch.looks} looks at the data plane and {len(attempts)} writes",
    )


def unexplained_moves(
    attempts: Iterable[WriteAttempt],
    calls: Sequence[OperationCall],
    takers: Sequence[tuple[float, frozenset[str]]],
    clusters: Mapping[str, str],
) -> list[str]:
    """Where acknowledged writes went from one cluster to another in a way that no call explains, in words.

    A call explains it that was accepted for the new cluster before its first write, if the old cluster's last write came before
    the new one took any. `clusters` are cluster ids by endpoint, `takers` the clusters that took writes, at each change of them.
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
        taken = [at for at, taking in takers if target in taking and called and at >= called[0]][:1]
        if not taken or last.at_seconds > taken[0] + ANSWER_ON_ITS_WAY_SECONDS:
            wrong.append(f"row {last.row_id} in {source}, then row {first.row_id} in {target}, unexplained")
    return wrong


def expect_loss_within_lag(stage: DrillContext, outage: Outage) -> None:
    """What was lost is what the data plane says was lost, and none of it is older than the lag allows."""
    acknowledged = {
        row: at
        for row, at in stage.ledger.acknowledged_rows().items()
        if at <= outage.at and row not in outage.lost_before
    }
    present = stage.ledger.present_rows(outage.standby.writer_endpoint)
    missing = {row: at for row, at in acknowledged.items() if row not in present}
    stage.measure("lost_rows", len(missing))
    lag_seconds = stage.world.database.replication_lag_seconds
    stage.measure("replication_lag_ms", lag_seconds * 1000)
    ages = [outage.at - at for at in missing.values()]
    if ages:
        stage.measure("oldest_lost_row_ms", max(ages) * 1000)
    # The client learns of a commit a little after the database made it; the pace is the most that can lie between.
    tolerance_seconds = stage.ledger.pace_seconds * 2
    stage.expect(
        "every lost row was younger than the lag that was set",
        all(age <= lag_seconds + tolerance_seconds for age in ages),
        f"{len(missing)} of {len(acknowledged)} acknowledged rows lost"
        + (f", the oldest {max(ages) * 1000:.0f} ms before the outage" if ages else "")
        + f"; lag {lag_seconds * 1000:.0f} ms",
    )
    recorded = lost_rows(stage) - outage.lost_before
    stage.lost_rows |= set(missing) | recorded
    stage.expect(
        "the lost rows are exactly those that the replication stream had not carried",
        set(missing) == recorded & set(acknowledged),
        f"missing: {sorted(missing)[:20]}; not carried: {sorted(recorded)[:20]}",
    )


def expect_loss_was_possible(stage: DrillContext, outage: Outage) -> None:
    """Rows were written within the lag before the outage: otherwise nothing lost would prove nothing."""
    lag_seconds = stage.world.database.replication_lag_seconds
    recent = [
        row
        for row, at in stage.ledger.acknowledged_rows().items()
        if outage.at - lag_seconds <= at <= outage.at and row not in outage.lost_before
    ]
    stage.expect(
        "the loss was really put to the test: rows were written within the lag before the outage",
        bool(recent) and bool(outage.acknowledged),
        f"{len(recent)} rows in the last {lag_seconds * 1000:.0f} ms",
    )


def expect_told_once(
    stage: DrillContext, region: RegionFacts, reasons: tuple[str, ...], *, since: float | None = None
) -> None:
    """People were told exactly once of each reason, and of nothing else twice."""
    notices = stage.watch.notices_since(stage.zero if since is None else since, region=region.name)
    counts = Counter(notice.reason for notice in notices)
    stage.expect(
        f"people were told once of {' and '.join(reasons)}, and of nothing twice",
        all(counts[reason] == 1 for reason in reasons) and max(counts.values(), default=0) <= 1,
        f"{words_of(notices)} from {region.name}",
    )


def expect_nobody_told(stage: DrillContext, since: float, *, region: RegionFacts | None = None) -> None:
    """Nobody was sent anything."""
    notices = stage.watch.notices_since(since, region=None if region is None else region.name)
    where = "" if region is None else f" by {region.name}"
    stage.expect(f"nobody was told anything{where}", not notices, words_of(notices) or "no notice")


def expect_audit_trail(stage: DrillContext, region: RegionFacts, reasons: tuple[str, ...]) -> None:
    """The table in the region that acted says what was decided, and how it ended."""
    items = stage.world.clients("dynamodb", region.name).query(
        TableName=region.table_name,
        KeyConditionExpression="#item = :history",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":history": {"S": "history"}},
        ConsistentRead=True,
    )["Items"]
    text = " ".join(str(item) for item in items if _entered_at(item) >= stage.started_at)
    stage.expect(
        "the audit trail in the standby region has the decision and its end",
        all(reason in text for reason in reasons),
        f"{len(items)} entries in {region.table_name}",
    )


def _entered_at(item: dict[str, dict[str, str]]) -> float:
    """When an entry of the audit trail was made, in seconds since the epoch."""
    return datetime.fromisoformat(item["at"]["S"]).timestamp()


def words_of(notices: list[Notice]) -> str:
    """The reasons of some notices, in their order."""
    return ", ".join(notice.reason for notice in notices)
