"""Our detector: the real `decide` and `follow`, beat by beat, with the cycle's second look before a call.

Owns the beats of one controller through one episode, and the jump over beats that can't bring anything new. Does not own any rule: those
are `functions/failover_controller`'s. Invariant: every beat that differs from the one before runs the real rules; a jump is made only when
state and decision, seen from the beat's own time, have come to a stand.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import log
from random import Random

from functions.failover_controller.conditions import Case, lag_before_outage_ms
from functions.failover_controller.decide import decide
from functions.failover_controller.follow import follow
from functions.failover_controller.model import Action, Decision, Mode, Observation, Policy, Records, State

from .assumptions import BEAT_LATENESS_SECONDS, CLOCK_DRIFT, MISSED_BEAT, NOISE_PER_CALL
from .looks import Looks, moment
from .world import Episode, Paths, Segment

LOCK_SECONDS = 0.03
"""From the first decision to the second look: one conditional write. An assumption."""
INTENT_SECONDS = 0.03
"""From the second decision to the call: one conditional write. An assumption."""
JUMP_FROM_BEATS = 6
_NO_RECORDS = Records()

POLICY = Policy(
    target="arn:aws:rds:eu-west-1:123456789012:cluster:payments-eu-west-1-prod",
    mode=Mode.AUTOMATIC,
    beat_seconds=10.0,
    failures_to_act=3,
    in_region_grace_seconds=120.0,
    cooldown_seconds=900.0,
    max_data_loss_seconds=60.0,
    completion_bound_seconds=600.0,
)
"""The defaults of `settings.py`; a test compares them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Watch:
    """What came of watching one episode. Times in seconds since the year began; `None`: it never happened."""

    called_at: float | None = None
    reason: str | None = None
    asked_at: tuple[float, ...] = ()
    """When a person was first asked, in each stretch of asking."""
    beats: int = 0
    """Beats that ran the real rules."""


class Controller:
    """One standby controller; `watch` runs it through an episode until its first call."""

    name = "ours"
    memory_seconds = 45.0
    """How far back a trouble may lie that led to a call."""

    def __init__(self, policy: Policy = POLICY) -> None:
        self.policy = policy

    def watch(self, episode: Episode, rng: Random) -> Watch:
        """Return the first call of an episode, and what led to it."""
        period = self.policy.beat_seconds * (1 + rng.uniform(-CLOCK_DRIFT, CLOCK_DRIFT))
        first = episode.start + rng.random() * period
        if first > episode.end or not any(segment.paths.can_hurt for segment in episode.segments):
            return Watch()  # over between two beats, or the port lives all the while: no beat could act
        return _Run(self.policy, episode, rng, period).through(first - period)


