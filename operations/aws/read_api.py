"""The boto3 module of the commands that look: `ReadOnlyApi`, spoken to AWS.

Owns clients, time limits, pages, and the translation of AWS's errors. Does not own any meaning, nor the list of what may
be asked (`questions.py`). Invariant: a question goes to the region that it is about and to no other, except for IAM,
Route 53 and the account, which have one control plane each.
"""

import json
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

import botocore.session
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from operations.aws.read_ports import READ_OPERATIONS, Answer, ReadApiFactory
from operations.aws.region_api import NO_ANSWER, translated
from operations.support.errors import AwsError, NotThereError, UsageProblemError

CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 6
"""Longer than the 5 s that health_check may take."""
ATTEMPTS = 2
NOT_THERE = frozenset(
    {
        "DBClusterNotFoundFault",
        "DBClusterParameterGroupNotFound",
        "DBClusterSnapshotNotFoundFault",
        "DBInstanceNotFound",
        "DBParameterGroupNotFound",
        "DBSubnetGroupNotFoundFault",
        "GlobalClusterNotFoundFault",
        "NoSuchEntity",
        "NoSuchHealthCheck",
        "NoSuchResourceException",
        "NotFound",
        "NotFoundException",
        "ResourceNotFoundException",
    }
)
"""Error codes that say that there is no such thing."""


def read_api_factory() -> ReadApiFactory:
    """Return what gives the questions of a region; one session for all, as loading one takes long."""
    core = botocore.session.get_session()
    core.set_config_variable("sts_regional_endpoints", "regional")
    return partial(AwsReadApi, Session(botocore_session=core), threading.Lock(), {})


class AwsReadApi:
    """The questions of one region; safe to use from several threads."""

    def __init__(
        self, session: Session, lock: threading.Lock, clients: dict[tuple[str, str], Any], region: str
    ) -> None:
        self._session, self._lock, self._clients = session, lock, clients
        self._region = region

    def read(self, service: str, operation: str, **parameters: Any) -> Answer:
        """Return the answer. Raises NotThereError, AwsError."""
        self._require_question(service, operation)
        try:
            answer = getattr(self._client(service), operation)(**parameters)
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, service, operation) from error
        return _plain(service, operation, answer)

    def read_all(self, service: str, operation: str, items: str, **parameters: Any) -> list[Any]:
        """Return the items of all pages. Raises NotThereError, AwsError."""
        self._require_question(service, operation)
        try:
            client = self._client(service)
            if not client.can_paginate(operation):
                return list(getattr(client, operation)(**parameters).get(items, []))
            pages = client.get_paginator(operation).paginate(**parameters)
            return [item for page in pages for item in page.get(items, [])]
        except (ClientError, BotoCoreError) as error:
            raise self._translated(error, service, operation) from error

    def _require_question(self, service: str, operation: str) -> None:
        if (service, operation) not in READ_OPERATIONS:
            raise UsageProblemError(
                f"{service}.{operation} is no question", hint="Add it to READ_OPERATIONS, if it is one."
            )

    def _translated(self, error: ClientError | BotoCoreError, service: str, operation: str) -> Exception:
        what = f"{service} of {self._region}, {operation}"
        if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code", "") in NOT_THERE:
            return NotThereError(f"{what}: there is none", hint="Is the stack up, in this account?")
        if isinstance(error, NO_ANSWER):
            return AwsError(
                f"{what}: no answer",
                hint=f"{self._region}, or the way to it, may be down: look at it from the other region.",
            )
        return translated(error, what, otherwise="It was only a question: try again, or look it up in AWS's console.")

    def _client(self, service: str) -> Any:
        # Making a client is not thread-safe, and looks for credentials, which may take long.
        with self._lock:
            key = (service, self._region)
            if key not in self._clients:
                config = Config(
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    read_timeout=READ_TIMEOUT_SECONDS,
                    retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
                    max_pool_connections=16,
                )
                make: Any = self._session.client
                self._clients[key] = make(service, region_name=self._region, config=config)
            return self._clients[key]


def _plain(service: str, operation: str, answer: Mapping[str, Any]) -> Answer:
    """Return the answer with its payload parsed, and without what nobody may see."""
    if (service, operation) == ("lambda", "invoke"):
        return _with_payload(answer)
    if (service, operation) == ("secretsmanager", "get_secret_value"):
        return {"VersionId": answer.get("VersionId"), "IsReadable": bool(answer.get("SecretString"))}
    return answer


def _with_payload(answer: Mapping[str, Any]) -> Answer:
    """Return an invocation's answer with its payload read and parsed; what is no JSON stays a text."""
    text = answer["Payload"].read().decode("utf-8", errors="replace")
    try:
        payload = json.loads(text)
    except ValueError:
        payload = text
    return {**answer, "Payload": payload}
