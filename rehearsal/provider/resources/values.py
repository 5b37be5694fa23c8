"""Decoding of the property values that Pulumi sends, and masking of secrets.

Only handlers see the `plain` values. Values that are printed or kept in results are masked.
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
"""Shorter secrets are not redacted in error messages, because they would match ordinary words."""
OUTPUT_IN_TEXT = "Calling __str__ on an Output"
SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
"""The key that marks a secret, asset, archive or other special value. Source: sig.Key, pulumi/pulumi."""
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"


@dataclass(frozen=True, kw_only=True)
class InputValues:
    """A resource's inputs, decoded."""

    plain: dict[str, Any]
    """With secrets unwrapped, whole numbers as ints, and without None."""
    masked: dict[str, Any]
    """The values of `plain` for output, with secrets and archives replaced."""
    secrets: frozenset[str]
    """Texts to redact."""
    unknown: tuple[str, ...]
    """The properties with an unknown value: an output of a resource that does not exist, or that lacks the output."""

    def with_output_in_text(self) -> list[str]:
        """Return the properties into whose text the program formatted an `Output` by mistake."""
        return [name for name, value in self.plain.items() if any(OUTPUT_IN_TEXT in text for text in _texts(value))]


def decode(properties: Mapping[str, Any]) -> InputValues:
    """Decode properties as `rpc.deserialize_properties` returns them."""
    given = {name: value for name, value in sorted(properties.items()) if value is not None}
    plain = {name: _convert(value, _same, _same) for name, value in given.items()}
    return InputValues(
        plain=plain,
        masked={name: _masked(value) for name, value in given.items()},
        secrets=frozenset(text for value in given.values() for text in _secrets_in(value, inside=False)),
        unknown=tuple(
            name for name, value in plain.items() if any(isinstance(leaf, Unknown) for leaf in _leaves(value))
        ),
    )


def secret(value: Any) -> dict[str, Any]:
    """Wrap a value as a Pulumi secret."""
    return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": value}


def secret_texts(text: str) -> Iterator[str]:
    """Yield the texts to redact for a secret: the text itself, or only the passwords in a JSON object.

    Error messages may quote the rest of such an object, for example its host and user.
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


def _convert(value: Any, of_secret: Callable[[Any], Any], of_asset: Callable[[Any], Any]) -> Any:
    """Return the value without None, with whole numbers as ints, and with secrets and assets converted."""
    if rpc.is_rpc_secret(value):
        return _convert(of_secret(rpc.unwrap_rpc_secret(value)), of_secret, of_asset)
    if isinstance(value, Mapping):
        # Sorted, because protobuf returns mappings in a random order.
        return {
            key: _convert(element, of_secret, of_asset) for key, element in sorted(value.items()) if element is not None
        }
    if isinstance(value, list | tuple):
        return [_convert(element, of_secret, of_asset) for element in value]
    if isinstance(value, pulumi.Archive | pulumi.Asset):
        return of_asset(value)
    # Protobuf has only floats.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _same(value: Any) -> Any:
    return value


def _masked(value: Any) -> Any:
    return _convert(value, lambda _secret: MASKED, lambda asset: f"[{type(asset).__name__}]")


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
