"""Attribute values of DynamoDB: ours are boto3's, for what our items hold."""

from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from functions.failover_controller.dynamodb_types import deserialize, serialize

NUMBERS = st.integers(-(10**30), 10**30) | st.decimals(min_value=-(10**9), max_value=10**9, places=3)
LEAVES = st.none() | st.booleans() | st.text() | NUMBERS
VALUES = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4), max_leaves=12
)


@given(VALUES)
def test_a_value_is_written_as_boto3_writes_it(value: Any) -> None:
    """Other readers of the table, the operators' commands among them, use boto3."""
    assert TypeSerializer().serialize(value) == serialize(value)


@given(VALUES)
def test_a_value_is_read_as_boto3_reads_it(value: Any) -> None:
    """Numbers come as Decimal, as they do there."""
    written = TypeSerializer().serialize(value)
    assert TypeDeserializer().deserialize(written) == deserialize(written)


@pytest.mark.parametrize("value", [1.5, b"x", {"a"}, [1.5], {"a": object()}])
def test_what_no_item_holds_is_refused(value: object) -> None:
    """A float would be rounded in silence."""
    with pytest.raises(TypeError, match="is no type of an item here"):
        serialize(value)


def test_an_answer_of_another_type_is_refused() -> None:
    """Somebody else wrote it: it is not guessed at."""
    with pytest.raises(TypeError, match="SS is no type of an item here"):
        deserialize({"SS": ["a"]})