class _Run:
    def __init__(self, policy: Policy, episode: Episode, rng: Random, period: float) -> None:
        self._policy = policy
        self._episode = episode
        self._rng = rng
        self._period = period
        self._looks = Looks(episode, policy, rng)
        self._beats = 0
        self._asked: list[float] = []
        self._asking = False
        self._noise_due = False

    def through(self, first: float) -> Watch:
        """Beat from the last good beat before the episode to its end, or to the first call."""
        self._looks.forget_until(first)
        seen, _ = self._looks.calm_look(first)
        state, _ = follow(State(), seen, self._policy)
        due, before = first + self._period, None
        while due <= self._episode.end:
            if self._is_missed():
                due += self._period
                continue
            at = due + self._rng.expovariate(1 / BEAT_LATENESS_SECONDS)
            segment = self._episode.segment_at(at)
            state, decision, called_at = self._beat(state, at, segment.paths)
            if called_at is not None:
                return self._watch(called_at, decision)
            due += self._period
            standing = self._standing(state, decision, at, segment)
            if standing is not None and (standing == before or not segment.paths.can_hurt):
                state, due = self._jump(state, at, due, segment)
                standing = None
            before = standing
        return self._watch(None, None)

    def _is_missed(self) -> bool:
        """Whether this beat is left out. A jump ended here because something fails by itself: this beat, or a call in it."""
        if not self._noise_due:
            return self._rng.random() < MISSED_BEAT
        self._noise_due = False
        if self._rng.random() < MISSED_BEAT / (3 * NOISE_PER_CALL + MISSED_BEAT):
            return True
        self._looks.fail_a_call()
        return False

    def _watch(self, called_at: float | None, decision: Decision | None) -> Watch:
        reason = None if decision is None else str(decision.reason)
        return Watch(called_at=called_at, reason=reason, asked_at=tuple(self._asked), beats=self._beats)

    def _beat(self, state: State, at: float, paths: Paths) -> tuple[State, Decision, float | None]:
        self._beats += 1
        seen, took = self._looks.look(at, paths)
        state, decision = first_look(state, seen, self._policy, moment(at + took))
        self._note_asking(decision, at + took)
        if decision.action is not Action.FAIL_OVER:
            return state, decision, None
        again_at = at + took + LOCK_SECONDS
        seen, took = self._looks.look(again_at, self._episode.paths_at(again_at))
        if acts(state, decision, seen, self._policy, moment(again_at + took)):
            return state, decision, again_at + took + INTENT_SECONDS
        return state, decision, None

    def _note_asking(self, decision: Decision, at: float) -> None:
        asks = decision.action is Action.ASK
        if asks and not self._asking:
            self._asked.append(at)
        self._asking = asks

    # Jumping over beats that change nothing

    def _standing(self, state: State, decision: Decision, at: float, segment: Segment) -> tuple[object, ...] | None:
        """Everything that later decisions can depend on, with times as ages; `None` where no jump would be made."""
        if segment.end - at < JUMP_FROM_BEATS * self._period:
            return None
        if not segment.paths.can_hurt:
            return ()
        if segment.paths.is_random:
            return None
        policy, now = self._policy, moment(at)
        # An age beyond every duration of the policy that it is compared with is like any greater one.
        life = max(policy.in_region_grace_seconds, policy.quiet_seconds, policy.lag_fresh_seconds)
        bounds = (
            (state.beat_at, life),
            (state.dead_since, life),
            (state.heartbeat_seen_at, life),
            (state.lag_at, life),
            (state.roles_changed_at, policy.cooldown_seconds),
        )
        ages = tuple(
            None if then is None else min(bound + policy.beat_seconds, (now - then).total_seconds())
            for then, bound in bounds
        )
        enough = policy.failures_to_act
        counts = (min(state.silent_beats, enough), min(state.dead_beats, enough))
        lag_ms = lag_before_outage_ms(Case(Observation(at=now, records=_NO_RECORDS), state, policy, now))
        return (decision.reason, decision.action, state.writer, counts, ages, lag_ms)

    def _jump(self, state: State, at: float, due: float, segment: Segment) -> tuple[State, float]:
        """Go on to the last beats of the segment, or to the next call that fails by itself, as if the beats between had run."""
        beats = int((min(segment.end, self._episode.end) - due) / self._period) - 2
        if beats < 1:
            return state, due
        if segment.paths.can_hurt:
            noise = 3 * NOISE_PER_CALL + MISSED_BEAT
            until_noise = int(log(1 - self._rng.random()) / log(1 - noise))
            if until_noise <= beats:
                beats = until_noise
                self._noise_due = True
        ahead = timedelta(seconds=beats * self._period)
        now = moment(at)

        def moved(then: datetime | None) -> datetime | None:
            return then if then is None or then != now else then + ahead

        state = replace(
            state,
            beat_at=moved(state.beat_at),
            heartbeat_seen_at=moved(state.heartbeat_seen_at),
            lag_at=moved(state.lag_at),
        )
        self._looks.forget_until(at + beats * self._period)
        return state, due + beats * self._period


def first_look(state: State, seen: Observation, policy: Policy, now: datetime) -> tuple[State, Decision]:
    """Return the state and the decision of a beat, as `Cycle.beat` makes them."""
    state, _ = follow(state, seen, policy)
    return state, decide(seen, state, policy, now)


def acts(state: State, first: Decision, seen: Observation, policy: Policy, now: datetime) -> bool:
    """Return whether the second look confirms the first decision, as `Cycle` demands before a call."""
    followed, _ = follow(state, seen, policy, counts=False)
    return decide(seen, followed, policy, now).same_as(first)
