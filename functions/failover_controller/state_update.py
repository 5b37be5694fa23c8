"""Update of the state by an observation: counts, lag, roles and the attempt.

All times are `observation.at`, the clock of one machine. An unknown value counts neither as a failing nor as a healthy
cycle. An attempt leaves the state only when its result is known.
"""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from .model import (
    Action,
    Attempt,
    AttemptStatus,
    Event,
    Evidence,
    Members,
    Observation,
    Peer,
    Policy,
    Port,
    Reason,
    Side,
    State,
)

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
    state = _update_counts(state, observation, policy, counts=counts)
    leads = _leads(state, observation, policy)
    return state if leads is state.leads else replace(state, leads=leads), attempt_events + role_events


def _leads(state: State, seen: Observation, policy: Policy) -> bool:
    """Return whether clients are to use this region's detached cluster.

    A cluster that someone detached while the writer serves must not attract its clients; one that took over keeps them.
    """
    if seen.rds_failure is not None:
        return state.leads
    if seen.members is not Members.OWN_MISSING or state.leads:
        return seen.members is Members.OWN_MISSING
    is_out = state.dead_since is not None and seconds_between(state.dead_since, seen.at) >= policy.quiet_seconds
    return is_out and own_cluster_is_writable(seen)


def own_cluster_is_writable(observation: Observation) -> bool:
    """Return whether this region's probe found its own cluster writable."""
    return observation.own_port is Port.ALIVE and observation.own_read_only is False


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Return the seconds from `earlier` to `later`."""
    return (later - earlier).total_seconds()


def call_may_still_show(attempt: Attempt, now: datetime) -> bool:
    """Return whether the effect of the last call may not be visible yet. Another call is then forbidden.

    A time in the future (another machine's clock is ahead) counts as recent.
    """
    return seconds_between(attempt.touched_at, now) < CALL_SETTLES_SECONDS


def call_was_accepted(attempt: Attempt | None, now: datetime) -> bool:
    """Return whether RDS accepted the attempt's first call so recently that it may not show the operation yet."""
    if attempt is None or attempt.status is not AttemptStatus.UNDER_WAY:
        return False
    return seconds_between(attempt.started_at, now) < CALL_SETTLES_SECONDS


def writer_serves(observation: Observation) -> bool:
    """Return whether either region reached the peer's writer and found it working."""
    is_reached = observation.peer_port is Port.ALIVE and observation.peer_read_only is not True
    return is_reached or observation.peer is Peer.FINE


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
            if writer_serves(seen):
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
    return seen.writer is Side.OWN and seen.operation is None and own_cluster_is_writable(seen)


def _completed(state: State, attempt: Attempt, seen: Observation) -> tuple[State, tuple[Event, ...]]:
    state = replace(
        _without_observations(state),
        attempt=None,
        pending=None,
        writer=Side.OWN,
        writer_since=seen.at,
        roles_changed_at=seen.at,
        notified=(),
        unhealthy_cycles=0,
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
    previous, state = state.writer, replace(_without_observations(state), writer=seen.writer, writer_since=seen.at)
    if previous is Side.UNKNOWN or state.attempt is not None:
        return state, ()
    evidence: Evidence = {
        "from": previous,
        "to": seen.writer,
        "operation": None if seen.operation is None else seen.operation.status,
    }
    event = Event(reason=Reason.ROLES_CHANGED, action=Action.NOTIFY, evidence=evidence)
    return replace(state, roles_changed_at=seen.at, pending=None), (event,)


def _without_observations(state: State) -> State:
    """Return the state without what was observed of the previous writer, which says nothing about the new one."""
    return replace(
        state,
        silent_cycles=0,
        dead_cycles=0,
        dead_since=None,
        heartbeats=(),
        heartbeat_seen_at=None,
        lag_ms=None,
        lag_at=None,
        served_at=None,
        serving_since=None,
        calm_silence_at=None,
        silence_healed_at=None,
    )


def _update_pending(state: State, seen: Observation) -> State:
    """Drop an approved pending decision once the writer serves: its outage has ended."""
    approval, pending = seen.records.approval, state.pending
    if approval is None or pending is None or not approval.approved or approval.id != pending.id:
        return state
    return replace(state, pending=None) if writer_serves(seen) else state


class _FailingCycles(NamedTuple):
    """Counts of consecutive failing cycles, and the first cycle since the writer last served."""

    silent_cycles: int = 0
    dead_cycles: int = 0
    dead_since: datetime | None = None


def _update_counts(state: State, seen: Observation, policy: Policy, *, counts: bool) -> State:
    gap = None if state.cycle_at is None else seconds_between(state.cycle_at, seen.at)
    is_stale = gap is not None and gap > CYCLES_UNTIL_STALE * policy.interval_seconds
    is_early = gap is not None and gap < 0.5 * policy.interval_seconds
    cycle_at = seen.at if counts else state.cycle_at
    if state.writer is not Side.PEER:  # there is no other writer to observe
        return replace(state, cycle_at=cycle_at, silent_cycles=0, dead_cycles=0, dead_since=None)
    before = _FailingCycles() if is_stale else _FailingCycles(state.silent_cycles, state.dead_cycles, state.dead_since)
    counted = _count(before, seen, step=1 if counts and not is_early else 0)
    heartbeats, arrived = _received(state, seen)
    # A heartbeat that arrives after the first failing cycle shows a working writer. The count restarts; otherwise a
    # long partition would cause a failover as soon as heartbeats are delayed.
    if arrived and counted.silent_cycles > 1:
        counted = counted._replace(silent_cycles=0)
    lag_ms, lag_at = state.lag_ms, state.lag_at
    # A lag measured in the first failing cycle may already include the outage and is not used, unless there is no other:
    # cycles were missed before. All that was committed before the newest heartbeat has arrived, so its age bounds the loss.
    is_first = before.dead_since is None and counted.dead_since is not None
    is_old = lag_at is None or seconds_between(lag_at, seen.at) > policy.lag_fresh_seconds
    if is_first and is_old and arrived and seen.heartbeat_age_ms is not None:
        lag_ms, lag_at = seen.heartbeat_age_ms, seen.at
    replicates = arrived and before.dead_since is not None
    if seen.lag_ms is not None and (writer_serves(seen) or replicates):
        lag_ms, lag_at = seen.lag_ms, seen.at
    has_healed = before.silent_cycles > 0 and counted.silent_cycles == 0 and (arrived or writer_serves(seen))
    return replace(
        state,
        cycle_at=cycle_at,
        silent_cycles=counted.silent_cycles,
        dead_cycles=counted.dead_cycles,
        dead_since=counted.dead_since,
        heartbeats=heartbeats,
        heartbeat_seen_at=seen.at if arrived else state.heartbeat_seen_at,
        lag_ms=lag_ms,
        lag_at=lag_at,
        served_at=seen.at if arrived or writer_serves(seen) else state.served_at,
        serving_since=(state.serving_since or seen.at) if writer_serves(seen) else None,
        calm_silence_at=seen.at if seen.peer is Peer.SILENT and writer_serves(seen) else state.calm_silence_at,
        silence_healed_at=seen.at if has_healed else state.silence_healed_at,
        peer_answered_at=state.peer_answered_at if seen.peer is Peer.SILENT else seen.at,
    )


def _received(state: State, seen: Observation) -> tuple[tuple[str, ...], bool]:
    """Return the last heartbeats, and whether this observation's one arrived since the previous observation.

    The first heartbeat of a writer may be as old as the standby's volume, so it did not arrive; nor does an older one,
    which a reader that is further behind still shows.
    """
    if seen.heartbeat is None or seen.heartbeat in state.heartbeats:
        return state.heartbeats, False
    heartbeats = (*state.heartbeats, seen.heartbeat)[-HEARTBEATS_KEPT:]
    is_newer = bool(state.heartbeats) and seen.heartbeat > max(state.heartbeats)
    return heartbeats, state.heartbeat_seen_at is not None or is_newer


def _count(before: _FailingCycles, seen: Observation, *, step: int) -> _FailingCycles:
    if writer_serves(seen):
        return _FailingCycles()
    dead_since = before.dead_since or (None if seen.peer_port is Port.UNKNOWN else seen.at)
    if seen.peer_port is Port.DEAD and seen.peer in (Peer.SILENT, Peer.DOWN):
        silent_cycles = before.silent_cycles + step if seen.peer is Peer.SILENT else 0
        return _FailingCycles(silent_cycles, before.dead_cycles + step, dead_since)
    # Unknown, or a server that answers without serving: the counts restart, but dead_since is kept. It starts with a
    # known port, as a region that fails gradually returns errors first.
    return _FailingCycles(dead_since=dead_since)
