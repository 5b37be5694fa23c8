"""Observations: requests, answers, errors and silence."""

from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import pytest

from functions.failover_controller.model import GlobalOperation, Members, Peer, Port, Side
from functions.failover_controller.parsing import read_global_cluster, read_own_cluster, read_probes
from functions.failover_controller.ports import SilentError, UnusableError
from tests.support.failover_controller.builders import OWN_ARN, PEER_ARN
from tests.support.failover_controller.fakes import Crash
from tests.support.failover_controller.rig import Rig

OWN, PEER = "payments-eu-west-1-dev", "payments-us-east-1-dev"


def probe(**changes: object) -> dict[str, object]:
    """Return a successful probe of the own cluster with changes."""
    usual = {"cluster": OWN, "reachable": True, "failure": None, "connect_ms": 2.5, "read_only": True}
    lag = {
        "heartbeat_at": "2026-11-24T03:00:00Z",
        "heartbeat_age_ms": 350,
        "replication_lag_ms": 20.0,
        "rpo_lag_ms": 45.5,
    }
    return {**usual, **lag, **changes}


def read(**changes: object) -> Any:
    """Return the parsed probe."""
    return read_probes({"probes": [probe(**changes)]})[OWN]


def asked(rig: Rig) -> dict[str, Any]:
    """Return the requests of the next observation by function."""
    requests: dict[str, Any] = {}
    world: Any = rig.world
    ask_own, ask_peer = world.ask_own, world.ask_peer
    world.ask_own = lambda request: requests.setdefault("own", request) and ask_own(request)
    world.ask_peer = lambda request: requests.setdefault("peer", request) and ask_peer(request)
    rig.run()
    return requests


def test_probed_endpoints_and_deadlines() -> None:
    """The writer endpoint of the writer, the reader endpoint of the standby, 0.7 of the path's deadline."""
    rig = Rig().start()
    rig.run_cycles(1)
    own = {"cluster": OWN, "region": "eu-west-1", "host": rig.config.own.reader_host, "port": 3306}
    peer = {"cluster": PEER, "region": "us-east-1", "host": rig.config.peer.writer_host, "port": 3306}
    assert {
        "own": {"targets": [own, peer], "deadline_ms": 245},
        "peer": {"targets": [peer], "deadline_ms": 245},
    } == asked(rig)


def test_peers_own_probe_gets_half_of_the_deadline() -> None:
    """Otherwise a hanging writer's report would arrive late and count as silence."""
    rig = Rig(variables={"INTERVAL_SECONDS": "10"}).start()
    deadlines = {whose: request["deadline_ms"] for whose, request in asked(rig).items()}
    assert {"own": 2100, "peer": 1500} == deadlines


def test_probed_endpoints_swap_with_the_roles() -> None:
    """The own writer endpoint and the other cluster's reader endpoint are probed after a failover."""
    rig = Rig().start()
    rig.world.writer = OWN_ARN
    rig.run_cycles(1)
    hosts = [target["host"] for target in asked(rig)["own"]["targets"]]
    assert [rig.config.own.writer_host, rig.config.peer.reader_host] == hosts


def test_hanging_paths_end_at_the_deadline() -> None:
    """The peer is silent, and all other paths are unreadable."""
    rig = Rig(variables={"INTERVAL_SECONDS": "0.01"}).start()
    rig.threads.hangs = lambda: True
    seen = rig.cycle.run(0.0).observation
    assert (seen.peer, seen.peer_port, seen.writer) == (Peer.SILENT, Port.UNKNOWN, Side.UNKNOWN)
    assert (bool(seen.rds_failure), bool(seen.own_function_failure), len(seen.records.failures)) == (True, True, 4)


