"""Tests of the API proxy: RDS's rules, operations in simulated time, and the whole chain from boto3 to ministack."""

import asyncio
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from rehearsal.aurora.global_database import Cluster, FailoverOutcome, ReplicationRefusedError
from rehearsal.aurora.server import Fault
from rehearsal.cloud.api_proxy import ApiProxy
from rehearsal.cloud.faults import ApiFaults
from rehearsal.cloud.global_cluster import (
    ClusterMember,
    FailoverStatus,
    GlobalClusterView,
    OperationKind,
    OperationRequest,
    RdsOperation,
    RdsRefusal,
    check,
    check_new_global_cluster,
    check_new_member,
)
from rehearsal.cloud.global_operations import GlobalOperations
from rehearsal.cloud.ministack import Emulator
from rehearsal.cloud.peering_options import Ec2Refusal, PeeringOptions
from rehearsal.cloud.rds_events import OperationPhase, RdsEvents, event_entry, rds_event
from rehearsal.cloud.rds_xml import endpoint_hash, rewrite
from rehearsal.network.network import EmulatedNetwork
from rehearsal.support.clients import BotoClients, credential_scope
from tests.support.waiting import WAIT_SECONDS, wait_until

pytestmark = pytest.mark.slow

EAST, WEST = "us-east-1", "eu-west-1"
ACCOUNT = "123456789012"


def arn(region: str, cluster_id: str) -> str:
    """Return the ARN of a cluster."""
    return f"arn:aws:rds:{region}:{ACCOUNT}:cluster:{cluster_id}"


def member(region: str, cluster_id: str, **changes: Any) -> ClusterMember:
    """Return an available member."""
    whole = ClusterMember(
        cluster_id=cluster_id,
        arn=arn(region, cluster_id),
        region=region,
        is_writer=False,
        engine_version="8.0.mysql_aurora.3.10.0",
        status="available",
        instance_count=2,
    )
    return replace(whole, **changes)


EAST_MEMBER = member(EAST, "east", is_writer=True)
WEST_MEMBER = member(WEST, "west")
VIEW = GlobalClusterView(id="payments", status="available", members=(EAST_MEMBER, WEST_MEMBER))


def view(east: Mapping[str, Any] | None = None, west: Mapping[str, Any] | None = None) -> GlobalClusterView:
    """Return the global cluster with changed members."""
    return replace(VIEW, members=(replace(EAST_MEMBER, **(east or {})), replace(WEST_MEMBER, **(west or {}))))


def request(kind: OperationKind, *, region: str, target: str = WEST_MEMBER.arn) -> OperationRequest:
    """Return a call for the standby."""
    return OperationRequest(kind=kind, global_cluster_id="payments", target=target, region=region)


FAILOVER = request(OperationKind.FAILOVER, region=WEST)
SWITCHOVER = request(OperationKind.SWITCHOVER, region=EAST)


def operation(kind: OperationKind) -> RdsOperation:
    """Return an operation that was accepted at 100 s and takes 8 s."""
    return RdsOperation(
        kind=kind,
        global_cluster_id="payments",
        source=EAST_MEMBER,
        target=WEST_MEMBER,
        accepted_at=100.0,
        seconds=8.0,
    )


# --- Rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [FAILOVER, SWITCHOVER])
def test_operation_on_healthy_standby_is_accepted(call: OperationRequest) -> None:
    """A failover is called in the target's region, a switchover in the writer's."""
    assert check(call, VIEW, None) == (EAST_MEMBER, WEST_MEMBER)


@pytest.mark.parametrize("target", [WEST_MEMBER.arn, "west"])
def test_target_is_found_by_arn_or_by_name_in_its_region(target: str) -> None:
    """The ARN works in every region, the name only in the region of the target."""
    assert WEST_MEMBER is check(replace(FAILOVER, target=target), VIEW, None)[1]


INVALID_GLOBAL, INVALID_CLUSTER, NOT_FOUND = (
    "InvalidGlobalClusterStateFault",
    "InvalidDBClusterStateFault",
    "DBClusterNotFoundFault",
)


@pytest.mark.parametrize(
    ("call", "state", "code", "message"),
    [
        (replace(FAILOVER, target=arn(WEST, "gone")), VIEW, NOT_FOUND, "not found"),
        (replace(SWITCHOVER, target="west"), VIEW, NOT_FOUND, "not found"),
        (replace(FAILOVER, target=EAST_MEMBER.arn), VIEW, INVALID_GLOBAL, "already the writer"),
        (replace(FAILOVER, region=EAST), VIEW, INVALID_GLOBAL, "Call failover in eu-west-1, the Region of the target"),
        (
            replace(SWITCHOVER, region=WEST),
            VIEW,
            INVALID_GLOBAL,
            "Call switchover in us-east-1, the Region of the current primary cluster",
        ),
        (FAILOVER, replace(VIEW, status="creating"), INVALID_GLOBAL, "not available"),
        (FAILOVER, view(east={"is_writer": False}), INVALID_GLOBAL, "no writer"),
        (FAILOVER, view(west={"engine_version": "8.0.mysql_aurora.3.11.0"}), INVALID_CLUSTER, "versions differ"),
        (FAILOVER, view(west={"status": "backing-up"}), INVALID_CLUSTER, "backing-up"),
        (FAILOVER, view(west={"instance_count": 0}), INVALID_CLUSTER, "0 instances"),
        (SWITCHOVER, view(east={"status": "failing-over"}), INVALID_CLUSTER, "failing-over"),
        (SWITCHOVER, view(west={"instance_count": 0}), INVALID_CLUSTER, "0 instances"),
    ],
)
def test_check_refuses_invalid_operation(
    call: OperationRequest, state: GlobalClusterView, code: str, message: str
) -> None:
    """RDS refuses each invalid operation with the error code of RDS's API model."""
    with pytest.raises(RdsRefusal, match=message) as caught:
        check(call, state, None)
    assert code == caught.value.code


def test_failover_is_accepted_while_writer_is_inaccessible() -> None:
    """A failover does not need the writer."""
    gone = view(east={"status": "inaccessible", "instance_count": 0})

    assert check(FAILOVER, gone, None)[1] == WEST_MEMBER


@pytest.mark.parametrize("call", [FAILOVER, SWITCHOVER])
@pytest.mark.parametrize("kind", list(OperationKind))
def test_second_operation_is_refused_while_one_is_in_progress(call: OperationRequest, kind: OperationKind) -> None:
    """A global cluster has at most one operation of either kind."""
    with pytest.raises(RdsRefusal, match="another operation is in progress") as caught:
        check(call, VIEW, operation(kind))
    assert caught.value.code == INVALID_GLOBAL


