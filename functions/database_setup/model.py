"""Request and report of database_setup."""

from collections.abc import Mapping
from dataclasses import dataclass, field


class SetupError(RuntimeError):
    """The database cannot be set up. The message holds no secret."""


class InvalidSetupRequestError(ValueError):
    """The request is malformed. The message names the field but never its value."""


@dataclass(frozen=True, kw_only=True)
class SetupRequest:
    """The writer's endpoint and the master user's credentials."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A cluster's writer endpoint and the region for which its IAM tokens are signed."""

    host: str
    port: int
    region: str


@dataclass(frozen=True, kw_only=True)
class SetupReport:
    """Objects created, found and removed; `read_only` if the database is a reader."""

    created: list[str]
    already_there: list[str]
    removed: list[str]
    locked: list[str]
    """Users to remove that are the definer of an object: locked and without privileges, until the object is gone."""
    read_only: bool


def parse_request(event: object) -> SetupRequest:
    """Return the request.

    Raises:
        InvalidSetupRequestError: the request is malformed.
    """
    if not isinstance(event, Mapping):
        raise InvalidSetupRequestError("request: must be a JSON object")
    for name in ("host", "username", "password"):
        if not isinstance(event.get(name), str) or not event[name]:
            raise InvalidSetupRequestError(f"{name}: must be a non-empty string")
    port = event.get("port", 3306)
    # Pulumi passes numbers as floats.
    if isinstance(port, bool) or not isinstance(port, int | float) or port != int(port) or not 0 < port < 65536:
        raise InvalidSetupRequestError("port: must be from 1 to 65535")
    return SetupRequest(host=event["host"], port=int(port), username=event["username"], password=event["password"])
