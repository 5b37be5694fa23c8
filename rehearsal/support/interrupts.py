"""Ctrl-C and SIGTERM that always end the command."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

AGAIN_SECONDS = 0.1


def end_on_interrupt() -> None:
    """Make Ctrl-C end the process with one line and the exit code 130, while modules are imported: there is nothing to stop yet."""
    signal.signal(signal.SIGINT, _end)


def keep_interrupts() -> None:
    """Make Ctrl-C and SIGTERM raise KeyboardInterrupt in the main thread wherever it is.

    A job of CI that is cancelled gets SIGTERM: its processes and folders are removed as after Ctrl-C.

    Python drops an exception inside the callback of a weak reference or a finalizer: the interrupt is raised again after it.
    asyncio would turn Ctrl-C into the cancellation of a task, which a program can swallow: it leaves another handler alone.
    """
    report = sys.unraisablehook

    def raise_again(unraisable: sys.UnraisableHookArgs) -> None:
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            # From a thread, because an interrupt inside this function is dropped too.
            main = threading.main_thread().ident or 0
            again = threading.Timer(AGAIN_SECONDS, signal.pthread_kill, (main, signal.SIGINT))
            again.daemon = True
            again.start()
            return
        report(unraisable)

    sys.unraisablehook = raise_again
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)


def _end(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"interrupted: nothing was started\n")
    os._exit(130)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
