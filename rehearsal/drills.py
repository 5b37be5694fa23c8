"""The drills: what is broken, what must happen, what must not, and what is measured of it.

Owns: the plays and their assertions, written in roles (writer, standby). Does not own: how a region is darkened (network.py), who
decides to fail over (the deployed functions), or how it is shown.
Invariant: a drill asserts only what it saw through the API, the MySQL protocol, DNS and the client; none tells the controller anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .control_plane import OperationCall
from .report import EventKind
from .stage import Stage
from .watch import Notice
from .world import RegionFacts

STEADY_BEATS = 20
CALM_BEATS = 10
MOST_BEATS_TO_CALL = 4
LAG_IN_DRILLS_SECONDS = 0.3
"""The replication lag that the stand-ins are given, so that a failover has something to lose."""


@dataclass(frozen=True, kw_only=True)
class Drill:
    """One play: its name on the command line, what it says of itself, and the drills that must have been played before."""

    name: str
    title: str
    description: str
    play: Callable[[Stage], None]
    after: tuple[str, ...] = ()
    key_measurements: tuple[str, ...] = ()


def play_steady(stage: Stage) -> None:
    """Nothing is broken, and nothing may move."""
    since = time.time()
    beats = stage.wait_beats(STEADY_BEATS)
    primary = stage.world.primary.name
    stage.expect(
        f"both controllers beat {STEADY_BEATS} times",
        min(beats.values()) >= STEADY_BEATS,
        ", ".join(f"{region}: {count}" for region, count in beats.items()),
    )
    _expect_no_calls(stage, since)
    _expect_dns_stays(stage, since, primary)
    _expect_every_write_acknowledged(stage, since)
    notices = stage.watch.notices_since(since)
    stage.expect("nobody was told anything", not notices, _reasons(notices) or "no notice")
    lag_ms = stage.world.cluster(stage.world.standby).replication_lag_ms()
    stage.measure("replication_lag_ms", lag_ms)
    stage.measure("beats", min(beats.values()))
    stage.measure("acknowledged_rows", len([one for one in stage.attempts_since(since) if one.acknowledged]))


def play_region_lost(stage: Stage) -> None:
    """The writer's region goes dark: databases, Lambda and AWS API, under a client that keeps writing."""
    world = stage.world
    lost, standby = world.writer, world.standby
    world.database.replication_lag_seconds = LAG_IN_DRILLS_SECONDS
    # The lag of before must have left the stream, and the controller must have measured the new one.
    stage.wait_beats(3)
    acknowledged_before = stage.ledger.acknowledged_rows()
    stage.mark_zero("the outage")
    world.network.darken(lost.name)
    dark_at = time.time()
    stage.happened(f"{lost.name} goes dark: databases, Lambda and AWS API", EventKind.OUTAGE, lost.name)

    call = stage.wait_for("the failover call", lambda: _accepted_call(stage), seconds=20 * stage.beat_seconds + 5)
    call_seconds = stage.measure_since_zero("outage_to_call_seconds", call.at)
    stage.measure("outage_to_call_beats", call_seconds / stage.beat_seconds)
    promoted_at = _wait_until_writer(stage, standby)
    stage.measure_since_zero("promoted_seconds", promoted_at)
    dns_at = _wait_for_dns(stage, standby.name)
    stage.measure_since_zero("dns_moved_seconds", dns_at)
    first_write = stage.wait_for(
        f"an acknowledged write in {standby.name}",
        lambda: stage.first_write_after(promoted_at, region=standby.name),
        seconds=60 * stage.beat_seconds,
    )
    stage.measure_since_zero("writing_again_seconds", first_write.at_seconds)
    stage.happened(
        f"the client writes again, through {world.writer_name}",
        EventKind.CLIENT,
        standby.name,
        at=first_write.at_seconds,
        label="first write",
    )
    stage.wait_beats_in(standby, 3)

    _expect_one_failover(stage, call, standby)
    stage.expect(
        f"from the outage to the failover call at most {MOST_BEATS_TO_CALL} beats",
        call_seconds <= MOST_BEATS_TO_CALL * stage.beat_seconds,
        f"{call_seconds:.2f} s with a beat of {stage.beat_seconds:g} s",
    )
    stage.expect(
        "DNS moved after the promotion, not before it",
        dns_at >= promoted_at,
        f"promotion at {promoted_at - stage.zero:.2f} s, DNS at {dns_at - stage.zero:.2f} s",
    )
    _expect_no_write_in_the_dark(stage, dark_at, lost)
    _expect_loss_within_lag(stage, dark_at, standby, acknowledged_before)
    _expect_told_once(stage, standby, ("region-lost", "failover-completed"))
    _expect_audit_trail(stage, standby, ("region-lost", "failover-completed"))


