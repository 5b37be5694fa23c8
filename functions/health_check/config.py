"""The function's settings, from its environment variables, parsed once at cold start.

Owns: the names of the variables and what they may hold.
Does not own: the request (model.py).
Invariant: a setting that is missing or malformed stops the function, and the error names it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGED_BUNDLE = Path(__file__).resolve().parent.parent / "certificates" / "rds-global-bundle.pem"
"""AWS's public CA certificates: beside the packages, in the repository as in the archive."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{1,64}")
_USER = re.compile(r"[^\s'\"`\\]{1,32}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


class EnvironmentProblemError(ValueError):
    """Environment variables are missing or malformed; one line names each."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that the function is told from outside."""

    region: str
    database_user: str
    heartbeat_database: str
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

    bundle = Path(environ.get("CA_BUNDLE") or PACKAGED_BUNDLE)
    if not bundle.is_file():
        problems.append(f"CA_BUNDLE: there is no file {bundle}; a PEM file of CA certificates would do")
    settings = Settings(
        region=text("AWS_REGION", _REGION, "a region such as us-east-1"),
        database_user=text("DATABASE_USER", _USER, "a MySQL user name of 1 to 32 characters"),
        heartbeat_database=text("HEARTBEAT_DATABASE", _IDENTIFIER, "letters, digits and _", "failover"),
        ca_bundle=bundle,
    )
    if problems:
        raise EnvironmentProblemError("\n".join(problems))
    return settings
