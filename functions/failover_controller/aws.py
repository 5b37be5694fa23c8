# ruff: noqa: D102 - the ports document these methods
"""The only module that calls AWS: the ports, implemented with botocore.

Every call has a time limit. Calls that change something are not retried, except for delivering reports.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from .config import ControllerConfig
from .dynamodb_types import deserialize, serialize
from .model import Notice
from .ports import (
    Answer,
    CallNotSentError,
    CallRefusedError,
    CallUncertainError,
    PortError,
    SilentError,
    StateConflictError,
    UnavailableError,
    UnusableError,
)

CALL_TIMEOUT_SECONDS = 10
REPORT_TIMEOUT_SECONDS = 2
SUBJECT_LIMIT = 100
"""Source: Publish, Amazon SNS API Reference: a subject has at most 100 ASCII characters."""
_NO_ANSWER = (ConnectTimeoutError, ReadTimeoutError, EndpointConnectionError, ConnectionClosedError)
_NEVER_SENT = (ConnectTimeoutError, EndpointConnectionError, NoCredentialsError, ParamValidationError)
_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "SlowDown",
    }
)

Client = Any
"""botocore creates the clients' classes at run time."""


@dataclass(frozen=True, kw_only=True)
class ControllerClients:
    """All clients, created once per cold start: creation is slow and not thread-safe."""

    own_lambda: Client
    peer_lambda: Client
    rds: Client
    rds_call: Client
    dynamodb: Client
    sns: Client
    cloudwatch: Client


def make_clients(config: ControllerConfig) -> ControllerClients:
    """Return the clients; those for observations have the observation's deadline and no retries."""
    session = botocore.session.get_session()
    deadline = config.policy.observation_deadline_seconds
    reading, writing = _config(deadline, attempts=1), _config(max(1.0, deadline), attempts=1)
    calling, reporting = _config(CALL_TIMEOUT_SECONDS, attempts=1), _config(REPORT_TIMEOUT_SECONDS, attempts=2)
    own, peer = config.own.region, config.peer.region
    return ControllerClients(
        own_lambda=session.create_client("lambda", region_name=own, config=reading),
        peer_lambda=session.create_client("lambda", region_name=peer, config=reading),
        rds=session.create_client("rds", region_name=own, config=reading),
        rds_call=session.create_client("rds", region_name=own, config=calling),
        dynamodb=session.create_client("dynamodb", region_name=own, config=writing),
        sns=session.create_client("sns", region_name=own, config=reporting),
        cloudwatch=session.create_client("cloudwatch", region_name=own, config=reporting),
    )


class LambdaHealthChecks:
    """The health_check functions of both regions, which have the same name."""

    def __init__(self, own: Client, peer: Client, function_name: str) -> None:
        self._own = own
        self._peer = peer
        self._function_name = function_name

    def ask_own(self, request: Answer) -> object:
        return self._ask(self._own, request)

    def ask_peer(self, request: Answer) -> object:
        return self._ask(self._peer, request)

    def _ask(self, client: Client, request: Answer) -> object:
        payload = json.dumps(request).encode()
        with _reading():
            response = _retried(lambda: client.invoke(FunctionName=self._function_name, Payload=payload))
            body = response["Payload"].read()
        if response.get("FunctionError"):
            raise UnusableError(f"the function failed: {body[:200]!r}")
        try:
            return json.loads(body)
        except ValueError as error:
            raise UnusableError(f"malformed: not JSON: {body[:100]!r}") from error


class RdsApi:
    """RDS API of this region. The failover uses a separate client with a longer time limit."""

    def __init__(self, client: Client, call_client: Client, *, global_cluster_id: str, cluster_id: str) -> None:
        self._client = client
        self._call_client = call_client
        self._global_cluster_id = global_cluster_id
        self._cluster_id = cluster_id

    def read_global_cluster(self) -> object:
        with _reading():
            answer = _retried(
                lambda: self._client.describe_global_clusters(GlobalClusterIdentifier=self._global_cluster_id)
            )
        return _only(answer.get("GlobalClusters"))

    def read_own_cluster(self) -> object:
        with _reading():
            answer = _retried(lambda: self._client.describe_db_clusters(DBClusterIdentifier=self._cluster_id))
        return _only(answer.get("DBClusters"))

    def fail_over(self, target: str) -> None:
        """Promote `target`. Without AllowDataLoss the call would be a switchover.

        Raises:
            CallRefusedError, CallNotSentError, CallUncertainError.
        Source: FailoverGlobalCluster, Amazon RDS API Reference.
        """
        try:
            self._call_client.failover_global_cluster(
                GlobalClusterIdentifier=self._global_cluster_id, TargetDbClusterIdentifier=target, AllowDataLoss=True
            )
        except ClientError as error:
            raise _refusal(error) from error
        except _NEVER_SENT as error:
            raise CallNotSentError(str(error)) from error
        except BotoCoreError as error:
            raise CallUncertainError(str(error)) from error


