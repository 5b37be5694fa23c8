"""The write workload: a client that inserts rows through `writer.<zone>` and records every attempt.

A row counts as acknowledged only after its commit was acknowledged. An attempt with an unknown outcome is repeated with the
same row id; the primary key makes that harmless.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pymysql

ROW_TABLE = "ledger_entry"
COLUMNS = "id BIGINT PRIMARY KEY, amount_cents BIGINT NOT NULL, written_at DATETIME(6) NOT NULL"
CREATE_TABLE = f"CREATE TABLE IF NOT EXISTS {ROW_TABLE} ({COLUMNS})"
INSERT_ROW = (
    f"INSERT INTO {ROW_TABLE} (id, amount_cents, written_at) VALUES (%s, %s, UTC_TIMESTAMP(6)) "
    "ON DUPLICATE KEY UPDATE amount_cents = VALUES(amount_cents)"
)
SELECT_IDS = f"SELECT id FROM {ROW_TABLE}"
CHECK_SECONDS = 5.0
"""Least timeout of the queries that check a database."""


@dataclass(frozen=True, kw_only=True)
class NameAnswer:
    """A resolver's answer: the database endpoint and its TTL."""

    endpoint: str
    ttl_seconds: float


@dataclass(frozen=True, kw_only=True)
class WorkloadLogin:
    """Login and database of the client; the password is not part of the representation."""

    username: str
    password: str = field(repr=False)
    database: str


@dataclass(frozen=True, kw_only=True)
class WriteAttempt:
    """One attempt to write a row: its end (seconds of the injected clock), its endpoint, and its error if it failed."""

    row_id: int
    at_seconds: float
    endpoint: str | None
    failure: str | None

    @property
    def acknowledged(self) -> bool:
        """Whether the commit was acknowledged."""
        return self.failure is None


@dataclass(kw_only=True)
class WriteWorkload:
    """Writes rows at a steady pace until it is stopped.

    Args:
        writer_name: DNS name of the writer.
        resolve: resolves a name as seen from the client's region. Raises OSError without an answer.
        address: returns host and port of an endpoint. Raises OSError for an unknown one.
        pace_seconds: pause between two rows.
        attempt_seconds: timeout of one connection or statement.
        on_attempt: called after every attempt, in the client's thread.
    """

    writer_name: str
    login: WorkloadLogin
    resolve: Callable[[str], NameAnswer]
    address: Callable[[str], tuple[str, int]]
    tls: ssl.SSLContext
    pace_seconds: float
    attempt_seconds: float
    clock: Callable[[], float] = time.time
    on_attempt: Callable[[WriteAttempt], None] | None = None
    attempts: list[WriteAttempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._connection: pymysql.Connection | None = None
        self._endpoint: str | None = None
        self._answer: NameAnswer | None = None
        self._answered_at = 0.0
        self._next_id = 1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="workload", daemon=True)

    def start(self) -> None:
        """Create the table, then start writing. Raises OSError or pymysql.Error if the first connection fails."""
        connection = self._connect()
        with connection.cursor() as cursor:
            cursor.execute(CREATE_TABLE)
        connection.commit()
        self._thread.start()

    def stop(self) -> None:
        """Stop writing and close the connection."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self.attempt_seconds * 4 + 1)
        self._drop_connection()

    def acknowledged_rows(self) -> dict[int, float]:
        """Return each acknowledged row id with the time of its acknowledgement."""
        return {attempt.row_id: attempt.at_seconds for attempt in tuple(self.attempts) if attempt.acknowledged}

    def present_rows(self, endpoint: str) -> set[int]:
        """Return the row ids in the database behind an endpoint. Raises pymysql.Error or OSError."""
        connection = self._open(endpoint, seconds=max(CHECK_SECONDS, self.attempt_seconds))
        try:
            with connection.cursor() as cursor:
                cursor.execute(SELECT_IDS)
                return {int(row[0]) for row in cursor.fetchall()}
        finally:
            _close(connection)

    def read_only(self, endpoint: str) -> bool | None:
        """Return `@@innodb_read_only` behind an endpoint, over a new connection; None if it cannot be read."""
        try:
            connection = self._open(endpoint, seconds=max(CHECK_SECONDS, self.attempt_seconds))
        except (OSError, pymysql.Error):
            return None
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT @@innodb_read_only")
                row = cursor.fetchone()
                return None if row is None or row[0] is None else bool(int(row[0]))
        except (OSError, pymysql.Error):
            return None
        finally:
            _close(connection)

    def _run(self) -> None:
        while not self._stop.is_set():
            attempt = self._write(self._next_id)
            if attempt.acknowledged:
                self._next_id += 1
            self.attempts.append(attempt)
            if self.on_attempt is not None:
                self.on_attempt(attempt)
            self._stop.wait(self.pace_seconds)

    def _write(self, row_id: int) -> WriteAttempt:
        failure = None
        try:
            connection = self._connect()
            with connection.cursor() as cursor:
                cursor.execute(INSERT_ROW, (row_id, row_id * 100))
            connection.commit()
        except (OSError, pymysql.Error) as error:
            failure = f"{type(error).__name__}: {error}"
            self._drop_connection()
        return WriteAttempt(row_id=row_id, at_seconds=self.clock(), endpoint=self._endpoint, failure=failure)

    def _connect(self) -> pymysql.Connection:
        """Return the open connection while the DNS name resolves to its endpoint, else a new one."""
        endpoint = self._endpoint_of_writer()
        if self._connection is not None and endpoint == self._endpoint:
            return self._connection
        self._drop_connection()
        self._endpoint = endpoint
        self._connection = self._open(endpoint, seconds=self.attempt_seconds)
        return self._connection

    def _endpoint_of_writer(self) -> str:
        if self._answer is None or self.clock() - self._answered_at >= self._answer.ttl_seconds:
            self._answer = self.resolve(self.writer_name)
            self._answered_at = self.clock()
        return self._answer.endpoint

    def _open(self, endpoint: str, *, seconds: float) -> pymysql.Connection:
        host, port = self.address(endpoint)
        sock = socket.create_connection((host, port), timeout=seconds)
        connection = pymysql.Connection(
            host=endpoint,
            port=port,
            user=self.login.username,
            password=self.login.password,
            database=self.login.database,
            ssl=self.tls,
            connect_timeout=seconds,
            read_timeout=seconds,
            write_timeout=seconds,
            defer_connect=True,
        )
        try:
            connection.connect(sock=sock)
        except BaseException:
            sock.close()
            raise
        return connection

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            _close(connection)


def _close(connection: pymysql.Connection) -> None:
    with contextlib.suppress(pymysql.Error, OSError):
        connection.close()
