# ruff: noqa: D102 - the ports document these methods
"""Notices, their delivery, and the metrics of a cycle."""

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
    """Return a NoticeQueue that numbers its ids."""
    ids = iter(range(10_000))
    return NoticeQueue(policy=POLICY, region="eu-west-1", global_cluster_id="g", new_id=lambda: f"id-{next(ids)}")


def decision(reason: Reason, action: Action = Action.NOTIFY) -> Decision:
    """Return a decision with little evidence."""
    return Decision(action=action, reason=reason, target=None, evidence={"peer": "silent"})


def track(state: State, *reasons: Reason, action: Action = Action.NOTIFY) -> State:
    """Return the state after one decision per cycle for these reasons."""
    queue = notice_queue()
    for reason in reasons:
        quiet = reason in (Reason.HEALTHY, Reason.WRITER_SUSPECTED)
        state = queue.track_decision(state, decision(reason, Action.HOLD if quiet else action), Peer.SILENT, NOW)
    return state


def notified(state: State) -> list[Reason]:
    """Return the reasons in the outbox."""
    return [notice.reason for notice in state.outbox]


def test_notice_is_queued_once_after_the_threshold() -> None:
    """The third cycle queues the notice, and later cycles do not repeat the notice."""
    assert tuple(notified(track(State(), *[Reason.RDS_UNREADABLE] * cycles)) for cycles in (2, 3, 9)) == (
        [],
        [Reason.RDS_UNREADABLE],
        [Reason.RDS_UNREADABLE],
    )


def test_each_reason_is_queued_once_per_episode() -> None:
    """Alternating reasons cause two notices."""
    state = track(State(), *[Reason.RDS_UNREADABLE, Reason.PROBE_UNUSABLE] * 5)
    assert notified(state) == [Reason.RDS_UNREADABLE, Reason.PROBE_UNUSABLE]


def test_end_of_an_episode_is_queued_once() -> None:
    """Three healthy cycles end the episode; a new episode is reported again."""
    healthy = [Reason.HEALTHY] * 3
    state = track(State(), *[Reason.RDS_UNREADABLE] * 3, *healthy, *healthy, *[Reason.RDS_UNREADABLE] * 3)
    assert notified(state) == [Reason.RDS_UNREADABLE, Reason.HEALTHY, Reason.RDS_UNREADABLE]


def test_unreported_interruption_needs_no_recovery_notice() -> None:
    """The count of unhealthy cycles is reset after an unreported interruption."""
    state = track(State(), Reason.WRITER_SUSPECTED, *[Reason.HEALTHY] * 3)
    assert (notified(state), state.unhealthy_cycles) == ([], 0)


def test_approval_request_names_its_decision() -> None:
    """The request is queued at once with an id that later cycles keep."""
    state = track(
        State(unhealthy_cycles=5), Reason.LAG_TOO_HIGH, Reason.APPROVAL_NEEDED, action=Action.REQUEST_APPROVAL
    )
    lines = [json.loads(notice.line) for notice in state.outbox]
    assert state.pending is not None
    assert {state.pending.id} == {line["evidence"]["decision_id"] for line in lines}
    assert all(f"approve {state.pending.id}" in line["summary"] for line in lines)


@pytest.mark.parametrize(("peer", "verdict"), [(Peer.SILENT, Reason.REGION_LOST), (Peer.DOWN, Reason.WRITER_DOWN)])
def test_approval_request_keeps_its_verdict(peer: Peer, verdict: Reason) -> None:
    """The state records what an approval would start."""
    state = notice_queue().track_decision(State(), decision(Reason.LAG_UNKNOWN, Action.REQUEST_APPROVAL), peer, NOW)
    assert state.pending is not None and state.pending.verdict is verdict


def test_notice_is_one_line_of_json() -> None:
    """A notice begins with its summary and contains reason, action, region, time, evidence and runbook heading."""
    state = notice_queue().queue_event(
        State(), Event(reason=Reason.ROLES_CHANGED, action=Action.NOTIFY, evidence={"to": "own"}), NOW
    )
    line = state.outbox[0].line
    parsed: dict[str, Any] = json.loads(line)
    expected = {"reason": "roles-changed", "action": "notify", "region": "eu-west-1", "at": NOW.isoformat()}
    assert ("\n" not in line, expected) == (True, {name: parsed[name] for name in expected})
    assert (parsed["evidence"], parsed["runbook"], parsed["global_cluster"]) == ({"to": "own"}, "roles-changed", "g")
    assert line.startswith('{"summary": "A switchover or failover that this controller did not start')


