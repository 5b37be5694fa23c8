"""Poll AWS until it has finished, with progress lines, a time limit and a hint for resuming."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from operations.commands.context import CommandContext
from operations.support.deadlines import call_with_deadline
from operations.support.errors import AwsError, StoppedError, TimedOutError

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH = 0.5, 5.0, 1.5
PROGRESS_INTERVAL_SECONDS = 30.0
MAX_CONSECUTIVE_FAILURES = 10
"""During a switchover a region's RDS API may be slow or throttle."""


@dataclass(frozen=True, kw_only=True)
class PollResult:
    """Result of one poll."""

    done: bool
    text: str


class Waiter:
    """A wait in several phases for an operation that AWS continues by itself."""

    def __init__(self, context: CommandContext, *, timeout_seconds: float, continues: str, resume: str) -> None:
        self._context = context
        self._timeout_seconds = timeout_seconds
        self._hint = f"{continues} Follow it: {resume}"
        self._started = context.stopwatch()
        self.seconds: dict[str, float] = {}
        """Seconds from the start of the wait to the end of each phase, by phase."""

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the start."""
        return self._context.stopwatch() - self._started

    def note(self, text: str) -> None:
        """Print a progress line with the elapsed time."""
        minutes, seconds = divmod(int(self.elapsed_seconds), 60)
        self._context.screen.note(f"  {minutes:02d}:{seconds:02d}  {text}")

    def wait(self, phase: str, poll: Callable[[], PollResult]) -> None:
        """Poll until the phase is done; tolerate up to 10 consecutive polling errors.

        Raises:
            TimedOutError: the time limit of the whole wait is over.
            AwsError: too many consecutive polls failed.
            OperationError: raised by `poll`.
        """
        printed, printed_at, failures, pause = "", 0.0, 0, FIRST_PAUSE_SECONDS
        while True:
            try:
                result, failures = call_with_deadline(poll), 0
            except AwsError as error:
                failures += 1
                if failures > MAX_CONSECUTIVE_FAILURES:
                    raise
                result = PollResult(done=False, text=f"{phase}: currently can't be read: {error.message}")
            is_due = self.elapsed_seconds - printed_at >= PROGRESS_INTERVAL_SECONDS
            if result.text != printed or is_due or result.done:
                printed, printed_at = result.text, self.elapsed_seconds
                self.note(result.text)
            if result.done:
                self.seconds[phase] = round(self.elapsed_seconds, 2)
                return
            if self.elapsed_seconds >= self._timeout_seconds:
                raise TimedOutError(
                    f"{phase}: not finished within {self._timeout_seconds:g} s; last state: {result.text}", hint=""
                )
            self._context.sleep(min(pause, max(0.0, self._timeout_seconds - self.elapsed_seconds)))
            pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)

    @contextmanager
    def hints(self) -> Iterator[None]:
        """Add the operation that continues in AWS, and the command that follows it, to each error that ends the wait early."""
        try:
            yield
        except KeyboardInterrupt as error:
            raise StoppedError(f"Ctrl-C: the wait ended after {self.elapsed_seconds:.0f} s", hint=self._hint) from error
        except TimedOutError as error:
            raise TimedOutError(error.message, hint=self._hint) from error
        except AwsError as error:
            raise AwsError(error.message, hint=f"{self._hint} ({error.hint})") from error
