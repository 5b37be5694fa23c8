"""RDS's own events: what is taken into the audit trail, once, and what is left alone."""

import json
import logging
from typing import Any

import pytest

from functions.failover_controller.ports import UnavailableError
from functions.failover_controller.rds_events import RdsEventRecorder, is_rds_event
from functions.failover_controller.store import TableStore
from tests.support.failover_controller.builders import RDS_MESSAGE, rds_event
from tests.support.failover_controller.fakes import MemoryTable


class Desk:
    """A recorder on a table in memory; its pauses are noted, not slept."""

    def __init__(self) -> None:
        self.table = MemoryTable()
        self.pauses: list[float] = []
        self.recorder = RdsEventRecorder(
            store=TableStore(self.table),
            log=logging.getLogger("rds-events"),
            region="eu-west-1",
            global_cluster_id="payments-global-dev",
            cluster_ids=("payments-eu-west-1-dev", "payments-us-east-1-dev"),
            sleep=self.pauses.append,
        )


@pytest.fixture
def desk() -> Desk:
    """A fresh one."""
    return Desk()


def test_an_event_stands_in_the_audit_trail_in_the_form_of_our_notices(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Same keys, same words, so that it is read among them; and its line is in the log."""
    with caplog.at_level(logging.INFO):
        answer = desk.recorder.record(rds_event())
    (item,) = desk.table.history()
    assert {"recorded": True, "id": "844e2571-85d4-695f-b930-0153b71dcb42"} == answer
    assert item["sort"] == "2026-11-24T03:01:30.882000+00:00#844e2571-85d4-695f-b930-0153b71dcb42"
    assert (item["reason"], item["action"], item["at"]) == ("rds-event", "notify", "2026-11-24T03:01:30.882000+00:00")
    assert json.loads(str(item["line"])) == {
        "reason": "rds-event",
        "action": "notify",
        "global_cluster": "payments-global-dev",
        "region": "eu-west-1",
        "at": "2026-11-24T03:01:30.882000+00:00",
        "id": "844e2571-85d4-695f-b930-0153b71dcb42",
        "evidence": {
            "event_id": "RDS-EVENT-0238",
            "message": RDS_MESSAGE,
            "source": "payments-eu-west-1-dev",
            "source_type": "CLUSTER",
        },
        "runbook": "rds-event",
    }
    assert [item["line"]] == [record.message for record in caplog.records]


def test_the_same_event_again_is_the_same_entry(desk: Desk) -> None:
    """EventBridge and Lambda deliver at least once."""
    first, second = desk.recorder.record(rds_event()), desk.recorder.record(rds_event())
    assert (1, first) == (len(desk.table.history()), second)


def test_nothing_but_the_audit_trail_is_touched(desk: Desk) -> None:
    """No lease, no lock, no state."""
    desk.recorder.record(rds_event())
    assert [key[0] for key in desk.table.items] == ["history"]


@pytest.mark.parametrize(
    "named_by",
    [
        {"Message": "m", "SourceArn": None},
        {"Message": "m", "SourceIdentifier": None},
        # As the events on blocked writes come: from an instance.
        {
            "EventID": "RDS-EVENT-0391",
            "SourceIdentifier": "payments-eu-west-1-1-dev",
            "SourceArn": "arn:aws:rds:eu-west-1:123456789012:db:payments-eu-west-1-1-dev",
            "Message": "Attempt to block writes for DB cluster payments-us-east-1-dev in Region us-east-1 timed out.",
        },
        {
            "SourceIdentifier": None,
            "SourceArn": None,
            "Message": "Failover in global database Payments-Global-Dev done",
        },
    ],
)
def test_an_event_is_ours_when_anything_in_it_names_our_clusters(desk: Desk, named_by: dict[str, Any]) -> None:
    """Identifier, ARN or message; the cluster of either region, or the global one."""
    assert desk.recorder.record(rds_event(**named_by))["recorded"] is True


@pytest.mark.parametrize("name", ["payments-eu-west-1-dev-2", "my-payments-eu-west-1-dev", "orders"])
def test_an_event_of_another_cluster_is_left_alone(desk: Desk, name: str) -> None:
    """The rule matches every cluster of the account; names that only contain ours are other names."""
    other = rds_event(
        SourceIdentifier=name, SourceArn=f"arn:aws:rds:eu-west-1:123456789012:cluster:{name}", Message=name
    )
    assert {"recorded": False, "why": "the event is about another cluster"} == desk.recorder.record(other)
    assert desk.table.items == {}


def test_without_a_date_of_its_own_the_envelopes_time_counts(desk: Desk) -> None:
    """To the second."""
    desk.recorder.record(rds_event(Date=None))
    assert [item["at"] for item in desk.table.history()] == ["2026-11-24T03:01:30+00:00"]


def test_a_date_without_a_zone_is_utc(desk: Desk) -> None:
    """As AWS means it."""
    desk.recorder.record(rds_event(Date="2026-11-24T03:01:30"))
    assert [item["at"] for item in desk.table.history()] == ["2026-11-24T03:01:30+00:00"]


@pytest.mark.parametrize(
    ("malformed", "names"),
    [
        ({"source": "aws.rds"}, "detail"),
        ({**rds_event(), "detail": "text"}, "detail"),
        ({**rds_event(), "id": ""}, "id"),
        ({**rds_event(), "id": "x" * 2000}, "id"),
        (rds_event(EventID=None), "EventID"),
        (rds_event(EventID=238), "EventID"),
        (rds_event(Date="yesterday"), "Date"),
        (rds_event(Date="0001-01-01T00:00:00+14:00"), "Date"),
        ({**rds_event(Date=None), "time": 7}, "time"),
    ],
)
def test_a_malformed_event_is_logged_and_let_go(
    desk: Desk, caplog: pytest.LogCaptureFixture, malformed: dict[str, Any], names: str
) -> None:
    """An error would not make it better formed."""
    answer = desk.recorder.record(malformed)
    assert (False, {}) == (answer["recorded"], desk.table.items)
    assert str(answer["why"]).startswith(f"malformed: {names}")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_an_endless_message_is_cut(desk: Desk) -> None:
    """The entry stays small."""
    desk.recorder.record(rds_event(Message="x" * 300_000))
    (item,) = desk.table.history()
    assert len(str(item["line"])) < 2000


def test_a_table_that_fails_once_is_asked_again(desk: Desk) -> None:
    """Lambda repeats nothing here, so it is done at once."""
    answers = iter([True, True, False])
    desk.table.fails_to_write = lambda key: next(answers)
    assert desk.recorder.record(rds_event())["recorded"] is True
    assert [1.0, 1.0] == desk.pauses


def test_a_table_that_does_not_take_it_fails_the_invocation(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """So that the failure is counted and seen; the log has the line."""
    desk.table.fails_to_write = lambda key: True
    with caplog.at_level(logging.INFO), pytest.raises(UnavailableError):
        desk.recorder.record(rds_event())
    assert "RDS-EVENT-0238" in caplog.text


@pytest.mark.parametrize("started_by", [{"source": "schedule"}, {}, {"cycles": 1}, {"source": "aws.ec2"}, []])
def test_what_is_no_event_of_rds(started_by: Any) -> None:
    """The schedule, a person or a test: the controller cycles."""
    assert not is_rds_event(started_by)
