# ruff: noqa: D102 - the ports document these methods
"""Interval, hand-over and end of the cycles of an invocation."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import pytest

from functions.failover_controller.cycle import Cycle, CycleResult
from functions.failover_controller.loop import run_cycles
from functions.failover_controller.model import Action, Decision, Reason
from functions.failover_controller.ports import StateConflictError
from tests.support.failover_controller.builders import NOW, POLICY, after, healthy
from tests.support.failover_controller.fakes import Clock, FakeWorld, MemoryTable
from tests.support.failover_controller.rig import Rig

QUIET = Decision(action=Action.HOLD, reason=Reason.HEALTHY, target=None, evidence={})


@dataclass
class FakeCycle:
    """A cycle with given durations that loses the lease in one of its runs."""

    clock: Clock
    takes: list[float] = field(default_factory=list)
    successor_at: int | None = None
    has_lease: bool = False
    lease: list[object] = field(default_factory=list)
    last_cycle_at: datetime | None = None
    began_at: list[float] = field(default_factory=list)
    budgets: list[float] = field(default_factory=list)
    finished: float | None = None

    def begin(self, holder: str) -> None:
        self.has_lease = False

    def take_lease(self) -> None:
        answer = self.lease.pop(0) if self.lease else True
        if isinstance(answer, Exception):
            raise answer
        self.has_lease = bool(answer)

    def run(self, budget_seconds: float) -> CycleResult:
        self.began_at.append((self.clock() - NOW).total_seconds())
        self.clock.advance(self.takes.pop(0) if self.takes else 0.0)
        is_over = self.successor_at == len(self.began_at)
        return CycleResult(observation=healthy(), decision=None if is_over else QUIET, problems=())

    def report(self, result: CycleResult, budget_seconds: float) -> None:
        self.budgets.append(round(budget_seconds, 6))

    def finish(self, budget_seconds: float) -> None:
        self.finished = budget_seconds


def run(cycle: FakeCycle, *, limit: int | None = None, lambda_seconds: float = 150.0) -> dict[str, object]:
    """Run an invocation that Lambda ends after `lambda_seconds`."""
    clock = cycle.clock
    ends = after(lambda_seconds)
    return run_cycles(
        cast(Cycle, cycle),
        holder="me",
        policy=POLICY,
        clock=clock,
        sleep=clock.sleep,
        remaining_seconds=lambda: (ends - clock()).total_seconds(),
        limit=limit,
    )


def test_cycles_keep_the_interval() -> None:
    """The duration of a cycle does not delay the next one."""
    cycle = FakeCycle(Clock(), takes=[0.3, 0.05, 0.6])
    assert run(cycle, limit=4) == {"cycles": 4, "last": {"action": "hold", "reason": "healthy"}, "ended": "cycles"}
    assert cycle.began_at == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("limit", [0, -1])
def test_no_cycle_takes_no_lease(limit: int) -> None:
    """A running invocation would lose it."""
    cycle = FakeCycle(Clock(), lease=[True])
    assert run(cycle, limit=limit) == {"cycles": 0, "last": None, "ended": "cycles"}
    assert (cycle.lease, cycle.finished) == ([True], None)


def test_reports_may_take_the_rest_of_the_interval() -> None:
    """Slow reports never delay the next cycle."""
    cycle = FakeCycle(Clock(), takes=[0.3, 0.05])
    run(cycle, limit=2)
    assert cycle.budgets == [0.7, 0.95]


def test_late_cycle_skips_due_times() -> None:
    """After a cycle of 2.5 s the next one begins at 3.0 s."""
    cycle = FakeCycle(Clock(), takes=[2.5])
    run(cycle, limit=3)
    assert cycle.began_at == [0.0, 3.0, 4.0]


def test_first_cycle_follows_the_predecessors_last() -> None:
    """The interval is kept across the hand-over."""
    cycle = FakeCycle(Clock(), last_cycle_at=after(-0.4))
    run(cycle, limit=2)
    assert cycle.began_at == [0.6, 1.6]


def test_first_cycle_after_a_gap_starts_at_once() -> None:
    """The predecessor's last cycle is long past."""
    cycle = FakeCycle(Clock(), last_cycle_at=after(-30))
    run(cycle, limit=1)
    assert cycle.began_at == [0.0]