@pytest.mark.parametrize(
    ("action", "parameters", "kind"),
    [
        ("FailoverGlobalCluster", {"AllowDataLoss": "true"}, OperationKind.FAILOVER),
        ("FailoverGlobalCluster", {"AllowDataLoss": "false"}, OperationKind.SWITCHOVER),
        ("FailoverGlobalCluster", {"Switchover": "true"}, OperationKind.SWITCHOVER),
        ("FailoverGlobalCluster", {}, OperationKind.SWITCHOVER),
        ("SwitchoverGlobalCluster", {}, OperationKind.SWITCHOVER),
    ],
)
def test_only_allow_data_loss_makes_a_failover(action: str, parameters: dict[str, str], kind: OperationKind) -> None:
    """FailoverGlobalCluster without AllowDataLoss is a switchover."""
    named = {"GlobalClusterIdentifier": "Payments", "TargetDbClusterIdentifier": WEST_MEMBER.arn}

    assert request(kind, region=WEST) == OperationRequest.from_parameters(action, {**named, **parameters}, region=WEST)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"GlobalClusterIdentifier": "payments"}, "MissingParameter"),
        (
            {
                "GlobalClusterIdentifier": "payments",
                "TargetDbClusterIdentifier": "t",
                "AllowDataLoss": "true",
                "Switchover": "false",
            },
            "InvalidParameterCombination",
        ),
    ],
)
def test_request_without_target_or_with_both_modes_is_refused(parameters: dict[str, str], code: str) -> None:
    """The parameters are checked before the global cluster."""
    with pytest.raises(RdsRefusal) as caught:
        OperationRequest.from_parameters("FailoverGlobalCluster", parameters, region=WEST)
    assert code == caught.value.code


@pytest.mark.parametrize(
    ("kind", "seconds", "status"),
    [
        (OperationKind.FAILOVER, 0.0, FailoverStatus.PENDING),
        (OperationKind.FAILOVER, 1.9, FailoverStatus.PENDING),
        (OperationKind.FAILOVER, 2.0, FailoverStatus.FAILING_OVER),
        (OperationKind.FAILOVER, 9.0, FailoverStatus.FAILING_OVER),
        (OperationKind.SWITCHOVER, 2.0, FailoverStatus.SWITCHING_OVER),
    ],
)
def test_operation_is_pending_for_first_quarter(kind: OperationKind, seconds: float, status: FailoverStatus) -> None:
    """The state changes after a quarter of the duration."""
    assert status is operation(kind).status(100.0 + seconds)


def test_cancelled_operation_is_cancelling() -> None:
    """A cancelled operation is cancelling at any time."""
    assert FailoverStatus.CANCELLING is operation(OperationKind.SWITCHOVER).cancelled(101.0).status(101.5)


SECONDARY = {"KmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/k", "PreSignedUrl": "https://rds"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"MasterUsername": "admin"}, "Cannot specify user name for cross region replication cluster"),
        ({"MasterUserPassword": "secret"}, "Cannot specify password for cross region replication cluster"),
        ({"DatabaseName": "payments"}, "Cannot specify database name for cross region replication cluster"),
        ({"ManageMasterUserPassword": "true"}, "ManageMasterUserPassword is not supported"),
        ({"BacktrackWindow": "86400"}, "Backtrack is not supported for global databases"),
        ({"KmsKeyId": ""}, "kmsKeyId should be explicitly specified"),
        ({"PreSignedUrl": ""}, "pre-signed URL has to be specified"),
    ],
)
def test_invalid_secondary_is_refused_without_quoting_the_password(change: dict[str, str], message: str) -> None:
    """The messages are AWS's own and contain no parameter value."""
    with pytest.raises(RdsRefusal, match=message) as caught:
        check_new_member({**SECONDARY, **change}, VIEW, is_encrypted=True)
    assert caught.value.code == "InvalidParameterCombination"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("east", [{"instance_count": 0}, {"status": "creating"}])
def test_secondary_needs_a_running_primary(east: dict[str, Any]) -> None:
    """The program therefore creates the primary's writer first."""
    with pytest.raises(RdsRefusal, match="not valid for physical replication"):
        check_new_member(SECONDARY, view(east=east), is_encrypted=True)


@pytest.mark.parametrize("name", ["DatabaseName", "Engine", "EngineVersion", "StorageEncrypted"])
def test_global_cluster_inherits_from_its_source(name: str) -> None:
    """RDS takes these values from the source cluster, and refuses them beside it."""
    source = {"GlobalClusterIdentifier": "payments", "SourceDBClusterIdentifier": WEST_MEMBER.arn}
    check_new_global_cluster(source, is_promoting=False)
    with pytest.raises(RdsRefusal, match=f"{name} can't be specified") as caught:
        check_new_global_cluster({**source, name: "value"}, is_promoting=False)
    assert caught.value.code == "InvalidParameterCombination"


def test_valid_members_are_accepted() -> None:
    """Valid are an encrypted secondary with a key, an unencrypted one, and a first member with a master user."""
    check_new_member(SECONDARY, VIEW, is_encrypted=True)
    check_new_member({}, VIEW, is_encrypted=False)
    first = {"MasterUsername": "admin", "MasterUserPassword": "secret", "DatabaseName": "payments"}
    check_new_member({**first, "BacktrackWindow": "0"}, replace(VIEW, members=()), is_encrypted=True)


# --- The simulated ------------------------------------------------------------------------------------------------------


class FakeDatabases:
    """Databases that record the calls to them."""

    def __init__(self, *, refuses: str = "") -> None:
        self.done: list[str] = []
        self.refuses = refuses

    def _do(self, what: str) -> None:
        self.done.append(what)
        if what == self.refuses:
            raise ReplicationRefusedError(f"can't {what}")

    def begin(self, operation: RdsOperation) -> None:
        """Record the call."""
        self._do("begin")

    def finish(self, operation: RdsOperation) -> FailoverOutcome | None:
        """Record the call."""
        self._do("finish")
        return FailoverOutcome(lost_transactions=(), lag_seconds=0.25)

    def cancel(self, operation: RdsOperation) -> None:
        """Record the call."""
        self._do("cancel")


