"""Configuration of health_check, read from its environment variables at cold start."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..shared.environment import EnvironmentReader
from ..shared.tls import PACKAGED_BUNDLE


@dataclass(frozen=True, kw_only=True)
class HealthCheckConfig:
    """Configuration of the function."""

    region: str
    database_user: str
    heartbeat_database: str
    ca_bundle: Path


def load(environ: Mapping[str, str]) -> HealthCheckConfig:
    """Return the configuration.

    Raises:
        EnvironmentProblemError: variables are missing or malformed; one line for each.
    """
    reader = EnvironmentReader(environ)
    ca_bundle = reader.file("CA_BUNDLE", PACKAGED_BUNDLE)
    config = HealthCheckConfig(
        region=reader.text("AWS_REGION", pattern=r"[a-z]{2}(-[a-z]+)+-\d", allowed="a region such as us-east-1"),
        database_user=reader.text(
            "DATABASE_USER", pattern=r"[^\s'\"`\\]{1,32}", allowed="a MySQL user name of 1 to 32 characters"
        ),
        heartbeat_database=reader.text(
            "HEARTBEAT_DATABASE",
            default="failover",
            pattern=r"[A-Za-z0-9_]{1,64}",
            allowed="1 to 64 letters, digits and underscores",
        ),
        ca_bundle=ca_bundle,
    )
    reader.raise_problems()
    return config
