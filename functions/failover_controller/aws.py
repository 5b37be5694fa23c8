"""The one module that speaks to AWS: the ports, by botocore, the part of boto3 that makes clients.

Owns the clients, their time limits and retries, and the translation of AWS's errors into the ports' own. Does not own
any meaning. Invariant: every call is bounded; nothing that changes something is retried here, for an unclear answer
is looked at, not repeated.
"""

import json
from collections.abc import Callable, Mapping
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

from .config import Settings
from .dynamodb_types import deserialize, serialize
from .model import Notice
from .ports import (
    Answer,
    CallNotSentError,
    CallRefusedError,
    CallUncertainError,
    ConflictError,
    PortError,
    SilentError,
    UnavailableError,
    UnusableError,
)

CALL_TIMEOUT_SECONDS = 10
REPORT_TIMEOUT_SECONDS = 2
SUBJECT_LIMIT = 100
"""Source: Amazon SNS API Reference, Publish: a subject is ASCII text of at most 100 characters."""
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
"""botocore makes its clients' classes at run time: there is no type to name."""


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Every client, made once per cold start: making one takes long, and is not thread-safe."""

    own_lambda: Client
    peer_lambda: Client
    rds: Client
    rds_call: Client
    dynamodb: Client
    sns: Client
    cloudwatch: Client


def make_clients(settings: Settings) -> Clients:
    """Return the clients, those for observing with the observation's own deadline and without retries."""
    session = botocore.session.get_session()
    deadline = settings.policy.observation_deadline_seconds
    looking, writing = _config(deadline, attempts=1), _config(max(1.0, deadline), attempts=1)
    calling, reporting = _config(CALL_TIMEOUT_SECONDS, attempts=1), _config(REPORT_TIMEOUT_SECONDS, attempts=2)
    own, peer = settings.own.region, settings.peer.region
    return Clients(
        own_lambda=session.create_client("lambda", region_name=own, config=looking),
        peer_lambda=session.create_client("lambda", region_name=peer, config=looking),
        rds=session.create_client("rds", region_name=own, config=looking),
        rds_call=session.create_client("rds", region_name=own, config=calling),
        dynamodb=session.create_client("dynamodb", region_name=own, config=writing),
        sns=session.create_client("sns", region_name=own, config=reporting),
        cloudwatch=session.create_client("cloudwatch", region_name=own, config=reporting),
    )


class LambdaHealthChecks:
    """health_check in both regions, by its name."""

    def __init__(self, own: Client, peer: Client, function_name: str) -> None:
        self._own = own
        self._peer = peer
        self._function_name = function_name

    def ask_own(self, request: Answer) -> object:
        """Invoke this region's function; return its answer as parsed JSON.

        Raises:
            SilentError, UnusableError.
        """
        return self._ask(self._own, request)

    def ask_peer(self, request: Answer) -> object:
        """Invoke the other region's function; return its answer as parsed JSON.

        Raises:
            SilentError: no answer from that region at all.
            UnusableError: its Lambda API answered, but with an error, or its function failed.
        """
        return self._ask(self._peer, request)

    def _ask(self, client: Client, request: Answer) -> object:
        payload = json.dumps(request).encode()
        try:
            response = _look(lambda: client.invoke(FunctionName=self._function_name, Payload=payload))
            body = response["Payload"].read()
        except (ClientError, BotoCoreError) as error:
            raise _no_use(error) from error
        if response.get("FunctionError"):
            raise UnusableError(f"the function failed: {body[:200]!r}")
        try:
            return json.loads(body)
        except ValueError as error:
            raise UnusableError(f"malformed: not JSON: {body[:100]!r}") from error