def play_old_region_returns(stage: Stage) -> None:
    """The lost region comes back: as a reader, and nothing moves because of it."""
    world = stage.world
    writer, returning = world.writer, world.standby
    stage.mark_zero("the region's return")
    since = stage.zero
    stage.happened(f"{returning.name} answers again", EventKind.RECOVERY, returning.name)
    world.network.lighten(returning.name)
    rejoined_at = stage.wait_for(
        f"{returning.cluster_id} follows the writer",
        lambda: time.time() if _role_by_protocol(stage, returning) is True else None,
        seconds=30 * stage.beat_seconds,
    )
    stage.measure_since_zero("rejoined_seconds", rejoined_at)
    beats = stage.wait_beats(CALM_BEATS)
    stage.expect(
        f"both controllers beat {CALM_BEATS} times",
        min(beats.values()) >= CALM_BEATS,
        ", ".join(f"{region}: {count}" for region, count in beats.items()),
    )
    stage.expect(
        f"{returning.name} answers as a reader over the MySQL protocol",
        _role_by_protocol(stage, returning) is True,
        f"@@innodb_read_only of {returning.cluster_id} asked from {writer.name}",
    )
    _expect_no_calls(stage, since)
    _expect_dns_stays(stage, since, writer.name)
    _expect_every_write_acknowledged(stage, since)
    stage.measure("failover_calls", len(stage.calls_since(since)))


def play_switchover_home(stage: Stage) -> None:
    """A person switches back: planned, and no acknowledged row is lost."""
    world = stage.world
    away, home = world.writer, world.standby
    world.database.replication_lag_seconds = LAG_IN_DRILLS_SECONDS
    lost_before = set(stage.ledger.acknowledged_rows()) - stage.ledger.present_rows(away.writer_endpoint)
    stage.mark_zero("the call of the switchover")
    stage.happened(f"a person switches over to {home.name}", EventKind.NOTE, away.name)
    world.clients("rds", away.name).switchover_global_cluster(
        GlobalClusterIdentifier=world.global_cluster_id, TargetDbClusterIdentifier=home.cluster_arn
    )
    promoted_at = _wait_until_writer(stage, home)
    stage.measure_since_zero("switched_seconds", promoted_at)
    dns_at = _wait_for_dns(stage, home.name)
    stage.measure_since_zero("dns_moved_seconds", dns_at)
    first_write = stage.wait_for(
        f"an acknowledged write in {home.name}",
        lambda: stage.first_write_after(promoted_at, region=home.name),
        seconds=60 * stage.beat_seconds,
    )
    stage.measure_since_zero("writing_again_seconds", first_write.at_seconds)
    stage.happened(
        f"the client writes at home again, through {world.writer_name}",
        EventKind.CLIENT,
        home.name,
        at=first_write.at_seconds,
        label="first write",
    )
    stage.wait_beats(3)

    acknowledged = stage.ledger.acknowledged_rows()
    missing = set(acknowledged) - stage.ledger.present_rows(home.writer_endpoint) - lost_before
    stage.lost_rows |= missing
    stage.measure("lost_rows", len(missing))
    stage.expect(
        "no acknowledged row was lost by the switchover",
        not missing,
        f"{len(acknowledged)} acknowledged, {len(missing)} missing in {home.name}",
    )
    calls = [call for call in stage.calls_since(stage.zero) if call.operation == "FailoverGlobalCluster"]
    stage.expect("no failover was called", not calls, f"{len(calls)} calls of FailoverGlobalCluster")
    stage.expect(
        f"{world.writer_name} answers {home.name} again",
        stage.dns_answers_since(dns_at)[-1:] == [home.name],
        f"moved {dns_at - stage.zero:.2f} s after the call",
    )
    roles = {region.name: _role_by_protocol(stage, region) for region in world.regions}
    stage.expect(
        "over the MySQL protocol, home takes writes and the other region reads",
        roles == {home.name: False, away.name: True},
        ", ".join(f"{region}: read_only={read_only}" for region, read_only in roles.items()),
    )


