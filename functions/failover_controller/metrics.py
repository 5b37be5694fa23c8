"""CloudWatch metrics of one cycle. Unknown values are left out, which alarms treat as missing data."""

from .model import Decision, Observation, Peer, Port, Side
from .state_update import writer_serves

Values = dict[str, tuple[float, str]]

MOVING = frozenset({"pending", "failing-over", "switching-over"})
"""Statuses of an operation that changes the roles unless it fails. `cancelling` restores them.

Source: FailoverState, Amazon RDS API Reference.
"""


def cycle_metrics(
    seen: Observation,
    decision: Decision,
    *,
    heartbeat_stopped: bool | None,
    serves_no_one: bool = False,
    leads: bool = False,
    has_called: bool = False,
    met_error: bool,
    took_ms: float | None = None,
) -> Values:
    """Return value and CloudWatch unit by metric name.

    `heartbeat_stopped` is `None` if unknown; `serves_no_one`: no sign of a working writer came for the grace period. `leads`: see State.
    `has_called`: RDS accepted this controller's call so recently that it may not show the operation yet.
    """
    values: Values = {
        "Cycles": (1.0, "Count"),
        "Held": (float(decision.held), "Count"),
        "Error": (float(met_error), "Count"),
    }
    for name, flag in (
        ("WriterRole", _writer_role(seen, leads=leads, has_called=has_called)),
        ("PeerRegionLost", _peer_region_lost(seen)),
        ("NoWriter", _no_writer(seen, heartbeat_stopped=heartbeat_stopped, serves_no_one=serves_no_one, leads=leads)),
    ):
        if flag is not None:
            values[name] = (float(flag), "None")
    on_standby = seen.writer is Side.PEER
    for name, milliseconds in (
        ("ReplicationLag", seen.lag_ms if on_standby else None),
        ("HeartbeatAge", seen.heartbeat_age_ms if on_standby else None),
        ("OwnProbeLatency", seen.own_probe_ms),
        ("PeerProbeLatency", seen.peer_probe_ms),
        ("PeerFunctionLatency", seen.peer_function_ms),
        ("CycleDuration", took_ms),
    ):
        if milliseconds is not None:
            values[name] = (round(milliseconds, 3), "Milliseconds")
    return values


def _writer_role(seen: Observation, *, leads: bool, has_called: bool) -> bool | None:
    """Return whether clients are to use this region's cluster. DNS follows this metric.

    It is the cluster that RDS names as the writer and that accepts writes, or that leads. While an operation moves the
    role, it is the operation's target once the old writer serves no one: DNS then moves while AWS promotes.
    """
    if leads:
        return None if seen.own_read_only is None else not seen.own_read_only
    destination = _destination(seen, has_called=has_called)
    if destination is Side.OWN and (seen.writer is Side.OWN or not writer_serves(seen)):
        return True
    if destination is Side.PEER and seen.own_read_only is not False:
        return False
    if seen.writer is Side.PEER:
        return False
    if seen.writer is Side.OWN and seen.own_read_only is not None:
        return not seen.own_read_only
    return None


def _destination(seen: Observation, *, has_called: bool) -> Side:
    """Return the side to which an operation moves the writer's role; unknown without an operation."""
    operation = seen.operation
    if operation is None:
        return Side.OWN if has_called else Side.UNKNOWN
    if operation.status not in MOVING or operation.to_own is None:
        return Side.UNKNOWN
    return Side.OWN if operation.to_own else Side.PEER


def _peer_region_lost(seen: Observation) -> bool | None:
    if seen.own_function_failure is not None or seen.peer_port is Port.UNKNOWN or seen.own_port is not Port.ALIVE:
        return None
    return seen.peer_port is Port.DEAD and seen.peer is Peer.SILENT


def _no_writer(seen: Observation, *, heartbeat_stopped: bool | None, serves_no_one: bool, leads: bool) -> bool | None:
    if serves_no_one and not leads:
        return True
    if seen.writer is Side.OWN or leads:
        if seen.own_port is Port.ALIVE and seen.own_read_only is not None:
            return seen.own_read_only
        return True if seen.own_port is Port.DEAD else None
    if seen.writer is Side.UNKNOWN:
        return None
    if seen.peer_port is Port.ALIVE:
        return seen.peer_read_only
    if seen.peer is Peer.FINE or heartbeat_stopped is False:
        return False
    is_down = seen.peer_port is Port.DEAD and seen.peer in (Peer.SILENT, Peer.DOWN)
    return True if is_down and heartbeat_stopped else None
