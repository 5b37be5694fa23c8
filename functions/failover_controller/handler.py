"""Lambda entry point of the failover controller: runs cycles, or records an RDS event."""

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

THREADS = 28
"""Six calls an observation, two observations in a cycle that fails over, the reports, and hanging calls of earlier cycles."""


class Context(Protocol):
    """The part of Lambda's context that the handler uses."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""
        ...


class Runtime(NamedTuple):
    """Objects that a warm execution environment keeps between invocations."""

    cycle: Cycle
    policy: Policy
    rds_events: RdsEventRecorder


def handler(event: object, context: Context) -> dict[str, object]:
    """Run cycles until a successor takes over, or n cycles for `{"cycles": n}`; return cycles, last and ended.

    Any other event runs cycles without a limit, as the schedule's does: a controller that starts is better than none.

    An RDS event (`{"source": "aws.rds", ...}`) is recorded instead, without a lease or a cycle.
    """
    runtime = _runtime()
    fields: Mapping[str, object] = event if isinstance(event, Mapping) else {}
    if is_rds_event(fields):
        return runtime.rds_events.record(fields)
    limit = fields.get("cycles")
    return run_cycles(
        runtime.cycle,
        # Lambda may deliver one event twice with the same request id.
        # Source: How Lambda handles errors and retries with asynchronous invocation.
        holder=f"{context.aws_request_id}/{_new_id()}",
        policy=runtime.policy,
        clock=_now,
        sleep=time.sleep,
        remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000,
        limit=limit if isinstance(limit, int) and not isinstance(limit, bool) else None,
    )


@lru_cache(maxsize=1)
def _runtime() -> Runtime:
    config = load(os.environ)
    log = _plain_log()
    clients = make_clients(config)
    identity = {"global_cluster_id": config.global_cluster_id}
    store = TableStore(DynamoDb(clients.dynamodb, config.state_table))
    rds = RdsApi(
        clients.rds,
        clients.peer_rds,
        clients.rds_call,
        cluster_id=config.own.cluster_id,
        peer_cluster_id=config.peer.cluster_id,
        **identity,
    )
    threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="cycle")
    observer = Observer(
        config=config,
        health_checks=LambdaHealthChecks(clients.own_lambda, clients.peer_lambda, config.health_check_function),
        rds=rds,
        store=store,
        threads=threads,
        clock=_now,
        stopwatch=time.perf_counter,
    )
    cycle = Cycle(
        policy=config.policy,
        observer=observer,
        notices=NoticeQueue(policy=config.policy, region=config.own.region, new_id=_new_id, **identity),
        delivery=NoticeDelivery(
            store=store, topic=SnsTopic(clients.sns, topic_arn=config.topic_arn, **identity), log=log
        ),
        store=store,
        rds=rds,
        metrics=CloudWatchMetrics(clients.cloudwatch, namespace=config.metric_namespace, **identity),
        threads=threads,
        log=log,
        clock=_now,
        sleep=time.sleep,
        new_id=_new_id,
    )
    rds_events = RdsEventRecorder(
        store=store,
        log=log,
        region=config.own.region,
        cluster_ids=(config.own.cluster_id, config.peer.cluster_id),
        sleep=time.sleep,
        **identity,
    )
    return Runtime(cycle, config.policy, rds_events)


def _plain_log() -> logging.Logger:
    """Return a logger of bare lines on stdout; Lambda's prefix would break their JSON."""
    log = logging.getLogger(__package__)
    log.setLevel(logging.INFO)
    log.propagate = False
    log.handlers = [logging.StreamHandler(sys.stdout)]
    return log


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return os.urandom(6).hex()
