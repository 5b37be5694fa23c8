"""Consecutive phases (decision, promotion, DNS, client) from an outage or switchover call to the first write."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rehearsal.report.model import DrillResult, EventKind, TimelineEvent

CLOCK_SLACK_SECONDS = 0.05
"""Tolerance for an outage that is recorded just before the drill's zero."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase of a failover or switchover."""

    name: str
    description: str
    start_seconds: float
    end_seconds: float

    @property
    def seconds(self) -> float:
        """Duration of the phase in seconds."""
        return self.end_seconds - self.start_seconds


NEXT: tuple[tuple[frozenset[EventKind], str, str], ...] = (
    (frozenset({EventKind.CALL}), "decision", "from the outage to the failover call"),
    (frozenset({EventKind.PROMOTION}), "promotion", "from the call to the promotion"),
    (frozenset({EventKind.DNS, EventKind.CLIENT}), "DNS", "from the promotion to the DNS change"),
    (frozenset({EventKind.CLIENT}), "client", "from the DNS change to the client's first acknowledged write"),
)
"""The event that ends each phase. A client's write ends the DNS phase too: the client may resolve the DNS name before the recorder.

DNS may change before the promotion. It then takes no phase of its own.
"""
CLIENT = (frozenset({EventKind.CLIENT}), "client", "from the promotion to the client's first acknowledged write")


def phases(drill: DrillResult) -> tuple[Phase, ...]:
    """Return the phases of a drill's first change of roles; empty without a call, fewer if a later step is missing."""
    events = sorted(drill.timeline, key=lambda event: event.seconds)
    call = _first(events, {EventKind.CALL}, after=-CLOCK_SLACK_SECONDS)
    if call is None:
        return ()
    outage = _first(events, {EventKind.OUTAGE}, after=-CLOCK_SLACK_SECONDS)
    if outage is not None and outage.seconds > call.seconds:
        outage = None
    result: list[Phase] = []
    at, region = outage or call, None
    following = NEXT
    promotion = _first(events, {EventKind.PROMOTION}, after=call.seconds)
    if promotion is not None and _dns_is_earlier(events, call, promotion):
        following = (*NEXT[:2], CLIENT)
    for kinds, name, description in following:
        to = _first(events, kinds, after=at.seconds, region=region)
        if to is None:
            break
        if to.seconds > at.seconds:
            result.append(Phase(name=name, description=description, start_seconds=at.seconds, end_seconds=to.seconds))
        at, region = to, to.region if to.kind is EventKind.PROMOTION else region
    return tuple(result)


def _dns_is_earlier(events: Sequence[TimelineEvent], call: TimelineEvent, promotion: TimelineEvent) -> bool:
    """Return whether DNS led to the promoted cluster before its promotion, and did not change again since."""
    changes = [one for one in events if one.kind is EventKind.DNS and call.seconds <= one.seconds <= promotion.seconds]
    return bool(changes) and changes[-1].region == promotion.region


def _first(
    events: Sequence[TimelineEvent], kinds: Collection[EventKind], *, after: float, region: str | None = None
) -> TimelineEvent | None:
    """Return the first event of these kinds at or after a moment, in a region if given."""
    return next(
        (one for one in events if one.kind in kinds and one.seconds >= after and region in (None, one.region)), None
    )
