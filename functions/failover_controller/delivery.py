"""Delivery of notices to the log, the SNS topic and the audit trail."""

import logging
from collections.abc import Sequence

from .model import Notice
from .ports import PortError, Store, Topic


class NoticeDelivery:
    """Deliver each notice to the log, the SNS topic and the audit trail.

    Log and publish it at most once per execution environment.
    """

    def __init__(self, *, store: Store, topic: Topic, log: logging.Logger) -> None:
        self._store = store
        self._topic = topic
        self._log = log
        self._logged: set[str] = set()
        self._published: set[str] = set()

    def deliver(self, notices: Sequence[Notice]) -> frozenset[str]:
        """Return the ids of the delivered notices; the next cycle retries the others."""
        return frozenset(notice.id for notice in notices if self._deliver(notice))

    def _deliver(self, notice: Notice) -> bool:
        if notice.id not in self._logged:
            self._logged.add(notice.id)
            self._log.info(notice.line)
        try:
            # The topic first: notifying subscribers is more urgent than the audit trail.
            if notice.id not in self._published:
                self._topic.publish(notice)
                self._published.add(notice.id)
            self._store.record(notice)
        except PortError as error:
            self._log.warning("a notice was not delivered and will be retried: %s", error)
            return False
        return True
