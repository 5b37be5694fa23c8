"""Adapters to AWS: requests, answers and errors."""

import io
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from botocore.response import StreamingBody
from botocore.stub import Stubber

from functions.failover_controller.aws import (
    CloudWatchMetrics,
    DynamoDb,
    LambdaHealthChecks,
    RdsApi,
    SnsTopic,
    make_clients,
)
from functions.failover_controller.model import Action, Notice, Reason
from functions.failover_controller.ports import (
    CallNotSentError,
    CallRefusedError,
    CallUncertainError,
    SilentError,
    StateConflictError,
    UnavailableError,
    UnusableError,
)
from tests.support.failover_controller.builders import NOW, OWN_ARN, config

URL = "https://aws.invalid"
SILENT = [
    ConnectTimeoutError(endpoint_url=URL),
    ReadTimeoutError(endpoint_url=URL),
    EndpointConnectionError(endpoint_url=URL),
    ConnectionClosedError(endpoint_url=URL),
]


def client(service: str) -> Any:
    """Return a client of an endpoint that does not exist."""
    return boto3.client(service, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def rds() -> Iterator[tuple[RdsApi, Stubber]]:
    """The RDS adapter and its stub."""
    api = client("rds")
    with Stubber(api) as stub:
        yield RdsApi(api, api, global_cluster_id="payments-global-dev", cluster_id="payments-eu-west-1-dev"), stub


@pytest.fixture
def table() -> Iterator[tuple[DynamoDb, Stubber]]:
    """The table adapter and its stub."""
    api = client("dynamodb")
    with Stubber(api) as stub:
        yield DynamoDb(api, "payments-failover-dev"), stub


class Raising:
    """A client whose calls all raise one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def call(**_: object) -> None:
            raise self._error

        return call


class ClosedConnection:
    """A client whose first call fails because the connection was closed."""

    def __init__(self, answer: object) -> None:
        self.answers: list[object] = [ConnectionClosedError(endpoint_url=URL), answer]

    def __getattr__(self, name: str) -> Any:
        def call(**_: object) -> object:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def body(content: bytes) -> StreamingBody:
    """Return a payload in boto3's form."""
    return StreamingBody(io.BytesIO(content), len(content))


def invoked(response: dict[str, Any]) -> object:
    """Return the adapter's result of an invocation."""
    api = client("lambda")
    with Stubber(api) as stub:
        stub.add_response(
            "invoke", response, {"FunctionName": "payments-health-check-dev", "Payload": b'{"targets": []}'}
        )
        return LambdaHealthChecks(api, None, "payments-health-check-dev").ask_own({"targets": []})


def test_health_check_is_invoked_by_name() -> None:
    """The parsed JSON answer is returned."""
    assert invoked({"Payload": body(b'{"probes": []}')}) == {"probes": []}


@pytest.mark.parametrize(
    "response",
    [
        {"Payload": body(b'{"errorMessage": "Task timed out"}'), "FunctionError": "Unhandled"},
        {"Payload": body(b"<html>")},
    ],
)
def test_failed_function_or_malformed_answer_is_unusable(response: dict[str, Any]) -> None:
    """A region that returns any answer is not silent."""
    with pytest.raises(UnusableError):
        invoked(response)


def test_read_is_repeated_once_after_a_closed_connection() -> None:
    """AWS closes idle connections while an execution environment is frozen."""
    checks = LambdaHealthChecks(None, ClosedConnection({"Payload": body(b"{}")}), "f")
    names = {"global_cluster_id": "g", "cluster_id": "c"}
    clusters = (
        RdsApi(ClosedConnection({"GlobalClusters": ["g"]}), None, **names),
        RdsApi(ClosedConnection({"DBClusters": ["c"]}), None, **names),
    )
    observations = (
        checks.ask_peer({}),
        clusters[0].read_global_cluster(),
        clusters[1].read_own_cluster(),
        DynamoDb(ClosedConnection({}), "t").read([("lease", "current")]),
    )
    assert ({}, "g", "c", {("lease", "current"): None}) == observations


def test_write_is_not_repeated_after_a_closed_connection() -> None:
    """The first call may have arrived."""
    api, table = ClosedConnection({}), ClosedConnection({})
    with pytest.raises(CallUncertainError):
        RdsApi(None, api, global_cluster_id="g", cluster_id="c").fail_over(OWN_ARN)
    with pytest.raises(UnavailableError):
        DynamoDb(table, "t").write(("state", "current"), {})
    assert ([{}], [{}]) == (api.answers, table.answers)


@pytest.mark.parametrize("error", SILENT)
def test_missing_answer_is_silent(error: Exception) -> None:
    """Time-outs and failed connections raise SilentError."""
    checks = LambdaHealthChecks(None, Raising(error), "f")
    with pytest.raises(SilentError):
        checks.ask_peer({})


@pytest.mark.parametrize("error", [SSLError(endpoint_url=URL, error="garbage"), NoCredentialsError()])
def test_local_error_or_tls_error_is_unusable(error: Exception) -> None:
    """A local error or a TLS error is no evidence of a silent region."""
    with pytest.raises(UnusableError):
        LambdaHealthChecks(None, Raising(error), "f").ask_peer({})


@pytest.mark.parametrize(
    ("code", "status"), [("TooManyRequestsException", 429), ("AccessDeniedException", 403), ("ServiceException", 500)]
)
def test_api_error_of_the_other_region_is_unusable(code: str, status: int) -> None:
    """A throttled, denied or failed call got an answer."""
    api = client("lambda")
    with Stubber(api) as stub:
        stub.add_client_error("invoke", code, http_status_code=status)
        with pytest.raises(UnusableError, match=code):
            LambdaHealthChecks(None, api, "f").ask_peer({})


def test_clusters_are_described_by_id(rds: tuple[RdsApi, Stubber]) -> None:
    """One global cluster and one own cluster."""
    api, stub = rds
    stub.add_response(
        "describe_global_clusters",
        {"GlobalClusters": [{"GlobalClusterIdentifier": "g"}]},
        {"GlobalClusterIdentifier": "payments-global-dev"},
    )
    stub.add_response(
        "describe_db_clusters",
        {"DBClusters": [{"Status": "available"}]},
        {"DBClusterIdentifier": "payments-eu-west-1-dev"},
    )
    assert api.read_global_cluster() == {"GlobalClusterIdentifier": "g"}
    assert api.read_own_cluster() == {"Status": "available"}


@pytest.mark.parametrize("found", [[], [{}, {}]])
def test_none_or_two_clusters_are_unusable(rds: tuple[RdsApi, Stubber], found: list[dict[str, str]]) -> None:
    """Exactly one cluster is expected."""
    api, stub = rds
    stub.add_response("describe_global_clusters", {"GlobalClusters": found})
    with pytest.raises(UnusableError, match="malformed"):
        api.read_global_cluster()
    stub.add_response("describe_db_clusters", {})
    with pytest.raises(UnusableError, match="malformed"):
        api.read_own_cluster()


def test_throttled_description_is_unusable(rds: tuple[RdsApi, Stubber]) -> None:
    """A throttled read is not retried within the cycle."""
    api, stub = rds
    stub.add_client_error("describe_global_clusters", "Throttling", http_status_code=400)
    stub.add_client_error("describe_db_clusters", "Throttling", http_status_code=400)
    for read in (api.read_global_cluster, api.read_own_cluster):
        with pytest.raises(UnusableError, match="Throttling"):
            read()


def test_failover_allows_data_loss_and_names_its_target(rds: tuple[RdsApi, Stubber]) -> None:
    """RDS treats a call without AllowDataLoss as a switchover."""
    api, stub = rds
    expected = {
        "GlobalClusterIdentifier": "payments-global-dev",
        "TargetDbClusterIdentifier": OWN_ARN,
        "AllowDataLoss": True,
    }
    stub.add_response("failover_global_cluster", {}, expected)
    api.fail_over(OWN_ARN)
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("InvalidGlobalClusterStateFault", 400, CallRefusedError),
        ("DBClusterNotFoundFault", 404, CallRefusedError),
        ("AccessDenied", 403, CallRefusedError),
        ("Throttling", 400, CallNotSentError),
        ("RequestLimitExceeded", 503, CallNotSentError),
        ("InternalFailure", 500, CallUncertainError),
        ("ServiceUnavailable", 503, CallUncertainError),
    ],
)
def test_call_errors_are_classified_by_their_effect(
    rds: tuple[RdsApi, Stubber], code: str, status: int, expected: type[Exception]
) -> None:
    """Refused and throttled calls have no effect; an internal error is uncertain."""
    api, stub = rds
    stub.add_client_error("failover_global_cluster", code, http_status_code=status)
    with pytest.raises(expected, match=code):
        api.fail_over(OWN_ARN)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectTimeoutError(endpoint_url=URL), CallNotSentError),
        (EndpointConnectionError(endpoint_url=URL), CallNotSentError),
        (NoCredentialsError(), CallNotSentError),
        (ReadTimeoutError(endpoint_url=URL), CallUncertainError),
        (ConnectionClosedError(endpoint_url=URL), CallUncertainError),
    ],
)
def test_call_without_an_answer(error: Exception, expected: type[Exception]) -> None:
    """A call without a connection was not sent. A call that times out on a connection has an uncertain effect."""
    with pytest.raises(expected):
        RdsApi(None, Raising(error), global_cluster_id="g", cluster_id="c").fail_over(OWN_ARN)