def slow_rds(rig: Rig) -> None:
    """Let the two reads of the own RDS API answer after their observation, but within the interval."""
    submit, clock = rig.threads.submit, rig.clock
    late: list[tuple[Any, Any]] = []
    reads = ("read_global_cluster", "_read_global_cluster", "read_own_cluster")

    def slow(call: Any, /) -> Any:
        if call.__name__ in reads or "read_own_cluster" in call.__code__.co_names:
            future: Future[Any] = Future()
            future.set_running_or_notify_cancel()
            late.append((call, future))
            return future
        return submit(call)

    advance = clock.advance

    def arrive(seconds: float) -> None:
        for call, future in late:
            rig.threads.run(call, future)
        late.clear()
        advance(seconds)

    rig.threads.submit, clock.advance = slow, arrive  # type: ignore[method-assign]


def test_late_answer_of_rds_is_used_in_the_next_observations() -> None:
    """An API that answers in 3.5 s would otherwise be unreadable in every cycle, and no failover could happen."""
    rig = Rig(variables={"INTERVAL_SECONDS": "0.1"}).start()
    slow_rds(rig)
    assert rig.cycle.run(0.0).observation.rds_failure is not None
    rig.clock.advance(0.1)
    seen = rig.cycle.run(0.0).observation
    assert (seen.rds_failure, seen.writer, seen.standby_instances) == (None, Side.PEER, 2)


def test_region_loss_with_a_slow_rds_api_fails_over() -> None:
    """Both observations before the call use late answers."""
    rig = Rig(variables={"INTERVAL_SECONDS": "0.1"}).start()
    slow_rds(rig)
    for _ in range(5):
        rig.cycle.run(0.0)
        rig.clock.advance(0.1)
    rig.world.region_is_lost = True
    reasons = []
    for _ in range(4):
        reasons.append(str(getattr(rig.cycle.run(0.0).decision, "reason", None)))
        rig.clock.advance(0.1)
    assert ("region-lost" in reasons, len(rig.world.calls)) == (True, 1)


def test_late_answer_expires() -> None:
    """RDS hangs again: its last answer is too old for a decision."""
    rig = Rig(variables={"INTERVAL_SECONDS": "0.1"}).start()
    slow_rds(rig)
    rig.cycle.run(0.0)
    rig.clock.advance(0.1)
    rig.cycle.run(0.0)
    rig.clock.now += timedelta(seconds=0.11)
    assert rig.cycle.run(0.0).observation.rds_failure is not None


@pytest.mark.parametrize("outcome", ["error", "cancelled"])
def test_late_error_of_rds_is_no_answer(outcome: str) -> None:
    """The next call counts, and no answer from before the error."""
    rig = Rig(variables={"INTERVAL_SECONDS": "0.01"}).start()
    if outcome == "error":
        rig.threads.hangs = lambda: True
        rig.cycle.run(0.0)
        for _, future in rig.threads.hanging:
            future.set_exception(SilentError("timed out"))
    else:
        rig.threads.has_room = False
        rig.cycle.run(0.0)
        rig.threads.has_room = True
    rig.threads.hangs = lambda: True
    assert rig.cycle.run(0.0).observation.rds_failure is not None


def test_call_without_a_thread_is_unknown() -> None:
    """A call that was never started gives no evidence about the other region."""
    rig = Rig(variables={"INTERVAL_SECONDS": "0.01"}).start()
    rig.threads.has_room = False
    assert Peer.UNKNOWN is rig.cycle.run(0.0).observation.peer


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SilentError("timed out"), Peer.SILENT),
        (UnusableError("ThrottlingException"), Peer.UNKNOWN),
        (TypeError("a bug"), Peer.UNKNOWN),
    ],
)
def test_only_a_missing_answer_is_silent(error: Exception, expected: Peer) -> None:
    """An error comes from a reachable region."""
    rig = Rig().start()
    rig.world.peer_lambda, rig.world.peer_rds = error, SilentError("timed out")
    assert expected is rig.run().observation.peer


