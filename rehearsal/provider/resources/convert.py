"""Conversions between Pulumi's property values and boto3's parameters, shared by the handlers' tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Turn a mapping of tags into the list of Key and Value that most services take."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def kms_tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Turn a mapping of tags into the list of TagKey and TagValue that KMS takes."""
    return [{"TagKey": key, "TagValue": value} for key, value in sorted(tags.items())]


def pascal(value: Any) -> Any:
    """Write the keys of nested objects as AWS does (`roleArn` -> `RoleArn`); not for maps whose keys are data."""
    if isinstance(value, Mapping):
        return {key[:1].upper() + key[1:]: pascal(element) for key, element in value.items() if element is not None}
    if isinstance(value, list):
        return [pascal(element) for element in value]
    return value
