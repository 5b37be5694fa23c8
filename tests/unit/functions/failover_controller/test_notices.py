# ruff: noqa: D102 - the fakes do what the ports that they stand for say
"""What people are told, and the numbers of a cycle."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from functions.failover_controller.delivery import NoticeDelivery
from functions.failover_controller.metrics import cycle_metrics
from functions.failover_controller.model import (
    Action,
    Decision,
    Event,
    Notice,
    Observation,
    Peer,
    Port,
    Reason,
    Side,
    State,
)
from functions.failover_controller.notices import OUTBOX_LIMIT, NoticeQueue
from functions.failover_controller.ports import UnavailableError
from functions.failover_controller.store import TableStore
from tests.support.failover_controller.builders import NOW, POLICY, down, healthy, lost
from tests.support.failover_controller.fakes import MemoryTable

NOTICE = Notice(id="n1", at=NOW, reason=Reason.REGION_LOST, action=Action.FAIL_OVER, line='{"a": 1}')


def notice_queue() -> NoticeQueue:
    """An announcer that numbers its ids."""
    ids = iter(range(10_000))
    return NoticeQueue(policy=POLICY, region="eu-west-1", global_cluster_id="g", new_id=lambda: f"id-{next(ids)}")


def decision(reason: Reason, action: Action = Action.NOTIFY) -> Decision:
    """A decision without evidence."""
    return Decision(action=action, reason=reason, target=None, evidence={"peer": "silent"})


def track(state: State, *reasons: Reason, action: Action = Action.NOTIFY) -> State:
    """The state after decisions for these reasons, one a cycle."""
    queue = notice_queue()
    for reason in reasons:
        quiet = reason in (Reason.HEALTHY, Reason.WRITER_SUSPECTED)
        state = queue.track_decision(state, decision(reason, Action.HOLD if quiet else action), Peer.SILENT, NOW)
    return state


def notified(state: State) -> list[Reason]:
    """The reasons that wait to be delivered."""
    return [notice.reason for notice in state.outbox]


def test_a_trouble_is_told_when_it_lasts() -> None:
    """Not at its first cycle, but at the third; and not again."""
    assert tuple(notified(track(State(), *[Reason.RDS_BLIND] * cycles)) for cycles in (2, 3, 9)) == (
        [],
        [Reason.RDS_BLIND],
        [Reason.RDS_BLIND],
    )


def test_every_reason_of_an_episode_is_told_once_in_whatever_turns_they_come() -> None:
    """Alternating reasons are two notices, not one each cycle."""
    state = track(State(), *[Reason.RDS_BLIND, Reason.PROBE_BLIND] * 5)
    assert notified(state) == [Reason.RDS_BLIND, Reason.PROBE_BLIND]


def test_the_end_of_an_episode_is_told_once_and_a_new_one_is_told_again() -> None:
    """Three calm cycles end an episode."""
    calm = [Reason.HEALTHY] * 3
    state = track(State(), *[Reason.RDS_BLIND] * 3, *calm, *calm, *[Reason.RDS_BLIND] * 3)
    assert notified(state) == [Reason.RDS_BLIND, Reason.HEALTHY, Reason.RDS_BLIND]


def test_a_blip_that_nobody_heard_of_needs_no_all_clear() -> None:
    """Calm after an untold trouble is silent, and its count is forgotten."""
    state = track(State(), Reason.WRITER_SUSPECTED, *[Reason.HEALTHY] * 3)
    assert (notified(state), state.unhealthy_cycles) == ([], 0)


def test_a_question_names_the_decision_to_approve() -> None:
    """Asked at once, with an id that the later cycles keep."""
    state = track(
        State(unhealthy_cycles=5), Reason.LAG_TOO_HIGH, Reason.APPROVAL_NEEDED, action=Action.REQUEST_APPROVAL
    )
    lines = [json.loads(notice.line) for notice in state.outbox]
    assert state.pending is not None
    assert {state.pending.id} == {line["evidence"]["decision_id"] for line in lines}
    assert all(f"approve {state.pending.id}" in line["next"] for line in lines)


@pytest.mark.parametrize(("peer", "verdict"), [(Peer.SILENT, Reason.REGION_LOST), (Peer.DOWN, Reason.WRITER_DOWN)])
def test_a_question_remembers_the_verdict_that_it_is_about(peer: Peer, verdict: Reason) -> None:
    """What a person approves is written down."""
    state = notice_queue().track_decision(State(), decision(Reason.LAG_UNKNOWN, Action.REQUEST_APPROVAL), peer, NOW)
    assert state.pending is not None and state.pending.verdict is verdict


def test_a_notice_is_one_line_of_json() -> None:
    """Reason, action, region, moment, evidence, what to do next and the runbook's heading."""
    state = notice_queue().queue_event(
        State(), Event(reason=Reason.ROLES_CHANGED, action=Action.NOTIFY, evidence={"to": "own"}), NOW
    )
    line = state.outbox[0].line
    parsed: dict[str, Any] = json.loads(line)
    expected = {"reason": "roles-changed", "action": "notify", "region": "eu-west-1", "at": NOW.isoformat()}
    assert ("\n" not in line, expected) == (True, {name: parsed[name] for name in expected})
    assert (parsed["evidence"], parsed["runbook"], parsed["global_cluster"]) == ({"to": "own"}, "roles-changed", "g")


