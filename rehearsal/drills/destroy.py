"""The last thing that a rehearsal plays: the whole stack is destroyed, and both regions must be empty.

Owns: what must hold of a destroy, and its part of the report. Does not own: how it is done (destruction.py), or what is
looked at afterwards (inventory.py).
Invariant: a production stack must refuse, and then nothing may have changed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rehearsal.engine.destroy import Deleted, DestroyError, DestroyRefusedError, destroy
from rehearsal.engine.inventory import Found
from rehearsal.engine.state import StackState
from rehearsal.provider.resources import registry
from rehearsal.provider.resources.handler import Handler
from rehearsal.provider.resources.outcome import GLOBAL
from rehearsal.report.model import Assertion, DrillResult, EventKind, TimelineEvent
from rehearsal.support.clients import ClientFactory

NAME, TITLE = "destroy", "Everything is destroyed"
SHOWN = {
    "aws:rds/clusterInstance:ClusterInstance": "instance",
    "aws:rds/cluster:Cluster": "cluster",
    "aws:rds/globalCluster:GlobalCluster": "global cluster",
    "aws:ec2/vpc:Vpc": "VPC",
    "aws:kms/key:Key": "key (its deletion is scheduled)",
    "aws:route53/zone:Zone": "hosted zone",
}
"""The deletions that stand in the timeline; the others are counted."""
LISTED = 12
"""How many findings are spelled out."""


@dataclass(kw_only=True)
class Teardown:
    """Destroys a stack and asserts what must hold of it.

    `look` lists what there is, `is_production` says that it must refuse. The two callbacks show progress.
    """

    state: StackState
    clients: ClientFactory
    look: Callable[[], Sequence[Found]]
    regions: Sequence[str]
    is_production: bool
    on_assertion: Callable[[Assertion], None]
    on_event: Callable[[float, str, EventKind, str | None], None]
    handlers: Mapping[str, Handler] = field(default_factory=lambda: registry.HANDLERS)
    assertions: list[Assertion] = field(default_factory=list)
    timeline: list[TimelineEvent] = field(default_factory=list)
    _started: float = 0.0

    def play(self) -> DrillResult:
        """Destroy, look, and return what was found; what AWS refuses is an assertion that does not hold."""
        self._started = time.monotonic()
        before, count = self.look(), len(self.state.resources)
        deleted, refusal = self._destroy()
        seconds = time.monotonic() - self._started
        after = self.look()
        if self.is_production:
            self._assert_refused(refusal, before, after)
        else:
            self._assert_destroyed(refusal, deleted, count)
            self._assert_empty(before, after)
        return DrillResult(
            name=NAME,
            title=TITLE,
            description="In the reverse of the order in which it was made, through the API; then both regions are looked at.",
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
            if one.type in SHOWN:
                self._event(f"{SHOWN[one.type]} {one.id} is deleted", one.region)

        try:
            destroy(self.state, self.clients, handlers=self.handlers, on_deleted=note)
        except (DestroyRefusedError, DestroyError) as error:
            return deleted, str(error)
        return deleted, ""

    def _event(self, text: str, region: str | None) -> None:
        at = time.monotonic() - self._started
        self.timeline.append(TimelineEvent(seconds=round(at, 3), event=text, kind=EventKind.NOTE, region=region))
        self.on_event(at, text, EventKind.NOTE, region)

    def _assert_refused(self, refusal: str, before: Sequence[Found], after: Sequence[Found]) -> None:
        self._assert(
            "a production stack refuses to be destroyed", bool(refusal), refusal.splitlines()[0] if refusal else ""
        )
        gone = sorted(set(before) - set(after))
        self._assert("nothing was deleted", not gone, _words(gone) or f"{len(after)} resources are all there")

    def _assert_destroyed(self, refusal: str, deleted: Sequence[Deleted], count: int) -> None:
        by_type = Counter(one.type for one in deleted)
        detail = refusal or f"{len(deleted)} of {count}, of {len(by_type)} types"
        self._assert("every resource is deleted, after all that depended on it", len(deleted) == count, detail)
        gone = [one.name for one in deleted if one.was_gone]
        self._assert("AWS still knew each of them", not gone, ", ".join(gone))

    def _assert_empty(self, before: Sequence[Found], after: Sequence[Found]) -> None:
        for region in (*self.regions, GLOBAL):
            left = [one for one in after if one.region == region]
            listed = sum(one.region == region for one in before)
            where = "the services without a region are" if region == GLOBAL else f"{region} is"
            # An empty list proves nothing where nothing was listed before.
            self._assert(
                f"{where} empty", not left and listed > 0, _words(left) or f"{listed} resources before, none after"
            )

    def _assert(self, text: str, passed: bool, detail: str) -> None:
        assertion = Assertion(text=text, passed=passed, detail=detail)
        self.assertions.append(assertion)
        self.on_assertion(assertion)


def _words(found: Sequence[Found]) -> str:
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return ", ".join(f"{one.kind} {one.id}" for one in found[:LISTED]) + more
