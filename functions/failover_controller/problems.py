"""The controller's own errors: logged with their text, and counted in the metric `Error`."""

import logging

PREFIX = "problem"
"""First word of each line; the runbook's commands filter the log by it."""


class ProblemLog:
    """Logs each problem at once and keeps it until the result of a cycle takes it."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._kept: list[str] = []

    def append(self, problem: str) -> None:
        """Log a problem and keep it for the result."""
        self.write(problem)
        self._kept.append(problem)

    def write(self, problem: str) -> None:
        """Log a problem that the result contains already."""
        self._log.warning("%s: %s", PREFIX, problem)

    def take(self) -> tuple[str, ...]:
        """Return the kept problems and forget them."""
        kept = tuple(self._kept)
        self._kept.clear()
        return kept
