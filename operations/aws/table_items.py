"""The items of one region's table as the commands read and write them.

Owns what the commands write: the switch, the approval, and their traces in the audit trail. The form of the items is
the controller's (`functions/failover_controller/table_items.py`), whose readers are used here. Invariant: an item that can't
be understood is a problem to be shown, not an end: disarming must work then too.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Generic, TypeVar

from functions.failover_controller.model import Approval, State, Switch
from functions.failover_controller.table_items import MalformedItemError, read_approval, read_state, read_switch
from operations.aws.ports import Item, Key

OPERATOR = "operator"
"""The action word of everything that a person did."""
STATE: Key = ("state", "current")
SWITCH: Key = ("switch", "current")
Value = TypeVar("Value")


class OperatorReason(StrEnum):
    """What a person did: the reason word of the entry in the audit trail, beside the controller's own."""

    DISARM = "operator-disarm"
    ARM = "operator-arm"
    APPROVE = "operator-approve"
    SWITCHOVER = "operator-switchover"
    FAILOVER = "operator-failover"
    DRILL = "operator-drill"
    REWIND = "operator-rewind"


@dataclass(frozen=True, kw_only=True)
class ParsedItem(Generic[Value]):
    """An item as read: its value, or why it can't be understood; both `None` when there is none."""

    raw: Item | None
    value: Value | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One line of the audit trail, whatever wrote it."""

    at: str
    reason: str
    action: str
    id: str
    line: Mapping[str, object]
    """The notice, or `{"line": text}` when it is no JSON object."""

    @property
    def evidence(self) -> Mapping[str, object]:
        """What the notice rests on."""
        found = self.line.get("evidence")
        return found if isinstance(found, Mapping) else {}

    def to_json(self) -> dict[str, object]:
        """Return the entry as one flat object."""
        return {**self.line, "at": self.at, "reason": self.reason, "action": self.action, "id": self.id}


def approval_key(decision_id: str) -> Key:
    """Return the keys of the answer to one pending decision."""
    return "approval", decision_id


def parse_state(item: Item | None) -> "ParsedItem[State]":
    """Return the controller's state."""
    return _parsed(item, read_state)


def parse_switch(item: Item | None) -> "ParsedItem[Switch]":
    """Return the off-switch."""
    return _parsed(item, read_switch)


def parse_approval(item: Item | None) -> "ParsedItem[Approval]":
    """Return a person's answer."""
    return _parsed(item, read_approval)


def parse_audit_entry(item: Item) -> AuditEntry:
    """Return one line of the audit trail; nothing in it is taken for granted."""
    text = str(item.get("line", ""))
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    sort = str(item.get("sort", ""))
    return AuditEntry(
        at=str(item.get("at") or sort.partition("#")[0]),
        reason=str(item.get("reason", "?")),
        action=str(item.get("action", "?")),
        id=sort.partition("#")[2],
        line=line if isinstance(line, dict) else {"line": text},
    )


def is_armed(switch: Switch | None, now: datetime) -> bool:
    """Whether the controller may act as far as the switch goes; no switch, or an expired one, is armed."""
    return switch is None or switch.armed or (switch.expires_at is not None and switch.expires_at <= now)


def switch_item(
    *, armed: bool, reason: str, by: str, at: datetime, change_id: str, expires_at: datetime | None, over: Item | None
) -> dict[str, object]:
    """Return the attributes of the switch that follows on `over`; `expires_at` in epoch seconds, as TTL wants it."""
    before = None if over is None else over.get("version")
    item: dict[str, object] = {
        "armed": armed,
        "reason": reason,
        "by": by,
        "version": (_whole(before) or 0) + 1,
        "changed_at": at.isoformat(),
        "change_id": change_id,
    }
    return item if expires_at is None else {**item, "expires_at": int(expires_at.timestamp())}


def approval_item(*, by: str, at: datetime, verdict: str, change_id: str) -> dict[str, object]:
    """Return the attributes of a yes; its keys are those of `approval_key`."""
    return {"approved": True, "by": by, "at": at.isoformat(), "verdict": verdict, "change_id": change_id}


def audit_entry(
    trace: OperatorReason,
    *,
    global_cluster_id: str,
    region: str,
    at: datetime,
    change_id: str,
    evidence: Mapping[str, object],
) -> tuple[Key, dict[str, object]]:
    """Return the keys and attributes of the entry in the audit trail, in the form of the controller's notices."""
    line = {
        "reason": trace,
        "action": OPERATOR,
        "global_cluster": global_cluster_id,
        "region": region,
        "at": at.isoformat(),
        "id": change_id,
        "evidence": dict(evidence),
    }
    item: dict[str, object] = {
        "at": at.isoformat(),
        "reason": str(trace),
        "action": OPERATOR,
        "line": json.dumps(line),
    }
    return ("history", f"{at.isoformat()}#{change_id}"), item


def _parsed(item: Item | None, read: Callable[[Item], Value]) -> "ParsedItem[Value]":
    if item is None:
        return ParsedItem(raw=None)
    try:
        return ParsedItem(raw=item, value=read(item))
    except MalformedItemError as error:
        return ParsedItem(raw=item, problem=f"malformed: {error}")


def _whole(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return None


def changed_at(raw: Item | None) -> datetime | None:
    """Return when the switch was last changed; `None` when the item does not say so."""
    text = None if raw is None else raw.get("changed_at")
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None
