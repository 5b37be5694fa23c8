"""Notices to subscribers: composed here, kept in the state until delivered, sent once per episode.

A notice is written into the state together with its cause and removed only after delivery. A crash may repeat it
with the same id but never loses it.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from .model import Action, Decision, Event, Evidence, Notice, Peer, Pending, Policy, Reason, State
from .notice_texts import NOTICE_TEXTS

OUTBOX_LIMIT = 20
EVIDENCE_LIMIT = 1000
"""Maximum length of a text in a notice's evidence, such as the text of an error."""
HEALTHY_REASONS = frozenset({Reason.HEALTHY, Reason.ALREADY_WRITER})
ONCE_PER_EPISODE = frozenset({Reason.FAILOVER_REFUSED, Reason.FAILOVER_NOT_SENT, Reason.FAILOVER_UNCERTAIN})
"""Failed calls, which later cycles may repeat. Every other event is sent each time that it occurs."""


class NoticeQueue:
    """Adds notices to a state's outbox: pure functions of the state, except for the ids."""

    def __init__(self, *, policy: Policy, region: str, global_cluster_id: str, new_id: Callable[[], str]) -> None:
        self._policy = policy
        self._region = region
        self._global_cluster_id = global_cluster_id
        self._new_id = new_id

    def queue_event(self, state: State, event: Event, at: datetime) -> State:
        """Return the state with a notice of `event`, unless it is sent once per episode and was queued before."""
        if event.reason in ONCE_PER_EPISODE:
            if event.reason in state.notified:
                return state
            state = replace(state, notified=(*state.notified, event.reason))
        return replace(state, outbox=(*state.outbox, self._notice(event, at))[-OUTBOX_LIMIT:])

    def track_decision(self, state: State, decision: Decision, peer: Peer, at: datetime) -> State:
        """Return the state after one cycle's decision: its episode counted, its notice or approval request queued once."""
        if decision.reason in HEALTHY_REASONS:
            return self._track_healthy(state, decision, at)
        if decision.reason is Reason.FAILOVER_UNDER_WAY:
            return state
        state = replace(state, unhealthy_cycles=state.unhealthy_cycles + 1, healthy_cycles=0)
        is_new_request = decision.action is Action.REQUEST_APPROVAL and state.pending is None
        if is_new_request:
            pending = Pending(id=self._new_id(), verdict=_verdict_behind(decision, peer), asked_at=at)
            state = replace(state, pending=pending)
        if decision.action is Action.HOLD or state.unhealthy_cycles < self._policy.failure_threshold:
            return state
        if is_new_request:  # an earlier request of this episode was answered: the new one needs its own notice
            state = replace(state, notified=tuple(reason for reason in state.notified if reason is not decision.reason))
        return self.queue_intent(state, decision, at)

    def queue_intent(self, state: State, decision: Decision, at: datetime) -> State:
        """Return the state with a notice of the decision, once per episode."""
        if decision.reason in state.notified:
            return state
        evidence = dict(decision.evidence)
        if decision.action is Action.REQUEST_APPROVAL and state.pending is not None:
            evidence["decision_id"] = state.pending.id
        state = replace(state, notified=(*state.notified, decision.reason))
        return self.queue_event(state, Event(reason=decision.reason, action=decision.action, evidence=evidence), at)

    def _track_healthy(self, state: State, decision: Decision, at: datetime) -> State:
        state = replace(state, healthy_cycles=min(state.healthy_cycles + 1, self._policy.failure_threshold))
        if state.healthy_cycles < self._policy.failure_threshold or not (
            state.notified or state.unhealthy_cycles or state.pending
        ):
            return state
        notified, state = state.notified, replace(state, notified=(), unhealthy_cycles=0, pending=None)
        if not notified:
            return state
        evidence: Evidence = {**decision.evidence, "notified": ", ".join(notified)}
        return self.queue_event(state, Event(reason=Reason.HEALTHY, action=Action.NOTIFY, evidence=evidence), at)

    def _notice(self, event: Event, at: datetime) -> Notice:
        notice_id = self._new_id()
        line = {
            "summary": NOTICE_TEXTS[event.reason].text(event.evidence),
            "reason": event.reason,
            "action": event.action,
            "global_cluster": self._global_cluster_id,
            "region": self._region,
            "at": at.isoformat(),
            "id": notice_id,
            "evidence": {name: _bounded(value) for name, value in event.evidence.items()},
            "runbook": event.reason,
        }
        text = json.dumps(line, default=str)
        return Notice(id=notice_id, at=at, reason=event.reason, action=event.action, line=text)


def _bounded(value: object) -> object:
    """Return a value short enough for the outbox, as DynamoDB's items have at most 400 KB."""
    return value if not isinstance(value, str) or len(value) <= EVIDENCE_LIMIT else f"{value[:EVIDENCE_LIMIT]}..."


def _verdict_behind(request: Decision, peer: Peer) -> Reason:
    """Return the reason with which the controller fails over once the request is approved."""
    if request.reason in (Reason.RDS_UNCLEAR, Reason.WRITER_UNUSABLE, Reason.REGION_UNCLEAR):
        return Reason.REGION_IMPAIRED
    return Reason.WRITER_DOWN if peer is Peer.DOWN else Reason.REGION_LOST
