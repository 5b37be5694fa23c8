"""Tests of the recorder."""

from types import SimpleNamespace
from typing import Any, cast

from botocore.exceptions import ReadTimeoutError

from rehearsal.aurora.global_database import Cluster, GlobalDatabase
from rehearsal.drills.recorder import Recorder
from rehearsal.report.model import EventKind, Role


def test_failed_poll_is_recorded_and_polling_continues() -> None:
    """A busy machine costs one poll."""
    texts: list[str] = []
    recorder = Recorder(
        cast("Any", None),
        on_event=lambda event: texts.append(event.text),
        on_role=lambda *_role: None,
        on_dns=lambda *_answer: None,
        clock=lambda: 0.0,
    )
    polls: list[int] = []

    def poll() -> None:
        polls.append(len(polls))
        if len(polls) == 1:
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1:1")
        recorder._stop.set()

    recorder._loop(poll, 0.0)
    recorder.flush()
    assert polls == [0, 1]
    assert [text.split(":")[0] for text in texts] == ["the recorder could not poll"]


def test_events_are_reported_in_the_order_of_their_times() -> None:
    """A poll may find an earlier event later; an event is reported half a second after its time, or by a flush."""
    texts: list[str] = []
    now = [10.0]
    recorder = Recorder(
        cast("Any", None),
        on_event=lambda event: texts.append(event.text),
        on_role=lambda *_role: None,
        on_dns=lambda *_answer: None,
        clock=lambda: now[0],
    )
    recorder.record("second", EventKind.NOTE, at=9.9)
    recorder.record("first", EventKind.NOTE, at=9.4)
    recorder._report_settled()
    assert texts == ["first"]
    now[0] = 10.5
    recorder.record("third", EventKind.NOTE)
    recorder._report_settled()
    assert texts == ["first", "second"]
    recorder.flush()
    assert texts == ["first", "second", "third"]


def test_roles_and_writable_clusters_cover_a_detached_and_a_deleted_cluster() -> None:
    """A detached cluster is the writer once its promotion ends, beside the old writer; a deleted one is unreachable."""
    now = [100.0]
    database = GlobalDatabase(clock=lambda: now[0])
    east = database.add_cluster("east", "us-east-1", writer=True)
    west = database.add_cluster("west", "eu-west-1", writer=False)
    alone = database.detach("west", seconds=5.0)
    live: dict[str, tuple[Cluster, GlobalDatabase]] = {"east": (east, database), "west": (west, alone)}
    regions = [SimpleNamespace(name=cluster.region, cluster_id=cluster.id) for cluster in (east, west)]
    environment = SimpleNamespace(
        regions=regions,
        network=SimpleNamespace(failed_regions=frozenset()),
        control_plane=SimpleNamespace(calls=[]),
        find_cluster=lambda region: live[region.cluster_id][0] if region.cluster_id in live else None,
    )
    recorder = Recorder(
        cast("Any", environment),
        on_event=lambda _event: None,
        on_role=lambda *_role: None,
        on_dns=lambda *_answer: None,
        clock=lambda: now[0],
    )
    recorder.roles = {"east": [], "west": []}
    for seconds, deleted in ((1.0, None), (5.0, None), (1.0, "east")):
        now[0] += seconds
        if deleted is not None:
            del live[deleted]
        environment.databases = tuple(each for _cluster, each in live.values())
        recorder._poll_roles()
    alone.close()
    database.close()

    assert recorder.roles["west"] == [(101.0, Role.STANDBY), (106.0, Role.WRITER)]
    assert recorder.roles["east"] == [(101.0, Role.WRITER), (107.0, Role.UNREACHABLE)]
    assert [writable for _at, writable in recorder.writable_clusters] == [{"east"}, {"east", "west"}, {"west"}]


def test_stop_deletes_the_queues() -> None:
    """The destruction's inventory lists queues. An error is recorded, and the other queue is deleted."""
    deleted: list[str] = []
    texts: list[str] = []

    def delete_queue(**parameters: str) -> None:
        if parameters["QueueUrl"] == "east":
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1:1")
        deleted.append(parameters["QueueUrl"])

    recorder = Recorder(
        cast("Any", SimpleNamespace(clients=lambda _service, _region: SimpleNamespace(delete_queue=delete_queue))),
        on_event=lambda event: texts.append(event.text),
        on_role=lambda *_role: None,
        on_dns=lambda *_answer: None,
        clock=lambda: 0.0,
    )
    recorder._queues = {"us-east-1": "east", "eu-west-1": "west"}
    recorder.stop()
    recorder.flush()
    assert (deleted, [text.split(":")[0] for text in texts]) == (["west"], ["the recorder could not delete its queue"])
