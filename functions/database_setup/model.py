"""What the function is asked, and what it answers.

Owns: the request's and the answer's form.
Does not own: how it is done (setup.py).
Invariant: the password is in no representation of the request, and in no answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


class SetupError(RuntimeError):
    """The database can't be brought into the wanted state; the message says why, and holds no secret."""


class RequestError(ValueError):
    """The request is malformed; the message names the field and never its value."""


@dataclass(frozen=True, kw_only=True)
class SetupRequest:
    """The writer's endpoint, and the master user who may make users there."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A cluster's writer endpoint, and the region that its tokens are signed for."""

    host: str
    port: int
    region: str


@dataclass(frozen=True, kw_only=True)
class SetupReport:
    """What was made and removed, what was found in place, and whether the database was a reader."""

    created: tuple[str, ...]
    already_there: tuple[str, ...]
    read_only: bool
    removed: tuple[str, ...] = ()

    def as_answer(self) -> dict[str, object]:
        """Return it in the types that JSON has."""
        return {
            "created": list(self.created),
            "already_there": list(self.already_there),
            "removed": list(self.removed),
            "read_only": self.read_only,
        }


def parse_request(event: object) -> SetupRequest:
    """Return the request. Raises RequestError when it is malformed."""
    if not isinstance(event, Mapping):
        raise RequestError("the request must be an object")
    texts: dict[str, str] = {}
    for name in ("host", "username", "password"):
        value = event.get(name)
        if not isinstance(value, str) or not value:
            raise RequestError(f"{name}: must be a text")
        texts[name] = value
    port = event.get("port", 3306)
    # Pulumi's numbers arrive as floats.
    if isinstance(port, bool) or not isinstance(port, int | float) or port != int(port) or not 0 < port < 65536:
        raise RequestError("port: must be a port")
    return SetupRequest(host=texts["host"], port=int(port), username=texts["username"], password=texts["password"])
