"""The interface of a resource handler, and the comparison of the sent values with the values that the embedded AWS stores.

Each input property is sent and read back, or its table entry says why not. No property is dropped silently.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from rehearsal.support.clients import ACCOUNT_ID, ClientFactory

POLL_SECONDS = 0.05
WAIT_SECONDS = 60.0


class HandlerError(Exception):
    """A resource that can't be created, changed or deleted; `property` names the input at fault, if there is one."""

    def __init__(self, message: str, *, property: str | None = None) -> None:
        super().__init__(message)
        self.property = property


class GoneError(HandlerError):
    """A resource that AWS does not have, or no longer has."""

    def __init__(self) -> None:
        super().__init__("AWS does not have this resource")


class Treatment(StrEnum):
    """How a handler treats an input property."""

    SENT = "sent"
    """A parameter of the create call. AWS must return the same value."""
    NOT_HELD = "not held by the embedded AWS"
    """A parameter of the create call that the embedded AWS accepts and drops. Reported after every deployment."""
    OWN = "handled by the handler's own code"
    """A property that a separate call sets. Its value is read back if `held` names a path."""
    PROVIDER_ONLY = "read by the provider, not by AWS"
    """A property that controls Pulumi's provider on update or delete, and is no parameter of AWS."""


def unchanged(value: Any) -> Any:
    """Return the value as it is."""
    return value


@dataclass(frozen=True, kw_only=True)
class Property:
    """The treatment of one input property."""

    treatment: Treatment
    parameter: str = ""
    """The boto3 parameter."""
    convert: Callable[[Any], Any] = unchanged
    """Converts the property's value to the parameter's."""
    held: str = ""
    """Dotted path to the value in AWS's description of the resource; empty if the description does not contain the value."""
    expected: Callable[[Any], Any] = unchanged
    """Converts the property's value to the value at `held`."""
    reason: str = ""


def sent(
    parameter: str,
    *,
    convert: Callable[[Any], Any] = unchanged,
    held: str | None = None,
    expected: Callable[[Any], Any] | None = None,
) -> Property:
    """Return a property that is sent as `parameter` and read back at `held` (by default the parameter's name)."""
    return Property(
        treatment=Treatment.SENT,
        parameter=parameter,
        convert=convert,
        held=parameter if held is None else held,
        expected=convert if expected is None else expected,
    )


def not_held(parameter: str, reason: str) -> Property:
    """Return a property that is sent, and that the embedded AWS is known to drop."""
    return Property(treatment=Treatment.NOT_HELD, parameter=parameter, reason=reason)


def own(*, held: str = "", expected: Callable[[Any], Any] = unchanged) -> Property:
    """Return a property that the handler's code sends in a call of its own."""
    return Property(treatment=Treatment.OWN, held=held, expected=expected)


def provider_only(reason: str) -> Property:
    """Return a property that only Pulumi's provider reads, on update or delete."""
    return Property(treatment=Treatment.PROVIDER_ONLY, reason=reason)


@dataclass(frozen=True, kw_only=True)
class Created:
    """A resource after its creation or change."""

    id: str
    outputs: Mapping[str, Any]
    """Output properties besides the inputs, in camelCase, as the provider names them.

    A missing output stays unknown: a resource or an export that uses it fails.
    """
    held: Mapping[str, Any] = field(default_factory=dict)
    """The embedded AWS's description, in the shape of the table's `held` paths."""
    secret_outputs: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Handler:
    """A resource type: its create, update and delete functions, and the treatment of its properties."""

    create: Callable[[Request], Created]
    properties: Mapping[str, Property]
    delete: Callable[[DeleteRequest], None] | None = None
    """None if the rehearsal can't delete the type. Raises GoneError, or AWS's own error, if the resource is gone."""
    update: Callable[[Request], Created] | None = None
    """Changes in place the properties in `Request.changed`, without the tags; None if the rehearsal can't."""
    retag: Retag | None = None
    """Changes the tags in place; a type with tags has it."""
    read: Callable[[Request], Created] | None = None
    """Describes the resource `Request.id`; None if AWS has nothing to describe. Raises GoneError, or AWS's own error, if it is gone."""
    is_global: bool = False
    """Whether the service has no region (IAM, Route 53)."""


Retag = Callable[["Request", Mapping[str, str], Sequence[str]], None]
"""Sets tags of a resource and removes others, by their keys."""


