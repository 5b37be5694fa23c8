"""The function's settings, from its environment variables, parsed once at cold start.

Owns: the names of the variables and what they may hold.
Does not own: the request (model.py). No credential ever comes from here.
Invariant: a setting that is missing or malformed stops the function, and the error names it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .model import Endpoint
from .people import PRIVILEGES

PACKAGED_BUNDLE = Path(__file__).resolve().parent.parent / "certificates" / "rds-global-bundle.pem"
"""AWS's public CA certificates: beside the packages, in the repository as in the archive."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{1,64}")
_USER = re.compile(r"[A-Za-z0-9_]{1,32}")
_PERSON = re.compile(r"[a-z][a-z0-9_.-]{0,31}")


class EnvironmentProblemError(ValueError):
    """Environment variables are missing or malformed; one line names each."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that the function is told from outside, but for the request."""

    heartbeat_database: str
    health_check_user: str
    own_user: str
    """As whom the function logs in once it has made this user: from then on it needs no password."""
    database: str
    """The one in which people work."""
    iam_users: Mapping[str, str]
    """Person -> level (people.py)."""
    clusters: tuple[Endpoint, ...]
    """Where the writer may be."""
    ca_bundle: Path


def load(environ: Mapping[str, str]) -> Settings:
    """Return the settings.

    Raises:
        EnvironmentProblemError: with a line for each variable that is missing or malformed.
    """
    problems: list[str] = []

    def text(name: str, pattern: re.Pattern[str], wanted: str, default: str = "") -> str:
        value = environ.get(name, default)
        if not pattern.fullmatch(value):
            problems.append(f"{name}: {'is missing' if not value else f'{value!r} is malformed'}; {wanted} would do")
        return value

    def people() -> dict[str, str]:
        found = _json(environ.get("IAM_USERS", "{}"))
        good = isinstance(found, dict) and all(
            _PERSON.fullmatch(name) and level in PRIVILEGES for name, level in found.items()
        )
        if not good:
            problems.append(f"IAM_USERS: is malformed; an object of user -> {' or '.join(PRIVILEGES)} would do")
        return found if isinstance(found, dict) and good else {}

    def endpoints() -> tuple[Endpoint, ...]:
        try:
            found = json.loads(environ.get("CLUSTERS", "[]"))
            # Pulumi's numbers arrive as floats.
            return tuple(Endpoint(host=str(c["host"]), port=int(c["port"]), region=str(c["region"])) for c in found)
        except (ValueError, TypeError, KeyError):
            problems.append("CLUSTERS: is malformed; a list of objects with host, port and region would do")
            return ()

    bundle = Path(environ.get("CA_BUNDLE") or PACKAGED_BUNDLE)
    if not bundle.is_file():
        problems.append(f"CA_BUNDLE: there is no file {bundle}; a PEM file of CA certificates would do")
    settings = Settings(
        heartbeat_database=text("HEARTBEAT_DATABASE", _IDENTIFIER, "letters, digits and _", "failover"),
        health_check_user=text("HEALTH_CHECK_USER", _USER, "up to 32 letters, digits and _"),
        own_user=text("OWN_USER", _USER, "up to 32 letters, digits and _", "database_setup"),
        database=text("DATABASE", _IDENTIFIER, "letters, digits and _"),
        iam_users=people(),
        clusters=endpoints(),
        ca_bundle=bundle,
    )
    if problems:
        raise EnvironmentProblemError("\n".join(problems))
    return settings


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
