"""Judges the calls of one detector against the truth, and adds them up.

Owns what a wrong failover, a missed outage and a time to call are. Does not own percentiles or targets (`figures.py`). Invariant: every
outage longer than MISSED_AFTER_SECONDS ends in exactly one of timed, missed or void.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.controller import Watch
from benchmarks.world import GRACE_SECONDS, Cause, Episode, Outage

MISSED_AFTER_SECONDS = 300.0
"""An outage longer than this (five minutes) without a call before its end was missed."""


def is_right(outages: Iterable[Outage], called_at: float) -> bool:
    """Return whether a call was right: at that moment the writer's database served nobody, in an outage that outlasts the grace."""
    return any(outage.start <= called_at < outage.end and outage.seconds > GRACE_SECONDS for outage in outages)


@dataclass(kw_only=True)
class Tally:
    """What became of one detector's calls. Keys are plain strings: a tally crosses process borders."""

    right: int = 0
    wrong: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(the troubles at the call, the detector's reason) -> wrong failovers."""
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Cause of the outage -> times from its start to the call."""
    missed: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    """Of the missed ones: a person was asked during the outage, as the policy wants it."""
    vain: Counter[str] = field(default_factory=Counter)
    """The troubles at the question -> episodes in which a person was asked while a yes would have been a wrong failover."""
    void: Counter[str] = field(default_factory=Counter)
    """Outages after an earlier call in the same episode: what the detector would have done is unknown."""
    cycles: int = 0

    def take(self, episode: Episode, watch: Watch, memory_seconds: float) -> None:
        """Add one episode's result."""
        self.cycles += watch.cycles
        outages, called_at = episode.outages, watch.called_at
        if called_at is not None:
            if is_right(outages, called_at):
                self.right += 1
            else:
                causes = episode.causes_between(called_at - memory_seconds, called_at)
                self.wrong[" + ".join(causes) or "calm", watch.reason or ""] += 1
        vain = [asked for asked in watch.asked_at if not is_right(outages, asked)]
        if vain:
            self.vain[" + ".join(episode.causes_between(vain[0] - memory_seconds, vain[0])) or "calm"] += 1
        for outage in outages:
            if outage.seconds > MISSED_AFTER_SECONDS:
                self._take_outage(outage, watch)

    def add(self, other: "Tally") -> None:
        """Add another tally of the same detector."""
        self.right += other.right
        self.cycles += other.cycles
        for mine, theirs in (
            (self.missed, other.missed),
            (self.asked, other.asked),
            (self.vain, other.vain),
            (self.void, other.void),
        ):
            mine.update(theirs)
        self.wrong.update(other.wrong)
        for cause, seconds in other.seconds.items():
            self.seconds.setdefault(cause, []).extend(seconds)

    def _take_outage(self, outage: Outage, watch: Watch) -> None:
        cause, called_at = str(outage.cause), watch.called_at
        if called_at is not None and called_at < outage.start:
            self.void[cause] += 1
        elif called_at is not None and called_at < outage.end:
            self.seconds.setdefault(cause, []).append(called_at - outage.start)
        else:
            self.missed[cause] += 1
            self.asked[cause] += any(outage.start <= asked < outage.end for asked in watch.asked_at)


LOSSES = (Cause.REGION_LOSS, Cause.GRADUAL_LOSS)
"""What counts as the loss of a region: nothing in it answers. A half-lost region is counted by itself."""
