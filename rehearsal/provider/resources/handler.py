"""What a resource handler is: functions that create, change and delete, and a table that accounts for every input property.

Owns: the table's vocabulary, the requests that a handler gets, the comparison of what was sent with what is held.
Does not own: any resource type (the modules beside this one), or Pulumi (monitor.py).
Invariant: an input property is sent and read back, or it is named with the reason why not. Nothing is dropped silently.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from rehearsal.support.clients import ACCOUNT_ID, ClientFactory

POLL_SECONDS = 0.05


class HandlerError(Exception):
    """A handler refuses or misses something; `property` names the input that it is about, when it is about one."""

    def __init__(self, message: str, *, property: str | None = None) -> None:
        super().__init__(message)
        self.property = property


class Treatment(StrEnum):
    """What becomes of an input property."""

    SENT = "sent"
    """It is a parameter of the creating call, and must be read back with the same value."""
    NOT_HELD = "not held by the emulator"
    """It is a parameter of the creating call; the emulator accepts and forgets it. Reported after every deployment."""
    OWN = "handled by the handler's own code"
    """The handler makes a call of its own for it; where `held` names a place, that is read back too."""
    PROVIDER_ONLY = "read by the provider, not by AWS"
    """It steers Pulumi's provider when it updates or deletes; there is no parameter of AWS for it."""


def same(value: Any) -> Any:
    """Send a value as it is."""
    return value


@dataclass(frozen=True, kw_only=True)
class Property:
    """The account of one input property."""

    treatment: Treatment
    parameter: str = ""
    """The boto3 parameter that it becomes."""
    convert: Callable[[Any], Any] = same
    """From the property's value to the parameter's."""
    held: str = ""
    """Where the description read back shows it, as a dotted path; empty: nowhere."""
    expected: Callable[[Any], Any] = same
    """From the property's value to what the description must show there."""
    reason: str = ""


def sent(
    parameter: str,
    *,
    convert: Callable[[Any], Any] = same,
    held: str | None = None,
    expected: Callable[[Any], Any] | None = None,
) -> Property:
    """Account for a property that becomes `parameter` and reads back under `held` (the parameter's name by default)."""
    return Property(
        treatment=Treatment.SENT,
        parameter=parameter,
        convert=convert,
        held=parameter if held is None else held,
        expected=convert if expected is None else expected,
    )


def not_held(parameter: str, reason: str, *, convert: Callable[[Any], Any] = same) -> Property:
    """Account for a property that is sent, and that the emulator is known to forget."""
    return Property(treatment=Treatment.NOT_HELD, parameter=parameter, convert=convert, reason=reason)


def own(*, held: str = "", expected: Callable[[Any], Any] = same) -> Property:
    """Account for a property that the handler takes and treats in code."""
    return Property(treatment=Treatment.OWN, held=held, expected=expected)


def provider_only(reason: str) -> Property:
    """Account for a property that only the provider reads, when it updates or deletes."""
    return Property(treatment=Treatment.PROVIDER_ONLY, reason=reason)


@dataclass(frozen=True, kw_only=True)
class Created:
    """What a handler made."""

    id: str
    outputs: Mapping[str, Any]
    """Output properties beside the inputs, camelCase, as the provider names them.

    What is missing or None stays unknown, and a resource or an export that uses it fails.
    """
    held: Mapping[str, Any] = field(default_factory=dict)
    """What the emulator says that it holds, in the shape that the table's `held` paths expect."""
    secret_outputs: frozenset[str] = frozenset()
    """The outputs that the provider marks as secret."""


@dataclass(frozen=True, kw_only=True)
class Handler:
    """A resource type: its functions and the account of its properties."""

    create: Callable[[Request], Created]
    properties: Mapping[str, Property]
    delete: Callable[[DeleteRequest], None] | None = None
    """Delete it as the real provider does; None: the rehearsal can't."""
    update: Callable[[Request], Created] | None = None
    """Change in place what `Request.changed` names; None: the rehearsal can't."""
    is_global: bool = False
    """The service has no region (IAM, Route 53)."""


