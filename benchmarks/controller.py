"""The failover controller as a detector: the real `decide` and `update_state`, cycle by cycle.

Cycles that cannot change the result are skipped: of consecutive cycles with a live writer only the last one runs, and a
long fault is skipped when state and decision repeat every cycle or every two cycles.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import log
from random import Random
from typing import NamedTuple

from benchmarks.assumptions import CLOCK_DRIFT, CYCLE_LATENESS_SECONDS, MISSED_CYCLE, NOISE_PER_CALL
from benchmarks.observer import EPOCH, PathSample, SimulatedObserver, moment
from benchmarks.simulated_regions import Episode, Segment
from functions.failover_controller.conditions import Case, lag_before_outage_ms
from functions.failover_controller.decide import decide
from functions.failover_controller.model import Action, Decision, Mode, Observation, Peer, Policy, Records, Side, State
from functions.failover_controller.state_update import update_state

LOCK_SECONDS = 0.03
"""From the first decision to the pause before the second observation: one conditional write. An assumption."""
INTENT_SECONDS = 0.03
"""From the second decision to the call: one conditional write. An assumption."""
JUMP_FROM_CYCLES = 6
CYCLES_BEFORE_A_CHANGE = 5
"""Cycles that run before the next change of the paths, after a jump: more than those in which an answer of the region counts."""
_HARMLESS_SIGNATURE: tuple[object, ...] = ()
"""Signature of a time in which no cycle can act."""
_OBSERVER = State(writer=Side.PEER, writer_since=EPOCH - timedelta(days=365), heartbeats=("",))
"""State of a controller whose peer has been the writer for a long time. Any heartbeat is newer than the empty one."""
_NOTHING_SEEN = Observation(at=EPOCH, records=Records())

POLICY = Policy(
    target="arn:aws:rds:eu-west-1:123456789012:cluster:payments-eu-west-1-prod",
    mode=Mode.AUTOMATIC,
    interval_seconds=10.0,
    failure_threshold=5,
    in_region_grace_seconds=120.0,
    cooldown_seconds=900.0,
    max_data_loss_seconds=60.0,
    completion_bound_seconds=600.0,
)
"""The defaults of `settings/model.py`; a test compares them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectorResult:
    """Result of one episode. Times are seconds since the year began; None if the event did not happen."""

    called_at: float | None = None
    reason: str | None = None
    requested_at: tuple[float, ...] = ()
    """When approval was requested, once in each consecutive run of such decisions."""
    cycles: int = 0
    """Cycles that ran the real rules."""


class Controller:
    """One standby controller that runs through an episode until its first call."""

    name = "ours"
    """Seeds the random generator: a new name would change the results. Tables show "controller" instead."""

    def __init__(self, policy: Policy = POLICY, name: str = name) -> None:
        self.policy = policy
        self.name = name
        self.memory_seconds = 15.0 + policy.failure_threshold * policy.interval_seconds
        """How long before a call its causes may have ended."""

    def detect(self, episode: Episode, rng: Random) -> DetectorResult:
        """Return the first call of an episode and its reason."""
        period = self.policy.interval_seconds * (1 + rng.uniform(-CLOCK_DRIFT, CLOCK_DRIFT))
        first = episode.start + rng.random() * period
        if first > episode.end or not any(segment.can_cause_failover for segment in episode.segments):
            return DetectorResult()  # no cycle during the fault could act
        return _Run(self.policy, episode, rng, period).run_from(first - period)


class _SimulatedCycle(NamedTuple):
    at: float
    state: State
    signature: tuple[object, ...] | None
    """All inputs of later decisions; None where a jump is not allowed."""


