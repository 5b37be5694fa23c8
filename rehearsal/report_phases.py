"""How the time from an outage, or from a person's call, to the first write divides: deciding, promoting, DNS, the client.

Owns: which moments of a timeline bound the phases. Does not own: the moments (`watch`, `drills`), the drawing (`timeline`).
Invariant: the phases follow each other without a gap, so that their sum is the time from the first moment to the last.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rehearsal.report import DrillResult, EventKind, TimelineEvent

CLOCK_SLACK_SECONDS = 0.05
"""An outage that a drill notes just before it sets its zero still belongs to it."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of a failover or switchover: what it was for, in one word, in a sentence, and from when to when."""

    word: str
    sentence: str
    start_seconds: float
    end_seconds: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end_seconds - self.start_seconds


NEXT: tuple[tuple[EventKind, str, str], ...] = (
    (EventKind.CALL, "deciding", "from the outage until the failover was called"),
    (EventKind.PROMOTION, "promoting", "from the call until the other cluster was the writer"),
    (EventKind.DNS, "DNS", "from then until the name led to it"),
    (EventKind.CLIENT, "client", "from then until the client's first acknowledged write"),
)


def phases(drill: DrillResult) -> tuple[Phase, ...]:
    """The phases of a drill's first change of roles; none when nothing was called, fewer when it went no further."""
    events = sorted(drill.timeline, key=lambda event: event.seconds)
    call = _first(events, lambda event: event.kind is EventKind.CALL and event.seconds >= -CLOCK_SLACK_SECONDS)
    if call is None:
        return ()
    outage = _first(
        events,
        lambda event: event.kind is EventKind.OUTAGE and -CLOCK_SLACK_SECONDS <= event.seconds <= call.seconds,
    )
    found: list[Phase] = []
    at, region = outage or call, None
    for kind, word, sentence in NEXT:
        after, place = at.seconds, region
        to = _first(
            events,
            lambda event, kind=kind, after=after, place=place: (
                event.kind is kind and event.seconds >= after and place in (None, event.region)
            ),
        )
        if to is None:
            break
        if to.seconds > after:
            found.append(Phase(word=word, sentence=sentence, start_seconds=after, end_seconds=to.seconds))
        at, region = to, to.region if kind is EventKind.PROMOTION else region
    return tuple(found)


def _first(events: list[TimelineEvent], fits: Callable[[TimelineEvent], bool]) -> TimelineEvent | None:
    return next((event for event in events if fits(event)), None)