def test_outbox_keeps_the_newest_notices() -> None:
    """The item's size is bounded while the topic is unavailable."""
    queue, state = notice_queue(), State()
    for _ in range(OUTBOX_LIMIT + 5):
        state = queue.queue_event(state, Event(reason=Reason.ROLES_CHANGED, action=Action.NOTIFY, evidence={}), NOW)
    assert (len(state.outbox), state.outbox[-1].id) == (OUTBOX_LIMIT, "id-24")


class Topic:
    """A topic that fails `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.published: list[str] = []

    def publish(self, notice: Notice) -> None:
        if self.failures:
            self.failures -= 1
            raise UnavailableError("topic")
        self.published.append(notice.id)


def test_notice_is_delivered_once_to_each_destination(caplog: pytest.LogCaptureFixture) -> None:
    """The first delivery fails, and the notice is passed again after its delivery."""
    table, topic = MemoryTable(), Topic(failures=1)
    delivery = NoticeDelivery(store=TableStore(table), topic=topic, log=logging.getLogger("delivery"))
    with caplog.at_level(logging.INFO):
        results = [delivery.deliver([NOTICE]) for _ in range(3)]
    assert [frozenset(), frozenset({"n1"}), frozenset({"n1"})] == results
    assert (["n1"], [NOTICE.line]) == (topic.published, [item["line"] for item in table.history()])
    assert [record.message for record in caplog.records].count(NOTICE.line) == 1


def test_audit_trail_is_written_while_the_topic_fails() -> None:
    """An outage of SNS must not leave the failover without a record."""
    table, topic = MemoryTable(), Topic(failures=10)
    delivery = NoticeDelivery(store=TableStore(table), topic=topic, log=logging.getLogger("delivery"))
    assert (delivery.deliver([NOTICE]), [item["line"] for item in table.history()]) == (frozenset(), [NOTICE.line])
    table.fails_to_write = lambda key: True  # it is not written again
    assert delivery.deliver([NOTICE, replace(NOTICE, id="n2")]) == frozenset()
    topic.failures = 0
    assert delivery.deliver([NOTICE]) == {"n1"}


def test_unrecorded_notice_is_retried_without_publishing_again() -> None:
    """A later cycle adds the notice to the audit trail."""
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


def metrics(
    seen: Observation,
    *,
    stopped: bool | None = False,
    error: bool = False,
    serves_no_one: bool = False,
    leads: bool = False,
) -> dict[str, float]:
    """Return the metrics of a healthy cycle."""
    quiet = decision(Reason.HEALTHY, Action.HOLD)
    return {
        name: value
        for name, (value, _) in cycle_metrics(
            seen, quiet, heartbeat_stopped=stopped, serves_no_one=serves_no_one, leads=leads, met_error=error
        ).items()
    }


def test_metrics_of_a_healthy_standby() -> None:
    """Every value is known."""
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
def test_writer_role_requires_rds_and_a_writable_database(seen: Observation, expected: float | None) -> None:
    """Unknown values are left out."""
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
def test_peer_region_lost_is_left_out_without_own_probe(seen: Observation, expected: float | None) -> None:
    """The metric is 1 only if the port is unreachable and the region silent."""
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
def test_no_writer(seen: Observation, stopped: bool | None, expected: float | None) -> None:
    """The metric is 1 only if both clusters are known to refuse writes."""
    assert expected == metrics(seen, stopped=stopped).get("NoWriter")


def test_no_writer_is_reported_after_the_grace_period() -> None:
    """A writer that refuses the probes is unknown before, and none after."""
    seen = lost(peer_port=Port.UNUSABLE, peer=Peer.UNKNOWN)
    assert "NoWriter" not in metrics(seen, stopped=True)
    assert metrics(seen, stopped=True, serves_no_one=True)["NoWriter"] == 1.0


def test_writers_region_reports_no_lag() -> None:
    """Lag and heartbeat age belong to the standby."""
    assert not {"ReplicationLag", "HeartbeatAge"} & set(metrics(OWN_WRITER))


@pytest.mark.parametrize(("read_only", "role", "no_writer"), [(False, 1.0, 0.0), (True, 0.0, 1.0), (None, None, None)])
def test_leading_cluster_has_the_writers_metrics(
    read_only: bool | None, role: float | None, no_writer: float | None
) -> None:
    """DNS follows a cluster that was detached and promoted by hand."""
    values = metrics(lost(own_read_only=read_only), stopped=True, serves_no_one=True, leads=True)
    assert (values.get("WriterRole"), values.get("NoWriter")) == (role, no_writer)
