# ruff: noqa: D102 - the ports document these methods
"""The table's keys and write conditions. Malformed items are reported and never overwritten."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol, TypeVar

from .model import Approval, Claim, Notice, Records, State, Switch
from .ports import CheckFailedError, DisarmedError
from .table_items import (
    MalformedItemError,
    claim_item,
    history_item,
    history_key,
    read_approval,
    read_claim,
    read_state,
    read_switch,
    state_item,
)

Kind = TypeVar("Kind")
Key = tuple[str, str]
STATE: Key = ("state", "current")
LEASE: Key = ("lease", "current")
LOCK: Key = ("lock", "current")
SWITCH: Key = ("switch", "current")


class ItemCheck(NamedTuple):
    """A condition on another item of the table, evaluated in one transaction with a write."""

    key: Key
    condition: str
    values: Mapping[str, object]


class Table(Protocol):
    """A table with conditional writes."""

    def read(self, keys: list[Key]) -> dict[Key, dict[str, object] | None]:
        """Return the items by key: `None` if absent, left out if not read. Raises UnavailableError."""
        ...

    def write(
        self,
        key: Key,
        attributes: Mapping[str, object],
        *,
        condition: str | None = None,
        values: Mapping[str, object] | None = None,
        check: ItemCheck | None = None,
    ) -> None:
        """Put one item. In `condition`, `#name` is an attribute and `:name` one of `values`.

        Raises:
            StateConflictError: the condition does not hold.
            CheckFailedError: the condition of `check` does not hold.
            UnavailableError: the item may have been written.
        """
        ...


class TableStore:
    """State, lease, lock, switch, approvals and audit trail in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, approval_id: str | None) -> Records:
        keys = [STATE, LEASE, LOCK, SWITCH]
        approval: Key | None = None if approval_id is None else ("approval", approval_id)
        items = self._table.read(keys if approval is None else [*keys, approval])
        failures: dict[str, str] = {}
        found: dict[str, State | Claim | Switch | Approval | None] = {}
        wanted = [(STATE, read_state), (LEASE, read_claim), (LOCK, read_claim), (SWITCH, read_switch)]
        if approval is not None:
            wanted.append((approval, read_approval))
        for key, read in wanted:
            name = key[0]
            if key not in items:
                failures[name] = "was not read (throttled)"
                continue
            item = items[key]
            try:
                found[name] = None if item is None else read(item)
            except MalformedItemError as error:
                failures[name] = f"malformed: {error}"
        return Records(
            state=_as(State, found.get("state")),
            switch=_as(Switch, found.get("switch")),
            lease=_as(Claim, found.get("lease")),
            lock=_as(Claim, found.get("lock")),
            approval=_as(Approval, found.get("approval")),
            failures=failures,
        )

    def write_state(self, state: State, *, if_armed_at: datetime | None = None) -> State:
        written = replace(state, version=state.version + 1)
        armed = None if if_armed_at is None else _armed_at(if_armed_at)
        try:
            self._write_over(STATE, state_item(written), state.version, check=armed)
        except CheckFailedError as error:
            raise DisarmedError(str(error)) from error
        return written

    def take_lease(self, holder: str, at: datetime, previous: Claim | None) -> Claim:
        """Take the lease from `previous`. It does not expire; a successor takes it.

        Raises:
            StateConflictError, UnavailableError.
        """
        version = 0 if previous is None else previous.version
        claim = Claim(holder=holder, until=None, version=version + 1)
        attributes = {**claim_item(claim), "taken_at": at.isoformat()}
        self._write_over(LEASE, attributes, None if previous is None else version)
        return claim

    def take_lock(self, holder: str, at: datetime, until: datetime) -> None:
        """Take the lock if it is free, expired or held by `holder`.

        Raises:
            StateConflictError, UnavailableError.
        """
        self._table.write(
            LOCK,
            claim_item(Claim(holder=holder, until=until, version=0)),
            condition="attribute_not_exists(#item) OR #until < :now OR #holder = :holder",
            values={"now": round(at.timestamp() * 1000), "holder": holder},
        )

    def release_lock(self, holder: str) -> None:
        attributes = {"holder": holder, "until": 0, "version": 0}
        self._table.write(LOCK, attributes, condition="#holder = :holder", values={"holder": holder})

    def record(self, notice: Notice) -> None:
        self._table.write(history_key(notice), history_item(notice))

    def _write_over(
        self, key: Key, attributes: Mapping[str, object], version: int | None, *, check: ItemCheck | None = None
    ) -> None:
        if not version:
            self._table.write(key, attributes, condition="attribute_not_exists(#item)", check=check)
        else:
            self._table.write(
                key, attributes, condition="#version = :version", values={"version": version}, check=check
            )


def _armed_at(at: datetime) -> ItemCheck:
    """Return the condition that the switch does not disarm the controller at a time, as `conditions.is_disarmed`."""
    return ItemCheck(
        key=SWITCH,
        condition="attribute_not_exists(#item) OR #armed = :armed OR #expires_at <= :now",
        values={"armed": True, "now": Decimal(f"{at.timestamp():.3f}")},
    )


def _as(kind: type[Kind], value: object) -> Kind | None:
    return value if isinstance(value, kind) else None
