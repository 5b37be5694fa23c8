"""What RDS tells EventBridge of a failover or switchover, in each region that lives.

Owns: which event belongs to which moment, its form, and handing it to the emulator's EventBridge. Does not own: the rules
that match it and their targets (the program's), or when an operation starts and ends (operation_runner.py).
Invariant: nobody waits for an event, and one that can't be delivered changes nothing: RDS emits them on a best effort basis.
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
    """What has become of an operation."""

    STARTED = "started"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


# AWS documents no event for the start of a failover, and for one that does not come about that it failed.
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
    """An event that RDS told of in one region; `at` is in seconds since the epoch, `error` is why it did not arrive."""

    at: float
    region: str
    event_id: str
    message: str
    error: str | None = None


def event_of(operation: RdsOperation, moment: OperationPhase) -> tuple[str, str] | None:
    """Return (EventID, message) of a moment of an operation; None when RDS has none."""
    found = EVENTS.get((operation.kind, moment))
    if found is None:
        return None
    event_id, message = found
    target = operation.target
    return event_id, message.format(target=f"DB cluster {target.cluster_id} in Region {target.region}")


def event_entry(member: ClusterMember, event_id: str, message: str, at: float) -> dict[str, Any]:
    """Return the event of one region's cluster as an entry of PutEvents; `at` is in seconds since the epoch."""
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
    """Tells EventBridge in every region that lives. `endpoint` gives the emulator's URL, once it runs."""

    def __init__(
        self, *, endpoint: Callable[[], str], is_dark: Callable[[str], bool], clock: Callable[[], float]
    ) -> None:
        self._endpoint = endpoint
        self._is_dark = is_dark
        self._clock = clock
        self._clients: BotoClients | None = None
        self._told: list[RdsEvent] = []

    @property
    def notified(self) -> list[RdsEvent]:
        """Every event so far, oldest first."""
        return list(self._told)

    async def tell(self, operation: RdsOperation, moment: OperationPhase) -> None:
        """Tell of a moment of an operation, in the regions of both clusters, so far as they live."""
        event = event_of(operation, moment)
        if event is None:
            return
        if self._clients is None:
            self._clients = BotoClients(self._endpoint())
        # Who lives is asked once: a region that comes back while the others are told was dark at that moment.
        living = [member for member in (operation.target, operation.source) if not self._is_dark(member.region)]
        for member in living:
            await asyncio.to_thread(self._put, self._clients, member, *event)

    def close(self) -> None:
        """Close the connections."""
        if self._clients is not None:
            self._clients.close()

    def _put(self, clients: BotoClients, member: ClusterMember, event_id: str, message: str) -> None:
        at, error = self._clock(), None
        try:
            answer = clients("events", member.region).put_events(Entries=[event_entry(member, event_id, message, at)])
            if answer["FailedEntryCount"]:
                error = str(answer["Entries"])
        except (ClientError, BotoCoreError, ValueError) as failure:  # ValueError: the emulator has no URL yet
            error = str(failure)
        self._told.append(RdsEvent(at=at, region=member.region, event_id=event_id, message=message, error=error))
