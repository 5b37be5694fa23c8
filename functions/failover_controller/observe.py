"""One observation: all paths in parallel, each with the same deadline.

A late answer counts as silence; a call that never got a thread is unknown. A late answer of this region's RDS API is used
by the next observations, as an API that answers in 3.5 s would otherwise never be read.
"""

from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from .config import ControllerCluster, ControllerConfig
from .model import Observation, Records, Side
from .parsing import UNKNOWN_PROBE, GlobalView, Probe, read_global_cluster, read_own_cluster, read_peer, read_probes
from .ports import Answer, HealthChecks, PortError, Rds, SilentError, Store, Threads, UnusableError

Result = TypeVar("Result")
PROBE_SHARE_OF_DEADLINE = 0.7
"""Share of a path's deadline for health_check's probes; the rest is for the invocation."""
LOCAL_PROBE_SECONDS = 1.5
"""Maximum time for the other region's health_check to probe its own writer. It leaves the time for a new
connection, TLS and the request between the regions. A later answer on an open connection would count as silence."""
RECORD_ITEMS = ("state", "switch", "lease", "lock")


class _LateRead(Generic[Result]):
    """A read whose answer may arrive after its observation; the next observations then use it until it is too old."""

    def __init__(
        self, read: Callable[[], Result], *, threads: Threads, clock: Callable[[], datetime], valid_seconds: float
    ) -> None:
        self._read = read
        self._threads = threads
        self._clock = clock
        self._valid = timedelta(seconds=valid_seconds)
        self._call: Future[Result] | None = None
        self._asked_at = clock()
        self._late: tuple[datetime, Result] | None = None

    def start(self) -> "Future[Result]":
        """Start a call, unless the last one is still in progress."""
        if self._call is not None and self._call.done():
            self._keep(self._call)
            self._call = None
        if self._call is None:
            self._asked_at = self._clock()
            self._call = self._threads.submit(self._read)
        return self._call

    def late_answer(self) -> Result | None:
        """Return the last answer that arrived late, unless it is too old."""
        if self._late is None or self._clock() - self._late[0] > self._valid:
            return None
        return self._late[1]

    def _keep(self, call: "Future[Result]") -> None:
        is_answer = not call.cancelled() and call.exception() is None
        self._late = (self._asked_at, call.result()) if is_answer else None