def test_notice_is_published_with_its_reason_as_subject() -> None:
    """A subject has at most 100 characters."""
    api = client("sns")
    notice = Notice(id="n", at=NOW, reason=Reason.REGION_LOST, action=Action.NOTIFY, line="{}")
    name = "g" * 120
    expected = {"TopicArn": "arn:topic", "Subject": f"[region-lost] {name}"[:100], "Message": "{}"}
    topic = SnsTopic(api, topic_arn="arn:topic", global_cluster_id=name)
    with Stubber(api) as stub:
        stub.add_response("publish", {"MessageId": "m"}, expected)
        topic.publish(notice)
        stub.add_client_error("publish", "InternalError", http_status_code=500)
        with pytest.raises(UnavailableError):
            topic.publish(notice)


def test_metrics_are_put_in_one_call_with_one_dimension() -> None:
    """The dimension is the global cluster."""
    api = client("cloudwatch")
    dimensions = [{"Name": "GlobalCluster", "Value": "g"}]
    data = [{"MetricName": "Cycles", "Dimensions": dimensions, "Value": 1.0, "Unit": "Count"}]
    metrics = CloudWatchMetrics(api, namespace="AuroraFailover", global_cluster_id="g")
    with Stubber(api) as stub:
        stub.add_response("put_metric_data", {}, {"Namespace": "AuroraFailover", "MetricData": data})
        metrics.put({"Cycles": (1.0, "Count")})
        stub.add_client_error("put_metric_data", "InternalServiceFault", http_status_code=500)
        with pytest.raises(UnavailableError):
            metrics.put({"Cycles": (1.0, "Count")})


