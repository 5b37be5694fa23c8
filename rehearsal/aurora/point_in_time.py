"""The continuous backup of a global database: every commit in order, so that a volume can be made as of any second.

Owns: the journal, how far back it reaches, and replaying it. Does not own: when something is committed (aurora.py), what a
change does (aurora_volume.py), or AWS's API for it (control_plane.py).
Invariant: a volume as of a moment holds exactly the transactions that were committed until then and that no failover has
lost since; the same moment gives the same rows, for a change brings its own time and chance.
"""

from collections import deque
from collections.abc import Sequence

from rehearsal.aurora.replication import LogEntry, OperationRefusedError
from rehearsal.aurora.storage import RowChange, Volume

LIMIT = 20_000
"""So many transactions are kept one by one; older ones are folded into the beginning, which moves forward with them."""


class Journal:
    """What was committed since the beginning. Not thread-safe: the global database's lock guards it."""

    def __init__(self, *, begun_at: float, limit: int = LIMIT) -> None:
        self.earliest_at = begun_at
        """Seconds since the epoch: nothing older can be had."""
        self._limit = limit
        self._base = Volume(lambda: ())
        self._entries: deque[LogEntry] = deque()

    def begin(self, changes: Sequence[RowChange]) -> None:
        """Note what a cluster is created with: it holds from the beginning on."""
        self._base.apply(changes)

    def begin_as(self, volume: Volume) -> None:
        """Begin with a copy of another volume."""
        self._base.copy_from(volume)

    def record(self, entry: LogEntry) -> None:
        """Note a transaction; they come in the order of their commits."""
        self._entries.append(entry)
        if len(self._entries) > self._limit:
            oldest = self._entries.popleft()
            self._base.apply(oldest.changes)
            self.earliest_at = oldest.transaction.committed_at

    def lose_after(self, sequence: int) -> None:
        """Forget what a failover has lost: the promoted cluster has never had it."""
        while self._entries and self._entries[-1].transaction.sequence > sequence:
            self._entries.pop()

    def restore(self, volume: Volume, at: float) -> None:
        """Make `volume` what the writer's was at `at`, in seconds since the epoch.

        Raises:
            OperationRefusedError: that is longer ago than the journal reaches.
        """
        if at < self.earliest_at:
            raise OperationRefusedError(f"nothing is kept from before {self.earliest_at:.3f}")
        volume.copy_from(self._base)
        for entry in self._entries:
            if entry.transaction.committed_at > at:
                return
            volume.apply(entry.changes)

    def close(self) -> None:
        """Free the storage."""
        self._base.close()
