"""Runs failovers and switchovers over time, and records every call and operation.

A global cluster has one operation at a time. Everything runs in one event loop; `calls` and `records` may be read from any
thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol

from rehearsal.aurora.global_database import FailoverOutcome, ReplicationRefusedError
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
"""Raises RdsRefusal if the caller lacks permission on the global cluster or a member."""


@dataclass(frozen=True, kw_only=True)
class OperationCall:
    """A call to FailoverGlobalCluster or SwitchoverGlobalCluster; `at` is its arrival in seconds since the epoch."""

    at: float
    region: str
    operation: OperationKind
    target: str
    accepted: bool
    error: str | None


@dataclass(frozen=True, kw_only=True)
class OperationRecord:
    """An ended operation; `finished_at` is in seconds since the epoch. A completed failover has an outcome."""

    operation: RdsOperation
    finished_at: float
    cancelled: bool
    outcome: FailoverOutcome | None
    error: str | None = None


class ClusterDatabases(Protocol):
    """Interface by which an operation changes the databases (`databases.Databases`). Each method blocks briefly."""

    def begin(self, operation: RdsOperation) -> None:
        """Start the operation. Raises ReplicationRefusedError."""
        ...

    def finish(self, operation: RdsOperation) -> FailoverOutcome | None:
        """Change the roles. Raises ReplicationRefusedError."""
        ...

    def cancel(self, operation: RdsOperation) -> None:
        """Cancel the operation: undo the changes of `begin`."""
        ...


class GlobalOperations:
    """Checks and runs operations.

    Args:
        describe: returns the global cluster of a request. Raises RdsRefusal.
        update_metadata: sets the roles in the API's metadata; returns the error message if that fails.
        publish: publishes the event of a phase; runs in parallel with the operation.
        databases: the databases whose roles change.
        clock: seconds since the epoch.
        operation_seconds: the duration of operations that are accepted from now on; may be set at any time.
    """

    def __init__(
        self,
        *,
        describe: Callable[[OperationRequest], Awaitable[GlobalClusterView]],
        update_metadata: Callable[[RdsOperation], Awaitable[str | None]],
        publish: Callable[[RdsOperation, OperationPhase], Coroutine[None, None, None]],
        databases: ClusterDatabases,
        clock: Callable[[], float],
        operation_seconds: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.operation_seconds = operation_seconds
        self._describe = describe
        self._update_metadata = update_metadata
        self._publish = publish
        self._databases = databases
        self._clock = clock
        self._sleep = sleep
        self._in_progress: dict[str, RdsOperation] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._calls: list[OperationCall] = []
        self._records: list[OperationRecord] = []

    @property
    def calls(self) -> list[OperationCall]:
        """All calls with a response, in the order of arrival."""
        return sorted(self._calls, key=lambda call: call.at)

    @property
    def records(self) -> list[OperationRecord]:
        """All ended operations, oldest first."""
        return list(self._records)

    @property
    def is_idle(self) -> bool:
        """Whether no operation runs and no event is pending."""
        return not self._tasks

    def in_progress(self, global_cluster_id: str) -> RdsOperation | None:
        """Return the operation in progress of a global cluster."""
        return self._in_progress.get(global_cluster_id)

    def abandon(self) -> None:
        """Cancel all tasks when the rehearsal ends."""
        for task in self._tasks:
            task.cancel()

    async def accept(self, request: OperationRequest, *, permit: Permit | None = None) -> RdsOperation:
        """Check the permission, start an operation, and record the call. Raises RdsRefusal."""
        arrived_at = self._clock()
        try:
            operation = await self._accept(request, permit)
        except RdsRefusal as refusal:
            self._note(request, arrived_at, error=refusal.code)
            raise
        self._note(request, arrived_at, error=None)
        self._start(self._run(operation))
        return operation

    def _start(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, request: OperationRequest, permit: Permit | None) -> RdsOperation:
        view = await self._describe(request)
        if permit is not None:
            await permit(view)
        # No await between the check and the assignment: of two simultaneous calls only one is accepted.
        source, target = check(request, view, self._in_progress.get(request.global_cluster_id))
        operation = RdsOperation(
            kind=request.kind,
            global_cluster_id=request.global_cluster_id,
            source=source,
            target=target,
            accepted_at=self._clock(),
            seconds=self.operation_seconds,
        )
        self._in_progress[operation.global_cluster_id] = operation
        try:
            await asyncio.to_thread(self._databases.begin, operation)
        except ReplicationRefusedError as error:
            del self._in_progress[operation.global_cluster_id]
            raise RdsRefusal("InvalidDBClusterStateFault", str(error)) from error
        return operation

    async def _run(self, operation: RdsOperation) -> None:
        outcome, cancelled, error = None, False, None
        self._start(self._publish(operation, OperationPhase.STARTED))
        try:
            await self._sleep(operation.seconds)
            try:
                outcome = await asyncio.to_thread(self._databases.finish, operation)
            except ReplicationRefusedError as refused:
                cancelled, error = True, str(refused)
                await self._cancel(operation)
            else:
                error = await self._update_metadata(operation)
        except asyncio.CancelledError:
            cancelled, error = True, "the rehearsal ended"
            raise
        finally:
            del self._in_progress[operation.global_cluster_id]
            self._records.append(
                OperationRecord(
                    operation=operation, finished_at=self._clock(), cancelled=cancelled, outcome=outcome, error=error
                )
            )
        self._start(self._publish(operation, OperationPhase.CANCELLED if cancelled else OperationPhase.COMPLETED))

    async def _cancel(self, operation: RdsOperation) -> None:
        """Restore the roles, which also takes time."""
        self._in_progress[operation.global_cluster_id] = operation.cancelled(self._clock())
        try:
            await asyncio.to_thread(self._databases.cancel, operation)
        except ReplicationRefusedError:
            # The cluster was deleted meanwhile.
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
