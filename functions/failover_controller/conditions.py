"""Conditions of the decision table: pure predicates over one case.

A condition that is true for unknown values says so in its name or docstring.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from .model import AttemptStatus, Members, Observation, Peer, Policy, Port, State
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


def heartbeat_is_unknown(case: Case) -> bool:
    """Return whether no heartbeat of this writer was observed to arrive until the outage, and no approval exists.

    A heartbeat that had stopped long before the outage did not stop because of it.
    """
    seen_at, since = case.state.heartbeat_seen_at, case.state.dead_since
    stopped_before = (
        seen_at is not None
        and since is not None
        and seconds_between(seen_at, since) > case.policy.heartbeat_overdue_seconds
    )
    return (heartbeat_quiet_seconds(case) is None or stopped_before) and not is_approved(case)


def heartbeat_is_overdue(case: Case) -> bool:
    """Return whether no heartbeat of this writer has arrived for a long time, or ever, although the writer serves.

    After an outage the time counts from its end: in an outage, no heartbeat is expected.
    """
    last, serving_since = case.state.heartbeat_seen_at or case.state.writer_since, case.state.serving_since
    if last is None or serving_since is None:
        return False
    return seconds_between(max(last, serving_since), case.now) > case.policy.heartbeat_overdue_seconds


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
    state, outage_at = case.state, _outage_at(case)
    if state.lag_ms is None or state.lag_at is None or outage_at is None:
        return None
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
    return _grace_has_ended(case)


def _grace_has_ended(case: Case) -> bool:
    """Return whether no sign of a working writer came for the grace period, and long enough for a heartbeat to count as stopped."""
    seconds, policy = _unreachable_seconds(case), case.policy
    return seconds is not None and seconds >= max(policy.in_region_grace_seconds, policy.quiet_seconds)


def writer_serves_no_one(case: Case) -> bool:
    """Return whether the writer answers, but neither commits nor lets a heartbeat arrive for longer than the grace period.

    A writer whose storage fails accepts log-ins and hangs in a commit. While heartbeats arrive, only the probe is refused.
    """
    seen = case.seen
    answers = seen.peer_port is Port.UNUSABLE or (seen.peer_port is Port.ALIVE and seen.peer_read_only is True)
    if not answers or seen.peer is Peer.FINE or heartbeat_quiet_seconds(case) is None:
        return False
    return _grace_has_ended(case)


def has_other_members(case: Case) -> bool:
    """Return whether a third cluster is a member of the global database."""
    return case.seen.members is Members.OTHERS


def rds_is_unclear(case: Case) -> bool:
    """Return whether the writer is unreachable for longer than the grace period, and this region's RDS API is unreadable.

    The last known roles then count: a failing cycle is only counted while the other region's cluster is the writer.
    """
    seen = case.seen
    is_out = seen.peer_port is Port.DEAD and seen.peer is not Peer.FINE
    return seen.rds_failure is not None and is_out and _grace_has_ended(case)


def outage_is_unclear(case: Case) -> bool:
    """Return whether the writer serves no one for longer than the grace period, without a clear sign of a lost writer."""
    return region_is_unclear(case) or writer_serves_no_one(case) or rds_is_unclear(case)


def writer_is_alive(case: Case) -> bool:
    """Return whether the writer's port lets the probe work, unless the writer has long been read-only."""
    return case.seen.peer_port is Port.ALIVE and not writer_serves_no_one(case)


def peer_is_unknown(case: Case) -> bool:
    """Return whether the other region's answer is inconclusive and the grace period has not ended."""
    return case.seen.peer is Peer.UNKNOWN and not outage_is_unclear(case)


def is_only_suspected(case: Case) -> bool:
    """Return whether there are too few consecutive failing cycles, or the heartbeat stopped too recently."""
    if outage_is_unclear(case):
        return False
    cycles = case.state.silent_cycles if case.seen.peer is Peer.SILENT else case.state.dead_cycles
    quiet = heartbeat_quiet_seconds(case)
    return cycles < required_cycles(case) or (quiet is not None and quiet < case.policy.quiet_seconds)


def required_cycles(case: Case) -> int:
    """Return the number of consecutive failing cycles that a loss needs: more soon after a silence that healed."""
    healed_at, policy = case.state.silence_healed_at, case.policy
    is_settling = healed_at is not None and seconds_between(healed_at, case.now) < policy.settling_seconds
    return policy.failure_threshold + (policy.extra_cycles if is_settling else 0)


def is_in_region_grace(case: Case) -> bool:
    """Return whether Aurora still has time to recover the writer within its region.

    Neither a silence that is older than the outage nor a port that refuses connections shows a region that is lost with
    its writer.
    """
    is_writer_only = case.seen.peer is Peer.DOWN or (
        case.seen.peer is Peer.SILENT and (case.seen.peer_port_refused or _silence_is_older(case))
    )
    if not is_writer_only:
        return False
    seconds = _unreachable_seconds(case)
    return seconds is None or seconds < case.policy.in_region_grace_seconds


def _silence_is_older(case: Case) -> bool:
    """Return whether the other region was not answering reliably while the writer last served."""
    answered_at, served_at, policy = case.state.peer_answered_at, case.state.served_at, case.policy
    if answered_at is None or served_at is None:
        return True
    calm_at = case.state.calm_silence_at
    was_silent = calm_at is not None and seconds_between(calm_at, served_at) < policy.settling_seconds
    return was_silent or seconds_between(answered_at, served_at) > policy.silence_fresh_seconds


def _outage_at(case: Case) -> datetime | None:
    """Return the first failing cycle, or the arrival of a later heartbeat; `None` if the writer is not known to fail."""
    since = case.state.dead_since
    return None if since is None else max(since, case.state.heartbeat_seen_at or since)


def _unreachable_seconds(case: Case) -> float | None:
    """Return the seconds since the last evidence of a working writer; `None` if the writer is not known to be unreachable."""
    outage_at = _outage_at(case)
    return None if outage_at is None else seconds_between(outage_at, case.now)


def is_in_cooldown(case: Case) -> bool:
    """Return whether the roles changed too recently; a change in the future (differing clocks) counts as recent."""
    changed_at = case.state.roles_changed_at
    return changed_at is not None and seconds_between(changed_at, case.now) < case.policy.cooldown_seconds


def lock_is_held(case: Case) -> bool:
    """Return whether another invocation holds the lock. The caller removes its own lock from the records."""
    lock = case.seen.records.lock
    return lock is not None and lock.until is not None and case.now < lock.until


def standby_is_not_available(case: Case) -> bool:
    """Return whether RDS was read, and the standby's status is unknown or not `available`."""
    return case.seen.rds_failure is None and case.seen.standby_status != "available"


def standby_has_no_instance(case: Case) -> bool:
    """Return whether RDS was read, and the standby has no instance or an unknown number of instances."""
    return case.seen.rds_failure is None and not case.seen.standby_instances


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
