"""A drill's steps in the audit trail, and how far the last one came. Pure.

Owns the entries' form and their reading. Does no I/O. Invariant: what a drill has done is known from the trail and from
RDS alone: whoever resumes one needs nothing of the machine that began it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from operations.aws.table_items import AuditEntry, OperatorReason


class Step(StrEnum):
    """How far a drill has come."""

    BEGUN = "begun"
    AWAY = "away"
    """The switchover there was done, and verified."""
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class Drill:
    """The newest drill that the trail knows."""

    id: str
    home: str
    away: str
    step: Step
    at: str

    @property
    def is_open(self) -> bool:
        """Whether it was begun and has not ended."""
        return self.step is not Step.ENDED


def evidence_of(drill_id: str, step: Step, *, home: str, away: str, reason: str) -> dict[str, object]:
    """Return what an entry of a drill says."""
    return {"drill": drill_id, "step": str(step), "home": home, "away": away, "why": reason}


def newest_drill(entries: Iterable[AuditEntry]) -> Drill | None:
    """Return the drill of the newest entry that is one's, at its last step; entries of both regions, in any order."""
    order = list(Step)
    steps = [
        (entry, step)
        for entry in entries
        if entry.reason == OperatorReason.DRILL and (step := _step(entry)) is not None
    ]
    if not steps:
        return None
    # Two steps may carry the same moment.
    newest, step = max(steps, key=lambda found: (found[0].at, order.index(found[1])))
    notified = newest.evidence
    return Drill(
        id=str(notified.get("drill")),
        home=str(notified.get("home")),
        away=str(notified.get("away")),
        step=step,
        at=newest.at,
    )


def _step(entry: AuditEntry) -> Step | None:
    text = str(entry.evidence.get("step"))
    return Step(text) if text in list(Step) else None
