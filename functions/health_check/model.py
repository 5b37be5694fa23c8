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


def parse_request(event: object) -> ProbeRequest:
    """Return the request. Raises RequestError when it is malformed."""
    if not isinstance(event, Mapping):
        raise RequestError("the request must be an object")
    targets = event.get("targets")
    if not isinstance(targets, list) or not 1 <= len(targets) <= 10:
        raise RequestError("targets: must be a list of 1 to 10 targets")
    deadline_ms = event.get("deadline_ms", DEFAULT_DEADLINE_MS)
    if isinstance(deadline_ms, bool) or not isinstance(deadline_ms, int | float):
        raise RequestError("deadline_ms: must be a number")
    if not isfinite(deadline_ms) or deadline_ms <= 0:
        raise RequestError("deadline_ms: must be above 0")
    parsed = tuple(_parse_target(index, target) for index, target in enumerate(targets))
    return ProbeRequest(targets=parsed, deadline_ms=min(float(deadline_ms), LONGEST_DEADLINE_MS))


def _parse_target(index: int, target: object) -> Target:
    if not isinstance(target, Mapping):
        raise RequestError(f"targets[{index}]: must be an object")
    texts: dict[str, str] = {}
    for name in ("cluster", "region", "host"):
        value = target.get(name)
        if not isinstance(value, str) or not value:
            raise RequestError(f"targets[{index}].{name}: must be a text")
        texts[name] = value
    port = target.get("port", 3306)
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise RequestError(f"targets[{index}].port: must be a port")
    return Target(cluster=texts["cluster"], region=texts["region"], host=texts["host"], port=port)


def as_answer(region: str, reports: list[ProbeReport]) -> dict[str, object]:
    """Return the function's answer, in the types that JSON has."""
    return {"region": region, "probes": [asdict(report) for report in reports]}
