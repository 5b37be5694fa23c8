"""Update of the state by an observation: counts, lag, roles and the attempt.

All times are `observation.at`, the clock of one machine. An unknown value counts neither as a failing nor as a healthy
cycle. An attempt leaves the state only when its result is known.
"""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from .model import Action, Attempt, AttemptStatus, Event, Evidence, Observation, Peer, Policy, Port, Reason, Side, State

CALL_SETTLES_SECONDS = 25.0
"""A call takes at most 10 s to connect and 10 s to answer. After this time RDS shows the call's effect, or the call had none."""
CYCLES_UNTIL_STALE = 5
"""Counts restart after a gap of more than this many cycles."""
HEARTBEATS_KEPT = 4


def update_state(
    state: State, observation: Observation, policy: Policy, *, counts: bool = True
) -> tuple[State, tuple[Event, ...]]:
    """Return the updated state and events; `counts=False` for the second observation of a cycle."""
    state, attempt_events = _update_attempt(state, observation, policy)
    state, role_events = _update_roles(state, observation)
    state = _update_pending(state, observation)
    return _update_counts(state, observation, policy, counts=counts), attempt_events + role_events


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Return the seconds from `earlier` to `later`."""
    return (later - earlier).total_seconds()


def call_may_still_show(attempt: Attempt, now: datetime) -> bool:
    """Return whether the effect of the last call may not be visible yet. Another call is then forbidden.

    A time in the future (another machine's clock is ahead) counts as recent.
    """
    return seconds_between(attempt.touched_at, now) < CALL_SETTLES_SECONDS


def writer_is_reachable(observation: Observation) -> bool:
    """Return whether either region reached the peer's writer."""
    return observation.peer_port is Port.ALIVE or observation.peer is Peer.FINE


def _update_attempt(state: State, seen: Observation, policy: Policy) -> tuple[State, tuple[Event, ...]]:
    attempt = state.attempt
    if attempt is None:
        return state, ()
    if seen.rds_failure is None:
        if _own_cluster_accepts_writes(seen):
            return _completed(state, attempt, seen)
        if seen.writer is Side.OWN or (seen.operation is not None and seen.operation.to_own is not False):
            attempt = replace(attempt, status=AttemptStatus.UNDER_WAY, touched_at=seen.at)
        elif seen.writer is Side.PEER and not call_may_still_show(attempt, seen.at):
            if attempt.status is AttemptStatus.UNDER_WAY:
                failed = _attempt_event(Reason.FAILOVER_FAILED, attempt, seen)
                return replace(state, attempt=None, roles_changed_at=seen.at), (failed,)
            if writer_is_reachable(seen):
                return replace(state, attempt=None), (_attempt_event(Reason.FAILOVER_ABANDONED, attempt, seen),)
    events: tuple[Event, ...] = ()
    if not attempt.overdue and seconds_between(attempt.started_at, seen.at) >= policy.completion_bound_seconds:
        attempt = replace(attempt, overdue=True)
        events = (_attempt_event(Reason.FAILOVER_OVERDUE, attempt, seen),)
    return replace(state, attempt=attempt), events


def _own_cluster_accepts_writes(seen: Observation) -> bool:
    """Return whether the failover has completed.

    RDS reports this cluster as writer with no operation in progress, and the local probe finds it writable.
    """
    by_rds = seen.writer is Side.OWN and seen.operation is None
    return by_rds and seen.own_port is Port.ALIVE and seen.own_read_only is False


def _completed(state: State, attempt: Attempt, seen: Observation) -> tuple[State, tuple[Event, ...]]:
    state = replace(
        state, attempt=None, pending=None, writer=Side.OWN, roles_changed_at=seen.at, notified=(), unhealthy_cycles=0
    )
    return state, (_attempt_event(Reason.FAILOVER_COMPLETED, attempt, seen),)


def _attempt_event(reason: Reason, attempt: Attempt, seen: Observation) -> Event:
    """Return an event with the figures of an attempt. The estimated loss is the lag measured before the outage."""
    evidence: Evidence = {
        "attempt": attempt.id,
        "verdict": attempt.verdict,
        "outage_at": attempt.outage_at.isoformat(),
        "started_at": attempt.started_at.isoformat(),
        "ended_at": seen.at.isoformat(),
        "elapsed_seconds": round(seconds_between(attempt.started_at, seen.at), 3),
        "outage_seconds": round(seconds_between(attempt.outage_at, seen.at), 3),
        "lag_before_outage_ms": attempt.lag_ms,
        "estimated_loss_seconds": None if attempt.lag_ms is None else round(attempt.lag_ms / 1000, 3),
        "last_heartbeat": attempt.heartbeat,
        "calls": attempt.calls,
        "operation": None if seen.operation is None else seen.operation.status,
    }
    return Event(reason=reason, action=Action.NOTIFY, evidence=evidence)


def _update_roles(state: State, seen: Observation) -> tuple[State, tuple[Event, ...]]:
    """Update the writer. A change without an attempt was made by an operator or AWS, and starts the cooldown."""
    if seen.writer is Side.UNKNOWN or seen.writer is state.writer:
        return state, ()
    previous, state = state.writer, replace(state, writer=seen.writer)
    if previous is Side.UNKNOWN or state.attempt is not None:
        return state, ()
    evidence: Evidence = {
        "from": previous,
        "to": seen.writer,
        "operation": None if seen.operation is None else seen.operation.status,
    }
    event = Event(reason=Reason.ROLES_CHANGED, action=Action.NOTIFY, evidence=evidence)
    return replace(state, roles_changed_at=seen.at, pending=None, dead_since=None), (event,)


def _update_pending(state: State, seen: Observation) -> State:
    """Drop an approved pending decision once the writer is reachable: its outage has ended."""
    approval, pending = seen.records.approval, state.pending
    if approval is None or pending is None or not approval.approved or approval.id != pending.id:
        return state
    return replace(state, pending=None) if writer_is_reachable(seen) else state


class _FailingCycles(NamedTuple):
    """Counts of consecutive failing cycles, and the first cycle since the writer was last reachable."""

    silent_cycles: int = 0
    dead_cycles: int = 0
    dead_since: datetime | None = None


def _update_counts(state: State, seen: Observation, policy: Policy, *, counts: bool) -> State:
    gap = None if state.cycle_at is None else seconds_between(state.cycle_at, seen.at)
    is_stale = gap is not None and gap > CYCLES_UNTIL_STALE * policy.interval_seconds
    is_early = gap is not None and gap < 0.5 * policy.interval_seconds
    before = _FailingCycles() if is_stale else _FailingCycles(state.silent_cycles, state.dead_cycles, state.dead_since)
    counted = (
        _count(before, seen, step=1 if counts and not is_early else 0)
        if state.writer is Side.PEER
        else _FailingCycles()
    )
    heartbeats, heartbeat_seen_at = state.heartbeats, state.heartbeat_seen_at
    arrived = None if seen.heartbeat in heartbeats else seen.heartbeat
    if arrived is not None:
        heartbeats, heartbeat_seen_at = (*heartbeats, arrived)[-HEARTBEATS_KEPT:], seen.at
        # A heartbeat that arrives after the first failing cycle shows a working writer. The count restarts; otherwise a
        # long partition would cause a failover as soon as heartbeats are delayed.
        if counted.silent_cycles > 1:
            counted = counted._replace(silent_cycles=0)
    lag_ms, lag_at = state.lag_ms, state.lag_at
    # A lag measured in the first failing cycle may already include the outage and is not used.
    replicates = arrived is not None and before.dead_since is not None
    if seen.lag_ms is not None and (writer_is_reachable(seen) or replicates):
        lag_ms, lag_at = seen.lag_ms, seen.at
    return replace(
        state,
        cycle_at=seen.at if counts else state.cycle_at,
        silent_cycles=counted.silent_cycles,
        dead_cycles=counted.dead_cycles,
        dead_since=counted.dead_since,
        heartbeats=heartbeats,
        heartbeat_seen_at=heartbeat_seen_at,
        lag_ms=lag_ms,
        lag_at=lag_at,
    )


def _count(before: _FailingCycles, seen: Observation, *, step: int) -> _FailingCycles:
    if writer_is_reachable(seen) or seen.peer_port is Port.UNUSABLE:
        return _FailingCycles()
    is_dead = seen.peer_port is Port.DEAD
    dead_since = before.dead_since or (seen.at if is_dead else None)
    if is_dead and seen.peer in (Peer.SILENT, Peer.DOWN):
        silent_cycles = before.silent_cycles + step if seen.peer is Peer.SILENT else 0
        return _FailingCycles(silent_cycles, before.dead_cycles + step, dead_since)
    # Unknown: the counts restart, but dead_since is kept. It starts with an unreachable port, as a region that fails
    # gradually returns errors first.
    return _FailingCycles(dead_since=dead_since)