DRILLS: tuple[Drill, ...] = (
    Drill(
        name="steady",
        title="Steady",
        description=f"{STEADY_BEATS} beats of calm: nothing moves, and the name answers the primary.",
        play=play_steady,
        key_measurements=("beats", "acknowledged_rows", "replication_lag_ms"),
    ),
    Drill(
        name="region-lost",
        title="The writer's region is lost",
        description="The writer's region goes dark under a client that keeps writing; the standby fails over by itself.",
        play=play_region_lost,
        key_measurements=(
            "outage_to_call_seconds",
            "promoted_seconds",
            "dns_moved_seconds",
            "writing_again_seconds",
            "lost_rows",
        ),
    ),
    Drill(
        name="old-region-returns",
        title="The old region returns",
        description="It comes back as a reader: no second failover, and DNS stays.",
        play=play_old_region_returns,
        after=("region-lost",),
        key_measurements=("rejoined_seconds", "failover_calls"),
    ),
    Drill(
        name="switchover-home",
        title="Switchover home",
        description="Planned: no acknowledged row is lost, and DNS returns.",
        play=play_switchover_home,
        after=("region-lost", "old-region-returns"),
        key_measurements=("switched_seconds", "dns_moved_seconds", "writing_again_seconds", "lost_rows"),
    ),
)


def chosen(names: tuple[str, ...]) -> tuple[Drill, ...]:
    """The drills to play for some names, with those that must come before, in order; all of them for none.

    Raises:
        ValueError: a name is no drill's; the text lists those that are.
    """
    known = {drill.name: drill for drill in DRILLS}
    for name in names:
        if name not in known:
            raise ValueError(f"there is no drill {name!r}; there are: {', '.join(known)}")
    wanted = {each for name in names for each in (name, *known[name].after)} or set(known)
    return tuple(drill for drill in DRILLS if drill.name in wanted)


def _accepted_call(stage: Stage) -> OperationCall | None:
    return next((call for call in stage.calls_since(stage.zero) if call.accepted), None)


def _wait_until_writer(stage: Stage, region: RegionFacts) -> float:
    """When the region's cluster took its first write as the writer: asked over the MySQL protocol, not of the API."""
    return stage.wait_for(
        f"{region.cluster_id} is promoted",
        lambda: time.time() if _role_by_protocol(stage, region) is False else None,
        seconds=stage.world.control_plane.operation_seconds * 4 + 20 * stage.beat_seconds,
    )


def _wait_for_dns(stage: Stage, region: str) -> float:
    stage.wait_for(
        f"{stage.world.writer_name} answers {region}",
        lambda: stage.dns_answers_since(stage.zero)[-1:] == [region] or None,
        seconds=60 * stage.beat_seconds,
    )
    moved = [at for at, answered in tuple(stage.watch.dns) if answered == region]
    return moved[-1]


def _role_by_protocol(stage: Stage, region: RegionFacts) -> bool | None:
    """`@@innodb_read_only` of a region's cluster as the client's connection sees it; None when it can't be asked."""
    return stage.ledger.read_only(region.writer_endpoint)


def _expect_no_calls(stage: Stage, since: float) -> None:
    calls = stage.calls_since(since)
    stage.expect("no failover and no switchover was called", not calls, f"{len(calls)} calls")


