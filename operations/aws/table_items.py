"""The items of one region's state table as the commands read and write them.

The format is the controller's (`functions/failover_controller/table_items.py`). An item that cannot be parsed is reported as a
problem and never raises, because disarming must work even then.
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
from operations.support.times import utc_text

CONTROLLER_SILENT_SECONDS = 120.0
"""Age of the last cycle beyond which the controller does not run and its state is stale."""
OPERATOR = "operator"
"""The `action` of every audit entry of an operator command."""
STATE: Key = ("state", "current")
SWITCH: Key = ("switch", "current")
Value = TypeVar("Value")


class OperatorReason(StrEnum):
    """The `reason` of an operator command's audit entry."""

    DISARM = "operator-disarm"
    ARM = "operator-arm"
    APPROVE = "operator-approve"
    SWITCHOVER = "operator-switchover"
    FAILOVER = "operator-failover"
    DRILL = "operator-drill"
    REWIND = "operator-rewind"


@dataclass(frozen=True, kw_only=True)
class ParsedItem(Generic[Value]):
    """An item and its value, or the reason why it cannot be parsed; both `None` if the item does not exist."""

    raw: Item | None
    value: Value | None = None
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """An entry of the audit trail, written by the controller or by a command."""

    at: str
    reason: str
    action: str
    id: str
    line: Mapping[str, object]
    """The notice, or `{"line": text}` if it is not a JSON object."""

    @property
    def evidence(self) -> Mapping[str, object]:
        """The notice's evidence."""
        found = self.line.get("evidence")
        return found if isinstance(found, Mapping) else {}

    def to_json(self) -> dict[str, object]:
        """Return the entry as one flat object."""
        return {**self.line, "at": self.at, "reason": self.reason, "action": self.action, "id": self.id}


def approval_key(decision_id: str) -> Key:
    """Return the key of the answer to a pending decision."""
    return "approval", decision_id


def parse_state(item: Item | None) -> "ParsedItem[State]":
    """Return the controller's state."""
    return _parsed(item, read_state)


def parse_switch(item: Item | None) -> "ParsedItem[Switch]":
    """Return the switch that `arm` and `disarm` write."""
    return _parsed(item, read_switch)


def parse_approval(item: Item | None) -> "ParsedItem[Approval]":
    """Return an operator's answer to a decision."""
    return _parsed(item, read_approval)


def parse_audit_entry(item: Item) -> AuditEntry:
    """Return an entry of the audit trail; every attribute may be missing or malformed."""
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
    """Return whether the switch lets the controller act; a missing or expired switch does."""
    return switch is None or switch.armed or (switch.expires_at is not None and switch.expires_at <= now)


def describe_switch(switch: ParsedItem[Switch], now: datetime) -> str:
    """Return the switch as text: armed or disarmed, until when, by whom and why."""
    if switch.problem is not None:
        return f"unreadable ({switch.problem}): the controller holds"
    value = switch.value
    if value is None:
        return "armed (never switched, or a window ended)"
    at = changed_at(switch.raw)
    since = "" if at is None else f" at {utc_text(at)}"
    by = f"by {value.by or 'unknown'}{since}: {value.reason or 'no reason given'}"
    if value.armed:
        return f"armed {by}"
    if is_armed(value, now):
        return f"armed: the window ended {end_text(value.expires_at)}; disarmed {by}"
    return f"disarmed {end_text(value.expires_at)} {by}"


def end_text(expires_at: datetime | None) -> str:
    """Return when a disarm window ends, as text."""
    return "without end" if expires_at is None else f"until {utc_text(expires_at)}"


def changed_at(raw: Item | None) -> datetime | None:
    """Return when the switch was last changed; `None` if the item does not contain a valid time."""
    text = None if raw is None else raw.get("changed_at")
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else None


def switch_item(
    *,
    armed: bool,
    reason: str,
    by: str,
    at: datetime,
    change_id: str,
    expires_at: datetime | None,
    previous: Item | None,
) -> dict[str, object]:
    """Return the attributes of the switch that replaces `previous`; TTL needs `expires_at` in epoch seconds."""
    before = None if previous is None else previous.get("version")
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
    """Return the attributes of an approval."""
    return {"approved": True, "by": by, "at": at.isoformat(), "verdict": verdict, "change_id": change_id}


def audit_entry(
    reason: OperatorReason,
    *,
    global_cluster_id: str,
    region: str,
    at: datetime,
    change_id: str,
    evidence: Mapping[str, object],
) -> tuple[Key, dict[str, object]]:
    """Return the key and the attributes of an audit entry, in the format of the controller's notices."""
    line = {
        "reason": reason,
        "action": OPERATOR,
        "global_cluster": global_cluster_id,
        "region": region,
        "at": at.isoformat(),
        "id": change_id,
        "evidence": dict(evidence),
    }
    item: dict[str, object] = {
        "at": at.isoformat(),
        "reason": str(reason),
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
