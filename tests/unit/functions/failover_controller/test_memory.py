"""The state in memory against the state in the table."""

from dataclasses import replace

import pytest

from functions.failover_controller.memory import StateMemory
from functions.failover_controller.model import Records, Side, State
from functions.failover_controller.store import STATE, TableStore
from tests.support.failover_controller.fakes import MemoryTable

UNREADABLE = Records(failures={"state": "throttled"})


@pytest.fixture
def table() -> MemoryTable:
    """An empty table."""
    return MemoryTable()


@pytest.fixture
def memory(table: MemoryTable) -> StateMemory:
    """A memory on that table."""
    return StateMemory(TableStore(table), on_problem=lambda problem: None)


def test_table_is_authoritative_after_a_successful_write(memory: StateMemory) -> None:
    """Another process may have written since."""
    assert memory.save(State(silent_cycles=1))
    assert memory.adopt(Records(state=State(version=5))) == State(version=5)


def test_memory_is_used_while_the_table_is_unreadable(memory: StateMemory) -> None:
    """The state of a first run is used if no state is known."""
    assert memory.adopt(UNREADABLE) == State()
    memory.remember(State(silent_cycles=2))
    assert memory.adopt(UNREADABLE).silent_cycles == 2


def test_unsaved_state_is_used_until_the_table_changes(memory: StateMemory, table: MemoryTable) -> None:
    """A failed write keeps the version, and another process's write increases it."""
    table.fails_to_write = lambda key: True
    assert not memory.save(State(version=3, silent_cycles=2))
    assert memory.is_unsaved
    assert memory.adopt(Records(state=State(version=3))).silent_cycles == 2
    assert memory.adopt(Records(state=State(version=4))).silent_cycles == 0
    assert not memory.is_unsaved


def test_unreadable_item_is_not_overwritten(memory: StateMemory, table: MemoryTable) -> None:
    """An unreadable item may hold another process's attempt."""
    assert not memory.save(State(silent_cycles=1), UNREADABLE)
    assert (table.items, memory.is_unsaved) == ({}, True)


def test_conflict_clears_the_memory(memory: StateMemory, table: MemoryTable) -> None:
    """The next cycle reads the other process's state; the known writer is kept."""
    memory.save(State(writer=Side.PEER))
    table.items[STATE]["version"] = 9
    assert memory.state is not None
    assert not memory.save(replace(memory.state, silent_cycles=1))
    assert (memory.state, memory.is_unsaved, memory.writer) == (None, False, Side.PEER)


def test_unknown_writer_does_not_replace_the_known_one(memory: StateMemory) -> None:
    """The endpoints to probe depend on the last known writer."""
    memory.remember(State(writer=Side.PEER))
    memory.remember(State())
    assert memory.writer is Side.PEER
