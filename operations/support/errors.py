"""How a command can end: exit codes, and the errors that lead to them.

Owns the codes' meaning and the form of an error: what happened, and the hint. Does not own how they are shown
(`screen.py`). Invariant: after 2 and 3 nothing was changed by us; after 4 nothing was, unless the message says
that it may have been; 5 means that something was done and something was not; 6 that what was done or checked did not
end well; 7 that the command stopped waiting: what it had started goes on by itself.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a script can tell from a command's end."""

    DONE = 0
    USAGE = 2
    REFUSED = 3
    AWS = 4
    PARTLY = 5
    FAILED = 6
    TIMED_OUT = 7


EXIT_CODES = (
    "Exit codes: 0 done (or nothing to do); 2 usage; 3 refused: the state does not allow it, or nobody confirmed; "
    "4 AWS did not answer in time or answered with an error; 5 partly done: the message says what is missing; "
    "6 failed: it was done, or checked, and did not end well; "
    "7 timed out: we stopped waiting, and AWS goes on by itself: the message says how to follow it; "
    "130 Ctrl-C, the same."
)


STOPPED = 130
"""The exit code after Ctrl-C, as shells have it: 128 and the signal's number."""


class OperationError(Exception):
    """A command can't do what it was asked: why, and what would help."""

    exit_code: int = ExitCode.REFUSED

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def label(self) -> str:
        """The end in one word."""
        return ExitCode(self.exit_code).name


class UsageProblemError(OperationError):
    """An option, a file or the stack's outputs can't be used as they are."""

    exit_code = ExitCode.USAGE


class OperationRefusedError(OperationError):
    """The state does not allow it, or nobody confirmed: nothing was changed."""


class VersionConflictError(OperationRefusedError):
    """Somebody else wrote first: nothing was changed by us."""


class AwsError(OperationError):
    """AWS did not answer in time, or answered with an error; a write may or may not have taken effect."""

    exit_code = ExitCode.AWS


class FailedError(OperationError):
    """What was started has ended, and not as it should."""

    exit_code = ExitCode.FAILED


class TimedOutError(OperationError):
    """We stopped waiting for what was started; it goes on by itself."""

    exit_code = ExitCode.TIMED_OUT


class StoppedError(OperationError):
    """A person pressed Ctrl-C; what was started goes on by itself."""

    exit_code = STOPPED

    @property
    def label(self) -> str:
        """The end in one word."""
        return "STOPPED"


class NotThereError(AwsError):
    """AWS answered that there is no such thing."""