class _Run:
    def __init__(self, policy: Policy, episode: Episode, rng: Random, period: float) -> None:
        self._policy = policy
        self._episode = episode
        self._rng = rng
        self._period = period
        self._observer = SimulatedObserver(episode, policy, rng)
        self._cycles = 0
        self._requested: list[float] = []
        self._is_requesting = False
        self._noise_due = False

    def run_from(self, first: float) -> DetectorResult:
        """Run the cycles from the last healthy one before the episode to the first call or the episode's end."""
        self._observer.skip_until(first)
        state = self._updated(_OBSERVER, self._observer.healthy_sample(first))
        last_alive: PathSample | None = None
        answered_at, silent_at = state.peer_answered_at, state.calm_silence_at
        due = first + self._period
        recent: list[_SimulatedCycle] = []
        while due <= self._episode.end:
            if self._is_missed():
                due += self._period
                continue
            at = due + self._rng.expovariate(1 / CYCLE_LATENESS_SECONDS)
            segment = self._episode.segment_at(at)
            if not segment.can_cause_failover:
                segment = self._episode.extended_harmless_segment(segment)
                if segment.end >= self._episode.end:
                    break
            sample = self._observer.sample(at, segment.paths)
            due += self._period
            if sample.sees_live_writer:
                if last_alive is None and state.silent_cycles:
                    state = self._updated(state, sample)  # the time at which a silence healed counts
                last_alive, self._is_requesting = sample, False
                if sample.peer is Peer.SILENT:
                    silent_at = moment(sample.at)
                else:
                    answered_at = moment(sample.at)
                recent.clear()
                due = due if segment.can_cause_failover else self._due_at_the_end(due, segment)
                continue
            if last_alive is not None:
                state = self._updated(state, last_alive)
                state = replace(state, peer_answered_at=answered_at, calm_silence_at=silent_at)
                last_alive = None
            state, decision, called_at = self._cycle(state, sample)
            if called_at is not None:
                return self._result(called_at, decision)
            answered_at, silent_at = state.peer_answered_at, state.calm_silence_at
            recent.append(_SimulatedCycle(at, state, self._signature(state, decision, at, segment)))
            repeat = _repeating(recent)
            if repeat:
                state, due = self._jump(repeat, due, segment)
                recent.clear()
        return self._result(None, None)

    def _updated(self, state: State, sample: PathSample) -> State:
        observation, _ = self._observer.observe(sample)
        return update_state(state, observation, self._policy)[0]

    def _is_missed(self) -> bool:
        """Return whether this cycle is missed. After a jump that ends with random noise, the cycle or one of its calls fails."""
        if not self._noise_due:
            return self._rng.random() < MISSED_CYCLE
        self._noise_due = False
        if self._rng.random() < MISSED_CYCLE / (3 * NOISE_PER_CALL + MISSED_CYCLE):
            return True
        self._observer.fail_next_call()
        return False

    def _result(self, called_at: float | None, decision: Decision | None) -> DetectorResult:
        reason = None if decision is None else str(decision.reason)
        return DetectorResult(
            called_at=called_at, reason=reason, requested_at=tuple(self._requested), cycles=self._cycles
        )

    def _cycle(self, state: State, sample: PathSample) -> tuple[State, Decision, float | None]:
        self._cycles += 1
        at = sample.at
        observation, took = self._observer.observe(sample)
        state, decision = decide_first(state, observation, self._policy, moment(at + took))
        self._record_request(decision, at + took)
        if decision.action is not Action.FAIL_OVER:
            return state, decision, None
        again_at = at + took + LOCK_SECONDS + self._policy.pause_seconds
        observation, took = self._observer.observe_at(again_at, self._episode.paths_at(again_at))
        state, again = decide_again(state, observation, self._policy, moment(again_at + took))
        return state, decision, again_at + took + INTENT_SECONDS if again.same_as(decision) else None

    def _record_request(self, decision: Decision, at: float) -> None:
        asks = decision.action is Action.REQUEST_APPROVAL
        if asks and not self._is_requesting:
            self._requested.append(at)
        self._is_requesting = asks

    # Jumps over cycles without new information

    def _signature(self, state: State, decision: Decision, at: float, segment: Segment) -> tuple[object, ...] | None:
        """Return all inputs of later decisions, with times as ages; None where a jump is not allowed."""
        if not segment.can_cause_failover:
            return _HARMLESS_SIGNATURE
        if segment.end - at < JUMP_FROM_CYCLES * self._period or segment.paths.is_random:
            return None
        policy, now = self._policy, moment(at)
        # Ages beyond every duration of the policy are equivalent.
        life = max(policy.in_region_grace_seconds, policy.quiet_seconds, policy.lag_fresh_seconds)
        bounds = (
            (state.cycle_at, life),
            (state.dead_since, life),
            (state.heartbeat_seen_at, life),
            (state.lag_at, life),
            (state.served_at, life),
            (state.peer_answered_at, life),
            (state.calm_silence_at, policy.settling_seconds),
            (state.silence_healed_at, policy.settling_seconds),
            (state.roles_changed_at, policy.cooldown_seconds),
        )
        ages = tuple(
            None if then is None else min(bound + policy.interval_seconds, (now - then).total_seconds())
            for then, bound in bounds
        )
        enough = policy.failure_threshold + policy.extra_cycles
        counts = (min(state.silent_cycles, enough), min(state.dead_cycles, enough))
        lag_ms = lag_before_outage_ms(Case(_NOTHING_SEEN, state, policy, now))
        return (decision.reason, decision.action, state.writer, counts, ages, lag_ms)

    def _cycles_to_leave_out(self, due: float, segment: Segment) -> int:
        return int((segment.end - due) / self._period) - CYCLES_BEFORE_A_CHANGE

    def _due_at_the_end(self, due: float, segment: Segment) -> float:
        """Return the time of the last cycles of a segment."""
        cycles = self._cycles_to_leave_out(due, segment)
        if cycles < 1:
            return due
        self._observer.skip_until(due + (cycles - 1) * self._period)
        return due + cycles * self._period

    def _jump(self, repeat: Sequence[_SimulatedCycle], due: float, segment: Segment) -> tuple[State, float]:
        """Return state and time at the segment's last cycles, or at the next random failure, as if all cycles had run."""
        cycles = self._cycles_to_leave_out(due, segment)
        if cycles < 1:
            return repeat[0].state, due
        if segment.can_cause_failover:
            noise = 3 * NOISE_PER_CALL + MISSED_CYCLE
            until_noise = int(log(1 - self._rng.random()) / log(1 - noise))
            if until_noise <= cycles:
                cycles = until_noise
                self._noise_due = True
        until = repeat[0].at + cycles * self._period
        _, state, _ = last = repeat[cycles % len(repeat)]
        now, ahead = moment(last.at), timedelta(seconds=until - last.at)

        def shifted(then: datetime | None) -> datetime | None:
            return then if then is None or then != now else then + ahead

        state = replace(
            state,
            cycle_at=shifted(state.cycle_at),
            heartbeat_seen_at=shifted(state.heartbeat_seen_at),
            lag_at=shifted(state.lag_at),
            served_at=shifted(state.served_at),
            peer_answered_at=shifted(state.peer_answered_at),
            silence_healed_at=shifted(state.silence_healed_at),
        )
        self._observer.skip_until(until)
        return state, due + cycles * self._period


def _repeating(recent: Sequence[_SimulatedCycle]) -> tuple[_SimulatedCycle, ...]:
    """Return the one or two cycles that repeat, the last one first; empty if a change is possible."""
    *_, last = recent
    if last.signature is None:
        return ()
    if last.signature == _HARMLESS_SIGNATURE or (len(recent) > 1 and recent[-2].signature == last.signature):
        return (last,)
    # A random failure can resemble half of an alternation, so require two full alternations.
    if len(recent) > 3 and (recent[-4].signature, recent[-3].signature) == (recent[-2].signature, last.signature):
        return (last, recent[-2])
    return ()


def decide_first(state: State, observation: Observation, policy: Policy, now: datetime) -> tuple[State, Decision]:
    """Return state and decision of a cycle, as `Cycle` makes them."""
    state, _ = update_state(state, observation, policy)
    return state, decide(observation, state, policy, now)


def decide_again(state: State, observation: Observation, policy: Policy, now: datetime) -> tuple[State, Decision]:
    """Return state and decision of the second observation before a call, which must confirm the first."""
    state, _ = update_state(state, observation, policy, counts=False)
    return state, decide(observation, state, policy, now)
