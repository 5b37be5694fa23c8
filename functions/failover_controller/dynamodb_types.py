"""DynamoDB's attribute values, as far as the controller's items need them.

Owns the two conversions. Does not own what an item means (`items.py`) or the calls (`aws.py`). Invariant: what was
written reads back as it was. boto3 has both too, but importing them imports all of boto3, an eighth of a cold start,
of which nothing else is used here; the tests hold ours against boto3's.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

AttributeValue = Mapping[str, Any]
"""One value under its type's letters. Source: Amazon DynamoDB API Reference, AttributeValue."""


def serialize(value: object) -> dict[str, Any]:
    """Return a value as DynamoDB takes it: text, truth, whole and decimal numbers, nothing, lists and maps of these.

    Raises:
        TypeError: for any other type; floats among them, which DynamoDB would round.
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
    raise TypeError(f"{type(value).__name__} is no type of an item here: {value!r}")


def deserialize(value: AttributeValue) -> Any:
    """Return what DynamoDB answered as a plain value; numbers as Decimal.

    Raises:
        TypeError: it has a type that no item of ours has.
    """
    ((letters, content),) = value.items()
    read = _READERS.get(letters)
    if read is None:
        raise TypeError(f"{letters} is no type of an item here")
    return read(content)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "NULL": lambda _: None,
    "BOOL": bool,
    "S": str,
    "N": Decimal,
    "M": lambda content: {name: deserialize(item) for name, item in content.items()},
    "L": lambda content: [deserialize(item) for item in content],
}
