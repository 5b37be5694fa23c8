"""Tests of the API of the changing commands with botocore's stub: requests, retries, answers and errors."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.session import Session
from botocore.exceptions import ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from operations.aws.clients import Clients
from operations.aws.move_api import AwsMoveApi
from operations.aws.move_ports import AwsRefusedError, MoveOperation, ProbeTarget
from operations.support.errors import AwsError
from tests.support.operations.fakes import DEPLOYMENT, EAST_REGION, GLOBAL_CLUSTER, NOW, WEST_REGION

pytestmark = pytest.mark.slow

LIVE = "payments-eu-west-1-dev"
TARGET = ProbeTarget(function_name="health-check", cluster_id=LIVE, region="eu-west-1", host="writer", port=3306)


class Stubbed(AwsMoveApi):
    """The adapter of the standby region, with a stub on each of its clients."""

    def __init__(self) -> None:
        session = Session(aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="secret", region_name="us-east-1")
        super().__init__(Clients(session), DEPLOYMENT.global_cluster_id, WEST_REGION)

    def stub(self, service: str, *, changing: bool = False) -> Stubber:
        """Return the stub of one client, in force."""
        stubber = Stubber(self._client(service, changing=changing))
        stubber.activate()
        return stubber


@pytest.fixture
def api() -> Stubbed:
    """The adapter of eu-west-1."""
    return Stubbed()


def test_changing_call_is_sent_once_with_a_longer_timeout() -> None:
    """A retry by the client could start a second operation; reads may be retried."""
    region: Any = AwsMoveApi(Clients(), DEPLOYMENT.global_cluster_id, EAST_REGION)
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


def test_read_global_with_and_without_an_operation(api: Stubbed) -> None:
    """The result has the writer, the synchronization and the operation in progress, a switchover or a failover."""
    stub = api.stub("rds")
    stub.add_response("describe_global_clusters", described(FailoverState={}), {"GlobalClusterIdentifier": ANY})
    state = {"Status": "failing-over", "ToDbClusterArn": WEST_REGION.cluster_arn, "IsDataLossAllowed": True}
    stub.add_response("describe_global_clusters", described(FailoverState=state), {"GlobalClusterIdentifier": ANY})
    quiet, busy = api.read_global(), api.read_global()
    assert (quiet.writer_arn, quiet.operation) == (EAST_REGION.cluster_arn, None)
    assert quiet.synchronization == {region.cluster_arn: "connected" for region in DEPLOYMENT.regions}
    expected = MoveOperation(status="failing-over", target_arn=WEST_REGION.cluster_arn, allows_data_loss=True)
    assert (busy.operation, expected.label) == (expected, "failover")


def test_two_writers_are_read_as_unknown(api: Stubbed) -> None:
    """No operation starts while RDS names two writers."""
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


def test_read_cluster_returns_the_settings_of_a_restore(api: Stubbed) -> None:
    """The settings have the parameter names of RestoreDBClusterToPointInTime."""
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


def test_restore_settings_have_capacity_and_storage_type(api: Stubbed) -> None:
    """The capacity limits have only the keys that a restore accepts."""
    capacity = {"MinCapacity": 8.0, "MaxCapacity": 64.0, "SecondsUntilAutoPause": 300}
    found = cluster(ServerlessV2ScalingConfiguration=capacity, StorageType="aurora-iopt1")
    api.stub("rds").add_response("describe_db_clusters", {"DBClusters": [found]})
    read = api.read_cluster(LIVE)
    assert read is not None
    assert read.settings["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 8.0, "MaxCapacity": 64.0}
    assert read.settings["StorageType"] == "aurora-iopt1"


def test_missing_cluster_is_read_as_none(api: Stubbed) -> None:
    """Any other error is raised."""
    stub = api.stub("rds")
    stub.add_client_error("describe_db_clusters", "DBClusterNotFoundFault", http_status_code=404)
    stub.add_client_error("describe_db_clusters", "AccessDenied", http_status_code=403)
    assert api.read_cluster(LIVE) is None
    with pytest.raises(AwsError, match="AccessDenied"):
        api.read_cluster(LIVE)


def test_read_instances_marks_the_writer(api: Stubbed) -> None:
    """Each instance has the settings that an instance of a copy is created with."""
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
def test_changing_call_parameters_and_errors(
    api: Stubbed,
    operation: str,
    sent: dict[str, object],
    act: Callable[[AwsMoveApi], object],
    answer: dict[str, object],
) -> None:
    """Each call sends exactly these parameters; a 4xx is AwsRefusedError, a 5xx is AwsError because the outcome is unknown."""
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


def test_timeout_is_not_a_refusal(api: Stubbed) -> None:
    """The operation may have started."""
    events: Any = api._client("rds", changing=True).meta.events

    def fail(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://rds")

    events.register("before-send", fail)
    with pytest.raises(AwsError) as caught:
        api.switch_over("arn")
    assert not isinstance(caught.value, AwsRefusedError)


def test_backtrack_status_is_read_by_identifier(api: Stubbed) -> None:
    """The request names the cluster and the backtrack."""
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


def test_probe_takes_writes_only_if_writable_and_reachable(api: Stubbed) -> None:
    """The request names one endpoint; a read-only or unreachable database takes no writes."""
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
def test_malformed_probe_answer_is_an_error(api: Stubbed, answer: dict[str, object]) -> None:
    """The answer of a failed function does not describe the database."""
    api.stub("lambda").add_response("invoke", answer)
    with pytest.raises(AwsError, match="health-check in eu-west-1"):
        api.probe(TARGET)


def test_writer_role_is_the_newest_value(api: Stubbed) -> None:
    """The query has the statistic and period of the DNS alarm, from the minute in which the operation started."""
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


def test_metric_names_match_the_program() -> None:
    """The functions are deployed alone, so the namespace and the name are defined twice and must agree."""
    from components.alarms import WRITER_ROLE as ALARM
    from components.failover_controller import METRIC_NAMESPACE as DEPLOYED
    from operations.aws.move_api import METRIC_NAMESPACE, WRITER_ROLE

    assert (DEPLOYED, ALARM.metric, ALARM.statistic) == (METRIC_NAMESPACE, WRITER_ROLE, "Maximum")
