"""Our detector: the real `decide` and `update_state`, cycle by cycle, with the cycle's second look before a call.

Owns the cycles of one controller through one episode, and which of them need not be run. Does not own any rule: those are
`functions/failover_controller`'s. Invariant: every cycle that brings anything new runs the real rules. Two kinds don't: of cycles that see
the writer alive the last one stands for all, as it makes the ones before forgotten; and a jump is made when state and decision, seen from
the cycle's own time, are what they were one cycle before, or go to and fro between the same two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import log
from random import Random
from typing import NamedTuple

from benchmarks.assumptions import CLOCK_DRIFT, CYCLE_LATENESS_SECONDS, MISSED_CYCLE, NOISE_PER_CALL
from benchmarks.looks import EPOCH, PathSample, SimulatedObserver, moment
from benchmarks.world import Episode, Segment
from functions.failover_controller.conditions import Case, lag_before_outage_ms
from functions.failover_controller.decide import decide
from functions.failover_controller.model import Action, Decision, Mode, Observation, Policy, Records, Side, State
from functions.failover_controller.state_update import update_state

LOCK_SECONDS = 0.03
"""From the first decision to the second look: one conditional write. An assumption."""
INTENT_SECONDS = 0.03
"""From the second decision to the call: one conditional write. An assumption."""
JUMP_FROM_CYCLES = 6
CYCLES_BEFORE_A_CHANGE = 2
"""So many run before the paths change, after a jump."""
_HARMLESS: tuple[object, ...] = ()
"""Where no cycle could act, whatever is remembered: any of them stands for all."""
_OBSERVER = State(writer=Side.PEER)
"""What a controller remembers whose peer has been the writer for long."""
_NOTHING_SEEN = Observation(at=EPOCH, records=Records())

POLICY = Policy(
    target="arn:aws:rds:eu-west-1:123456789012:cluster:payments-eu-west-1-prod",
    mode=Mode.AUTOMATIC,
    interval_seconds=10.0,
    failure_threshold=3,
    in_region_grace_seconds=120.0,
    cooldown_seconds=900.0,
    max_data_loss_seconds=60.0,
    completion_bound_seconds=600.0,
)
"""The defaults of `settings/model.py`; a test compares them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What came of watching one episode. Times in seconds since the year began; `None`: it never happened."""

    called_at: float | None = None
    reason: str | None = None
    asked_at: tuple[float, ...] = ()
    """When a person was first asked, in each stretch of asking."""
    cycles: int = 0
    """Cycles that ran the real rules."""


class Controller:
    """One standby controller; `watch` runs it through an episode until its first call."""

    name = "ours"
    memory_seconds = 45.0
    """How far back a trouble may lie that led to a call."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy

    def watch(self, episode: Episode, rng: Random) -> Watch:
        """Return the first call of an episode, and what led to it."""
        period = self.policy.interval_seconds * (1 + rng.uniform(-CLOCK_DRIFT, CLOCK_DRIFT))
        first = episode.start + rng.random() * period
        if first > episode.end or not any(segment.can_hurt for segment in episode.segments):
            return Watch()  # over between two cycles, or the port lives all the while: no cycle could act
        return _Run(self.policy, episode, rng, period).through(first - period)


class _SimulatedCycle(NamedTuple):
    at: float
    state: State
    standing: tuple[object, ...] | None
    """Everything that later decisions can depend on; `None` where no jump would be made."""


