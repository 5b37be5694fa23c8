"""What the function is asked, and what it answers.

Owns: the request's and the answer's form, and the words for what can fail.
Does not own: how a fact is learnt (probe.py).
Invariant: a malformed request is refused as a whole, before any connection is made.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from math import isfinite

LONGEST_DEADLINE_MS = 4000.0
"""One second below the function's own limit of 5 s: an answer that comes too late says less than a short one."""

DEFAULT_DEADLINE_MS = 2500.0


class RequestError(ValueError):
    """The request is malformed; the message names the field."""


class ProbeFailure(StrEnum):
    """Why a probe did not learn all that it asked. The first five say that nothing usable answers there."""

    TIMEOUT = "timeout"  # nothing, or not enough, within the deadline
    REFUSED = "refused"  # the port is closed
    RESET = "reset"  # the connection was cut
    UNREACHABLE = "unreachable"  # no route
    NAME_RESOLUTION = "name-resolution"  # the name leads nowhere
    TLS = "tls"  # no TLS, or a certificate that can't be trusted
    ACCESS_DENIED = "access-denied"  # it answers, and refuses us: log-in, or a privilege
    TOO_MANY_CONNECTIONS = "too-many-connections"
    HOST_BLOCKED = "host-blocked"  # too many broken handshakes from here (max_connect_errors)
    PROTOCOL = "protocol"  # something else than MySQL answers
    READ_ONLY_HEARTBEAT = "read-only-heartbeat"  # it said that it was the writer, then refused to write
    QUERY_FAILED = "query-failed"  # it answers, and can't run what we asked


@dataclass(frozen=True, kw_only=True)
class Target:
    """One database endpoint; `region` is its cluster's, for which the IAM token is signed."""

    cluster: str
    region: str
    host: str
    port: int
    sources: bool = False
    """Whether the answer says who wrote heartbeats, and each one's newest."""


@dataclass(frozen=True, kw_only=True)
class NamesRequest:
    """The other kind of question: what these names lead to, as seen from here."""

    names: tuple[str, ...]
    port: int
    deadline_ms: float


@dataclass(frozen=True, kw_only=True)
class NameReport:
    """What a name leads to: `address:port` each, sorted; or why to nothing."""

    name: str
    addresses: tuple[str, ...] = ()
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class ProbeRequest:
    """What an invocation asks: these targets, each within `deadline_ms` of the invocation's start."""

    targets: tuple[Target, ...]
    deadline_ms: float


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """What was learnt of one target; None is unknown. `reachable`: a log-in succeeded. Times are in milliseconds."""

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
    heartbeat_sources: Mapping[str, str] | None = None  # who wrote -> its newest, ISO 8601, UTC; only when asked for


def parse_request(event: object) -> ProbeRequest | NamesRequest:
    """Return the request: for names when it has `names`, else for probes. Raises RequestError when it is malformed."""
    if not isinstance(event, Mapping):
        raise RequestError("the request must be an object")
    deadline_ms = _parse_deadline(event)
    if "names" in event:
        return NamesRequest(
            names=_parse_names(event["names"]), port=_parse_port("port", event), deadline_ms=deadline_ms
        )
    targets = event.get("targets")
    if not isinstance(targets, list) or not 1 <= len(targets) <= 10:
        raise RequestError("targets: must be a list of 1 to 10 targets")
    parsed = tuple(_parse_target(index, target) for index, target in enumerate(targets))
    return ProbeRequest(targets=parsed, deadline_ms=deadline_ms)


def _parse_deadline(event: Mapping[object, object]) -> float:
    deadline_ms = event.get("deadline_ms", DEFAULT_DEADLINE_MS)
    if isinstance(deadline_ms, bool) or not isinstance(deadline_ms, int | float):
        raise RequestError("deadline_ms: must be a number")
    if not isfinite(deadline_ms) or deadline_ms <= 0:
        raise RequestError("deadline_ms: must be above 0")
    return min(float(deadline_ms), LONGEST_DEADLINE_MS)


def _parse_names(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not 1 <= len(names) <= 10:
        raise RequestError("names: must be a list of 1 to 10 names")
    if not all(isinstance(name, str) and name for name in names):
        raise RequestError("names: must be texts")
    return tuple(names)


def _parse_port(field: str, values: Mapping[object, object]) -> int:
    port = values.get("port", 3306)
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise RequestError(f"{field}: must be a port")
    return port


def _parse_target(index: int, target: object) -> Target:
    if not isinstance(target, Mapping):
        raise RequestError(f"targets[{index}]: must be an object")
    texts: dict[str, str] = {}
    for name in ("cluster", "region", "host"):
        value = target.get(name)
        if not isinstance(value, str) or not value:
            raise RequestError(f"targets[{index}].{name}: must be a text")
        texts[name] = value
    sources = target.get("sources", False)
    if not isinstance(sources, bool):
        raise RequestError(f"targets[{index}].sources: must be true or false")
    port = _parse_port(f"targets[{index}].port", target)
    return Target(cluster=texts["cluster"], region=texts["region"], host=texts["host"], port=port, sources=sources)


def as_answer(region: str, reports: list[ProbeReport]) -> dict[str, object]:
    """Return the function's answer, in the types that JSON has; who wrote heartbeats stands there only when asked for."""
    probes = [asdict(report) for report in reports]
    for probe in probes:
        if probe["heartbeat_sources"] is None:
            del probe["heartbeat_sources"]
    return {"region": region, "probes": probes}


def as_names_answer(region: str, reports: list[NameReport]) -> dict[str, object]:
    """Return the function's answer about names, in the types that JSON has."""
    return {"region": region, "names": [{**asdict(each), "addresses": list(each.addresses)} for each in reports]}
