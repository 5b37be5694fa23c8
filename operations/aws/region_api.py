"""`RegionApi` with boto3, and the translation of boto3's errors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
)

from operations.aws.clients import ATTEMPTS, Client, Clients
from operations.aws.ports import Item, Key, RdsRoles, TableWrite
from operations.stack.deployment import DeployedRegion
from operations.support.errors import AwsError, NoLoginError, OperationError, VersionConflictError

READ_TIMEOUT_SECONDS = 3
CALLER_LENGTH = 256
NO_ANSWER = (ConnectTimeoutError, ReadTimeoutError, EndpointConnectionError, ConnectionClosedError)
"""boto3's errors when AWS does not respond."""
_NO_LOGIN = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError, SSOError)
_EXPIRED = {"ExpiredToken", "ExpiredTokenException"}
_HINTS = {
    "AccessDenied": "Use a role with the permissions listed in the runbook, heading `Before you start`.",
    "AccessDeniedException": "Use a role with the permissions listed in the runbook, heading `Before you start`.",
    "ResourceNotFoundException": "Check that the outputs are of a stack that is up in this account.",
    "GlobalClusterNotFoundFault": "Check that the outputs are of a stack that is up in this account.",
}
_CONFLICT_CODES = {"ConditionalCheckFailed", "TransactionConflict"}


