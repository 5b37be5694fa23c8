"""How the time from an outage, or from a person's call, to the first write divides: deciding, promoting, DNS, the client.

Owns: which moments of a timeline bound the phases. Does not own: the moments (`watch`, `drills`), the drawing (`timeline`).
Invariant: the phases follow each other without a gap, so that their sum is the time from the first moment to the last.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rehearsal.report.model import DrillResult, EventKind, TimelineEvent

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


NEXT: tuple[tuple[frozenset[EventKind], str, str], ...] = (
    (frozenset({EventKind.CALL}), "deciding", "from the outage until the failover was called"),
    (frozenset({EventKind.PROMOTION}), "promoting", "from the call until the other cluster was the writer"),
    (frozenset({EventKind.DNS, EventKind.CLIENT}), "DNS", "from then until the name led to it"),
    (frozenset({EventKind.CLIENT}), "client", "from then until the client's first acknowledged write"),
)
"""What ends each phase. The client asks for the name itself: where it wrote before the watch looked, the name led there already."""


def phases(drill: DrillResult) -> tuple[Phase, ...]:
    """The phases of a drill's first change of roles; none when nothing was called, fewer when it went no further."""
    events = sorted(drill.timeline, key=lambda event: event.seconds)
    call = _first(events, {EventKind.CALL}, after=-CLOCK_SLACK_SECONDS)
    if call is None:
        return ()
    outage = _first(events, {EventKind.OUTAGE}, after=-CLOCK_SLACK_SECONDS)
    if outage is not None and outage.seconds > call.seconds:
        outage = None
    found: list[Phase] = []
    at, region = outage or call, None
    for kinds, word, sentence in NEXT:
        to = _first(events, kinds, after=at.seconds, region=region)
        if to is None:
            break
        if to.seconds > at.seconds:
            found.append(Phase(word=word, sentence=sentence, start_seconds=at.seconds, end_seconds=to.seconds))
        at, region = to, to.region if to.kind is EventKind.PROMOTION else region
    return tuple(found)


def _first(
    events: Sequence[TimelineEvent], kinds: Collection[EventKind], *, after: float, region: str | None = None
) -> TimelineEvent | None:
    """The first event of these kinds from a moment on, in a region if one is given."""
    return next(
        (one for one in events if one.kind in kinds and one.seconds >= after and region in (None, one.region)), None
    )