def test_items_are_read_consistently_and_in_one_batch(table: tuple[DynamoDb, Stubber]) -> None:
    """Found, absent and unprocessed items are distinguished."""
    adapter, stub = table
    keys = [("state", "current"), ("switch", "current"), ("lock", "current")]
    raw = [{"item": {"S": item}, "sort": {"S": sort}} for item, sort in keys]
    stub.add_response(
        "batch_get_item",
        {
            "Responses": {"payments-failover-dev": [{**raw[0], "version": {"N": "7"}}]},
            "UnprocessedKeys": {"payments-failover-dev": {"Keys": [raw[2]]}},
        },
        {"RequestItems": {"payments-failover-dev": {"Keys": raw, "ConsistentRead": True}}},
    )
    found = adapter.read(keys)
    assert {keys[0]: {"item": "state", "sort": "current", "version": 7}, keys[1]: None} == found


def test_conditional_write_uses_placeholders(table: tuple[DynamoDb, Stubber]) -> None:
    """Placeholders allow reserved words as attribute names."""
    adapter, stub = table
    expected = {
        "TableName": "payments-failover-dev",
        "Item": {"item": {"S": "lock"}, "sort": {"S": "current"}, "until": {"N": "5"}},
        "ConditionExpression": "attribute_not_exists(#item) OR #until < :now OR #holder = :holder",
        "ExpressionAttributeNames": {"#holder": "holder", "#item": "item", "#until": "until"},
        "ExpressionAttributeValues": {":now": {"N": "1"}, ":holder": {"S": "me"}},
    }
    stub.add_response("put_item", {}, expected)
    condition = "attribute_not_exists(#item) OR #until < :now OR #holder = :holder"
    adapter.write(("lock", "current"), {"until": 5}, condition=condition, values={"now": 1, "holder": "me"})
    stub.add_response(
        "put_item", {}, {"TableName": "payments-failover-dev", "Item": {"item": {"S": "a"}, "sort": {"S": "b"}}}
    )
    adapter.write(("a", "b"), {})
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ConditionalCheckFailedException", StateConflictError),
        ("ProvisionedThroughputExceededException", UnavailableError),
    ],
)
def test_conflict_is_distinguished_from_a_failed_write(
    table: tuple[DynamoDb, Stubber], code: str, expected: type[Exception]
) -> None:
    """A failed write may have taken effect."""
    adapter, stub = table
    stub.add_client_error("put_item", code, http_status_code=400)
    with pytest.raises(expected):
        adapter.write(("state", "current"), {"version": 1}, condition="attribute_not_exists(#item)")


def test_unreachable_table_is_unavailable() -> None:
    """Reads and writes raise UnavailableError."""
    adapter = DynamoDb(Raising(ReadTimeoutError(endpoint_url=URL)), "t")
    with pytest.raises(UnavailableError):
        adapter.read([("state", "current")])
    with pytest.raises(UnavailableError):
        adapter.write(("state", "current"), {})


def test_clients_have_time_limits_and_few_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Observing: the deadline and one attempt. Failing over: 10 s and one. Reporting: 2 s and two."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    clients = make_clients(config(INTERVAL_SECONDS="2"))
    limits = {
        name: (
            api.meta.config.connect_timeout,
            api.meta.config.read_timeout,
            api.meta.config.retries["total_max_attempts"],
            api.meta.region_name,
        )
        for name, api in vars(clients).items()
    }
    assert limits == {
        "own_lambda": (0.7, 0.7, 1, "eu-west-1"),
        "peer_lambda": (0.7, 0.7, 1, "us-east-1"),
        "rds": (0.7, 0.7, 1, "eu-west-1"),
        "rds_call": (10, 10, 1, "eu-west-1"),
        "dynamodb": (1.0, 1.0, 1, "eu-west-1"),
        "sns": (2, 2, 2, "eu-west-1"),
        "cloudwatch": (2, 2, 2, "eu-west-1"),
    }