class Observer:
    """Reads all paths in parallel."""

    def __init__(
        self,
        *,
        config: ControllerConfig,
        health_checks: HealthChecks,
        rds: Rds,
        store: Store,
        threads: Threads,
        clock: Callable[[], datetime],
        stopwatch: Callable[[], float],
    ) -> None:
        self._config = config
        self._deadline = config.policy.observation_deadline_seconds
        self._health_checks = health_checks
        self._rds = rds
        self._store = store
        self._threads = threads
        self._clock = clock
        self._stopwatch = stopwatch
        late: dict[str, Any] = {
            "threads": threads,
            "clock": clock,
            "valid_seconds": config.policy.late_answer_seconds,
        }
        self._global_cluster = _LateRead(self._read_global_cluster, **late)
        self._own_cluster = _LateRead(lambda: read_own_cluster(rds.read_own_cluster()), **late)

    def observe(self, *, writer: Side, approval_id: str | None) -> Observation:
        """Return an observation; the last known `writer` determines the endpoints to probe."""
        at = self._clock()
        own_target, peer_target = self._targets(writer)
        probe_seconds = self._deadline * PROBE_SHARE_OF_DEADLINE
        local_seconds = min(probe_seconds, LOCAL_PROBE_SECONDS)
        start = self._threads.submit
        # Answers are parsed inside their calls, so an error affects its own path only.
        calls = (
            start(
                lambda: read_probes(
                    self._health_checks.ask_own(_request(own_target, peer_target, seconds=probe_seconds))
                )
            ),
            start(lambda: self._ask_peer(_request(peer_target, seconds=local_seconds))),
            self._global_cluster.start(),
            self._own_cluster.start(),
            start(lambda: self._store.read(approval_id)),
            start(self._rds.read_peer_cluster),
        )
        _wait_for(*calls, seconds=self._deadline)
        probes, peer, global_cluster, cluster, records, peer_rds = calls
        seen = Observation(at=at, records=_records(*self._outcome(records)))
        seen = _with_rds(
            seen,
            *self._late_outcome(global_cluster, self._global_cluster),
            *self._late_outcome(cluster, self._own_cluster),
        )
        seen = self._with_probes(seen, *self._outcome(probes))
        _, rds_error = self._outcome(peer_rds)
        return self._with_peer(seen, *self._outcome(peer), rds_error, is_writer=writer is Side.PEER)

    def _ask_peer(self, request: Answer) -> tuple[dict[str, Probe], float]:
        started = self._stopwatch()
        answer = self._health_checks.ask_peer(request)
        return read_probes(answer), (self._stopwatch() - started) * 1000

    def _read_global_cluster(self) -> GlobalView:
        answer = self._rds.read_global_cluster()
        return read_global_cluster(answer, self._config.own.cluster_arn, self._config.peer.cluster_arn)

    def _outcome(self, call: "Future[Result]") -> tuple[Result | None, PortError | None]:
        """Return the result or the error of a call. An unexpected error becomes an unknown value."""
        if not call.done():
            if call.cancel():
                return None, UnusableError("call not started in time: too many earlier calls hang")
            return None, SilentError(f"no answer within {self._deadline:g} s")
        error = call.exception()
        if error is None:
            return call.result(), None
        if isinstance(error, PortError):
            return None, error
        if not isinstance(error, Exception):
            raise error
        return None, UnusableError(f"unexpected {type(error).__name__}: {error}")

    def _late_outcome(self, call: "Future[Result]", read: _LateRead[Result]) -> tuple[Result | None, PortError | None]:
        """Return the result or the error of a call, or the last late answer while it is in progress."""
        if not call.done() and (late := read.late_answer()) is not None:
            return late, None
        return self._outcome(call)

    def _targets(self, writer: Side) -> tuple[Answer, Answer]:
        """Return the targets: the writer's writer endpoint and the standby's reader endpoint."""
        own, peer = self._config.own, self._config.peer
        return (
            self._target(own, own.writer_host if writer is Side.OWN else own.reader_host),
            self._target(peer, peer.reader_host if writer is Side.OWN else peer.writer_host),
        )

    def _target(self, cluster: ControllerCluster, host: str) -> Answer:
        port = self._config.database_port
        return {"cluster": cluster.cluster_id, "region": cluster.region, "host": host, "port": port}

    def _with_probes(self, seen: Observation, probes: dict[str, Probe] | None, error: PortError | None) -> Observation:
        if probes is None:
            return replace(seen, own_function_failure=str(error), details=(*seen.details, f"own health_check: {error}"))
        own = probes.get(self._config.own.cluster_id, UNKNOWN_PROBE)
        peer = probes.get(self._config.peer.cluster_id, UNKNOWN_PROBE)
        return replace(
            seen,
            own_port=own.port,
            own_read_only=own.read_only,
            peer_port=peer.port,
            peer_port_refused=peer.refused,
            peer_read_only=peer.read_only,
            heartbeat=own.heartbeat,
            heartbeat_age_ms=own.heartbeat_age_ms,
            lag_ms=own.lag_ms,
            own_probe_ms=own.connect_ms,
            peer_probe_ms=peer.connect_ms,
            details=(*seen.details, *_failures(own=own, peer=peer)),
        )

    def _with_peer(
        self,
        seen: Observation,
        answer: tuple[dict[str, Probe], float] | None,
        error: PortError | None,
        rds_error: PortError | None,
        *,
        is_writer: bool,
    ) -> Observation:
        probes, elapsed_ms = (None, None) if answer is None else answer
        peer, detail = read_peer(probes, error, rds_error, self._config.peer.cluster_id, is_writer=is_writer)
        details = seen.details if detail is None else (*seen.details, f"other region: {detail}")
        return replace(seen, peer=peer, peer_function_ms=elapsed_ms, details=details)


def _request(*targets: Answer, seconds: float) -> Answer:
    return {"targets": list(targets), "deadline_ms": round(seconds * 1000)}


def _wait_for(*calls: "Future[Any]", seconds: float) -> None:
    wait(calls, timeout=seconds)


def _with_rds(
    seen: Observation,
    view: GlobalView | None,
    view_error: PortError | None,
    cluster: tuple[str | None, int | None] | None,
    cluster_error: PortError | None,
) -> Observation:
    """Add RDS's two descriptions; if one is missing, neither is used."""
    if view is None or cluster is None:
        failure = str(view_error or cluster_error)
        return replace(seen, rds_failure=failure, details=(*seen.details, f"own RDS API: {failure}"))
    status, instances = cluster
    return replace(
        seen,
        writer=view.writer,
        members=view.members,
        operation=view.operation,
        synchronization=view.synchronization,
        standby_status=status,
        standby_instances=instances,
    )


def _failures(**probes: Probe) -> tuple[str, ...]:
    return tuple(f"probe of {name} cluster: {probe.failure}" for name, probe in probes.items() if probe.failure)


def _records(records: Records | None, error: PortError | None) -> Records:
    if records is not None:
        return records
    return Records(failures=dict.fromkeys(RECORD_ITEMS, str(error)))
