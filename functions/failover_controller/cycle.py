"""One cycle: observe, decide, lock, pause, observe and decide again, record the intent, call, save; later cycles confirm.

A call requires that its intent was written over the state version on which the decision was made. Of two concurrent
invocations one therefore loses its write and does not call. An intent without a call is left to the next cycle,
which repeats the call only when RDS can no longer show an effect of the first.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .conditions import Case, heartbeat_quiet_seconds, lag_before_outage_ms, outage_is_unclear
from .decide import decide
from .delivery import NoticeDelivery
from .memory import StateMemory
from .metrics import cycle_metrics
from .model import Action, Attempt, AttemptStatus, Decision, Event, Observation, Policy, Reason, Records, Side, State
from .notices import NoticeQueue
from .observe import Observer
from .pending_call import PendingCall, error_of
from .ports import DisarmedError, Metrics, PortError, Rds, StateConflictError, Store, Threads, UnavailableError
from .problems import ProblemLog
from .state_update import call_was_accepted, seconds_between, update_state

LOCK_SLACK_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class CycleResult:
    """Result of one cycle. `decision` is `None` if a successor holds the lease."""

    observation: Observation
    decision: Decision | None
    problems: tuple[str, ...]
    heartbeat_stopped: bool | None = None
    serves_no_one: bool = False
    """Whether no sign of a working writer came for the grace period, and no path shows why."""
    leads: bool = False
    has_called: bool = False
    """Whether RDS accepted this controller's call so recently that it may not show the operation yet."""
    took_ms: float | None = None
    """From the start of the observation to the saved state, without metrics and notices."""