@dataclass
class SimulatedOperations:
    """Operations in simulated time: `sleep` advances the clock and records the state that a caller sees."""

    databases: FakeDatabases
    now: float = 100.0

    def __post_init__(self) -> None:
        self.agreed: list[list[str]] = []
        self.seen: list[FailoverStatus | None] = []
        self.published: list[tuple[OperationKind, OperationPhase, bool]] = []
        self.runner = GlobalOperations(
            describe=self.describe,
            update_metadata=self.update_metadata,
            publish=self.publish,
            databases=self.databases,
            clock=lambda: self.now,
            operation_seconds=8.0,
            sleep=self.sleep,
        )

    async def describe(self, _request: OperationRequest) -> GlobalClusterView:
        """Return the global cluster after yielding to other tasks."""
        await asyncio.sleep(0)
        return VIEW

    async def update_metadata(self, operation: RdsOperation) -> str | None:
        """Record the database calls so far."""
        self.agreed.append(list(self.databases.done))
        return None

    async def publish(self, operation: RdsOperation, moment: OperationPhase) -> None:
        """Record the event, and whether the operation is still in progress."""
        self.published.append((operation.kind, moment, self.runner.in_progress("payments") is not None))

    async def sleep(self, seconds: float) -> None:
        """Advance the clock after yielding to other tasks."""
        await asyncio.sleep(0)
        in_progress = self.runner.in_progress("payments")
        self.seen.append(in_progress.status(self.now + seconds / 2) if in_progress else None)
        self.now += seconds

    async def run_calls(self, *requests: OperationRequest) -> list[RdsOperation | BaseException]:
        """Make calls at the same time, and wait until no operation is in progress."""
        responses = await asyncio.gather(*(self.runner.accept(one) for one in requests), return_exceptions=True)
        while self.runner.in_progress("payments") is not None:
            await asyncio.sleep(0.001)
        return responses


@pytest.mark.parametrize("call", [FAILOVER, SWITCHOVER])
def test_databases_change_before_metadata(call: OperationRequest) -> None:
    """The databases and the metadata change after the operation's duration; then the operation is recorded."""
    simulated = SimulatedOperations(FakeDatabases())
    asyncio.run(simulated.run_calls(call))

    assert simulated.agreed == [["begin", "finish"]]
    record = simulated.runner.records[0]
    assert (call.kind, 108.0, False, None) == (
        record.operation.kind,
        record.finished_at,
        record.cancelled,
        record.error,
    )
    assert record.outcome is not None
    assert record.outcome.lag_seconds == 0.25


@pytest.mark.parametrize("call", [FAILOVER, SWITCHOVER])
@pytest.mark.parametrize(("refuses", "end"), [("", OperationPhase.COMPLETED), ("finish", OperationPhase.CANCELLED)])
def test_operation_publishes_start_and_end(call: OperationRequest, refuses: str, end: OperationPhase) -> None:
    """Each event is published once, the end after the operation."""
    simulated = SimulatedOperations(FakeDatabases(refuses=refuses))
    asyncio.run(simulated.run_calls(call))

    assert [(call.kind, OperationPhase.STARTED, True), (call.kind, end, False)] == simulated.published


def test_refused_call_publishes_no_event() -> None:
    """A refused call is not an operation."""
    simulated = SimulatedOperations(FakeDatabases(refuses="begin"))
    asyncio.run(simulated.run_calls(SWITCHOVER))

    assert simulated.published == []


def test_one_of_two_simultaneous_calls_is_accepted() -> None:
    """The accepted call and the refused call are recorded."""
    simulated = SimulatedOperations(FakeDatabases())
    responses = asyncio.run(simulated.run_calls(FAILOVER, FAILOVER))

    assert [isinstance(response, RdsOperation) for response in responses] == [True, False]
    assert {(True, None), (False, INVALID_GLOBAL)} == {(call.accepted, call.error) for call in simulated.runner.calls}
    assert len(simulated.runner.records) == 1


def test_operation_is_cancelled_when_databases_refuse_it() -> None:
    """The roles and the metadata stay, and the next operation may start."""
    simulated = SimulatedOperations(FakeDatabases(refuses="finish"))
    asyncio.run(simulated.run_calls(SWITCHOVER))

    assert simulated.databases.done == ["begin", "finish", "cancel"]
    assert simulated.agreed == []
    assert simulated.seen == [FailoverStatus.SWITCHING_OVER, FailoverStatus.CANCELLING]
    assert (simulated.runner.records[0].cancelled, simulated.runner.records[0].error) == (True, "can't finish")


def test_switchover_is_refused_when_databases_refuse_its_start() -> None:
    """The caller gets the error, and no operation is in progress."""
    simulated = SimulatedOperations(FakeDatabases(refuses="begin"))
    responses = asyncio.run(simulated.run_calls(SWITCHOVER))

    assert isinstance(responses[0], RdsRefusal)
    assert responses[0].code == INVALID_CLUSTER
    assert simulated.runner.records == []


# --- Responses -------------------------------------------------------------------------------------------------------


def test_endpoint_names_are_stable_and_differ_by_region() -> None:
    """The hash has twelve characters, as on AWS, and is the same in every rehearsal."""
    hashes = [endpoint_hash(ACCOUNT, region) for region in (EAST, WEST, EAST)]

    assert hashes[0] == hashes[2] != hashes[1]
    assert [len(one) for one in hashes] == [12] * 3


def test_response_without_cluster_is_unchanged() -> None:
    """The response stays byte for byte the same."""
    response = (
        b'<DescribeEventsResponse  xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><Events/></DescribeEventsResponse>'
    )

    assert response is rewrite(response, known=None)  # pyright: ignore[reportArgumentType]  (not used)


PEERING = f"""<DescribeVpcPeeringConnectionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<vpcPeeringConnectionSet><item><vpcPeeringConnectionId>pcx-1</vpcPeeringConnectionId>
<requesterVpcInfo><region>{EAST}</region></requesterVpcInfo><accepterVpcInfo><region>{WEST}</region></accepterVpcInfo>
<status><code>STATUS</code></status></item></vpcPeeringConnectionSet></DescribeVpcPeeringConnectionsResponse>"""


@pytest.mark.parametrize(
    ("peering_id", "status", "region", "code"),
    [
        ("pcx-2", "active", EAST, "InvalidVpcPeeringConnectionID.NotFound"),
        ("pcx-1", "pending-acceptance", EAST, "OperationNotPermitted"),
        ("pcx-1", "active", WEST, "OperationNotPermitted"),
    ],
)
def test_peering_options_need_an_active_peering_and_the_right_side(
    peering_id: str, status: str, region: str, code: str
) -> None:
    """The peering exists and is active, and the requester is in the region of the call."""
    parameters = {
        "VpcPeeringConnectionId": peering_id,
        "RequesterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc": "true",
    }

    with pytest.raises(Ec2Refusal) as caught:
        PeeringOptions().modify(parameters, region=region, described=PEERING.replace("STATUS", status).encode())
    assert code == caught.value.code