@pytest.mark.parametrize("answer", [None, UnusableError("ThrottlingException"), TypeError("a bug")])
def test_region_is_not_silent_while_its_rds_api_answers(answer: Exception | None) -> None:
    """Two independent APIs of a region fall silent together only if the region is lost or cut off."""
    rig = Rig().start()
    rig.world.peer_lambda, rig.world.peer_rds = SilentError("timed out"), answer
    assert Peer.UNKNOWN is rig.run().observation.peer


def test_base_exception_ends_the_process() -> None:
    """An exit inside a call is not an observation."""
    rig = Rig().start()
    crashed: Future[Any] = Future()
    crashed.set_exception(Crash())
    rig.threads.submit = lambda call: crashed  # type: ignore[method-assign]
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
def test_peers_report_on_its_writer(answer: dict[str, object], expected: Peer) -> None:
    """Fine requires a writable writer, down an unreachable port; anything else is unknown."""
    rig = Rig().start()
    rig.run_cycles(1)
    world: Any = rig.world
    world.ask_peer = lambda request: {"probes": [{"cluster": PEER, **answer}]}
    assert expected is rig.run().observation.peer


def test_malformed_answer_of_the_peer_is_unknown() -> None:
    """The evidence gives the reason."""
    rig = Rig().start()
    world: Any = rig.world
    world.ask_peer = lambda request: ["what?"]
    seen = rig.run().observation
    assert (seen.peer, any("malformed" in detail for detail in seen.details)) == (Peer.UNKNOWN, True)


@pytest.mark.parametrize("label", ["timeout", "refused", "reset", "unreachable", "name-resolution"])
def test_network_failure_before_log_in_is_unreachable(label: str) -> None:
    """These failures mean an unreachable endpoint."""
    assert Port.DEAD is read(reachable=False, failure=f"{label}: connect: detail").port


@pytest.mark.parametrize(
    ("failure", "refused"),
    [
        ("refused: connect: x", True),
        ("reset: log-in: x", True),
        ("name-resolution: name resolution: x", True),
        ("timeout: connect: x", False),
        ("unreachable: connect: x", False),
        ("tls: log-in: x", False),
        (None, False),
    ],
)
def test_refused_port_is_not_silent(failure: str | None, refused: bool) -> None:
    """The controller waits for the grace period after a refusal."""
    assert refused is read(reachable=failure is None, failure=failure).refused


def test_refusal_of_the_writers_port_is_observed() -> None:
    """The field belongs to the other cluster's port."""
    rig = Rig().start()
    world: Any = rig.world
    world.probe = lambda cluster, from_peer: {"cluster": cluster, "reachable": False, "failure": "refused: connect: x"}
    assert rig.run().observation.peer_port_refused


@pytest.mark.parametrize(
    "label",
    ["tls", "access-denied", "too-many-connections", "host-blocked", "protocol", "query-failed", "a-future-label"],
)
def test_refusing_port_is_unusable(label: str) -> None:
    """A server answers but refuses credentials, TLS or query."""
    assert Port.UNUSABLE is read(reachable=False, failure=f"{label}: log-in: detail").port


def test_failure_after_log_in_is_not_unreachable() -> None:
    """A commit that waits for a lock does not mean an unreachable server."""
    assert Port.UNUSABLE is read(reachable=True, failure="timeout: heartbeat write: no answer").port


@pytest.mark.parametrize(
    "changes",
    [{"reachable": None}, {"reachable": "yes"}, {"failure": 7}, {"reachable": False, "failure": None}],
)
def test_contradictory_probe_is_unknown(changes: dict[str, object]) -> None:
    """The port is neither alive nor unreachable."""
    assert Port.UNKNOWN is read(**changes).port


def test_lag_is_the_largest_known_value() -> None:
    """The heartbeat's age, an upper bound, replaces the lag if the lag columns are missing."""
    ages = (read(), read(rpo_lag_ms=None), read(rpo_lag_ms=None, replication_lag_ms=None))
    assert tuple(one.lag_ms for one in ages) == (45.5, 20.0, 350.0)


