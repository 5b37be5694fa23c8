"""Conversions from Pulumi's property values to boto3's parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as the list of Key and Value that most services take."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def kms_tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as the list of TagKey and TagValue that KMS takes."""
    return [{"TagKey": key, "TagValue": value} for key, value in sorted(tags.items())]


def pascal(value: Any) -> Any:
    """Capitalise the keys of nested objects (`roleArn` -> `RoleArn`); not for maps whose keys are data."""
    if isinstance(value, Mapping):
        return {key[:1].upper() + key[1:]: pascal(element) for key, element in value.items() if element is not None}
    if isinstance(value, list):
        return [pascal(element) for element in value]
    return value


def renamed(**names: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return a conversion that renames keys. Other keys stay as they are, and botocore rejects them by name."""
    return lambda value: {names.get(key, key): element for key, element in value.items()}


def camel(value: Any) -> Any:
    """Undo `pascal`."""
    if isinstance(value, Mapping):
        return {key[:1].lower() + key[1:]: camel(element) for key, element in value.items() if element is not None}
    if isinstance(value, list):
        return [camel(element) for element in value]
    return value


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in tags}


def _kms_tags(tags: list[dict[str, str]]) -> dict[str, str]:
    return {each["TagKey"]: each["TagValue"] for each in tags}


INVERSES: Mapping[Callable[[Any], Any], Callable[[Any], Any]] = {
    tag_list: _tags,
    kms_tag_list: _kms_tags,
    pascal: camel,
}
"""Maps each conversion to its inverse."""
