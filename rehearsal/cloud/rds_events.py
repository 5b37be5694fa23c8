"""RDS's EventBridge events for failovers and switchovers, in each available region.

Events are best effort: an operation does not wait for its events, and a failed delivery does not change the operation.
Source: Monitoring Amazon Aurora events; Amazon RDS event categories and event messages for Aurora.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.cloud.global_cluster import ClusterMember, OperationKind, RdsOperation
from rehearsal.support.clients import BotoClients

SOURCE = "aws.rds"
DETAIL_TYPE = "RDS DB Cluster Event"
CATEGORY = "global failover"


class OperationPhase(StrEnum):
    """The phases of an operation that have events."""

    STARTED = "started"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


# AWS documents no event for the start of a failover. A cancelled failover is reported as failed.
EVENTS: dict[tuple[OperationKind, OperationPhase], tuple[str, str]] = {
    (OperationKind.SWITCHOVER, OperationPhase.STARTED): ("RDS-EVENT-0181", "Global switchover to {target} started."),
    (OperationKind.SWITCHOVER, OperationPhase.COMPLETED): ("RDS-EVENT-0185", "Global switchover to {target} finished."),
    (OperationKind.SWITCHOVER, OperationPhase.CANCELLED): (
        "RDS-EVENT-0186",
        "Global switchover to {target} is cancelled.",
    ),
    (OperationKind.FAILOVER, OperationPhase.COMPLETED): ("RDS-EVENT-0238", "Global failover to {target} completed."),
    (OperationKind.FAILOVER, OperationPhase.CANCELLED): ("RDS-EVENT-0239", "Global failover to {target} failed."),
}


@dataclass(frozen=True, kw_only=True)
class RdsEvent:
    """An event in one region; `at` is in seconds since the epoch, `error` is set if the delivery failed."""

    at: float
    region: str
    event_id: str
    message: str
    error: str | None = None


def rds_event(operation: RdsOperation, phase: OperationPhase) -> tuple[str, str] | None:
    """Return (EventID, message) for a phase of an operation; None if RDS has no event for it."""
    found = EVENTS.get((operation.kind, phase))
    if found is None:
        return None
    event_id, message = found
    target = operation.target
    return event_id, message.format(target=f"DB cluster {target.cluster_id} in Region {target.region}")


def event_entry(member: ClusterMember, event_id: str, message: str, at: float) -> dict[str, Any]:
    """Return the PutEvents entry for one member's RDS event. `at` is epoch seconds."""
    moment = datetime.fromtimestamp(at, UTC)
    detail = {
        "EventCategories": [CATEGORY],
        "SourceType": "CLUSTER",
        "SourceArn": member.arn,
        "Date": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "Message": message,
        "SourceIdentifier": member.cluster_id,
        "EventID": event_id,
    }
    return {
        "Time": moment,
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Resources": [member.arn],
        "Detail": json.dumps(detail),
    }


class RdsEvents:
    """Publishes events to EventBridge in each available region. `endpoint` returns ministack's URL once it runs."""

    def __init__(
        self, *, endpoint: Callable[[], str], is_failed: Callable[[str], bool], clock: Callable[[], float]
    ) -> None:
        self._endpoint = endpoint
        self._is_failed = is_failed
        self._clock = clock
        self._clients: BotoClients | None = None
        self._published: list[RdsEvent] = []

    @property
    def published(self) -> list[RdsEvent]:
        """All events so far, oldest first."""
        return list(self._published)

    async def publish(self, operation: RdsOperation, phase: OperationPhase) -> None:
        """Publish the event for a phase in the available regions of both clusters."""
        event = rds_event(operation, phase)
        if event is None:
            return
        if self._clients is None:
            self._clients = BotoClients(self._endpoint())
        # Read once: a region that is restored meanwhile was failed at the time of the event.
        available = [member for member in (operation.target, operation.source) if not self._is_failed(member.region)]
        for member in available:
            await asyncio.to_thread(self._put, self._clients, member, *event)

    def close(self) -> None:
        """Close the connections."""
        if self._clients is not None:
            self._clients.close()

    def _put(self, clients: BotoClients, member: ClusterMember, event_id: str, message: str) -> None:
        at, error = self._clock(), None
        try:
            response = clients("events", member.region).put_events(Entries=[event_entry(member, event_id, message, at)])
            if response["FailedEntryCount"]:
                error = str(response["Entries"])
        except (ClientError, BotoCoreError, ValueError) as failure:  # ValueError: ministack has no URL yet
            error = str(failure)
        self._published.append(RdsEvent(at=at, region=member.region, event_id=event_id, message=message, error=error))
