"""What is asked of one database, in which order.

Owns: the connection (TCP, TLS, log-in by IAM token), the questions, the heartbeat.
Does not own: the deadline (attempt.py, deadline.py), what the answers mean for a failover (the controller).
Invariant: the role comes from @@innodb_read_only, never from the request; what was learnt before a failure is kept; a
connection that works is closed with COM_QUIT.
"""

import json
import logging
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pymysql
from pymysql.cursors import Cursor

from .attempt import Attempt
from .failure import describe
from .model import Target

logger = logging.getLogger(__name__)


def trusting(ca_bundle: Path) -> ssl.SSLContext:
    """Return a TLS context that trusts this bundle alone, and checks the name (about 10 ms: once per process)."""
    context = ssl.create_default_context(cafile=str(ca_bundle))
    # Python 3.13 also enforces RFC 5280's form. A certificate of AWS that is sound but odd must not look like an outage.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class Prober:
    """Probes targets as one user, writing heartbeats in the name of one region."""

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

    def probe(self, attempt: Attempt) -> None:
        """Learn what there is to learn and note it in the attempt. Raises nothing: a failure is noted too."""
        connection: pymysql.Connection | None = None
        try:
            connection = self._connect(attempt)
            with connection.cursor() as cursor:
                self._ask(cursor, attempt)
        # PyMySQL meets a peer that isn't MySQL with any exception; whichever it is, it is an answer about this target.
        except Exception as error:  # noqa: BLE001
            attempt.note(failure=describe(error, attempt.stage, logged_in=attempt.is_logged_in))
        finally:
            if connection is not None and connection.open:
                with suppress(pymysql.MySQLError, OSError):
                    connection.close()
            attempt.release()

    def _connect(self, attempt: Attempt) -> pymysql.Connection:
        target = attempt.target
        password = self._token(target)
        started_at = time.monotonic()
        sock = _connected_socket(attempt)
        attempt.enter("log-in")
        remaining = attempt.remaining_seconds()
        connection = pymysql.connect(
            host=target.host,
            port=target.port,
            user=self._user,
            password=password,
            ssl=self._tls,
            charset="utf8mb4",
            autocommit=True,
            read_timeout=remaining,
            write_timeout=remaining,
            program_name="health_check",
            defer_connect=True,
        )
        try:
            connection.connect(sock)
        except BaseException:
            sock.close()
            raise
        attempt.note(reachable=True, connect_ms=_milliseconds_since(started_at))
        return connection

    def _ask(self, cursor: Cursor, attempt: Attempt) -> None:
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
            )  # autocommit: the answer is the commit
            attempt.note(heartbeat_write_ms=_milliseconds_since(started_at))
        attempt.enter("heartbeat read")
        cursor.execute(
            "SELECT MAX(written_at), TIMESTAMPDIFF(MICROSECOND, MAX(written_at), UTC_TIMESTAMP(6)) "
            f"FROM {self._heartbeat_table}"
        )
        newest, age_us = _row(cursor)
        if isinstance(newest, datetime):
            age_ms = round(int(str(age_us)) / 1000, 3)
            attempt.note(heartbeat_at=newest.replace(tzinfo=UTC).isoformat(), heartbeat_age_ms=age_ms)
        if attempt.target.sources:
            self._ask_sources(cursor, attempt)
        attempt.complete()
        if read_only:
            self._ask_lag(cursor, attempt)

    def _ask_sources(self, cursor: Cursor, attempt: Attempt) -> None:
        """Note who wrote heartbeats: whether the database writes its own can't be told from the newest alone."""
        attempt.enter("heartbeat sources")
        cursor.execute(f"SELECT source_region, written_at FROM {self._heartbeat_table}")
        rows = [row for row in cursor.fetchall() if isinstance(row[1], datetime)]
        attempt.note(heartbeat_sources={str(who): at.replace(tzinfo=UTC).isoformat() for who, at in rows})

    def _ask_lag(self, cursor: Cursor, attempt: Attempt) -> None:
        """Note the lag columns of the target's own region. They are a bonus: without them the probe has not failed.

        Source: "Aurora MySQL-specific information_schema tables" (Amazon Aurora user guide).
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


def _connected_socket(attempt: Attempt) -> socket.socket:
    """Return a TCP connection to the target, trying each of its addresses within what is left of the deadline."""
    attempt.enter("name resolution")
    target = attempt.target
    addresses = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    attempt.enter("connect")
    problem: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            attempt.watch(sock)
            sock.settimeout(attempt.remaining_seconds())
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            problem = error
            if isinstance(error, TimeoutError):
                break
            continue
        return sock
    raise problem


def _row(cursor: Cursor) -> tuple[object, ...]:
    row = cursor.fetchone()
    if not isinstance(row, tuple):
        raise pymysql.OperationalError(0, "the database answered without a row")
    return row


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float | Decimal) else None


def _milliseconds_since(moment: float) -> float:
    return round((time.monotonic() - moment) * 1000, 3)
