"""What a drill is played on: the world, the watch, the client, and the record of what must hold.

Owns: waiting with a deadline that names what did not happen, assertions, measurements, and the cut of the watch's records that
belongs to one drill. Does not own: the drills themselves (drills.py).
Invariant: a wait that ends without what it waited for ends the drill, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from rehearsal.cloud.api_proxy import OperationCall
from rehearsal.drills.recorder import Notice, Recorder
from rehearsal.environment import Environment, RegionFacts
from rehearsal.report.lanes import bucket_writes, dns_spans, role_spans
from rehearsal.report.model import (
    Assertion,
    DnsSpan,
    DrillResult,
    EventKind,
    LedgerSpan,
    RoleSpan,
    TimelineEvent,
    WriteOutcome,
)
from rehearsal.workload import WriteAttempt, WriteWorkload

POLL_SECONDS = 0.02
Found = TypeVar("Found")


class DidNotHappenError(Exception):
    """What a drill waited for did not happen in time."""


@dataclass(kw_only=True)
class DrillContext:
    """One drill's view of the rehearsal. Times in seconds since the epoch; the report counts from `zero`."""

    world: Environment
    watch: Recorder
    ledger: WriteWorkload
    on_assertion: Callable[[Assertion], None]
    started_at: float = field(default_factory=time.time)
    zero: float = 0.0
    zero_words: str = "the start of the drill"
    assertions: list[Assertion] = field(default_factory=list)
    measurements: dict[str, float] = field(default_factory=dict)
    lost_rows: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Count from the start until the drill names its own zero."""
        self.zero = self.started_at

    @property
    def interval_seconds(self) -> float:
        """The cycle of this rehearsal."""
        return self.world.interval_seconds

    def mark_zero(self, words: str) -> None:
        """From here the drill counts its seconds."""
        self.zero, self.zero_words = time.time(), words

    def happened(
        self,
        text: str,
        kind: EventKind = EventKind.NOTE,
        region: str | None = None,
        *,
        at: float | None = None,
        label: str = "",
    ) -> None:
        """Put something into the timeline, now or at a moment that has passed."""
        self.watch.record(text, kind, region, at=at, label=label)

    def expect(self, text: str, passed: bool, detail: str) -> None:
        """Record one thing that must hold, with its evidence."""
        assertion = Assertion(text=text, passed=passed, detail=detail)
        self.assertions.append(assertion)
        self.on_assertion(assertion)

    def measure(self, name: str, value: float) -> None:
        """Record a number; its name carries the unit."""
        self.measurements[name] = round(value, 3)

    def measure_since_zero(self, name: str, at: float) -> float:
        """Record how long after zero something happened, and return it in seconds."""
        seconds = at - self.zero
        self.measure(name, seconds)
        return seconds

    def wait_for(self, what: str, look: Callable[[], Found | None], *, seconds: float) -> Found:
        """Wait until `look` finds something. Raises DidNotHappenError naming `what` after so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            found = look()
            if found is not None and found is not False:
                return found
            if time.monotonic() >= deadline:
                raise DidNotHappenError(f"{what}: did not happen within {seconds:g} s")
            time.sleep(POLL_SECONDS)

    def wait_cycles(self, count: int) -> dict[str, int]:
        """Wait until both controllers have reported so many more cycles; return how many each did, by region."""
        since = time.time()

        def look() -> dict[str, int] | None:
            cycles = {region.name: self.watch.cycles(region, since=since) for region in self.world.regions}
            return cycles if min(cycles.values()) >= count else None

        # A look is a call to two regions: several times a cycle is enough.
        return self.wait_for(
            f"{count} cycles in both regions",
            lambda: _paced(look, self.interval_seconds / 4),
            seconds=self._patience(count),
        )

    def wait_cycles_in(self, region: RegionFacts, count: int) -> None:
        """Wait until one region's controller has reported so many more cycles."""
        since = time.time()

        def look() -> bool | None:
            return self.watch.cycles(region, since=since) >= count or None

        self.wait_for(
            f"{count} cycles in {region.name}",
            lambda: _paced(look, self.interval_seconds / 4),
            seconds=self._patience(count),
        )

    def wait_for_middle(self, region: RegionFacts) -> None:
        """Wait until half a cycle after a cycle of one region's controller began: as far from the last one as from the next."""
        since = time.time()

        def look() -> float | None:
            begun = self.watch.state(region).get("cycle_at")
            begun_at = datetime.fromisoformat(begun).timestamp() if begun else 0.0
            return begun_at if begun_at >= since else None

        begun_at = self.wait_for(f"a cycle in {region.name}", look, seconds=self._patience(1))
        middle = begun_at + self.interval_seconds / 2
        time.sleep(max(0.0, middle - time.time()))

    def let_pass(self, cycles: float) -> None:
        """Let so many cycles of time pass, whoever cycles meanwhile."""
        time.sleep(cycles * self.interval_seconds)

    def wait_for_notice(self, reason: str, region: RegionFacts, *, seconds: float) -> Notice:
        """Wait until people were told of a reason by a region's controller, since zero."""

        def look() -> Notice | None:
            notified = self.watch.notices_since(self.zero, region=region.name)
            return next((one for one in notified if one.reason == reason), None)

        return self.wait_for(f"people are told of {reason} in {region.name}", look, seconds=seconds)

    def _patience(self, cycles: int) -> float:
        return cycles * self.interval_seconds * 2 + 10

    def first_write_after(self, at: float, *, region: str) -> WriteAttempt | None:
        """The client's first acknowledged write on a region's cluster after that moment."""
        for attempt in tuple(self.ledger.attempts):
            if attempt.at_seconds >= at and attempt.acknowledged and self._region_of(attempt) == region:
                return attempt
        return None

    def attempts_since(self, at: float) -> list[WriteAttempt]:
        """The client's attempts that ended since then."""
        return [attempt for attempt in tuple(self.ledger.attempts) if attempt.at_seconds >= at]

    def _region_of(self, attempt: WriteAttempt) -> str | None:
        return self.world.region_behind(attempt.endpoint) if attempt.endpoint else None

    def calls_since(self, at: float) -> list[OperationCall]:
        """Calls to FailoverGlobalCluster and SwitchoverGlobalCluster since then."""
        return [call for call in tuple(self.world.control_plane.calls) if call.at >= at]

    def dns_answers_since(self, at: float) -> list[str | None]:
        """The regions that the writer's name answered since then, answer by answer."""
        return [region for moment, region in tuple(self.watch.dns_answers) if moment >= at]

    def result(
        self, *, name: str, title: str, description: str, key_measurements: tuple[str, ...], error: str | None
    ) -> DrillResult:
        """Cut out of the records what belongs to this drill."""
        ended_at = time.time()
        return DrillResult(
            name=name,
            title=title,
            description=description,
            assertions=tuple(self.assertions),
            timeline=tuple(
                TimelineEvent(
                    seconds=round(seen.at - self.zero, 3),
                    event=seen.text,
                    kind=seen.kind,
                    region=seen.region,
                    label=seen.label,
                )
                for seen in tuple(self.watch.seen)
                if self.started_at <= seen.at <= ended_at
            ),
            measurements=dict(self.measurements),
            seconds=round(ended_at - self.started_at, 3),
            zero=self.zero_words,
            roles=self._role_spans(ended_at),
            dns=self._dns_spans(ended_at),
            writes=self._writes(),
            key_measurements=key_measurements,
            error=error,
        )

    def _role_spans(self, ended_at: float) -> tuple[RoleSpan, ...]:
        spans: list[RoleSpan] = []
        for region in self.world.regions:
            changes = self._since_start(self.watch.roles[region.cluster_id])
            spans += role_spans(
                cluster_id=region.cluster_id, region=region.name, changes=changes, end_seconds=ended_at - self.zero
            )
        return tuple(spans)

    def _dns_spans(self, ended_at: float) -> tuple[DnsSpan, ...]:
        return dns_spans(
            name=self.world.writer_name, changes=self._since_start(self.watch.dns), end_seconds=ended_at - self.zero
        )

    def _since_start(self, changes: list[tuple[float, Found]]) -> list[tuple[float, Found]]:
        """The state at the start of the drill and every change since, in seconds from zero."""
        before = [state for at, state in tuple(changes) if at < self.started_at][-1:]
        kept = [(self.started_at, state) for state in before]
        kept += [(at, state) for at, state in tuple(changes) if at >= self.started_at]
        return [(at - self.zero, state) for at, state in kept]

    def _writes(self) -> tuple[LedgerSpan, ...]:
        def outcome(attempt: WriteAttempt) -> WriteOutcome:
            if not attempt.acknowledged:
                return WriteOutcome.FAILED
            return WriteOutcome.LOST if attempt.row_id in self.lost_rows else WriteOutcome.ACKNOWLEDGED

        return bucket_writes(
            [(attempt.at_seconds - self.zero, outcome(attempt)) for attempt in self.attempts_since(self.started_at)],
            width_seconds=max(0.25, self.interval_seconds / 4),
        )


def _paced(look: Callable[[], Found | None], seconds: float) -> Found | None:
    found = look()
    if found is None:
        time.sleep(seconds)
    return found
