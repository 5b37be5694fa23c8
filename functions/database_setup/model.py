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
    """What was created, already there and removed, and whether the database is a reader."""

    created: tuple[str, ...]
    already_there: tuple[str, ...]
    read_only: bool
    removed: tuple[str, ...] = ()

    def as_answer(self) -> dict[str, object]:
        """Return the report in JSON types."""
        return {
            "created": list(self.created),
            "already_there": list(self.already_there),
            "removed": list(self.removed),
            "read_only": self.read_only,
        }


def parse_request(event: object) -> SetupRequest:
    """Return the request.

    Raises:
        InvalidSetupRequestError: the request is malformed.
    """
    if not isinstance(event, Mapping):
        raise InvalidSetupRequestError("the request must be an object")
    texts: dict[str, str] = {}
    for name in ("host", "username", "password"):
        value = event.get(name)
        if not isinstance(value, str) or not value:
            raise InvalidSetupRequestError(f"{name}: must be a non-empty string")
        texts[name] = value
    port = event.get("port", 3306)
    # Pulumi passes numbers as floats.
    if isinstance(port, bool) or not isinstance(port, int | float) or port != int(port) or not 0 < port < 65536:
        raise InvalidSetupRequestError("port: must be from 1 to 65535")
    return SetupRequest(host=texts["host"], port=int(port), username=texts["username"], password=texts["password"])
