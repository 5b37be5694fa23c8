"""Before and after a drill that stands alone: a calm world, armed, with the writer at home.

Owns: what calm means, and the way back to it by a person's hands: mend, arm, switch over, wait the cooldown out.
Does not own: what a drill breaks. Invariant: the controller's own memory is never touched; calm is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from rehearsal.drills.context import DrillContext
from rehearsal.drills.failover_steps import role_by_protocol, wait_until_writer
from rehearsal.drills.operator import is_armed, set_switch, switch_over
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind
from settings import FailoverSettings

CALM_LAG_SECONDS = 0.05
PATIENCE_CYCLES = 60


def from_calm_to_calm(play: Callable[[DrillContext], None]) -> Callable[[DrillContext], None]:
    """Return the play between a wait for calm and the way back to it, which has assertions of its own."""

    def play_between(stage: DrillContext) -> None:
        wait_for_calm(stage, "a calm world to begin with", writer=stage.world.primary)
        play(stage)
        settle(stage)

    return play_between


def settle(stage: DrillContext) -> None:
    """Mend what is broken, arm, switch home, and wait until nobody has anything left to tell, or to wait for."""
    world = stage.world
    mend(stage)
    stage.happened("the drill is over: what was broken is mended, and calm is waited for", EventKind.RECOVERY)
    world.database.replication_lag_seconds = CALM_LAG_SECONDS
    for region in world.regions:
        if not is_armed(stage, region):
            set_switch(stage, region, armed=True, reason="the drill is over")
    if world.writer.name != world.primary.name:
        _go_home(stage)
    wait_for_calm(stage, "a calm world at the end", writer=world.primary, since=time.time())
    primary, secondary = world.primary, world.secondary
    roles = {region.name: role_by_protocol(stage, region) for region in world.regions}
    stage.expect(
        f"the world is calm and armed again, and {primary.name} takes the writes",
        roles == {primary.name: False, secondary.name: True},
        ", ".join(f"{region}: read_only={read_only}" for region, read_only in roles.items()),
    )


def wait_for_calm(stage: DrillContext, words: str, *, writer: RegionFacts, since: float | None = None) -> None:
    """Wait until nobody has anything left to tell, to do or to wait for, with that region as the writer."""
    stage.wait_for(words, lambda: _is_calm(stage, writer, since=since), seconds=_patience(stage))


def mend(stage: DrillContext) -> None:
    """Take away every fault and every darkness."""
    world = stage.world
    for region in sorted(world.network.failed_regions):
        world.network.restore(region)
    world.network.restore_peering()
    for region in world.regions:
        world.heal_databases(region)
        world.cluster(region).clock_skew_seconds = 0.0
    world.network.clear_port_faults()
    world.faults.clear()
    world.move_client(world.secondary)


def _go_home(stage: DrillContext) -> None:
    world = stage.world
    home, away = world.primary, world.secondary
    stage.wait_for(
        f"{home.cluster_id} follows the writer",
        lambda: role_by_protocol(stage, home) is True,
        seconds=_patience(stage),
    )
    switch_over(stage, source=away, target=home)
    wait_until_writer(stage, home)


def _is_calm(stage: DrillContext, writer: RegionFacts, *, since: float | None = None) -> bool | None:
    """Whether the client writes there, and both controllers have counted enough calm cycles, with nothing left to do."""
    world = stage.world
    recent = time.time() - stage.interval_seconds
    writes = [one for one in stage.attempts_since(max(recent, since or 0.0)) if one.acknowledged]
    if world.writer.name != writer.name or not writes or writes[-1].endpoint != writer.writer_endpoint:
        return None
    if stage.dns_answers_since(recent)[-1:] != [writer.name]:
        return None
    if all(_has_settled(stage, region, measures_lag=region.name != writer.name) for region in world.regions):
        return True
    # Each look is two calls to an API that everybody shares.
    time.sleep(stage.interval_seconds / 5)
    return None


def has_settled(
    state: Mapping[str, Any], policy: FailoverSettings, *, now: float, interval_seconds: float, measures_lag: bool
) -> bool:
    """Whether a controller's state shows nothing to tell, to do or to wait for, and a cycle not long ago.

    `now` in seconds since the epoch; `measures_lag` for the standby's controller, which can't judge a loss without it.
    """
    if not state or any(state.get(name) for name in ("notified", "outbox", "pending", "attempt", "dead_cycles")):
        return False

    def age_seconds(name: str) -> float:
        return now - datetime.fromisoformat(state[name]).timestamp() if name in state else float("inf")

    return (
        int(state["healthy_cycles"]) >= policy.failure_threshold
        and age_seconds("cycle_at") <= 3 * interval_seconds
        and age_seconds("roles_changed_at") > policy.cooldown_seconds
        and (not measures_lag or age_seconds("lag_at") <= 3 * interval_seconds)
    )


def _has_settled(stage: DrillContext, region: RegionFacts, *, measures_lag: bool) -> bool:
    return has_settled(
        stage.watch.state(region),
        stage.world.policy,
        now=time.time(),
        interval_seconds=stage.interval_seconds,
        measures_lag=measures_lag,
    )


def _patience(stage: DrillContext) -> float:
    return PATIENCE_CYCLES * stage.interval_seconds + stage.world.policy.cooldown_seconds