# --- The whole chain: boto3, faults, proxy, ministack -----------------------------------------------------------------


NEW_PORT = 3399


class FakeListener:
    """A listener without a port."""

    port = 1

    def __init__(self) -> None:
        self.fault = Fault.NONE

    def set_fault(self, fault: Fault) -> None:
        """Record the fault."""
        self.fault = fault

    def close(self) -> None:
        """Do nothing."""


def start_listener(cluster: Cluster, *, host_names: Sequence[str], endpoint_port: int) -> FakeListener:
    """Return a fake listener."""
    assert (endpoint_port in (3307, NEW_PORT), cluster.running) == (True, True)
    assert len(host_names) == (2 if cluster.id == "copy" else 3)  # a restored cluster is in no global cluster
    return FakeListener()


@dataclass(frozen=True)
class Chain:
    """All layers between boto3 and ministack."""

    network: EmulatedNetwork
    control_plane: ApiProxy
    faults: ApiFaults
    clients: BotoClients

    def rds(self, region: str) -> Any:
        """Return an RDS client."""
        return self.clients("rds", region)

    def described(self, region: str = WEST) -> dict[str, Any]:
        """Return the description of the global cluster."""
        return self.rds(region).describe_global_clusters(GlobalClusterIdentifier="payments")["GlobalClusters"][0]

    def roles(self) -> dict[str, tuple[bool, str]]:
        """Return (is writer, synchronization status) by cluster name."""
        return {
            each["DBClusterArn"].rsplit(":", 1)[1]: (each["IsWriter"], each["SynchronizationStatus"])
            for each in self.described()["GlobalClusterMembers"]
        }

    def live(self, region: str, name: str) -> Cluster:
        """Return the database of a cluster."""
        cluster = self.control_plane.databases.cluster(arn(region, name))
        assert cluster is not None
        return cluster

    def detach_west(self) -> Cluster:
        """Detach the standby, and return its database."""
        self.rds(WEST).remove_from_global_cluster(
            GlobalClusterIdentifier="payments", DbClusterIdentifier=arn(WEST, "west")
        )
        return self.live(WEST, "west")

    def return_detached_west(self) -> None:
        """Replace the old writer by a secondary of the detached cluster, in a global cluster with the old name."""
        assert wait_until(lambda: not self.live(WEST, "west").read_only)
        east, west = self.rds(EAST), self.rds(WEST)
        for instance in east.describe_db_instances()["DBInstances"]:
            east.delete_db_instance(DBInstanceIdentifier=instance["DBInstanceIdentifier"], SkipFinalSnapshot=True)
        east.remove_from_global_cluster(GlobalClusterIdentifier="payments", DbClusterIdentifier=arn(EAST, "east"))
        east.delete_db_cluster(DBClusterIdentifier="east", SkipFinalSnapshot=True)
        east.delete_global_cluster(GlobalClusterIdentifier="payments")
        west.create_global_cluster(GlobalClusterIdentifier="payments", SourceDBClusterIdentifier=arn(WEST, "west"))
        east.create_db_cluster(DBClusterIdentifier="east", KmsKeyId="key", SourceRegion=WEST, **MEMBER)
        east.create_db_instance(DBInstanceIdentifier="east-1", DBClusterIdentifier="east", **INSTANCE)

    def wait_until_idle(self) -> None:
        """Wait for the operation and its events: a late event would reach the next test."""
        assert wait_until(lambda: self.control_plane.is_idle and not self.described().get("FailoverState"))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Start the layers in the rehearsal's order; no thread is left afterwards."""
    before = set(threading.enumerate())
    names_file = tmp_path_factory.mktemp("network") / "names.json"
    regions = (EAST, WEST)
    with (
        EmulatedNetwork(regions=regions, names_file=names_file, start_listener=start_listener) as network,
        ApiProxy(network=network, operation_seconds=0.3) as control_plane,
        ApiFaults(
            upstream=control_plane.url, regions=regions, direct=control_plane.handle, thread=control_plane.thread
        ) as faults,
        Emulator(environment={**network.environment(), **faults.environment()}) as emulator,
    ):
        control_plane.upstream = emulator.url
        network.attach(faults)
        network.attach(control_plane)
        clients = BotoClients(faults.endpoint(WEST), read_timeout_seconds=WAIT_SECONDS)
        yield Chain(network, control_plane, faults, clients)
        clients.close()
    assert before == set(threading.enumerate())


MEMBER = {"Engine": "aurora-mysql", "GlobalClusterIdentifier": "payments", "StorageEncrypted": True, "Port": 3307}
INSTANCE = {"Engine": "aurora-mysql", "DBInstanceClass": "db.r6g.large"}


@pytest.fixture
def payments(chain: Chain) -> Iterator[Chain]:
    """Create a global cluster with a member and an instance in each region; delete it afterwards."""
    east, west = chain.rds(EAST), chain.rds(WEST)
    chain.control_plane.operation_seconds = 0.3
    east.create_global_cluster(
        GlobalClusterIdentifier="payments",
        Engine="aurora-mysql",
        EngineVersion="8.0.mysql_aurora.3.10.0",
        StorageEncrypted=True,
    )
    east.create_db_cluster(
        DBClusterIdentifier="east",
        MasterUsername="admin",
        MasterUserPassword="0123456789",
        DatabaseName="pay",
        **MEMBER,
    )
    east.create_db_instance(DBInstanceIdentifier="east-1", DBClusterIdentifier="east", **INSTANCE)
    west.create_db_cluster(DBClusterIdentifier="west", KmsKeyId="key", SourceRegion=EAST, **MEMBER)
    west.create_db_instance(DBInstanceIdentifier="west-1", DBClusterIdentifier="west", **INSTANCE)
    yield chain
    chain.wait_until_idle()
    # RDS and ministack remove the writer only as the last member.
    for name in sorted(("east", "west"), key=lambda name: chain.roles()[name][0]):
        region = EAST if name == "east" else WEST
        client = chain.rds(region)
        client.delete_db_instance(DBInstanceIdentifier=f"{name}-1", SkipFinalSnapshot=True)
        client.remove_from_global_cluster(GlobalClusterIdentifier="payments", DbClusterIdentifier=arn(region, name))
        client.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    east.delete_global_cluster(GlobalClusterIdentifier="payments")
    with pytest.raises(KeyError):
        chain.control_plane.global_database("payments")


