"""The last part of a rehearsal: destroy the stack, and check that both regions are empty.

Also check that a destroy of a production stack is refused.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rehearsal.engine.destroy import Deleted, DestroyError, DestroyRefusedError
from rehearsal.engine.inventory import Found
from rehearsal.provider.resources.outcome import GLOBAL
from rehearsal.report.model import Assertion, DrillResult, EventKind, TimelineEvent

NAME, TITLE = "destroy", "Destruction of the stack"
KMS_KEY = "aws:kms/key:Key"
SHOWN_TYPES = {
    "aws:rds/clusterInstance:ClusterInstance": "instance",
    "aws:rds/cluster:Cluster": "cluster",
    "aws:rds/globalCluster:GlobalCluster": "global cluster",
    "aws:ec2/vpc:Vpc": "VPC",
    KMS_KEY: "KMS key",
    "aws:route53/zone:Zone": "hosted zone",
}
"""Deletions shown in the timeline; the others are only counted."""
MAX_LISTED = 12
"""Most findings listed in an assertion's detail."""


@dataclass(kw_only=True)
class DestroyDrill:
    """Destroys a stack and checks the result.

    `destroy_stack` deletes `count` resources and calls its argument for each, `list_resources` lists the existing ones,
    `is_production` expects a refusal. The two callbacks show progress.
    """

    destroy_stack: Callable[[Callable[[Deleted], None]], object]
    count: int
    list_resources: Callable[[], Sequence[Found]]
    regions: Sequence[str]
    is_production: bool
    on_assertion: Callable[[Assertion], None]
    on_event: Callable[[float, str, EventKind, str | None], None]
    assertions: list[Assertion] = field(default_factory=list)
    timeline: list[TimelineEvent] = field(default_factory=list)
    _started: float = 0.0

    def play(self) -> DrillResult:
        """Destroy, list what is left, and return the result; an error from AWS is a failed assertion."""
        self._started = time.monotonic()
        before = self.list_resources()
        deleted, refusal = self._destroy()
        seconds = time.monotonic() - self._started
        after = self.list_resources()
        if self.is_production:
            self._assert_refused(refusal, before, after)
        else:
            self._assert_destroyed(refusal, deleted, self.count)
            self._assert_empty(before, after)
        return DrillResult(
            name=NAME,
            title=TITLE,
            description="Every resource is deleted through the API in reverse order; then both regions are checked for leftovers.",
            assertions=tuple(self.assertions),
            timeline=tuple(self.timeline),
            measurements={"deleted_resources": len(deleted), "destroyed_seconds": round(seconds, 3)},
            seconds=round(time.monotonic() - self._started, 3),
            zero="the first deletion",
        )

    def _destroy(self) -> tuple[Sequence[Deleted], str]:
        deleted: list[Deleted] = []

        def note(one: Deleted) -> None:
            deleted.append(one)
            if one.type in SHOWN_TYPES:
                self._event(
                    f"{SHOWN_TYPES[one.type]} {one.id} {'scheduled for deletion' if one.type == KMS_KEY else 'deleted'}",
                    one.region,
                )

        try:
            self.destroy_stack(note)
        except (DestroyRefusedError, DestroyError) as error:
            return deleted, str(error)
        return deleted, ""

    def _event(self, text: str, region: str | None) -> None:
        at = time.monotonic() - self._started
        self.timeline.append(TimelineEvent(seconds=round(at, 3), event=text, kind=EventKind.NOTE, region=region))
        self.on_event(at, text, EventKind.NOTE, region)

    def _assert_refused(self, refusal: str, before: Sequence[Found], after: Sequence[Found]) -> None:
        self._assert(
            "the destroy of a production stack is refused", bool(refusal), refusal.splitlines()[0] if refusal else ""
        )
        gone = sorted(set(before) - set(after))
        self._assert("no resource was deleted", not gone, _listing(gone) or f"all {len(after)} resources exist")

    def _assert_destroyed(self, refusal: str, deleted: Sequence[Deleted], count: int) -> None:
        by_type = Counter(one.type for one in deleted)
        detail = refusal or f"{len(deleted)} of {count}, of {len(by_type)} types"
        self._assert("every resource is deleted, after its dependents", len(deleted) == count, detail)
        if any(one.was_gone is not None for one in deleted):
            gone = [one.name for one in deleted if one.was_gone]
            self._assert("every resource still existed before its deletion", not gone, ", ".join(gone))

    def _assert_empty(self, before: Sequence[Found], after: Sequence[Found]) -> None:
        for region in (*self.regions, GLOBAL):
            left = [one for one in after if one.region == region]
            listed = sum(one.region == region for one in before)
            where = "the global services are" if region == GLOBAL else f"{region} is"
            # An empty list is evidence only if resources were listed before.
            self._assert(
                f"{where} empty", not left and listed > 0, _listing(left) or f"{listed} resources before, none after"
            )

    def _assert(self, text: str, passed: bool, detail: str) -> None:
        assertion = Assertion(text=text, passed=passed, detail=detail)
        self.assertions.append(assertion)
        self.on_assertion(assertion)


def _listing(found: Sequence[Found]) -> str:
    more = f" and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
    return ", ".join(f"{one.kind} {one.id}" for one in found[:MAX_LISTED]) + more
