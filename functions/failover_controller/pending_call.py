"""The failover call in flight: at most one per process."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from datetime import datetime
from typing import Any

from .model import Action, Attempt, AttemptStatus, Event, Reason, State
from .ports import CallNotSentError, CallRefusedError, CallUncertainError, Rds, Threads
from .state_update import seconds_between

INTENT_VALID_SECONDS = 3.0
"""The call must start this soon after its intent. A process that was frozen in between does not send it late."""

_REASONS: dict[type[Exception], Reason] = {
    CallRefusedError: Reason.FAILOVER_REFUSED,
    CallNotSentError: Reason.FAILOVER_NOT_SENT,
    CallUncertainError: Reason.FAILOVER_UNCERTAIN,
}


class PendingCall:
    """Starts the call in a thread and updates the attempt once its answer arrives."""

    def __init__(
        self,
        *,
        target: str,
        rds: Rds,
        threads: Threads,
        clock: Callable[[], datetime],
        on_problem: Callable[[str], None],
    ) -> None:
        self._target = target
        self._rds = rds
        self._threads = threads
        self._clock = clock
        self._on_problem = on_problem
        self._call: tuple[str, Future[None]] | None = None

    @property
    def is_in_flight(self) -> bool:
        """Whether a call was started and its answer is not yet in the state."""
        return self._call is not None

    def start(self, attempt: Attempt) -> None:
        """Start the call of an attempt whose intent is in the table."""
        self._call = (attempt.id, self._threads.submit(lambda: self._fail_over(attempt)))

    def wait(self, seconds: float) -> None:
        """Wait at most `seconds` for the answer."""
        if self._call is not None:
            wait([self._call[1]], timeout=max(0.0, seconds))

    def take_answer(self, state: State) -> tuple[State, tuple[Event, ...]]:
        """Return the state after the answer, if it has arrived, and an event if the call failed."""
        if self._call is None or not self._call[1].done():
            return state, ()
        (attempt_id, call), self._call = self._call, None
        error, attempt = error_of(call), state.attempt
        if attempt is None or attempt.id != attempt_id:
            return state, ()
        attempt = replace(attempt, touched_at=self._clock())
        if error is None:
            return replace(state, attempt=replace(attempt, status=AttemptStatus.UNDER_WAY)), ()
        reason = _REASONS.get(type(error), Reason.FAILOVER_UNCERTAIN)
        self._on_problem(f"call: {error}")
        evidence = {"attempt": attempt.id, "calls": attempt.calls, "error": f"{type(error).__name__}: {error}"}
        event = Event(reason=reason, action=Action.NOTIFY, evidence=evidence)
        # RDS may refuse a repeated call because the first one took effect, so the attempt is kept.
        has_ended = reason is not Reason.FAILOVER_UNCERTAIN and attempt.calls == 1
        return replace(state, attempt=None if has_ended else attempt), (event,)

    def _fail_over(self, attempt: Attempt) -> None:
        if seconds_between(attempt.touched_at, self._clock()) > INTENT_VALID_SECONDS:
            raise CallNotSentError("the process stalled between the intent and the call")
        self._rds.fail_over(self._target)


def error_of(call: Future[Any]) -> Exception | None:
    """Return the error of a finished call. A BaseException such as SystemExit is raised."""
    error = call.exception()
    if error is None or isinstance(error, Exception):
        return error
    raise error
