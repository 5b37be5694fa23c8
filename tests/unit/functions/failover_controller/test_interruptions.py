# ruff: noqa: D102 - the ports document these methods
"""Cycles that crash or are overtaken at any step, and two concurrent cycles in any order."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.failover_controller.store import STATE
from tests.support.failover_controller.builders import OWN_ARN
from tests.support.failover_controller.fakes import Clock, Crash, FakeWorld, MemoryTable, Steps, crash_at
from tests.support.failover_controller.rig import Rig
from tests.support.waiting import WAIT_SECONDS

pytestmark = pytest.mark.slow

ENOUGH_CYCLES = 45
"""25 s until a lost call is known to be lost, a few seconds of failing over, and the notice."""


def outage_until_the_acting_cycle(steps: Steps | None = None, holder: str = "first") -> Rig:
    """Return a process that fails over in its next cycle."""
    rig = Rig(steps=steps or Steps(), holder=holder).start()
    rig.run_cycles(3)
    rig.world.region_is_lost = True
    rig.run_cycles(2)
    return rig


def steps_of_acting() -> int:
    """Return the number of steps from the cycle that fails over to the end of the failover."""
    rig = outage_until_the_acting_cycle()
    before = rig.steps.count
    rig.run_cycles(5)
    return rig.steps.count - before


@pytest.mark.parametrize("call", ["accepted", "timed out, took effect"])
@pytest.mark.parametrize("step", range(1, steps_of_acting() + 1))
def test_next_process_completes_after_a_crash_at_any_step(step: int, call: str) -> None:
    """There is one call in effect, and both notices are sent."""
    rig = outage_until_the_acting_cycle()
    rig.world.call = call
    rig.steps.interrupt = crash_at(rig.steps.count + step)
    with pytest.raises(Crash):
        rig.run_cycles(5)
    rig.clock.advance(1)
    rig.successor("second").run_cycles(ENOUGH_CYCLES)
    assert (len(rig.world.calls), rig.world.effects, rig.world.writer) == (1, 1, OWN_ARN)
    assert {"region-lost", "failover-completed"} <= set(rig.world.notified())
    assert "attempt" not in rig.table.items[STATE]


@pytest.mark.parametrize("second_step", [1, 9, 14, 20, 25, 31])
@pytest.mark.parametrize("step", [1, 12, 14, 16, 18, 26, 28, 30, 32, 34])
def test_third_process_completes_after_two_crashes(step: int, second_step: int) -> None:
    """There is one effect, and the failover completes."""
    rig = outage_until_the_acting_cycle()
    rig.steps.interrupt = crash_at(rig.steps.count + step)
    with pytest.raises(Crash):
        rig.run_cycles(5)
    rig.clock.advance(1)
    with pytest.raises(Crash):
        rig.successor("second", Steps(crash_at(second_step))).run_cycles(ENOUGH_CYCLES)
    rig.clock.advance(1)
    rig.successor("third").run_cycles(ENOUGH_CYCLES)
    assert (len(rig.world.calls), rig.world.effects, rig.world.writer) == (1, 1, OWN_ARN)


@pytest.mark.parametrize("holder", ["first", "second"])
@pytest.mark.parametrize("step", range(1, 45))
def test_concurrent_cycle_at_any_step_does_not_call(step: int, holder: str) -> None:
    """The second cycle makes no call even if the lease and the lock treat both processes as one."""
    rig = outage_until_the_acting_cycle()
    other = Rig(world=rig.world, table=rig.table, clock=rig.clock, holder=holder)
    other.cycle.begin(holder)

    def overtake(count: int, name: str) -> None:
        if count >= target:
            rig.steps.interrupt = None
            other.cycle.take_lease()
            other.run()

    target = rig.steps.count + step
    rig.steps.interrupt = overtake
    rig.run_cycles(2)
    other.run_cycles(ENOUGH_CYCLES)
    assert (len(rig.world.calls), rig.world.effects, rig.world.writer) == (1, 1, OWN_ARN)


class Turns:
    """Lets two threads pass their steps in a given order, then run freely."""

    def __init__(self, order: list[int]) -> None:
        self._order: Iterator[int] = iter(order)
        self._next = next(self._order, None)
        self._ended: set[int] = set()
        self._changed = threading.Condition()

    def wait(self, who: int) -> None:
        with self._changed:
            while self._next is not None and self._next != who and self._next not in self._ended:
                assert self._changed.wait(timeout=WAIT_SECONDS), "the order got stuck"
            self._next = next(self._order, None)
            self._changed.notify_all()

    def end(self, who: int) -> None:
        with self._changed:
            self._ended.add(who)
            self._changed.notify_all()


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from([0, 1]), min_size=20, max_size=90), st.booleans())
def test_two_concurrent_controllers_call_once_in_any_order(order: list[int], same_holder: bool) -> None:
    """One call takes effect, and it is the only one."""
    clock = Clock()
    world, table = FakeWorld(clock), MemoryTable()
    first = Rig(world=world, table=table, clock=clock, holder="first").start()
    first.run_cycles(3)
    world.region_is_lost = True
    first.run_cycles(2)
    turns = Turns(order)
    second = Rig(world=world, table=table, clock=clock, holder="first" if same_holder else "second").start()
    failures: list[BaseException] = []

    def race(who: int, rig: Rig) -> None:
        rig.steps.interrupt = lambda count, name: turns.wait(who)
        try:
            rig.run()
        except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
            failures.append(error)
        finally:
            turns.end(who)

    threads = [threading.Thread(target=race, args=(who, rig)) for who, rig in enumerate((first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    second.steps.interrupt = None
    clock.advance(1)
    second.run_cycles(ENOUGH_CYCLES)
    assert (len(world.calls), world.effects, world.writer) == (1, 1, OWN_ARN)


@pytest.mark.parametrize("skew", [-4.0, -1.0, 1.0, 4.0])
def test_successor_with_another_clock_does_not_repeat_the_call(skew: float) -> None:
    """Lock, intent and counts are written by one clock and read by another."""
    rig = outage_until_the_acting_cycle()
    rig.world.call = "timed out, took effect"
    rig.run_cycles(1)
    rig.clock.advance(skew)
    rig.successor("second").run_cycles(ENOUGH_CYCLES)
    assert (len(rig.world.calls), rig.world.writer) == (1, OWN_ARN)
