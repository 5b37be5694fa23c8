"""What people are told: composed here, kept in the state until delivered, told once per episode of trouble.

Owns the episodes, the wording and the outbox. Does not own the decision. Invariant: a notice is written into the
state together with what it tells of, and leaves it only after it was delivered: a crash repeats it at worst (with the
same id), and never loses it.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from .model import Action, Decision, Event, Evidence, Notice, Peer, Pending, Policy, Reason, State

OUTBOX_LIMIT = 20
CALM = frozenset({Reason.HEALTHY, Reason.ALREADY_WRITER})
ONCE_PER_EPISODE = frozenset({Reason.FAILOVER_REFUSED, Reason.FAILOVER_NOT_SENT, Reason.FAILOVER_UNCERTAIN})
"""Ends of a call that the next cycles may repeat; every other event is told each time that it happens."""

_CALLED = (
    "The failover is called now; failover-completed follows, usually within minutes. Do not call another one by hand."
)
NEXT_STEPS = {
    Reason.REGION_IMPAIRED: _CALLED,
    Reason.REGION_LOST: _CALLED,
    Reason.WRITER_DOWN: _CALLED,
    Reason.FAILOVER_COMPLETED: (
        "This region's cluster is the writer now; writer.<zone> follows within seconds. When the old region returns, AWS keeps its "
        "old volume as a system snapshot named rds:unplanned-global-failover-...: copy it before its retention ends, it holds the "
        "writes that were lost. The old cluster rejoins as standby by itself. Going back is a person's switchover."
    ),
    Reason.FAILOVER_OVERDUE: (
        "The failover was called but has not completed. Look at FailoverState and the cluster's events in this region, open a case "
        "with AWS, and do not call a second failover by hand before the first has ended."
    ),
    Reason.FAILOVER_FAILED: (
        "RDS shows no operation any more, and the other cluster is still the writer. There is no new attempt before the cooldown."
    ),
    Reason.FAILOVER_ABANDONED: "The call never took effect, and the writer lives again. Nothing was promoted.",
    Reason.FAILOVER_REFUSED: "RDS refused the call; it is tried again while the verdict stands. Read the error in the evidence.",
    Reason.FAILOVER_NOT_SENT: "The call was throttled or did not get through; it is tried again at the next cycle.",
    Reason.FAILOVER_UNCERTAIN: "The call got no clear answer. It is not repeated before RDS has had time to show whether it took effect.",
    Reason.ROLES_CHANGED: "A switchover or failover that this controller did not start. The cooldown runs from now.",
    Reason.HEALTHY: "The trouble that was told of is over. Nothing to do.",
}


class NoticeQueue:
    """Decides who hears what, and when: pure over the state, but for the ids that it is given."""

    def __init__(self, *, policy: Policy, region: str, global_cluster_id: str, new_id: Callable[[], str]) -> None:
        self._policy = policy
        self._region = region
        self._global_cluster_id = global_cluster_id
        self._new_id = new_id

    def tell(self, state: State, event: Event, at: datetime) -> State:
        """Return the state with a notice of `event` to be delivered, unless it is one that was told in this episode."""
        if event.reason in ONCE_PER_EPISODE:
            if event.reason in state.notified:
                return state
            state = replace(state, notified=(*state.notified, event.reason))
        return replace(state, outbox=(*state.outbox, self._notice(event, at))[-OUTBOX_LIMIT:])

    def update_state(self, state: State, decision: Decision, peer: Peer, at: datetime) -> State:
        """Return the state after one cycle's decision: episodes counted, people told or asked once."""
        if decision.reason in CALM:
            return self._calm(state, decision, at)
        if decision.reason is Reason.FAILOVER_UNDER_WAY:
            return state
        state = replace(state, unhealthy_cycles=state.unhealthy_cycles + 1, healthy_cycles=0)
        is_new_question = decision.action is Action.REQUEST_APPROVAL and state.pending is None
        if is_new_question:
            state = replace(
                state, pending=Pending(id=self._new_id(), verdict=_verdict_behind(decision, peer), asked_at=at)
            )
        lasts = state.unhealthy_cycles >= self._policy.failure_threshold
        if decision.action is Action.HOLD or not lasts:
            return state
        if is_new_question:  # whoever answered an earlier one in this episode must hear of it
            state = replace(state, notified=tuple(reason for reason in state.notified if reason is not decision.reason))
        return self.announce(state, decision, at)

    def announce(self, state: State, decision: Decision, at: datetime) -> State:
        """Return the state with a notice of the decision, once per episode."""
        if decision.reason in state.notified:
            return state
        evidence = dict(decision.evidence)
        if decision.action is Action.REQUEST_APPROVAL and state.pending is not None:
            evidence["decision_id"] = state.pending.id
        state = replace(state, notified=(*state.notified, decision.reason))
        return self.tell(state, Event(reason=decision.reason, action=decision.action, evidence=evidence), at)

    def _calm(self, state: State, decision: Decision, at: datetime) -> State:
        state = replace(state, healthy_cycles=min(state.healthy_cycles + 1, self._policy.failure_threshold))
        if state.healthy_cycles < self._policy.failure_threshold or not (
            state.notified or state.unhealthy_cycles or state.pending
        ):
            return state
        notified, state = state.notified, replace(state, notified=(), unhealthy_cycles=0, pending=None)
        if not notified:
            return state
        evidence: Evidence = {**decision.evidence, "notified": ", ".join(notified)}
        return self.tell(state, Event(reason=Reason.HEALTHY, action=Action.NOTIFY, evidence=evidence), at)

    def _notice(self, event: Event, at: datetime) -> Notice:
        identity = self._new_id()
        line = {
            "reason": event.reason,
            "action": event.action,
            "global_cluster": self._global_cluster_id,
            "region": self._region,
            "at": at.isoformat(),
            "id": identity,
            "evidence": dict(event.evidence),
            "next": self._next_step(event),
            "runbook": event.reason,
        }
        text = json.dumps(line, default=str)
        return Notice(id=identity, at=at, reason=event.reason, action=event.action, line=text)

    def _next_step(self, event: Event) -> str:
        if event.action is Action.REQUEST_APPROVAL:
            return (
                f"Decide: `python -m operations approve {event.evidence.get('decision_id')}`. "
                "Nothing is promoted until then, and the approval counts only while the verdict stands."
            )
        return NEXT_STEPS.get(event.reason, f"See the runbook, heading `{event.reason}`.")


def _verdict_behind(question: Decision, peer: Peer) -> Reason:
    """What would be done on a yes to this question."""
    if question.reason is Reason.REGION_UNCLEAR:
        return Reason.REGION_IMPAIRED
    return Reason.WRITER_DOWN if peer is Peer.DOWN else Reason.REGION_LOST
