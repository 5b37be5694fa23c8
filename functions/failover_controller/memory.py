"""The controller's state between cycles."""

from collections.abc import Callable
from datetime import datetime

from .model import Records, Side, State
from .ports import DisarmedError, StateConflictError, Store, UnavailableError


class StateMemory:
    """The last known state. The table is authoritative; memory is the fallback while it is unreadable or unwritable."""

    def __init__(self, store: Store, *, on_problem: Callable[[str], None]) -> None:
        self._store = store
        self._on_problem = on_problem
        self.state: State | None = None
        self.writer = Side.UNKNOWN
        """The last known writer."""
        self.is_unsaved = False
        """Whether the table lacks the last write."""

    def remember(self, state: State) -> None:
        """Keep a state without writing it."""
        self.state = state
        if state.writer is not Side.UNKNOWN:
            self.writer = state.writer

    def adopt(self, records: Records) -> State:
        """Return the table's state, or the state in memory if the table is unreadable or lacks the last write."""
        if "state" in records.failures:
            return self.state or State()
        table = records.state or State()
        if self.is_unsaved and self.state is not None and self.state.version == table.version:
            return self.state
        self.is_unsaved = False
        return table

    def save(self, state: State, records: Records | None = None, *, if_armed_at: datetime | None = None) -> bool:
        """Write the state over the version that it came from; return whether the table holds it.

        Raises:
            DisarmedError: the controller is disarmed at `if_armed_at`; the previous state is kept.
        """
        previous = self.state
        self.remember(state)
        if records is not None and "state" in records.failures:
            # An unreadable item is not overwritten: it may hold another invocation's attempt.
            self.is_unsaved = True
            return False
        try:
            self.remember(self._store.write_state(state, if_armed_at=if_armed_at))
        except DisarmedError:
            self.state = previous
            raise
        except StateConflictError as error:
            self._on_problem(f"state: {error}")
            self.state, self.is_unsaved = None, False
            return False
        except UnavailableError as error:
            self._on_problem(f"state: {error}")
            self.is_unsaved = True
            return False
        self.is_unsaved = False
        return True
