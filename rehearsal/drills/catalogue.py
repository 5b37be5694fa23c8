"""The list of the drills: names, words, what comes before what, and which are played without being asked for.

Owns: the catalogue and the choice from it. Does not own: the plays.
Invariant: a drill outside the default set stands alone: it begins in a calm world and restores it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rehearsal.drills.baseline import from_calm_to_calm
from rehearsal.drills.context import DrillContext
from rehearsal.drills.core import (
    STEADY_CYCLES,
    play_old_region_returns,
    play_region_lost,
    play_steady,
    play_switchover_home,
)
from rehearsal.drills.delayed_failover import (
    play_clock_skew,
    play_disarmed,
    play_flapping,
    play_lag_too_high,
    play_region_errs,
    play_throttled,
    play_writer_down,
)
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

FURTHER_OVERRIDES: Mapping[str, object] = {"cooldown_seconds": 5, "max_data_loss_seconds": 6}
"""The cooldown between two drills is waited out, and a standby that is too far behind must lose something in a short play."""


@dataclass(frozen=True, kw_only=True)
class Drill:
    """One play: its name on the command line, what it says of itself, and the drills that must have been played before.

    `default` says that it is played without being asked for, `restores` that it leaves a calm world with the writer at home.
    """

    name: str
    title: str
    description: str
    play: Callable[[DrillContext], None]
    after: tuple[str, ...] = ()
    key_measurements: tuple[str, ...] = ()
    default: bool = True
    restores: bool = False


def chosen(names: tuple[str, ...], everything: bool = False) -> tuple[Drill, ...]:
    """The drills to play for some names, with those that must come before, in order; the default ones for none.

    Raises:
        ValueError: a name is no drill's; the text lists those that are.
    """
    known = {drill.name: drill for drill in DRILLS}
    for name in names:
        if name not in known:
            raise ValueError(f"there is no drill {name!r}; there are: {', '.join(known)}")
    if everything:
        return DRILLS
    wanted = {each for name in names for each in (name, *known[name].after)}
    return tuple(drill for drill in DRILLS if (drill.name in wanted if names else drill.default))


def failover_overrides(drills: Iterable[Drill]) -> Mapping[str, object]:
    """The settings of `failover` that some drills need: the stack's own for the default ones."""
    return FURTHER_OVERRIDES if any(not drill.default for drill in drills) else {}


def _further(
    name: str, title: str, description: str, play: Callable[[DrillContext], None], *key_measurements: str
) -> Drill:
    return Drill(
        name=name,
        title=title,
        description=description,
        play=from_calm_to_calm(play),
        key_measurements=key_measurements,
        default=False,
        restores=True,
    )


DRILLS: tuple[Drill, ...] = (
    Drill(
        name="steady",
        title="Steady",
        description=f"{STEADY_CYCLES} cycles of calm: nothing moves, and the name answers the primary.",
        play=play_steady,
        key_measurements=("cycles", "longest_cycle_ms", "acknowledged_rows", "replication_lag_ms"),
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
        restores=True,
    ),
    _further(
        "blip",
        "A blip",
        "The writer's region is silent for less than it takes to judge: nothing moves, nobody is told.",
        play_blip,
        "dark_seconds",
    ),
    _further(
        "writer-heals",
        "The writer crashes and heals",
        "Its region lives, and Aurora heals it within the grace: nothing moves.",
        play_writer_heals,
        "down_seconds",
    ),
    _further(
        "writer-down",
        "The writer is down in a living region",
        "It stays down: the standby waits for the grace, and only then takes over.",
        play_writer_down,
        "outage_to_call_seconds",
        "promoted_seconds",
        "lost_rows",
    ),
    _further(
        "network-partition",
        "Network partition",
        "The regions lose each other by two paths of three: both sides keep their roles.",
        play_partition,
        "silent_calls",
        "oldest_heartbeat_ms",
    ),
    _further(
        "probe-blind",
        "The own probe is blind",
        "The standby's health check fails, and then the writer's region is lost: who can't see doesn't judge.",
        play_probe_blind,
        "dark_seconds",
        "failed_probes",
    ),
    _further(
        "lag-too-high",
        "The standby is too far behind",
        "More would be lost than may be: it asks, and acts on a person's approval.",
        play_lag_too_high,
        "asked_seconds",
        "released_to_call_seconds",
        "lost_rows",
    ),
    _further(
        "region-errs",
        "The region errs instead of falling silent",
        "Its database is gone and its Lambda API answers with errors: it asks after the grace, and acts on a person's approval.",
        play_region_errs,
        "asked_seconds",
        "released_to_call_seconds",
        "lost_rows",
    ),
    _further(
        "standby-without-instances",
        "The standby has no instance",
        "Nothing could serve there: told in calm, held when the writer's region is lost.",
        play_standby_without_instances,
        "instances_put_back",
    ),
    _further(
        "disarmed",
        "Disarmed",
        "The off-switch is set when the region is lost: nothing happens until a person arms again.",
        play_disarmed,
        "told_seconds",
        "released_to_call_seconds",
    ),
    _further(
        "throttled",
        "The RDS API throttles",
        "It holds while it can't read the roles, and acts when it can.",
        play_throttled,
        "outage_to_call_seconds",
        "released_to_call_seconds",
    ),
    _further(
        "answer-lost",
        "The call's answer is lost",
        "The failover call takes effect but times out: recognised as done by looking, never repeated.",
        play_answer_lost,
        "outage_to_call_seconds",
        "call_to_completed_seconds",
    ),
    _further(
        "controller-killed",
        "The controller is killed",
        "It dies between its intent and the call: the successor finishes its attempt.",
        play_controller_killed,
        "held_call_seconds",
        "held_to_call_seconds",
    ),
    _further(
        "two-controllers",
        "Two controllers at once",
        "More controllers than are ever deployed start in the midst of a decision: one call.",
        play_two_controllers,
        "controllers_started",
        "outage_to_call_seconds",
    ),
    _further(
        "flapping",
        "The region flaps",
        "It comes and goes every few cycles, before and after the failover: one failover, and none back.",
        play_flapping,
        "absences",
        "outage_to_call_seconds",
    ),
    _further(
        "clock-skew",
        "The writer's clock is wrong",
        "Heartbeats look too old, then too new: nothing moves, and the loss of the region is called in time.",
        play_clock_skew,
        "heartbeat_age_with_clock_behind_ms",
        "outage_to_call_seconds",
    ),
    _further(
        "second-failover",
        "The region that had taken over is lost",
        "The writer sits in the secondary region, and that region is lost: home takes over by itself, and DNS comes home.",
        play_second_failover,
        "outage_to_call_seconds",
        "promoted_seconds",
        "dns_moved_seconds",
        "lost_rows",
    ),
    _further(
        "both-regions-lost",
        "Both regions are lost",
        "Nobody can act, and nobody does when they are back.",
        play_both_regions_lost,
        "dark_seconds",
    ),
)
"""In the order in which they are played."""
