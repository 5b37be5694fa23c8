"""What RDS itself says of a switchover or failover, taken from EventBridge into the audit trail, beside our own notices.

Owns which events are of this global database, and their form in the audit trail. Does not own the rule that delivers
them, nor the telling of people: the rule's other target is the topic. Invariant: it only adds to the audit trail; no
lease, no cycle and no decision rests on an event, for RDS emits them on a best effort basis: out of sequence, twice or
never. What can't be understood is logged and let go, as a repetition would not make it any better.
Source: Monitoring Amazon Aurora events; Amazon RDS event categories and event messages for Aurora.
"""

import json
import logging
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

from .model import Action, Notice, Reason
from .ports import PortError, Store

SOURCE = "aws.rds"
WRITE_PAUSES_SECONDS = (1.0, 1.0)
"""After each, the table is asked again. Lambda repeats nothing here: a late start of the controller would be repeated too."""
TEXT_LIMIT = 1000
"""Characters of a text that are kept: the item must stay small, whatever was sent."""


class MalformedEventError(ValueError):
    """An event does not have the form that AWS documents."""


def is_rds_event(event: object) -> bool:
    """Whether the function was started by an event of RDS, and not by its schedule."""
    return isinstance(event, Mapping) and event.get("source") == SOURCE


class RdsEventRecorder:
    """Records events of RDS; the same event again is the same item."""

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
        # Hyphens belong to names: payments-dev is not in payments-dev-2.
        self._names = re.compile(rf"(?<![\w-])(?:{names})(?![\w-])", re.IGNORECASE)
        self._sleep = sleep

    def record(self, event: Mapping[str, object]) -> dict[str, object]:
        """Record one event and say whether it was recorded, JSON-ready.

        Raises:
            PortError: the table did not take it, three times over: the invocation fails, so that it is counted.
        """
        try:
            notice = self._notice(event)
        except MalformedEventError as error:
            self._log.warning("an event of RDS was not understood: %s: %s", error, repr(event)[:TEXT_LIMIT])
            return {"recorded": False, "why": f"malformed: {error}"}
        if notice is None:
            return {"recorded": False, "why": "it is of another cluster"}
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
        """The event as an entry of the audit trail; `None` when it is of another cluster of the account."""
        detail = event.get("detail")
        if not isinstance(detail, Mapping):
            raise MalformedEventError("detail: is missing")
        identity, event_id = _text(event, "id"), _text(detail, "EventID")
        # Events on blocked writes are the instances' own, and name the cluster in their message only.
        where = [detail.get(name) for name in ("SourceIdentifier", "SourceArn", "Message")]
        if not any(isinstance(text, str) and self._names.search(text) for text in where):
            return None
        # To the millisecond in the detail; the envelope has whole seconds.
        at = _time(detail, "Date") if "Date" in detail else _time(event, "time")
        line = {
            "reason": Reason.RDS_EVENT,
            "action": Action.NOTIFY,
            "global_cluster": self._global_cluster_id,
            "region": self._region,
            "at": at.isoformat(),
            "id": identity,
            "evidence": {
                "event_id": event_id,
                "message": _shown(detail.get("Message")),
                "source": _shown(detail.get("SourceIdentifier")),
                "source_type": _shown(detail.get("SourceType")),
            },
            "runbook": Reason.RDS_EVENT,
        }
        return Notice(id=identity, at=at, reason=Reason.RDS_EVENT, action=Action.NOTIFY, line=json.dumps(line))


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


def _shown(value: object) -> str | None:
    return None if value is None else str(value)[:TEXT_LIMIT]