def fail_over(chain: Chain, region: str, target: str) -> dict[str, Any]:
    """Call FailoverGlobalCluster in the target's region."""
    return chain.rds(region).failover_global_cluster(
        GlobalClusterIdentifier="payments", TargetDbClusterIdentifier=arn(region, target), AllowDataLoss=True
    )["GlobalCluster"]


def test_endpoints_have_awss_form_and_resolve_to_the_databases(payments: Chain) -> None:
    """Every description has them with the cluster's port, also after the first instance."""
    cluster = payments.rds(EAST).describe_db_clusters(DBClusterIdentifier="east")["DBClusters"][0]
    instance = payments.rds(EAST).describe_db_instances(DBInstanceIdentifier="east-1")["DBInstances"][0]
    stem = f"{endpoint_hash(ACCOUNT, EAST)}.us-east-1.rds.amazonaws.com"

    assert (f"east.cluster-{stem}", f"east.cluster-ro-{stem}", 3307) == (
        cluster["Endpoint"],
        cluster["ReaderEndpoint"],
        cluster["Port"],
    )
    assert (f"east-1.{stem}", 3307) == (instance["Endpoint"]["Address"], instance["Endpoint"]["Port"])
    global_name = payments.described()["Endpoint"]
    assert f"payments.global-{endpoint_hash(ACCOUNT, 'global')}.global.rds.amazonaws.com" == global_name
    resolved = [
        payments.network.cluster_of(name).id for name in (cluster["Endpoint"], cluster["ReaderEndpoint"], global_name)
    ]
    expected = ["east", "east", "east"]
    assert expected == resolved


def test_changed_port_is_that_of_every_description(payments: Chain) -> None:
    """Each cluster has a port of its own; its listeners are replaced."""
    rds = payments.rds(EAST)
    writer = rds.describe_db_clusters(DBClusterIdentifier="east")["DBClusters"][0]["Endpoint"]

    rds.modify_db_cluster(DBClusterIdentifier="east", Port=NEW_PORT, ApplyImmediately=True)

    cluster = rds.describe_db_clusters(DBClusterIdentifier="east")["DBClusters"][0]
    instance = rds.describe_db_instances(DBInstanceIdentifier="east-1")["DBInstances"][0]
    assert (NEW_PORT, NEW_PORT) == (cluster["Port"], instance["Endpoint"]["Port"])
    assert payments.network.cluster_of(writer).id == "east"
    other = payments.rds(WEST).describe_db_clusters(DBClusterIdentifier="west")["DBClusters"][0]
    assert other["Port"] == 3307


def test_member_gets_no_backtrack_window_later(payments: Chain) -> None:
    """CreateDBCluster refuses it in the same words."""
    with pytest.raises(ClientError, match="Backtrack is not supported for global databases") as caught:
        payments.rds(EAST).modify_db_cluster(DBClusterIdentifier="east", BacktrackWindow=3600)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterCombination"


def test_cluster_accepts_connections_while_it_has_an_instance(payments: Chain) -> None:
    """A second instance makes no difference."""
    west = payments.rds(WEST)
    faults = [payments.network.fault_of("west", from_region=EAST)]
    west.create_db_instance(
        DBInstanceIdentifier="west-2", DBClusterIdentifier="west", Engine="aurora-mysql", DBInstanceClass="db.r6g.large"
    )
    for name in ("west-1", "west-2"):
        west.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        faults.append(payments.network.fault_of("west", from_region=EAST))
    west.create_db_instance(
        DBInstanceIdentifier="west-1", DBClusterIdentifier="west", Engine="aurora-mysql", DBInstanceClass="db.r6g.large"
    )

    expected = [Fault.NONE, Fault.NONE, Fault.REFUSE]
    assert expected == faults


def test_writes_are_counted_by_service_and_region(payments: Chain) -> None:
    """Calls that only read do not count."""
    proxy = payments.control_plane
    before = [proxy.writes(service, WEST) for service in ("dynamodb", "monitoring", "sqs")]
    payments.clients("dynamodb", WEST).list_tables()
    payments.clients("cloudwatch", WEST).describe_alarms()
    payments.clients("cloudwatch", WEST).put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0}])
    payments.clients("cloudwatch", EAST).put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0}])
    after = [proxy.writes(service, WEST) for service in ("dynamodb", "monitoring", "sqs")]
    assert [later - earlier for earlier, later in zip(before, after, strict=True)] == [0, 1, 0]


def test_secondary_with_user_name_is_refused_over_http(payments: Chain) -> None:
    """boto3 returns AWS's code and status, and no cluster is created."""
    with pytest.raises(ClientError) as caught:
        payments.rds("ap-south-1").create_db_cluster(
            DBClusterIdentifier="third",
            Engine="aurora-mysql",
            GlobalClusterIdentifier="payments",
            MasterUsername="admin",
        )
    error = caught.value.response
    assert (
        error["Error"]["Code"],
        error["ResponseMetadata"]["HTTPStatusCode"],
    ) == ("InvalidParameterCombination", 400)
    assert payments.rds("ap-south-1").describe_db_clusters()["DBClusters"] == []


def test_operation_errors_are_the_models_exceptions(payments: Chain) -> None:
    """A handler can catch an operation's errors by class."""
    west = payments.rds(WEST)
    cases = [
        ("payments", arn(WEST, "gone"), west.exceptions.DBClusterNotFoundFault, 404),
        ("gone", arn(WEST, "west"), west.exceptions.GlobalClusterNotFoundFault, 404),
        ("payments", arn(EAST, "east"), west.exceptions.InvalidGlobalClusterStateFault, 400),
    ]
    for global_cluster, target, kind, status in cases:
        with pytest.raises(kind) as caught:
            west.failover_global_cluster(
                GlobalClusterIdentifier=global_cluster, TargetDbClusterIdentifier=target, AllowDataLoss=True
            )
        assert status == caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_switchover_passes_through_its_states_and_swaps_roles(payments: Chain) -> None:
    """The old writer is read-only at once, and the global endpoint follows the role."""
    # Long enough for a description between the two states on a slow machine.
    payments.control_plane.operation_seconds = 4.0
    database = payments.control_plane.global_database("payments")
    response = payments.rds(EAST).switchover_global_cluster(
        GlobalClusterIdentifier="payments", TargetDbClusterIdentifier=arn(WEST, "west")
    )["GlobalCluster"]
    fenced = database.cluster("east").read_only
    statuses = {response["FailoverState"]["Status"]}
    while state := payments.described().get("FailoverState"):
        statuses.add(state["Status"])

    assert fenced
    assert {"pending", "switching-over"} == statuses
    assert payments.roles() == {"east": (False, "connected"), "west": (True, "connected")}
    assert payments.control_plane.writer_region("payments") == WEST
    assert payments.network.cluster_of(payments.described()["Endpoint"]).id == "west"


