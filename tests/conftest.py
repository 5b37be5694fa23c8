"""What every test stands on, however pytest was started."""

import os
import signal


def pytest_configure() -> None:
    """Hear Ctrl-C again where a shell that ran pytest in the background had it ignored.

    What a process ignores its children ignore too, and some tests press Ctrl-C in a command.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than cores: the tests of whole stacks wait for other processes half of their time."""
    return (os.cpu_count() or 1) + 1