@dataclass(kw_only=True)
class Request:
    """One resource to create or change, with its inputs unwrapped: no secrets' envelopes, whole numbers as ints."""

    urn: str
    type: str
    name: str
    region: str
    inputs: Mapping[str, Any]
    properties: Mapping[str, Property]
    clients: ClientFactory
    program_directory: Path
    """Relative paths of assets are relative to it, as they are for the real engine."""
    account_id: str = ACCOUNT_ID
    touched: set[str] = field(default_factory=set)
    """The properties that the handler has sent or taken so far."""
    id: str = ""
    """Of the resource that is to be changed; empty for one that is to be created."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Of the resource that is to be changed."""
    changed: frozenset[str] = frozenset()
    """The properties that are to be changed; one that is not in `inputs` any more is to be unset."""

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the boto3 client of a service, in the provider's region unless told otherwise."""
        return self.clients(service, region or self.region)

    def take(self, name: str, default: Any = None) -> Any:
        """Return an input that the handler treats itself, and count it as accounted for."""
        self.touched.add(name)
        value = self.inputs.get(name)
        return default if value is None else value

    def parameters(self) -> dict[str, Any]:
        """Return the boto3 parameters of every input that the table sends, and count them as accounted for."""
        result: dict[str, Any] = {}
        for name, value in self.inputs.items():
            account = self.properties[name]
            if account.parameter:
                self.touched.add(name)
                result[account.parameter] = account.convert(value)
        return result

    def arn(self, service: str, resource: str, *, region: str | None = None) -> str:
        """Build an ARN in the rehearsal's account; `region=""` for a global service."""
        return f"arn:aws:{service}:{self.region if region is None else region}:{self.account_id}:{resource}"


@dataclass(frozen=True, kw_only=True)
class DeleteRequest:
    """One resource to delete, as the state keeps it."""

    type: str
    region: str
    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    clients: ClientFactory

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the boto3 client of a service, in the provider's region unless told otherwise."""
        return self.clients(service, region or self.region)


def delete_nothing(request: DeleteRequest) -> None:
    """Delete nothing: there is nothing of its own in AWS, as the comment beside its use says."""


def unknown_properties(handler: Handler, inputs: Mapping[str, Any]) -> list[str]:
    """Return the inputs that the handler's table does not account for."""
    return sorted(set(inputs) - set(handler.properties))


def untouched_properties(request: Request) -> list[str]:
    """Return the inputs that the handler was to send or take, and did not."""
    names = request.changed if request.id else request.inputs
    due = {name for name in names if request.properties[name].treatment is not Treatment.PROVIDER_ONLY}
    return sorted(due - request.touched)


def disagreements(request: Request, created: Created) -> list[tuple[str, str]]:
    """Compare what was sent with what is held; return (property, what differs) of each that reads back otherwise."""
    found: list[tuple[str, str]] = []
    for name, value in request.inputs.items():
        account = request.properties[name]
        if not account.held:
            continue
        expected = account.expected(value)
        actual = _at(created.held, account.held)
        if not agrees(expected, actual):
            found.append((name, f"sent {expected!r}, but {account.held} reads back as {actual!r}"))
    return found


def agrees(expected: Any, actual: Any) -> bool:
    """Tell whether a description shows what was sent.

    A description may say more than was sent (defaults, state), in no fixed order: mappings agree when every key sent
    agrees, lists when they have the same length and every element has its like on the other side. Policies and
    dashboards are JSON texts: they agree when they mean the same.
    """
    if isinstance(expected, Mapping):
        return isinstance(actual, Mapping) and all(agrees(value, actual.get(key)) for key, value in expected.items())
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and len(expected) == len(actual)
            and all(any(agrees(element, other) for other in actual) for element in expected)
            and all(any(agrees(element, other) for element in expected) for other in actual)
        )
    if expected == actual:
        return True
    if isinstance(expected, str) and isinstance(actual, str | Mapping | list):
        return _parsed(expected) is not None and _parsed(expected) == _parsed(actual)
    return False


def wait_until(condition: Callable[[], bool], *, timeout_seconds: float, what: str) -> None:
    """Poll until `condition` holds; raise `HandlerError` naming `what` when it does not in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise HandlerError(f"{what}: not so after {timeout_seconds:g} s")
        time.sleep(POLL_SECONDS)


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except ValueError:
        return None
    # A bare number or word is no document: "1" and 1 stay different.
    return parsed if isinstance(parsed, dict | list) else None


def _at(held: Mapping[str, Any], path: str) -> Any:
    value: Any = held
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value