def test_future_last_cycle_delays_by_one_interval_at_most() -> None:
    """The predecessor's clock may be ahead."""
    cycle = FakeCycle(Clock(), last_cycle_at=after(3600))
    run(cycle, limit=1)
    assert cycle.began_at == [1.0]


def test_loop_ends_when_a_successor_holds_the_lease() -> None:
    """The cycle that sees the successor is not counted."""
    cycle = FakeCycle(Clock(), successor_at=4)
    summary = run(cycle)
    assert (summary["cycles"], summary["ended"]) == (3, "successor")


def test_loop_ends_after_two_minutes_without_a_successor() -> None:
    """The schedule starts an invocation each minute."""
    cycle = FakeCycle(Clock())
    summary = run(cycle)
    assert (summary["cycles"], summary["ended"]) == (120, "deadline")


def test_loop_ends_before_lambdas_time_out() -> None:
    """The duration of a failover call is reserved."""
    cycle = FakeCycle(Clock())
    summary = run(cycle, lambda_seconds=30)
    assert (summary["cycles"], summary["ended"], cycle.finished) == (7, "deadline", 22.0)


def test_loop_ends_when_a_concurrent_start_takes_the_lease() -> None:
    """One of two simultaneous invocations runs cycles."""
    cycle = FakeCycle(Clock(), lease=[StateConflictError("lease")])
    assert run(cycle) == {"cycles": 0, "last": None, "ended": "concurrent"}


def test_unreadable_lease_is_retried_in_each_cycle() -> None:
    """Cycles run and hold until the lease is taken."""
    cycle = FakeCycle(Clock(), lease=[False, False, True])
    summary = run(cycle, limit=3)
    assert (summary["cycles"], cycle.has_lease, cycle.lease) == (3, True, [])


def test_lease_taken_while_unreadable_ends_the_loop() -> None:
    """Another invocation took the lease."""
    cycle = FakeCycle(Clock(), lease=[False, StateConflictError("lease")])
    assert run(cycle)["ended"] == "concurrent"


def test_clock_set_back_does_not_stop_the_cycles() -> None:
    """The loop waits at most one interval."""
    clock = Clock()
    cycle = FakeCycle(clock, takes=[-3600.0])
    run_cycles(
        cast(Cycle, cycle),
        holder="me",
        policy=POLICY,
        clock=clock,
        sleep=clock.sleep,
        remaining_seconds=lambda: 100.0,
        limit=2,
    )
    assert clock.slept[-1] == 1.0


def test_hand_over_keeps_one_cycle_per_interval() -> None:
    """The successor starts between two cycles, and the predecessor ends."""
    clock = Clock()
    world, table = FakeWorld(clock), MemoryTable()
    first = Rig(world=world, table=table, clock=clock, holder="first").start()
    first.run_cycles(2)
    clock.advance(-0.7)
    second = Rig(world=world, table=table, clock=clock, holder="second").start()
    clock.advance(0.7)
    before = len(world.metrics)
    assert first.run_cycles(1) == ["superseded"]
    clock.advance(-1)
    assert (after(1), ["healthy"]) == (second.cycle.last_cycle_at, second.run_cycles(1))
    assert before + 1 == len(world.metrics)


@pytest.mark.parametrize("phase", [0.01, 0.25, 0.5, 0.75, 0.99])
def test_lost_region_fails_over_within_four_intervals(phase: float) -> None:
    """The wait for a cycle, two more cycles and two observations take at most 3.7 intervals."""
    rig = Rig()
    clock, result = rig.clock, rig.config.policy.interval_seconds
    lost_at = after((2 + phase) * result)

    def advance(count: int, name: str) -> None:
        rig.world.region_is_lost = clock() >= lost_at
        if name == "before peer health_check" and rig.world.region_is_lost:
            clock.advance(rig.config.policy.observation_deadline_seconds)

    rig.steps.interrupt = advance
    run_cycles(
        rig.cycle,
        holder="one",
        policy=rig.config.policy,
        clock=clock,
        sleep=clock.sleep,
        remaining_seconds=lambda: 150.0,
        limit=9,
    )
    [called_at] = rig.world.calls
    cycles = (called_at - lost_at).total_seconds() / result
    assert cycles == pytest.approx((1 - phase) + 2 + 2 * 0.35)
    assert cycles < 4
