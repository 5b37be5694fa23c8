"""One observation: who is asked what, and what answers, errors and silence become."""

from concurrent.futures import Future
from typing import Any

import pytest

from functions.failover_controller.model import GlobalOperation, Peer, Port, Side
from functions.failover_controller.parsing import read_global_cluster, read_own_cluster, read_probes
from functions.failover_controller.ports import SilentError, UnusableError
from tests.support.failover_controller.builders import OWN_ARN, PEER_ARN
from tests.support.failover_controller.fakes import Crash
from tests.support.failover_controller.rig import Rig

OWN, PEER = "payments-eu-west-1-dev", "payments-us-east-1-dev"


def probe(**changes: object) -> dict[str, object]:
    """A probe of the own cluster, good unless changed."""
    usual = {"cluster": OWN, "reachable": True, "failure": None, "connect_ms": 2.5, "read_only": True}
    lag = {
        "heartbeat_at": "2026-11-24T03:00:00Z",
        "heartbeat_age_ms": 350,
        "replication_lag_ms": 20.0,
        "rpo_lag_ms": 45.5,
    }
    return {**usual, **lag, **changes}


def read(**changes: object) -> Any:
    """What is read of one probe."""
    return read_probes({"probes": [probe(**changes)]})[OWN]


def asked(rig: Rig) -> dict[str, Any]:
    """The requests of the next observation, by function."""
    requests: dict[str, Any] = {}
    world: Any = rig.world
    ask_own, ask_peer = world.ask_own, world.ask_peer
    world.ask_own = lambda request: requests.setdefault("own", request) and ask_own(request)
    world.ask_peer = lambda request: requests.setdefault("peer", request) and ask_peer(request)
    rig.run()
    return requests


def test_the_writer_is_probed_at_its_writer_endpoint_the_standby_at_its_reader_endpoint() -> None:
    """Each with its own region, for which the token is signed; the deadline is 0.7 of the path's."""
    rig = Rig().start()
    rig.run_cycles(1)
    own = {"cluster": OWN, "region": "eu-west-1", "host": rig.config.own.reader_host, "port": 3306}
    peer = {"cluster": PEER, "region": "us-east-1", "host": rig.config.peer.writer_host, "port": 3306}
    assert {
        "own": {"targets": [own, peer], "deadline_ms": 245},
        "peer": {"targets": [peer], "deadline_ms": 245},
    } == asked(rig)


def test_the_answer_that_a_writer_hangs_has_half_of_the_time_to_cross_an_ocean() -> None:
    """Late, it would be silence, for which there is no grace: of a path's 3 s the other region's own probe gets 1.5 s."""
    rig = Rig(variables={"INTERVAL_SECONDS": "10"}).start()
    deadlines = {whose: request["deadline_ms"] for whose, request in asked(rig).items()}
    assert {"own": 2100, "peer": 1500} == deadlines


def test_after_a_failover_the_endpoints_swap_with_the_roles() -> None:
    """The own cluster's writer endpoint, the other one's reader endpoint."""
    rig = Rig().start()
    rig.world.writer = OWN_ARN
    rig.run_cycles(1)
    hosts = [target["host"] for target in asked(rig)["own"]["targets"]]
    assert [rig.config.own.writer_host, rig.config.peer.reader_host] == hosts


def test_every_path_that_hangs_ends_with_the_deadline() -> None:
    """Silence everywhere: the peer is silent, everything of our own is blind; nothing raises."""
    rig = Rig(variables={"INTERVAL_SECONDS": "0.01"}).start()
    rig.threads.hangs = lambda: True
    seen = rig.cycle.run(0.0).observation
    assert (seen.peer, seen.peer_port, seen.writer) == (Peer.SILENT, Port.UNKNOWN, Side.UNKNOWN)
    assert (bool(seen.rds_failure), bool(seen.own_function_failure), len(seen.records.failures)) == (True, True, 4)