class RdsApi:
    """The own region's RDS API; a failover goes through a client of its own, which has more time."""

    def __init__(self, client: Client, call_client: Client, *, global_cluster_id: str, cluster_id: str) -> None:
        self._client = client
        self._call_client = call_client
        self._global_cluster_id = global_cluster_id
        self._cluster_id = cluster_id

    def read_global_cluster(self) -> object:
        """Return the global cluster.

        Raises:
            SilentError, UnusableError.
        """
        try:
            answer = _look(
                lambda: self._client.describe_global_clusters(GlobalClusterIdentifier=self._global_cluster_id)
            )
        except (ClientError, BotoCoreError) as error:
            raise _no_use(error) from error
        return _the_only(answer.get("GlobalClusters"))

    def read_own_cluster(self) -> object:
        """Return this region's cluster.

        Raises:
            SilentError, UnusableError.
        """
        try:
            answer = _look(lambda: self._client.describe_db_clusters(DBClusterIdentifier=self._cluster_id))
        except (ClientError, BotoCoreError) as error:
            raise _no_use(error) from error
        return _the_only(answer.get("DBClusters"))

    def fail_over(self, target: str) -> None:
        """Promote `target`, allowing data loss; left out, the call would be a switchover.

        Raises:
            CallRefusedError, CallNotSentError, CallUncertainError.
        Source: Amazon RDS API Reference, FailoverGlobalCluster.
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
    """The topic that people listen to."""

    def __init__(self, client: Client, *, topic_arn: str, global_cluster_id: str) -> None:
        self._client = client
        self._topic_arn = topic_arn
        self._global_cluster_id = global_cluster_id

    def publish(self, notice: Notice) -> None:
        """Publish one notice.

        Raises:
            UnavailableError.
        """
        subject = f"[{notice.reason}] {self._global_cluster_id}"[:SUBJECT_LIMIT]
        try:
            self._client.publish(TopicArn=self._topic_arn, Subject=subject, Message=notice.line)
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError(f"topic: {error}") from error


class CloudWatchMetrics:
    """The metrics of this controller, all with the global cluster as their one dimension."""

    def __init__(self, client: Client, *, namespace: str, global_cluster_id: str) -> None:
        self._client = client
        self._namespace = namespace
        self._dimensions = [{"Name": "GlobalCluster", "Value": global_cluster_id}]

    def put(self, values: Mapping[str, tuple[float, str]]) -> None:
        """Put all values of a cycle in one call.

        Raises:
            UnavailableError.
        """
        data = [
            {"MetricName": name, "Dimensions": self._dimensions, "Value": value, "Unit": unit}
            for name, (value, unit) in values.items()
        ]
        try:
            self._client.put_metric_data(Namespace=self._namespace, MetricData=data)
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError(f"metrics: {error}") from error


class DynamoDb:
    """The few calls to the table that the store is made of, with plain Python values."""

    def __init__(self, client: Client, table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def read(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], dict[str, object] | None]:
        """Return the items by key, consistently read; an absent one is `None`, one that was not read is left out.

        Raises:
            UnavailableError.
        """
        wanted = [{"item": {"S": item}, "sort": {"S": sort}} for item, sort in keys]
        request = {self._table_name: {"Keys": wanted, "ConsistentRead": True}}
        try:
            answer = _look(lambda: self._client.batch_get_item(RequestItems=request))
        except (ClientError, BotoCoreError) as error:
            raise UnavailableError(f"table: {error}") from error
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
        """Put one item; in `condition`, `#name` is an attribute and `:name` one of `values`.

        Raises:
            ConflictError: the condition did not hold.
            UnavailableError: it may or may not have been written.
        """
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
        try:
            self._client.put_item(**request)
        except ClientError as error:
            if _code(error) == "ConditionalCheckFailedException":
                raise ConflictError(f"{'/'.join(key)}: somebody else wrote first") from error
            raise UnavailableError(f"table: {error}") from error
        except BotoCoreError as error:
            raise UnavailableError(f"table: {error}") from error


def _config(seconds: float, *, attempts: int) -> Config:
    return Config(
        connect_timeout=seconds,
        read_timeout=seconds,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        tcp_keepalive=True,
    )


def _look(call: Callable[[], Any]) -> Any:
    """Call what only looks; once more, at once, when the connection was closed instead of an answer.

    A sandbox sleeps between its invocations, and the other end closes a connection that idles: the first request over it
    finds that out, and says nothing of whoever is asked. Without this, each hand-over could begin with a blind cycle.
    """
    try:
        return call()
    except ConnectionClosedError:
        return call()


def _no_use(error: ClientError | BotoCoreError) -> PortError:
    """No answer at all is silence; an answer that is an error comes from something that lives."""
    return SilentError(str(error)) if isinstance(error, _NO_ANSWER) else UnusableError(str(error))


def _refusal(error: ClientError) -> PortError:
    if _code(error) in _THROTTLED:
        return CallNotSentError(str(error))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return CallUncertainError(str(error)) if status >= 500 else CallRefusedError(str(error))


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _the_only(found: object) -> object:
    if not isinstance(found, list) or len(found) != 1:
        raise UnusableError(
            f"malformed: one cluster was expected, not {len(found) if isinstance(found, list) else found!r}"
        )
    return found[0]
