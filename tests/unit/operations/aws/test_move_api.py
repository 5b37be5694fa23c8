"""The adapter of the acting commands against botocore's own stub: what is sent, once, and what the answers become."""

import io
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.session import Session
from botocore.exceptions import ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from operations.aws.move_api import AwsMoveApi, moves_to
from operations.aws.move_ports import AwsRefusedError, MoveOperation, ProbeTarget
from operations.support.errors import AwsError
from tests.support.operations.fakes import DEPLOYMENT, EAST_REGION, GLOBAL_CLUSTER, NOW, WEST_REGION

LIVE = "payments-eu-west-1-dev"
TARGET = ProbeTarget(function_name="health-check", cluster_id=LIVE, region="eu-west-1", host="writer", port=3306)


class Stubbed(AwsMoveApi):
    """The adapter of the standby region, with a stub on each of its clients."""

    def __init__(self) -> None:
        session = Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret", region_name="us-east-1")
        super().__init__(session, threading.Lock(), DEPLOYMENT.global_cluster_id, WEST_REGION)

    def stub(self, service: str, *, changing: bool = False) -> Stubber:
        """Return the stub of one client, in force."""
        stubber = Stubber(self._client(service, changing=changing))
        stubber.activate()
        return stubber


@pytest.fixture
def api() -> Stubbed:
    """The adapter of eu-west-1."""
    return Stubbed()


def test_what_acts_is_sent_once_and_given_more_time() -> None:
    """A repetition by the client could begin a second operation; a look may be repeated."""
    region: Any = moves_to(DEPLOYMENT)(EAST_REGION)
    reading, changing = (region._client("rds", changing=each).meta for each in (False, True))
    assert (reading.config.retries["total_max_attempts"], changing.config.retries["total_max_attempts"]) == (2, 1)
    assert (reading.config.read_timeout, changing.config.read_timeout) == (3, 30)
    assert "us-east-1" in changing.endpoint_url


def member(arn: str, **more: object) -> dict[str, object]:
    """Return a member of the global cluster, in RDS's form."""
    return {"DBClusterArn": arn, "SynchronizationStatus": "connected", **more}


def described(**more: object) -> dict[str, object]:
    """Return an answer of DescribeGlobalClusters."""
    members = [member(EAST_REGION.cluster_arn, IsWriter=True), member(WEST_REGION.cluster_arn, IsWriter=False)]
    return {"GlobalClusters": [{"Status": "available", "GlobalClusterMembers": members, **more}]}


def test_the_global_cluster_at_rest_and_in_an_operation(api: Stubbed) -> None:
    """Who is the writer, who is synchronized, and what is under way, whose status may be of either kind."""
    stub = api.stub("rds")
    stub.add_response("describe_global_clusters", described(FailoverState={}), {"GlobalClusterIdentifier": ANY})
    state = {"Status": "failing-over", "ToDbClusterArn": WEST_REGION.cluster_arn, "IsDataLossAllowed": True}
    stub.add_response("describe_global_clusters", described(FailoverState=state), {"GlobalClusterIdentifier": ANY})
    quiet, busy = api.read_global(), api.read_global()
    assert (quiet.writer_arn, quiet.operation) == (EAST_REGION.cluster_arn, None)
    assert quiet.synchronization == {region.cluster_arn: "connected" for region in DEPLOYMENT.regions}
    expected = MoveOperation(status="failing-over", target_arn=WEST_REGION.cluster_arn, allows_data_loss=True)
    assert (busy.operation, expected.label) == (expected, "failover")


def test_two_writers_are_none(api: Stubbed) -> None:
    """Nothing is moved while RDS names two."""
    members = [member(region.cluster_arn, IsWriter=True) for region in DEPLOYMENT.regions]
    api.stub("rds").add_response("describe_global_clusters", described(GlobalClusterMembers=members))
    assert api.read_global().writer_arn is None


