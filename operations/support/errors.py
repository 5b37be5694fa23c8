"""Exit codes, and the errors that lead to them.

After the exit codes 2 and 3 no changes were made; after 4 neither, unless the message reports a possible change.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of the commands."""

    DONE = 0
    USAGE = 2
    REFUSED = 3
    AWS = 4
    PARTLY = 5
    FAILED = 6
    TIMED_OUT = 7


EXIT_CODES = (
    "Exit codes: 0 done (or nothing to do); 2 usage; 3 refused: the state does not allow it, or it was not confirmed; "
    "4 AWS did not respond in time or returned an error; 5 partly done: the message says what is missing; "
    "6 failed: the operation or a check failed; "
    "7 timed out: the command stopped waiting and AWS continues: the message says how to follow it; "
    "130 Ctrl-C: as 7."
)


STOPPED = 130
"""The exit code after Ctrl-C, as in shells: 128 plus the signal's number."""


class OperationError(Exception):
    """A command cannot do what was requested; `message` is the reason, `hint` the next step."""

    exit_code: int = ExitCode.REFUSED

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def label(self) -> str:
        """Name of the exit code."""
        return ExitCode(self.exit_code).name


class UsageProblemError(OperationError):
    """An option, a file or the stack's outputs are invalid."""

    exit_code = ExitCode.USAGE


class OperationRefusedError(OperationError):
    """The state does not allow the command, or it was not confirmed; no changes were made."""


class VersionConflictError(OperationRefusedError):
    """Another command wrote first; no changes were made."""


class AwsError(OperationError):
    """AWS did not respond in time or returned an error; the outcome of a write is unknown."""

    exit_code = ExitCode.AWS


class NoLoginError(AwsError):
    """There are no credentials, or they have expired: no call to any region can succeed."""


class FailedError(OperationError):
    """The operation that was started has failed."""

    exit_code = ExitCode.FAILED


class TimedOutError(OperationError):
    """The command stopped waiting; the operation continues in AWS."""

    exit_code = ExitCode.TIMED_OUT


class StoppedError(OperationError):
    """The operator pressed Ctrl-C; the operation continues in AWS."""

    exit_code = STOPPED

    @property
    def label(self) -> str:
        """Name of the exit code."""
        return "STOPPED"


class NotThereError(AwsError):
    """AWS answered that the resource does not exist."""
