"""The conditions that the decision table is made of: each a pure predicate over one case.

Owns what "arrives", "stopped", "recent" and "ready" mean in numbers. Does not own the order or the outcome
(`decide.py`). Invariant: a condition that needs something unknown says so by its name, and is then true for the row
that holds.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from .model import AttemptStatus, Observation, Peer, Policy, Port, State
from .state_update import call_may_still_show, seconds_between


class Case(NamedTuple):
    """Everything that a rule may look at."""

    seen: Observation
    state: State
    policy: Policy
    now: datetime


def heartbeat_quiet_seconds(case: Case) -> float | None:
    """Seconds since a new heartbeat value was seen, by this controller's clock; `None` when it can't be told."""
    if case.seen.heartbeat is None or case.state.heartbeat_seen_at is None:
        return None
    return seconds_between(case.state.heartbeat_seen_at, case.now)


def is_approved(case: Case) -> bool:
    """Whether a person approved exactly the decision that is pending."""
    approval, pending = case.seen.records.approval, case.state.pending
    return approval is not None and pending is not None and approval.approved and approval.id == pending.id


def is_disarmed(case: Case) -> bool:
    """Whether the off-switch is set and has not expired."""
    switch = case.seen.records.switch
    if switch is None or switch.armed:
        return False
    return switch.expires_at is None or case.now < switch.expires_at


def lag_before_outage_ms(case: Case) -> float | None:
    """The last lag measured before the outage; `None` when there is none, or it is too old to say anything."""
    state = case.state
    if state.lag_ms is None or state.lag_at is None or state.dead_since is None:
        return None
    # While only heartbeats arrived, the writer lived on: the outage began when the last of them came.
    outage_at = max(state.dead_since, state.heartbeat_seen_at or state.dead_since)
    return state.lag_ms if seconds_between(state.lag_at, outage_at) <= case.policy.lag_fresh_seconds else None


def cannot_read(item: str) -> Callable[[Case], bool]:
    """Return the condition that `item` of the table could not be read or understood."""
    return lambda case: item in case.seen.records.failures


def is_under_way(case: Case) -> bool:
    """Whether a failover of ours is taken, or its call may still take effect."""
    return case.state.attempt is not None and (
        case.state.attempt.status is not AttemptStatus.INTENDED or call_may_still_show(case.state.attempt, case.now)
    )


def _heartbeat_arrives(case: Case) -> bool:
    """A value that is new since the port died, and recent. One seen at the first failing cycle was on its way before."""
    quiet, since = heartbeat_quiet_seconds(case), case.state.dead_since
    if quiet is None or since is None or case.state.heartbeat_seen_at is None:
        return False
    return case.state.heartbeat_seen_at > since and quiet < case.policy.quiet_seconds


def is_locked_out(case: Case) -> bool:
    """Whether neither region can use the writer's port, while the database itself goes on writing heartbeats."""
    return case.seen.peer_port is Port.DEAD and case.seen.peer is Peer.DOWN and _heartbeat_arrives(case)


def is_partitioned(case: Case) -> bool:
    """Whether the port is dead while the writer shows life by another path."""
    return case.seen.peer_port is Port.DEAD and (case.seen.peer is Peer.FINE or _heartbeat_arrives(case))


def region_is_unclear(case: Case) -> bool:
    """Whether nobody saw the dead writer alive for longer than the grace, and the other region says nothing clear all the while.

    Unclear is an answer that tells nothing, now or within the last cycles: a run of silence, or of "it is down", is clear.
    """
    seen, state, policy = case.seen, case.state, case.policy
    # A blind cycle of our own breaks the run as well, and so asks two cycles early. A count of the other region's words alone
    # would not, but would ask nobody, ever, where our own probe is blind every third cycle and no run is ever long enough.
    is_unclear = seen.peer is Peer.UNKNOWN or state.dead_cycles < policy.failure_threshold
    if not is_unclear or seen.peer is Peer.FINE or seen.peer_port is not Port.DEAD:
        return False
    lifeless = _lifeless_seconds(case)
    return lifeless is not None and lifeless >= max(policy.in_region_grace_seconds, policy.quiet_seconds)


def peer_is_unknown(case: Case) -> bool:
    """Whether the other region's answer tells nothing, and has not yet done so for so long that a person is asked."""
    return case.seen.peer is Peer.UNKNOWN and not region_is_unclear(case)


def is_only_suspected(case: Case) -> bool:
    """Whether the run of failing cycles, or the quiet of the heartbeat, is still too short."""
    if region_is_unclear(case):
        return False
    cycles = case.state.silent_cycles if case.seen.peer is Peer.SILENT else case.state.dead_cycles
    quiet = heartbeat_quiet_seconds(case)
    return cycles < case.policy.failure_threshold or (quiet is not None and quiet < case.policy.quiet_seconds)


def is_in_region_grace(case: Case) -> bool:
    """Whether Aurora still has time to heal a dead writer inside a living region."""
    if case.seen.peer is not Peer.DOWN:
        return False
    lifeless = _lifeless_seconds(case)
    return lifeless is None or lifeless < case.policy.in_region_grace_seconds


def _lifeless_seconds(case: Case) -> float | None:
    """Seconds since anybody saw the dead writer alive, or a new heartbeat came; `None` while it is not known to be dead."""
    since = case.state.dead_since
    if since is None:
        return None
    return seconds_between(max(since, case.state.heartbeat_seen_at or since), case.now)


def is_in_cooldown(case: Case) -> bool:
    """Whether the roles changed too recently; a change in the future (clocks differ) counts as recent."""
    changed_at = case.state.roles_changed_at
    return changed_at is not None and seconds_between(changed_at, case.now) < case.policy.cooldown_seconds


def lock_is_held(case: Case) -> bool:
    """Whether another invocation's lock stands. One's own is taken out of the records before."""
    lock = case.seen.records.lock
    return lock is not None and lock.until is not None and case.now < lock.until


def standby_is_not_available(case: Case) -> bool:
    """Whether the standby cluster is anything but `available`, unknown included."""
    return case.seen.standby_status != "available"


def standby_has_no_instance(case: Case) -> bool:
    """Whether the standby has no instance, unknown included."""
    return not case.seen.standby_instances


def standby_is_not_synchronized(case: Case) -> bool:
    """Whether RDS names a synchronization other than `connected`, and nobody approved it."""
    return not _is_synchronized(case) and not is_approved(case)


def _is_synchronized(case: Case) -> bool:
    # Absent is unknown: then the lag, which must have been measured shortly before the outage, has to speak.
    return case.seen.synchronization in (None, "connected")


def standby_is_unreachable(case: Case) -> bool:
    """Whether our own probe could not use the standby, unknown included."""
    return case.seen.own_port is not Port.ALIVE


def standby_is_not_ready(case: Case) -> bool:
    """Whether the standby could not take over now."""
    return (
        standby_is_not_available(case)
        or standby_has_no_instance(case)
        or not _is_synchronized(case)
        or standby_is_unreachable(case)
    )


def lag_is_too_high(case: Case) -> bool:
    """Whether the known lag before the outage is above the limit, and nobody approved it."""
    lag_ms = lag_before_outage_ms(case)
    return lag_ms is not None and lag_ms > case.policy.max_data_loss_seconds * 1000 and not is_approved(case)