def _expect_dns_stays(stage: Stage, since: float, region: str) -> None:
    answers = stage.dns_answers_since(since)
    stage.expect(
        f"{stage.world.writer_name} answered {region} all the time",
        bool(answers) and set(answers) == {region},
        f"{len(answers)} answers: {', '.join(sorted({each or 'nothing' for each in answers}))}",
    )


def _expect_every_write_acknowledged(stage: Stage, since: float) -> None:
    attempts = stage.attempts_since(since)
    failed = [attempt for attempt in attempts if not attempt.acknowledged]
    detail = f"{len(attempts) - len(failed)} acknowledged, {len(failed)} failed"
    if failed:
        detail += f", the first with {failed[0].failure}"
    stage.expect("every write of the client was acknowledged", bool(attempts) and not failed, detail)


def _expect_one_failover(stage: Stage, call: OperationCall, standby: RegionFacts) -> None:
    calls = stage.calls_since(stage.zero)
    accepted = [each for each in calls if each.accepted]
    stage.expect(
        "exactly one failover call took effect, in the standby region, for its own cluster",
        accepted == [call] and call.region == standby.name and standby.cluster_id in call.target,
        "; ".join(f"{each.operation} in {each.region} to {each.target}" for each in calls),
    )


def _expect_no_write_in_the_dark(stage: Stage, dark_at: float, lost: RegionFacts) -> None:
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


def _expect_loss_within_lag(
    stage: Stage, dark_at: float, standby: RegionFacts, acknowledged_before: dict[int, float]
) -> None:
    """What was lost is what the data plane says was lost, and none of it is older than the lag allows."""
    acknowledged = {row: at for row, at in stage.ledger.acknowledged_rows().items() if at <= dark_at}
    present = stage.ledger.present_rows(standby.writer_endpoint)
    missing = {row: at for row, at in acknowledged.items() if row not in present}
    stage.lost_rows |= set(missing)
    stage.measure("lost_rows", len(missing))
    lag_seconds = stage.world.database.replication_lag_seconds
    stage.measure("replication_lag_ms", lag_seconds * 1000)
    ages = [dark_at - at for at in missing.values()]
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
    recorded = {
        int(str(row["id"]))
        for transaction in stage.world.database.lost_transactions
        for row in transaction.inserted_rows("ledger_entry")
    }
    stage.expect(
        "the lost rows are exactly those that the replication stream had not carried",
        set(missing) == recorded & set(acknowledged),
        f"missing: {sorted(missing)[:20]}; not carried: {sorted(recorded)[:20]}",
    )
    stage.expect(
        "the loss was really put to the test: rows were written within the lag before the outage",
        any(dark_at - at <= lag_seconds for at in acknowledged.values()) and bool(acknowledged_before),
        f"{len([at for at in acknowledged.values() if dark_at - at <= lag_seconds])} rows in the last {lag_seconds * 1000:.0f} ms",
    )


def _expect_told_once(stage: Stage, region: RegionFacts, reasons: tuple[str, ...]) -> None:
    notices = stage.watch.notices_since(stage.zero, region=region.name)
    counts = {reason: len([one for one in notices if one.reason == reason]) for reason in reasons}
    stage.expect(
        f"people were told once of {' and '.join(reasons)}",
        all(count == 1 for count in counts.values()),
        f"{_reasons(notices)} from {region.name}",
    )


def _expect_audit_trail(stage: Stage, region: RegionFacts, reasons: tuple[str, ...]) -> None:
    items = stage.world.clients("dynamodb", region.name).query(
        TableName=region.table_name,
        KeyConditionExpression="#item = :history",
        ExpressionAttributeNames={"#item": "item"},
        ExpressionAttributeValues={":history": {"S": "history"}},
        ConsistentRead=True,
    )["Items"]
    text = " ".join(str(item) for item in items)
    stage.expect(
        "the audit trail in the standby region has the decision and its end",
        all(reason in text for reason in reasons),
        f"{len(items)} entries in {region.table_name}",
    )


def _reasons(notices: list[Notice]) -> str:
    return ", ".join(notice.reason for notice in notices)
