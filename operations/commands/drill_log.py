"""Entries of a drill in the audit trail; the trail and RDS are enough to resume a drill on any machine."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from operations.aws.table_items import AuditEntry, OperatorReason


class DrillStep(StrEnum):
    """Progress of a drill."""

    BEGUN = "begun"
    VERIFIED = "verified"
    """The switchover to the other region is complete and verified."""
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class DrillRecord:
    """The newest drill in the audit trail, and its last recorded step."""

    id: str
    origin: str
    target: str
    step: DrillStep
    at: str

    @property
    def is_open(self) -> bool:
        """Whether the drill is unfinished."""
        return self.step is not DrillStep.ENDED


def drill_evidence(drill_id: str, step: DrillStep, *, origin: str, target: str, reason: str) -> dict[str, object]:
    """Return the evidence of a drill's entry."""
    return {"drill": drill_id, "step": str(step), "origin": origin, "target": target, "why": reason}


def newest_drill(entries: Iterable[AuditEntry]) -> DrillRecord | None:
    """Return the newest drill in the entries of both regions, which may be in any order."""
    order = list(DrillStep)
    steps = [
        (entry, step)
        for entry in entries
        if entry.reason == OperatorReason.DRILL and (step := _step(entry)) is not None
    ]
    if not steps:
        return None
    # Two steps may have the same timestamp.
    newest, step = max(steps, key=lambda found: (found[0].at, order.index(found[1])))
    return DrillRecord(
        id=str(newest.evidence.get("drill")),
        origin=str(newest.evidence.get("origin")),
        target=str(newest.evidence.get("target")),
        step=step,
        at=newest.at,
    )


def _step(entry: AuditEntry) -> DrillStep | None:
    text = str(entry.evidence.get("step"))
    return DrillStep(text) if text in list(DrillStep) else None
