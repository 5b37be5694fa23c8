"""Tests of the machine's measurement."""

import pytest

from rehearsal.machine import INTERVALS_SECONDS, MachineSpeed, Ticker, describe_stall, longer_interval


@pytest.mark.parametrize(
    ("cycle_ms", "late_ms", "interval_seconds"),
    [(150, 0, 1.0), (200, 100, 1.0), (201, 0, 2.0), (150, 101, 2.0), (500, 0, 3.0), (700, 0, 5.0), (150, 450, 5.0)],
)
def test_shortest_interval_with_room_is_chosen(cycle_ms: int, late_ms: int, interval_seconds: float) -> None:
    """A cycle takes at most 20 % of the interval, and the machine is late by at most 10 % of it."""
    speed = MachineSpeed(longest_cycle_seconds=cycle_ms / 1000, latest_tick_seconds=late_ms / 1000)
    assert speed.choose_interval() == interval_seconds
    assert "too slow" not in speed.describe(interval_seconds)


def test_longest_interval_is_chosen_on_a_machine_that_is_too_slow() -> None:
    """The description warns."""
    speed = MachineSpeed(longest_cycle_seconds=1.5, latest_tick_seconds=0.0)
    assert speed.choose_interval() == INTERVALS_SECONDS[-1]
    assert "a cycle takes up to 1500 ms here" in speed.describe(5.0)
    assert "too slow for this interval" in speed.describe(5.0)


@pytest.mark.parametrize(("interval_seconds", "longer"), [(0.5, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 5.0), (5.0, None)])
def test_longer_interval_is_the_next_one(interval_seconds: float, longer: float | None) -> None:
    """There is none above the longest."""
    assert longer_interval(interval_seconds) == longer


def test_ticker_returns_the_latest_tick_of_a_period() -> None:
    """Small latenesses are not recorded."""
    now = [100.0]
    ticker = Ticker(clock=lambda: now[0])
    for at, late in ((100.0, 0.3), (101.0, 0.005), (102.0, 0.05)):
        now[0] = at
        ticker.record(late)
    assert ticker.latest(99.0, 103.0) == 0.3
    assert ticker.latest(100.5, 101.5) == 0.0
    assert ticker.latest(100.5, 103.0) == 0.05


def test_ticker_ticks_until_it_is_left() -> None:
    """Its thread ends."""
    moments = iter(range(1_000_000))
    with Ticker(monotonic=lambda: next(moments) * 1.0) as ticker:
        ticker._thread.join(0.1)
        assert ticker._thread.is_alive()
    assert not ticker._thread.is_alive()
    assert ticker.latest(0.0, float("inf")) == pytest.approx(0.98)


@pytest.mark.parametrize(
    ("late_ms", "starts", "unanswered", "text"),
    [
        (100, [10.0, 11.0, 12.25], 0, ""),
        (101, [10.0, 11.0], 0, "the rehearsal's process ran 101 ms late"),
        (0, [10.0, 11.3], 0, "a controller's cycle started 300 ms late"),
        (0, [], 2, "2 probes of the survivor's own cluster had no answer in time"),
        (200, [10.0, 12.0], 0, "the rehearsal's process ran 200 ms late and a controller's cycle started 1000 ms late"),
    ],
)
def test_stall_is_described(late_ms: int, starts: list[float], unanswered: int, text: str) -> None:
    """The text is empty if the machine kept up."""
    stall = describe_stall(
        latest_tick_seconds=late_ms / 1000, cycle_starts=[starts], unanswered_probes=unanswered, interval_seconds=1.0
    )
    assert stall == text