class Cycle:
    """Runs the cycles of one process, one at a time."""

    def __init__(
        self,
        *,
        policy: Policy,
        observer: Observer,
        notices: NoticeQueue,
        delivery: NoticeDelivery,
        store: Store,
        rds: Rds,
        metrics: Metrics,
        threads: Threads,
        log: logging.Logger,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        new_id: Callable[[], str],
    ) -> None:
        self._policy = policy
        self._observer = observer
        self._notices = notices
        self._delivery = delivery
        self._store = store
        self._metrics = metrics
        self._threads = threads
        self._clock = clock
        self._sleep = sleep
        self._new_id = new_id
        self._holder = ""
        self._has_lease = False
        self._problems = ProblemLog(log)
        self._memory = StateMemory(store, on_problem=self._problems.append)
        self._call = PendingCall(
            target=policy.target, rds=rds, threads=threads, clock=clock, on_problem=self._problems.append
        )
        self._delivering: Future[frozenset[str]] | None = None

    @property
    def has_lease(self) -> bool:
        """Whether this invocation took the lease."""
        return self._has_lease

    @property
    def last_cycle_at(self) -> datetime | None:
        """Start of the last known cycle of any invocation."""
        return None if self._memory.state is None else self._memory.state.cycle_at

    def begin(self, holder: str) -> None:
        """Start an invocation. A warm execution environment keeps its memory."""
        self._holder = holder
        self._has_lease = False

    def take_lease(self) -> None:
        """Take the lease from its holder. An unreadable lease is not taken; cycles then run and hold.

        Raises:
            StateConflictError: another invocation took the lease at the same moment.
        """
        try:
            records = self._store.read(None)
            if "lease" in records.failures:
                self._problems.append(f"lease: {records.failures['lease']}")
                return
            self._store.take_lease(self._holder, self._clock(), records.lease)
        except UnavailableError as error:
            self._problems.append(f"lease: {error}")
            return
        self._has_lease = True
        self._memory.remember(self._memory.adopt(records))

    def run(self, budget_seconds: float) -> CycleResult:
        """Run one cycle; wait at most `budget_seconds`, from the start of the cycle, for the answer to a failover call."""
        seen = self._observe()
        if self._is_superseded(seen.records):
            return CycleResult(observation=seen, decision=None, problems=self._problems.take())
        state, answered = self._call.take_answer(self._memory.adopt(seen.records))
        state, events = update_state(state, seen, self._policy)
        state = self._queue(state, (*answered, *events), seen.at)
        now = self._clock()
        decision = decide(seen, state, self._policy, now)
        case = Case(seen, state, self._policy, now)
        quiet = heartbeat_quiet_seconds(case)
        self._memory.remember(state)
        unsaved: State | None = state
        if decision.action is Action.FAIL_OVER:
            decision, unsaved = self._act(state, decision, seen.at + timedelta(seconds=budget_seconds))
        if unsaved is not None:
            self._memory.save(self._notices.track_decision(unsaved, decision, seen.peer, seen.at), seen.records)
        return CycleResult(
            observation=seen,
            decision=decision,
            problems=self._problems.take(),
            heartbeat_stopped=None if quiet is None else quiet >= self._policy.quiet_seconds,
            leads=state.leads,
            has_called=call_was_accepted((unsaved or state).attempt, seen.at),
            serves_no_one=state.writer is Side.PEER and outage_is_unclear(case),
            took_ms=seconds_between(seen.at, self._clock()) * 1000,
        )

    def report(self, result: CycleResult, budget_seconds: float) -> None:
        """Send metrics and notices in parallel and wait at most `budget_seconds`. Failures are reported as problems."""
        if result.decision is None:
            return
        for error in _observation_errors(result.observation):
            self._problems.write(error)
        values = cycle_metrics(
            result.observation,
            result.decision,
            heartbeat_stopped=result.heartbeat_stopped,
            serves_no_one=result.serves_no_one,
            leads=result.leads,
            has_called=result.has_called,
            met_error=_met_error(result),
            took_ms=result.took_ms,
        )
        sent = self._threads.submit(lambda: self._metrics.put(values))
        self._start_delivery()
        reports: list[Future[Any]] = [sent] if self._delivering is None else [sent, self._delivering]
        wait(reports, timeout=budget_seconds)
        if sent.done() and (error := error_of(sent)) is not None:
            self._problems.append(f"metrics: {error}")
        self._finish_delivery()

    def finish(self, budget_seconds: float) -> None:
        """End an invocation. A pending call is awaited, since a frozen execution environment would send it late.

        Notices that the table lacks are delivered now, as a successor does not know them.
        """
        if self._call.is_in_flight:
            self._call.wait(budget_seconds)
            if self._memory.state is not None:
                state, events = self._call.take_answer(self._memory.state)
                self._memory.save(self._queue(state, events, self._clock()))
                self._start_delivery()
        self._await_delivery(budget_seconds / 2)
        if self._memory.is_unsaved:
            self._start_delivery()
            self._await_delivery(budget_seconds / 2)

    def _observe(self) -> Observation:
        pending = None if self._memory.state is None else self._memory.state.pending
        seen = self._observer.observe(writer=self._memory.writer, approval_id=None if pending is None else pending.id)
        records = seen.records
        if records.lock is not None and records.lock.holder == self._holder:
            records = replace(records, lock=None)
        if not self._has_lease:
            failures = {"lease": "not taken by this invocation", **records.failures}
            records = replace(records, failures=failures)
        return replace(seen, records=records)

    def _is_superseded(self, records: Records) -> bool:
        return self._has_lease and records.lease is not None and records.lease.holder != self._holder

    def _queue(self, state: State, events: tuple[Event, ...], at: datetime) -> State:
        for event in events:
            state = self._notices.queue_event(state, event, at)
        return state

    def _act(self, state: State, decision: Decision, wait_until: datetime) -> tuple[Decision, State | None]:
        """Lock, observe and decide again, record the intent, call. Return the final decision and the state to save."""
        if self._call.is_in_flight:
            return _held(decision, Reason.FAILOVER_UNDER_WAY), state
        refusal = self._take_lock()
        if refusal is not None:
            return _held(decision, refusal), state
        # Many interruptions last less than a minute; the pause lets more of them end before the call.
        self._sleep(self._policy.pause_seconds)
        seen = self._observe()
        now = self._clock()
        updated, events = update_state(state, seen, self._policy, counts=False)
        updated = self._queue(updated, events, seen.at)
        second = self._decide_again(decision, seen, updated, now)
        if second.action is not Action.FAIL_OVER:
            self._release_lock()
            return second, updated
        attempt = self._attempt(Case(seen, updated, self._policy, now), decision)
        intended = self._notices.queue_intent(replace(updated, attempt=attempt), decision, now)
        try:
            is_saved = self._memory.save(intended, if_armed_at=now)
        except DisarmedError as error:
            self._problems.append(f"intent: {error}")
            self._release_lock()
            return replace(_held(decision, Reason.DISARMED), action=Action.NOTIFY), updated
        if not is_saved:
            self._release_lock()
            if self._memory.state is None:
                return _held(decision, Reason.STATE_CONFLICT), None
            # The intent may or may not be in the table. The next cycle reads it and continues from there.
            return replace(_held(decision, Reason.STATE_UNWRITABLE), action=Action.NOTIFY), state
        called = self._fail_over(self._memory.state or intended, attempt, wait_until)
        self._release_lock()
        return decision, called

    def _take_lock(self) -> Reason | None:
        now = self._clock()
        seconds = 2 * self._policy.observation_deadline_seconds + self._policy.pause_seconds + LOCK_SLACK_SECONDS
        try:
            self._store.take_lock(self._holder, now, now + timedelta(seconds=seconds))
        except StateConflictError:
            return Reason.LOCK_HELD
        except UnavailableError as error:
            self._problems.append(f"lock: {error}")
            return Reason.LOCK_UNREADABLE
        return None

    def _release_lock(self) -> None:
        try:
            self._store.release_lock(self._holder)
        except PortError as error:
            self._problems.append(f"lock: {error}")  # the lock expires

    def _decide_again(self, first: Decision, seen: Observation, state: State, now: datetime) -> Decision:
        """Return the second decision; hold if it differs from the first or the state's version has changed."""
        table = seen.records.state or State()
        if self._is_superseded(seen.records) or table.version != state.version:
            return _held(first, Reason.STATE_CONFLICT)
        second = decide(seen, state, self._policy, now)
        if second.same_as(first) or second.action is not Action.FAIL_OVER:
            return second
        return _held(second, Reason.DECISIONS_DIFFER)

    def _attempt(self, case: Case, decision: Decision) -> Attempt:
        earlier, state = case.state.attempt, case.state
        if earlier is not None:  # an intent whose call had no effect is repeated under its own id
            return replace(earlier, touched_at=case.now, calls=earlier.calls + 1)
        return Attempt(
            id=self._new_id(),
            status=AttemptStatus.INTENDED,
            verdict=decision.reason,
            started_at=case.now,
            touched_at=case.now,
            outage_at=state.dead_since or case.now,
            lag_ms=lag_before_outage_ms(case),
            heartbeat=state.heartbeats[-1] if state.heartbeats else None,
            calls=1,
        )

    def _fail_over(self, state: State, attempt: Attempt, wait_until: datetime) -> State:
        self._call.start(attempt)
        self._call.wait(seconds_between(self._clock(), wait_until))
        state, events = self._call.take_answer(state)
        return self._queue(state, events, self._clock())

    def _start_delivery(self) -> None:
        outbox = () if self._memory.state is None else self._memory.state.outbox
        if outbox and self._delivering is None:
            self._delivering = self._threads.submit(lambda: self._delivery.deliver(outbox))

    def _await_delivery(self, seconds: float) -> None:
        if self._delivering is not None:
            wait([self._delivering], timeout=seconds)
            self._finish_delivery()

    def _finish_delivery(self) -> None:
        if self._delivering is None or not self._delivering.done():
            return
        delivering, self._delivering = self._delivering, None
        if (error := error_of(delivering)) is not None:
            self._problems.append(f"notices: {error}")
            return
        state, delivered = self._memory.state, delivering.result()
        if state is None or not delivered:
            return
        state = replace(state, outbox=tuple(notice for notice in state.outbox if notice.id not in delivered))
        if self._memory.is_unsaved:
            self._memory.remember(state)
        else:
            self._memory.save(state)


def _met_error(result: CycleResult) -> bool:
    """Return whether the controller itself had an error."""
    return bool(result.problems or _observation_errors(result.observation))


def _observation_errors(seen: Observation) -> list[str]:
    """Return what the controller could not read in its own region. An unreachable writer or region does not count."""
    errors = [f"{item}: {why}" for item, why in seen.records.failures.items()]
    if seen.rds_failure is not None:
        errors.append(f"RDS API: {seen.rds_failure}")
    if seen.own_function_failure is not None:
        errors.append(f"health_check: {seen.own_function_failure}")
    return errors


def _held(decision: Decision, reason: Reason) -> Decision:
    return Decision(action=Action.HOLD, reason=reason, target=None, evidence=decision.evidence, held=True)
