# ruff: noqa: D102 - the ports document these methods
"""The only module that calls AWS: the ports, implemented with botocore.

Every call has a time limit. Calls that change something are not retried, except for delivering reports.
"""

import errno
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
    CheckFailedError,
    PortError,
    SilentError,
    StateConflictError,
    UnavailableError,
    UnusableError,
)
from .store import ItemCheck

CALL_TIMEOUT_SECONDS = 10
REPORT_TIMEOUT_SECONDS = 2
CONNECT_SECONDS = 0.6
"""Part of the deadline for a new connection to the other region, with TLS: a time-out of the answer then still is known in time."""
SUBJECT_LIMIT = 100
"""Source: Publish, Amazon SNS API Reference: a subject has at most 100 ASCII characters."""
_NO_ANSWER = (ConnectTimeoutError, ReadTimeoutError)
_NO_ROUTE = frozenset({errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH})
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
    peer_rds: Client
    rds_call: Client
    dynamodb: Client
    sns: Client
    cloudwatch: Client


def make_clients(config: ControllerConfig) -> ControllerClients:
    """Return the clients; those for observations have no retries and the observation's deadline, or the own RDS API's."""
    session = botocore.session.get_session()
    deadline = config.policy.observation_deadline_seconds
    reading, writing = _config(deadline, attempts=1), _config(max(1.0, deadline), attempts=1)
    answering = deadline - CONNECT_SECONDS if deadline > 2 else deadline  # shorter ones occur in rehearsals only
    asking = _config(deadline, attempts=1, read_seconds=answering)
    roles = _config(config.policy.rds_deadline_seconds, attempts=1)
    calling, reporting = _config(CALL_TIMEOUT_SECONDS, attempts=1), _config(REPORT_TIMEOUT_SECONDS, attempts=2)
    own, peer = config.own.region, config.peer.region
    return ControllerClients(
        own_lambda=session.create_client("lambda", region_name=own, config=reading),
        peer_lambda=session.create_client("lambda", region_name=peer, config=asking),
        rds=session.create_client("rds", region_name=own, config=roles),
        peer_rds=session.create_client("rds", region_name=peer, config=asking),
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
        self._peer_connection = _Connection()
        self._function_name = function_name

    def ask_own(self, request: Answer) -> object:
        return self._ask(self._own, request)

    def ask_peer(self, request: Answer) -> object:
        with self._peer_connection.watched():
            return self._ask(self._peer, request)

    def _ask(self, client: Client, request: Answer) -> object:
        payload = json.dumps(request).encode()
        with _reading():
            response = _retried(lambda: client.invoke(FunctionName=self._function_name, Payload=payload))
        try:
            body = response["Payload"].read()
        except BotoCoreError as error:  # after the headers, a body that is cut or stalls is an answer
            raise UnusableError(str(error)) from error
        if response.get("FunctionError"):
            raise UnusableError(f"the function failed: {body[:200]!r}")
        try:
            return json.loads(body)
        except ValueError as error:
            raise UnusableError(f"malformed: not JSON: {body[:100]!r}") from error


class RdsApi:
    """RDS APIs of both regions. The failover uses a separate client with a longer time limit."""

    def __init__(
        self,
        client: Client,
        peer_client: Client,
        call_client: Client,
        *,
        global_cluster_id: str,
        cluster_id: str,
        peer_cluster_id: str,
    ) -> None:
        self._client = client
        self._peer_client = peer_client
        self._call_client = call_client
        self._global_cluster_id = global_cluster_id
        self._cluster_id = cluster_id
        self._peer_cluster_id = peer_cluster_id
        self._peer_connection = _Connection()

    def read_global_cluster(self) -> object:
        with _reading():
            answer = _retried(
                lambda: self._client.describe_global_clusters(GlobalClusterIdentifier=self._global_cluster_id)
            )
        return _only(answer.get("GlobalClusters"))

    def read_own_cluster(self) -> object:
        return self._read_cluster(self._client, self._cluster_id)

    def read_peer_cluster(self) -> object:
        with self._peer_connection.watched():
            return self._read_cluster(self._peer_client, self._peer_cluster_id)

    def _read_cluster(self, client: Client, cluster_id: str) -> object:
        with _reading():
            answer = _retried(lambda: client.describe_db_clusters(DBClusterIdentifier=cluster_id))
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
        check: ItemCheck | None = None,
    ) -> None:
        plain = {"item": key[0], "sort": key[1], **attributes}
        item = {name: serialize(value) for name, value in plain.items()}
        put = {"TableName": self._table_name, "Item": item, **_condition(condition, values or {})}
        with _unavailable("table"):
            try:
                if check is None:
                    self._client.put_item(**put)
                else:
                    self._client.transact_write_items(
                        TransactItems=[{"Put": put}, {"ConditionCheck": self._condition_check(check)}]
                    )
            except ClientError as error:
                _raise_conflict(error, key)
                raise

    def _condition_check(self, check: ItemCheck) -> dict[str, Any]:
        item, sort = check.key
        key = {"item": {"S": item}, "sort": {"S": sort}}
        return {"TableName": self._table_name, "Key": key, **_condition(check.condition, check.values)}


