"""What the rehearsal sees by itself while drills are played: roles, DNS answers, calls, notices and cycles, with their times.

Owns: looking (several times a cycle) and the record of what changed. Does not own: judging it (drills.py), or drawing it (report.py).
Invariant: it only reads; nothing that it does reaches the functions. Times are seconds since the epoch.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.environment import Environment, RegionFacts
from rehearsal.report.model import EventKind, Role

LOOK_SECONDS = 0.05
DNS_LOOK_SECONDS = 0.2
METRIC_NAMESPACE = "AuroraFailover"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Something that happened, when (seconds since the epoch), and where."""

    at: float
    text: str
    kind: EventKind
    region: str | None = None
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message that people were sent by a controller."""

    at: float
    region: str
    reason: str
    action: str
    message: dict[str, Any]


class Audience(Protocol):
    """Who is told live of what is seen."""

    def saw(self, seen: Seen) -> None:
        """Something happened."""
        ...

    def role(self, cluster_id: str, region: str, role: Role) -> None:
        """A cluster's role changed."""
        ...

    def dns(self, name: str, region: str | None) -> None:
        """The writer's name answers another region."""
        ...


class Recorder:
    """Looks at the world from threads of its own until it is stopped; a drill reads the records.

    A look that the emulator is too busy to answer is noted, and the next one sees what it missed.
    """

    def __init__(self, world: Environment, audience: Audience, *, clock: Callable[[], float] = time.time) -> None:
        self._world = world
        self._audience = audience
        self._clock = clock
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._queues: dict[str, str] = {}
        self._calls_seen = 0
        self._failing_cycles: dict[str, int] = {}
        self.seen: list[Seen] = []
        self.roles: dict[str, list[tuple[float, Role]]] = {}
        self.takers: list[tuple[float, frozenset[str]]] = []
        """The ids of the clusters that took writes, by the data plane: when that changed, oldest first."""
        self.looks = 0
        self.dns: list[tuple[float, str | None]] = []
        self.dns_answers: list[tuple[float, str | None]] = []
        self.notices: list[Notice] = []

    def start(self) -> None:
        """Subscribe to what people are sent, and begin to look."""
        for region in self._world.regions:
            self._subscribe(region)
            self.roles[region.cluster_id] = []
        loops = [("roles", self._look_at_roles, LOOK_SECONDS), ("dns", self._look_at_dns, DNS_LOOK_SECONDS)]
        loops += [
            (f"controller-{region.name}", lambda region=region: self._look_at_controller(region), LOOK_SECONDS * 3)
            for region in self._world.regions
        ]
        for name, look, pause in loops:
            thread = threading.Thread(target=self._loop, args=(look, pause), name=f"watch-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def record(
        self, text: str, kind: EventKind, region: str | None = None, *, at: float | None = None, label: str = ""
    ) -> Seen:
        """Add something that the rehearsal itself did or met; `label` is the word beside its marker, else the kind."""
        seen = Seen(at=self._clock() if at is None else at, text=text, kind=kind, region=region, label=label)
        self.seen.append(seen)
        self._audience.saw(seen)
        return seen

    def cycles(self, region: RegionFacts, *, since: float) -> int:
        """How many cycles a region's controller has reported to CloudWatch since then."""
        return round(sum(self._datapoints(region, "Cycles", "Sum", since=since)))

    def metric(self, region: RegionFacts, name: str, statistic: str, *, since: float) -> float | None:
        """The Minimum or Maximum of a metric that a region's controller reported since then; None without data."""
        points = self._datapoints(region, name, statistic, since=since)
        return {"Minimum": min, "Maximum": max}[statistic](points, default=None)

    def _datapoints(self, region: RegionFacts, name: str, statistic: str, *, since: float) -> list[float]:
        answer = self._world.clients("cloudwatch", region.name).get_metric_statistics(
            Namespace=METRIC_NAMESPACE,
            MetricName=name,
            Dimensions=[{"Name": "GlobalCluster", "Value": self._world.global_cluster_id}],
            StartTime=datetime.fromtimestamp(since, UTC),
            EndTime=datetime.fromtimestamp(self._clock() + 1, UTC),
            Period=1,
            Statistics=[statistic],
        )
        return [point[statistic] for point in answer["Datapoints"] if point["Timestamp"].timestamp() >= since]

    def state(self, region: RegionFacts) -> dict[str, Any]:
        """The state that a region's controller keeps in its table; empty before its first cycle."""
        return self.item(region, "state")

    def item(self, region: RegionFacts, name: str) -> dict[str, Any]:
        """The current item of that name in a region's table, as plain values; empty when there is none."""
        item = (
            self._world.clients("dynamodb", region.name)
            .get_item(
                TableName=region.table_name,
                Key={"item": {"S": name}, "sort": {"S": "current"}},
                ConsistentRead=True,
            )
            .get("Item", {})
        )
        return {attribute: TypeDeserializer().deserialize(value) for attribute, value in item.items()}

    def notices_since(self, at: float, *, region: str | None = None) -> list[Notice]:
        """The notices that arrived since then, from one region or from both."""
        return [one for one in tuple(self.notices) if one.at >= at and region in (None, one.region)]

    def _loop(self, look: Callable[[], None], pause: float) -> None:
        while not self._stop.is_set():
            try:
                look()
            except (ClientError, BotoCoreError) as error:
                if not self._stop.is_set():
                    self.record(f"the rehearsal could not look: {error}", EventKind.NOTE)
            self._stop.wait(pause)

    def _look_at_roles(self) -> None:
        self._look_at_takers()
        dark = self._world.network.failed_regions
        for region in self._world.regions:
            cluster = self._world.cluster(region)
            role = Role.DARK if region.name in dark else Role.WRITER if cluster.is_writer else Role.STANDBY
            changes = self.roles[region.cluster_id]
            if changes and changes[-1][1] is role:
                continue
            previous = changes[-1][1] if changes else None
            lit = next((one for _at, one in reversed(changes) if one is not Role.DARK), None)
            now = self._clock()
            changes.append((now, role))
            self._audience.role(region.cluster_id, region.name, role)
            if previous is Role.DARK and role is lit is Role.WRITER:
                self.record(f"{region.cluster_id} is back, still the writer", EventKind.REJOIN, region.name, at=now)
            elif previous is not None and role is Role.WRITER:
                self.record(f"{region.cluster_id} is the writer", EventKind.PROMOTION, region.name, at=now)
            elif previous is Role.DARK and role is Role.STANDBY:
                self.record(f"{region.cluster_id} is back, as a reader", EventKind.REJOIN, region.name, at=now)
        self._look_at_calls()

    def _look_at_takers(self) -> None:
        """Which clusters take writes: asked of all at one moment, under the data plane's own lock."""
        database = self._world.database
        with database.locked():
            taking = frozenset(one.id for one in database.clusters if one.running and not one.read_only)
        self.looks += 1
        if not self.takers or self.takers[-1][1] != taking:
            self.takers.append((self._clock(), taking))

    def _look_at_calls(self) -> None:
        calls = self._world.control_plane.calls
        for call in calls[self._calls_seen :]:
            outcome = "accepted" if call.accepted else f"refused: {call.error}"
            cluster_id = call.target.rsplit(":", 1)[-1]
            kind = EventKind.CALL if call.accepted else EventKind.REFUSED
            self.record(f"{call.operation} to {cluster_id} {outcome}", kind, call.region, at=call.at)
        self._calls_seen = len(calls)

    def _look_at_dns(self) -> None:
        answer = self._world.ask_dns(self._world.writer_name, from_region=self._world.client_region)
        region = self._world.region_behind(answer.values[0].rstrip(".")) if answer.values else None
        now = self._clock()
        self.dns_answers.append((now, region))
        if not self.dns or self.dns[-1][1] != region:
            known = bool(self.dns)
            self.dns.append((now, region))
            self._audience.dns(self._world.writer_name, region)
            if known:
                self.record(f"{self._world.writer_name} answers {region or 'nothing'}", EventKind.DNS, region, at=now)

    def _look_at_controller(self, region: RegionFacts) -> None:
        """Its notices and the failing cycles that it counts."""
        self._receive_notices(region)
        self._look_at_failing_cycles(region)

    def _look_at_failing_cycles(self, region: RegionFacts) -> None:
        cycles = int(self.state(region).get("dead_cycles", 0))
        if cycles > self._failing_cycles.get(region.name, 0):
            self.record(f"failing cycle {cycles}: the writer's port is dead", EventKind.VERDICT, region.name)
        self._failing_cycles[region.name] = cycles

    def _subscribe(self, region: RegionFacts) -> None:
        queues = self._world.clients("sqs", region.name)
        url = queues.create_queue(QueueName="rehearsal-person")["QueueUrl"]
        arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": region.topic_arn}},
            },
        }
        queues.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        self._world.clients("sns", region.name).subscribe(TopicArn=region.topic_arn, Protocol="sqs", Endpoint=arn)
        self._queues[region.name] = url

    def _receive_notices(self, region: RegionFacts) -> None:
        queues, url = self._world.clients("sqs", region.name), self._queues[region.name]
        for message in queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            self._take_notice(region, json.loads(message["Body"])["Message"])

    def _take_notice(self, region: RegionFacts, text: str) -> None:
        message: dict[str, Any]
        try:
            message = json.loads(text)
        except json.JSONDecodeError:
            message = {"reason": text.splitlines()[0] if text else ""}
        if "AlarmName" in message:
            self.record(
                f"alarm {message['AlarmName']} is {message.get('NewStateValue')}", EventKind.NOTICE, region.name
            )
            return
        if message.get("source") == "aws.rds":
            detail = message.get("detail", {})
            self.record(f"RDS says {detail.get('EventID')}: {detail.get('Message')}", EventKind.NOTICE, region.name)
            return
        notice = Notice(
            at=self._clock(),
            region=region.name,
            reason=str(message.get("reason", "")),
            action=str(message.get("action", "")),
            message=message,
        )
        self.notices.append(notice)
        self.record(f"people are told: {notice.reason}", EventKind.NOTICE, region.name, at=notice.at)
