"""Probe of one database: connection, role, heartbeat and replication lag."""

import json
import logging
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pymysql
from pymysql.cursors import Cursor

from ..shared.database_session import session_options
from .attempt import ConnectionAttempt
from .failure import describe
from .model import Target

MAX_CLOCK_SKEW_SECONDS = 5
"""Maximum difference between the clocks of the writer and of a reader; a heartbeat further in the future is ignored."""

logger = logging.getLogger(__name__)


class Prober:
    """Probes targets as one database user and writes heartbeats with one region as source."""

    def __init__(
        self,
        *,
        region: str,
        user: str,
        heartbeat_database: str,
        tls: ssl.SSLContext,
        token: Callable[[Target], str],
    ) -> None:
        self._region = region
        self._user = user
        self._heartbeat_table = f"`{heartbeat_database}`.`heartbeat`"
        self._tls = tls
        self._token = token

    def probe(self, attempt: ConnectionAttempt) -> None:
        """Probe the attempt's target; values and failures are noted in the attempt."""
        connection: pymysql.Connection | None = None
        try:
            connection = self._connect(attempt)
            with connection.cursor() as cursor:
                self._query(cursor, attempt)
        # PyMySQL raises arbitrary exceptions if the peer does not speak MySQL.
        except Exception as error:  # noqa: BLE001
            attempt.note(failure=describe(error, attempt.stage, logged_in=attempt.is_logged_in))
        finally:
            if connection is not None and connection.open:
                with suppress(pymysql.MySQLError, OSError):
                    connection.close()
            attempt.release()

    def _connect(self, attempt: ConnectionAttempt) -> pymysql.Connection:
        target = attempt.target
        password = self._token(target)
        started_at = time.monotonic()
        sock = _connect_socket(attempt)
        attempt.enter("log-in")
        remaining = attempt.remaining_seconds()
        connection = pymysql.connect(
            host=target.host,
            port=target.port,
            user=self._user,
            password=password,
            read_timeout=remaining,
            write_timeout=remaining,
            defer_connect=True,
            **session_options(self._tls, "health_check"),
        )
        try:
            connection.connect(sock)
        except BaseException:
            sock.close()
            raise
        attempt.note(reachable=True, connect_ms=_milliseconds_since(started_at))
        return connection

    def _query(self, cursor: Cursor, attempt: ConnectionAttempt) -> None:
        attempt.enter("role")
        cursor.execute("SELECT @@innodb_read_only")
        read_only = bool(_row(cursor)[0])
        attempt.note(read_only=read_only)
        if not read_only:
            attempt.enter("heartbeat write")
            started_at = time.monotonic()
            cursor.execute(
                f"INSERT INTO {self._heartbeat_table} (source_region, written_at) VALUES (%s, UTC_TIMESTAMP(6)) "
                "ON DUPLICATE KEY UPDATE written_at = UTC_TIMESTAMP(6)",
                (self._region,),
            )  # autocommit: the answer confirms the commit
            attempt.note(heartbeat_write_ms=_milliseconds_since(started_at))
        attempt.enter("heartbeat read")
        cursor.execute(
            f"SELECT written_at, TIMESTAMPDIFF(MICROSECOND, written_at, UTC_TIMESTAMP(6)) FROM {self._heartbeat_table}"
        )
        found = [(row[0], int(str(row[1])) / 1e6) for row in cursor.fetchall() if isinstance(row[0], datetime)]
        # A row from the future would hide all others until its time has come. If all are from the future, the writer's
        # clock is ahead, and the newest one counts.
        usable = [row for row in found if row[1] >= -MAX_CLOCK_SKEW_SECONDS] or found
        if usable:
            newest, age_seconds = max(usable)
            attempt.note(
                heartbeat_at=newest.replace(tzinfo=UTC).isoformat(), heartbeat_age_ms=round(age_seconds * 1000, 3)
            )
        if attempt.target.sources:
            self._read_sources(cursor, attempt)
        attempt.complete()
        if read_only:
            self._read_lag(cursor, attempt)

    def _read_sources(self, cursor: Cursor, attempt: ConnectionAttempt) -> None:
        """Note the newest heartbeat of each source, which shows whether the database's event writes its own."""
        attempt.enter("heartbeat sources")
        cursor.execute(f"SELECT source_region, written_at FROM {self._heartbeat_table}")
        rows = [row for row in cursor.fetchall() if isinstance(row[1], datetime)]
        attempt.note(heartbeat_sources={str(source): at.replace(tzinfo=UTC).isoformat() for source, at in rows})

    def _read_lag(self, cursor: Cursor, attempt: ConnectionAttempt) -> None:
        """Note the lag of the target's region. A failure of this query does not fail the probe.

        Source: Aurora MySQL-specific information_schema tables, Amazon Aurora User Guide.
        """
        attempt.enter("lag")
        try:
            cursor.execute("SELECT * FROM information_schema.aurora_global_db_status")
        except (pymysql.MySQLError, OSError) as error:
            note = {"event": "lag-unknown", "cluster": attempt.target.cluster, "error": str(error)}
            logger.warning(json.dumps(note))
            return
        names = [column[0].upper() for column in cursor.description or ()]
        for values in cursor.fetchall():
            row = dict(zip(names, values, strict=True))
            if row.get("AWS_REGION") == attempt.target.region:
                attempt.note(
                    replication_lag_ms=_number(row.get("DURABILITY_LAG_IN_MILLISECONDS")),
                    rpo_lag_ms=_number(row.get("RPO_LAG_IN_MILLISECONDS")),
                )


def _connect_socket(attempt: ConnectionAttempt) -> socket.socket:
    """Return a TCP connection to the first of the target's addresses that accepts one before the deadline."""
    attempt.enter("name resolution")
    target = attempt.target
    addresses = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    attempt.enter("connect")
    failure: OSError = OSError("the host name has no address")
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            attempt.watch(sock)
            sock.settimeout(attempt.remaining_seconds())
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failure = error
            if isinstance(error, TimeoutError):
                break
            continue
        return sock
    raise failure


def _row(cursor: Cursor) -> tuple[object, ...]:
    row = cursor.fetchone()
    if not isinstance(row, tuple):
        raise pymysql.OperationalError(0, "the database answered without a row")
    return row


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float | Decimal) else None


def _milliseconds_since(start: float) -> float:
    return round((time.monotonic() - start) * 1000, 3)