def test_lost_region_returns_as_reader_after_failover(payments: Chain) -> None:
    """The standby's API describes roles and synchronization at each step."""
    published = []
    payments.network.fail(EAST)
    published.append(payments.roles())
    response = fail_over(payments, WEST, "west")
    payments.wait_until_idle()
    published.append(payments.roles())
    payments.network.restore(EAST)
    published.append(payments.roles())

    assert (True, arn(EAST, "east"), arn(WEST, "west")) == (
        response["FailoverState"]["IsDataLossAllowed"],
        response["FailoverState"]["FromDbClusterArn"],
        response["FailoverState"]["ToDbClusterArn"],
    )
    assert published == [
        {"east": (True, "connected"), "west": (False, "connected")},
        {"east": (False, "pending-resync"), "west": (True, "connected")},
        {"east": (False, "connected"), "west": (True, "connected")},
    ]
    assert payments.control_plane.operations[-1].outcome is not None
    with pytest.raises(ClientError):
        fail_over(payments, WEST, "west")


def test_region_failure_cancels_switchover(payments: Chain) -> None:
    """The writer keeps its role and is writable again."""
    payments.rds(EAST).switchover_global_cluster(
        GlobalClusterIdentifier="payments", TargetDbClusterIdentifier=arn(WEST, "west")
    )
    payments.network.fail(EAST)
    payments.wait_until_idle()
    payments.network.restore(EAST)

    assert payments.roles() == {"east": (True, "connected"), "west": (False, "connected")}
    assert payments.control_plane.operations[-1].cancelled
    assert not payments.control_plane.global_database("payments").cluster("east").read_only


@pytest.fixture
def event_queues(chain: Chain) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """Create a queue and a rule on RDS's events in each region; return a function that receives a region's events."""
    pattern = {"source": ["aws.rds"], "detail": {"EventID": [{"prefix": "RDS-EVENT-"}]}}
    urls = {}
    for region in (EAST, WEST):
        queues, events = chain.clients("sqs", region), chain.clients("events", region)
        urls[region] = queues.create_queue(QueueName="rds-events")["QueueUrl"]
        queue = queues.get_queue_attributes(QueueUrl=urls[region], AttributeNames=["QueueArn"])["Attributes"]
        events.put_rule(Name="rds-events", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="rds-events", Targets=[{"Id": "queue", "Arn": queue["QueueArn"]}])

    def arrived(region: str) -> list[dict[str, Any]]:
        found = chain.clients("sqs", region).receive_message(QueueUrl=urls[region], MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in found.get("Messages", [])]

    yield arrived
    for region in (EAST, WEST):
        events = chain.clients("events", region)
        events.remove_targets(Rule="rds-events", Ids=["queue"])
        events.delete_rule(Name="rds-events")
        chain.clients("sqs", region).delete_queue(QueueUrl=urls[region])


EventQueues = Callable[[str], list[dict[str, Any]]]


def test_switchover_events_are_published_in_both_regions(payments: Chain, event_queues: EventQueues) -> None:
    """Each region's EventBridge gets the events of its own cluster in AWS's documented form."""
    before = len(payments.control_plane.events)
    payments.rds(EAST).switchover_global_cluster(
        GlobalClusterIdentifier="payments", TargetDbClusterIdentifier=arn(WEST, "west")
    )
    assert wait_until(lambda: len(payments.control_plane.events) == before + 4)

    assert [None] * 4 == [event.error for event in payments.control_plane.events[before:]]
    for region, cluster in ((EAST, "east"), (WEST, "west")):
        events = event_queues(region)
        assert ["RDS-EVENT-0181", "RDS-EVENT-0185"] == [event["detail"]["EventID"] for event in events]
        assert ("aws.rds", "RDS DB Cluster Event", region, [arn(region, cluster)], cluster) == (
            events[0]["source"],
            events[0]["detail-type"],
            events[0]["region"],
            events[0]["resources"],
            events[0]["detail"]["SourceIdentifier"],
        )


def test_failover_event_is_published_only_in_available_region(payments: Chain, event_queues: EventQueues) -> None:
    """A failed region publishes no event, and AWS has no event for the start of a failover."""
    before = len(payments.control_plane.events)
    payments.network.fail(EAST)
    fail_over(payments, WEST, "west")
    assert wait_until(lambda: len(payments.control_plane.events) == before + 1)
    payments.network.restore(EAST)

    assert [] == event_queues(EAST)
    assert ["Global failover to DB cluster west in Region eu-west-1 completed."] == [
        event["detail"]["Message"] for event in event_queues(WEST)
    ]


def test_aws_event_source_of_a_customer_is_rejected(chain: Chain) -> None:
    """ministack accepts `aws.rds` only from the proxy, and rejects other `aws.` sources, as AWS does."""
    response = chain.clients("events", WEST).put_events(
        Entries=[{"Source": "aws.ec2", "DetailType": "Whatever", "Detail": "{}"}]
    )
    assert (1, "NotAuthorizedForSourceException") == (response["FailedEntryCount"], response["Entries"][0]["ErrorCode"])


def test_event_has_awss_form() -> None:
    """The fields are those of AWS's example, and the message names the new writer."""
    event = rds_event(operation(OperationKind.FAILOVER), OperationPhase.COMPLETED)
    assert event is not None
    entry = event_entry(EAST_MEMBER, *event, at=1_800_000_000.25)
    assert {
        "EventCategories": ["global failover"],
        "SourceType": "CLUSTER",
        "SourceArn": EAST_MEMBER.arn,
        "Date": "2027-01-15T08:00:00.250Z",
        "Message": "Global failover to DB cluster west in Region eu-west-1 completed.",
        "SourceIdentifier": "east",
        "EventID": "RDS-EVENT-0238",
    } == json.loads(entry["Detail"])


