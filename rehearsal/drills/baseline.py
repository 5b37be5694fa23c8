"""The baseline between independent drills: no fault, both controllers armed, the writer in the primary region.

A drill restores it as an operator would, and never edits the controllers' state.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from rehearsal.drills.context import DrillContext
from rehearsal.drills.expectations import expect_roles
from rehearsal.drills.failover_steps import is_read_only, wait_for_writer
from rehearsal.drills.operator import is_armed, set_armed, switch_over
from rehearsal.environment import RegionFacts
from rehearsal.report.model import EventKind
from settings import FailoverSettings

BASELINE_LAG_SECONDS = 0.05
TIMEOUT_CYCLES = 60


def with_baseline(play: Callable[[DrillContext], None]) -> Callable[[DrillContext], None]:
    """Return the drill preceded by a wait for the baseline and followed by its restoration."""

    @functools.wraps(play)
    def play_from_baseline(context: DrillContext) -> None:
        wait_for_baseline(context, "the baseline at the start", writer=context.environment.primary)
        play(context)
        restore_baseline(context)

    return play_from_baseline


def restore_baseline(context: DrillContext) -> None:
    """Clear all faults, arm, switch back to the primary region, and wait until no notice or cooldown is pending."""
    environment = context.environment
    clear_faults(context)
    context.recorder.record("the drill is over: all faults are cleared, waiting for the baseline", EventKind.RECOVERY)
    environment.database.replication_lag_seconds = BASELINE_LAG_SECONDS
    for region in environment.regions:
        if not is_armed(context, region):
            set_armed(context, region, armed=True, reason="the drill is over")
    if environment.writer.name != environment.primary.name:
        _switch_back(context)
    wait_for_baseline(context, "the baseline at the end", writer=environment.primary, since=time.time())
    expect_roles(
        context,
        environment.primary,
        environment.secondary,
        f"the baseline is restored: armed, and {environment.primary.name} accepts writes",
    )


def wait_for_baseline(
    context: DrillContext, description: str, *, writer: RegionFacts, since: float | None = None
) -> None:
    """Wait until the baseline is reached with that region as the writer."""
    context.wait_for(
        description, lambda: _is_at_baseline(context, writer, since=since), seconds=_timeout_seconds(context)
    )


def clear_faults(context: DrillContext) -> None:
    """Remove every fault and restore every region."""
    environment = context.environment
    for region in sorted(environment.network.failed_regions):
        environment.network.restore(region)
    environment.network.restore_peering()
    for region in environment.regions:
        environment.restart_databases(region)
        environment.cluster(region).clock_skew_seconds = 0.0
        environment.cluster(region).storage_failed = False
    environment.network.clear_port_faults()
    environment.faults.clear()
    environment.move_client(environment.secondary)


def _switch_back(context: DrillContext) -> None:
    environment = context.environment
    primary, secondary = environment.primary, environment.secondary
    context.wait_for(
        f"{primary.cluster_id} replicates from the writer",
        lambda: is_read_only(context, primary) is True,
        seconds=_timeout_seconds(context),
        pause_seconds=context.interval_seconds / 20,
    )
    switch_over(context, source=secondary, target=primary)
    wait_for_writer(context, primary)


def _is_at_baseline(context: DrillContext, writer: RegionFacts, *, since: float | None = None) -> bool | None:
    environment = context.environment
    recent = time.time() - context.interval_seconds
    writes = [one for one in context.attempts_since(max(recent, since or 0.0)) if one.acknowledged]
    if environment.writer.name != writer.name or not writes or writes[-1].endpoint != writer.writer_endpoint:
        return None
    if context.dns_answers_since(recent)[-1:] != [writer.name]:
        return None
    if all(
        is_at_baseline(
            context.recorder.state(region),
            environment.policy,
            now=time.time(),
            interval_seconds=context.interval_seconds,
            measures_lag=region.name != writer.name,
        )
        for region in environment.regions
    ) and not any(context.recorder.pending_notices(region) for region in environment.regions):
        return True
    time.sleep(context.interval_seconds / 5)
    return None


def is_at_baseline(
    state: Mapping[str, Any], policy: FailoverSettings, *, now: float, interval_seconds: float, measures_lag: bool
) -> bool:
    """Return whether a controller's state shows no notice, action or cooldown pending, and a recent cycle.

    `now` is epoch seconds. Set `measures_lag` for the standby: the standby can decide only with a recent lag measurement.
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


def _timeout_seconds(context: DrillContext) -> float:
    return TIMEOUT_CYCLES * context.interval_seconds + context.environment.policy.cooldown_seconds
