"""The connection to a database that may have come up a moment ago.

Owns: TLS, time-outs, trying again; as whom the function logs in, and where the writer is.
Does not own: what is asked (setup.py).
Invariant: only what time can heal is tried again; a refused log-in is not. No error holds the password.
"""

import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pymysql

from .model import Endpoint, SetupError, SetupRequest
from .token import signed_token

PATIENCE_SECONDS = 40.0
"""How long a database that doesn't answer is asked again: below the function's limit of 60 s, with time left to work."""

_PAUSE_SECONDS = 2.0
_CONNECT_SECONDS = 10.0
_CONNECT_AS_ITSELF_SECONDS = 3.0
"""Short: a region may be gone, and the master user's turn must still fit into the function's limit."""
_ANSWER_SECONDS = 10.0
_NETWORK_ERRORS = {2003, 2006, 2013}


def trusting(ca_bundle: Path) -> ssl.SSLContext:
    """Return a TLS context that trusts this bundle alone, and checks the name."""
    context = ssl.create_default_context(cafile=str(ca_bundle))
    # Python 3.13 also enforces RFC 5280's form. A certificate of AWS that is sound but odd must not stop a deployment.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def connect_to_writer(
    request: SetupRequest, clusters: tuple[Endpoint, ...], own_user: str, tls: ssl.SSLContext
) -> pymysql.Connection:
    """Return a connection to the writer, as the function's own user; as the master user while there is none.

    So the password matters on the first day alone: it may be rotated, and the writer may move, and a later run still works.

    Raises:
        SetupError: both are refused, can't trust the server, or get no answer in time.
    """
    refusals: list[str] = []
    for endpoint in clusters:
        try:
            connection = _connect_as_itself(endpoint, own_user, tls)
            if _is_writer(connection):
                return connection
            connection.close()
            refusals.append(f"{own_user} at {endpoint.host}: it is a reader")
        except (pymysql.MySQLError, OSError) as error:
            refusals.append(f"{own_user} at {endpoint.host}: {worded(error, request)}")
    try:
        return connect(request, tls)
    except SetupError as error:
        # As the last words, so that the reason comes first.
        raise SetupError("; ".join([str(error), *refusals])) from None


def _connect_as_itself(endpoint: Endpoint, user: str, tls: ssl.SSLContext) -> pymysql.Connection:
    return pymysql.connect(
        host=endpoint.host,
        port=endpoint.port,
        user=user,
        password=signed_token(endpoint, user),
        ssl=tls,
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=_CONNECT_AS_ITSELF_SECONDS,
        read_timeout=_ANSWER_SECONDS,
        write_timeout=_ANSWER_SECONDS,
        program_name="database_setup",
    )


def _is_writer(connection: pymysql.Connection) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@innodb_read_only")
        row = cursor.fetchone()
    return isinstance(row, tuple) and not row[0]


def connect(
    request: SetupRequest,
    tls: ssl.SSLContext,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> pymysql.Connection:
    """Return a connection as the master user, over TLS with the name checked.

    Raises:
        SetupError: it refuses us, can't be trusted, or doesn't answer in time.
    """
    gives_up_at = clock() + PATIENCE_SECONDS
    while True:
        try:
            return pymysql.connect(
                host=request.host,
                port=request.port,
                user=request.username,
                password=request.password,
                ssl=tls,
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_ANSWER_SECONDS,
                write_timeout=_ANSWER_SECONDS,
                program_name="database_setup",
            )
        except (pymysql.MySQLError, OSError) as error:
            if not _may_heal(error) or clock() + _PAUSE_SECONDS >= gives_up_at:
                raise SetupError(f"{request.host}:{request.port}: {worded(error, request)}") from None
        sleep(_PAUSE_SECONDS)


def worded(error: BaseException, request: SetupRequest) -> str:
    """Return an error's text on one line, without the password, should anything have put it there."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.replace(request.password, "<password>")[:300]


def _may_heal(error: BaseException) -> bool:
    cause = getattr(error, "original_exception", error)
    if isinstance(cause, ssl.SSLError | ssl.CertificateError):
        return False
    number = error.args[0] if isinstance(error, pymysql.MySQLError) and error.args else None
    return isinstance(error, OSError) or number in _NETWORK_ERRORS
