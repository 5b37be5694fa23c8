"""Tests of the recorder."""

from typing import Any, cast

from botocore.exceptions import ReadTimeoutError

from rehearsal.drills.recorder import RecordedEvent, Recorder


class Listener:
    """Records the events that are shown live."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def event_recorded(self, event: RecordedEvent) -> None:
        """Record a text."""
        self.texts.append(event.text)


def test_failed_poll_is_recorded_and_polling_continues() -> None:
    """A busy machine costs one poll."""
    listener = Listener()
    recorder = Recorder(cast("Any", None), cast("Any", listener), clock=lambda: 0.0)
    polls: list[int] = []

    def poll() -> None:
        polls.append(len(polls))
        if len(polls) == 1:
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1:1")
        recorder._stop.set()

    recorder._loop(poll, 0.0)
    assert polls == [0, 1]
    assert [text.split(":")[0] for text in listener.texts] == ["the recorder could not poll"]