def _condition(condition: str | None, values: Mapping[str, object]) -> dict[str, Any]:
    """Return a condition with placeholders, as an attribute's name may be a reserved word."""
    if condition is None:
        return {}
    names = {word.strip("()") for word in condition.replace("(", " ").split() if word.startswith("#")}
    request: dict[str, Any] = {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {name: name[1:] for name in sorted(names)},
    }
    if values:
        request["ExpressionAttributeValues"] = {f":{name}": serialize(value) for name, value in values.items()}
    return request


def _raise_conflict(error: ClientError, key: tuple[str, str]) -> None:
    """Raise the conflict behind an error of a write, if there is one.

    Source: TransactWriteItems, Amazon DynamoDB API Reference: one reason for each item, in the order of the request.
    """
    conflict = StateConflictError(f"{'/'.join(key)}: another process wrote first")
    if _code(error) == "ConditionalCheckFailedException":
        raise conflict from error
    reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
    if reasons[1:] == ["ConditionalCheckFailed"]:
        raise CheckFailedError(f"{'/'.join(key)}: the condition on another item does not hold") from error
    if "ConditionalCheckFailed" in reasons or "TransactionConflict" in reasons:
        raise conflict from error


class _Connection:
    """Knows whether a client's next call needs a new connection, as a call without an answer closes the last one.

    A new connection whose TLS handshake succeeds and that then gives no answer comes from a region whose servers run.
    """

    def __init__(self) -> None:
        self._is_open = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raise UnusableError instead of SilentError if only the answer on a new connection with TLS is missing."""
        was_open, self._is_open = self._is_open, False
        try:
            yield
        except SilentError as error:
            cause = error.__cause__
            if (
                not was_open
                and isinstance(cause, ReadTimeoutError)
                and str(cause.kwargs["endpoint_url"]).startswith("https:")
            ):
                raise UnusableError(f"connected, but no answer: {error}") from cause
            raise
        except UnusableError as error:
            self._is_open = isinstance(error.__cause__, ClientError)
            raise
        self._is_open = True


def _config(seconds: float, *, attempts: int, read_seconds: float | None = None) -> Config:
    return Config(
        connect_timeout=seconds,
        read_timeout=seconds if read_seconds is None else read_seconds,
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
    """Raise SilentError if there is no answer, UnusableError for any error in an answer.

    A refused, reset or closed connection is an answer of a host. A name that does not resolve says nothing about the region.
    """
    try:
        yield
    except _NO_ANSWER as error:
        raise SilentError(str(error)) from error
    except EndpointConnectionError as error:
        raise (SilentError if _has_no_route(error) else UnusableError)(str(error)) from error
    except (ClientError, BotoCoreError) as error:
        raise UnusableError(str(error)) from error


@contextmanager
def _unavailable(service: str) -> Iterator[None]:
    """Raise UnavailableError for any error of AWS or botocore."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise UnavailableError(f"{service}: {error}") from error


def _has_no_route(error: EndpointConnectionError) -> bool:
    """Return whether no host was reached. urllib3 wraps the operating system's error."""
    cause: BaseException | None = error.kwargs.get("error")
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    return isinstance(cause, OSError) and cause.errno in _NO_ROUTE


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