def test_undeliverable_event_is_recorded_with_its_error() -> None:
    """The endpoint is unreachable."""
    events = RdsEvents(
        endpoint=lambda: "http://127.0.0.1:9", is_failed=lambda region: region == EAST, clock=lambda: 1.0
    )
    asyncio.run(events.publish(operation(OperationKind.SWITCHOVER), OperationPhase.STARTED))
    events.close()
    (published,) = events.published
    assert (WEST, "RDS-EVENT-0181") == (published.region, published.event_id)
    assert published.error is not None and "127.0.0.1:9" in published.error


def test_modify_db_cluster_changes_the_master_password(payments: Chain) -> None:
    """A password rotation calls ModifyDBCluster."""
    database = payments.control_plane.global_database("payments")
    before = database.cluster("east").account("admin")
    payments.rds(EAST).modify_db_cluster(
        DBClusterIdentifier="east", MasterUserPassword="9876543210", ApplyImmediately=True
    )

    assert before != database.cluster("east").account("admin")


def test_peering_options_are_stored_and_described(chain: Chain) -> None:
    """Each side is set in its own region, and both are described in either region."""
    clients = {region: chain.clients("ec2", region) for region in (EAST, WEST)}
    vpcs = [
        clients[region].create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
        for region, block in ((EAST, "10.0.0.0/16"), (WEST, "10.1.0.0/16"))
    ]
    peering_id = clients[EAST].create_vpc_peering_connection(VpcId=vpcs[0], PeerVpcId=vpcs[1], PeerRegion=WEST)[
        "VpcPeeringConnection"
    ]["VpcPeeringConnectionId"]
    with pytest.raises(ClientError, match="only to active peerings"):
        clients[EAST].modify_vpc_peering_connection_options(
            VpcPeeringConnectionId=peering_id,
            RequesterPeeringConnectionOptions={"AllowDnsResolutionFromRemoteVpc": True},
        )
    clients[WEST].accept_vpc_peering_connection(VpcPeeringConnectionId=peering_id)
    for region, side in ((EAST, "Requester"), (WEST, "Accepter")):
        response = clients[region].modify_vpc_peering_connection_options(
            VpcPeeringConnectionId=peering_id,
            **{f"{side}PeeringConnectionOptions": {"AllowDnsResolutionFromRemoteVpc": True}},
        )
        assert response[f"{side}PeeringConnectionOptions"]["AllowDnsResolutionFromRemoteVpc"]

    described = clients[WEST].describe_vpc_peering_connections()["VpcPeeringConnections"][0]
    assert [
        described[side]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"]
        for side in ("RequesterVpcInfo", "AccepterVpcInfo")
    ] == [True, True]


def test_other_requests_pass_unchanged(chain: Chain) -> None:
    """A large S3 object and its HEAD pass through the proxy."""
    clients = BotoClients(chain.control_plane.url)
    s3 = clients("s3", WEST)
    body = bytes(range(256)) * 8192
    s3.create_bucket(Bucket="payments", CreateBucketConfiguration={"LocationConstraint": WEST})
    s3.put_object(Bucket="payments", Key="k", Body=body)

    assert len(body) == s3.head_object(Bucket="payments", Key="k")["ContentLength"]
    assert body == s3.get_object(Bucket="payments", Key="k")["Body"].read()
    clients.close()


FUNCTION = """
import os, socket

def handler(event, context):
    addresses = {"endpoint": os.environ["AWS_ENDPOINT_URL"]}
    for name in event["names"]:
        try:
            addresses[name] = list(socket.getaddrinfo(name, 3307)[0][4])
        except socket.gaierror as error:
            addresses[name] = str(error)
    return addresses
"""


def test_lambda_function_uses_its_regions_network(payments: Chain) -> None:
    """A function calls AWS through its region's proxy and resolves databases; in the VPC it resolves no other name."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("probe.py", FUNCTION)
    writer = payments.rds(EAST).describe_db_clusters()["DBClusters"][0]["Endpoint"]
    responses = {}
    payments.network.set_vpc_functions(["inside"])
    for region, name in ((EAST, "outside"), (WEST, "inside")):
        functions = payments.clients("lambda", region)
        functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="probe.handler",
            Role=f"arn:aws:iam::{ACCOUNT}:role/r",
            Code={"ZipFile": package.getvalue()},
        )
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        response = functions.invoke(FunctionName=name, Payload=json.dumps({"names": [writer, "127.0.0.1"]}))
        responses[name] = json.load(response["Payload"])

    assert {
        "endpoint": payments.faults.endpoint(EAST),
        writer: ["127.0.0.1", 1],
        "127.0.0.1": ["127.0.0.1", 3307],
    } == responses["outside"]
    assert (payments.faults.endpoint(WEST), ["127.0.0.1", 1]) == (
        responses["inside"]["endpoint"],
        responses["inside"][writer],
    )
    assert "no route out of the VPC" in responses["inside"]["127.0.0.1"]


# --- Point-in-time restore -------------------------------------------------------------------------------------------


def restore(chain: Chain, **changes: Any) -> dict[str, Any]:
    """Restore the writer's cluster, by default to the latest restorable time."""
    newest = {} if "RestoreToTime" in changes else {"UseLatestRestorableTime": True}
    request_parameters = {"SourceDBClusterIdentifier": "east", "DBClusterIdentifier": "copy", **newest, **changes}
    return chain.rds(EAST).restore_db_cluster_to_point_in_time(**request_parameters)["DBCluster"]


def drop(chain: Chain) -> None:
    """Delete the restored cluster."""
    chain.rds(EAST).delete_db_cluster(DBClusterIdentifier="copy", SkipFinalSnapshot=True)


def test_restored_cluster_has_the_data_of_its_time(payments: Chain) -> None:
    """The live cluster keeps its data; the restored one is encrypted and in no global cluster."""
    live = payments.control_plane.global_database("payments").cluster("east")
    live.execute("CREATE TABLE pay.rows_of_copies (id BIGINT PRIMARY KEY)")
    live.execute("INSERT INTO pay.rows_of_copies VALUES (1)")
    between = datetime.now(UTC)
    live.execute("INSERT INTO pay.rows_of_copies VALUES (2)")
    assert wait_until(lambda: restorable(payments)[1] > between + timedelta(milliseconds=1))
    payments.control_plane.operation_seconds = 0.0
    created = restore(payments, RestoreToTime=between, Port=3307)
    assert (created["Status"], created["StorageEncrypted"], created["Port"]) == ("available", True, 3307)
    assert "GlobalClusterIdentifier" not in created
    copy = payments.control_plane.databases.database(created["DBClusterArn"]).writer
    query = "SELECT id FROM pay.rows_of_copies ORDER BY id"
    assert (copy.execute(query), live.execute(query)) == ([(1,)], [(1,), (2,)])
    live.execute("DROP TABLE pay.rows_of_copies")
    drop(payments)


