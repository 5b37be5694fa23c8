"""What one more observation changes in what is remembered: counts, lag, roles, and the fate of a failover call.

Owns the counting over cycles and the fate of an attempt. Does not decide (`decide.py`), does no I/O and reads no
clock: every time is `observation.at`, so that clocks of two machines are never compared. Invariant: an unknown never
counts as a failing cycle and never as a good one; an attempt leaves the state only with a known end.
"""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from .model import Action, Attempt, AttemptStatus, Event, Evidence, Observation, Peer, Policy, Port, Reason, Side, State

CALL_SETTLES_SECONDS = 25.0
"""A call has 10 s to connect and 10 s to answer; after this long RDS shows it, or it never arrived."""
CYCLES_UNTIL_STALE = 5
"""Counts are of consecutive cycles: after a gap as long as this many, they begin anew."""
HEARTBEATS_KEPT = 4


def update_state(
    state: State, observation: Observation, policy: Policy, *, counts: bool = True
) -> tuple[State, tuple[Event, ...]]:
    """Return the state after `observation`, and what happened; `counts=False` for a second look within one cycle."""
    state, ended = _follow_attempt(state, observation, policy)
    state, changed = _follow_roles(state, observation)
    state = _follow_question(state, observation)
    return _follow_life(state, observation, policy, counts=counts), ended + changed


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Seconds from `earlier` to `later`; negative when they stand the other way round."""
    return (later - earlier).total_seconds()


def call_may_still_show(attempt: Attempt, now: datetime) -> bool:
    """Whether the last call is so recent that its effect may not be visible yet, so that nobody may call again.

    A time in the future (another machine's clock is ahead) counts as recent.
    """
    return seconds_between(attempt.touched_at, now) < CALL_SETTLES_SECONDS


def writer_shows_life(observation: Observation) -> bool:
    """Whether somebody saw the peer's writer serve in this observation."""
    return observation.peer_port is Port.ALIVE or observation.peer is Peer.FINE


def _follow_attempt(state: State, seen: Observation, policy: Policy) -> tuple[State, tuple[Event, ...]]:
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
                event = Event(reason=Reason.FAILOVER_FAILED, action=Action.NOTIFY, evidence=_account(attempt, seen))
                return replace(state, attempt=None, roles_changed_at=seen.at), (event,)
            if writer_shows_life(seen):
                event = Event(reason=Reason.FAILOVER_ABANDONED, action=Action.NOTIFY, evidence=_account(attempt, seen))
                return replace(state, attempt=None), (event,)
    events: tuple[Event, ...] = ()
    if not attempt.overdue and seconds_between(attempt.started_at, seen.at) >= policy.completion_bound_seconds:
        attempt = replace(attempt, overdue=True)
        events = (Event(reason=Reason.FAILOVER_OVERDUE, action=Action.NOTIFY, evidence=_account(attempt, seen)),)
    return replace(state, attempt=attempt), events


def _own_cluster_accepts_writes(seen: Observation) -> bool:
    """The end of a failover: RDS says so, no operation is left, and our own probe could write."""
    by_rds = seen.writer is Side.OWN and seen.operation is None
    return by_rds and seen.own_port is Port.ALIVE and seen.own_read_only is False


def _completed(state: State, attempt: Attempt, seen: Observation) -> tuple[State, tuple[Event, ...]]:
    event = Event(reason=Reason.FAILOVER_COMPLETED, action=Action.NOTIFY, evidence=_account(attempt, seen))
    return (
        replace(
            state,
            attempt=None,
            pending=None,
            writer=Side.OWN,
            roles_changed_at=seen.at,
            notified=(),
            unhealthy_cycles=0,
        ),
        (event,),
    )


def _account(attempt: Attempt, seen: Observation) -> Evidence:
    """The story of an attempt in numbers; the estimated loss is the lag as it was measured before the outage."""
    return {
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


def _follow_roles(state: State, seen: Observation) -> tuple[State, tuple[Event, ...]]:
    """Take over who is writer; a change that no attempt of ours explains is a person's, and starts the cooldown too."""
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


def _follow_question(state: State, seen: Observation) -> State:
    """Close a question that was answered with yes when the writer shows life: the yes was to an outage that is over."""
    approval, pending = seen.records.approval, state.pending
    if approval is None or pending is None or not approval.approved or approval.id != pending.id:
        return state
    return replace(state, pending=None) if writer_shows_life(seen) else state


class _Run(NamedTuple):
    """The run of failing cycles: how many, and since when nobody saw the writer alive."""

    silent_cycles: int = 0
    dead_cycles: int = 0
    dead_since: datetime | None = None


def _follow_life(state: State, seen: Observation, policy: Policy, *, counts: bool) -> State:
    gap = None if state.cycle_at is None else seconds_between(state.cycle_at, seen.at)
    is_stale = gap is not None and gap > CYCLES_UNTIL_STALE * policy.interval_seconds
    is_early = gap is not None and gap < 0.5 * policy.interval_seconds
    before = _Run() if is_stale else _Run(state.silent_cycles, state.dead_cycles, state.dead_since)
    run = _count(before, seen, step=1 if counts and not is_early else 0) if state.writer is Side.PEER else _Run()
    heartbeats, heartbeat_seen_at = state.heartbeats, state.heartbeat_seen_at
    arrived = None if seen.heartbeat in heartbeats else seen.heartbeat
    if arrived is not None:
        heartbeats, heartbeat_seen_at = (*heartbeats, arrived)[-HEARTBEATS_KEPT:], seen.at
        # One that comes with the first failing cycle was on its way before. A later one was written by a writer that lives:
        # without this, the count of a long partition would leave no cycles of protection when the heartbeat falters.
        if run.silent_cycles > 1:
            run = run._replace(silent_cycles=0)
    lag_ms, lag_at = state.lag_ms, state.lag_at
    # A lag measured at the first failing cycle may already be the outage's own: it is not taken.
    flows = arrived is not None and before.dead_since is not None
    if seen.lag_ms is not None and (writer_shows_life(seen) or flows):
        lag_ms, lag_at = seen.lag_ms, seen.at
    return replace(
        state,
        cycle_at=seen.at if counts else state.cycle_at,
        silent_cycles=run.silent_cycles,
        dead_cycles=run.dead_cycles,
        dead_since=run.dead_since,
        heartbeats=heartbeats,
        heartbeat_seen_at=heartbeat_seen_at,
        lag_ms=lag_ms,
        lag_at=lag_at,
    )


def _count(run: _Run, seen: Observation, *, step: int) -> _Run:
    if writer_shows_life(seen) or seen.peer_port is Port.UNUSABLE:
        return _Run()
    is_dead = seen.peer_port is Port.DEAD
    dead_since = run.dead_since or (seen.at if is_dead else None)
    if is_dead and seen.peer in (Peer.SILENT, Peer.DOWN):
        silent_cycles = run.silent_cycles + step if seen.peer is Peer.SILENT else 0
        return _Run(silent_cycles, run.dead_cycles + step, dead_since)
    # Unknown: neither a failing cycle nor a good one. The run is broken; since when nobody saw the writer stands, and begins
    # with a dead port: a region that dies gradually answers with errors first.
    return _Run(dead_since=dead_since)
