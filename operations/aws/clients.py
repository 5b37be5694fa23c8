"""boto3's clients for the commands, with time limits.

A client calls its own region only. STS is called in the region too, not at the global endpoint, which is us-east-1.
"""

import threading
from typing import Any

import botocore.session
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import ConfigParseError, ProfileNotFound

from operations.support.errors import NoLoginError

CONNECT_TIMEOUT_SECONDS = 2
ATTEMPTS = 2
"""Writes carry an idempotency token. Source: Amazon DynamoDB API Reference, TransactWriteItems."""

Client = Any
"""boto3 creates its client classes at run time."""


class Clients:
    """The clients of all regions; thread-safe. They share one session, because loading it is slow."""

    def __init__(self, session: Session | None = None) -> None:
        """Load the AWS configuration.

        Raises:
            NoLoginError: AWS_PROFILE names no profile, or the configuration file is malformed.
        """
        core = botocore.session.get_session()
        core.set_config_variable("sts_regional_endpoints", "regional")
        try:
            self._session = session or Session(botocore_session=core)
        except (ProfileNotFound, ConfigParseError) as error:
            raise NoLoginError(
                f"AWS_PROFILE: {error}", hint="Set AWS_PROFILE to a profile of `aws configure list-profiles`."
            ) from error
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str, float, int], Client] = {}

    def get(self, service: str, region: str, *, read_timeout: float, attempts: int = ATTEMPTS) -> Client:
        """Return a region's client; `read_timeout` is in seconds."""
        key = (service, region, read_timeout, attempts)
        # Creating a client is not thread-safe and may search for credentials for seconds.
        with self._lock:
            if key not in self._clients:
                config = Config(
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    read_timeout=read_timeout,
                    retries={"total_max_attempts": attempts, "mode": "standard"},
                    max_pool_connections=16,
                )
                make: Any = self._session.client
                self._clients[key] = make(service, region_name=region, config=config)
            return self._clients[key]

    def access_key(self) -> str | None:
        """Return the access key's id; None without credentials."""
        credentials = self._session.get_credentials()
        return None if credentials is None else credentials.access_key