def test_a_call_that_found_no_thread_is_unknown_not_silent() -> None:
    """Our own congestion says nothing about the other region."""
    rig = Rig(variables={"INTERVAL_SECONDS": "0.01"}).start()
    rig.threads.has_room = False
    assert Peer.UNKNOWN is rig.cycle.run(0.0).observation.peer


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SilentError("timed out"), Peer.SILENT),
        (UnusableError("ThrottlingException"), Peer.UNKNOWN),
        (TypeError("a bug of ours"), Peer.UNKNOWN),
    ],
)
def test_silence_is_only_what_gave_no_answer(error: Exception, expected: Peer) -> None:
    """An error that the other region's API answers comes from a living region."""
    rig = Rig().start()
    rig.world.peer_lambda = error
    assert expected is rig.run().observation.peer


def test_what_is_no_exception_ends_the_process() -> None:
    """An exit inside a call is not an observation."""
    rig = Rig().start()
    dead: Future[Any] = Future()
    dead.set_exception(Crash())
    rig.threads.submit = lambda call: dead  # type: ignore[method-assign]
    with pytest.raises(Crash):
        rig.cycle.run(0.0)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"reachable": True, "failure": None, "read_only": False}, Peer.FINE),
        ({"reachable": True, "failure": None, "read_only": True}, Peer.UNKNOWN),
        ({"reachable": False, "failure": "timeout: connect: no answer"}, Peer.DOWN),
        ({"reachable": False, "failure": "refused: connect: closed"}, Peer.DOWN),
        ({"reachable": False, "failure": "tls: log-in: certificate"}, Peer.UNKNOWN),
        ({"reachable": True, "failure": "timeout: heartbeat write: blocked"}, Peer.UNKNOWN),
        ({}, Peer.UNKNOWN),
    ],
)
def test_what_the_other_region_says_of_its_writer(answer: dict[str, object], expected: Peer) -> None:
    """Fine needs a writer that takes writes; down needs a port where nobody serves; the rest is unknown."""
    rig = Rig().start()
    rig.run_cycles(1)
    world: Any = rig.world
    world.ask_peer = lambda request: {"probes": [{"cluster": PEER, **answer}]}
    assert expected is rig.run().observation.peer


def test_a_malformed_answer_of_the_other_region_is_unknown_and_named() -> None:
    """The reason is in the evidence."""
    rig = Rig().start()
    world: Any = rig.world
    world.ask_peer = lambda request: ["what?"]
    seen = rig.run().observation
    assert (seen.peer, any("malformed" in detail for detail in seen.details)) == (Peer.UNKNOWN, True)


@pytest.mark.parametrize("word", ["timeout", "refused", "reset", "unreachable", "name-resolution"])
def test_a_port_where_nobody_serves_is_dead(word: str) -> None:
    """Before a log-in, these words mean that nobody serves there."""
    assert Port.DEAD is read(reachable=False, failure=f"{word}: connect: detail").port


@pytest.mark.parametrize(
    "word", ["tls", "access-denied", "too-many-connections", "host-blocked", "protocol", "query-failed", "a-new-word"]
)
def test_a_port_that_answers_but_refuses_us_is_unusable(word: str) -> None:
    """Our credentials, TLS or query are wrong: something lives there."""
    assert Port.UNUSABLE is read(reachable=False, failure=f"{word}: log-in: detail").port


def test_after_a_log_in_no_failure_makes_a_port_dead() -> None:
    """A commit that is blocked by a lock is no dead server."""
    assert Port.UNUSABLE is read(reachable=True, failure="timeout: heartbeat write: no answer").port


@pytest.mark.parametrize(
    "changes",
    [{"reachable": None}, {"reachable": "yes"}, {"failure": 7}, {"reachable": False, "failure": None}],
)
def test_a_probe_that_contradicts_itself_is_unknown(changes: dict[str, object]) -> None:
    """Neither alive nor dead."""
    assert Port.UNKNOWN is read(**changes).port


def test_the_lag_is_the_worst_that_is_known() -> None:
    """Of the lag columns the larger one; without them the heartbeat's age, which bounds it."""
    ages = (read(), read(rpo_lag_ms=None), read(rpo_lag_ms=None, replication_lag_ms=None))
    assert tuple(one.lag_ms for one in ages) == (45.5, 20.0, 350.0)


