"""Items of the table and their attributes; `operations` reads and writes the same form.

Times are ISO 8601 in UTC; `expires_at` is in epoch seconds for DynamoDB's TTL. Absent attributes have the value of a
first run.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from .model import Action, Approval, Attempt, AttemptStatus, Claim, Notice, Pending, Reason, Side, State, Switch

Item = Mapping[str, object]
Enumeration = TypeVar("Enumeration", bound=StrEnum)
Value = TypeVar("Value")


_REASONS = frozenset(str(reason) for reason in Reason)


class MalformedItemError(ValueError):
    """An item of the table is malformed; the message names the attribute."""


def state_item(state: State) -> dict[str, object]:
    """Return the attributes of the state, without the keys and without `None` values."""
    return _without_none(
        version=state.version,
        cycle_at=_written(state.cycle_at),
        writer=str(state.writer),
        writer_since=_written(state.writer_since),
        leads=state.leads,
        roles_changed_at=_written(state.roles_changed_at),
        silent_cycles=state.silent_cycles,
        dead_cycles=state.dead_cycles,
        dead_since=_written(state.dead_since),
        heartbeats=list(state.heartbeats),
        heartbeat_seen_at=_written(state.heartbeat_seen_at),
        lag_ms=_number(state.lag_ms),
        lag_at=_written(state.lag_at),
        served_at=_written(state.served_at),
        serving_since=_written(state.serving_since),
        calm_silence_at=_written(state.calm_silence_at),
        silence_healed_at=_written(state.silence_healed_at),
        peer_answered_at=_written(state.peer_answered_at),
        unhealthy_cycles=state.unhealthy_cycles,
        healthy_cycles=state.healthy_cycles,
        notified=[str(reason) for reason in state.notified],
        pending=None if state.pending is None else _pending_map(state.pending),
        attempt=None if state.attempt is None else _attempt_map(state.attempt),
        outbox=[_notice_map(notice) for notice in state.outbox],
    )


def read_state(item: Item) -> State:
    """Return the state. Raises MalformedItemError."""
    reader = _Reader(item)
    return State(
        version=reader.required("version", _whole),
        cycle_at=reader.optional("cycle_at", _time),
        writer=reader.optional("writer", _member(Side)) or Side.UNKNOWN,
        writer_since=reader.optional("writer_since", _time),
        leads=reader.optional("leads", _is(bool)) or False,
        roles_changed_at=reader.optional("roles_changed_at", _time),
        silent_cycles=reader.optional("silent_cycles", _whole) or 0,
        dead_cycles=reader.optional("dead_cycles", _whole) or 0,
        dead_since=reader.optional("dead_since", _time),
        heartbeats=reader.sequence("heartbeats", _is(str)),
        heartbeat_seen_at=reader.optional("heartbeat_seen_at", _time),
        lag_ms=reader.optional("lag_ms", _decimal),
        lag_at=reader.optional("lag_at", _time),
        served_at=reader.optional("served_at", _time),
        serving_since=reader.optional("serving_since", _time),
        calm_silence_at=reader.optional("calm_silence_at", _time),
        silence_healed_at=reader.optional("silence_healed_at", _time),
        peer_answered_at=reader.optional("peer_answered_at", _time),
        unhealthy_cycles=reader.optional("unhealthy_cycles", _whole) or 0,
        healthy_cycles=reader.optional("healthy_cycles", _whole) or 0,
        # A later version of the controller may have more reasons.
        notified=tuple(Reason(text) for text in reader.sequence("notified", _is(str)) if text in _REASONS),
        pending=reader.optional("pending", _read_pending),
        attempt=reader.optional("attempt", _read_attempt),
        outbox=reader.sequence("outbox", _read_notice),
    )


def read_switch(item: Item) -> Switch:
    """Return the switch. Raises MalformedItemError."""
    reader = _Reader(item)
    return Switch(
        armed=reader.required("armed", _is(bool)),
        reason=reader.optional("reason", _is(str)) or "",
        by=reader.optional("by", _is(str)) or "",
        expires_at=reader.optional("expires_at", _moment),
    )


def claim_item(claim: Claim) -> dict[str, object]:
    """Return the attributes of the lease or the lock; `until` is in epoch milliseconds, for comparison in a condition."""
    until = None if claim.until is None else round(claim.until.timestamp() * 1000)
    return _without_none(holder=claim.holder, until=until, version=claim.version)


def read_claim(item: Item) -> Claim:
    """Return the holder of the lease or the lock. Raises MalformedItemError."""
    reader = _Reader(item)
    return Claim(
        holder=reader.required("holder", _is(str)),
        until=reader.optional("until", lambda value: _moment(_whole(value) / 1000)),
        version=reader.optional("version", _whole) or 0,
    )


def read_approval(item: Item) -> Approval:
    """Return an operator's answer to the pending decision whose id is the item's sort key. Raises MalformedItemError."""
    reader = _Reader(item)
    return Approval(
        id=reader.required("sort", _is(str)),
        approved=reader.required("approved", _is(bool)),
        by=reader.optional("by", _is(str)) or "",
    )


def history_key(notice: Notice) -> tuple[str, str]:
    """Return the keys of a notice in the audit trail, which sort by time and are unique to the notice."""
    return "history", f"{notice.at.isoformat()}#{notice.id}"


def history_item(notice: Notice) -> dict[str, object]:
    """Return the attributes of a notice in the audit trail."""
    return {
        "at": notice.at.isoformat(),
        "reason": str(notice.reason),
        "action": str(notice.action),
        "line": notice.line,
    }


def _pending_map(pending: Pending) -> dict[str, object]:
    return {"id": pending.id, "verdict": str(pending.verdict), "asked_at": pending.asked_at.isoformat()}


def _attempt_map(attempt: Attempt) -> dict[str, object]:
    return _without_none(
        id=attempt.id,
        status=str(attempt.status),
        verdict=str(attempt.verdict),
        started_at=attempt.started_at.isoformat(),
        touched_at=attempt.touched_at.isoformat(),
        outage_at=attempt.outage_at.isoformat(),
        lag_ms=_number(attempt.lag_ms),
        heartbeat=attempt.heartbeat,
        calls=attempt.calls,
        overdue=attempt.overdue,
    )


def _notice_map(notice: Notice) -> dict[str, object]:
    return {"id": notice.id, **history_item(notice)}


def _read_pending(value: object) -> Pending:
    reader = _Reader(_check(value, dict))
    return Pending(
        id=reader.required("id", _is(str)),
        verdict=reader.required("verdict", _member(Reason)),
        asked_at=reader.required("asked_at", _time),
    )


def _read_attempt(value: object) -> Attempt:
    reader = _Reader(_check(value, dict))
    return Attempt(
        id=reader.required("id", _is(str)),
        status=reader.required("status", _member(AttemptStatus)),
        verdict=reader.required("verdict", _member(Reason)),
        started_at=reader.required("started_at", _time),
        touched_at=reader.required("touched_at", _time),
        outage_at=reader.required("outage_at", _time),
        lag_ms=reader.optional("lag_ms", _decimal),
        heartbeat=reader.optional("heartbeat", _is(str)),
        calls=reader.required("calls", _whole),
        overdue=reader.optional("overdue", _is(bool)) or False,
    )


def _read_notice(value: object) -> Notice:
    reader = _Reader(_check(value, dict))
    return Notice(
        id=reader.required("id", _is(str)),
        at=reader.required("at", _time),
        reason=reader.required("reason", _member(Reason)),
        action=reader.required("action", _member(Action)),
        line=reader.required("line", _is(str)),
    )


class _Reader:
    """Reads attributes of an item and names the malformed one in its error."""

    def __init__(self, item: Item) -> None:
        self._item = item

    def optional(self, name: str, parse: Callable[[object], Value]) -> Value | None:
        value = self._item.get(name)
        if value is None:
            return None
        try:
            return parse(value)
        except (ValueError, TypeError, OverflowError, OSError) as error:
            raise MalformedItemError(f"{name}: {error}") from error

    def required(self, name: str, parse: Callable[[object], Value]) -> Value:
        value = self.optional(name, parse)
        if value is None:
            raise MalformedItemError(f"{name}: is missing")
        return value

    def sequence(self, name: str, parse: Callable[[object], Value]) -> tuple[Value, ...]:
        return self.optional(name, lambda value: tuple(parse(part) for part in _check(value, list))) or ()


def _without_none(**attributes: object) -> dict[str, object]:
    return {name: value for name, value in attributes.items() if value is not None}


def _written(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _number(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(f"{value:.3f}")


def _check(value: object, kind: type[Value]) -> Value:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not a {kind.__name__}")
    return value


def _is(kind: type[Value]) -> Callable[[object], Value]:
    return lambda value: _check(value, kind)


def _decimal(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _whole(value: object) -> int:
    number = _decimal(value)
    if number != int(number):
        raise ValueError(f"{value!r} is not a whole number")
    return int(number)


def _moment(value: object) -> datetime:
    return datetime.fromtimestamp(_decimal(value), UTC)


def _time(value: object) -> datetime:
    at = datetime.fromisoformat(_check(value, str))
    if at.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return at


def _member(kind: type[Enumeration]) -> Callable[[object], Enumeration]:
    return lambda value: kind(_check(value, str))
