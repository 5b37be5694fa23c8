"""The continuous backup of a global database: restores a volume as of any second.

A restored volume holds exactly the transactions that were committed until then and that no failover has lost since.
"""

from collections import deque
from collections.abc import Sequence

from rehearsal.aurora.replication import LogEntry, ReplicationRefusedError
from rehearsal.aurora.storage import RowChange, Volume

LIMIT = 20_000
"""The number of transactions that stay individually restorable. Older ones are merged into the base volume."""


class ContinuousBackup:
    """The base volume and the commits since then. Not thread-safe: the global database's lock guards it."""

    def __init__(self, *, started_at: float, limit: int = LIMIT) -> None:
        self.earliest_at = started_at
        """The earliest restorable time, in seconds since the epoch."""
        self._limit = limit
        self._base = Volume(lambda: ())
        self._entries: deque[LogEntry] = deque()

    def start_with(self, changes: Sequence[RowChange]) -> None:
        """Apply the changes that create a cluster to the base volume."""
        self._base.apply(changes)

    def start_from(self, volume: Volume) -> None:
        """Start with a copy of another volume."""
        self._base.copy_from(volume)

    def record(self, entry: LogEntry) -> None:
        """Append a transaction, in commit order."""
        self._entries.append(entry)
        if len(self._entries) > self._limit:
            oldest = self._entries.popleft()
            self._base.apply(oldest.changes)
            self.earliest_at = oldest.transaction.committed_at

    def discard_after(self, sequence: int) -> None:
        """Discard the transactions that a failover lost."""
        while self._entries and self._entries[-1].transaction.sequence > sequence:
            self._entries.pop()

    def restore(self, volume: Volume, at: float) -> None:
        """Restore the writer's data as of `at` (seconds since the epoch) into `volume`.

        Raises:
            ReplicationRefusedError: `at` is before the earliest restorable time.
        """
        if at < self.earliest_at:
            raise ReplicationRefusedError(
                f"restore time {at:.3f} is before the earliest restorable time {self.earliest_at:.3f}"
            )
        volume.copy_from(self._base)
        for entry in self._entries:
            if entry.transaction.committed_at > at:
                return
            volume.apply(entry.changes)

    def close(self) -> None:
        """Close the base volume."""
        self._base.close()
