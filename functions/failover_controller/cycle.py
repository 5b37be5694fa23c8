"""One cycle: observe, decide, take the lock, observe again, decide again, equal? record the intent, act, record; confirm later.

Owns the order of these steps, and what is held in memory between the cycles. Does not own the rules (`decide.py`), the
counting (`follow.py`) or the pace (`cycles.py`). Invariant: nobody calls without having written the intent over the
very version of the state that the decision was made on; so of two invocations one loses its write and does not call,
and who dies leaves an intent that the next cycle recognises by what RDS shows, and finishes only when the call can no
longer show up.
"""

from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .conditions import Case, heartbeat_quiet_seconds, lag_before_outage_ms
from .decide import decide
from .delivery import NoticeDelivery
from .metrics import cycle_metrics
from .model import Action, Attempt, AttemptStatus, Decision, Event, Observation, Policy, Reason, Records, Side, State
from .notices import NoticeQueue
from .observe import Observer
from .ports import (
    CallNotSentError,
    CallRefusedError,
    CallUncertainError,
    ConflictError,
    Metrics,
    PortError,
    Rds,
    Store,
    Threads,
    UnavailableError,
)
from .state_update import seconds_between, update_state

LOCK_SLACK_SECONDS = 5.0
INTENT_VALID_SECONDS = 3.0
"""A call starts at once after its intent; a process that was frozen in between must not send it late."""


@dataclass(frozen=True, kw_only=True)
class CycleResult:
    """What came of one cycle. `decision` is `None` when a successor holds the lease: then nothing was decided."""

    observation: Observation
    decision: Decision | None
    problems: tuple[str, ...]
    heartbeat_stopped: bool | None = None
    took_ms: float | None = None
    """From the first look until what came of it was kept; what is told afterwards doesn't count."""


