"""Tests of the recorder."""

from typing import Any, cast

from botocore.exceptions import ReadTimeoutError

from rehearsal.drills.recorder import Recorder


def test_failed_poll_is_recorded_and_polling_continues() -> None:
    """A busy machine costs one poll."""
    texts: list[str] = []
    recorder = Recorder(
        cast("Any", None),
        on_event=lambda event: texts.append(event.text),
        on_role=lambda *_role: None,
        on_dns=lambda *_answer: None,
        clock=lambda: 0.0,
    )
    polls: list[int] = []

    def poll() -> None:
        polls.append(len(polls))
        if len(polls) == 1:
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1:1")
        recorder._stop.set()

    recorder._loop(poll, 0.0)
    assert polls == [0, 1]
    assert [text.split(":")[0] for text in texts] == ["the recorder could not poll"]
