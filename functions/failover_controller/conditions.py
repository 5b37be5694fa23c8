"""Conditions of the decision table: pure predicates over one case.

A condition that is true for unknown values says so in its name or docstring.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from .model import AttemptStatus, Observation, Peer, Policy, Port, State
from .state_update import call_may_still_show, seconds_between


class Case(NamedTuple):
    """Inputs of a row's condition."""

    seen: Observation
    state: State
    policy: Policy
    now: datetime


def heartbeat_quiet_seconds(case: Case) -> float | None:
    """Return the seconds since a new heartbeat was seen, by this controller's clock; `None` if unknown."""
    if case.seen.heartbeat is None or case.state.heartbeat_seen_at is None:
        return None
    return seconds_between(case.state.heartbeat_seen_at, case.now)


def is_approved(case: Case) -> bool:
    """Return whether an operator approved the pending decision."""
    approval, pending = case.seen.records.approval, case.state.pending
    return approval is not None and pending is not None and approval.approved and approval.id == pending.id


def is_disarmed(case: Case) -> bool:
    """Return whether an operator disarmed the controller and the disarming has not expired."""
    switch = case.seen.records.switch
    if switch is None or switch.armed:
        return False
    return switch.expires_at is None or case.now < switch.expires_at


def lag_before_outage_ms(case: Case) -> float | None:
    """Return the last lag measured before the outage; `None` if there is none or it is too old."""
    state = case.state
    if state.lag_ms is None or state.lag_at is None or state.dead_since is None:
        return None
    # Heartbeats that arrived after the port became unreachable show that the outage began later.
    outage_at = max(state.dead_since, state.heartbeat_seen_at or state.dead_since)
    return state.lag_ms if seconds_between(state.lag_at, outage_at) <= case.policy.lag_fresh_seconds else None


def cannot_read(item: str) -> Callable[[Case], bool]:
    """Return the condition that an item of the table is unreadable or malformed."""
    return lambda case: item in case.seen.records.failures


def is_under_way(case: Case) -> bool:
    """Return whether RDS accepted a failover by this controller or a failover call may still take effect."""
    return case.state.attempt is not None and (
        case.state.attempt.status is not AttemptStatus.INTENDED or call_may_still_show(case.state.attempt, case.now)
    )


def _heartbeat_arrives(case: Case) -> bool:
    """Return whether a recent heartbeat arrived after the first failed cycle.

    A heartbeat seen during that cycle may predate the outage.
    """
    quiet, since = heartbeat_quiet_seconds(case), case.state.dead_since
    if quiet is None or since is None or case.state.heartbeat_seen_at is None:
        return False
    return case.state.heartbeat_seen_at > since and quiet < case.policy.quiet_seconds


def is_locked_out(case: Case) -> bool:
    """Return whether both regions fail to connect to the writer but its heartbeats still arrive."""
    return case.seen.peer_port is Port.DEAD and case.seen.peer is Peer.DOWN and _heartbeat_arrives(case)


def is_partitioned(case: Case) -> bool:
    """Return whether the port is unreachable while another path shows a working writer."""
    return case.seen.peer_port is Port.DEAD and (case.seen.peer is Peer.FINE or _heartbeat_arrives(case))


def region_is_unclear(case: Case) -> bool:
    """Return whether the writer is unreachable and its region inconclusive for longer than the grace period.

    An answer is inconclusive if the region neither stayed silent nor reported its writer as down for failure_threshold
    cycles in a row.
    """
    seen, state, policy = case.seen, case.state, case.policy
    # An unreadable own probe interrupts the count too, which may request an approval two cycles early. Counting only the
    # other region's answers would never request one while the own probe fails every third cycle.
    is_unclear = seen.peer is Peer.UNKNOWN or state.dead_cycles < policy.failure_threshold
    if not is_unclear or seen.peer is Peer.FINE or seen.peer_port is not Port.DEAD:
        return False
    seconds = _unreachable_seconds(case)
    return seconds is not None and seconds >= max(policy.in_region_grace_seconds, policy.quiet_seconds)


def peer_is_unknown(case: Case) -> bool:
    """Return whether the other region's answer is inconclusive and the grace period has not ended."""
    return case.seen.peer is Peer.UNKNOWN and not region_is_unclear(case)


def is_only_suspected(case: Case) -> bool:
    """Return whether there are too few consecutive failing cycles, or the heartbeat stopped too recently."""
    if region_is_unclear(case):
        return False
    cycles = case.state.silent_cycles if case.seen.peer is Peer.SILENT else case.state.dead_cycles
    quiet = heartbeat_quiet_seconds(case)
    return cycles < case.policy.failure_threshold or (quiet is not None and quiet < case.policy.quiet_seconds)


def is_in_region_grace(case: Case) -> bool:
    """Return whether Aurora still has time to recover the writer within its region."""
    if case.seen.peer is not Peer.DOWN:
        return False
    seconds = _unreachable_seconds(case)
    return seconds is None or seconds < case.policy.in_region_grace_seconds


def _unreachable_seconds(case: Case) -> float | None:
    """Return the seconds since the last evidence of a working writer; `None` if the writer is not known to be unreachable."""
    since = case.state.dead_since
    if since is None:
        return None
    return seconds_between(max(since, case.state.heartbeat_seen_at or since), case.now)


def is_in_cooldown(case: Case) -> bool:
    """Return whether the roles changed too recently; a change in the future (differing clocks) counts as recent."""
    changed_at = case.state.roles_changed_at
    return changed_at is not None and seconds_between(changed_at, case.now) < case.policy.cooldown_seconds


def lock_is_held(case: Case) -> bool:
    """Return whether another invocation holds the lock. The caller removes its own lock from the records."""
    lock = case.seen.records.lock
    return lock is not None and lock.until is not None and case.now < lock.until


def standby_is_not_available(case: Case) -> bool:
    """Return whether the standby's status is unknown or not `available`."""
    return case.seen.standby_status != "available"


def standby_has_no_instance(case: Case) -> bool:
    """Return whether the standby has no instance or an unknown number of instances."""
    return not case.seen.standby_instances


def standby_is_not_synchronized(case: Case) -> bool:
    """Return whether RDS reports a synchronization other than `connected`, and no approval exists."""
    return not _is_synchronized(case) and not is_approved(case)


def _is_synchronized(case: Case) -> bool:
    # If RDS reports no synchronization, the lag measured before the outage decides.
    return case.seen.synchronization in (None, "connected")


def standby_is_unreachable(case: Case) -> bool:
    """Return whether this region's probe failed to use the standby or has an unknown result."""
    return case.seen.own_port is not Port.ALIVE


def standby_is_not_ready(case: Case) -> bool:
    """Return whether the standby cannot take over now."""
    return (
        standby_is_not_available(case)
        or standby_has_no_instance(case)
        or not _is_synchronized(case)
        or standby_is_unreachable(case)
    )


def lag_is_too_high(case: Case) -> bool:
    """Return whether the known lag before the outage is above the limit, and no approval exists."""
    lag_ms = lag_before_outage_ms(case)
    return lag_ms is not None and lag_ms > case.policy.max_data_loss_seconds * 1000 and not is_approved(case)
