"""Conversion between Python values and DynamoDB attribute values.

boto3.dynamodb.types does the same, but importing boto3 makes the cold start exceed its limit (test_handler.py).
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

AttributeValue = Mapping[str, Any]
"""A value by its type descriptor. Source: AttributeValue, Amazon DynamoDB API Reference."""


def serialize(value: object) -> dict[str, Any]:
    """Return the attribute value of None, a bool, str, int or Decimal, or a list or mapping of these.

    Raises:
        TypeError: the type is unsupported. DynamoDB would round floats.
    """
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int | Decimal):
        return {"N": str(value)}
    if isinstance(value, Mapping):
        return {"M": {name: serialize(item) for name, item in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [serialize(item) for item in value]}
    raise TypeError(f"{value!r}: the type {type(value).__name__} is unsupported")


class UnsupportedAttribute(NamedTuple):
    """An attribute of a type that no item of the controller has, such as a set. A reader of the attribute rejects it."""

    descriptor: str


def deserialize(value: AttributeValue) -> Any:
    """Return the Python value of an attribute value; numbers as Decimal, an unsupported type as UnsupportedAttribute.

    One attribute that someone set by hand must not make the whole table unreadable.
    """
    ((descriptor, content),) = value.items()
    read = _READERS.get(descriptor)
    return UnsupportedAttribute(descriptor) if read is None else read(content)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "NULL": lambda _: None,
    "BOOL": bool,
    "S": str,
    "N": Decimal,
    "M": lambda content: {name: deserialize(item) for name, item in content.items()},
    "L": lambda content: [deserialize(item) for item in content],
}
