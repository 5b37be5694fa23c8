"""Builders of observations, states, policies and attempts; healthy by default."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.failover_controller.config import ControllerConfig, load
from functions.failover_controller.model import (
    Attempt,
    AttemptStatus,
    Mode,
    Observation,
    Peer,
    Policy,
    Port,
    Reason,
    Records,
    Side,
    State,
)

NOW = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)
OWN_ARN = "arn:aws:rds:eu-west-1:123456789012:cluster:payments-eu-west-1-dev"
PEER_ARN = "arn:aws:rds:us-east-1:123456789012:cluster:payments-us-east-1-dev"

ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "GLOBAL_CLUSTER_ID": "payments-global-dev",
    "OWN_CLUSTER_ID": "payments-eu-west-1-dev",
    "OWN_CLUSTER_ARN": OWN_ARN,
    "OWN_WRITER_HOST": "own.cluster-x.eu-west-1.rds.amazonaws.com",
    "OWN_READER_HOST": "own.cluster-ro-x.eu-west-1.rds.amazonaws.com",
    "PEER_REGION": "us-east-1",
    "PEER_CLUSTER_ID": "payments-us-east-1-dev",
    "PEER_CLUSTER_ARN": PEER_ARN,
    "PEER_WRITER_HOST": "peer.cluster-y.us-east-1.rds.amazonaws.com",
    "PEER_READER_HOST": "peer.cluster-ro-y.us-east-1.rds.amazonaws.com",
    "DATABASE_PORT": "3306",
    "HEALTH_CHECK_FUNCTION": "payments-health-check-dev",
    "STATE_TABLE": "payments-failover-dev",
    "TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:payments-failover-dev",
    "METRIC_NAMESPACE": "AuroraFailover",
    "MODE": "automatic",
    "INTERVAL_SECONDS": "1",
    "FAILURE_THRESHOLD": "3",
    "IN_REGION_GRACE_SECONDS": "20",
    "COOLDOWN_SECONDS": "300",
    "MAX_DATA_LOSS_SECONDS": "5",
}


def after(seconds: float) -> datetime:
    """Return the time `seconds` after NOW."""
    return NOW + timedelta(seconds=seconds)


def config(**variables: str) -> ControllerConfig:
    """ControllerConfig as the environment gives them, with these variables changed."""
    return load({**ENVIRONMENT, **variables})


POLICY: Policy = config().policy


def policy(**changes: Any) -> Policy:
    """Return the default policy (interval 1 s, threshold 3) with changes."""
    return replace(POLICY, **changes)


def healthy(**changes: Any) -> Observation:
    """Return an observation by the standby without faults."""
    usual = Observation(
        at=NOW,
        records=Records(),
        writer=Side.PEER,
        synchronization="connected",
        standby_status="available",
        standby_instances=2,
        own_port=Port.ALIVE,
        own_read_only=True,
        peer_port=Port.ALIVE,
        peer_read_only=False,
        peer=Peer.FINE,
        heartbeat="2026-11-24T02:59:57+00:00",
        heartbeat_age_ms=400.0,
        lag_ms=80.0,
        own_probe_ms=2.0,
        peer_probe_ms=75.0,
        peer_function_ms=90.0,
    )
    return replace(usual, **changes)


def lost(**changes: Any) -> Observation:
    """Return an observation in which the other region is unreachable."""
    silent = healthy(
        peer_port=Port.DEAD, peer_read_only=None, peer=Peer.SILENT, peer_probe_ms=None, peer_function_ms=None
    )
    return replace(silent, **changes)


def down(**changes: Any) -> Observation:
    """Return an observation in which the other region answers and reports its writer as down."""
    return lost(**{"peer": Peer.DOWN, **changes})


def third_cycle(**changes: Any) -> State:
    """Return the state in the third failing cycle of an outage, which suffices to fail over."""
    return replace(
        State(
            version=7,
            cycle_at=NOW,
            writer=Side.PEER,
            silent_cycles=3,
            dead_cycles=3,
            dead_since=after(-2),
            heartbeats=("2026-11-24T02:59:57+00:00",),
            heartbeat_seen_at=after(-2),
            lag_ms=80.0,
            lag_at=after(-3),
            served_at=after(-3),
            peer_answered_at=after(-3),
        ),
        **changes,
    )


def attempt(**changes: Any) -> Attempt:
    """Return an attempt whose intent is one second old."""
    return replace(
        Attempt(
            id="attempt-1",
            status=AttemptStatus.INTENDED,
            verdict=Reason.REGION_LOST,
            started_at=after(-1),
            touched_at=after(-1),
            outage_at=after(-4),
            lag_ms=80.0,
            heartbeat="2026-11-24T02:59:57+00:00",
            calls=1,
        ),
        **changes,
    )


RDS_MESSAGE = "Global failover to DB cluster payments-eu-west-1-dev in Region eu-west-1 completed."


def rds_event(**changes: Any) -> dict[str, Any]:
    """Return an event in AWS's documented form with changes in its detail. Source: Overview of events for Aurora."""
    arn = "arn:aws:rds:eu-west-1:123456789012:cluster:payments-eu-west-1-dev"
    detail = {
        "EventCategories": ["global failover"],
        "SourceType": "CLUSTER",
        "SourceArn": arn,
        "Date": "2026-11-24T03:01:30.882Z",
        "Message": RDS_MESSAGE,
        "SourceIdentifier": "payments-eu-west-1-dev",
        "EventID": "RDS-EVENT-0238",
        **changes,
    }
    return {
        "version": "0",
        "id": "844e2571-85d4-695f-b930-0153b71dcb42",
        "detail-type": "RDS DB Cluster Event",
        "source": "aws.rds",
        "account": "123456789012",
        "time": "2026-11-24T03:01:30Z",
        "region": "eu-west-1",
        "resources": [arn],
        "detail": {name: value for name, value in detail.items() if value is not None},
    }


__all__ = ["Mode", "after", "attempt", "config", "down", "healthy", "lost", "policy", "rds_event", "third_cycle"]
