"""Configuration of database_setup, read from its environment variables at cold start."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..shared.environment import EnvironmentReader
from ..shared.tls import PACKAGED_BUNDLE
from .model import Endpoint
from .users import PRIVILEGES

_IDENTIFIER = {"pattern": r"[A-Za-z0-9_]{1,64}", "allowed": "1 to 64 letters, digits and underscores"}
_USER = {"pattern": r"[A-Za-z0-9_]{1,32}", "allowed": "1 to 32 letters, digits and underscores"}
_IAM_USER = re.compile(r"[a-z][a-z0-9_.-]{0,31}")


@dataclass(frozen=True, kw_only=True)
class DatabaseSetupConfig:
    """Configuration of the function."""

    heartbeat_database: str
    health_check_user: str
    own_user: str
    """Database user of the function itself. Runs after the first need no password."""
    database: str
    """The application's database."""
    iam_users: Mapping[str, str]
    """Access level, a key of `users.PRIVILEGES`, by user name."""
    clusters: tuple[Endpoint, ...]
    """Writer endpoints of both clusters."""
    ca_bundle: Path


def load(environ: Mapping[str, str]) -> DatabaseSetupConfig:
    """Return the configuration.

    Raises:
        EnvironmentProblemError: variables are missing or malformed; one line for each.
    """
    reader = EnvironmentReader(environ)
    ca_bundle = reader.file("CA_BUNDLE", PACKAGED_BUNDLE)
    config = DatabaseSetupConfig(
        heartbeat_database=reader.text("HEARTBEAT_DATABASE", default="failover", **_IDENTIFIER),
        health_check_user=reader.text("HEALTH_CHECK_USER", **_USER),
        own_user=reader.text("OWN_USER", default="database_setup", **_USER),
        database=reader.text("DATABASE", **_IDENTIFIER),
        iam_users=reader.parse(
            "IAM_USERS",
            _iam_users,
            default="{}",
            fallback={},
            allowed=f"a JSON object of user names and levels ({' or '.join(PRIVILEGES)})",
        ),
        clusters=reader.parse(
            "CLUSTERS",
            _clusters,
            default="[]",
            fallback=(),
            allowed="a JSON list of objects with host, port and region",
        ),
        ca_bundle=ca_bundle,
    )
    reader.raise_problems()
    return config


def _iam_users(text: str) -> dict[str, str]:
    users = json.loads(text)
    if not isinstance(users, dict) or not all(
        _IAM_USER.fullmatch(name) and level in PRIVILEGES for name, level in users.items()
    ):
        raise ValueError(text)
    return users


def _clusters(text: str) -> tuple[Endpoint, ...]:
    # Pulumi passes numbers as floats.
    return tuple(Endpoint(host=str(c["host"]), port=int(c["port"]), region=str(c["region"])) for c in json.loads(text))
