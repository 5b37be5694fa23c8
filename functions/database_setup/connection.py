"""Connections to a database that may have started moments ago."""

import ssl
import time
from collections.abc import Callable
from typing import Any

import pymysql

from ..shared.database_session import session_options
from .model import Endpoint, SetupError, SetupRequest

RETRY_SECONDS = 40.0
"""How long an unreachable database is retried: the function's time-out of 60 s leaves 20 s for the setup."""

_PAUSE_SECONDS = 2.0
_CONNECT_SECONDS = 10.0
_CONNECT_AS_OWN_USER_SECONDS = 3.0
"""Short, as a region may be unreachable and the log-in as master user must still fit into the function's time-out."""
_ANSWER_SECONDS = 10.0
_NETWORK_ERRORS = {2003, 2006, 2013}


def connect_to_writer(
    request: SetupRequest, clusters: tuple[Endpoint, ...], own_user: str, tls: ssl.SSLContext
) -> pymysql.Connection:
    """Return a connection to the writer as the function's own user, or as master user if that fails.

    Runs after the first therefore work with a rotated password, and after a failover.

    Raises:
        SetupError: both log-ins fail.
    """
    failures: list[str] = []
    for endpoint in clusters:
        try:
            connection = _connect_as_own_user(endpoint, own_user, tls)
            if _is_writer(connection):
                return connection
            connection.close()
            failures.append(f"{own_user} at {endpoint.host}: is a reader")
        except (pymysql.MySQLError, OSError) as error:
            failures.append(f"{own_user} at {endpoint.host}: {describe_error(error, request)}")
    try:
        return connect(request, tls)
    except SetupError as error:
        raise SetupError("; ".join([str(error), *failures])) from None


def connect(
    request: SetupRequest,
    tls: ssl.SSLContext,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> pymysql.Connection:
    """Return a connection as the master user. Network errors are retried; a refused log-in and a TLS error are not.

    Raises:
        SetupError: the log-in or the certificate is refused, or the database is still unreachable after RETRY_SECONDS.
    """
    give_up_at = clock() + RETRY_SECONDS
    while True:
        try:
            connection = pymysql.connect(
                host=request.host,
                port=request.port,
                user=request.username,
                password=request.password,
                connect_timeout=_CONNECT_SECONDS,
                **_options(tls),
            )
            with connection.cursor() as cursor:
                # The master user's privileges come from a role; activate_all_roles_on_login may be off.
                cursor.execute("SET ROLE ALL")
            return connection
        except (pymysql.MySQLError, OSError) as error:
            if not _is_network_error(error) or clock() + _PAUSE_SECONDS >= give_up_at:
                raise SetupError(f"{request.host}:{request.port}: {describe_error(error, request)}") from None
        sleep(_PAUSE_SECONDS)


def describe_error(error: BaseException, request: SetupRequest) -> str:
    """Return an error's text on one line, with the password masked."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.replace(request.password, "<password>")[:300]


def _connect_as_own_user(endpoint: Endpoint, user: str, tls: ssl.SSLContext) -> pymysql.Connection:
    # Deferred: importing botocore doubles the time of a cold start.
    from ..shared.iam_token import sign_token

    return pymysql.connect(
        host=endpoint.host,
        port=endpoint.port,
        user=user,
        password=sign_token(host=endpoint.host, port=endpoint.port, region=endpoint.region, user=user),
        connect_timeout=_CONNECT_AS_OWN_USER_SECONDS,
        **_options(tls),
    )


def _options(tls: ssl.SSLContext) -> dict[str, Any]:
    return {
        **session_options(tls, "database_setup"),
        "read_timeout": _ANSWER_SECONDS,
        "write_timeout": _ANSWER_SECONDS,
    }


def _is_writer(connection: pymysql.Connection) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@innodb_read_only")
        row = cursor.fetchone()
    return isinstance(row, tuple) and not row[0]


def _is_network_error(error: BaseException) -> bool:
    cause = getattr(error, "original_exception", error)
    if isinstance(cause, ssl.SSLError | ssl.CertificateError):
        return False
    number = error.args[0] if isinstance(error, pymysql.MySQLError) and error.args else None
    return isinstance(error, OSError) or number in _NETWORK_ERRORS