@pytest.mark.parametrize("value", [-1, "20", True, float("nan"), float("inf"), 10**400, 1e40, [1]])
def test_impossible_number_is_unknown(value: object) -> None:
    """An impossible number gives no lag."""
    assert None is read(rpo_lag_ms=value, replication_lag_ms=value, heartbeat_age_ms=value).lag_ms


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2026-11-24T03:00:00Z",) * 2, ("yesterday", None), (7, None), ("2026-11-24T03:00:00." + "0" * 100, None)],
)
def test_heartbeat_is_a_time_or_unknown(value: object, expected: str | None) -> None:
    """Other text is ignored."""
    assert expected == read(heartbeat_at=value).heartbeat


@pytest.mark.parametrize("answer", [None, 7, [], {}, {"probes": {}}, {"probes": [7]}, {"probes": [{"cluster": 7}]}])
def test_malformed_answer_is_unusable(answer: object) -> None:
    """The error describes the malformed answer."""
    with pytest.raises(UnusableError, match="malformed"):
        read_probes(answer)


def member(arn: object, **changes: object) -> dict[str, object]:
    """Return a member of a global cluster."""
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
def test_writer_is_the_only_member_with_is_writer(members: list[object], expected: Side) -> None:
    """No writer, two, or another cluster is unknown."""
    assert expected is read_global_cluster({"GlobalClusterMembers": members}, OWN_ARN, PEER_ARN).writer


@pytest.mark.parametrize(
    ("arns", "expected"),
    [
        ([PEER_ARN, OWN_ARN], Members.EXPECTED),
        ([PEER_ARN], Members.OWN_MISSING),
        ([PEER_ARN, "arn:third"], Members.OWN_MISSING),
        ([OWN_ARN], Members.PEER_MISSING),
        ([OWN_ARN, "arn:third"], Members.PEER_MISSING),
        ([OWN_ARN, "arn:third", PEER_ARN], Members.OTHERS),
        ([OWN_ARN, PEER_ARN, None], Members.OTHERS),
        ([], Members.OWN_MISSING),
    ],
)
def test_members_are_compared_with_the_two_clusters(arns: list[object], expected: Members) -> None:
    """A missing own cluster matters more than a missing or an added one."""
    answer = {"GlobalClusterMembers": [member(arn) for arn in arns]}
    assert expected is read_global_cluster(answer, OWN_ARN, PEER_ARN).members


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
def test_failover_state_is_an_operation_unless_empty(state: object, expected: GlobalOperation | None) -> None:
    """A malformed one is an operation too."""
    answer = {"GlobalClusterMembers": [], "FailoverState": state}
    assert expected == read_global_cluster(answer, OWN_ARN, PEER_ARN).operation


@pytest.mark.parametrize("answer", [None, {}, {"GlobalClusterMembers": 7}, {"GlobalClusterMembers": [7]}])
def test_malformed_global_cluster_is_unusable(answer: object) -> None:
    """The error describes the malformed answer."""
    with pytest.raises(UnusableError, match="malformed"):
        read_global_cluster(answer, OWN_ARN, PEER_ARN)


def test_synchronization_is_read_from_the_own_member() -> None:
    """The other member's status is ignored."""
    members = [
        member(PEER_ARN, SynchronizationStatus="connected"),
        member(OWN_ARN, SynchronizationStatus="pending-resync"),
    ]
    assert read_global_cluster({"GlobalClusterMembers": members}, OWN_ARN, PEER_ARN).synchronization == "pending-resync"


def test_own_cluster_has_status_and_instances() -> None:
    """Missing values are unknown."""
    assert (
        read_own_cluster({"Status": "available", "DBClusterMembers": [{}, {}]}),
        read_own_cluster({}),
    ) == (("available", 2), (None, None))
    with pytest.raises(UnusableError, match="malformed"):
        read_own_cluster(None)
