"""The watch of a rehearsal: its looks go on, whatever becomes of one of them."""

from typing import Any, cast

from botocore.exceptions import ReadTimeoutError

from rehearsal.drills.recorder import Recorder, Seen


class Listener:
    """Takes down what is shown live."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def saw(self, seen: Seen) -> None:
        """Take down a text."""
        self.texts.append(seen.text)


def test_a_look_that_the_emulator_does_not_answer_is_noted_and_the_next_one_is_made() -> None:
    """A busy machine costs one look, and not the rest of the rehearsal's."""
    listener = Listener()
    watch = Recorder(cast("Any", None), cast("Any", listener), clock=lambda: 0.0)
    looks: list[int] = []

    def look() -> None:
        looks.append(len(looks))
        if len(looks) == 1:
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1:1")
        watch._stop.set()

    watch._loop(look, 0.0)
    assert looks == [0, 1]
    assert [text.split(":")[0] for text in listener.texts] == ["the rehearsal could not look"]
