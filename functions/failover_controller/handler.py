"""The Lambda function: builds the controller once per sandbox, and lets it cycle, or record what RDS says.

Owns the wiring, and telling the two apart. Invariant: nothing happens at import; settings that are missing stop the
first invocation with all their names; an event of RDS takes no lease and does no cycle.
"""

import logging
import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, Protocol

from .aws import CloudWatchMetrics, DynamoDb, LambdaHealthChecks, RdsApi, SnsTopic, make_clients
from .config import load
from .cycle import Cycle
from .delivery import NoticeDelivery
from .loop import run_cycles
from .model import Policy
from .notices import NoticeQueue
from .observe import Observer
from .rds_events import RdsEventRecorder, is_rds_event
from .store import TableStore

THREADS = 24
"""Five calls an observation, twice in an acting cycle, the reports, and those that still hang from the cycles before."""


class Context(Protocol):
    """What is used of Lambda's context."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""
        ...


class Runtime(NamedTuple):
    """What outlives an invocation in a warm sandbox."""

    cycle: Cycle
    policy: Policy
    rds_events: RdsEventRecorder


def handler(event: Mapping[str, object], context: Context) -> dict[str, object]:
    """Cycle until a successor takes over; `{"cycles": n}` ends after n cycles. Returns cycles, last and ended.

    An event of RDS (`{"source": "aws.rds", "detail": {"EventID": ...}}`) is recorded instead; returns recorded.
    """
    runtime = _runtime()
    if is_rds_event(event):
        return runtime.rds_events.record(event)
    limit = event.get("cycles")
    return run_cycles(
        runtime.cycle,
        # Lambda may deliver one event twice, with one request id: each invocation must still be told from the other.
        # Source: How Lambda handles errors and retries with asynchronous invocation.
        holder=f"{context.aws_request_id}/{_new_id()}",
        policy=runtime.policy,
        clock=_now,
        sleep=time.sleep,
        remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000,
        limit=limit if isinstance(limit, int) else None,
    )


@lru_cache(maxsize=1)
def _runtime() -> Runtime:
    settings = load(os.environ)
    log = _plain_log()
    clients = make_clients(settings)
    identity = {"global_cluster_id": settings.global_cluster_id}
    store = TableStore(DynamoDb(clients.dynamodb, settings.state_table))
    rds = RdsApi(clients.rds, clients.rds_call, cluster_id=settings.own.cluster_id, **identity)
    threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="cycle")
    observer = Observer(
        settings=settings,
        health_checks=LambdaHealthChecks(clients.own_lambda, clients.peer_lambda, settings.health_check_function),
        rds=rds,
        store=store,
        threads=threads,
        clock=_now,
        stopwatch=time.perf_counter,
    )
    cycle = Cycle(
        policy=settings.policy,
        observer=observer,
        announcer=NoticeQueue(policy=settings.policy, region=settings.own.region, new_id=_new_id, **identity),
        courier=NoticeDelivery(
            store=store, topic=SnsTopic(clients.sns, topic_arn=settings.topic_arn, **identity), log=log
        ),
        store=store,
        rds=rds,
        metrics=CloudWatchMetrics(clients.cloudwatch, namespace=settings.metric_namespace, **identity),
        threads=threads,
        clock=_now,
        new_id=_new_id,
    )
    rds_events = RdsEventRecorder(
        store=store,
        log=log,
        region=settings.own.region,
        cluster_ids=(settings.own.cluster_id, settings.peer.cluster_id),
        sleep=time.sleep,
        **identity,
    )
    return Runtime(cycle, settings.policy, rds_events)


def _plain_log() -> logging.Logger:
    """A log of bare lines on stdout: Lambda's own prefix would make them something else than JSON."""
    log = logging.getLogger(__package__)
    log.setLevel(logging.INFO)
    log.propagate = False
    log.handlers = [logging.StreamHandler(sys.stdout)]
    return log


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return os.urandom(6).hex()
