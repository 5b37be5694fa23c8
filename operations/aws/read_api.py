"""`ReadOnlyApi` with boto3: pagination and the translation of errors.

A call goes to the region that it concerns, except for IAM, Route 53, the account and prices, which have one control plane each.
"""

import json
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from operations.aws.clients import Client, Clients
from operations.aws.read_ports import READ_OPERATIONS, Answer
from operations.aws.region_api import NO_ANSWER, translate_error
from operations.support.errors import AwsError, NotThereError, UsageProblemError

READ_TIMEOUT_SECONDS = 6
"""Longer than the timeout of health_check, 5 s."""
NOT_THERE = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "DBClusterNotFoundFault",
        "DBClusterParameterGroupNotFound",
        "DBClusterSnapshotNotFoundFault",
        "DBInstanceNotFound",
        "DBParameterGroupNotFound",
        "DBSubnetGroupNotFoundFault",
        "GlobalClusterNotFoundFault",
        "InvalidGroup.NotFound",
        "InvalidRouteTableID.NotFound",
        "NoSuchEntity",
        "NoSuchHealthCheck",
        "NoSuchHostedZone",
        "NoSuchResourceException",
        "NotFound",
        "NotFoundException",
        "ResourceNotFoundException",
    }
)
"""Error codes for something that does not exist."""


class AwsReadApi:
    """The read-only calls of one region; thread-safe."""

    def __init__(self, clients: Clients, region: str) -> None:
        self._clients, self._region = clients, region

    def read(self, service: str, operation: str, **parameters: Any) -> Answer:
        """Return the answer. Raises NotThereError, AwsError."""
        self._require_read_only(service, operation)
        try:
            answer = getattr(self._client(service), operation)(**parameters)
        except (ClientError, BotoCoreError) as error:
            raise self._translate(error, service, operation) from error
        return _plain(service, operation, answer)

    def read_all(self, service: str, operation: str, items: str, **parameters: Any) -> list[Any]:
        """Return the items of all pages. Raises NotThereError, AwsError."""
        self._require_read_only(service, operation)
        try:
            client = self._client(service)
            if not client.can_paginate(operation):
                return list(getattr(client, operation)(**parameters).get(items, []))
            pages = client.get_paginator(operation).paginate(**parameters)
            return [item for page in pages for item in page.get(items, [])]
        except (ClientError, BotoCoreError) as error:
            raise self._translate(error, service, operation) from error

    def _require_read_only(self, service: str, operation: str) -> None:
        if (service, operation) not in READ_OPERATIONS:
            raise UsageProblemError(
                f"{service}.{operation} is not a read-only operation", hint="Add it to READ_OPERATIONS if it is."
            )

    def _translate(self, error: ClientError | BotoCoreError, service: str, operation: str) -> Exception:
        source = f"{service} of {self._region}, {operation}"
        if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code", "") in NOT_THERE:
            return NotThereError(f"{source}: not found", hint="Check that the stack is up in this account.")
        if isinstance(error, NO_ANSWER):
            return AwsError(
                f"{source}: did not respond",
                hint=f"{self._region} or the network may be down: check it from the other region.",
            )
        return translate_error(error, source, default_hint="No changes were made. Try again, or use the AWS console.")

    def _client(self, service: str) -> Client:
        return self._clients.get(service, self._region, read_timeout=READ_TIMEOUT_SECONDS)


def _plain(service: str, operation: str, answer: Mapping[str, Any]) -> Answer:
    """Return the answer with a parsed payload, and without the value of a secret."""
    if (service, operation) == ("lambda", "invoke"):
        return _with_payload(answer)
    if (service, operation) == ("secretsmanager", "get_secret_value"):
        return {"VersionId": answer.get("VersionId"), "IsReadable": bool(answer.get("SecretString"))}
    return answer


def _with_payload(answer: Mapping[str, Any]) -> Answer:
    """Return an invocation's answer with a parsed payload; a payload that is not JSON stays a text."""
    text = answer["Payload"].read().decode("utf-8", errors="replace")
    try:
        payload = json.loads(text)
    except ValueError:
        payload = text
    return {**answer, "Payload": payload}
