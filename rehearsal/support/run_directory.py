"""Temporary directories of a run, which may hold private keys. The directories of killed runs are removed by the next run."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

PREFIX = "aurora-rehearsal-"
LOCK = "lock"


class RunDirectory:
    """A new temporary directory, locked while its process lives; a context manager.

    Creating one first removes the directories of this user's processes that were killed.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = Path(tempfile.gettempdir()) if parent is None else parent
        remove_abandoned(parent)
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        self._lock = os.open(self.path / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Remove the directory. Safe to call twice."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(lock)


def remove_abandoned(parent: Path) -> list[Path]:
    """Remove the run directories in `parent` whose process has ended, and return them."""
    removed: list[Path] = []
    for directory in sorted(parent.glob(f"{PREFIX}*")):
        try:
            lock = os.open(directory / LOCK, os.O_RDWR)
        except OSError:
            continue  # a new directory without its lock yet, or another user's
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(directory, ignore_errors=True)
            removed.append(directory)
        finally:
            os.close(lock)
    return removed
