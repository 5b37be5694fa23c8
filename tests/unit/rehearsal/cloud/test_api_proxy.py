"""Failover and switchover as RDS's API does them: the rules and their course in fake time, then the whole chain."""

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

from rehearsal.aurora.global_database import Cluster, FailoverOutcome, OperationRefusedError
from rehearsal.aurora.server import Fault
from rehearsal.cloud.api_proxy import ApiProxy
from rehearsal.cloud.faults import ApiFaults
from rehearsal.cloud.global_cluster import (
    FailoverStatus,
    GlobalClusterView,
    Member,
    Operation,
    OperationKind,
    OperationRequest,
    RdsRefusal,
    check,
    check_new_member,
)
from rehearsal.cloud.ministack import Emulator
from rehearsal.cloud.operations import GlobalOperations
from rehearsal.cloud.peering_options import Ec2Refusal, PeeringOptions
from rehearsal.cloud.rds_events import Moment, RdsEvents, event_entry, event_of
from rehearsal.cloud.rds_xml import endpoint_hash, rewrite
from rehearsal.network.network import Network
from rehearsal.support.clients import Clients, credential_scope
from tests.support.waiting import WAIT_SECONDS, wait_until

EAST, WEST = "us-east-1", "eu-west-1"
ACCOUNT = "123456789012"


def arn(region: str, cluster_id: str) -> str:
    """A cluster's ARN."""
    return f"arn:aws:rds:{region}:{ACCOUNT}:cluster:{cluster_id}"