@dataclass(kw_only=True)
class Request:
    """One resource to create or change; its inputs hold secrets in plain text and whole numbers as ints."""

    urn: str
    type: str
    name: str
    region: str
    inputs: Mapping[str, Any]
    properties: Mapping[str, Property]
    clients: ClientFactory
    program_directory: Path
    """The base of relative asset paths, as for the real engine."""
    account_id: str = ACCOUNT_ID
    touched: set[str] = field(default_factory=set)
    """The properties that the handler has sent or taken so far."""
    id: str = ""
    """The id of the resource to change; empty for a new one."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """The state of the resource: its old inputs and its outputs."""
    changed: frozenset[str] = frozenset()
    """The properties to change; one that is missing from `inputs` is to be unset."""

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the boto3 client of a service, by default in the provider's region."""
        return self.clients(service, region or self.region)

    def take(self, name: str, default: Any = None) -> Any:
        """Return an input that the handler treats itself, and mark it as used."""
        self.touched.add(name)
        value = self.inputs.get(name)
        return default if value is None else value

    def parameters(self) -> dict[str, Any]:
        """Return the boto3 parameters of all inputs that the table sends, and mark these as used."""
        result: dict[str, Any] = {}
        for name, value in self.inputs.items():
            entry = self.properties[name]
            if entry.parameter:
                self.touched.add(name)
                result[entry.parameter] = entry.convert(value)
        return result

    def changed_parameters(self) -> dict[str, Any]:
        """Return the boto3 parameters of the changed inputs, and mark these as used."""
        self.touched |= {name for name in self.changed if self.properties[name].parameter}
        return {
            self.properties[name].parameter: self.properties[name].convert(self.inputs[name])
            for name in sorted(self.changed)
            if name in self.inputs and self.properties[name].parameter
        }

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN in the rehearsal's account and the provider's region."""
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"


@dataclass(frozen=True, kw_only=True)
class DeleteRequest:
    """One resource to delete, as the state has it."""

    type: str
    region: str
    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    """The state of the resource: its inputs and its outputs."""
    clients: ClientFactory

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service in the provider's region."""
        return self.clients(service, self.region)


def first_found(found: Iterable[Any]) -> Any:
    """Return the first description of a resource. Raises GoneError if there is none."""
    for each in found:
        return each
    raise GoneError


def read_by_id(describe: Callable[[Request, str], Created]) -> Callable[[Request], Created]:
    """Return a read function that describes the resource with the request's id."""
    return lambda request: describe(request, request.id)


def delete_by_id(
    service: str, operation: str, parameter: str, *, in_list: bool = False
) -> Callable[[DeleteRequest], None]:
    """Return a delete function that calls one operation with the resource id, or with a list that contains only the id."""

    def delete(request: DeleteRequest) -> None:
        value = [request.id] if in_list else request.id
        getattr(request.client(service), operation)(**{parameter: value})

    return delete


def delete_nothing(request: DeleteRequest) -> None:
    """Do nothing. For a type without an AWS resource to delete."""


def unknown_properties(handler: Handler, inputs: Mapping[str, Any]) -> list[str]:
    """Return the inputs that are missing from the handler's table."""
    return sorted(set(inputs) - set(handler.properties))


def unused_properties(request: Request) -> list[str]:
    """Return the inputs that the handler should have sent or taken, and did not."""
    names = request.changed if request.id else request.inputs
    due = {name for name in names if request.properties[name].treatment is not Treatment.PROVIDER_ONLY}
    return sorted(due - request.touched)


def differences(request: Request, created: Created) -> list[tuple[str, str]]:
    """Return (property, difference) of each input that does not read back as it was sent."""
    found: list[tuple[str, str]] = []
    for name, value in request.inputs.items():
        entry = request.properties[name]
        if not entry.held:
            continue
        expected = entry.expected(value)
        actual = value_at(created.held, entry.held)
        if not agrees(expected, actual):
            found.append((name, f"sent {expected!r}, but {entry.held} reads back as {actual!r}"))
    return found


def agrees(expected: Any, actual: Any) -> bool:
    """Return whether a description shows what was sent.

    A description may hold more than was sent, in any order. Mappings agree when every key that was sent agrees. Lists
    agree when they have the same length and each element matches one on the other side. Two JSON texts agree when their
    values are equal.
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


def wait_until(condition: Callable[[], bool], *, what: str, timeout_seconds: float = WAIT_SECONDS) -> None:
    """Poll until `condition` holds. Use a boto3 waiter instead where one exists.

    Raises: HandlerError, which names `what`, after the timeout.
    """
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise HandlerError(f"{what}: not reached within {timeout_seconds:g} s")
        time.sleep(POLL_SECONDS)


def wait_for(client: Any, waiter: str, **parameters: Any) -> None:
    """Run a boto3 waiter at the embedded AWS's pace. Raises: botocore.exceptions.WaiterError."""
    config = {"Delay": POLL_SECONDS, "MaxAttempts": int(WAIT_SECONDS / POLL_SECONDS)}
    client.get_waiter(waiter).wait(**parameters, WaiterConfig=config)


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        parsed = json.loads(value)
    except ValueError:
        return None
    # Only objects and lists count as documents: "1" and 1 stay different.
    return parsed if isinstance(parsed, dict | list) else None


def value_at(held: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path of a description, or None."""
    value: Any = held
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value