def cluster(**more: object) -> dict[str, object]:
    """Return a cluster, in RDS's form."""
    return {
        "DBClusterIdentifier": LIVE,
        "DBClusterArn": WEST_REGION.cluster_arn,
        "Status": "available",
        "EngineVersion": "8.0.mysql_aurora.3.10.4",
        "StorageEncrypted": True,
        "Endpoint": "writer.eu-west-1",
        "DBSubnetGroup": "subnets",
        "DBClusterParameterGroup": "parameters",
        "KmsKeyId": "key",
        "Port": 3306,
        "IAMDatabaseAuthenticationEnabled": True,
        "DeletionProtection": False,
        "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1", "Status": "active"}],
        "EnabledCloudwatchLogsExports": ["audit", "error"],
        "EarliestRestorableTime": NOW - timedelta(days=7),
        "LatestRestorableTime": NOW,
        "TagList": [{"Key": "Environment", "Value": "dev"}],
        "DBClusterMembers": [{"DBInstanceIdentifier": f"{LIVE}-1", "IsClusterWriter": True}],
        **more,
    }


def test_a_cluster_is_read_with_the_settings_that_a_copy_is_restored_with(api: Stubbed) -> None:
    """In the words of RestoreDBClusterToPointInTime."""
    api.stub("rds").add_response(
        "describe_db_clusters", {"DBClusters": [cluster(BacktrackWindow=60)]}, {"DBClusterIdentifier": LIVE}
    )
    found = api.read_cluster(LIVE)
    assert found is not None
    assert found.settings == {
        "DBSubnetGroupName": "subnets",
        "DBClusterParameterGroupName": "parameters",
        "KmsKeyId": "key",
        "Port": 3306,
        "EnableIAMDatabaseAuthentication": True,
        "DeletionProtection": False,
        "VpcSecurityGroupIds": ["sg-1"],
        "EnableCloudwatchLogsExports": ["audit", "error"],
    }
    assert (found.tags, found.instance_ids) == ({"Environment": "dev"}, [f"{LIVE}-1"])
    assert (found.backtrack_window_seconds, found.is_encrypted) == (60, True)


