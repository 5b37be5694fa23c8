"""RDS events in the audit trail."""

import json
import logging
from typing import Any

import pytest

from functions.failover_controller.ports import UnavailableError
from functions.failover_controller.rds_events import RdsEventRecorder, is_rds_event
from functions.failover_controller.store import TableStore
from tests.support.failover_controller.builders import RDS_MESSAGE, rds_event
from tests.support.failover_controller.fakes import MemoryTable


class RecorderRig:
    """A recorder on an in-memory table whose pauses are recorded."""

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
def recorder_rig() -> RecorderRig:
    """Return a new rig."""
    return RecorderRig()


def test_event_is_recorded_in_the_form_of_a_notice(recorder_rig: RecorderRig, caplog: pytest.LogCaptureFixture) -> None:
    """The recorded line is also in the log."""
    with caplog.at_level(logging.INFO):
        answer = recorder_rig.recorder.record(rds_event())
    (item,) = recorder_rig.table.history()
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


def test_repeated_event_is_one_entry(recorder_rig: RecorderRig) -> None:
    """EventBridge and Lambda deliver at least once."""
    first, second = recorder_rig.recorder.record(rds_event()), recorder_rig.recorder.record(rds_event())
    assert (1, first) == (len(recorder_rig.table.history()), second)


def test_event_changes_only_the_audit_trail(recorder_rig: RecorderRig) -> None:
    """Lease, lock and state stay as they are."""
    recorder_rig.recorder.record(rds_event())
    assert [key[0] for key in recorder_rig.table.items] == ["history"]


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
def test_event_is_matched_by_any_cluster_name(recorder_rig: RecorderRig, named_by: dict[str, Any]) -> None:
    """Identifier, ARN or message may name either cluster or the global cluster."""
    assert recorder_rig.recorder.record(rds_event(**named_by))["recorded"] is True


@pytest.mark.parametrize("name", ["payments-eu-west-1-dev-2", "my-payments-eu-west-1-dev", "orders"])
def test_event_of_another_cluster_is_ignored(recorder_rig: RecorderRig, name: str) -> None:
    """The EventBridge rule matches every cluster of the account."""
    other = rds_event(
        SourceIdentifier=name, SourceArn=f"arn:aws:rds:eu-west-1:123456789012:cluster:{name}", Message=name
    )
    assert {"recorded": False, "why": "the event is about another cluster"} == recorder_rig.recorder.record(other)
    assert recorder_rig.table.items == {}


def test_event_without_a_date_uses_the_envelopes_time(recorder_rig: RecorderRig) -> None:
    """The envelope has whole seconds."""
    recorder_rig.recorder.record(rds_event(Date=None))
    assert [item["at"] for item in recorder_rig.table.history()] == ["2026-11-24T03:01:30+00:00"]


def test_date_without_a_zone_is_utc(recorder_rig: RecorderRig) -> None:
    """AWS gives times in UTC."""
    recorder_rig.recorder.record(rds_event(Date="2026-11-24T03:01:30"))
    assert [item["at"] for item in recorder_rig.table.history()] == ["2026-11-24T03:01:30+00:00"]


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
def test_malformed_event_is_logged_and_dropped(
    recorder_rig: RecorderRig, caplog: pytest.LogCaptureFixture, malformed: dict[str, Any], names: str
) -> None:
    """A retry would not help."""
    answer = recorder_rig.recorder.record(malformed)
    assert (False, {}) == (answer["recorded"], recorder_rig.table.items)
    assert str(answer["why"]).startswith(f"malformed: {names}")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_long_message_is_truncated(recorder_rig: RecorderRig) -> None:
    """The item's size is bounded."""
    recorder_rig.recorder.record(rds_event(Message="x" * 300_000))
    (item,) = recorder_rig.table.history()
    assert len(str(item["line"])) < 2000


def test_failed_write_is_retried(recorder_rig: RecorderRig) -> None:
    """Lambda does not retry these invocations."""
    answers = iter([True, True, False])
    recorder_rig.table.fails_to_write = lambda key: next(answers)
    assert recorder_rig.recorder.record(rds_event())["recorded"] is True
    assert [1.0, 1.0] == recorder_rig.pauses


def test_unwritable_table_fails_the_invocation(recorder_rig: RecorderRig, caplog: pytest.LogCaptureFixture) -> None:
    """The failure counts as a Lambda error, and the log holds the line."""
    recorder_rig.table.fails_to_write = lambda key: True
    with caplog.at_level(logging.INFO), pytest.raises(UnavailableError):
        recorder_rig.recorder.record(rds_event())
    assert "RDS-EVENT-0238" in caplog.text


@pytest.mark.parametrize("started_by", [{"source": "schedule"}, {}, {"cycles": 1}, {"source": "aws.ec2"}, []])
def test_other_invocations_are_no_rds_events(started_by: Any) -> None:
    """The schedule, an operator and a test start cycles."""
    assert not is_rds_event(started_by)
