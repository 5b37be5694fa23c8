"""Recorder of what happens during the drills: roles, DNS answers, failover calls, notices and cycles.

The recorder only reads, apart from the SQS queues that receive the notices. Times are seconds since the epoch.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.aurora.global_database import Cluster
from rehearsal.environment import Environment, RegionFacts
from rehearsal.report.model import EventKind, Role

POLL_SECONDS = 0.1
DNS_POLL_SECONDS = 0.2
REPORT_DELAY_SECONDS = 0.5
"""Delay of the report of an event: longer than any poll, so that events are reported in the order of their times."""
NOTICE_WAIT_SECONDS = 2
"""The duration of one long poll for notices; whole seconds, as SQS requires."""
METRIC_NAMESPACE = "AuroraFailover"


@dataclass(frozen=True, kw_only=True)
class RecordedEvent:
    """An event with its time and region."""

    at: float
    text: str
    kind: EventKind
    region: str | None = None
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class SentNotice:
    """One message that a controller sent to its topic's subscribers."""

    at: float
    region: str
    reason: str
    action: str
    message: dict[str, Any]


class Recorder:
    """Polls the environment from its own threads until it is stopped.

    A poll that fails is recorded as an event, and polling continues. The callbacks receive events in the order of their times,
    and roles (cluster id, region, role) and answers for the writer's name (name, region) as they happen.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        on_event: Callable[[RecordedEvent], None],
        on_role: Callable[[str, str, Role], None],
        on_dns: Callable[[str, str | None], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._environment = environment
        self._on_event = on_event
        self._on_role = on_role
        self._on_dns = on_dns
        self._clock = clock
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._queues: dict[str, str] = {}
        self._calls_recorded = 0
        self._failing_cycles: dict[str, int] = {}
        self._table_writes: dict[str, int] = {}
        self._unreported: list[RecordedEvent] = []
        self._reporting = threading.Lock()
        self._cycle_starts: dict[str, list[float]] = defaultdict(list)
        self.events: list[RecordedEvent] = []
        self.roles: dict[str, list[tuple[float, Role]]] = {}
        self.writable_clusters: list[tuple[float, frozenset[str]]] = []
        """Ids of the clusters that accept writes, at each change, oldest first."""
        self.samples = 0
        self.dns: list[tuple[float, str | None]] = []
        self.dns_answers: list[tuple[float, str | None]] = []
        self.notices: list[SentNotice] = []

    def start(self) -> None:
        """Subscribe to both topics and start polling."""
        for region in self._environment.regions:
            self._subscribe(region)
            self.roles[region.cluster_id] = []
        loops = [
            ("roles", self._poll_roles, POLL_SECONDS),
            ("dns", self._poll_dns, DNS_POLL_SECONDS),
            ("report", self._report_settled, POLL_SECONDS),
        ]
        for region in self._environment.regions:
            loops += [
                (f"state-{region.name}", partial(self._poll_failing_cycles, region), POLL_SECONDS),
                (f"notices-{region.name}", partial(self._receive_notices, region), 0.0),
            ]
        for name, poll, pause_seconds in loops:
            thread = threading.Thread(
                target=self._loop, args=(poll, pause_seconds), name=f"recorder-{name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop polling, and delete the queues: destroying the stack must leave nothing."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)
        for region, url in self._queues.items():
            try:
                self._environment.clients("sqs", region).delete_queue(QueueUrl=url)
            except (ClientError, BotoCoreError) as error:
                self.record(f"the recorder could not delete its queue: {error}", EventKind.NOTE, region)

    def record(
        self, text: str, kind: EventKind, region: str | None = None, *, at: float | None = None, label: str = ""
    ) -> None:
        """Add an event; `label` replaces the kind beside its marker."""
        event = RecordedEvent(at=self._clock() if at is None else at, text=text, kind=kind, region=region, label=label)
        self.events.append(event)
        with self._reporting:
            self._unreported.append(event)

    def flush(self) -> None:
        """Report all recorded events in the order of their times."""
        self._report_until(float("inf"))

    def _report_settled(self) -> None:
        self._report_until(self._clock() - REPORT_DELAY_SECONDS)

    def _report_until(self, until: float) -> None:
        with self._reporting:
            self._unreported.sort(key=lambda event: event.at)
            while self._unreported and self._unreported[0].at <= until:
                self._on_event(self._unreported.pop(0))

    def cycles(self, region: RegionFacts, *, since: float) -> int:
        """Return how many cycles a region's controller has reported to CloudWatch since a moment."""
        return round(sum(self.values(region, "Cycles", "Sum", since=since)))

    def unanswered_probes(self, region: RegionFacts, *, since: float) -> int:
        """Return how many cycles of a region's controller had no answer of the probe of its own cluster since a moment."""
        answered = sum(self.values(region, "OwnProbeLatency", "SampleCount", since=since))
        return max(0, self.cycles(region, since=since) - round(answered))

    def metric(self, region: RegionFacts, name: str, statistic: str, *, since: float) -> float | None:
        """Return the Minimum or Maximum of a controller's metric since a moment; None without data."""
        points = self.values(region, name, statistic, since=since)
        return {"Minimum": min, "Maximum": max}[statistic](points, default=None)

    def values(self, region: RegionFacts, name: str, statistic: str, *, since: float) -> list[float]:
        """Return a statistic of a controller's metric for each second with data since a moment."""
        answer = self._environment.clients("cloudwatch", region.name).get_metric_statistics(
            Namespace=METRIC_NAMESPACE,
            MetricName=name,
            Dimensions=[{"Name": "GlobalCluster", "Value": self._environment.global_cluster_id}],
            StartTime=datetime.fromtimestamp(since, UTC),
            EndTime=datetime.fromtimestamp(self._clock() + 1, UTC),
            Period=1,
            Statistics=[statistic],
        )
        return [point[statistic] for point in answer["Datapoints"] if point["Timestamp"].timestamp() >= since]

    def state(self, region: RegionFacts) -> dict[str, Any]:
        """Return the state item of a region's controller; empty before its first cycle."""
        return self.item(region, "state")

    def item(self, region: RegionFacts, name: str) -> dict[str, Any]:
        """Return the current item of that name in a region's table as plain values; empty if there is none."""
        item = (
            self._environment.clients("dynamodb", region.name)
            .get_item(
                TableName=region.table_name,
                Key={"item": {"S": name}, "sort": {"S": "current"}},
                ConsistentRead=True,
            )
            .get("Item", {})
        )
        return {attribute: TypeDeserializer().deserialize(value) for attribute, value in item.items()}

    def promoted_at(self, region: RegionFacts) -> float | None:
        """Return since when a region's cluster is the writer, in seconds since the epoch; None if it is not."""
        at, role = self.roles[region.cluster_id][-1]
        return at if role is Role.WRITER else None

    def pending_notices(self, region: RegionFacts) -> int:
        """Return how many messages of a region's topic are delivered but not recorded yet."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._environment.clients("sqs", region.name).get_queue_attributes(
            QueueUrl=self._queues[region.name], AttributeNames=names
        )["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def cycle_starts(self, region: RegionFacts, *, since: float, until: float) -> list[float]:
        """Return the starts of a controller's cycles between two moments, in seconds since the epoch."""
        return [at for at in tuple(self._cycle_starts[region.name]) if since <= at <= until]

    def notices_since(self, at: float, *, region: str | None = None) -> list[SentNotice]:
        """Return the notices received since a moment, from one region or both."""
        return [one for one in tuple(self.notices) if one.at >= at and region in (None, one.region)]

    def _loop(self, poll: Callable[[], None], pause_seconds: float) -> None:
        while not self._stop.is_set():
            try:
                poll()
            except (ClientError, BotoCoreError) as error:
                if not self._stop.is_set():
                    self.record(f"the recorder could not poll: {error}", EventKind.NOTE)
            self._stop.wait(pause_seconds)

    def _poll_roles(self) -> None:
        self._poll_writable_clusters()
        unreachable = self._environment.network.failed_regions
        for region in self._environment.regions:
            role = _role(self._environment.find_cluster(region), is_unreachable=region.name in unreachable)
            changes = self.roles[region.cluster_id]
            if changes and changes[-1][1] is role:
                continue
            previous = changes[-1][1] if changes else None
            last_role = next((one for _at, one in reversed(changes) if one is not Role.UNREACHABLE), None)
            now = self._clock()
            changes.append((now, role))
            self._on_role(region.cluster_id, region.name, role)
            if previous is Role.UNREACHABLE and role is last_role is Role.WRITER:
                self.record(
                    f"{region.cluster_id} is reachable again and still the writer",
                    EventKind.REJOIN,
                    region.name,
                    at=now,
                )
            elif previous is not None and role is Role.WRITER:
                self.record(f"{region.cluster_id} is the writer", EventKind.PROMOTION, region.name, at=now)
            elif previous is Role.UNREACHABLE and role is Role.STANDBY:
                self.record(f"{region.cluster_id} has rejoined as a reader", EventKind.REJOIN, region.name, at=now)
        self._poll_calls()

    def _poll_writable_clusters(self) -> None:
        """Record which clusters accept writes, read at one moment under the data planes' locks."""
        with ExitStack() as stack:
            databases = self._environment.databases
            for database in databases:
                stack.enter_context(database.locked())
            clusters = [one for database in databases for one in database.clusters]
            writable = frozenset(one.id for one in clusters if one.running and not one.read_only)
        self.samples += 1
        if not self.writable_clusters or self.writable_clusters[-1][1] != writable:
            self.writable_clusters.append((self._clock(), writable))

    def _poll_calls(self) -> None:
        calls = self._environment.control_plane.calls
        for call in calls[self._calls_recorded :]:
            outcome = "accepted" if call.accepted else f"refused: {call.error}"
            cluster_id = call.target.rsplit(":", 1)[-1]
            kind = EventKind.CALL if call.accepted else EventKind.REFUSED
            self.record(f"{call.operation} to {cluster_id} {outcome}", kind, call.region, at=call.at)
        self._calls_recorded = len(calls)

    def _poll_dns(self) -> None:
        answer = self._environment.resolve_dns(
            self._environment.writer_name, from_region=self._environment.client_region
        )
        region = self._environment.region_behind(answer.values[0].rstrip(".")) if answer.values else None
        now = self._clock()
        self.dns_answers.append((now, region))
        if not self.dns or self.dns[-1][1] != region:
            is_first = not self.dns
            self.dns.append((now, region))
            self._on_dns(self._environment.writer_name, region)
            if not is_first:
                self.record(
                    f"{self._environment.writer_name} resolves to {region or 'no address'}",
                    EventKind.DNS,
                    region,
                    at=now,
                )

    def _poll_failing_cycles(self, region: RegionFacts) -> None:
        writes = self._environment.control_plane.writes("dynamodb", region.name)
        if writes == self._table_writes.get(region.name):
            return
        self._table_writes[region.name] = writes
        state = self.state(region)
        if "cycle_at" in state:
            started_at = datetime.fromisoformat(state["cycle_at"]).timestamp()
            if started_at not in self._cycle_starts[region.name][-1:]:
                self._cycle_starts[region.name].append(started_at)
        cycles = int(state.get("dead_cycles", 0))
        if cycles > self._failing_cycles.get(region.name, 0):
            self.record(f"failing cycle {cycles}: the writer's port is unreachable", EventKind.VERDICT, region.name)
        self._failing_cycles[region.name] = cycles

    def _subscribe(self, region: RegionFacts) -> None:
        sqs = self._environment.clients("sqs", region.name)
        url = sqs.create_queue(QueueName="rehearsal-notices")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
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
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        self._environment.clients("sns", region.name).subscribe(TopicArn=region.topic_arn, Protocol="sqs", Endpoint=arn)
        self._queues[region.name] = url

    def _receive_notices(self, region: RegionFacts) -> None:
        sqs, url = self._environment.clients("sqs", region.name), self._queues[region.name]
        for message in sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=NOTICE_WAIT_SECONDS
        ).get("Messages", []):
            self._record_notice(region, json.loads(message["Body"])["Message"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _record_notice(self, region: RegionFacts, text: str) -> None:
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
            self.record(f"RDS event {detail.get('EventID')}: {detail.get('Message')}", EventKind.NOTICE, region.name)
            return
        notice = SentNotice(
            at=self._clock(),
            region=region.name,
            reason=str(message.get("reason", "")),
            action=str(message.get("action", "")),
            message=message,
        )
        self.notices.append(notice)
        self.record(f"notice sent: {notice.reason}", EventKind.NOTICE, region.name, at=notice.at)


def _role(cluster: Cluster | None, *, is_unreachable: bool) -> Role:
    """Return the role of a cluster; a deleted one is unreachable, and one that is being promoted is not yet the writer."""
    if cluster is None or is_unreachable:
        return Role.UNREACHABLE
    return Role.WRITER if cluster.is_writer and not cluster.is_promoting else Role.STANDBY
