"""Requests and answers of health_check."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from math import isfinite

LONGEST_DEADLINE_MS = 4000.0
"""One second below the function's time-out of 5 s."""

DEFAULT_DEADLINE_MS = 2500.0


class InvalidProbeRequestError(ValueError):
    """The request is malformed; the message names the field."""


class ProbeFailure(StrEnum):
    """Failure of a probe. The first five mean that the endpoint is unreachable."""

    TIMEOUT = "timeout"  # no complete answer within the deadline
    REFUSED = "refused"  # the port is closed
    RESET = "reset"  # the connection was cut
    UNREACHABLE = "unreachable"  # no route
    NAME_RESOLUTION = "name-resolution"  # the host name does not resolve
    TLS = "tls"  # no TLS, or an untrusted certificate
    ACCESS_DENIED = "access-denied"  # log-in or privilege refused
    TOO_MANY_CONNECTIONS = "too-many-connections"
    OFFLINE = "offline"  # offline_mode is on
    HOST_BLOCKED = "host-blocked"  # too many failed handshakes from this host (max_connect_errors)
    PROTOCOL = "protocol"  # the peer does not speak MySQL
    READ_ONLY_HEARTBEAT = "read-only-heartbeat"  # innodb_read_only was off, but the write was refused
    QUERY_FAILED = "query-failed"  # the server returned an error to a query


@dataclass(frozen=True, kw_only=True)
class Target:
    """A database endpoint; the IAM token is signed for `region`, the cluster's region."""

    cluster: str
    region: str
    host: str
    port: int
    sources: bool = False
    """Whether to report the newest heartbeat of each source."""


@dataclass(frozen=True, kw_only=True)
class NamesRequest:
    """Request to resolve host names inside the VPC."""

    names: tuple[str, ...]
    port: int
    deadline_ms: float


@dataclass(frozen=True, kw_only=True)
class NameReport:
    """Sorted `address:port` values of a host name, or the reason why the name does not resolve."""

    name: str
    addresses: tuple[str, ...] = ()
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class ProbeRequest:
    """Request to probe targets within `deadline_ms` of the invocation's start."""

    targets: tuple[Target, ...]
    deadline_ms: float


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """Result for one target; None is unknown. `reachable`: the log-in succeeded."""

    cluster: str
    reachable: bool = False
    failure: str | None = None
    connect_ms: float | None = None
    read_only: bool | None = None
    heartbeat_write_ms: float | None = None
    heartbeat_at: str | None = None  # ISO 8601, UTC
    heartbeat_age_ms: float | None = None
    replication_lag_ms: float | None = None
    rpo_lag_ms: float | None = None
    heartbeat_sources: Mapping[str, str] | None = (
        None  # newest heartbeat by source, ISO 8601, UTC; None unless requested
    )


def parse_request(event: object) -> ProbeRequest | NamesRequest:
    """Return the request: a NamesRequest if it has `names`, else a ProbeRequest. Raises InvalidProbeRequestError if it is malformed."""
    if not isinstance(event, Mapping):
        raise InvalidProbeRequestError("the request must be an object")
    deadline_ms = _parse_deadline(event)
    if "names" in event:
        return NamesRequest(
            names=_parse_names(event["names"]), port=_parse_port("port", event), deadline_ms=deadline_ms
        )
    targets = event.get("targets")
    if not isinstance(targets, list) or not 1 <= len(targets) <= 10:
        raise InvalidProbeRequestError("targets: must be a list of 1 to 10 targets")
    parsed = tuple(_parse_target(index, target) for index, target in enumerate(targets))
    return ProbeRequest(targets=parsed, deadline_ms=deadline_ms)


def _parse_deadline(event: Mapping[object, object]) -> float:
    deadline_ms = event.get("deadline_ms", DEFAULT_DEADLINE_MS)
    if isinstance(deadline_ms, bool) or not isinstance(deadline_ms, int | float):
        raise InvalidProbeRequestError("deadline_ms: must be a number")
    if not isfinite(deadline_ms) or deadline_ms <= 0:
        raise InvalidProbeRequestError("deadline_ms: must be above 0")
    return min(float(deadline_ms), LONGEST_DEADLINE_MS)


def _parse_names(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not 1 <= len(names) <= 10:
        raise InvalidProbeRequestError("names: must be a list of 1 to 10 names")
    if not all(isinstance(name, str) and name for name in names):
        raise InvalidProbeRequestError("names: must be non-empty strings")
    return tuple(names)


def _parse_port(field: str, values: Mapping[object, object]) -> int:
    port = values.get("port", 3306)
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise InvalidProbeRequestError(f"{field}: must be from 1 to 65535")
    return port


def _parse_target(index: int, target: object) -> Target:
    if not isinstance(target, Mapping):
        raise InvalidProbeRequestError(f"targets[{index}]: must be an object")
    for name in ("cluster", "region", "host"):
        if not isinstance(target.get(name), str) or not target[name]:
            raise InvalidProbeRequestError(f"targets[{index}].{name}: must be a non-empty string")
    sources = target.get("sources", False)
    if not isinstance(sources, bool):
        raise InvalidProbeRequestError(f"targets[{index}].sources: must be true or false")
    port = _parse_port(f"targets[{index}].port", target)
    return Target(cluster=target["cluster"], region=target["region"], host=target["host"], port=port, sources=sources)


def as_answer(region: str, reports: list[ProbeReport]) -> dict[str, object]:
    """Return the answer in JSON types; the answer contains `heartbeat_sources` only if the request asks for it."""
    probes = [asdict(report) for report in reports]
    for probe in probes:
        if probe["heartbeat_sources"] is None:
            del probe["heartbeat_sources"]
    return {"region": region, "probes": probes}


def as_names_answer(region: str, reports: list[NameReport]) -> dict[str, object]:
    """Return the answer to a NamesRequest in JSON types."""
    return {"region": region, "names": [{**asdict(each), "addresses": list(each.addresses)} for each in reports]}
