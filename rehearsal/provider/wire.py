"""Property values as Pulumi's engine sends them to a provider, as plain Python values and back.

The SDK's own decoder refuses the archives of an old state, which come as their hash alone.
Source: sdk/go/common/resource/plugin/rpc.go, pulumi/pulumi.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf import struct_pb2
from pulumi.output import Unknown
from pulumi.runtime.rpc import UNKNOWN

from rehearsal.provider.resources.values import SECRET_SIGNATURE, SIGNATURE_KEY, secret

ARCHIVE_SIGNATURE = "0def7320c3a5731c473e5ecbe6d01bc7"
ASSET_SIGNATURE = "c44067f5952c0a294b673a41bacd8c17"


@dataclass(frozen=True)
class SentFile:
    """An archive or an asset; two of the same hash are equal."""

    hash: str
    envelope: Mapping[str, Any] = field(compare=False)

    def content(self) -> pulumi.Archive | pulumi.Asset:
        """Return the SDK's archive or asset. Raises ValueError if only the hash is known, as in an old state."""
        envelope, is_archive = self.envelope, self.envelope[SIGNATURE_KEY] == ARCHIVE_SIGNATURE
        if envelope.get("path"):
            return (pulumi.FileArchive if is_archive else pulumi.FileAsset)(envelope["path"])
        if "text" in envelope and not is_archive:
            return pulumi.StringAsset(envelope["text"])
        if "assets" in envelope:
            return pulumi.AssetArchive({name: _file(each).content() for name, each in envelope["assets"].items()})
        raise ValueError(f"the state has only the hash of an archive: {self.hash}")


def decode_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return a struct's values: secrets unwrapped, whole numbers as ints, without None, sorted by name."""
    decoded = {name: _decode(value) for name, value in sorted(struct.fields.items())}
    return {name: value for name, value in decoded.items() if value is not None}


def encode_struct(values: Mapping[str, Any], secrets: Collection[str] = ()) -> struct_pb2.Struct:
    """Return a struct with the values; those of the names in `secrets` are marked as secret."""
    struct = struct_pb2.Struct()
    struct.update(
        {
            name: secret(_encode(value)) if name in secrets else _encode(value)
            for name, value in values.items()
            if value is not None
        }
    )
    return struct


def with_files(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with the SDK's archives. Raises ValueError if only the hash of one is known."""
    return {name: value.content() if isinstance(value, SentFile) else value for name, value in values.items()}


def _decode(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        decoded = {key: _decode(element) for key, element in sorted(value.struct_value.fields.items())}
        signature = decoded.get(SIGNATURE_KEY)
        if signature == SECRET_SIGNATURE:
            return decoded.get("value")
        if signature in (ARCHIVE_SIGNATURE, ASSET_SIGNATURE):
            return _file(decoded)
        return {key: element for key, element in decoded.items() if element is not None}
    if kind == "list_value":
        return [_decode(element) for element in value.list_value.values]
    if kind == "string_value":
        return Unknown() if value.string_value == UNKNOWN else value.string_value
    if kind == "number_value":
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    return value.bool_value if kind == "bool_value" else None


def _file(envelope: Any) -> SentFile:
    if isinstance(envelope, SentFile):
        return envelope
    return SentFile(envelope.get("hash", ""), envelope)


def _encode(value: Any) -> Any:
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, SentFile):
        return _encode(value.envelope)
    if isinstance(value, Mapping):
        return {key: _encode(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(element) for element in value]
    return value