def test_restoring_cluster_takes_no_instance(payments: Chain) -> None:
    """RDS describes the cluster as creating and refuses an instance."""
    payments.control_plane.operation_seconds = 30.0
    assert restore(payments)["Status"] == "creating"
    with pytest.raises(ClientError, match="InvalidDBClusterStateFault"):
        payments.rds(EAST).create_db_instance(
            DBInstanceIdentifier="copy-1",
            DBClusterIdentifier="copy",
            Engine="aurora-mysql",
            DBInstanceClass="db.r6g.large",
        )
    drop(payments)


def test_invalid_restore_is_refused(payments: Chain) -> None:
    """The source is missing, the name is in use, the time is outside the window, or there is no time."""
    earliest, latest = restorable(payments)
    for changes, code in (
        ({"SourceDBClusterIdentifier": "gone"}, "DBClusterNotFoundFault"),
        ({"DBClusterIdentifier": "east"}, "DBClusterAlreadyExistsFault"),
        ({"RestoreToTime": earliest - timedelta(seconds=5)}, "InvalidParameterValue"),
        ({"RestoreToTime": latest + timedelta(hours=1)}, "InvalidParameterValue"),
        ({"UseLatestRestorableTime": False}, "InvalidParameterCombination"),
    ):
        with pytest.raises(ClientError) as caught:
            restore(payments, **changes)
        assert code == caught.value.response["Error"]["Code"]


def restorable(chain: Chain) -> tuple[datetime, datetime]:
    """Return the earliest and latest restorable time of the writer's cluster."""
    found = chain.rds(EAST).describe_db_clusters(DBClusterIdentifier="east")["DBClusters"][0]
    return found["EarliestRestorableTime"], found["LatestRestorableTime"]


def test_unsigned_request_has_no_credential_scope() -> None:
    """Such requests pass to ministack unchanged."""
    assert credential_scope({"Authorization": "Basic eDp5"}) is None


def test_unreachable_ministack_is_named_in_the_error(tmp_path: Path) -> None:
    """The error is not one of AWS's."""
    network = EmulatedNetwork(regions=(EAST, WEST), names_file=tmp_path / "names.json", start_listener=start_listener)
    with ApiProxy(network=network, upstream="http://127.0.0.1:1") as control_plane:
        clients = BotoClients(control_plane.url)
        with pytest.raises(ResponseParserError, match="ministack is unreachable"):
            clients("rds", EAST).describe_db_clusters()
        clients.close()


def test_stop_is_idempotent(tmp_path: Path) -> None:
    """The proxy stops twice, also without any request."""
    network = EmulatedNetwork(regions=(EAST, WEST), names_file=tmp_path / "names.json", start_listener=start_listener)
    control_plane = ApiProxy(network=network).start()
    control_plane.stop()
    control_plane.stop()

    assert control_plane.calls == []


def test_detached_secondary_is_promoted_to_a_standalone_cluster(payments: Chain) -> None:
    """RDS reports `promoting` until the cluster takes writes. The old writer keeps its role; a late failover is refused."""
    payments.control_plane.operation_seconds = 1.0
    live, west = payments.detach_west(), payments.rds(WEST)

    def seen() -> tuple[str, bool]:
        return west.describe_db_clusters(DBClusterIdentifier="west")["DBClusters"][0]["Status"], live.read_only

    promoting = seen()
    with pytest.raises(west.exceptions.InvalidDBClusterStateFault, match="promoting"):
        west.create_global_cluster(GlobalClusterIdentifier="alone", SourceDBClusterIdentifier=arn(WEST, "west"))
    assert wait_until(lambda: not live.read_only)
    with pytest.raises(west.exceptions.DBClusterNotFoundFault):
        fail_over(payments, WEST, "west")

    assert (promoting, seen()) == (("promoting", True), ("available", False))
    assert payments.roles() == {"east": (True, "connected")}
    payments.return_detached_west()


def test_detached_cluster_returns_as_the_writer_of_a_new_global_cluster(payments: Chain) -> None:
    """It cannot rejoin the old one, whose writer has to leave before it is deleted. The new secondary can take over."""
    live, east, west = payments.detach_west(), payments.rds(EAST), payments.rds(WEST)
    assert wait_until(lambda: not live.read_only)
    live.execute("CREATE TABLE pay.kept (id BIGINT PRIMARY KEY)")
    with pytest.raises(west.exceptions.GlobalClusterAlreadyExistsFault):
        west.create_global_cluster(GlobalClusterIdentifier="payments", SourceDBClusterIdentifier=arn(WEST, "west"))
    east.delete_db_instance(DBInstanceIdentifier="east-1", SkipFinalSnapshot=True)
    with pytest.raises(east.exceptions.InvalidDBClusterStateFault, match="member of a global cluster"):
        east.delete_db_cluster(DBClusterIdentifier="east", SkipFinalSnapshot=True)
    with pytest.raises(east.exceptions.InvalidGlobalClusterStateFault):
        east.delete_global_cluster(GlobalClusterIdentifier="payments")
    payments.return_detached_west()

    described = payments.described()
    assert (described["DatabaseName"], described["StorageEncrypted"]) == ("pay", True)
    assert payments.roles() == {"east": (False, "connected"), "west": (True, "connected")}
    assert payments.network.cluster_of(described["Endpoint"]).id == "west"
    assert payments.live(EAST, "east").execute("SELECT COUNT(*) FROM pay.kept") == [(0,)]
    fail_over(payments, EAST, "east")
    payments.wait_until_idle()
    assert payments.control_plane.writer_region("payments") == EAST


def test_no_cluster_is_detached_during_an_operation(payments: Chain) -> None:
    """RDS refuses it, and the operation continues."""
    payments.control_plane.operation_seconds = 1.0
    fail_over(payments, WEST, "west")
    east = payments.rds(EAST)
    with pytest.raises(east.exceptions.InvalidGlobalClusterStateFault, match="another operation is in progress"):
        east.remove_from_global_cluster(GlobalClusterIdentifier="payments", DbClusterIdentifier=arn(EAST, "east"))
    payments.wait_until_idle()
    assert set(payments.roles()) == {"east", "west"}
