# ruff: noqa: D102 - the fakes do what the ports that they stand for say
"""The cycles of one invocation: their pace, the hand-over, and their end."""

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
    """A cycle whose cycles take the given times, and which loses the lease at one of them."""

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


def test_cycles_keep_a_steady_cadence() -> None:
    """The next cycle is due a cycle after the last one was due, whatever that one took."""
    cycle = FakeCycle(Clock(), takes=[0.3, 0.05, 0.6])
    assert run(cycle, limit=4) == {"cycles": 4, "last": {"action": "hold", "reason": "healthy"}, "ended": "cycles"}
    assert cycle.began_at == [0.0, 1.0, 2.0, 3.0]


def test_reports_may_take_what_is_left_of_the_cycle() -> None:
    """The reports are awaited, but never beyond the next cycle."""
    cycle = FakeCycle(Clock(), takes=[0.3, 0.05])
    run(cycle, limit=2)
    assert cycle.budgets == [0.7, 0.95]


def test_a_late_cycle_is_followed_by_the_next_full_one_never_by_a_burst() -> None:
    """A cycle of 2.5 s skips two: the next begins at 3.0 s."""
    cycle = FakeCycle(Clock(), takes=[2.5])
    run(cycle, limit=3)
    assert cycle.began_at == [0.0, 3.0, 4.0]


def test_the_first_cycle_is_due_a_cycle_after_the_predecessors_last() -> None:
    """The rhythm goes on over the hand-over: no pause, no cycle too early."""
    cycle = FakeCycle(Clock(), last_cycle_at=after(-0.4))
    run(cycle, limit=2)
    assert cycle.began_at == [0.6, 1.6]


def test_after_a_hole_the_first_cycle_comes_at_once() -> None:
    """A predecessor that died long ago is not waited for."""
    cycle = FakeCycle(Clock(), last_cycle_at=after(-30))
    run(cycle, limit=1)
    assert cycle.began_at == [0.0]


def test_a_predecessors_clock_that_is_ahead_delays_by_a_cycle_at_most() -> None:
    """Clocks differ: a last cycle in the future is not waited for."""
    cycle = FakeCycle(Clock(), last_cycle_at=after(3600))
    run(cycle, limit=1)
    assert cycle.began_at == [1.0]


def test_it_ends_when_a_successor_holds_the_lease() -> None:
    """The cycle at which the successor is seen is not counted."""
    cycle = FakeCycle(Clock(), successor_at=4)
    summary = run(cycle)
    assert (summary["cycles"], summary["ended"]) == (3, "successor")


def test_it_ends_after_two_minutes_without_a_successor() -> None:
    """The schedule starts one each minute: longer than this nobody cycles."""
    cycle = FakeCycle(Clock())
    summary = run(cycle)
    assert (summary["cycles"], summary["ended"]) == (120, "deadline")


def test_it_ends_before_lambda_ends_it() -> None:
    """What a failover call may take is kept free at the end."""
    cycle = FakeCycle(Clock())
    summary = run(cycle, lambda_seconds=30)
    assert (summary["cycles"], summary["ended"], cycle.finished) == (8, "deadline", 22.0)


def test_who_loses_the_lease_to_another_start_leaves() -> None:
    """Two invocations of the same moment: one cycles."""
    cycle = FakeCycle(Clock(), lease=[StateConflictError("lease")])
    assert run(cycle) == {"cycles": 0, "last": None, "ended": "concurrent"}


def test_an_unreadable_lease_is_tried_again_at_each_cycle() -> None:
    """It cycles on (and holds) until the lease can be taken."""
    cycle = FakeCycle(Clock(), lease=[False, False, True])
    summary = run(cycle, limit=3)
    assert (summary["cycles"], cycle.has_lease, cycle.lease) == (3, True, [])


def test_a_lease_lost_while_it_was_unreadable_ends_the_invocation() -> None:
    """Somebody else took it in the meantime."""
    cycle = FakeCycle(Clock(), lease=[False, StateConflictError("lease")])
    assert run(cycle)["ended"] == "concurrent"


def test_a_clock_that_is_set_back_does_not_stop_the_cycles() -> None:
    """A wait is a cycle at most."""
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


def test_two_invocations_hand_over_without_a_pause_and_without_a_cycle_too_many() -> None:
    """The successor starts between two cycles: every second has exactly one cycle, and the predecessor ends."""
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
def test_a_lost_region_is_called_within_four_cycles_whenever_it_is_lost(phase: float) -> None:
    """The wait for the next cycle, two cycles more, and two looks that take their whole deadline: 3.7 cycles at most."""
    rig = Rig()
    clock, result = rig.clock, rig.config.policy.interval_seconds
    lost_at = after((2 + phase) * result)

    def look(count: int, name: str) -> None:
        rig.world.region_is_lost = clock() >= lost_at
        if name == "before peer health_check" and rig.world.region_is_lost:
            clock.advance(rig.config.policy.observation_deadline_seconds)

    rig.steps.interrupt = look
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
