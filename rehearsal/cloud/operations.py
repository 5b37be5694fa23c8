"""The course of failovers and switchovers in time: accepted, pending, under way, done or cancelled.

Owns: which operation is under way, when the databases change roles, a record of every call and every operation, and when
RDS tells of one. Does not own: the rules (global_operations.py), the databases (stand_ins.py), what RDS tells (rds_events.py)
or HTTP (control_plane.py).
Invariant: an operation ends, and only when it has ended is the next one accepted. Runs in one event loop; `calls` and
`records` may be read from any thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol

from rehearsal.aurora.global_database import FailoverOutcome, OperationRefusedError
from rehearsal.cloud.global_cluster import (
    PENDING_SHARE,
    GlobalClusterView,
    OperationKind,
    OperationRequest,
    RdsOperation,
    RdsRefusal,
    check,
)
from rehearsal.cloud.rds_events import OperationPhase

Permit = Callable[[GlobalClusterView], Awaitable[None]]
"""Raises RdsRefusal when the caller may not do it to a global cluster and its members."""


@dataclass(frozen=True, kw_only=True)
class OperationCall:
    """A call to FailoverGlobalCluster or SwitchoverGlobalCluster; `at` is its arrival, in seconds since the epoch."""

    at: float
    region: str
    operation: OperationKind
    target: str
    accepted: bool
    error: str | None


@dataclass(frozen=True, kw_only=True)
class OperationRecord:
    """An operation that has ended; `finished_at` is seconds since the epoch. A failover that was done has an outcome."""

    operation: RdsOperation
    finished_at: float
    cancelled: bool
    outcome: FailoverOutcome | None
    error: str | None = None


class ClusterDatabases(Protocol):
    """What an operation does to the databases (stand_ins.StandIns); all of it blocks, briefly."""

    def begin(self, operation: RdsOperation) -> None:
        """Do what happens at once. Raises OperationRefusedError."""
        ...

    def finish(self, operation: RdsOperation) -> FailoverOutcome | None:
        """Change the roles. Raises OperationRefusedError."""
        ...

    def cancel(self, operation: RdsOperation) -> None:
        """Undo `begin`."""
        ...


class GlobalOperations:
    """Accepts operations and runs them.

    Args:
        look_up: describes the global cluster of a request. Raises RdsRefusal.
        agree: makes the API's metadata say what the databases are; returns what went wrong with that, or None.
        tell: lets RDS tell of what becomes of an operation; nobody waits for it.
        databases: whose roles change.
        clock: seconds since the epoch.
        operation_seconds: how long an operation takes; may be set at any time, for those accepted afterwards.
    """

    def __init__(
        self,
        *,
        look_up: Callable[[OperationRequest], Awaitable[GlobalClusterView]],
        agree: Callable[[RdsOperation], Awaitable[str | None]],
        tell: Callable[[RdsOperation, OperationPhase], Coroutine[None, None, None]],
        databases: ClusterDatabases,
        clock: Callable[[], float],
        operation_seconds: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.operation_seconds = operation_seconds
        self._look_up = look_up
        self._agree = agree
        self._tell = tell
        self._databases = databases
        self._clock = clock
        self._sleep = sleep
        self._under_way: dict[str, RdsOperation] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: list[OperationCall] = []
        self._records: list[OperationRecord] = []

    @property
    def calls(self) -> list[OperationCall]:
        """Every call that was answered so far, in the order in which they arrived."""
        return sorted(self._calls, key=lambda call: call.at)

    @property
    def records(self) -> list[OperationRecord]:
        """Every operation that has ended, oldest first."""
        return list(self._records)

    @property
    def is_idle(self) -> bool:
        """Whether no operation runs and nothing is left to be told of one."""
        return not self._tasks

    def under_way(self, global_cluster_id: str) -> RdsOperation | None:
        """Return the operation that a global cluster has under way."""
        return self._under_way.get(global_cluster_id)

    def abandon(self) -> None:
        """Let go of what is under way: the rehearsal ends."""
        for task in self._tasks:
            task.cancel()

    async def accept(self, request: OperationRequest, *, permit: Permit | None = None) -> RdsOperation:
        """Start an operation that is permitted. Raises RdsRefusal; either way the call is recorded."""
        arrived_at = self._clock()
        try:
            operation = await self._accept(request, permit)
        except RdsRefusal as refusal:
            self._note(request, arrived_at, error=refusal.code)
            raise
        self._note(request, arrived_at, error=None)
        self._start(self._run(operation))
        return operation

    def _start(self, course: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(course)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, request: OperationRequest, permit: Permit | None) -> RdsOperation:
        view = await self._look_up(request)
        if permit is not None:
            await permit(view)
        # Nothing is awaited from here until the operation is noted: two calls at once can't both be accepted.
        source, target = check(request, view, self._under_way.get(request.global_cluster_id))
        operation = RdsOperation(
            kind=request.kind,
            global_cluster_id=request.global_cluster_id,
            source=source,
            target=target,
            accepted_at=self._clock(),
            seconds=self.operation_seconds,
        )
        self._under_way[operation.global_cluster_id] = operation
        try:
            await asyncio.to_thread(self._databases.begin, operation)
        except OperationRefusedError as error:
            del self._under_way[operation.global_cluster_id]
            raise RdsRefusal("InvalidDBClusterStateFault", str(error)) from error
        return operation

    async def _run(self, operation: RdsOperation) -> None:
        outcome, cancelled, error = None, False, None
        # Told beside the operation, which waits for nobody.
        self._start(self._tell(operation, OperationPhase.STARTED))
        try:
            await self._sleep(operation.seconds)
            try:
                outcome = await asyncio.to_thread(self._databases.finish, operation)
            except OperationRefusedError as refused:
                cancelled, error = True, str(refused)
                await self._cancel(operation)
            else:
                error = await self._agree(operation)
        except asyncio.CancelledError:
            cancelled, error = True, "the rehearsal ended"
            raise
        finally:
            del self._under_way[operation.global_cluster_id]
            self._records.append(
                OperationRecord(
                    operation=operation, finished_at=self._clock(), cancelled=cancelled, outcome=outcome, error=error
                )
            )
        self._start(self._tell(operation, OperationPhase.CANCELLED if cancelled else OperationPhase.COMPLETED))

    async def _cancel(self, operation: RdsOperation) -> None:
        """Go back to what was before, which takes a while too."""
        self._under_way[operation.global_cluster_id] = operation.cancelled(self._clock())
        try:
            await asyncio.to_thread(self._databases.cancel, operation)
        except OperationRefusedError:
            # Its cluster was deleted meanwhile: there is nothing left to undo.
            return
        await self._sleep(PENDING_SHARE * operation.seconds)

    def _note(self, request: OperationRequest, arrived_at: float, *, error: str | None) -> None:
        self._calls.append(
            OperationCall(
                at=arrived_at,
                region=request.region,
                operation=request.kind,
                target=request.target,
                accepted=error is None,
                error=error,
            )
        )
