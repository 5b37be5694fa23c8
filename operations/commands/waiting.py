"""Waiting for what AWS does: progress with the elapsed time, a time limit, and Ctrl-C with a word on what goes on.

Owns how often is looked, what is said meanwhile, and how the wait ends. Does not own what is waited for. Invariant: an
end before the goal always says what goes on by itself and how to follow it; a look that fails is borne, for a while.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from operations.commands.session import Session
from operations.support.deadlines import call_with_deadline
from operations.support.errors import AwsError, StoppedError, TimedOutError

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH = 0.5, 5.0, 1.5
SAY_AGAIN_SECONDS = 30.0
FAILURES_BORNE = 10
"""So many looks in a row may fail: in a switchover the RDS API of a region may be slow, or throttle."""


@dataclass(frozen=True, kw_only=True)
class PollResult:
    """What one look found."""

    done: bool
    words: str


class Waiter:
    """One wait, of several legs, for something that AWS does by itself once it was started."""

    def __init__(self, session: Session, *, timeout_seconds: float, goes_on: str, resume: str) -> None:
        self._session = session
        self._timeout_seconds = timeout_seconds
        self._goes_on = goes_on
        self._resume = resume
        self._started = session.stopwatch()
        self.seconds: dict[str, float] = {}
        """Leg -> seconds from the start of the journey to its end."""

    @property
    def elapsed_seconds(self) -> float:
        """Since the start."""
        return self._session.stopwatch() - self._started

    def note(self, text: str) -> None:
        """Say something, with the elapsed time."""
        minutes, seconds = divmod(int(self.elapsed_seconds), 60)
        self._session.screen.note(f"  {minutes:02d}:{seconds:02d}  {text}")

    def wait(self, leg: str, look: Callable[[], PollResult]) -> None:
        """Look until the leg is done.

        Raises:
            TimedOutError: the time limit of the journey.
            AwsError: too many looks in a row failed.
            OperationError: what `look` raises.
        """
        said, said_at, failures, pause = "", 0.0, 0, FIRST_PAUSE_SECONDS
        while True:
            try:
                sign, failures = call_with_deadline(look), 0
            except AwsError as error:
                failures += 1
                if failures > FAILURES_BORNE:
                    raise
                sign = PollResult(done=False, words=f"{leg}: can't be seen just now: {error.message}")
            if sign.words != said or self.elapsed_seconds - said_at >= SAY_AGAIN_SECONDS or sign.done:
                said, said_at = sign.words, self.elapsed_seconds
                self.note(sign.words)
            if sign.done:
                self.seconds[leg] = round(self.elapsed_seconds, 2)
                return
            if self.elapsed_seconds >= self._timeout_seconds:
                raise TimedOutError(
                    f"{leg}: not seen within {self._timeout_seconds:g} s; the last look: {sign.words}", hint=""
                )
            self._session.sleep(min(pause, max(0.0, self._timeout_seconds - self.elapsed_seconds)))
            pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Say at every early end what goes on by itself, and how to follow it."""
        hint = f"{self._goes_on} Follow it: {self._resume}"
        try:
            yield
        except KeyboardInterrupt as error:
            raise StoppedError(f"stopped watching after {self.elapsed_seconds:.0f} s", hint=hint) from error
        except TimedOutError as error:
            raise TimedOutError(error.message, hint=hint) from error
        except AwsError as error:
            raise AwsError(error.message, hint=f"{hint} ({error.hint})") from error
