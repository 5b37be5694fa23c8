"""Classification of exceptions as a ProbeFailure. The detail holds no secret."""

import socket
import ssl
from collections.abc import Iterator

import pymysql

from .model import ProbeFailure

_LOST_CONNECTION = {2003, 2006, 2013, 2055}
_BY_NUMBER = {
    **dict.fromkeys((1044, 1045, 1130, 1142, 1143, 1227, 1370, 1698, 3118, 3159), ProbeFailure.ACCESS_DENIED),
    **dict.fromkeys((1040, 1203, 1226), ProbeFailure.TOO_MANY_CONNECTIONS),
    1129: ProbeFailure.HOST_BLOCKED,
    3032: ProbeFailure.OFFLINE,
    **dict.fromkeys((1290, 1792, 1836), ProbeFailure.READ_ONLY_HEARTBEAT),
    2026: ProbeFailure.TLS,
}
_LONGEST_DETAIL = 200


def describe(error: BaseException, stage: str, *, logged_in: bool) -> str:
    """Return `<failure>: <stage>: <detail>`."""
    detail = " ".join(str(error).split())[:_LONGEST_DETAIL] or type(error).__name__
    return f"{classify(error, logged_in=logged_in)}: {stage}: {detail}"


def classify(error: BaseException, *, logged_in: bool) -> ProbeFailure:
    """Return the failure for an error of the network, TLS, PyMySQL or the server."""
    for cause in _causes(error):
        if failure := _network_failure(cause):
            return failure
    number = error.args[0] if isinstance(error, pymysql.MySQLError) and error.args else None
    if number in _BY_NUMBER:
        return _BY_NUMBER[number]
    if number in _LOST_CONNECTION:
        return ProbeFailure.RESET
    if logged_in and isinstance(error, pymysql.MySQLError) and not isinstance(error, pymysql.InternalError):
        return ProbeFailure.QUERY_FAILED
    return ProbeFailure.PROTOCOL


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes. PyMySQL wraps network errors in three different ways."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = getattr(current, "original_exception", None) or current.__cause__ or current.__context__


def _network_failure(error: BaseException) -> ProbeFailure | None:
    if isinstance(error, socket.gaierror):
        return ProbeFailure.NAME_RESOLUTION
    if isinstance(error, TimeoutError):
        return ProbeFailure.TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return ProbeFailure.REFUSED
    if isinstance(error, ConnectionError | ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return ProbeFailure.RESET
    if isinstance(error, ssl.SSLError | ssl.CertificateError):
        return ProbeFailure.TLS
    return ProbeFailure.UNREACHABLE if isinstance(error, OSError) else None
