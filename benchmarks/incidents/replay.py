"""Replays an incident cycle by cycle on the real `update_state`, `decide` and `NoticeQueue`, without skipped cycles.

The observations come from the simulated observer of the benchmark, with fixed values in place of random ones: no random
failure, no drift, no late cycle. A phase is the time from the start of the incident to the next cycle.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from math import ceil
from random import Random
from typing import Any

from benchmarks.controller import INTENT_SECONDS, LOCK_SECONDS, POLICY, decide_again, decide_first
from benchmarks.incidents.model import Incident, Outcome, Stage
from benchmarks.observer import SimulatedObserver, moment
from benchmarks.simulated_regions import Effect, Episode
from functions.failover_controller.model import Action, Observation, Policy, Reason, Side, State
from functions.failover_controller.notices import NoticeQueue

PHASES = (0.0, 1 / 3, 2 / 3)
"""Parts of the interval."""
START = 1_000_000.0
"""Start of the incident, in the benchmark's seconds."""
WARM_UP_CYCLES = 30
"""Healthy cycles before the incident."""
AFTERWARDS_CYCLES = 6
"""Healthy cycles after it, in which a late decision would show."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Result of one phase. Seconds count from the start of the incident."""

    outcome: Outcome
    reason: Reason | None = None
    """Of the call or the first request."""
    seconds: float | None = None
    """Until the call or the first request."""
    notices: tuple[Reason, ...] = ()
    """In order, without the end of an episode."""


@cache
def replays(incident: Incident) -> tuple[Replay, ...]:
    """Return the result in each phase, with the default settings."""
    return tuple(replay(incident, phase) for phase in PHASES)


def replay(incident: Incident, phase: float, policy: Policy = POLICY) -> Replay:
    """Return the result of one phase, a part of the interval."""
    return _Run(incident, policy).play(phase)


class _FixedRandom(Random):
    """Returns the middle of each range."""

    def random(self) -> float:
        return 0.5


class _Observing:
    """The observations of an incident, whatever the controller does."""

    def __init__(self, incident: Incident, policy: Policy) -> None:
        self._spans = list(_spans(incident))
        effects = [
            Effect(start=start, end=end, cause=incident.cause, paths=stage.paths) for start, end, stage in self._spans
        ]
        self._episode = Episode(effects)
        self._observer = SimulatedObserver(self._episode, policy, _FixedRandom())

    def skip_until(self, at: float) -> None:
        self._observer.skip_until(at)

    def observe(self, at: float) -> tuple[Observation, float]:
        """Return the observation at `at` and its duration in seconds."""
        observation, took = self._observer.observe_at(at, self._episode.paths_at(at))
        changes: dict[str, Any] = dict(
            next((stage.changes for start, end, stage in self._spans if start <= at < end), {})
        )
        return replace(observation, **changes), took


def observations(incident: Incident, phase: float, policy: Policy = POLICY) -> list[Observation]:
    """Return one observation for each cycle, from the last healthy one before the incident to its end."""
    observing = _Observing(incident, policy)
    times = _times(incident, phase, policy)
    observing.skip_until(times[0] - policy.interval_seconds)
    seen = [observing.observe(at)[0] for at in times]
    return seen[WARM_UP_CYCLES - 1 : -AFTERWARDS_CYCLES]


class _Run:
    def __init__(self, incident: Incident, policy: Policy) -> None:
        self._incident = incident
        self._policy = policy
        self._observing = _Observing(incident, policy)
        ids = count(1)
        self._queue = NoticeQueue(
            policy=policy, region="eu-west-1", global_cluster_id="payments", new_id=lambda: str(next(ids))
        )
        self._notices: list[Reason] = []
        self._request: tuple[Reason, float] | None = None

    def play(self, phase: float) -> Replay:
        times = _times(self._incident, phase, self._policy)
        self._observing.skip_until(times[0] - self._policy.interval_seconds)
        state = State(writer=Side.PEER)
        for at in times:
            state, called_at = self._cycle(state, at)
            if called_at is not None:
                return self._result(Outcome.FAILS_OVER, self._notices[-1], called_at)
        if self._request is not None:
            return self._result(Outcome.REQUESTS_APPROVAL, *self._request)
        return self._result(Outcome.NOTIFIES if self._notices else Outcome.HOLDS, None, None)

    def _cycle(self, state: State, at: float) -> tuple[State, float | None]:
        """Return the state after a cycle, and the time of its call."""
        observation, took = self._observing.observe(at)
        state, decision = decide_first(state, observation, self._policy, moment(at + took))
        if decision.action is Action.FAIL_OVER:
            again_at = at + took + LOCK_SECONDS
            second, took = self._observing.observe(again_at)
            state, again = decide_again(state, second, self._policy, moment(again_at + took))
            if again.same_as(decision):
                self._notices.append(decision.reason)
                return state, again_at + took + INTENT_SECONDS
            decision = again
        if decision.action is Action.REQUEST_APPROVAL and self._request is None:
            self._request = decision.reason, at + took
        state = self._queue.track_decision(state, decision, observation.peer, moment(at))
        self._notices += [notice.reason for notice in state.outbox if notice.reason is not Reason.HEALTHY]
        return replace(state, outbox=()), None

    def _result(self, outcome: Outcome, reason: Reason | None, at: float | None) -> Replay:
        notices = tuple(dict.fromkeys(self._notices))
        return Replay(outcome=outcome, reason=reason, seconds=None if at is None else at - START, notices=notices)


def _times(incident: Incident, phase: float, policy: Policy) -> list[float]:
    """Return the times of the cycles before, in and after the incident."""
    interval = policy.interval_seconds
    during = ceil((incident.seconds - phase * interval) / interval)
    return [START + (phase + cycle) * interval for cycle in range(-WARM_UP_CYCLES, during + AFTERWARDS_CYCLES)]


def _spans(incident: Incident) -> Iterator[tuple[float, float, Stage]]:
    """Yield start, end and stage of each time in which a fault is on."""
    begin = START
    for stage in incident.stages:
        end = begin + stage.seconds
        if stage.on_seconds is None:
            yield begin, end, stage
        else:
            at = begin
            while at < end:
                yield at, min(at + stage.on_seconds, end), stage
                at += stage.on_seconds + stage.off_seconds
        begin = end