def test_the_outbox_keeps_the_newest() -> None:
    """While the topic takes nothing, the item must not grow for ever."""
    queue, state = notice_queue(), State()
    for _ in range(OUTBOX_LIMIT + 5):
        state = queue.queue_event(state, Event(reason=Reason.ROLES_CHANGED, action=Action.NOTIFY, evidence={}), NOW)
    assert (len(state.outbox), state.outbox[-1].id) == (OUTBOX_LIMIT, "id-24")


class Topic:
    """A topic that fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.published: list[str] = []

    def publish(self, notice: Notice) -> None:
        if self.failures:
            self.failures -= 1
            raise UnavailableError("topic")
        self.published.append(notice.id)


def test_a_notice_is_delivered_once_to_log_topic_and_audit_trail(caplog: pytest.LogCaptureFixture) -> None:
    """Though it is handed over again, and failed first."""
    table, topic = MemoryTable(), Topic(failures=1)
    delivery = NoticeDelivery(store=TableStore(table), topic=topic, log=logging.getLogger("delivery"))
    with caplog.at_level(logging.INFO):
        results = [delivery.deliver([NOTICE]) for _ in range(3)]
    assert [frozenset(), frozenset({"n1"}), frozenset({"n1"})] == results
    assert (["n1"], [NOTICE.line]) == (topic.published, [item["line"] for item in table.history()])
    assert [record.message for record in caplog.records].count(NOTICE.line) == 1


def test_a_notice_that_the_audit_trail_did_not_take_is_not_delivered_but_not_published_again() -> None:
    """The audit trail gets it with a later cycle."""
    table, topic = MemoryTable(), Topic()
    delivery = NoticeDelivery(store=TableStore(table), topic=topic, log=logging.getLogger("delivery"))
    table.fails_to_write = lambda key: True
    first = delivery.deliver([NOTICE])
    table.fails_to_write = lambda key: False
    assert (frozenset(), frozenset({"n1"}), ["n1"], 1) == (
        first,
        delivery.deliver([NOTICE]),
        topic.published,
        len(table.history()),
    )


def metrics(seen: Observation, *, stopped: bool | None = False, error: bool = False) -> dict[str, float]:
    """The values of a quiet cycle's metrics."""
    quiet = decision(Reason.HEALTHY, Action.HOLD)
    return {
        name: value
        for name, (value, _) in cycle_metrics(seen, quiet, heartbeat_stopped=stopped, met_error=error).items()
    }


def test_a_calm_cycle_of_the_standby() -> None:
    """Everything is known, so everything is there."""
    expected = {
        "Cycles": 1.0,
        "Held": 0.0,
        "Error": 0.0,
        "WriterRole": 0.0,
        "PeerRegionLost": 0.0,
        "NoWriter": 0.0,
        "ReplicationLag": 80.0,
        "HeartbeatAge": 400.0,
        "OwnProbeLatency": 2.0,
        "PeerProbeLatency": 75.0,
        "PeerFunctionLatency": 90.0,
    }
    assert expected == metrics(healthy())


OWN_WRITER = healthy(writer=Side.OWN, own_read_only=False, peer_read_only=True)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (healthy(), 0.0),
        (OWN_WRITER, 1.0),
        (replace(OWN_WRITER, own_read_only=True), 0.0),
        (replace(OWN_WRITER, own_read_only=None), None),
        (healthy(writer=Side.UNKNOWN), None),
    ],
)
def test_writer_role_is_what_rds_says_and_clients_feel(seen: Observation, expected: float | None) -> None:
    """RDS's word alone does not move DNS; unknown is left out."""
    assert expected == metrics(seen).get("WriterRole")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (healthy(), 0.0),
        (lost(), 1.0),
        (down(), 0.0),
        (lost(own_port=Port.DEAD), None),
        (lost(peer_port=Port.UNKNOWN), None),
        (lost(own_function_failure="timed out"), None),
    ],
)
def test_peer_region_lost_is_left_out_when_we_are_blind(seen: Observation, expected: float | None) -> None:
    """Port dead and region silent, seen by somebody who sees."""
    assert expected == metrics(seen).get("PeerRegionLost")


@pytest.mark.parametrize(
    ("seen", "stopped", "expected"),
    [
        (healthy(), False, 0.0),
        (healthy(peer_read_only=True), False, 1.0),
        (healthy(peer_read_only=None), False, None),
        (lost(), True, 1.0),
        (lost(), False, 0.0),
        (lost(), None, None),
        (lost(peer=Peer.FINE), True, 0.0),
        (lost(peer_port=Port.UNKNOWN), True, None),
        (OWN_WRITER, True, 0.0),
        (replace(OWN_WRITER, own_read_only=True), True, 1.0),
        (replace(OWN_WRITER, own_port=Port.DEAD, own_read_only=None), True, 1.0),
        (replace(OWN_WRITER, own_port=Port.UNKNOWN, own_read_only=None), True, None),
        (healthy(writer=Side.UNKNOWN), True, None),
    ],
)
def test_no_writer_anywhere(seen: Observation, stopped: bool | None, expected: float | None) -> None:
    """1 only when it is known that nobody takes writes."""
    assert expected == metrics(seen, stopped=stopped).get("NoWriter")


def test_the_writers_region_reports_no_lag() -> None:
    """Lag and heartbeat age are the standby's."""
    assert not {"ReplicationLag", "HeartbeatAge"} & set(metrics(OWN_WRITER))
