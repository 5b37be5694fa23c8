"""Ctrl-C before a command runs."""

import os
import signal
from types import FrameType


def end_on_interrupt() -> None:
    """Make Ctrl-C end the process with one line and the exit code 130, while modules are imported: there is nothing to stop yet."""
    signal.signal(signal.SIGINT, _end)


def raise_on_interrupt() -> None:
    """Make Ctrl-C raise KeyboardInterrupt, which a command turns into a message."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"STOPPED Ctrl-C: nothing was started\n")
    os._exit(130)
