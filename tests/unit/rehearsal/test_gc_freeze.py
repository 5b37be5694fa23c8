"""Full collections find little to look through."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal.gc_freeze import freeze_live_objects


class Knot:
    """Holds itself, so that only the collector can free it."""

    def __init__(self) -> None:
        self.itself: Any = self


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_there_is_looked_through_no_more() -> None:
    """A collection's pause grows with what it looks through: afterwards that is next to nothing."""
    kept = [Knot() for _ in range(1000)]
    freeze_live_objects()
    assert gc.get_freeze_count() > len(kept)
    assert not any(each is kept[0] for each in gc.get_objects())


def test_what_has_become_garbage_since_is_freed_by_the_next_call() -> None:
    """A second deployment in one process does not keep the first one for ever."""
    knot = Knot()
    seen = weakref.ref(knot)
    freeze_live_objects()
    del knot
    freeze_live_objects()
    assert seen() is None