def test_capacity_and_storage_are_the_copy_s_too(api: Stubbed) -> None:
    """A serverless cluster keeps its limits, without what only a description has; an I/O-optimised one its storage."""
    capacity = {"MinCapacity": 8.0, "MaxCapacity": 64.0, "SecondsUntilAutoPause": 300}
    found = cluster(ServerlessV2ScalingConfiguration=capacity, StorageType="aurora-iopt1")
    api.stub("rds").add_response("describe_db_clusters", {"DBClusters": [found]})
    read = api.read_cluster(LIVE)
    assert read is not None
    assert read.settings["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 8.0, "MaxCapacity": 64.0}
    assert read.settings["StorageType"] == "aurora-iopt1"


def test_a_cluster_that_is_not_there_is_none_and_no_error(api: Stubbed) -> None:
    """But any other error is one."""
    stub = api.stub("rds")
    stub.add_client_error("describe_db_clusters", "DBClusterNotFoundFault", http_status_code=404)
    stub.add_client_error("describe_db_clusters", "AccessDenied", http_status_code=403)
    assert api.read_cluster(LIVE) is None
    with pytest.raises(AwsError, match="AccessDenied"):
        api.read_cluster(LIVE)


def test_instances_are_those_of_the_cluster_and_the_writer_is_known(api: Stubbed) -> None:
    """With the settings that a copy's instance is created with."""
    stub = api.stub("rds")
    stub.add_response("describe_db_clusters", {"DBClusters": [cluster()]}, {"DBClusterIdentifier": LIVE})
    instances = [
        {
            "DBInstanceIdentifier": f"{LIVE}-{number}",
            "DBInstanceStatus": "available",
            "DBInstanceClass": "db.r6g.large",
            "MonitoringInterval": 60,
            "DBParameterGroups": [{"DBParameterGroupName": "instance"}],
        }
        for number in (1, 2)
    ]
    stub.add_response(
        "describe_db_instances",
        {"DBInstances": instances},
        {"Filters": [{"Name": "db-cluster-id", "Values": [LIVE]}]},
    )
    first, second = api.read_instances(LIVE)
    assert (first.is_writer, second.is_writer) == (True, False)
    assert first.settings == {
        "DBInstanceClass": "db.r6g.large",
        "MonitoringInterval": 60,
        "DBParameterGroupName": "instance",
    }


GLOBAL: dict[str, object] = {"GlobalClusterIdentifier": GLOBAL_CLUSTER, "TargetDbClusterIdentifier": "arn"}
ACTS: list[tuple[str, dict[str, object], Callable[[AwsMoveApi], object], dict[str, object]]] = [
    ("switchover_global_cluster", GLOBAL, lambda api: api.switch_over("arn"), {}),
    ("failover_global_cluster", {**GLOBAL, "AllowDataLoss": True}, lambda api: api.fail_over("arn"), {}),
    (
        "restore_db_cluster_to_point_in_time",
        {
            "SourceDBClusterIdentifier": LIVE,
            "DBClusterIdentifier": "copy",
            "RestoreType": "full-copy",
            "RestoreToTime": NOW,
            "KmsKeyId": "key",
        },
        lambda api: api.restore(LIVE, "copy", NOW, {"KmsKeyId": "key"}),
        {},
    ),
    (
        "create_db_instance",
        {
            "DBClusterIdentifier": "copy",
            "DBInstanceIdentifier": "copy-1",
            "Engine": "aurora-mysql",
            "DBInstanceClass": "db.r6g.large",
        },
        lambda api: api.create_instance("copy", "copy-1", {"DBInstanceClass": "db.r6g.large"}),
        {},
    ),
    (
        "modify_db_cluster",
        {"DBClusterIdentifier": "copy", "DeletionProtection": False, "ApplyImmediately": True},
        lambda api: api.unprotect("copy"),
        {},
    ),
    ("delete_db_instance", {"DBInstanceIdentifier": "copy-1"}, lambda api: api.delete_instance("copy-1"), {}),
    (
        "delete_db_cluster",
        {"DBClusterIdentifier": "copy", "SkipFinalSnapshot": True},
        lambda api: api.delete_cluster("copy"),
        {},
    ),
    (
        "backtrack_db_cluster",
        {"DBClusterIdentifier": LIVE, "BacktrackTo": NOW},
        lambda api: api.backtrack(LIVE, NOW),
        {"BacktrackIdentifier": "b-1"},
    ),
]


@pytest.mark.parametrize(("operation", "sent", "act", "answer"), ACTS, ids=[each[0] for each in ACTS])
def test_what_is_sent_and_what_a_no_and_a_fault_become(
    api: Stubbed,
    operation: str,
    sent: dict[str, object],
    act: Callable[[AwsMoveApi], object],
    answer: dict[str, object],
) -> None:
    """Exactly these parameters; a client's error is a clear no, a server's says nothing of what was begun."""
    stub = api.stub("rds", changing=True)
    stub.add_response(operation, answer, sent)
    act(api)
    stub.add_client_error(operation, "InvalidDBClusterStateFault", "busy", http_status_code=400)
    with pytest.raises(AwsRefusedError, match="RDS API of eu-west-1: InvalidDBClusterStateFault: busy"):
        act(api)
    stub.add_client_error(operation, "InternalFailure", http_status_code=500)
    with pytest.raises(AwsError) as caught:
        act(api)
    assert not isinstance(caught.value, AwsRefusedError)
    stub.assert_no_pending_responses()


def test_no_answer_is_no_refusal(api: Stubbed) -> None:
    """It may have begun."""
    events: Any = api._client("rds", changing=True).meta.events

    def fail(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://rds")

    events.register("before-send", fail)
    with pytest.raises(AwsError) as caught:
        api.switch_over("arn")
    assert not isinstance(caught.value, AwsRefusedError)


def test_a_backtrack_s_status(api: Stubbed) -> None:
    """By its identifier."""
    api.stub("rds").add_response(
        "describe_db_cluster_backtracks",
        {"DBClusterBacktracks": [{"BacktrackIdentifier": "b-1", "Status": "completed"}]},
        {"DBClusterIdentifier": LIVE, "BacktrackIdentifier": "b-1"},
    )
    assert api.backtrack_status(LIVE, "b-1") == "completed"


def answered(body: object, **more: object) -> dict[str, object]:
    """Return an answer of Lambda's Invoke."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(raw), len(raw)), **more}


def test_a_probe_that_committed_a_heartbeat_takes_writes(api: Stubbed) -> None:
    """Asked by name about one endpoint; read-only, or unreachable, takes none."""
    asked = {"cluster": LIVE, "region": "eu-west-1", "host": "writer", "port": 3306}
    stub = api.stub("lambda")
    payload = json.dumps({"targets": [asked], "deadline_ms": 2500}).encode()
    good = {"cluster": LIVE, "reachable": True, "failure": None, "read_only": False, "heartbeat_at": NOW.isoformat()}
    for change in ({}, {"read_only": True}, {"reachable": False, "failure": "timeout"}):
        answer = answered({"probes": [{**good, **change}]})
        stub.add_response("invoke", answer, {"FunctionName": "health-check", "Payload": payload})
    found = [api.probe(TARGET) for _ in range(3)]
    assert [each.takes_writes for each in found] == [True, False, False]
    assert [each.is_alive for each in found] == [True, True, False]
    assert found[2].problem == "timeout"


@pytest.mark.parametrize(
    "answer",
    [answered({"errorMessage": "no"}, FunctionError="Unhandled"), answered(b"nonsense"), answered({"probes": "x"})],
)
def test_a_probe_that_can_t_be_understood_is_an_error(api: Stubbed, answer: dict[str, object]) -> None:
    """Never an answer about the database."""
    api.stub("lambda").add_response("invoke", answer)
    with pytest.raises(AwsError, match="health-check in eu-west-1"):
        api.probe(TARGET)


def test_the_role_s_newest_value_counts(api: Stubbed) -> None:
    """By the statistic and the period that DNS follows, from the minute on in which the move was begun."""
    points = [
        {"Timestamp": datetime(2026, 11, 24, 12, minute, tzinfo=UTC), "Maximum": value}
        for minute, value in ((2, 0.0), (1, 1.0))
    ]
    stub = api.stub("cloudwatch")
    stub.add_response(
        "get_metric_statistics",
        {"Datapoints": points},
        {
            "Namespace": "AuroraFailover",
            "MetricName": "WriterRole",
            "Dimensions": [{"Name": "GlobalCluster", "Value": GLOBAL_CLUSTER}],
            "StartTime": NOW - timedelta(seconds=60),
            "EndTime": NOW + timedelta(days=1),
            "Period": 60,
            "Statistics": ["Maximum"],
        },
    )
    stub.add_response("get_metric_statistics", {"Datapoints": []})
    assert api.writer_role(NOW) == 0.0
    assert api.writer_role(NOW) is None


def test_the_metric_is_the_controller_s_own() -> None:
    """The namespace and the name are written twice, for the functions ship alone: they must agree."""
    from components.alarms import WRITER_ROLE as ALARM
    from components.failover_controller import METRIC_NAMESPACE as DEPLOYED
    from operations.aws.move_api import METRIC_NAMESPACE, WRITER_ROLE

    assert (DEPLOYED, ALARM.metric, ALARM.statistic) == (METRIC_NAMESPACE, WRITER_ROLE, "Maximum")
