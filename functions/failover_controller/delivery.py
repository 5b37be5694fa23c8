"""Delivery of notices to the log, the SNS topic and the audit trail."""

import logging
from collections.abc import Callable, Sequence

from .model import Notice
from .ports import PortError, Store, Topic
from .problems import PREFIX


class NoticeDelivery:
    """Deliver each notice to the log, the SNS topic and the audit trail, each independently of the others.

    Log, publish and record it at most once per execution environment.
    """

    def __init__(self, *, store: Store, topic: Topic, log: logging.Logger) -> None:
        self._store = store
        self._topic = topic
        self._log = log
        self._logged: set[str] = set()
        self._published: set[str] = set()
        self._recorded: set[str] = set()

    def deliver(self, notices: Sequence[Notice]) -> frozenset[str]:
        """Return the ids of the delivered notices; the next cycle retries the others."""
        return frozenset(notice.id for notice in notices if self._deliver(notice))

    def _deliver(self, notice: Notice) -> bool:
        if notice.id not in self._logged:
            self._logged.add(notice.id)
            self._log.info(notice.line)
        # The topic first: notifying subscribers is more urgent than the audit trail.
        is_published = self._once(self._published, notice, self._topic.publish)
        is_recorded = self._once(self._recorded, notice, self._store.record)
        return is_published and is_recorded

    def _once(self, done: set[str], notice: Notice, deliver: Callable[[Notice], None]) -> bool:
        """Deliver a notice to one destination unless this was done; return whether it has arrived there."""
        if notice.id in done:
            return True
        try:
            deliver(notice)
        except PortError as error:
            self._log.warning("%s: notice %s will be delivered again: %s", PREFIX, notice.id, error)
            return False
        done.add(notice.id)
        return True
