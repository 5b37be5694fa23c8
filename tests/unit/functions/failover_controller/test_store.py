"""Items of the table and their write conditions."""

from dataclasses import replace
from decimal import Decimal

import pytest

from functions.failover_controller.model import Action, Claim, Notice, Pending, Reason, Side, State
from functions.failover_controller.ports import StateConflictError, UnavailableError
from functions.failover_controller.store import LEASE, LOCK, STATE, SWITCH, TableStore
from functions.failover_controller.table_items import (
    MalformedItemError,
    read_claim,
    read_state,
    read_switch,
    state_item,
)
from tests.support.failover_controller.builders import NOW, after, attempt, third_cycle
from tests.support.failover_controller.fakes import MemoryTable, as_stored

NOTICE = Notice(id="n1", at=NOW, reason=Reason.REGION_LOST, action=Action.FAIL_OVER, line='{"reason": "region-lost"}')
FULL = third_cycle(
    writer_since=after(-3600),
    leads=True,
    roles_changed_at=after(-900),
    notified=(Reason.REGION_LOST, Reason.LAG_TOO_HIGH),
    unhealthy_cycles=3,
    pending=Pending(id="ask-1", verdict=Reason.REGION_LOST, asked_at=NOW),
    attempt=attempt(overdue=True),
    outbox=(NOTICE,),
)


@pytest.mark.parametrize("state", [State(version=1), FULL, replace(FULL, attempt=attempt(lag_ms=None, heartbeat=None))])
def test_state_is_read_as_written(state: State) -> None:
    """The lag keeps its milliseconds."""
    assert state == read_state(as_stored(state_item(state)))


def test_reasons_of_a_later_version_are_left_out() -> None:
    """A rollback must not make the state unreadable."""
    item = {**as_stored(state_item(FULL)), "notified": ["a-future-label", "region-lost"], "a_future_attribute": {"x"}}
    assert replace(FULL, notified=(Reason.REGION_LOST,)) == read_state(item)


def test_absent_attributes_have_first_run_values() -> None:
    """An item of an earlier version lacks attributes."""
    assert State(version=3) == read_state({"version": Decimal(3)})


@pytest.mark.parametrize(
    "change",
    [
        {"version": None},
        {"version": "1"},
        {"version": Decimal("1.5")},
        {"version": True},
        {"writer": "somebody"},
        {"cycle_at": "yesterday"},
        {"cycle_at": "2026-11-24T03:00:00"},
        {"silent_cycles": "3"},
        {"heartbeats": "h"},
        {"heartbeats": [7]},
        {"notified": [7]},
        {"pending": []},
        {"pending": {"id": "x"}},
        {"attempt": {"id": "x", "status": "unknown"}},
        {"outbox": [{}]},
    ],
)
def test_malformed_state_names_the_attribute(change: dict[str, object]) -> None:
    """The error names the malformed attribute for the operator."""
    with pytest.raises(MalformedItemError, match=next(iter(change))):
        read_state({**as_stored(state_item(FULL)), **change})


def test_switch_expires_at_epoch_seconds() -> None:
    """`expires_at` is also DynamoDB's TTL attribute."""
    switch = read_switch({"armed": False, "reason": "r", "by": "ada", "expires_at": Decimal(round(NOW.timestamp()))})
    assert (switch.armed, switch.reason, switch.by, switch.expires_at) == (False, "r", "ada", NOW)


@pytest.mark.parametrize(
    "item", [{}, {"armed": "no"}, {"armed": False, "expires_at": "soon"}, {"armed": False, "by": 7}]
)
def test_malformed_switch_is_an_error(item: dict[str, object]) -> None:
    """A malformed switch leaves the arm state unknown."""
    with pytest.raises(MalformedItemError):
        read_switch(item)


def test_claim_beyond_the_range_of_datetime_is_an_error() -> None:
    """The item is malformed."""
    with pytest.raises(MalformedItemError):
        read_claim({"holder": "x", "until": Decimal("1e99")})


def test_first_state_is_written_only_if_absent() -> None:
    """One of two first runs wins."""
    table = MemoryTable()
    store = TableStore(table)
    assert store.write_state(State()).version == 1
    with pytest.raises(StateConflictError):
        store.write_state(State())


def test_state_is_written_over_its_own_version() -> None:
    """A stale writer gets a conflict."""
    table = MemoryTable()
    store = TableStore(table)
    first = store.write_state(State())
    second = store.write_state(replace(first, writer=Side.PEER))
    with pytest.raises(StateConflictError):
        store.write_state(first)
    assert second == store.read(None).state


def test_lease_is_taken_from_the_claim_that_was_read() -> None:
    """One of two successors wins; a lease does not expire."""
    store = TableStore(MemoryTable())
    first = store.take_lease("first", NOW, None)
    assert (Claim(holder="first", until=None, version=1), first) == (first, store.read(None).lease)
    assert store.take_lease("second", NOW, first).version == 2
    with pytest.raises(StateConflictError):
        store.take_lease("third", NOW, first)


def test_lock_is_taken_if_free_expired_or_own() -> None:
    """Otherwise there is a conflict."""
    store = TableStore(MemoryTable())
    store.take_lock("first", NOW, after(10))
    store.take_lock("first", after(1), after(11))
    with pytest.raises(StateConflictError):
        store.take_lock("second", after(11), after(20))
    store.take_lock("second", after(11.001), after(20))
    with pytest.raises(StateConflictError):
        store.release_lock("first")
    store.release_lock("second")
    store.take_lock("first", after(12), after(22))
    assert Claim(holder="first", until=after(22), version=0) == store.read(None).lock


def test_one_read_returns_all_records() -> None:
    """Absent items are None."""
    table = MemoryTable()
    table.items[("approval", "ask-1")] = as_stored({"item": "approval", "sort": "ask-1", "approved": True, "by": "ada"})
    records = TableStore(table).read("ask-1")
    assert (
        records.state,
        records.lease,
        records.lock,
        records.switch,
        records.failures,
    ) == (None, None, None, None, {})
    assert records.approval is not None and records.approval.approved


def test_each_unreadable_item_is_named() -> None:
    """A malformed and a throttled item are reported; the other items are returned."""
    table = MemoryTable()
    store = TableStore(table)
    state = store.write_state(State())
    table.items[LOCK] = {"holder": 7}
    table.throttles = lambda key: key == SWITCH
    records = store.read(None)
    assert (state, {"lock", "switch"}) == (records.state, set(records.failures))


def test_malformed_approval_is_no_approval() -> None:
    """A malformed approval is named in the failures."""
    table = MemoryTable()
    table.items[("approval", "ask-1")] = {"sort": "ask-1", "approved": "yes"}
    records = TableStore(table).read("ask-1")
    assert (records.approval, list(records.failures)) == (None, ["approval"])


def test_audit_trail_is_ordered_and_idempotent() -> None:
    """Recording a notice again changes nothing."""
    table = MemoryTable()
    store = TableStore(table)
    store.record(NOTICE)
    store.record(NOTICE)
    assert [("history", f"{NOW.isoformat()}#n1")] == list(table.items)
    assert ("region-lost", "fail-over", NOTICE.line) == tuple(
        table.history()[0][name] for name in ("reason", "action", "line")
    )


def test_unreachable_table_is_unavailable() -> None:
    """The store raises UnavailableError."""
    table = MemoryTable()
    table.fails_to_read = True
    with pytest.raises(UnavailableError):
        TableStore(table).read(None)
    assert STATE != LEASE
