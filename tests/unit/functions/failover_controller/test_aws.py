"""Adapters to AWS: requests, answers and errors."""

import errno
import io
import socket
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
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
    CheckFailedError,
    SilentError,
    StateConflictError,
    UnavailableError,
    UnusableError,
)
from functions.failover_controller.store import ItemCheck, TableStore
from tests.support.failover_controller.builders import NOW, OWN_ARN, config
from tests.support.ports import reserve_port

NAMES = {"global_cluster_id": "g", "cluster_id": "c", "peer_cluster_id": "p"}
URL = "https://aws.invalid"


def unconnected(cause: OSError | None) -> EndpointConnectionError:
    """Return botocore's error for a connection that failed; urllib3's error is in between."""
    wrapped = RuntimeError("Failed to establish a new connection")
    wrapped.__cause__ = cause
    return EndpointConnectionError(endpoint_url=URL, error=wrapped)


SILENT = [
    ConnectTimeoutError(endpoint_url=URL),
    ReadTimeoutError(endpoint_url=URL),
    unconnected(OSError(errno.EHOSTUNREACH, "No route to host")),
    unconnected(OSError(errno.ENETUNREACH, "Network is unreachable")),
]
ANSWERED = [
    unconnected(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")),
    unconnected(socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
    unconnected(None),
    EndpointConnectionError(endpoint_url=URL),
    ConnectionClosedError(endpoint_url=URL),
    SSLError(endpoint_url=URL, error="garbage"),
    NoCredentialsError(),
]


def client(service: str) -> Any:
    """Return a client of an endpoint that does not exist."""
    return boto3.client(service, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")


@pytest.fixture
def rds() -> Iterator[tuple[RdsApi, Stubber]]:
    """The RDS adapter and its stub."""
    api = client("rds")
    with Stubber(api) as stub:
        names = {"global_cluster_id": "payments-global-dev", "peer_cluster_id": "payments-us-east-1-dev"}
        yield RdsApi(api, api, api, cluster_id="payments-eu-west-1-dev", **names), stub


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
    names = NAMES
    clusters = (
        RdsApi(ClosedConnection({"GlobalClusters": ["g"]}), None, None, **names),
        RdsApi(ClosedConnection({"DBClusters": ["c"]}), ClosedConnection({"DBClusters": ["p"]}), None, **names),
    )
    observations = (
        checks.ask_peer({}),
        clusters[0].read_global_cluster(),
        clusters[1].read_own_cluster(),
        clusters[1].read_peer_cluster(),
        DynamoDb(ClosedConnection({}), "t").read([("lease", "current")]),
    )
    assert ({}, "g", "c", "p", {("lease", "current"): None}) == observations


def test_write_is_not_repeated_after_a_closed_connection() -> None:
    """The first call may have arrived."""
    api, table = ClosedConnection({}), ClosedConnection({})
    with pytest.raises(CallUncertainError):
        RdsApi(None, None, api, **NAMES).fail_over(OWN_ARN)
    with pytest.raises(UnavailableError):
        DynamoDb(table, "t").write(("state", "current"), {})
    assert ([{}], [{}]) == (api.answers, table.answers)


def outcomes(*answers: object) -> list[type[Exception] | None]:
    """Return the errors of consecutive calls of both peer paths that get these answers, which must be the same."""

    class Scripted:
        """A client with prepared answers."""

        def __init__(self, form: Callable[[], dict[str, Any]]) -> None:
            self._answers = list(answers)
            self._form = form

        def __getattr__(self, name: str) -> Any:
            def call(**_: object) -> object:
                answer = self._answers.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return self._form()

            return call

    checks = LambdaHealthChecks(None, Scripted(lambda: {"Payload": body(b"{}")}), "f")
    rds = RdsApi(None, Scripted(lambda: {"DBClusters": [{}]}), None, **NAMES)
    found: list[list[type[Exception] | None]] = []
    for ask in (lambda: checks.ask_peer({}), rds.read_peer_cluster):
        errors: list[type[Exception] | None] = []
        for _ in answers:
            try:
                ask()
                errors.append(None)
            except (SilentError, UnusableError) as error:
                errors.append(type(error))
        found.append(errors)
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("error", SILENT)
def test_missing_answer_is_silent(error: Exception) -> None:
    """Time-outs on an open connection and connections without a host raise SilentError."""
    assert outcomes("answer", error) == [None, SilentError]


def test_missing_answer_on_a_new_connection_is_unusable() -> None:
    """TLS succeeded, so servers of the region run. In a lost region the next connection reaches no host."""
    late, gone = ReadTimeoutError(endpoint_url=URL), ConnectTimeoutError(endpoint_url=URL)
    assert outcomes(late, late) == [UnusableError, UnusableError]
    assert outcomes("answer", late, late, gone) == [None, SilentError, UnusableError, SilentError]
    denied = ClientError({"Error": {"Code": "AccessDenied"}}, "Invoke")
    assert outcomes(denied, late) == [UnusableError, SilentError]
    refused = EndpointConnectionError(endpoint_url=URL)
    assert outcomes(refused, late) == [UnusableError, UnusableError]


def test_missing_answer_without_tls_is_silent() -> None:
    """A kernel or a proxy accepts connections for a server that does not run."""
    assert outcomes(ReadTimeoutError(endpoint_url="http://127.0.0.1:1")) == [SilentError]


@pytest.mark.parametrize("error", ANSWERED)
def test_refused_or_local_error_is_unusable(error: Exception) -> None:
    """A refused, reset or closed connection is an answer; a local error is no evidence of a silent region."""
    with pytest.raises(UnusableError):
        LambdaHealthChecks(None, Raising(error), "f").ask_peer({})


class Cut(StreamingBody):
    """A payload whose connection fails after the headers."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, amt: int | None = None) -> bytes:
        """Raise the error."""
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        IncompleteReadError(actual_bytes=3, expected_bytes=9),
        ResponseStreamingError(error="broken"),
        ReadTimeoutError(endpoint_url=URL),
    ],
)
def test_half_an_answer_is_unusable(error: Exception) -> None:
    """The region sent the headers."""
    with pytest.raises(UnusableError):
        invoked({"Payload": Cut(error)})


def ask_peer_at(port: int) -> None:
    """Ask the other region's health check through botocore and urllib3, at a port of this machine."""
    settings = Config(connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 1})
    names = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    api = boto3.client("lambda", endpoint_url=f"http://127.0.0.1:{port}", config=settings, **names)
    LambdaHealthChecks(None, api, "f").ask_peer({})


def test_real_refusal_is_unusable() -> None:
    """A closed port."""
    with reserve_port() as reserved, pytest.raises(UnusableError):
        ask_peer_at(reserved.getsockname()[1])


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        b"HTTP/1.1 503 Slow\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_real_answers_are_unusable(raw_server: Callable[[Callable[[socket.socket], None]], Any], answer: bytes) -> None:
    """A connection that is closed, half a body and an error."""

    def behave(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    with pytest.raises(UnusableError):
        ask_peer_at(raw_server(behave).port)


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
    """The global cluster, the own cluster and the other region's cluster."""
    api, stub = rds
    stub.add_response(
        "describe_global_clusters",
        {"GlobalClusters": [{"GlobalClusterIdentifier": "g"}]},
        {"GlobalClusterIdentifier": "payments-global-dev"},
    )
    for cluster_id in ("payments-eu-west-1-dev", "payments-us-east-1-dev"):
        stub.add_response(
            "describe_db_clusters", {"DBClusters": [{"Status": cluster_id}]}, {"DBClusterIdentifier": cluster_id}
        )
    assert api.read_global_cluster() == {"GlobalClusterIdentifier": "g"}
    assert api.read_own_cluster() == {"Status": "payments-eu-west-1-dev"}
    assert api.read_peer_cluster() == {"Status": "payments-us-east-1-dev"}


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
        RdsApi(None, None, Raising(error), **NAMES).fail_over(OWN_ARN)


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


@pytest.mark.parametrize(
    ("item", "attribute"),
    [("state", "writer"), ("switch", "armed"), ("lease", "holder"), ("lock", "until"), ("approval", "approved")],
)
def test_unreadable_attribute_affects_its_item_only(table: tuple[DynamoDb, Stubber], item: str, attribute: str) -> None:
    """Someone set a string set by hand; the other items are read as usual."""
    adapter, stub = table
    items: dict[str, dict[str, Any]] = {
        "state": {"version": {"N": "7"}},
        "lease": {"holder": {"S": "a"}, "version": {"N": "1"}},
        "lock": {"holder": {"S": "a"}, "until": {"N": "0"}},
        "switch": {"armed": {"BOOL": True}},
        "approval": {"approved": {"BOOL": True}},
    }
    items[item][attribute] = {"SS": ["x"]}
    raw = [
        {"item": {"S": name}, "sort": {"S": "ask-1" if name == "approval" else "current"}, **attributes}
        for name, attributes in items.items()
    ]
    stub.add_response("batch_get_item", {"Responses": {"payments-failover-dev": raw}})
    records = TableStore(adapter).read("ask-1")
    assert (list(records.failures), attribute in records.failures[item]) == ([item], True)


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


CHECK = ItemCheck(
    key=("switch", "current"), condition="attribute_not_exists(#item) OR #armed = :armed", values={"armed": True}
)


def test_write_with_a_check_is_one_transaction(table: tuple[DynamoDb, Stubber]) -> None:
    """The item is put only if the condition on the other item holds."""
    adapter, stub = table
    put = {
        "TableName": "payments-failover-dev",
        "Item": {"item": {"S": "state"}, "sort": {"S": "current"}, "version": {"N": "2"}},
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":version": {"N": "1"}},
    }
    check = {
        "TableName": "payments-failover-dev",
        "Key": {"item": {"S": "switch"}, "sort": {"S": "current"}},
        "ConditionExpression": "attribute_not_exists(#item) OR #armed = :armed",
        "ExpressionAttributeNames": {"#armed": "armed", "#item": "item"},
        "ExpressionAttributeValues": {":armed": {"BOOL": True}},
    }
    stub.add_response("transact_write_items", {}, {"TransactItems": [{"Put": put}, {"ConditionCheck": check}]})
    adapter.write(
        ("state", "current"), {"version": 2}, condition="#version = :version", values={"version": 1}, check=CHECK
    )
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (["None", "ConditionalCheckFailed"], CheckFailedError),
        (["ConditionalCheckFailed", "None"], StateConflictError),
        (["None", "TransactionConflict"], StateConflictError),
        (["ThrottlingError", "None"], UnavailableError),
    ],
)
def test_cancelled_transaction_is_classified_by_its_reasons(
    table: tuple[DynamoDb, Stubber], reasons: list[str], expected: type[Exception]
) -> None:
    """One reason for each item, in the order of the request."""
    adapter, stub = table
    stub.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        http_status_code=400,
        modeled_fields={"CancellationReasons": [{"Code": reason} for reason in reasons]},
    )
    with pytest.raises(expected):
        adapter.write(("state", "current"), {"version": 1}, condition="attribute_not_exists(#item)", check=CHECK)


def test_unreachable_table_is_unavailable() -> None:
    """Reads and writes raise UnavailableError."""
    adapter = DynamoDb(Raising(ReadTimeoutError(endpoint_url=URL)), "t")
    with pytest.raises(UnavailableError):
        adapter.read([("state", "current")])
    with pytest.raises(UnavailableError):
        adapter.write(("state", "current"), {})


def test_clients_have_time_limits_and_few_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Observing: one attempt within the deadline, for the own RDS API 0.9 of the interval. Failing over: 10 s. Reporting: 2 s, twice."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    real = make_clients(config(INTERVAL_SECONDS="10"))
    assert {round(api.meta.config.read_timeout, 3) for api in (real.peer_lambda, real.peer_rds)} == {2.4}
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
        "rds": (1.8, 1.8, 1, "eu-west-1"),
        "peer_rds": (0.7, 0.7, 1, "us-east-1"),
        "rds_call": (10, 10, 1, "eu-west-1"),
        "dynamodb": (1.0, 1.0, 1, "eu-west-1"),
        "sns": (2, 2, 2, "eu-west-1"),
        "cloudwatch": (2, 2, 2, "eu-west-1"),
    }