def member(region: str, cluster_id: str, **changes: Any) -> Member:
    """An available member."""
    whole = Member(
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
    """The global cluster with something changed."""
    return replace(VIEW, members=(replace(EAST_MEMBER, **(east or {})), replace(WEST_MEMBER, **(west or {}))))


def request(kind: OperationKind, *, region: str, target: str = WEST_MEMBER.arn) -> OperationRequest:
    """A call for the standby, in a region."""
    return OperationRequest(kind=kind, global_cluster_id="payments", target=target, region=region)


FAILOVER = request(OperationKind.FAILOVER, region=WEST)
SWITCHOVER = request(OperationKind.SWITCHOVER, region=EAST)


def operation(kind: OperationKind) -> Operation:
    """One that was accepted at 100 s and takes 8 s."""
    return Operation(
        kind=kind,
        global_cluster_id="payments",
        source=EAST_MEMBER,
        target=WEST_MEMBER,
        accepted_at=100.0,
        seconds=8.0,
    )


# --- The rules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [FAILOVER, SWITCHOVER])
def test_an_operation_for_a_healthy_standby_is_accepted(call: OperationRequest) -> None:
    """A failover in the target's region, a switchover in the writer's."""
    assert check(call, VIEW, None) == (EAST_MEMBER, WEST_MEMBER)


@pytest.mark.parametrize("target", [WEST_MEMBER.arn, "west"])
def test_a_target_is_named_by_its_arn_or_by_its_name_in_its_own_region(target: str) -> None:
    """A bare name says nothing in another region."""
    assert WEST_MEMBER is check(replace(FAILOVER, target=target), VIEW, None)[1]


INVALID_GLOBAL, INVALID_CLUSTER, NOT_FOUND = (
    "InvalidGlobalClusterStateFault",
    "InvalidDBClusterStateFault",
    "DBClusterNotFoundFault",
)


@pytest.mark.parametrize(
    ("call", "state", "code", "words"),
    [
        (replace(FAILOVER, target=arn(WEST, "gone")), VIEW, NOT_FOUND, "not found"),
        (replace(SWITCHOVER, target="west"), VIEW, NOT_FOUND, "not found"),
        (replace(FAILOVER, target=EAST_MEMBER.arn), VIEW, INVALID_GLOBAL, "already the writer"),
        (replace(FAILOVER, region=EAST), VIEW, INVALID_GLOBAL, "Region of the target: eu-west-1"),
        (replace(SWITCHOVER, region=WEST), VIEW, INVALID_GLOBAL, "primary cluster: us-east-1"),
        (FAILOVER, replace(VIEW, status="creating"), INVALID_GLOBAL, "not available"),
        (FAILOVER, view(east={"is_writer": False}), INVALID_GLOBAL, "no writer"),
        (FAILOVER, view(west={"engine_version": "8.0.mysql_aurora.3.11.0"}), INVALID_CLUSTER, "versions differ"),
        (FAILOVER, view(west={"status": "backing-up"}), INVALID_CLUSTER, "backing-up"),
        (FAILOVER, view(west={"instance_count": 0}), INVALID_CLUSTER, "0 instances"),
        (SWITCHOVER, view(east={"status": "failing-over"}), INVALID_CLUSTER, "failing-over"),
        (SWITCHOVER, view(west={"instance_count": 0}), INVALID_CLUSTER, "0 instances"),
    ],
)
def test_what_rds_refuses(call: OperationRequest, state: GlobalClusterView, code: str, words: str) -> None:
    """Each with the code that the API model names."""
    with pytest.raises(RdsRefusal, match=words) as caught:
        check(call, state, None)
    assert code == caught.value.code


def test_a_failover_does_not_ask_for_the_writer() -> None:
    """It is for the day when the writer is gone."""
    gone = view(east={"status": "inaccessible", "instance_count": 0})

    assert check(FAILOVER, gone, None)[1] == WEST_MEMBER


@pytest.mark.parametrize("call", [FAILOVER, SWITCHOVER])
@pytest.mark.parametrize("kind", list(OperationKind))
def test_one_operation_at_a_time(call: OperationRequest, kind: OperationKind) -> None:
    """Whatever is under way, nothing else starts."""
    with pytest.raises(RdsRefusal, match="another operation is under way") as caught:
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
    """Everything else is a switchover, also under the name of a failover."""
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
def test_a_call_that_makes_no_sense_is_refused(parameters: dict[str, str], code: str) -> None:
    """Without a target, or with both ways named."""
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
def test_an_operation_is_pending_before_it_is_under_way(
    kind: OperationKind, seconds: float, status: FailoverStatus
) -> None:
    """The first quarter of its time."""
    assert status is operation(kind).status(100.0 + seconds)


def test_a_cancelled_operation_says_so() -> None:
    """Whenever it is asked."""
    assert FailoverStatus.CANCELLING is operation(OperationKind.SWITCHOVER).cancelled(101.0).status(101.5)


SECONDARY = {"KmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/k", "PreSignedUrl": "https://rds"}


@pytest.mark.parametrize(
    ("change", "words"),
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
def test_a_secondary_that_aws_refuses_is_refused(change: dict[str, str], words: str) -> None:
    """With AWS's own words, and never with the value: one of them is a password."""
    with pytest.raises(RdsRefusal, match=words) as caught:
        check_new_member({**SECONDARY, **change}, VIEW, is_encrypted=True)
    assert caught.value.code == "InvalidParameterCombination"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("east", [{"instance_count": 0}, {"status": "creating"}])
def test_a_secondary_needs_a_primary_that_runs(east: dict[str, Any]) -> None:
    """Which is why the program creates the primary's writer first."""
    with pytest.raises(RdsRefusal, match="not valid for physical replication"):
        check_new_member(SECONDARY, view(east=east), is_encrypted=True)


def test_members_as_the_program_creates_them_are_accepted() -> None:
    """A secondary with its key, an unencrypted one without, and the first member with a master user."""
    check_new_member(SECONDARY, VIEW, is_encrypted=True)
    check_new_member({}, VIEW, is_encrypted=False)
    first = {"MasterUsername": "admin", "MasterUserPassword": "secret", "DatabaseName": "payments"}
    check_new_member({**first, "BacktrackWindow": "0"}, replace(VIEW, members=()), is_encrypted=True)


# --- The course ------------------------------------------------------------------------------------------------------


class FakeDatabases:
    """Databases that note what is done to them."""

    def __init__(self, *, refuses: str = "") -> None:
        self.done: list[str] = []
        self.refuses = refuses

    def _do(self, what: str) -> None:
        self.done.append(what)
        if what == self.refuses:
            raise OperationRefusedError(f"can't {what}")

    def begin(self, operation: Operation) -> None:
        """Note."""
        self._do("begin")

    def finish(self, operation: Operation) -> FailoverOutcome | None:
        """Note."""
        self._do("finish")
        return FailoverOutcome(lost_transactions=(), lag_seconds=0.25)

    def cancel(self, operation: Operation) -> None:
        """Note."""
        self._do("cancel")


@dataclass
class Course:
    """A runner in fake time: `sleep` lets the clock jump, and notes what a caller sees before it does."""

    databases: FakeDatabases
    now: float = 100.0

    def __post_init__(self) -> None:
        self.agreed: list[list[str]] = []
        self.seen: list[FailoverStatus | None] = []
        self.notified: list[tuple[OperationKind, Moment, bool]] = []
        self.runner = GlobalOperations(
            look_up=self.look_up,
            agree=self.agree,
            tell=self.tell,
            databases=self.databases,
            clock=lambda: self.now,
            operation_seconds=8.0,
            sleep=self.sleep,
        )

    async def look_up(self, _request: OperationRequest) -> GlobalClusterView:
        """Describe the global cluster, after letting others run."""
        await asyncio.sleep(0)
        return VIEW

    async def agree(self, operation: Operation) -> str | None:
        """Note what had been done to the databases by then."""
        self.agreed.append(list(self.databases.done))
        return None

    async def tell(self, operation: Operation, moment: Moment) -> None:
        """Note what was told, and whether the operation was still under way then."""
        self.notified.append((operation.kind, moment, self.runner.under_way("payments") is not None))

    async def sleep(self, seconds: float) -> None:
        """Jump, after letting others run."""
        await asyncio.sleep(0)
        under_way = self.runner.under_way("payments")
        self.seen.append(under_way.status(self.now + seconds / 2) if under_way else None)
        self.now += seconds

    async def play(self, *requests: OperationRequest) -> list[Operation | BaseException]:
        """Make calls at the same moment and wait until nothing is under way."""
        answers = await asyncio.gather(*(self.runner.accept(one) for one in requests), return_exceptions=True)
        while self.runner.under_way("payments") is not None:
            await asyncio.sleep(0.001)
        return answers


@pytest.mark.parametrize("call", [FAILOVER, SWITCHOVER])
def test_databases_change_first_and_metadata_last(call: OperationRequest) -> None:
    """After the set time; then nothing is under way, and the operation is on record."""
    course = Course(FakeDatabases())
    asyncio.run(course.play(call))

    assert course.agreed == [["begin", "finish"]]
    record = course.runner.records[0]
    assert (call.kind, 108.0, False, None) == (
        record.operation.kind,
        record.finished_at,
        record.cancelled,
        record.error,
    )
    assert record.outcome is not None
    assert record.outcome.lag_seconds == 0.25


@pytest.mark.parametrize("call", [FAILOVER, SWITCHOVER])
@pytest.mark.parametrize(("refuses", "end"), [("", Moment.COMPLETED), ("finish", Moment.CANCELLED)])
def test_rds_tells_when_an_operation_starts_and_when_it_has_ended(
    call: OperationRequest, refuses: str, end: Moment
) -> None:
    """Once each; the end only when nothing is under way any more."""
    course = Course(FakeDatabases(refuses=refuses))
    asyncio.run(course.play(call))

    assert [(call.kind, Moment.STARTED, True), (call.kind, end, False)] == course.notified


def test_rds_tells_nothing_of_what_it_refuses() -> None:
    """A call that is refused is no operation."""
    course = Course(FakeDatabases(refuses="begin"))
    asyncio.run(course.play(SWITCHOVER))

    assert course.notified == []


def test_of_two_calls_at_the_same_moment_one_is_accepted() -> None:
    """Two controllers, one failover; both calls are on record."""
    course = Course(FakeDatabases())
    answers = asyncio.run(course.play(FAILOVER, FAILOVER))

    assert [isinstance(answer, Operation) for answer in answers] == [True, False]
    assert {(True, None), (False, INVALID_GLOBAL)} == {(call.accepted, call.error) for call in course.runner.calls}
    assert len(course.runner.records) == 1


def test_an_operation_that_the_databases_refuse_is_cancelled() -> None:
    """The writer's region died in the middle of a switchover: both go back, the metadata stays, the next may start."""
    course = Course(FakeDatabases(refuses="finish"))
    asyncio.run(course.play(SWITCHOVER))

    assert course.databases.done == ["begin", "finish", "cancel"]
    assert course.agreed == []
    assert course.seen == [FailoverStatus.SWITCHING_OVER, FailoverStatus.CANCELLING]
    assert (course.runner.records[0].cancelled, course.runner.records[0].error) == (True, "can't finish")


def test_a_switchover_that_cannot_even_begin_is_refused() -> None:
    """The caller hears of it, and nothing is under way."""
    course = Course(FakeDatabases(refuses="begin"))
    answers = asyncio.run(course.play(SWITCHOVER))

    assert isinstance(answers[0], RdsRefusal)
    assert answers[0].code == INVALID_CLUSTER
    assert course.runner.records == []


# --- Answers ---------------------------------------------------------------------------------------------------------


def test_endpoint_names_are_stable_and_differ_by_region() -> None:
    """Twelve characters, as AWS has them, the same in every rehearsal."""
    hashes = [endpoint_hash(ACCOUNT, region) for region in (EAST, WEST, EAST)]

    assert hashes[0] == hashes[2] != hashes[1]
    assert [len(one) for one in hashes] == [12] * 3


def test_an_answer_without_a_cluster_stays_as_it_is() -> None:
    """Byte for byte."""
    answer = (
        b'<DescribeEventsResponse  xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><Events/></DescribeEventsResponse>'
    )

    assert answer is rewrite(answer, known=None)  # pyright: ignore[reportArgumentType]  (nothing is looked up)


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
    """One that exists, was accepted, and whose requester sits in the region of the call."""
    parameters = {
        "VpcPeeringConnectionId": peering_id,
        "RequesterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc": "true",
    }

    with pytest.raises(Ec2Refusal) as caught:
        PeeringOptions().modify(parameters, region=region, described=PEERING.replace("STATUS", status).encode())
    assert code == caught.value.code


# --- The whole chain: boto3, faults, control plane, emulator ---------------------------------------------------------


class FakeListener:
    """A port that nobody listens on."""

    port = 1

    def __init__(self) -> None:
        self.fault = Fault.NONE

    def set_fault(self, fault: Fault) -> None:
        """Note it."""
        self.fault = fault

    def close(self) -> None:
        """Do nothing."""


def start_listener(cluster: Cluster, *, host_names: Sequence[str], endpoint_port: int) -> FakeListener:
    """Start no listener."""
    assert (endpoint_port, cluster.running) == (3307, True)
    assert len(host_names) == (2 if cluster.id == "copy" else 3)  # a copy is in no global cluster
    return FakeListener()


@dataclass(frozen=True)
class Chain:
    """Everything between boto3 and the emulator."""

    network: Network
    control_plane: ApiProxy
    faults: ApiFaults
    clients: Clients

    def rds(self, region: str) -> Any:
        """An RDS client."""
        return self.clients("rds", region)

    def described(self, region: str = WEST) -> dict[str, Any]:
        """The global cluster as RDS describes it."""
        return self.rds(region).describe_global_clusters(GlobalClusterIdentifier="payments")["GlobalClusters"][0]

    def roles(self) -> dict[str, tuple[bool, str]]:
        """(is the writer, synchronization) by the cluster's name."""
        return {
            each["DBClusterArn"].rsplit(":", 1)[1]: (each["IsWriter"], each["SynchronizationStatus"])
            for each in self.described()["GlobalClusterMembers"]
        }

    def wait_until_idle(self) -> None:
        """Wait for the operation under way, and for what is told of it: a late event would reach the next test."""
        assert wait_until(lambda: self.control_plane.is_idle and not self.described().get("FailoverState"))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The chain, started in the order that the rehearsal uses; nothing of it is left afterwards."""
    before = set(threading.enumerate())
    names_file = tmp_path_factory.mktemp("network") / "names.json"
    regions = (EAST, WEST)
    with (
        Network(regions=regions, names_file=names_file, start_listener=start_listener) as network,
        ApiProxy(network=network, operation_seconds=0.3) as control_plane,
        ApiFaults(upstream=control_plane.url, regions=regions) as faults,
        Emulator(environment={**network.environment(), **faults.environment()}) as emulator,
    ):
        control_plane.upstream = emulator.url
        network.attach(faults)
        network.attach(control_plane)
        clients = Clients(faults.endpoint(WEST), read_timeout_seconds=WAIT_SECONDS)
        yield Chain(network, control_plane, faults, clients)
        clients.close()
    assert before == set(threading.enumerate())


@pytest.fixture
def payments(chain: Chain) -> Iterator[Chain]:
    """A global cluster with a member and an instance in each region, created as the program does; deleted afterwards."""
    east, west = chain.rds(EAST), chain.rds(WEST)
    chain.control_plane.operation_seconds = 0.3
    east.create_global_cluster(
        GlobalClusterIdentifier="payments",
        Engine="aurora-mysql",
        EngineVersion="8.0.mysql_aurora.3.10.0",
        StorageEncrypted=True,
    )
    common = {"Engine": "aurora-mysql", "GlobalClusterIdentifier": "payments", "StorageEncrypted": True, "Port": 3307}
    east.create_db_cluster(
        DBClusterIdentifier="east",
        MasterUsername="admin",
        MasterUserPassword="0123456789",
        DatabaseName="pay",
        **common,
    )
    instance = {"Engine": "aurora-mysql", "DBInstanceClass": "db.r6g.large"}
    east.create_db_instance(DBInstanceIdentifier="east-1", DBClusterIdentifier="east", **instance)
    west.create_db_cluster(DBClusterIdentifier="west", KmsKeyId="key", SourceRegion=EAST, **common)
    west.create_db_instance(DBInstanceIdentifier="west-1", DBClusterIdentifier="west", **instance)
    yield chain
    chain.wait_until_idle()
    # The writer goes last: neither RDS nor the emulator removes it while others follow it.
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
    """Call for a failover in the target's region."""
    return chain.rds(region).failover_global_cluster(
        GlobalClusterIdentifier="payments", TargetDbClusterIdentifier=arn(region, target), AllowDataLoss=True
    )["GlobalCluster"]


def test_endpoints_look_like_awss_and_lead_to_the_databases(payments: Chain) -> None:
    """In every answer that names them, with the port of the cluster, also after the first instance."""
    cluster = payments.rds(EAST).describe_db_clusters(DBClusterIdentifier="east")["DBClusters"][0]
    instance = payments.rds(EAST).describe_db_instances(DBInstanceIdentifier="east-1")["DBInstances"][0]
    stem = f"{endpoint_hash(ACCOUNT, EAST)}.us-east-1.rds.amazonaws.com"

    assert (f"east.cluster-{stem}", f"east.cluster-ro-{stem}", 3307) == (
        cluster["Endpoint"],
        cluster["ReaderEndpoint"],
        cluster["Port"],
    )
    assert (f"east-1.{stem}", 3307) == (instance["Endpoint"]["Address"], instance["Endpoint"]["Port"])
    everywhere = payments.described()["Endpoint"]
    assert f"payments.global-{endpoint_hash(ACCOUNT, 'global')}.global.rds.amazonaws.com" == everywhere
    led_to = [
        payments.network.cluster_of(name).id for name in (cluster["Endpoint"], cluster["ReaderEndpoint"], everywhere)
    ]
    expected = ["east", "east", "east"]
    assert expected == led_to


def test_a_cluster_answers_with_its_first_instance_and_not_after_its_last(payments: Chain) -> None:
    """A second one changes nothing."""
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


def test_a_secondary_with_a_user_name_is_refused_on_the_wire(payments: Chain) -> None:
    """Boto3 sees AWS's code and status, and no cluster is made."""
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


def test_errors_of_operations_come_as_the_models_exceptions(payments: Chain) -> None:
    """So that a handler can name them."""
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


def test_a_switchover_passes_through_its_states_and_swaps_the_roles(payments: Chain) -> None:
    """The old writer is fenced at once; the global name moves with the role; nothing is lost."""
    # However slow the machine, some look falls between pending and done.
    payments.control_plane.operation_seconds = 4.0
    database = payments.control_plane.global_database("payments")
    answer = payments.rds(EAST).switchover_global_cluster(
        GlobalClusterIdentifier="payments", TargetDbClusterIdentifier=arn(WEST, "west")
    )["GlobalCluster"]
    fenced = database.cluster("east").read_only
    statuses = {answer["FailoverState"]["Status"]}
    while state := payments.described().get("FailoverState"):
        statuses.add(state["Status"])

    assert fenced
    assert {"pending", "switching-over"} == statuses
    assert payments.roles() == {"east": (False, "connected"), "west": (True, "connected")}
    assert payments.control_plane.writer_region("payments") == WEST
    assert payments.network.cluster_of(payments.described()["Endpoint"]).id == "west"


def test_a_region_is_lost_fails_over_and_returns_as_a_reader(payments: Chain) -> None:
    """Roles and synchronization as the standby's API tells them, at each step."""
    notified = []
    payments.network.fail(EAST)
    notified.append(payments.roles())
    answer = fail_over(payments, WEST, "west")
    payments.wait_until_idle()
    notified.append(payments.roles())
    payments.network.restore(EAST)
    notified.append(payments.roles())

    assert (True, arn(EAST, "east"), arn(WEST, "west")) == (
        answer["FailoverState"]["IsDataLossAllowed"],
        answer["FailoverState"]["FromDbClusterArn"],
        answer["FailoverState"]["ToDbClusterArn"],
    )
    assert notified == [
        {"east": (True, "connected"), "west": (False, "connected")},
        {"east": (False, "pending-resync"), "west": (True, "connected")},
        {"east": (False, "connected"), "west": (True, "connected")},
    ]
    assert payments.control_plane.operations[-1].outcome is not None
    with pytest.raises(ClientError):
        fail_over(payments, WEST, "west")


def test_a_region_that_dies_during_a_switchover_cancels_it(payments: Chain) -> None:
    """The writer stays the writer and is not left fenced."""
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
    """A queue a region behind a rule on RDS's events, as the program's rule is one; gives what has arrived in it."""
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


def test_a_switchover_is_told_in_both_regions(payments: Chain, event_queues: EventQueues) -> None:
    """Through the emulator's EventBridge, in the form that AWS documents, of the region's own cluster."""
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


def test_a_failover_is_told_in_the_region_that_lives(payments: Chain, event_queues: EventQueues) -> None:
    """Nothing comes out of a dark region; AWS has no event for the start of a failover."""
    before = len(payments.control_plane.events)
    payments.network.fail(EAST)
    fail_over(payments, WEST, "west")
    assert wait_until(lambda: len(payments.control_plane.events) == before + 1)
    payments.network.restore(EAST)

    assert [] == event_queues(EAST)
    assert ["Global failover to DB cluster west in Region eu-west-1 completed."] == [
        event["detail"]["Message"] for event in event_queues(WEST)
    ]


def test_a_customer_may_not_speak_for_aws(chain: Chain) -> None:
    """The emulator takes RDS's events from the control plane; other `aws.` sources stay refused, as AWS refuses them."""
    answer = chain.clients("events", WEST).put_events(
        Entries=[{"Source": "aws.ec2", "DetailType": "Whatever", "Detail": "{}"}]
    )
    assert (1, "NotAuthorizedForSourceException") == (answer["FailedEntryCount"], answer["Entries"][0]["ErrorCode"])


def test_the_form_of_an_event() -> None:
    """As in AWS's own example of an event of a DB cluster; the message names the cluster that becomes the writer."""
    event = event_of(operation(OperationKind.FAILOVER), Moment.COMPLETED)
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


def test_an_event_that_can_not_be_told_is_noted_and_stops_nothing() -> None:
    """Nobody listens at the endpoint: the reason is on record."""
    events = RdsEvents(endpoint=lambda: "http://127.0.0.1:9", is_dark=lambda region: region == EAST, clock=lambda: 1.0)
    asyncio.run(events.tell(operation(OperationKind.SWITCHOVER), Moment.STARTED))
    events.close()
    (notified,) = events.notified
    assert (WEST, "RDS-EVENT-0181") == (notified.region, notified.event_id)
    assert notified.error is not None and "127.0.0.1:9" in notified.error


def test_a_new_master_password_reaches_the_database(payments: Chain) -> None:
    """By ModifyDBCluster, as a rotation does it."""
    database = payments.control_plane.global_database("payments")
    before = database.cluster("east").account("admin")
    payments.rds(EAST).modify_db_cluster(
        DBClusterIdentifier="east", MasterUserPassword="9876543210", ApplyImmediately=True
    )

    assert before != database.cluster("east").account("admin")


def test_peering_options_are_kept_and_described(chain: Chain) -> None:
    """Each side in its own region, and both seen from either."""
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
        answer = clients[region].modify_vpc_peering_connection_options(
            VpcPeeringConnectionId=peering_id,
            **{f"{side}PeeringConnectionOptions": {"AllowDnsResolutionFromRemoteVpc": True}},
        )
        assert answer[f"{side}PeeringConnectionOptions"]["AllowDnsResolutionFromRemoteVpc"]

    described = clients[WEST].describe_vpc_peering_connections()["VpcPeeringConnections"][0]
    assert [
        described[side]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"]
        for side in ("RequesterVpcInfo", "AccepterVpcInfo")
    ] == [True, True]


def test_what_is_not_ours_passes_unchanged(chain: Chain) -> None:
    """A large object and its HEAD."""
    clients = Clients(chain.control_plane.url)
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
    answers = {"endpoint": os.environ["AWS_ENDPOINT_URL"]}
    for name in event["names"]:
        try:
            answers[name] = list(socket.getaddrinfo(name, 3307)[0][4])
        except socket.gaierror as error:
            answers[name] = str(error)
    return answers
"""


def test_a_lambda_function_lives_in_its_own_regions_network(payments: Chain) -> None:
    """It calls AWS through its region's proxy and resolves databases; in the VPC it resolves nothing else."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("probe.py", FUNCTION)
    writer = payments.rds(EAST).describe_db_clusters()["DBClusters"][0]["Endpoint"]
    answers = {}
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
        answer = functions.invoke(FunctionName=name, Payload=json.dumps({"names": [writer, "127.0.0.1"]}))
        answers[name] = json.load(answer["Payload"])

    assert {
        "endpoint": payments.faults.endpoint(EAST),
        writer: ["127.0.0.1", 1],
        "127.0.0.1": ["127.0.0.1", 3307],
    } == answers["outside"]
    assert (payments.faults.endpoint(WEST), ["127.0.0.1", 1]) == (
        answers["inside"]["endpoint"],
        answers["inside"][writer],
    )
    assert "no way out of the VPC" in answers["inside"]["127.0.0.1"]


# --- Copies as of a second -------------------------------------------------------------------------------------------


def restore(chain: Chain, **changes: Any) -> dict[str, Any]:
    """Ask for a copy of the writer's cluster, of the newest second unless said otherwise."""
    newest = {} if "RestoreToTime" in changes else {"UseLatestRestorableTime": True}
    asked = {"SourceDBClusterIdentifier": "east", "DBClusterIdentifier": "copy", **newest, **changes}
    return chain.rds(EAST).restore_db_cluster_to_point_in_time(**asked)["DBCluster"]


def drop(chain: Chain) -> None:
    """Delete the copy."""
    chain.rds(EAST).delete_db_cluster(DBClusterIdentifier="copy", SkipFinalSnapshot=True)


def test_a_copy_holds_what_was_committed_until_its_second(payments: Chain) -> None:
    """Beside the live cluster, which keeps everything; in no global database; encrypted with the same key."""
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
    copy = payments.control_plane.stand_ins.database(created["DBClusterArn"]).writer
    query = "SELECT id FROM pay.rows_of_copies ORDER BY id"
    assert (copy.execute(query), live.execute(query)) == ([(1,)], [(1,), (2,)])
    live.execute("DROP TABLE pay.rows_of_copies")
    drop(payments)


def test_a_copy_is_being_created_before_it_takes_an_instance(payments: Chain) -> None:
    """RDS refuses an instance meanwhile, and describes the copy as creating."""
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


def test_what_rds_refuses_of_a_copy(payments: Chain) -> None:
    """A source that isn't there, a name in use, a second that is out of the window, none at all."""
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
    """Return between which moments the writer's cluster may be copied."""
    found = chain.rds(EAST).describe_db_clusters(DBClusterIdentifier="east")["DBClusters"][0]
    return found["EarliestRestorableTime"], found["LatestRestorableTime"]


def test_a_request_without_a_signature_has_no_scope() -> None:
    """Health probes and browsers pass to the emulator as they are."""
    assert credential_scope({"Authorization": "Basic eDp5"}) is None


def test_an_emulator_that_is_gone_is_said_to_be_gone(tmp_path: Path) -> None:
    """And not taken for an error of AWS's."""
    network = Network(regions=(EAST, WEST), names_file=tmp_path / "names.json", start_listener=start_listener)
    with ApiProxy(network=network, upstream="http://127.0.0.1:1") as control_plane:
        clients = Clients(control_plane.url)
        with pytest.raises(ResponseParserError, match="the emulator does not answer"):
            clients("rds", EAST).describe_db_clusters()
        clients.close()


def test_a_control_plane_stops_twice(tmp_path: Path) -> None:
    """Also when nothing was ever asked of it."""
    network = Network(regions=(EAST, WEST), names_file=tmp_path / "names.json", start_listener=start_listener)
    control_plane = ApiProxy(network=network).start()
    control_plane.stop()
    control_plane.stop()

    assert control_plane.calls == []
