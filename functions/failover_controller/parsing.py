"""Parsing of health_check's and RDS's answers. A malformed answer raises UnusableError or becomes an unknown value."""

from collections.abc import Collection, Mapping
from datetime import datetime
from math import isfinite
from typing import NamedTuple

from .model import GlobalOperation, Members, Peer, Port, Side
from .ports import PortError, SilentError, UnusableError

UNREACHABLE_FAILURES = frozenset({"timeout", "refused", "reset", "unreachable", "name-resolution"})
"""health_check's failures that mean an unreachable endpoint. After any other failure something answered."""
REFUSALS = frozenset({"refused", "reset", "name-resolution"})
"""The unreachable ones that are not silence: a host answered, or the name does not resolve, which says nothing about the host."""

LONGEST_TEXT = 100
"""Maximum length of a status or time; both are kept in the state, whose item has at most 400 KB."""
LONGEST_MILLISECONDS = 1e12
"""Larger lags (more than 30 years) are impossible, and DynamoDB's numbers have at most 38 digits."""


class Probe(NamedTuple):
    """Probe result of one cluster."""

    port: Port
    refused: bool
    read_only: bool | None
    connect_ms: float | None
    heartbeat: str | None
    heartbeat_age_ms: float | None
    lag_ms: float | None
    failure: str | None


UNKNOWN_PROBE = Probe(Port.UNKNOWN, False, None, None, None, None, None, "the answer contains no probe of this cluster")


class GlobalView(NamedTuple):
    """RDS's description of the global cluster."""

    writer: Side
    members: Members
    operation: GlobalOperation | None
    synchronization: str | None


def read_probes(answer: object) -> dict[str, Probe]:
    """Return the probes of a health_check answer by cluster id.

    Raises:
        UnusableError: the answer is malformed.
    """
    probes = answer.get("probes") if isinstance(answer, Mapping) else None
    if not isinstance(probes, list):
        raise UnusableError(f"malformed: expected a list of probes, got {_shortened(answer)}")
    found: dict[str, Probe] = {}
    for probe in probes:
        cluster = probe.get("cluster") if isinstance(probe, Mapping) else None
        if not isinstance(probe, Mapping) or not isinstance(cluster, str):
            raise UnusableError(f"malformed: expected a probe with a cluster, got {_shortened(probe)}")
        found[cluster] = _read_probe(probe)
    return found


def read_peer(
    probes: Mapping[str, Probe] | None,
    error: PortError | None,
    rds_error: PortError | None,
    cluster_id: str,
    *,
    is_writer: bool,
) -> tuple[Peer, str | None]:
    """Return the other region's report on its own cluster, and a detail unless it is fine.

    A region is silent only if neither its Lambda API nor its RDS API (`rds_error`: None if it answered) gives an answer.
    An error (throttled, denied, failed) or a malformed answer shows a reachable region and is unknown.
    """
    if probes is None:
        if not isinstance(error, SilentError):
            return Peer.UNKNOWN, str(error)
        if not isinstance(rds_error, SilentError):
            return Peer.UNKNOWN, f"{error}; its RDS API: {rds_error or 'answers'}"
        return Peer.SILENT, f"{error}; its RDS API: {rds_error}"
    probe = probes.get(cluster_id, UNKNOWN_PROBE)
    if probe.port is Port.DEAD:
        return Peer.DOWN, f"its probe reports {probe.failure}"
    if probe.port is not Port.ALIVE:
        return Peer.UNKNOWN, f"its probe reports {probe.failure}"
    if is_writer and probe.read_only is not False:
        return Peer.UNKNOWN, "its probe did not find the writer endpoint writable"
    return Peer.FINE, None


