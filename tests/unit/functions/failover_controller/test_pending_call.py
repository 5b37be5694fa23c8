"""The failover call in flight and its answers."""

import pytest

from functions.failover_controller.model import AttemptStatus, Reason, State
from functions.failover_controller.pending_call import PendingCall
from tests.support.failover_controller.builders import NOW, OWN_ARN, attempt
from tests.support.failover_controller.fakes import Clock, FakeWorld, InlineThreads


class CallRig:
    """A PendingCall on fakes."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.world = FakeWorld(self.clock)
        self.threads = InlineThreads()
        self.problems: list[str] = []
        self.call = PendingCall(
            target=OWN_ARN,
            rds=self.world,
            threads=self.threads,
            clock=self.clock,
            on_problem=self.problems.append,
        )


@pytest.fixture
def rig() -> CallRig:
    """A new rig."""
    return CallRig()


ATTEMPT = attempt(touched_at=NOW)


def test_accepted_call_is_under_way(rig: CallRig) -> None:
    """There is no event, and the call is no longer in flight."""
    rig.call.start(ATTEMPT)
    state, events = rig.call.take_answer(State(attempt=ATTEMPT))
    assert state.attempt is not None
    assert (state.attempt.status, events, rig.call.is_in_flight) == (AttemptStatus.UNDER_WAY, (), False)


def test_hanging_call_stays_in_flight(rig: CallRig) -> None:
    """The state does not change until its answer arrives."""
    rig.threads.hangs = lambda: True
    rig.call.start(ATTEMPT)
    rig.call.wait(0.0)
    assert rig.call.take_answer(State(attempt=ATTEMPT)) == (State(attempt=ATTEMPT), ())
    assert rig.call.is_in_flight


@pytest.mark.parametrize(
    ("answer", "calls", "reason", "is_kept"),
    [
        ("refused", 1, Reason.FAILOVER_REFUSED, False),
        ("refused", 2, Reason.FAILOVER_REFUSED, True),
        ("throttled", 1, Reason.FAILOVER_NOT_SENT, False),
        ("timed out, lost", 1, Reason.FAILOVER_UNCERTAIN, True),
        ("broken", 1, Reason.FAILOVER_UNCERTAIN, True),
    ],
)
def test_failed_call_is_an_event(rig: CallRig, answer: str, calls: int, reason: Reason, is_kept: bool) -> None:
    """The attempt is kept if the call or an earlier one may have taken effect."""
    rig.world.call = answer
    pending = attempt(touched_at=NOW, calls=calls)
    rig.call.start(pending)
    state, events = rig.call.take_answer(State(attempt=pending))
    assert ([event.reason for event in events], state.attempt is not None) == ([reason], is_kept)
    assert len(rig.problems) == 1


def test_stalled_call_is_not_sent(rig: CallRig) -> None:
    """More than 3 s have passed since the intent."""
    rig.clock.advance(3.1)
    rig.call.start(ATTEMPT)
    _, events = rig.call.take_answer(State(attempt=ATTEMPT))
    assert ([event.reason for event in events], rig.world.calls) == ([Reason.FAILOVER_NOT_SENT], [])


def test_answer_of_another_attempt_is_ignored(rig: CallRig) -> None:
    """RDS showed the end of the attempt before its call answered."""
    rig.call.start(ATTEMPT)
    assert rig.call.take_answer(State()) == (State(), ())


def test_waiting_without_a_call_returns_at_once(rig: CallRig) -> None:
    """There is nothing to wait for."""
    rig.call.wait(3600.0)
    assert not rig.call.is_in_flight