class SnsTopic:
    """The SNS topic of the notices."""

    def __init__(self, client: Client, *, topic_arn: str, global_cluster_id: str) -> None:
        self._client = client
        self._topic_arn = topic_arn
        self._global_cluster_id = global_cluster_id

    def publish(self, notice: Notice) -> None:
        subject = f"[{notice.reason}] {self._global_cluster_id}"[:SUBJECT_LIMIT]
        with _unavailable("topic"):
            self._client.publish(TopicArn=self._topic_arn, Subject=subject, Message=notice.line)


class CloudWatchMetrics:
    """The controller's metrics, with the global cluster as the only dimension."""

    def __init__(self, client: Client, *, namespace: str, global_cluster_id: str) -> None:
        self._client = client
        self._namespace = namespace
        self._dimensions = [{"Name": "GlobalCluster", "Value": global_cluster_id}]

    def put(self, values: Mapping[str, tuple[float, str]]) -> None:
        data = [
            {"MetricName": name, "Dimensions": self._dimensions, "Value": value, "Unit": unit}
            for name, (value, unit) in values.items()
        ]
        with _unavailable("metrics"):
            self._client.put_metric_data(Namespace=self._namespace, MetricData=data)


class DynamoDb:
    """The table's reads and conditional writes, with plain Python values."""

    def __init__(self, client: Client, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def read(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], dict[str, object] | None]:
        wanted = [{"item": {"S": item}, "sort": {"S": sort}} for item, sort in keys]
        request = {self._table_name: {"Keys": wanted, "ConsistentRead": True}}
        with _unavailable("table"):
            answer = _retried(lambda: self._client.batch_get_item(RequestItems=request))
        found: dict[tuple[str, str], dict[str, object] | None] = dict.fromkeys(keys)
        for raw in answer.get("Responses", {}).get(self._table_name, []):
            found[raw["item"]["S"], raw["sort"]["S"]] = {name: deserialize(raw[name]) for name in raw}
        for raw in answer.get("UnprocessedKeys", {}).get(self._table_name, {}).get("Keys", []):
            found.pop((raw["item"]["S"], raw["sort"]["S"]), None)
        return found

    def write(
        self,
        key: tuple[str, str],
        attributes: Mapping[str, object],
        *,
        condition: str | None = None,
        values: Mapping[str, object] | None = None,
    ) -> None:
        plain = {"item": key[0], "sort": key[1], **attributes}
        request: dict[str, Any] = {
            "TableName": self._table_name,
            "Item": {name: serialize(value) for name, value in plain.items()},
        }
        if condition is not None:
            names = {word.strip("()") for word in condition.replace("(", " ").split() if word.startswith("#")}
            request["ConditionExpression"] = condition
            request["ExpressionAttributeNames"] = {name: name[1:] for name in sorted(names)}
        if values:
            request["ExpressionAttributeValues"] = {f":{name}": serialize(value) for name, value in values.items()}
        with _unavailable("table"):
            try:
                self._client.put_item(**request)
            except ClientError as error:
                if _code(error) == "ConditionalCheckFailedException":
                    raise StateConflictError(f"{'/'.join(key)}: another process wrote first") from error
                raise


def _config(seconds: float, *, attempts: int) -> Config:
    return Config(
        connect_timeout=seconds,
        read_timeout=seconds,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        tcp_keepalive=True,
    )


def _retried(call: Callable[[], Any]) -> Any:
    """Make a read-only call; repeat it once if the connection was closed.

    AWS closes idle connections while an execution environment is frozen, and the first request afterwards fails without an answer.
    """
    try:
        return call()
    except ConnectionClosedError:
        return call()


@contextmanager
def _reading() -> Iterator[None]:
    """Raise SilentError if there is no answer, UnusableError for any error in an answer."""
    try:
        yield
    except _NO_ANSWER as error:
        raise SilentError(str(error)) from error
    except (ClientError, BotoCoreError) as error:
        raise UnusableError(str(error)) from error


@contextmanager
def _unavailable(service: str) -> Iterator[None]:
    """Raise UnavailableError for any error of AWS or botocore."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise UnavailableError(f"{service}: {error}") from error


def _refusal(error: ClientError) -> PortError:
    if _code(error) in _THROTTLED:
        return CallNotSentError(str(error))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return CallUncertainError(str(error)) if status >= 500 else CallRefusedError(str(error))


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _only(found: object) -> object:
    if not isinstance(found, list) or len(found) != 1:
        raise UnusableError(f"malformed: expected one cluster, got {repr(found)[:100]}")
    return found[0]