class AwsRegion:
    """One region's table, RDS, Lambda and STS."""

    def __init__(self, clients: Clients, global_cluster_id: str, region: DeployedRegion) -> None:
        self._clients, self._global_cluster_id, self._region = clients, global_cluster_id, region
        self._serialize = TypeSerializer().serialize
        self._deserialize = TypeDeserializer().deserialize

    def read_items(self, keys: Sequence[Key]) -> dict[Key, Item | None]:
        """Return the items by key, from one consistent read; a missing item is `None`. Raises AwsError."""
        table = self._region.table_name
        wanted = [{"item": {"S": item}, "sort": {"S": sort}} for item, sort in keys]
        request = {table: {"Keys": wanted, "ConsistentRead": True}}
        answer = self._call("dynamodb", "table", lambda client: client.batch_get_item(RequestItems=request))
        if answer.get("UnprocessedKeys"):
            raise AwsError(f"table of {self._region.name}: throttled", hint="Try again.")
        found: dict[Key, Item | None] = dict.fromkeys(keys)
        for raw in answer.get("Responses", {}).get(table, []):
            found[raw["item"]["S"], raw["sort"]["S"]] = self._plain(raw)
        return found

    def read_history(self, limit: int, since: str | None = None) -> list[Item]:
        """Return the newest items of the audit trail, newest first, and none older than `since`. Raises AwsError."""
        request: dict[str, Any] = {
            "TableName": self._region.table_name,
            "KeyConditionExpression": "#item = :history" + (" AND #sort >= :since" if since else ""),
            "ExpressionAttributeNames": {"#item": "item", **({"#sort": "sort"} if since else {})},
            "ExpressionAttributeValues": {":history": {"S": "history"}, **({":since": {"S": since}} if since else {})},
            "ScanIndexForward": False,
            "ConsistentRead": True,
        }
        found: list[Item] = []
        while len(found) < limit:
            request["Limit"] = limit - len(found)
            answer = self._call("dynamodb", "table", lambda client: client.query(**request))
            found.extend(self._plain(raw) for raw in answer.get("Items", []))
            if not answer.get("LastEvaluatedKey"):
                break
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return found

    def read_roles(self) -> RdsRoles:
        """Return the writer as this region's RDS API describes it. Raises AwsError."""
        identity = self._global_cluster_id
        answer = self._call(
            "rds", "RDS API", lambda client: client.describe_global_clusters(GlobalClusterIdentifier=identity)
        )
        (cluster,) = answer["GlobalClusters"] or [{}]
        writers = [each["DBClusterArn"] for each in cluster.get("GlobalClusterMembers", []) if each.get("IsWriter")]
        return RdsRoles(
            writer_arn=writers[0] if len(writers) == 1 else None,
            operation=(cluster.get("FailoverState") or {}).get("Status") or None,
        )

    def read_environment(self) -> Mapping[str, str]:
        """Return the environment variables of this region's controller. Raises AwsError."""
        name = self._region.controller_name
        answer = self._call("lambda", "Lambda API", lambda client: client.get_function_configuration(FunctionName=name))
        environment = answer.get("Environment", {})
        if "Error" in environment:  # the caller must not decrypt the variables
            message = environment["Error"].get("Message", "unreadable")
            raise AwsError(f"environment of {name}: {message}", hint=_HINTS["AccessDenied"])
        return environment.get("Variables", {})

    def caller(self) -> str:
        """Return the caller's ARN, or the access key's id if this region's STS does not respond.

        Raises:
            AwsError: there are no credentials, or STS denied them.
        """
        try:
            answer = self._call("sts", "STS", lambda client: client.get_caller_identity())
        except AwsError as error:
            key = self._clients.access_key() if isinstance(error.__cause__, NO_ANSWER) else None
            if key is None:
                raise
            return f"access key {key}; STS did not respond"
        return answer["Arn"][:CALLER_LENGTH]

    def write(self, change: TableWrite) -> None:
        """Write the item and its audit entry in one transaction.

        The controller writes neither item, therefore the transaction cannot make one of its writes fail.
        Source: Amazon DynamoDB Transactions: How it works, "Transaction conflict handling in DynamoDB".

        Raises:
            VersionConflictError: the item has changed since it was read; nothing was written.
            AwsError: the outcome is unknown.
        """
        puts = [
            {"Put": self._put(change.key, change.attributes) | self._condition(change.previous)},
            {"Put": self._put(change.audit_key, change.audit_item)},
        ]
        self._call("dynamodb", "table", lambda client: client.transact_write_items(TransactItems=puts))

    def _put(self, key: Key, attributes: Item) -> dict[str, Any]:
        plain = {"item": key[0], "sort": key[1], **attributes}
        item = {name: self._serialize(value) for name, value in plain.items()}
        return {"TableName": self._region.table_name, "Item": item}

    def _condition(self, previous: Item | None) -> dict[str, Any]:
        """Return the condition that the item is unchanged; `change_id` distinguishes a new item from one that TTL removed."""
        if previous is None:
            return {
                "ConditionExpression": "attribute_not_exists(#item)",
                "ExpressionAttributeNames": {"#item": "item"},
            }
        terms, values = ["attribute_exists(#item)"], {}
        for name in ("version", "change_id"):
            if name in previous:
                terms.append(f"#{name} = :{name}")
                values[f":{name}"] = self._serialize(previous[name])
            else:
                terms.append(f"attribute_not_exists(#{name})")
        condition: dict[str, Any] = {
            "ConditionExpression": " AND ".join(terms),
            "ExpressionAttributeNames": {f"#{name}": name for name in ("item", "version", "change_id")},
        }
        return condition | ({"ExpressionAttributeValues": values} if values else {})

    def _plain(self, raw: Mapping[str, Any]) -> Item:
        return {name: self._deserialize(value) for name, value in raw.items()}

    def _call(self, service: str, source: str, call: Callable[[Client], Any]) -> Any:
        try:
            return call(self._client(service))
        except (ClientError, BotoCoreError) as error:
            raise translate_error(error, f"{source} of {self._region.name}") from error

    def _client(self, service: str) -> Client:
        # The access key is the fallback for STS.
        attempts = 1 if service == "sts" else ATTEMPTS
        return self._clients.get(service, self._region.name, read_timeout=READ_TIMEOUT_SECONDS, attempts=attempts)


def translate_error(
    error: ClientError | BotoCoreError, source: str, *, default_hint: str = "Check `status`, then try again."
) -> OperationError:
    """Return the command's error for an error of boto3 from `source`."""
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        if code == "TransactionCanceledException" and _CONFLICT_CODES & _cancellation_codes(error):
            return VersionConflictError(
                f"{source}: another command wrote first", hint="Check `status` and decide again."
            )
        message = error.response.get("Error", {}).get("Message", "")
        if code in _EXPIRED:
            return NoLoginError(f"{source}: {code}: {message}", hint="Log in to AWS again.")
        return AwsError(f"{source}: {code}: {message}", hint=_HINTS.get(code, default_hint))
    if isinstance(error, _NO_LOGIN):
        return NoLoginError(f"{source}: {error}", hint="Log in to AWS, or set AWS_PROFILE.")
    if isinstance(error, NO_ANSWER):
        return AwsError(
            f"{source}: did not respond: {error}", hint="Try again, or select the other region with --region."
        )
    return AwsError(f"{source}: {error}", hint="Check the AWS configuration of this machine.")


def _cancellation_codes(error: ClientError) -> set[str]:
    response: Mapping[str, Any] = error.response
    return {str(reason.get("Code")) for reason in response.get("CancellationReasons", [])}