def read_global_cluster(answer: object, own_arn: str, peer_arn: str) -> GlobalView:
    """Return the writer, the members, the operation in progress and the synchronization of this region's cluster.

    Raises:
        UnusableError: the answer does not have the form of DescribeGlobalClusters.
    Source: Amazon RDS API Reference, GlobalCluster, GlobalClusterMember, FailoverState.
    """
    members = answer.get("GlobalClusterMembers") if isinstance(answer, Mapping) else None
    if not isinstance(answer, Mapping) or not isinstance(members, list):
        raise UnusableError(f"malformed: expected a global cluster with members, got {_shortened(answer)}")
    writers: list[object] = []
    arns: list[object] = []
    synchronization: str | None = None
    for member in members:
        if not isinstance(member, Mapping):
            raise UnusableError(f"malformed: expected a member of the global cluster, got {_shortened(member)}")
        arns.append(member.get("DBClusterArn"))
        if member.get("IsWriter") is True:
            writers.append(member.get("DBClusterArn"))
        if member.get("DBClusterArn") == own_arn:
            synchronization = _text(member.get("SynchronizationStatus"))
    sides = {own_arn: Side.OWN, peer_arn: Side.PEER}
    writer = sides.get(str(writers[0]), Side.UNKNOWN) if len(writers) == 1 else Side.UNKNOWN
    operation = _read_operation(answer.get("FailoverState"), own_arn)
    return GlobalView(writer, _compare_members(arns, own_arn, peer_arn), operation, synchronization)


def read_own_cluster(answer: object) -> tuple[str | None, int | None]:
    """Return the status and the number of instances of this region's cluster; `None` if missing."""
    if not isinstance(answer, Mapping):
        raise UnusableError(f"malformed: expected a cluster, got {_shortened(answer)}")
    members = answer.get("DBClusterMembers")
    return _text(answer.get("Status")), len(members) if isinstance(members, list) else None


def _compare_members(arns: Collection[object], own_arn: str, peer_arn: str) -> Members:
    if own_arn not in arns:
        return Members.OWN_MISSING
    if peer_arn not in arns:
        return Members.PEER_MISSING
    return Members.OTHERS if set(arns) - {own_arn, peer_arn} else Members.EXPECTED


def _read_operation(failover_state: object, own_arn: str) -> GlobalOperation | None:
    """Return the operation in `FailoverState`, which is empty or absent unless one is scheduled or in progress."""
    if not failover_state:
        return None
    if not isinstance(failover_state, Mapping):
        return GlobalOperation(status="malformed", to_own=None, allows_data_loss=None)
    status, target = _text(failover_state.get("Status")), _text(failover_state.get("ToDbClusterArn"))
    if status is None and target is None:
        return None
    return GlobalOperation(
        status=status or "unknown",
        to_own=None if target is None else target == own_arn,
        allows_data_loss=_flag(failover_state.get("IsDataLossAllowed")),
    )


def _read_probe(probe: Mapping[str, object]) -> Probe:
    port, failure = _read_port(probe.get("failure"), _flag(probe.get("reachable")))
    lags = [
        lag for lag in map(_milliseconds, (probe.get("replication_lag_ms"), probe.get("rpo_lag_ms"))) if lag is not None
    ]
    age = _milliseconds(probe.get("heartbeat_age_ms"))
    return Probe(
        port=port,
        refused=port is Port.DEAD and _label(failure) in REFUSALS,
        read_only=_flag(probe.get("read_only")),
        connect_ms=_milliseconds(probe.get("connect_ms")),
        heartbeat=_instant(probe.get("heartbeat_at")),
        heartbeat_age_ms=age,
        # Without the lag columns the heartbeat's age is an upper bound: everything committed before it has arrived.
        lag_ms=max(lags) if lags else age,
        failure=failure,
    )


def _read_port(failure: object, reachable: bool | None) -> tuple[Port, str | None]:
    if reachable is None or not isinstance(failure, str | None):
        return Port.UNKNOWN, f"malformed: reachable {reachable}, failure {_shortened(failure)}"
    if failure is None:
        return (Port.ALIVE, None) if reachable else (Port.UNKNOWN, "not reachable, without a reason")
    # After a successful log-in the server is reachable. A blocked write must not cause a failover.
    is_unreachable = not reachable and _label(failure) in UNREACHABLE_FAILURES
    return (Port.DEAD if is_unreachable else Port.UNUSABLE), failure[:200]


def _label(failure: str | None) -> str:
    return (failure or "").split(":")[0].strip()


def _shortened(value: object) -> str:
    return repr(value)[:120]


def _text(value: object) -> str | None:
    return value[:LONGEST_TEXT] if isinstance(value, str) and value else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _milliseconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) and 0 <= number <= LONGEST_MILLISECONDS else None


def _instant(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        return None
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return None
    return value