@pytest.mark.parametrize("value", [-1, "20", True, float("nan"), float("inf"), 10**400, [1]])
def test_a_number_that_can_not_be_is_unknown(value: object) -> None:
    """No lag is made of nonsense."""
    assert None is read(rpo_lag_ms=value, replication_lag_ms=value, heartbeat_age_ms=value).lag_ms


@pytest.mark.parametrize(("value", "expected"), [("2026-11-24T03:00:00Z",) * 2, ("yesterday", None), (7, None)])
def test_a_heartbeat_is_a_moment_or_unknown(value: object, expected: str | None) -> None:
    """A text that is no moment is no heartbeat."""
    assert expected == read(heartbeat_at=value).heartbeat


@pytest.mark.parametrize("answer", [None, 7, [], {}, {"probes": {}}, {"probes": [7]}, {"probes": [{"cluster": 7}]}])
def test_an_answer_without_the_agreed_form_is_unusable(answer: object) -> None:
    """It says so, instead of being guessed at."""
    with pytest.raises(UnusableError, match="malformed"):
        read_probes(answer)


def member(arn: object, **changes: object) -> dict[str, object]:
    """A member of a global cluster."""
    return {"DBClusterArn": arn, "IsWriter": False, "SynchronizationStatus": "connected", **changes}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([member(PEER_ARN, IsWriter=True), member(OWN_ARN)], Side.PEER),
        ([member(PEER_ARN), member(OWN_ARN, IsWriter=True)], Side.OWN),
        ([member(PEER_ARN), member(OWN_ARN)], Side.UNKNOWN),
        ([member(PEER_ARN, IsWriter=True), member(OWN_ARN, IsWriter=True)], Side.UNKNOWN),
        ([member("arn:of:a:third", IsWriter=True), member(OWN_ARN)], Side.UNKNOWN),
        ([], Side.UNKNOWN),
    ],
)
def test_the_writer_is_the_one_member_that_is_writer(members: list[object], expected: Side) -> None:
    """None, two, or a stranger: unknown."""
    assert expected is read_global_cluster({"GlobalClusterMembers": members}, OWN_ARN, PEER_ARN).writer


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, None),
        ({}, None),
        ({"IsDataLossAllowed": False}, None),
        (
            {"Status": "failing-over", "ToDbClusterArn": OWN_ARN, "IsDataLossAllowed": True},
            GlobalOperation(status="failing-over", to_own=True, allows_data_loss=True),
        ),
        ({"ToDbClusterArn": PEER_ARN}, GlobalOperation(status="unknown", to_own=False, allows_data_loss=None)),
        ({"Status": "pending"}, GlobalOperation(status="pending", to_own=None, allows_data_loss=None)),
        ("what?", GlobalOperation(status="malformed", to_own=None, allows_data_loss=None)),
    ],
)
def test_an_operation_is_whatever_failover_state_is_not_empty_of(
    state: object, expected: GlobalOperation | None
) -> None:
    """Also a malformed one holds: something is going on."""
    answer = {"GlobalClusterMembers": [], "FailoverState": state}
    assert expected == read_global_cluster(answer, OWN_ARN, PEER_ARN).operation


@pytest.mark.parametrize("answer", [None, {}, {"GlobalClusterMembers": 7}, {"GlobalClusterMembers": [7]}])
def test_a_global_cluster_without_its_form_is_unusable(answer: object) -> None:
    """It says so."""
    with pytest.raises(UnusableError, match="malformed"):
        read_global_cluster(answer, OWN_ARN, PEER_ARN)


def test_the_synchronization_is_the_own_members() -> None:
    """The other member's does not matter."""
    members = [
        member(PEER_ARN, SynchronizationStatus="connected"),
        member(OWN_ARN, SynchronizationStatus="pending-resync"),
    ]
    assert read_global_cluster({"GlobalClusterMembers": members}, OWN_ARN, PEER_ARN).synchronization == "pending-resync"


def test_the_own_cluster_gives_its_status_and_its_instances() -> None:
    """What it does not say is unknown."""
    assert (
        read_own_cluster({"Status": "available", "DBClusterMembers": [{}, {}]}),
        read_own_cluster({}),
    ) == (("available", 2), (None, None))
    with pytest.raises(UnusableError, match="malformed"):
        read_own_cluster(None)
