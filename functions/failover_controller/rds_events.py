"""Recorder of RDS events from EventBridge in the audit trail.

Events are never an input of a decision: RDS emits them on a best-effort basis, possibly out of order, twice or never.
Malformed events are logged and dropped.
Source: Monitoring Amazon Aurora events; Amazon RDS event categories and event messages for Aurora.
"""

import json
import logging
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from .model import Action, Notice, Reason
from .ports import PortError, Store
from .problems import PREFIX

SOURCE = "aws.rds"
WRITE_PAUSES_SECONDS = (1.0, 1.0)
"""Pauses before a write is retried. Lambda's own retries are off, as they would also repeat late starts of the controller."""
TEXT_LIMIT = 1000
"""Maximum length of a recorded text, which bounds the item's size."""


class MalformedEventError(ValueError):
    """An event does not have the documented form."""


def is_rds_event(event: object) -> bool:
    """Return whether the invocation is an RDS event and not the schedule."""
    return isinstance(event, Mapping) and event.get("source") == SOURCE


class RdsEventRecorder:
    """Records RDS events; a repeated event is the same item."""

    def __init__(
        self,
        *,
        store: Store,
        log: logging.Logger,
        region: str,
        global_cluster_id: str,
        cluster_ids: Collection[str],
        sleep: Callable[[float], None],
    ) -> None:
        self._store = store
        self._log = log
        self._region = region
        self._global_cluster_id = global_cluster_id
        names = "|".join(re.escape(name) for name in (global_cluster_id, *cluster_ids))
        # Hyphens are part of a name: payments-dev must not match in payments-dev-2.
        self._names = re.compile(rf"(?<![\w-])(?:{names})(?![\w-])", re.IGNORECASE)
        self._sleep = sleep

    def record(self, event: Mapping[str, object]) -> dict[str, object]:
        """Record one event; return in JSON types whether it was recorded.

        Raises:
            PortError: three writes failed. The invocation fails and counts as a Lambda error.
        """
        try:
            notice = self._notice(event)
        except MalformedEventError as error:
            self._log.warning("%s: malformed RDS event: %s: %s", PREFIX, error, repr(event)[:TEXT_LIMIT])
            return {"recorded": False, "why": f"malformed: {error}"}
        if notice is None:
            return {"recorded": False, "why": "the event is about another cluster"}
        self._log.info(notice.line)
        self._write(notice)
        return {"recorded": True, "id": notice.id}

    def _write(self, notice: Notice) -> None:
        for pause in WRITE_PAUSES_SECONDS:
            try:
                return self._store.record(notice)
            except PortError:
                self._sleep(pause)
        return self._store.record(notice)

    def _notice(self, event: Mapping[str, object]) -> Notice | None:
        """Return the event's audit trail entry; `None` if it is about another cluster of the account."""
        detail = event.get("detail")
        if not isinstance(detail, Mapping):
            raise MalformedEventError("detail: is missing")
        notice_id, event_id = _text(event, "id"), _text(detail, "EventID")
        # Events on blocked writes are about instances and name the cluster only in their message.
        texts = [detail.get(name) for name in ("SourceIdentifier", "SourceArn", "Message")]
        if not any(isinstance(text, str) and self._names.search(text) for text in texts):
            return None
        # `Date` has milliseconds; the envelope's `time` has whole seconds.
        at = _time(detail, "Date") if "Date" in detail else _time(event, "time")
        line = {
            "reason": Reason.RDS_EVENT,
            "action": Action.NOTIFY,
            "global_cluster": self._global_cluster_id,
            "region": self._region,
            "at": at.isoformat(),
            "id": notice_id,
            "evidence": {
                "event_id": event_id,
                "message": _shortened(detail.get("Message")),
                "source": _shortened(detail.get("SourceIdentifier")),
                "source_type": _shortened(detail.get("SourceType")),
            },
            "runbook": Reason.RDS_EVENT,
        }
        return Notice(id=notice_id, at=at, reason=Reason.RDS_EVENT, action=Action.NOTIFY, line=json.dumps(line))


def _text(item: Mapping[str, object], name: str) -> str:
    value = item.get(name)
    if not isinstance(value, str) or not value or len(value) > TEXT_LIMIT:
        raise MalformedEventError(f"{name}: is {repr(value)[:80]}")
    return value


def _time(item: Mapping[str, object], name: str) -> datetime:
    text = _text(item, name)
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedEventError(f"{name}: {error}") from error


def _shortened(value: object) -> str | None:
    return None if value is None else str(value)[:TEXT_LIMIT]
