"""One observation: every path asked at once, each under the same deadline.

Owns who is asked what, and what a missing answer means. Does not judge (`decide.py`). Invariant: it returns within
the deadline, whatever hangs; an answer that came too late is silence, a call that never got a thread is unknown.
"""

from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from .config import Place, Settings
from .model import Observation, Records, Side
from .parsing import UNKNOWN_PROBE, GlobalView, Probe, judge_peer, read_global_cluster, read_own_cluster, read_probes
from .ports import Answer, HealthChecks, PortError, Rds, SilentError, Store, Threads, UnusableError

Result = TypeVar("Result")
PROBE_SHARE_OF_DEADLINE = 0.7
"""Of a path's deadline, what health_check may spend on a probe; the rest is for the invocation itself."""
LOCAL_PROBE_SECONDS = 1.5
"""What the other region's health_check may spend at most: its writer is beside it, so that one silent for so long hangs. The
answer that says so still has to cross the ocean: a new connection, TLS and the request are four round trips, for which 1.5 s are
left. Came it too late, a writer that Aurora is about to heal would be a region that fell silent, for which there is no grace."""
RECORD_ITEMS = ("state", "switch", "lease", "lock")


class Observer:
    """Looks once, by all paths in parallel."""

    def __init__(
        self,
        *,
        settings: Settings,
        health_checks: HealthChecks,
        rds: Rds,
        store: Store,
        threads: Threads,
        clock: Callable[[], datetime],
        stopwatch: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._deadline = settings.policy.observation_deadline_seconds
        self._health_checks = health_checks
        self._rds = rds
        self._store = store
        self._threads = threads
        self._clock = clock
        self._stopwatch = stopwatch

    def observe(self, *, writer: Side, approval_id: str | None) -> Observation:
        """Return what can be seen now; `writer` is the last known one, and tells which endpoints to probe."""
        at = self._clock()
        own, peer = self._targets(writer)
        probe_seconds = self._deadline * PROBE_SHARE_OF_DEADLINE
        local_seconds = min(probe_seconds, LOCAL_PROBE_SECONDS)
        start = self._threads.submit
        # Each answer is read inside its call, so that whatever a path gives away spoils that path alone.
        calls = (
            start(lambda: read_probes(self._health_checks.ask_own(_request(own, peer, seconds=probe_seconds)))),
            start(lambda: self._ask_peer(_request(peer, seconds=local_seconds))),
            start(self._read_global_cluster),
            start(lambda: read_own_cluster(self._rds.read_own_cluster())),
            start(lambda: self._store.read(approval_id)),
        )
        _wait_for(*calls, seconds=self._deadline)
        probes, answer, world, cluster, records = calls
        seen = Observation(at=at, records=_records(*self._outcome(records)))
        seen = _with_rds(seen, *self._outcome(world), *self._outcome(cluster))
        seen = self._with_probes(seen, *self._outcome(probes))
        return self._with_peer(seen, *self._outcome(answer), is_writer=writer is Side.PEER)

    def _ask_peer(self, request: Answer) -> tuple[dict[str, Probe], float]:
        started = self._stopwatch()
        answer = self._health_checks.ask_peer(request)
        return read_probes(answer), (self._stopwatch() - started) * 1000

    def _read_global_cluster(self) -> GlobalView:
        answer = self._rds.read_global_cluster()
        return read_global_cluster(answer, self._settings.own.cluster_arn, self._settings.peer.cluster_arn)

    def _outcome(self, call: "Future[Result]") -> tuple[Result | None, PortError | None]:
        """The answer, or the error that stands for it. An unexpected error must not end the watch: it is an unknown."""
        if not call.done():
            if call.cancel():
                return None, UnusableError("not started in time: too many calls of ours hang")
            return None, SilentError(f"no answer within {self._deadline:g} s")
        error = call.exception()
        if error is None:
            return call.result(), None
        if isinstance(error, PortError):
            return None, error
        if not isinstance(error, Exception):
            raise error
        return None, UnusableError(f"unexpected {type(error).__name__}: {error}")

    def _targets(self, writer: Side) -> tuple[Answer, Answer]:
        """The writer is probed at its writer endpoint, the standby at its reader endpoint."""
        own, peer = self._settings.own, self._settings.peer
        return (
            self._target(own, own.writer_host if writer is Side.OWN else own.reader_host),
            self._target(peer, peer.reader_host if writer is Side.OWN else peer.writer_host),
        )

    def _target(self, place: Place, host: str) -> Answer:
        port = self._settings.database_port
        return {"cluster": place.cluster_id, "region": place.region, "host": host, "port": port}

    def _with_probes(self, seen: Observation, probes: dict[str, Probe] | None, error: PortError | None) -> Observation:
        if probes is None:
            return replace(seen, own_function_failure=str(error), details=(*seen.details, f"own health_check: {error}"))
        own = probes.get(self._settings.own.cluster_id, UNKNOWN_PROBE)
        peer = probes.get(self._settings.peer.cluster_id, UNKNOWN_PROBE)
        return replace(
            seen,
            own_port=own.port,
            own_read_only=own.read_only,
            peer_port=peer.port,
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
        timed: tuple[dict[str, Probe], float] | None,
        error: PortError | None,
        *,
        is_writer: bool,
    ) -> Observation:
        probes, elapsed_ms = (None, None) if timed is None else timed
        peer, detail = judge_peer(probes, error, self._settings.peer.cluster_id, is_writer=is_writer)
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
    """Both descriptions or none: half of what RDS says is no ground to stand on."""
    if view is None or cluster is None:
        failure = str(view_error or cluster_error)
        return replace(seen, rds_failure=failure, details=(*seen.details, f"own RDS API: {failure}"))
    status, instances = cluster
    return replace(
        seen,
        writer=view.writer,
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
