"""Configuration of the failover controller, read from its environment variables at cold start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TypeVar

from ..shared.environment import EnvironmentReader
from .model import Mode, Policy

Number = TypeVar("Number", int, float)
DEFAULT_COMPLETION_BOUND_SECONDS = "600"


@dataclass(frozen=True, kw_only=True)
class ControllerCluster:
    """One region's cluster: its identifiers and endpoints."""

    region: str
    cluster_id: str
    cluster_arn: str
    writer_host: str
    reader_host: str


@dataclass(frozen=True, kw_only=True)
class ControllerConfig:
    """Configuration of the function."""

    own: ControllerCluster
    peer: ControllerCluster
    global_cluster_id: str
    database_port: int
    health_check_function: str
    state_table: str
    topic_arn: str
    metric_namespace: str
    policy: Policy


def load(environ: Mapping[str, str]) -> ControllerConfig:
    """Return the configuration.

    Raises:
        EnvironmentProblemError: variables are missing or malformed; one line for each.
    """
    reader = EnvironmentReader(environ)

    def cluster(prefix: str, region: str) -> ControllerCluster:
        return ControllerCluster(
            region=region,
            cluster_id=reader.text(f"{prefix}_CLUSTER_ID"),
            cluster_arn=reader.text(f"{prefix}_CLUSTER_ARN"),
            writer_host=reader.text(f"{prefix}_WRITER_HOST"),
            reader_host=reader.text(f"{prefix}_READER_HOST"),
        )

    def seconds(name: str, default: str = "") -> float:
        return reader.parse(
            name,
            _number(float, lambda number: number >= 0),
            fallback=0.0,
            allowed="a number of seconds, 0 or more",
            default=default,
        )

    config = ControllerConfig(
        own=cluster("OWN", reader.text("AWS_REGION")),
        peer=cluster("PEER", reader.text("PEER_REGION")),
        global_cluster_id=reader.text("GLOBAL_CLUSTER_ID"),
        database_port=reader.parse(
            "DATABASE_PORT",
            _number(int, lambda number: 1 <= number <= 65535),
            fallback=1,
            allowed="a port from 1 to 65535",
        ),
        health_check_function=reader.text("HEALTH_CHECK_FUNCTION"),
        state_table=reader.text("STATE_TABLE"),
        topic_arn=reader.text("TOPIC_ARN"),
        metric_namespace=reader.text("METRIC_NAMESPACE"),
        policy=Policy(
            target=environ.get("OWN_CLUSTER_ARN", ""),
            mode=reader.parse("MODE", Mode, fallback=Mode.OBSERVE, allowed="automatic, approve or observe"),
            interval_seconds=reader.parse(
                "INTERVAL_SECONDS",
                _number(float, lambda number: number > 0),
                fallback=1.0,
                allowed="a number of seconds above 0",
            ),
            # With a threshold of 1, one lost packet would start a failover.
            failure_threshold=reader.parse(
                "FAILURE_THRESHOLD",
                _number(int, lambda number: number >= 2),
                fallback=2,
                allowed="a whole number, 2 or more",
            ),
            in_region_grace_seconds=seconds("IN_REGION_GRACE_SECONDS"),
            cooldown_seconds=seconds("COOLDOWN_SECONDS"),
            max_data_loss_seconds=seconds("MAX_DATA_LOSS_SECONDS"),
            completion_bound_seconds=seconds("COMPLETION_BOUND_SECONDS", DEFAULT_COMPLETION_BOUND_SECONDS),
        ),
    )
    reader.raise_problems()
    return config


def _number(kind: Callable[[str], Number], is_allowed: Callable[[Number], bool]) -> Callable[[str], Number]:
    def parse(text: str) -> Number:
        number = kind(text)
        if not isfinite(number) or not is_allowed(number):
            raise ValueError(text)
        return number

    return parse
