"""A Pulumi provider for the embedded AWS: check, diff, create, read, update, delete and invoke on plain values.

One provider has one region and one set of default tags, as an explicit provider of the program has. Its semantics are those of the
providers that are bridged from Terraform. Source: pulumi-terraform-bridge, pkg/tfbridge/provider.go and schema.go; pulumi-aws,
provider/tags.go.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from pulumi.output import Unknown

from policy.rules.replacement import create_only_properties
from rehearsal.provider.resources import lookups, registry
from rehearsal.provider.resources.convert import INVERSES
from rehearsal.provider.resources.handler import (
    Created,
    DeleteRequest,
    GoneError,
    Handler,
    HandlerError,
    Request,
    Treatment,
    agrees,
    differences,
    unchanged,
    unknown_properties,
    unused_properties,
    value_at,
)
from rehearsal.support.clients import ClientFactory

TAGS, TAGS_ALL = "tags", "tagsAll"
NAMES = ("name", "identifier", "clusterIdentifier")
"""Name inputs. If the program sets one, a replacement must delete the old resource first, because names are unique."""
NO_UPDATE = "in-place update is not supported in the rehearsal. Destroy and redeploy the stack."
_NOT_FOUND_CODES = ("NotFound", "NoSuch", "NonExistent")


class ReadBackError(HandlerError):
    """Properties that AWS does not return as they were sent."""

    def __init__(self, different: list[tuple[str, str]]) -> None:
        super().__init__(different[0][1], property=different[0][0])
        self.further = tuple(different[1:])

    def __str__(self) -> str:
        return "; ".join([self.args[0], *(f"{name}: {text}" for name, text in self.further)])


@dataclass(frozen=True, kw_only=True)
class InputDifference:
    """The inputs in which the program and the state differ."""

    properties: tuple[str, ...]
    """Those to change."""
    ignored: tuple[str, ...]
    """Those that stay as they are."""
    forced_by: tuple[str, ...]
    """Those to change that force a replacement."""
    delete_first: bool
    """Whether a replacement deletes the old resource before it creates the new one."""


@dataclass(frozen=True, kw_only=True)
class ReadResource:
    """A resource as AWS has it."""

    id: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    """The properties that are no inputs."""


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Resources of one region of the embedded AWS."""

    region: str
    clients: ClientFactory
    program_directory: Path
    default_tags: Mapping[str, str] = field(default_factory=dict)
    handlers: Mapping[str, Handler] = field(default_factory=lambda: registry.HANDLERS)
    create_only: Callable[[str], Collection[str]] = create_only_properties

    def check(self, type_: str, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Return the inputs with `tagsAll`, and (property, reason) of each input that the rehearsal does not support."""
        handler = self.handlers.get(type_)
        if handler is None:
            return dict(inputs), [("", "the rehearsal can't create this type")]
        given = {name: value for name, value in inputs.items() if name != TAGS_ALL}
        failures = [
            (name, "the rehearsal does not support this property") for name in unknown_properties(handler, given)
        ]
        return given | self._tags_all(handler, given), failures

    def _tags_all(self, handler: Handler, inputs: Mapping[str, Any]) -> dict[str, Any]:
        own = inputs.get(TAGS) or {}
        if TAGS not in handler.properties:
            return {}
        merged = own if isinstance(own, Unknown) else {**self.default_tags, **own}
        return {TAGS_ALL: merged} if merged else {}

    def diff(
        self, type_: str, old: Mapping[str, Any], new: Mapping[str, Any], ignored: Collection[str] = ()
    ) -> InputDifference:
        """Compare checked inputs. An unknown value counts as changed. `ignored` has names, not paths."""
        different = [
            name for name in sorted({*old, *new}) if has_unknown(new.get(name)) or old.get(name) != new.get(name)
        ]
        properties = tuple(name for name in different if name not in ignored)
        forced_by = tuple(name for name in properties if name in self.create_only(type_))
        named = any(name in new for name in NAMES) and not type_.startswith("aws:route53/")
        return InputDifference(
            properties=properties,
            ignored=tuple(name for name in different if name in ignored),
            forced_by=forced_by,
            delete_first=bool(forced_by) and named,
        )

    def create(self, urn: str, type_: str, name: str, inputs: Mapping[str, Any]) -> Created:
        """Create a resource from checked inputs. Raises: HandlerError, ClientError, BotoCoreError."""
        request = self._request(urn, type_, name, inputs)
        return _checked(request, self.handlers[type_].create(request), request.inputs)

    def update(
        self,
        urn: str,
        type_: str,
        name: str,
        *,
        id: str,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any],
        changed: Collection[str],
    ) -> Created:
        """Change the `changed` inputs of a resource in place. Raises: HandlerError, ClientError, BotoCoreError."""
        handler = self.handlers[type_]
        names = {TAGS if each == TAGS_ALL else each for each in changed}
        for_aws = [each for each in sorted(names) if handler.properties[each].treatment is not Treatment.PROVIDER_ONLY]
        if not for_aws:
            return Created(id=id, outputs={})
        request = self._request(urn, type_, name, inputs, id=id, outputs=outputs, changed=frozenset(names))
        retag = handler.retag if TAGS in names else None
        # A change of the tags alone leaves all else to the next refresh.
        change = handler.read if for_aws == [TAGS] else handler.update
        if change is None or (TAGS in names and retag is None):
            raise HandlerError(NO_UPDATE, property=", ".join(for_aws))
        if retag is not None:
            retag(request, *_tag_changes(request))
        updated = change(replace(request, changed=request.changed - {TAGS}))
        # AWS may have changed the other inputs since the last refresh, for example in a failover.
        return _checked(request, updated, for_aws)

    def delete(self, type_: str, *, id: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> bool:
        """Delete a resource. Return whether AWS had it. Raises: HandlerError, ClientError, BotoCoreError."""
        handler = self.handlers.get(type_)
        if handler is None or handler.delete is None:
            raise HandlerError("the rehearsal can't delete this type")
        request = DeleteRequest(
            type=type_, region=self.region, id=id, inputs=inputs, outputs=outputs, clients=self.clients
        )
        try:
            handler.delete(request)
        except GoneError:
            return False
        except ClientError as error:
            if not is_not_found(error):
                raise
            return False
        return True

    def read(
        self, type_: str, *, id: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]
    ) -> ReadResource | None:
        """Return a resource as AWS has it, or None if it is gone.

        Inputs are refreshed as the bridge does: those that AWS reports otherwise take its value, those that it no longer reports
        are dropped, and none is added. Source: extractInputsObject, pkg/tfbridge/schema.go.
        Raises: HandlerError, ClientError, BotoCoreError.
        """
        handler = self.handlers[type_]
        others = {name: value for name, value in outputs.items() if name not in inputs}
        if handler.read is None:
            return ReadResource(id=id, inputs=inputs, outputs=others)
        try:
            read = handler.read(self._request("", type_, "", inputs, id=id, outputs=outputs))
        except GoneError:
            return None
        except ClientError as error:
            if not is_not_found(error):
                raise
            return None
        known = {name: value for name, value in read.outputs.items() if value is not None}
        return ReadResource(id=read.id, inputs=_refreshed_inputs(handler, inputs, read), outputs={**others, **known})

    def input_names(self, type_: str) -> frozenset[str]:
        """Return the names of all inputs of a type."""
        return frozenset({*self.handlers[type_].properties, TAGS_ALL})

    def invoke(self, token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a function of the provider. Raises: HandlerError, ClientError, BotoCoreError."""
        function = lookups.INVOKE_FUNCTIONS.get(token)
        if function is None:
            raise HandlerError(f"{token}: the rehearsal does not support this function")
        return function(arguments, self.clients, self.region)

    def _request(self, urn: str, type_: str, name: str, inputs: Mapping[str, Any], **existing: Any) -> Request:
        """Return the handler's request: AWS receives the merged tags."""
        sent = {each: value for each, value in inputs.items() if each != TAGS_ALL}
        return Request(
            urn=urn,
            type=type_,
            name=name,
            region=self.region,
            inputs=sent | ({TAGS: inputs[TAGS_ALL]} if TAGS_ALL in inputs else {}),
            properties=self.handlers[type_].properties,
            clients=self.clients,
            program_directory=self.program_directory,
            **existing,
        )


def is_not_found(error: ClientError) -> bool:
    """Return whether AWS answered that the resource does not exist."""
    code = error.response.get("Error", {}).get("Code", "")
    return any(each in code for each in _NOT_FOUND_CODES)


def has_unknown(value: Any) -> bool:
    """Return whether a value is unknown or has an unknown part."""
    if isinstance(value, Mapping):
        return any(has_unknown(element) for element in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(element) for element in value)
    return isinstance(value, Unknown)


def _refreshed_inputs(handler: Handler, inputs: Mapping[str, Any], read: Created) -> dict[str, Any]:
    refreshed: dict[str, Any] = {}
    for name, value in inputs.items():
        entry = handler.properties.get(TAGS if name == TAGS_ALL else name)
        if entry is None or not entry.held or (name == TAGS and TAGS_ALL in inputs):
            refreshed[name] = value
            continue
        actual = value_at(read.held, entry.held)
        if agrees(entry.expected(value), actual):
            refreshed[name] = value
        elif actual not in (None, "", []):
            refreshed[name] = INVERSES.get(entry.expected, unchanged)(actual)
    if TAGS in refreshed and TAGS_ALL in inputs:
        tags_all = refreshed.get(TAGS_ALL, {})
        refreshed[TAGS] = {key: tags_all[key] for key in refreshed[TAGS] if key in tags_all}
    return refreshed


def _tag_changes(request: Request) -> tuple[dict[str, str], list[str]]:
    """Return the tags to set and the keys to remove. Tags that the state does not have, such as an organisation's, stay."""
    before, after = request.outputs.get(TAGS_ALL) or {}, request.take(TAGS, {})
    return {key: value for key, value in after.items() if before.get(key) != value}, sorted(before.keys() - after)


def _checked(request: Request, created: Created, names: Collection[str]) -> Created:
    """Return the resource if its handler used all inputs, and if AWS returns those in `names` as they were sent."""
    unused = unused_properties(request)
    if unused:
        message = NO_UPDATE if request.id else "the rehearsal's handler does not use the property"
        raise HandlerError(message, property=", ".join(unused))
    different = [each for each in differences(request, created) if each[0] in names]
    if different:
        raise ReadBackError(different)
    return created
