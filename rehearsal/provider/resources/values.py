"""Property values as Pulumi sends them, and what the handlers and the report get to see of them.

Owns: secrets' envelopes, whole numbers, unknown values, masking and finding of secrets.
Invariant: `plain` values never leave the handlers; whatever is shown or kept is masked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.output import Unknown
from pulumi.runtime import rpc

MASKED = "[secret]"
MIN_REDACTED_LENGTH = 8
"""Shorter secrets are not looked for in error texts: too many innocent words would match."""
OUTPUT_IN_TEXT = "Calling __str__ on an Output"
SECRET_MARK = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True, kw_only=True)
class InputValues:
    """A resource's inputs, decoded."""

    plain: dict[str, Any]
    """Secrets unwrapped, whole numbers as ints, nothing that is None."""
    masked: dict[str, Any]
    """The same, with secrets and archives replaced: fit to be shown."""
    secrets: frozenset[str]
    """Texts that must never be shown."""
    unknown: tuple[str, ...]
    """The properties in which something is not known: an output of a resource that does not exist, or has no such."""

    def with_output_in_text(self) -> list[str]:
        """Return the properties in which an `Output` was formatted into a text, which is a mistake of the program."""
        return [name for name, value in self.plain.items() if any(OUTPUT_IN_TEXT in text for text in _texts(value))]


def decode(properties: Mapping[str, Any]) -> InputValues:
    """Decode properties as `rpc.deserialize_properties` returns them."""
    given = {name: value for name, value in sorted(properties.items()) if value is not None}
    plain = {name: reveal(value) for name, value in given.items()}
    return InputValues(
        plain=plain,
        masked={name: _whole(_masked(value)) for name, value in given.items()},
        secrets=frozenset(text for value in given.values() for text in _secrets_in(value, inside=False)),
        unknown=tuple(
            name for name, value in plain.items() if any(isinstance(leaf, Unknown) for leaf in _leaves(value))
        ),
    )


def reveal(value: Any) -> Any:
    """Unwrap secrets at every depth, and make whole numbers ints."""
    return _whole(_revealed(value))


def secret(value: Any) -> dict[str, Any]:
    """Wrap a value in the envelope of a secret."""
    return {SECRET_MARK: SECRET_SIGNATURE, "value": value}


def secret_texts(text: str) -> Iterator[str]:
    """Yield what of a secret text must never be shown: itself, or the passwords in it when it is a JSON object.

    A request with a password in it also names hosts and users, which an error's text needs.
    """
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, Mapping):
        candidates = [text]
    else:
        words = ("password", "secret", "token")
        candidates = [
            value
            for key, value in parsed.items()
            if isinstance(value, str) and any(word in str(key).lower() for word in words)
        ]
    yield from (candidate for candidate in candidates if len(candidate) >= MIN_REDACTED_LENGTH)


def _mapped(value: Any, leaf: Callable[[Any], Any]) -> Any:
    if isinstance(value, Mapping):
        # Sorted: protobuf gives a mapping in another order in every run.
        return {key: _mapped(element, leaf) for key, element in sorted(value.items()) if element is not None}
    if isinstance(value, list | tuple):
        return [_mapped(element, leaf) for element in value]
    return leaf(value)


def _whole(value: Any) -> Any:
    # Protobuf knows floats only.
    return _mapped(value, lambda leaf: int(leaf) if isinstance(leaf, float) and leaf.is_integer() else leaf)


def _revealed(value: Any) -> Any:
    if rpc.is_rpc_secret(value):
        return _revealed(rpc.unwrap_rpc_secret(value))
    if isinstance(value, Mapping):
        return {key: _revealed(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_revealed(element) for element in value]
    return value


def _masked(value: Any) -> Any:
    if rpc.is_rpc_secret(value):
        return MASKED
    if isinstance(value, Mapping):
        return {key: _masked(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_masked(element) for element in value]
    if isinstance(value, pulumi.Archive | pulumi.Asset):
        return f"[{type(value).__name__}]"
    return value


def _texts(value: Any) -> Iterator[str]:
    return (leaf for leaf in _leaves(value) if isinstance(leaf, str))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for element in value.values():
            yield from _leaves(element)
    elif isinstance(value, list | tuple):
        for element in value:
            yield from _leaves(element)
    else:
        yield value


def _secrets_in(value: Any, *, inside: bool) -> Iterator[str]:
    if rpc.is_rpc_secret(value):
        yield from _secrets_in(rpc.unwrap_rpc_secret(value), inside=True)
    elif isinstance(value, Mapping):
        for element in value.values():
            yield from _secrets_in(element, inside=inside)
    elif isinstance(value, list):
        for element in value:
            yield from _secrets_in(element, inside=inside)
    elif inside and isinstance(value, str):
        yield from secret_texts(value)
