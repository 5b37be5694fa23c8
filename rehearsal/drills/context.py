"""The context of a drill: waits with a deadline, assertions, measurements, and the drill's share of the recorded events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from rehearsal.cloud.api_proxy import OperationCall
from rehearsal.drills.recorder import Recorder, SentNotice
from rehearsal.environment import Environment, RegionFacts
from rehearsal.report.lanes import bucket_writes, dns_spans, role_spans
from rehearsal.report.model import (
    Assertion,
    DnsSpan,
    DrillResult,
    RoleSpan,
    TimelineEvent,
    WriteOutcome,
    WriteSpan,
)
from rehearsal.workload import WriteAttempt, WriteWorkload

POLL_SECONDS = 0.02
Found = TypeVar("Found")


class DidNotHappenError(Exception):
    """An expected condition did not occur before its deadline."""


@dataclass(kw_only=True)
class DrillContext:
    """Everything a drill works with. Times are seconds since the epoch; the report counts from `zero`."""

    environment: Environment
    recorder: Recorder
    workload: WriteWorkload
    on_assertion: Callable[[Assertion], None]
    started_at: float = field(default_factory=time.time)
    zero: float = 0.0
    zero_description: str = "the start of the drill"
    assertions: list[Assertion] = field(default_factory=list)
    measurements: dict[str, float] = field(default_factory=dict)
    lost_rows: set[int] = field(default_factory=set)
    unadvised: WriteWorkload | None = None
    """The client without the advice of docs/connecting.md, in the drills that run one."""
    ended_at: float | None = None
    """The end of the drill's records, or None while they grow."""

    def __post_init__(self) -> None:
        self.zero = self.started_at

    @property
    def interval_seconds(self) -> float:
        """The cycle interval of this rehearsal."""
        return self.environment.interval_seconds

    def mark_zero(self, description: str) -> None:
        """Set second 0 of the drill's timeline to now."""
        self.zero, self.zero_description = time.time(), description

    def begin(self) -> None:
        """Begin the drill's records now, after its preparation."""
        self.started_at = self.zero = time.time()

    def end(self) -> None:
        """End the drill's records now, so that all its numbers are of the same period."""
        self.ended_at = time.time()

    def expect(self, text: str, passed: bool, detail: str, *, timed: bool = False) -> None:
        """Record an assertion with its evidence. See Assertion for `timed`."""
        self.recorder.flush()
        assertion = Assertion(text=text, passed=passed, detail=detail, timed=timed)
        self.assertions.append(assertion)
        self.on_assertion(assertion)

    def measure(self, name: str, value: float) -> None:
        """Record a number; its name ends with the unit."""
        self.measurements[name] = round(value, 3)

    def measure_since_zero(self, name: str, at: float) -> float:
        """Record the seconds from zero to a moment, and return them."""
        seconds = at - self.zero
        self.measure(name, seconds)
        return seconds

    @contextmanager
    def unadvised_client(self) -> Iterator[None]:
        """Run a client without the advice of docs/connecting.md beside the drill, and measure its outage.

        The measurement is a lower bound if the client does not write again.
        """
        self.unadvised = client = self.environment.new_workload(advised=False)
        client.start()
        self.wait_for("a write of the client without the advice", lambda: bool(client.acknowledged_rows()), seconds=10)
        try:
            yield
        finally:
            client.stop()
        self.measure("without_advice_seconds", longest_gap(client.attempts, since=self.zero, until=time.time()))

    def wait_for(
        self, what: str, poll: Callable[[], Found | None], *, seconds: float, pause_seconds: float = POLL_SECONDS
    ) -> Found:
        """Poll until the result is neither None nor False, and return it. Raises DidNotHappenError after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            found = poll()
            if found is not None and found is not False:
                return found
            if time.monotonic() >= deadline:
                raise DidNotHappenError(f"{what}: did not happen within {seconds:g} s")
            time.sleep(pause_seconds)

    def wait_cycles(self, count: int, region: RegionFacts | None = None) -> dict[str, int]:
        """Wait for `count` more cycles in one region, or in both; return the number of cycles by region."""
        regions, since = (region,) if region else self.environment.regions, time.time()

        def poll() -> dict[str, int] | None:
            cycles = {one.name: self.recorder.cycles(one, since=since) for one in regions}
            return cycles if min(cycles.values()) >= count else None

        return self.wait_for(
            f"{count} cycles in {' and '.join(one.name for one in regions)}",
            poll,
            seconds=self._timeout_seconds(count),
            pause_seconds=self.interval_seconds / 5,
        )

    def wait_for_mid_cycle(self, region: RegionFacts) -> None:
        """Wait until half an interval after the start of a controller's cycle."""
        since = time.time()

        def poll() -> float | None:
            started = self.recorder.state(region).get("cycle_at")
            started_at = datetime.fromisoformat(started).timestamp() if started else 0.0
            return started_at if started_at >= since else None

        started_at = self.wait_for(
            f"a cycle in {region.name}",
            poll,
            seconds=self._timeout_seconds(1),
            pause_seconds=self.interval_seconds / 10,
        )
        time.sleep(max(0.0, started_at + self.interval_seconds / 2 - time.time()))

    def sleep_cycles(self, cycles: float) -> None:
        """Sleep for `cycles` intervals."""
        time.sleep(cycles * self.interval_seconds)

    def wait_for_notice(self, reason: str, region: RegionFacts, *, seconds: float) -> SentNotice:
        """Wait for a notice with this reason from a region's controller, sent since zero."""

        def poll() -> SentNotice | None:
            notices = self.recorder.notices_since(self.zero, region=region.name)
            return next((one for one in notices if one.reason == reason), None)

        return self.wait_for(f"notice {reason} from {region.name}", poll, seconds=seconds)

    def _timeout_seconds(self, cycles: int) -> float:
        return cycles * self.interval_seconds * 2 + 10

    def first_write_after(self, at: float, *, region: str) -> WriteAttempt | None:
        """Return the client's first acknowledged write to a region's cluster after a moment."""
        for attempt in tuple(self.workload.attempts):
            if attempt.at_seconds >= at and attempt.acknowledged and self._region_of(attempt) == region:
                return attempt
        return None

    def attempts_since(self, at: float) -> list[WriteAttempt]:
        """Return the client's write attempts that ended since a moment, up to the end of the drill's records."""
        until = float("inf") if self.ended_at is None else self.ended_at
        return [attempt for attempt in tuple(self.workload.attempts) if at <= attempt.at_seconds <= until]

    def _region_of(self, attempt: WriteAttempt) -> str | None:
        return self.environment.region_behind(attempt.endpoint) if attempt.endpoint else None

    def calls_since(self, at: float) -> list[OperationCall]:
        """Return the FailoverGlobalCluster and SwitchoverGlobalCluster calls since a moment."""
        return [call for call in tuple(self.environment.control_plane.calls) if call.at >= at]

    def dns_answers_since(self, at: float) -> list[str | None]:
        """Return the region of each answer for the writer's DNS name since `since`; None for an answer without an address."""
        return [region for moment, region in tuple(self.recorder.dns_answers) if moment >= at]

    def result(
        self, *, name: str, title: str, description: str, key_measurements: tuple[str, ...], error: str | None
    ) -> DrillResult:
        """Return the drill's result with its share of the records."""
        ended_at = self.ended_at or time.time()
        self.ended_at = ended_at
        return DrillResult(
            name=name,
            title=title,
            description=description,
            assertions=tuple(self.assertions),
            timeline=tuple(
                TimelineEvent(
                    seconds=round(one.at - self.zero, 3),
                    event=one.text,
                    kind=one.kind,
                    region=one.region,
                    label=one.label,
                )
                for one in tuple(self.recorder.events)
                if self.started_at <= one.at <= ended_at
            ),
            measurements=dict(self.measurements),
            seconds=round(ended_at - self.started_at, 3),
            interval_seconds=self.interval_seconds,
            zero=self.zero_description,
            roles=self._role_spans(ended_at),
            dns=self._dns_spans(ended_at),
            writes=self._writes(self.attempts_since(self.started_at), lost=frozenset(self.lost_rows)),
            unadvised_writes=self._unadvised_writes(ended_at),
            key_measurements=key_measurements,
            error=error,
        )

    def _role_spans(self, ended_at: float) -> tuple[RoleSpan, ...]:
        spans: list[RoleSpan] = []
        for region in self.environment.regions:
            changes = self._since_start(self.recorder.roles[region.cluster_id])
            spans += role_spans(
                cluster_id=region.cluster_id, region=region.name, changes=changes, end_seconds=ended_at - self.zero
            )
        return tuple(spans)

    def _dns_spans(self, ended_at: float) -> tuple[DnsSpan, ...]:
        return dns_spans(
            name=self.environment.writer_name,
            changes=self._since_start(self.recorder.dns),
            end_seconds=ended_at - self.zero,
        )

    def _since_start(self, changes: list[tuple[float, Found]]) -> list[tuple[float, Found]]:
        """Return the state at the start of the drill and every later change, in seconds from zero."""
        before = [state for at, state in tuple(changes) if at < self.started_at][-1:]
        kept = [(self.started_at, state) for state in before]
        kept += [(at, state) for at, state in tuple(changes) if at >= self.started_at]
        return [(at - self.zero, state) for at, state in kept]

    def _unadvised_writes(self, ended_at: float) -> tuple[WriteSpan, ...]:
        attempts = () if self.unadvised is None else tuple(self.unadvised.attempts)
        return self._writes([one for one in attempts if self.started_at <= one.at_seconds <= ended_at])

    def _writes(self, attempts: Sequence[WriteAttempt], *, lost: frozenset[int] = frozenset()) -> tuple[WriteSpan, ...]:
        def outcome(attempt: WriteAttempt) -> WriteOutcome:
            if not attempt.acknowledged:
                return WriteOutcome.FAILED
            return WriteOutcome.LOST if attempt.row_id in lost else WriteOutcome.ACKNOWLEDGED

        return bucket_writes(
            [(attempt.at_seconds - self.zero, outcome(attempt)) for attempt in attempts],
            width_seconds=max(0.25, self.interval_seconds / 4),
        )


def longest_gap(attempts: Sequence[WriteAttempt], *, since: float, until: float) -> float:
    """Return the longest time without an acknowledged write between two moments, in seconds."""
    acknowledged = [one.at_seconds for one in tuple(attempts) if one.acknowledged]
    before = max((at for at in acknowledged if at <= since), default=since)
    moments = [before, *(at for at in acknowledged if since < at <= until), until]
    return max(later - earlier for earlier, later in pairwise(moments))
