"""Metrics and dimensions that AWS and the failover controller publish.

AWS's metrics come from its documentation, the controller's metrics from its code.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from functions.failover_controller.metrics import cycle_metrics
from functions.failover_controller.model import Action, Decision, Observation, Peer, Port, Reason, Records, Side

CONTROLLER_DIMENSIONS = (frozenset({"GlobalCluster"}),)


@dataclass(frozen=True, kw_only=True)
class PublishedMetrics:
    """The metrics of a namespace."""

    source: str
    dimensions: tuple[frozenset[str], ...]
    metrics: frozenset[str]


def _read() -> dict[str, PublishedMetrics]:
    text = Path(__file__).with_name("published_metrics.json").read_text(encoding="utf-8")
    return {
        namespace: PublishedMetrics(
            source=entry["source"],
            dimensions=tuple(frozenset(names) for names in entry["dimensions"]),
            metrics=frozenset(entry["metrics"]),
        )
        for namespace, entry in json.loads(text).items()
    }


AWS_METRICS: Mapping[str, PublishedMetrics] = _read()
"""The metrics in AWS's documentation, by namespace."""


@functools.cache
def controller_metrics() -> frozenset[str]:
    """Return every metric that a cycle of the controller publishes with a complete observation."""
    decision = Decision(action=Action.HOLD, reason=next(iter(Reason)), target=None, evidence={})
    return frozenset(
        name
        for writer in (Side.OWN, Side.PEER)
        for name in cycle_metrics(
            _complete_observation(writer), decision, heartbeat_stopped=False, met_error=False, took_ms=1.0
        )
    )


def _complete_observation(writer: Side) -> Observation:
    return Observation(
        at=datetime(2026, 1, 1, tzinfo=UTC),
        records=Records(),
        writer=writer,
        own_port=Port.ALIVE,
        own_read_only=writer is Side.PEER,
        peer_port=Port.ALIVE,
        peer_read_only=writer is Side.OWN,
        peer=Peer.FINE,
        heartbeat="1",
        heartbeat_age_ms=1.0,
        lag_ms=1.0,
        own_probe_ms=1.0,
        peer_probe_ms=1.0,
        peer_function_ms=1.0,
    )
