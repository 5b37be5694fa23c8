"""DynamoDB attribute values compared with boto3's."""

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from functions.failover_controller.dynamodb_types import UnsupportedAttribute, deserialize, serialize

NUMBERS = st.integers(-(10**30), 10**30) | st.decimals(min_value=-(10**9), max_value=10**9, places=3)
LEAVES = st.none() | st.booleans() | st.text() | NUMBERS
VALUES = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4), max_leaves=12
)


@given(VALUES)
def test_serialized_value_equals_boto3s(value: Any) -> None:
    """The operator commands read the table with boto3."""
    assert TypeSerializer().serialize(value) == serialize(value)


@given(VALUES)
def test_deserialized_value_equals_boto3s(value: Any) -> None:
    """Numbers are Decimal."""
    written = TypeSerializer().serialize(value)
    assert TypeDeserializer().deserialize(written) == deserialize(written)


@pytest.mark.parametrize("value", [1.5, b"x", {"a"}, [1.5], {"a": object()}])
def test_unsupported_python_type_is_an_error(value: object) -> None:
    """DynamoDB would round a float."""
    with pytest.raises(TypeError, match="is unsupported"):
        serialize(value)


@pytest.mark.parametrize("value", [{"SS": ["a"]}, {"NS": ["1"]}, {"BS": [b"x"]}, {"B": b"x"}])
def test_unsupported_type_is_no_error_and_no_other_value(value: dict[str, Any]) -> None:
    """No item of the controller holds a set or bytes, and one must not hide the other items."""
    (descriptor,) = value
    read = deserialize({"M": {"x": value}})["x"]
    assert read == UnsupportedAttribute(descriptor)
    assert not isinstance(read, str | bool | Decimal | list | dict)