class Cycle:
    """The controller's cycles, one after the other, in one invocation at a time."""

    def __init__(
        self,
        *,
        policy: Policy,
        observer: Observer,
        announcer: NoticeQueue,
        courier: NoticeDelivery,
        store: Store,
        rds: Rds,
        metrics: Metrics,
        threads: Threads,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._policy = policy
        self._observer = observer
        self._announcer = announcer
        self._courier = courier
        self._store = store
        self._rds = rds
        self._metrics = metrics
        self._threads = threads
        self._clock = clock
        self._new_id = new_id
        self._holder = ""
        self._has_lease = False
        self._memory: State | None = None
        self._unsaved = False
        self._writer = Side.UNKNOWN
        self._call: tuple[str, Future[None]] | None = None
        self._delivery: Future[frozenset[str]] | None = None
        self._problems: list[str] = []

    @property
    def has_lease(self) -> bool:
        """Whether this invocation took the lease."""
        return self._has_lease

    @property
    def last_cycle_at(self) -> datetime | None:
        """When the last known cycle began, whoever cycle it."""
        return None if self._memory is None else self._memory.cycle_at

    def begin(self, holder: str) -> None:
        """Start an invocation; what a warm sandbox remembers is kept, and checked against the table."""
        self._holder = holder
        self._has_lease = False

    def take_lease(self) -> None:
        """Take the lease from whoever holds it. An unreadable lease is not taken: the cycles go on, and hold.

        Raises:
            ConflictError: when another invocation started at the same moment and won.
        """
        try:
            records = self._store.read(None)
            if "lease" in records.failures:
                self._problem(f"lease: {records.failures['lease']}")
                return
            self._store.take_lease(self._holder, self._clock(), records.lease)
        except UnavailableError as error:
            self._problem(f"lease: {error}")
            return
        self._has_lease = True
        self._remember(self._adopt(records))

    def run(self, budget_seconds: float) -> CycleResult:
        """Do one cycle; `budget_seconds` is how long it may wait for the answer to a failover call."""
        seen = self._look()
        if self._is_superseded(seen.records):
            return CycleResult(observation=seen, decision=None, problems=self._taken_problems())
        state, ended = self._end_call(self._adopt(seen.records))
        state, events = update_state(state, seen, self._policy)
        for event in (*ended, *events):
            state = self._announcer.tell(state, event, seen.at)
        now = self._clock()
        decision = decide(seen, state, self._policy, now)
        quiet = heartbeat_quiet_seconds(Case(seen, state, self._policy, now))
        self._remember(state)
        if decision.action is Action.FAIL_OVER:
            decision, kept = self._act(state, decision, seen.at + timedelta(seconds=budget_seconds))
        else:
            kept = state
        if kept is not None:
            self._save(self._announcer.update_state(kept, decision, seen.peer, seen.at), seen.records)
        stopped = None if quiet is None else quiet >= self._policy.quiet_seconds
        return CycleResult(
            observation=seen,
            decision=decision,
            problems=self._taken_problems(),
            heartbeat_stopped=stopped,
            took_ms=seconds_between(seen.at, self._clock()) * 1000,
        )

    def report(self, result: CycleResult, budget_seconds: float) -> None:
        """Send the cycle's metrics and the notices, side by side, waiting at most `budget_seconds`; failures only show as Error."""
        if result.decision is None:
            return
        values = cycle_metrics(
            result.observation,
            result.decision,
            heartbeat_stopped=result.heartbeat_stopped,
            met_error=_met_error(result),
            took_ms=result.took_ms,
        )
        sent = self._threads.submit(lambda: self._metrics.put(values))
        self._deliver()
        reports: list[Future[Any]] = [sent] if self._delivery is None else [sent, self._delivery]
        wait(reports, timeout=budget_seconds)
        if sent.done() and (error := _error(sent)) is not None:
            self._problem(f"metrics: {error}")
        self._collect_delivery()

    def finish(self, budget_seconds: float) -> None:
        """End an invocation: a call that is still on its way is waited for, so that a frozen sandbox never sends it late."""
        if self._call is not None:
            wait([self._call[1]], timeout=budget_seconds)
            if self._memory is not None:
                state, events = self._end_call(self._memory)
                for event in events:
                    state = self._announcer.tell(state, event, self._clock())
                self._save(state)
                self._deliver()
        if self._delivery is not None:
            wait([self._delivery], timeout=budget_seconds)
            self._collect_delivery()

    # Looking and remembering

    def _look(self) -> Observation:
        pending = None if self._memory is None else self._memory.pending
        seen = self._observer.observe(writer=self._writer, approval_id=None if pending is None else pending.id)
        records = seen.records
        if records.lock is not None and records.lock.holder == self._holder:
            records = replace(records, lock=None)
        if not self._has_lease:
            failures = {"lease": "not taken by this invocation", **records.failures}
            records = replace(records, failures=failures)
        return replace(seen, records=records)

    def _is_superseded(self, records: Records) -> bool:
        return self._has_lease and records.lease is not None and records.lease.holder != self._holder

    def _adopt(self, records: Records) -> State:
        """The table's word counts; memory only when the table can't be read, or did not get our last write."""
        if "state" in records.failures:
            return self._memory or State()
        table = records.state or State()
        if self._unsaved and self._memory is not None and self._memory.version == table.version:
            return self._memory
        self._unsaved = False
        return table

    def _remember(self, state: State) -> None:
        self._memory = state
        if state.writer is not Side.UNKNOWN:
            self._writer = state.writer

    def _save(self, state: State, records: Records | None = None) -> bool:
        """Write the state over the version that it came from; say whether it is in the table now."""
        self._remember(state)
        if records is not None and "state" in records.failures:
            # What can't be read is not overwritten: it may hold an attempt of somebody else's.
            self._unsaved = True
            return False
        try:
            self._remember(self._store.write_state(state))
        except ConflictError as error:
            self._problem(f"state: {error}")
            self._memory, self._unsaved = None, False
            return False
        except UnavailableError as error:
            self._problem(f"state: {error}")
            self._unsaved = True
            return False
        self._unsaved = False
        return True

    def _problem(self, text: str) -> None:
        self._problems.append(text)

    def _taken_problems(self) -> tuple[str, ...]:
        problems = tuple(self._problems)
        self._problems.clear()
        return problems

    # Acting

    def _act(self, state: State, decision: Decision, wait_until: datetime) -> tuple[Decision, State | None]:
        """Lock, look again, decide again, record the intent, call. Returns what came of it, and the state to be saved, if any."""
        if self._call is not None:
            return _held(decision, Reason.FAILOVER_UNDER_WAY), state
        refusal = self._take_lock()
        if refusal is not None:
            return _held(decision, refusal), state
        seen = self._look()
        now = self._clock()
        followed, events = update_state(state, seen, self._policy, counts=False)
        for event in events:
            followed = self._announcer.tell(followed, event, seen.at)
        again = self._decide_again(decision, seen, followed, now)
        if again.action is not Action.FAIL_OVER:
            self._release_lock()
            return again, followed  # a sign of life counts, whichever look saw it
        attempt = self._attempt(Case(seen, followed, self._policy, now), decision)
        intended = self._announcer.announce(replace(followed, attempt=attempt), decision, now)
        if not self._save(intended):
            self._release_lock()
            if self._memory is None:
                return _held(decision, Reason.STATE_CONFLICT), None
            # Written or not: nobody knows. No call; the next cycle reads what the table holds, and goes on from there.
            return replace(_held(decision, Reason.STATE_UNWRITABLE), action=Action.NOTIFY), state
        called = self._fail_over(self._memory or intended, attempt, wait_until)
        self._release_lock()
        return decision, called

    def _take_lock(self) -> Reason | None:
        now = self._clock()
        seconds = 2 * self._policy.observation_deadline_seconds + LOCK_SLACK_SECONDS
        try:
            self._store.take_lock(self._holder, now, now + timedelta(seconds=seconds))
        except ConflictError:
            return Reason.LOCK_HELD
        except UnavailableError as error:
            self._problem(f"lock: {error}")
            return Reason.LOCK_UNREADABLE
        return None

    def _release_lock(self) -> None:
        try:
            self._store.release_lock(self._holder)
        except PortError as error:
            self._problem(f"lock: {error}")  # it expires by itself

    def _decide_again(self, first: Decision, seen: Observation, state: State, now: datetime) -> Decision:
        """The second decision, on a fresh look; it must be the first one again, on the same version of the state."""
        table = seen.records.state or State()
        if self._is_superseded(seen.records) or table.version != state.version:
            return _held(first, Reason.STATE_CONFLICT)
        again = decide(seen, state, self._policy, now)
        if again.same_as(first) or again.action is not Action.FAIL_OVER:
            return again
        return _held(again, Reason.DECISIONS_DIFFER)

    def _attempt(self, case: Case, decision: Decision) -> Attempt:
        earlier, state = case.state.attempt, case.state
        if earlier is not None:  # an intent whose call never showed up is finished under its own name
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
        call = self._threads.submit(lambda: self._call_once(attempt))
        self._call = (attempt.id, call)
        wait([call], timeout=max(0.0, seconds_between(self._clock(), wait_until)))
        state, events = self._end_call(state)
        for event in events:
            state = self._announcer.tell(state, event, self._clock())
        return state

    def _call_once(self, attempt: Attempt) -> None:
        if seconds_between(attempt.touched_at, self._clock()) > INTENT_VALID_SECONDS:
            raise CallNotSentError("stalled between the intent and the call")
        self._rds.fail_over(self._policy.target)

    def _end_call(self, state: State) -> tuple[State, tuple[Event, ...]]:
        """Take in the answer to our call, if it has come. An unexpected error counts as an unclear answer."""
        if self._call is None or not self._call[1].done():
            return state, ()
        (attempt_id, call), self._call = self._call, None
        error, attempt = _error(call), state.attempt
        if attempt is None or attempt.id != attempt_id:
            return state, ()
        attempt = replace(attempt, touched_at=self._clock())
        if error is None:
            return replace(state, attempt=replace(attempt, status=AttemptStatus.UNDER_WAY)), ()
        reason = _REASONS_OF_CALL.get(type(error), Reason.FAILOVER_UNCERTAIN)
        self._problem(f"call: {error}")
        evidence = {"attempt": attempt.id, "calls": attempt.calls, "error": f"{type(error).__name__}: {error}"}
        event = Event(reason=reason, action=Action.NOTIFY, evidence=evidence)
        # A refusal of a repeated call may mean that the first one took effect: that is for RDS to show.
        ended = reason is not Reason.FAILOVER_UNCERTAIN and attempt.calls == 1
        return replace(state, attempt=None if ended else attempt), (event,)

    # Telling

    def _deliver(self) -> None:
        outbox = () if self._memory is None else self._memory.outbox
        if outbox and self._delivery is None:
            self._delivery = self._threads.submit(lambda: self._courier.deliver(outbox))

    def _collect_delivery(self) -> None:
        if self._delivery is None or not self._delivery.done():
            return
        delivery, self._delivery = self._delivery, None
        if (error := _error(delivery)) is not None:
            self._problem(f"notices: {error}")
            return
        memory, delivered = self._memory, delivery.result()
        if memory is None or not delivered:
            return
        state = replace(memory, outbox=tuple(notice for notice in memory.outbox if notice.id not in delivered))
        if self._unsaved:
            self._remember(state)
        else:
            self._save(state)


_REASONS_OF_CALL: dict[type[Exception], Reason] = {
    CallRefusedError: Reason.FAILOVER_REFUSED,
    CallNotSentError: Reason.FAILOVER_NOT_SENT,
    CallUncertainError: Reason.FAILOVER_UNCERTAIN,
}


def _met_error(result: CycleResult) -> bool:
    """Whether something of our own failed; a dead writer or a silent region is what we are here for, and no error."""
    seen = result.observation
    return bool(result.problems or seen.records.failures or seen.rds_failure or seen.own_function_failure)


def _held(decision: Decision, reason: Reason) -> Decision:
    return Decision(action=Action.HOLD, reason=reason, target=None, evidence=decision.evidence, held=True)


def _error(call: "Future[Any]") -> Exception | None:
    """The error of a finished call; what is no Exception (an exit, an interrupt) is not ours to keep."""
    error = call.exception()
    if error is None or isinstance(error, Exception):
        return error
    raise error
