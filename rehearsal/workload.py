"""The write workload: clients that insert rows through `writer.<zone>` and record every attempt.

One client has the pool that docs/connecting.md advises; the other one has SQLAlchemy's defaults and no timeouts.
A row counts as acknowledged only after its commit was acknowledged. An attempt with an unknown outcome is repeated with the
same row id; the primary key makes that harmless.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pymysql
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError

from rehearsal.client_pool import back_off, writer_pool

ROW_TABLE = "ledger_entry"
UNADVISED_TABLE = "ledger_entry_unadvised"
"""The rows of the client without the advice, apart from those that the drills count."""
COLUMNS = "id BIGINT PRIMARY KEY, amount_cents BIGINT NOT NULL, written_at DATETIME(6) NOT NULL"
CREATE_TABLE = "CREATE TABLE IF NOT EXISTS {table} ({columns})"
INSERT_ROW = (
    "INSERT INTO {table} (id, amount_cents, written_at) VALUES (%s, %s, UTC_TIMESTAMP(6)) "
    "ON DUPLICATE KEY UPDATE amount_cents = VALUES(amount_cents)"
)
FAILURES = (OSError, pymysql.Error, SQLAlchemyError)
"""Errors of a connection or a statement."""
SELECT_IDS = f"SELECT id FROM {ROW_TABLE}"
POOL_RECYCLE_SECONDS = 300.0
"""The greatest age of a connection, as docs/connecting.md advises."""
DEFAULT_CONNECT_SECONDS = 10.0
"""PyMySQL's default timeout of a connection."""
CHECK_SECONDS = 5.0
"""Least timeout of the queries that check a database."""


# The pool logs a traceback for each connection that it loses. An attempt has the error; the console is for the drills.
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())


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
        attempt_seconds: returns the timeout of one connection or statement.
        time_scale: returns by how much the pool's times are shorter than on the page.
        advised: whether the client follows docs/connecting.md. If not, it has SQLAlchemy's default pool and no timeout.
        on_attempt: called after every attempt, in the client's thread.
    """

    writer_name: str
    login: WorkloadLogin
    resolve: Callable[[str], NameAnswer]
    address: Callable[[str], tuple[str, int]]
    tls: ssl.SSLContext
    pace_seconds: float
    attempt_seconds: Callable[[], float]
    time_scale: Callable[[], float] = lambda: 1.0
    advised: bool = True
    clock: Callable[[], float] = time.time
    on_attempt: Callable[[WriteAttempt], None] | None = None
    attempts: list[WriteAttempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._table = ROW_TABLE if self.advised else UNADVISED_TABLE
        self._engine: Engine | None = None
        self._endpoint: str | None = None
        self._answer: NameAnswer | None = None
        self._answered_at = 0.0
        self._next_id = 1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="workload", daemon=True)

    def start(self) -> None:
        """Create the table, then start writing. Raises one of FAILURES if the first connection fails."""
        self._engine = self._pool()
        with self._engine.begin() as connection:
            connection.exec_driver_sql(CREATE_TABLE.format(table=self._table, columns=COLUMNS))
        self._thread.start()

    def stop(self) -> None:
        """Stop writing and close the pool. A client without timeouts may hang, and ends when its connection does."""
        self._stop.set()
        if self._thread.is_alive() and self.advised:
            self._thread.join(timeout=self.attempt_seconds() * 4 + 1)
        if self._engine is not None:
            self._engine.dispose()

    def acknowledged_rows(self) -> dict[int, float]:
        """Return each acknowledged row id with the time of its acknowledgement."""
        return {attempt.row_id: attempt.at_seconds for attempt in tuple(self.attempts) if attempt.acknowledged}

    def present_rows(self, endpoint: str) -> set[int]:
        """Return the row ids in the database behind an endpoint. Raises pymysql.Error or OSError."""
        connection = self._open(endpoint, seconds=max(CHECK_SECONDS, self.attempt_seconds()))
        try:
            with connection.cursor() as cursor:
                cursor.execute(SELECT_IDS)
                return {int(row[0]) for row in cursor.fetchall()}
        finally:
            _close(connection)

    def read_only(self, endpoint: str) -> bool | None:
        """Return `@@innodb_read_only` behind an endpoint, over a new connection; None if it cannot be read."""
        try:
            connection = self._open(endpoint, seconds=max(CHECK_SECONDS, self.attempt_seconds()))
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
        pauses = back_off()
        while not self._stop.is_set():
            attempt = self._write(self._next_id)
            if attempt.acknowledged:
                self._next_id += 1
            self.attempts.append(attempt)
            if self.on_attempt is not None:
                self.on_attempt(attempt)
            if attempt.acknowledged or not self.advised:
                pauses = back_off()
                self._stop.wait(self.pace_seconds)
            else:
                self._stop.wait(next(pauses) / self.time_scale())

    def _pool(self) -> Engine:
        if self.advised:
            return writer_pool(self._connect, recycle_seconds=POOL_RECYCLE_SECONDS / self.time_scale())
        return create_engine("mysql+pymysql://", creator=self._connect)

    def _write(self, row_id: int) -> WriteAttempt:
        assert self._engine is not None
        failure = None
        try:
            with self._engine.begin() as connection:
                self._endpoint = getattr(connection.connection.dbapi_connection, "host", None)
                connection.exec_driver_sql(INSERT_ROW.format(table=self._table), (row_id, row_id * 100))
        except FAILURES as error:
            failure = f"{type(error).__name__}: {error}".partition("\n")[0]
        return WriteAttempt(row_id=row_id, at_seconds=self.clock(), endpoint=self._endpoint, failure=failure)

    def _connect(self) -> pymysql.Connection:
        """Resolve the name, and connect to the canonical name, which the certificate contains."""
        self._endpoint = self._endpoint_of_writer()
        return self._open(self._endpoint, seconds=self.attempt_seconds() if self.advised else None)

    def _endpoint_of_writer(self) -> str:
        if self._answer is None or self.clock() - self._answered_at >= self._answer.ttl_seconds:
            self._answer = self.resolve(self.writer_name)
            self._answered_at = self.clock()
        return self._answer.endpoint

    def _open(self, endpoint: str, *, seconds: float | None) -> pymysql.Connection:
        """Connect with one timeout for everything, or with PyMySQL's defaults: none for reads and writes."""
        host, port = self.address(endpoint)
        connect_seconds = DEFAULT_CONNECT_SECONDS if seconds is None else seconds
        sock = socket.create_connection((host, port), timeout=connect_seconds)
        connection = pymysql.Connection(
            host=endpoint,
            port=port,
            user=self.login.username,
            password=self.login.password,
            database=self.login.database,
            ssl=self.tls,
            connect_timeout=connect_seconds,
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


def _close(connection: pymysql.Connection) -> None:
    with contextlib.suppress(pymysql.Error, OSError):
        connection.close()
