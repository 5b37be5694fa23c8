"""Which metrics there really are, and by which dimensions: AWS's, by its documentation, and our own controller's.

Owns: the names. Does not own: who looks at them (`rules.alarms`).
Our own are asked of the code that publishes them, so that an alarm on a metric which nobody publishes can't be written.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources

from functions.failover_controller.metrics import cycle_metrics
from functions.failover_controller.model import Action, Decision, Observation, Peer, Port, Reason, Records, Side

CONTROLLERS_DIMENSIONS = (frozenset({"GlobalCluster"}),)


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a namespace holds."""

    source: str
    dimensions: tuple[frozenset[str], ...]
    metrics: frozenset[str]


def _read() -> dict[str, Published]:
    text = resources.files("policy.rules").joinpath("published_metrics.json").read_text(encoding="utf-8")
    return {
        namespace: Published(
            source=given["source"],
            dimensions=tuple(frozenset(names) for names in given["dimensions"]),
            metrics=frozenset(given["metrics"]),
        )
        for namespace, given in json.loads(text).items()
    }


AWS_METRICS: Mapping[str, Published] = _read()
"""Namespace -> what AWS publishes there; read in the documentation, not measured."""


@functools.cache
def controllers_metrics() -> frozenset[str]:
    """Return every metric that a cycle of the controller can publish: what it says when it knows everything."""
    decision = Decision(action=Action.HOLD, reason=next(iter(Reason)), target=None, evidence={})
    return frozenset(
        name
        for writer in (Side.OWN, Side.PEER)
        for name in cycle_metrics(_all_seen(writer), decision, heartbeat_stopped=False, met_error=False, took_ms=1.0)
    )


def _all_seen(writer: Side) -> Observation:
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
