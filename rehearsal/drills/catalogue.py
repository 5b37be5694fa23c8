"""The catalogue of drills, their order, and the selection from it.

A drill outside the default set is independent: the drill starts from the baseline and restores the baseline.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rehearsal.drills.baseline import with_baseline
from rehearsal.drills.context import DrillContext
from rehearsal.drills.default_drills import play_old_region_returns, play_region_lost, play_steady, play_switchover_home
from rehearsal.drills.delayed_failover import (
    play_clock_skew,
    play_disarmed,
    play_flapping,
    play_lag_too_high,
    play_region_errs,
    play_throttled,
    play_writer_down,
)
from rehearsal.drills.detach_and_promote import play_detach_and_promote
from rehearsal.drills.interrupted_failover import play_answer_lost, play_controller_killed, play_two_controllers
from rehearsal.drills.no_failover import (
    play_blip,
    play_both_regions_lost,
    play_partition,
    play_probe_blind,
    play_standby_without_instances,
    play_writer_heals,
)
from rehearsal.drills.second_failover import play_second_failover
from rehearsal.drills.unclear_outages import play_cannot_commit, play_old_silence, play_refused_port, play_slow_rds

SHORT_COOLDOWN: Mapping[str, object] = {"cooldown_seconds": 5}
INDEPENDENT_OVERRIDES: Mapping[str, object] = {**SHORT_COOLDOWN, "max_data_loss_seconds": 6}
"""A short cooldown, because every drill waits for it, and a data-loss limit that a drill can exceed within seconds."""


@dataclass(frozen=True, kw_only=True)
class Drill:
    """One drill: its name on the command line, its title, and the drills that must run before it.

    `default`: the drill runs without being named. `restores`: the drill ends at the baseline, with the writer in the primary region.
    """

    name: str
    title: str
    play: Callable[[DrillContext], None]
    after: tuple[str, ...] = ()
    key_measurements: tuple[str, ...] = ()
    default: bool = True
    restores: bool = False

    @property
    def description(self) -> str:
        """The fault and the expected reaction: the docstring of `play`."""
        return inspect.getdoc(self.play) or ""


def select_drills(names: tuple[str, ...], everything: bool = False) -> tuple[Drill, ...]:
    """Return the named drills and their prerequisites, in order; the default drills if no name is given.

    Raises:
        ValueError: a name is unknown.
    """
    known = {drill.name: drill for drill in DRILLS}
    for name in names:
        if name not in known:
            raise ValueError(f"unknown drill {name!r}. Use one of: {', '.join(known)}")
    if everything:
        return DRILLS
    wanted = {each for name in names for each in (name, *known[name].after)}
    return tuple(drill for drill in DRILLS if (drill.name in wanted if names else drill.default))


def failover_overrides(drills: Iterable[Drill]) -> Mapping[str, object]:
    """Return the `failover` settings that some drills need; empty for the default drills."""
    return INDEPENDENT_OVERRIDES if any(not drill.default for drill in drills) else {}


def _independent(name: str, title: str, play: Callable[[DrillContext], None], *key_measurements: str) -> Drill:
    return Drill(
        name=name,
        title=title,
        play=with_baseline(play),
        key_measurements=key_measurements,
        default=False,
        restores=True,
    )


DRILLS: tuple[Drill, ...] = (
    Drill(
        name="steady",
        title="Steady state",
        play=play_steady,
        key_measurements=("cycles", "longest_cycle_ms", "acknowledged_rows", "replication_lag_ms"),
    ),
    Drill(
        name="region-lost",
        title="The writer's region fails",
        play=play_region_lost,
        key_measurements=(
            "outage_to_call_seconds",
            "promoted_seconds",
            "dns_moved_seconds",
            "promoted_to_write_seconds",
            "without_advice_seconds",
            "lost_rows",
        ),
    ),
    Drill(
        name="old-region-returns",
        title="The failed region returns",
        play=play_old_region_returns,
        after=("region-lost",),
        key_measurements=("rejoined_seconds", "failover_calls"),
    ),
    Drill(
        name="switchover-home",
        title="Switchover to the primary region",
        play=play_switchover_home,
        after=("region-lost", "old-region-returns"),
        key_measurements=(
            "switched_seconds",
            "dns_moved_seconds",
            "client_outage_seconds",
            "without_advice_seconds",
            "lost_rows",
        ),
        restores=True,
    ),
    _independent(
        "blip",
        "A short outage",
        play_blip,
        "dark_seconds",
    ),
    _independent(
        "writer-heals",
        "The writer crashes and recovers",
        play_writer_heals,
        "down_seconds",
    ),
    _independent(
        "writer-down",
        "The writer stays down while its region is up",
        play_writer_down,
        "outage_to_call_seconds",
        "promoted_seconds",
        "lost_rows",
    ),
    _independent(
        "network-partition",
        "Network partition",
        play_partition,
        "silent_calls",
        "oldest_heartbeat_ms",
    ),
    _independent(
        "probe-unusable",
        "The standby's health check fails",
        play_probe_blind,
        "dark_seconds",
        "failed_probes",
    ),
    _independent(
        "lag-too-high",
        "The replication lag is too high",
        play_lag_too_high,
        "asked_seconds",
        "released_to_call_seconds",
        "lost_rows",
    ),
    _independent(
        "region-errs",
        "The region returns errors instead of timing out",
        play_region_errs,
        "asked_seconds",
        "released_to_call_seconds",
        "lost_rows",
    ),
    _independent(
        "standby-without-instances",
        "The standby has no instance",
        play_standby_without_instances,
        "instances_put_back",
    ),
    _independent(
        "disarmed",
        "Disarmed",
        play_disarmed,
        "told_seconds",
        "released_to_call_seconds",
    ),
    _independent(
        "throttled",
        "The RDS API throttles",
        play_throttled,
        "outage_to_call_seconds",
        "released_to_call_seconds",
    ),
    _independent(
        "answer-lost",
        "The response to the failover call is lost",
        play_answer_lost,
        "outage_to_call_seconds",
        "call_to_completed_seconds",
    ),
    _independent(
        "controller-killed",
        "The controller is killed",
        play_controller_killed,
        "held_call_seconds",
        "held_to_call_seconds",
    ),
    _independent(
        "two-controllers",
        "Two controllers at once",
        play_two_controllers,
        "controllers_started",
        "outage_to_call_seconds",
    ),
    _independent(
        "flapping",
        "The region is flapping",
        play_flapping,
        "absences",
        "outage_to_call_seconds",
    ),
    _independent(
        "clock-skew",
        "The writer's clock is wrong",
        play_clock_skew,
        "heartbeat_age_with_clock_behind_ms",
        "outage_to_call_seconds",
    ),
    _independent(
        "second-failover",
        "The new writer's region fails",
        play_second_failover,
        "outage_to_call_seconds",
        "promoted_seconds",
        "dns_moved_seconds",
        "lost_rows",
    ),
    _independent(
        "old-silence",
        "The writer crashes while its region's APIs are silent",
        play_old_silence,
        "down_seconds",
    ),
    _independent(
        "refused-port",
        "The port refuses connections and the region's APIs are silent",
        play_refused_port,
        "outage_to_call_seconds",
        "promoted_seconds",
    ),
    _independent(
        "cannot-commit",
        "The writer accepts log-ins and cannot commit",
        play_cannot_commit,
        "asked_seconds",
        "outage_to_call_seconds",
    ),
    _independent(
        "slow-rds",
        "The RDS API is slow",
        play_slow_rds,
        "outage_to_call_seconds",
        "promoted_seconds",
    ),
    _independent(
        "detach-and-promote",
        "RDS refuses the failover, and an operator detaches the standby",
        play_detach_and_promote,
        "refused_seconds",
        "promoted_seconds",
        "dns_moved_seconds",
        "lost_rows",
        "way_back_seconds",
    ),
    _independent(
        "both-regions-lost",
        "Both regions fail",
        play_both_regions_lost,
        "dark_seconds",
    ),
)
"""In the order in which they run."""
