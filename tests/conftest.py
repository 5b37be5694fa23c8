"""What every test stands on, however pytest was started."""

import signal


def pytest_configure() -> None:
    """Hear Ctrl-C again where a shell that ran pytest in the background had it ignored.

    What a process ignores its children ignore too, and some tests press Ctrl-C in a command.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
