"""The rehearsal's boto3 clients, and the credential scope of signed requests."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3.session
from botocore.config import Config

from rehearsal.support.parameter_validation import ModelCheck

ACCOUNT_ID = "123456789012"
"""The rehearsal's only account. ministack reads a 12-digit access key as an account id."""

SECRET_ACCESS_KEY = "rehearsal"
"""The key that ministack verifies signatures with when it enforces permissions. Not a secret."""

ClientFactory = Callable[[str, str], Any]
"""Returns a boto3 client for (service, region)."""

SIGNED_HOST_HEADER = "X-Rehearsal-Signed-Host"
"""Carries the signed Host past a proxy that removes it; ministack needs it to verify the signature."""

_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/,\s]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True, kw_only=True)
class CredentialScope:
    """The SigV4 credential scope of a request."""

    access_key: str
    region: str
    service: str


def credential_scope(headers: Mapping[str, str]) -> CredentialScope | None:
    """Return the SigV4 scope in the Authorization header; None for other requests.

    Source: "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)".
    """
    match = _CREDENTIAL.search(headers.get("Authorization", ""))
    if match is None:
        return None
    return CredentialScope(access_key=match["key"], region=match["region"], service=match["service"])


class BotoClients:
    """boto3 clients for one endpoint, one for each service and region. Thread-safe."""

    def __init__(
        self,
        endpoint_url: str,
        *,
        account_id: str = ACCOUNT_ID,
        connect_timeout_seconds: float = 5.0,
        read_timeout_seconds: float = 60.0,
    ) -> None:
        self.endpoint_url = endpoint_url
        # One session, because each loads botocore's models: seconds and hundreds of MB for all services.
        self._session = boto3.session.Session(
            aws_access_key_id=account_id, aws_secret_access_key=SECRET_ACCESS_KEY, region_name="us-east-1"
        )
        self.model_check = ModelCheck()
        """Rejects calls whose parameters violate AWS's service models."""
        self.model_check.listen(self._session.events)
        self._config = Config(
            connect_timeout=connect_timeout_seconds,
            read_timeout=read_timeout_seconds,
            retries={"total_max_attempts": 1},
            max_pool_connections=32,
        )
        self._clients: dict[tuple[str, str], Any] = {}
        # boto3 clients are thread-safe, their creation is not.
        self._lock = threading.Lock()

    def __call__(self, service: str, region: str) -> Any:
        """Return the client of a service in a region."""
        with self._lock:
            key = (service, region)
            if key not in self._clients:
                # Any: boto3's types accept only literals for the service.
                make: Any = self._session.client
                self._clients[key] = make(
                    service, region_name=region, endpoint_url=self.endpoint_url, config=self._config
                )
            return self._clients[key]

    def close(self) -> None:
        """Close every client's connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
