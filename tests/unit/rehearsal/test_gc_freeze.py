"""Tests of the exclusion of live objects from garbage collection."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.gc_freeze import freeze_live_objects


class Cycle:
    """References reference, so only the collector can free it."""

    def __init__(self) -> None:
        self.reference: Any = self


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_live_objects_are_frozen() -> None:
    """A collection's pause grows with the objects that it visits."""
    objects = [Cycle() for _ in range(1000)]
    freeze_live_objects()
    assert gc.get_freeze_count() > len(objects)
    assert not any(each is objects[0] for each in gc.get_objects())


def test_next_call_frees_objects_frozen_earlier() -> None:
    """A second deployment in one process does not keep the first one."""
    cycle = Cycle()
    weak = weakref.ref(cycle)
    freeze_live_objects()
    del cycle
    freeze_live_objects()
    assert weak() is None
