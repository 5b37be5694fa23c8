"""CloudWatch metrics of one cycle. Unknown values are left out, which alarms treat as missing data."""

from .model import Decision, Observation, Peer, Port, Side

Values = dict[str, tuple[float, str]]


def cycle_metrics(
    seen: Observation,
    decision: Decision,
    *,
    heartbeat_stopped: bool | None,
    met_error: bool,
    took_ms: float | None = None,
) -> Values:
    """Return value and CloudWatch unit by metric name; `heartbeat_stopped` is `None` if unknown."""
    values: Values = {
        "Cycles": (1.0, "Count"),
        "Held": (float(decision.held), "Count"),
        "Error": (float(met_error), "Count"),
    }
    for name, flag in (
        ("WriterRole", _writer_role(seen)),
        ("PeerRegionLost", _peer_region_lost(seen)),
        ("NoWriter", _no_writer(seen, heartbeat_stopped=heartbeat_stopped)),
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


def _writer_role(seen: Observation) -> bool | None:
    """Return whether RDS names this cluster as the writer and it accepts writes. DNS follows this metric."""
    if seen.writer is Side.PEER:
        return False
    if seen.writer is Side.OWN and seen.own_read_only is not None:
        return not seen.own_read_only
    return None


def _peer_region_lost(seen: Observation) -> bool | None:
    if seen.own_function_failure is not None or seen.peer_port is Port.UNKNOWN or seen.own_port is not Port.ALIVE:
        return None
    return seen.peer_port is Port.DEAD and seen.peer is Peer.SILENT


def _no_writer(seen: Observation, *, heartbeat_stopped: bool | None) -> bool | None:
    if seen.writer is Side.OWN:
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
