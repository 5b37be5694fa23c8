"""The function's settings, from its environment variables, parsed once at cold start.

Owns the names of the variables and what they may hold. Invariant: a controller with a setting missing or malformed
does not start: the error names every such variable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TypeVar

from .model import Mode, Policy

Value = TypeVar("Value")
DEFAULT_COMPLETION_BOUND_SECONDS = "600"


class EnvironmentProblemError(ValueError):
    """Environment variables are missing or malformed; one line names each."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """One region's cluster: how to name it, and how to reach it."""

    region: str
    cluster_id: str
    cluster_arn: str
    writer_host: str
    reader_host: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that the function is told from outside."""

    own: Place
    peer: Place
    global_cluster_id: str
    database_port: int
    health_check_function: str
    state_table: str
    topic_arn: str
    metric_namespace: str
    policy: Policy


def load(environ: Mapping[str, str]) -> Settings:
    """Return the settings.

    Raises:
        EnvironmentProblemError: with a line for each variable that is missing or malformed.
    """
    reader = _Reader(environ)
    settings = Settings(
        own=reader.place("OWN", reader.text("AWS_REGION")),
        peer=reader.place("PEER", reader.text("PEER_REGION")),
        global_cluster_id=reader.text("GLOBAL_CLUSTER_ID"),
        database_port=reader.parse("DATABASE_PORT", _port, "a port from 1 to 65535", 1),
        health_check_function=reader.text("HEALTH_CHECK_FUNCTION"),
        state_table=reader.text("STATE_TABLE"),
        topic_arn=reader.text("TOPIC_ARN"),
        metric_namespace=reader.text("METRIC_NAMESPACE"),
        policy=Policy(
            target=environ.get("OWN_CLUSTER_ARN", ""),
            mode=reader.parse("MODE", Mode, "automatic, approve or observe", Mode.OBSERVE),
            interval_seconds=reader.parse("INTERVAL_SECONDS", _positive, "seconds above 0", 1.0),
            failure_threshold=reader.parse("FAILURE_THRESHOLD", _count, "a whole number, 2 or more", 2),
            in_region_grace_seconds=reader.seconds("IN_REGION_GRACE_SECONDS"),
            cooldown_seconds=reader.seconds("COOLDOWN_SECONDS"),
            max_data_loss_seconds=reader.seconds("MAX_DATA_LOSS_SECONDS"),
            completion_bound_seconds=reader.seconds("COMPLETION_BOUND_SECONDS", DEFAULT_COMPLETION_BOUND_SECONDS),
        ),
    )
    if reader.problems:
        raise EnvironmentProblemError("\n".join(reader.problems))
    return settings


class _Reader:
    """Reads variables and collects what is wrong, so that one error can name everything."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        value = self._environ.get(name, default).strip()
        if not value:
            self.problems.append(f"{name}: is missing; it must be set")
        return value

    def parse(
        self, name: str, parser: Callable[[str], Value], wanted: str, fallback: Value, default: str = ""
    ) -> Value:
        text = self.text(name, default)
        if not text:
            return fallback
        try:
            return parser(text)
        except ValueError:
            self.problems.append(f"{name}: is {text!r}; it must be {wanted}")
            return fallback

    def seconds(self, name: str, default: str = "") -> float:
        return self.parse(name, _not_negative, "seconds, 0 or more", 0.0, default)

    def place(self, prefix: str, region: str) -> Place:
        return Place(
            region=region,
            cluster_id=self.text(f"{prefix}_CLUSTER_ID"),
            cluster_arn=self.text(f"{prefix}_CLUSTER_ARN"),
            writer_host=self.text(f"{prefix}_WRITER_HOST"),
            reader_host=self.text(f"{prefix}_READER_HOST"),
        )


def _port(text: str) -> int:
    return _checked(int(text), lambda number: 1 <= number <= 65535)


def _positive(text: str) -> float:
    return _checked(float(text), lambda number: isfinite(number) and number > 0)


def _not_negative(text: str) -> float:
    return _checked(float(text), lambda number: isfinite(number) and number >= 0)


def _count(text: str) -> int:
    # Two at least: with one, a single lost packet would move a database.
    return _checked(int(text), lambda number: number >= 2)


def _checked(value: Value, is_good: Callable[[Value], bool]) -> Value:
    if not is_good(value):
        raise ValueError(value)
    return value