class _Run:
    def __init__(self, policy: Policy, episode: Episode, rng: Random, period: float) -> None:
        self._policy = policy
        self._episode = episode
        self._rng = rng
        self._period = period
        self._looks = SimulatedObserver(episode, policy, rng)
        self._cycles = 0
        self._asked: list[float] = []
        self._asking = False
        self._noise_due = False

    def through(self, first: float) -> Watch:
        """Cycle from the last good cycle before the episode to its end, or to the first call."""
        self._looks.forget_until(first)
        state = _OBSERVER
        living: PathSample | None = self._looks.calm_glimpse(first)
        due = first + self._period
        recent: list[_SimulatedCycle] = []
        while due <= self._episode.end:
            if self._is_missed():
                due += self._period
                continue
            at = due + self._rng.expovariate(1 / CYCLE_LATENESS_SECONDS)
            segment = self._episode.segment_at(at)
            if not segment.can_hurt:
                segment = self._episode.harmless_run(segment)
                if segment.end >= self._episode.end:
                    break
            glimpse = self._looks.glimpse(at, segment.paths)
            due += self._period
            if glimpse.sees_life:
                living, self._asking = glimpse, False
                recent.clear()
                due = due if segment.can_hurt else self._due_at_the_end(due, segment)
                continue
            if living is not None:
                seen, _ = self._looks.observe(living)
                state, _ = update_state(state, seen, self._policy)
                living = None
            state, decision, called_at = self._cycle(state, glimpse)
            if called_at is not None:
                return self._watch(called_at, decision)
            recent.append(_SimulatedCycle(at, state, self._standing(state, decision, at, segment)))
            repeat = _repeating(recent)
            if repeat:
                state, due = self._jump(repeat, due, segment)
                recent.clear()
        return self._watch(None, None)

    def _is_missed(self) -> bool:
        """Whether this cycle is left out. A jump ended here because something fails by itself: this cycle, or a call in it."""
        if not self._noise_due:
            return self._rng.random() < MISSED_CYCLE
        self._noise_due = False
        if self._rng.random() < MISSED_CYCLE / (3 * NOISE_PER_CALL + MISSED_CYCLE):
            return True
        self._looks.fail_a_call()
        return False

    def _watch(self, called_at: float | None, decision: Decision | None) -> Watch:
        reason = None if decision is None else str(decision.reason)
        return Watch(called_at=called_at, reason=reason, asked_at=tuple(self._asked), cycles=self._cycles)

    def _cycle(self, state: State, glimpse: PathSample) -> tuple[State, Decision, float | None]:
        self._cycles += 1
        at = glimpse.at
        seen, took = self._looks.observe(glimpse)
        state, decision = first_look(state, seen, self._policy, moment(at + took))
        self._note_asking(decision, at + took)
        if decision.action is not Action.FAIL_OVER:
            return state, decision, None
        again_at = at + took + LOCK_SECONDS
        seen, took = self._looks.look(again_at, self._episode.paths_at(again_at))
        state, again = second_look(state, seen, self._policy, moment(again_at + took))
        return state, decision, again_at + took + INTENT_SECONDS if again.same_as(decision) else None

    def _note_asking(self, decision: Decision, at: float) -> None:
        asks = decision.action is Action.REQUEST_APPROVAL
        if asks and not self._asking:
            self._asked.append(at)
        self._asking = asks

    # Leaving out cycles that bring nothing new

    def _standing(self, state: State, decision: Decision, at: float, segment: Segment) -> tuple[object, ...] | None:
        """Everything that later decisions can depend on, with times as ages; `None` where no jump would be made."""
        if not segment.can_hurt:
            return _HARMLESS
        if segment.end - at < JUMP_FROM_CYCLES * self._period or segment.paths.is_random:
            return None
        policy, now = self._policy, moment(at)
        # An age beyond every duration of the policy that it is compared with is like any greater one.
        life = max(policy.in_region_grace_seconds, policy.quiet_seconds, policy.lag_fresh_seconds)
        bounds = (
            (state.cycle_at, life),
            (state.dead_since, life),
            (state.heartbeat_seen_at, life),
            (state.lag_at, life),
            (state.roles_changed_at, policy.cooldown_seconds),
        )
        ages = tuple(
            None if then is None else min(bound + policy.interval_seconds, (now - then).total_seconds())
            for then, bound in bounds
        )
        enough = policy.failure_threshold
        counts = (min(state.silent_cycles, enough), min(state.dead_cycles, enough))
        lag_ms = lag_before_outage_ms(Case(_NOTHING_SEEN, state, policy, now))
        return (decision.reason, decision.action, state.writer, counts, ages, lag_ms)

    def _cycles_to_leave_out(self, due: float, segment: Segment) -> int:
        return int((segment.end - due) / self._period) - CYCLES_BEFORE_A_CHANGE

    def _due_at_the_end(self, due: float, segment: Segment) -> float:
        """Return when the last cycles of a segment are due."""
        cycles = self._cycles_to_leave_out(due, segment)
        if cycles < 1:
            return due
        self._looks.forget_until(due + (cycles - 1) * self._period)
        return due + cycles * self._period

    def _jump(self, repeat: Sequence[_SimulatedCycle], due: float, segment: Segment) -> tuple[State, float]:
        """Go on to the last cycles of the segment, or to the next call that fails by itself, as if the cycles between had run."""
        cycles = self._cycles_to_leave_out(due, segment)
        if cycles < 1:
            return repeat[0].state, due
        if segment.can_hurt:
            noise = 3 * NOISE_PER_CALL + MISSED_CYCLE
            until_noise = int(log(1 - self._rng.random()) / log(1 - noise))
            if until_noise <= cycles:
                cycles = until_noise
                self._noise_due = True
        until = repeat[0].at + cycles * self._period
        _, state, _ = last = repeat[cycles % len(repeat)]
        now, ahead = moment(last.at), timedelta(seconds=until - last.at)

        def moved(then: datetime | None) -> datetime | None:
            return then if then is None or then != now else then + ahead

        state = replace(
            state,
            cycle_at=moved(state.cycle_at),
            heartbeat_seen_at=moved(state.heartbeat_seen_at),
            lag_at=moved(state.lag_at),
        )
        self._looks.forget_until(until)
        return state, due + cycles * self._period


def _repeating(recent: Sequence[_SimulatedCycle]) -> tuple[_SimulatedCycle, ...]:
    """Return the cycles, one or two, that will follow each other as they are, the last one first; none if anything may change."""
    *_, last = recent
    if last.standing is None:
        return ()
    if last.standing == _HARMLESS or (len(recent) > 1 and recent[-2].standing == last.standing):
        return (last,)
    # Twice to and once fro could be a call that failed by itself in between.
    if len(recent) > 3 and (recent[-4].standing, recent[-3].standing) == (recent[-2].standing, last.standing):
        return (last, recent[-2])
    return ()


def first_look(state: State, seen: Observation, policy: Policy, now: datetime) -> tuple[State, Decision]:
    """Return the state and the decision of a cycle, as `Cycle.cycle` makes them."""
    state, _ = update_state(state, seen, policy)
    return state, decide(seen, state, policy, now)


def second_look(state: State, seen: Observation, policy: Policy, now: datetime) -> tuple[State, Decision]:
    """Return the state and the decision of the look before a call, which is made only if it confirms the first, as `Cycle` has it."""
    state, _ = update_state(state, seen, policy, counts=False)
    return state, decide(seen, state, policy, now)
