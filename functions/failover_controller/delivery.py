"""Brings notices to people: the log, the audit trail and the SNS topic.

Owns the delivery of one notice to all three. Does not own what is told or when (`notices.py`). Invariant: a notice
counts as delivered only when the audit trail and the topic took it; it is logged once, and never published again by
the same sandbox.
"""

import logging
from collections.abc import Sequence

from .model import Notice
from .ports import PortError, Store, Topic


class NoticeDelivery:
    """Delivers notices, and remembers which of them arrived."""

    def __init__(self, *, store: Store, topic: Topic, log: logging.Logger) -> None:
        self._store = store
        self._topic = topic
        self._log = log
        self._logged: set[str] = set()
        self._published: set[str] = set()

    def deliver(self, notices: Sequence[Notice]) -> frozenset[str]:
        """Return the ids of the notices that arrived; the others are tried again with the next cycle."""
        arrived = set()
        for notice in notices:
            if self._deliver(notice):
                arrived.add(notice.id)
        return frozenset(arrived)

    def _deliver(self, notice: Notice) -> bool:
        if notice.id not in self._logged:
            self._logged.add(notice.id)
            self._log.info(notice.line)
        try:
            # The topic first: in a regional trouble people come before the archive.
            if notice.id not in self._published:
                self._topic.publish(notice)
                self._published.add(notice.id)
            self._store.record(notice)
        except PortError as error:
            self._log.warning("a notice was not delivered: %s", error)
            return False
        return True
