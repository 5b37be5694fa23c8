"""The client of the rehearsal: a payment ledger that keeps writing rows through the name `writer.<zone>`.

Owns: one connection at a time, the answer of the name for as long as its TTL allows, and an exact record of every row: when it
was acknowledged, and what failed meanwhile. Does not own: the database, DNS, or what is asserted of them.
Invariant: a row is counted as acknowledged only after its commit was answered; an attempt whose outcome is unknown is repeated
with the same row id, which the table's primary key makes harmless.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import pymysql

ROW_TABLE = "ledger_entry"
COLUMNS = "id BIGINT PRIMARY KEY, amount_cents BIGINT NOT NULL, written_at DATETIME(6) NOT NULL"
CREATE_TABLE = f"CREATE TABLE IF NOT EXISTS {ROW_TABLE} ({COLUMNS})"
INSERT_ROW = (
    f"INSERT INTO {ROW_TABLE} (id, amount_cents, written_at) VALUES (%s, %s, UTC_TIMESTAMP(6)) "
    "ON DUPLICATE KEY UPDATE amount_cents = VALUES(amount_cents)"
)
SELECT_IDS = f"SELECT id FROM {ROW_TABLE}"
LOOK_SECONDS = 5.0
"""What a look at a database that should answer may take at least, however busy the machine is."""


@dataclass(frozen=True, kw_only=True)
class NameAnswer:
    """What a resolver says of a name: the database endpoint behind it, and for how many seconds that may be believed."""

    endpoint: str
    ttl_seconds: float


class NameService(Protocol):
    """Answers `writer.<zone>` as the client's region sees it."""

    def __call__(self, name: str) -> NameAnswer:
        """Resolve the name. Raises OSError when there is no answer."""
        ...


class AddressBook(Protocol):
    """Says where a database endpoint listens for a client in its region."""

    def __call__(self, endpoint: str) -> tuple[str, int]:
        """Return host and port. Raises OSError for an unknown name."""
        ...


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Who the ledger logs in as; the password never appears in a representation."""

    username: str
    password: str = field(repr=False)
    database: str


@dataclass(frozen=True, kw_only=True)
class WriteAttempt:
    """One attempt to write a row: when it ended (seconds of the injected clock), on which endpoint, and why it failed, if it did."""

    row_id: int
    at_seconds: float
    endpoint: str | None
    failure: str | None

    @property
    def acknowledged(self) -> bool:
        """Whether the commit was answered."""
        return self.failure is None


@dataclass(kw_only=True)
class WriteWorkload:
    """Keeps writing rows at a steady pace until it is stopped.

    Args:
        writer_name: the DNS name the client writes through.
        pace_seconds: pause between two rows.
        attempt_seconds: how long one connection or statement may take before it counts as failed.
        on_attempt: told of every attempt, from the client's own thread.
    """

    writer_name: str
    credentials: Credentials
    resolve: NameService
    address: AddressBook
    tls: ssl.SSLContext
    pace_seconds: float
    attempt_seconds: float
    clock: Callable[[], float] = time.time
    on_attempt: Callable[[WriteAttempt], None] | None = None
    attempts: list[WriteAttempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare the thread; nothing is written before start()."""
        self._connection: pymysql.Connection | None = None
        self._endpoint: str | None = None
        self._answer: NameAnswer | None = None
        self._answered_at = 0.0
        self._next_id = 1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        """Create the table through the writer's name, then begin to write. Raises OSError or pymysql.Error if the first contact fails."""
        connection = self._connect()
        with connection.cursor() as cursor:
            cursor.execute(CREATE_TABLE)
        connection.commit()
        self._thread.start()

    def stop(self) -> None:
        """Stop writing and close the connection; the record stays."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self.attempt_seconds * 4 + 1)
        self._drop_connection()

    def acknowledged_rows(self) -> dict[int, float]:
        """Every acknowledged row id with the second at which its commit was answered."""
        return {attempt.row_id: attempt.at_seconds for attempt in tuple(self.attempts) if attempt.acknowledged}

    def present_rows(self, endpoint: str) -> set[int]:
        """The row ids that the database behind an endpoint holds now. Raises pymysql.Error or OSError when it can't be read."""
        connection = self._open(endpoint, seconds=max(LOOK_SECONDS, self.attempt_seconds))
        try:
            with connection.cursor() as cursor:
                cursor.execute(SELECT_IDS)
                return {int(row[0]) for row in cursor.fetchall()}
        finally:
            _close(connection)

    def read_only(self, endpoint: str) -> bool | None:
        """`@@innodb_read_only` behind an endpoint, asked over a connection of its own; None when it can't be asked."""
        try:
            connection = self._open(endpoint, seconds=max(LOOK_SECONDS, self.attempt_seconds))
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
        """Keep the connection while the name still points at its endpoint; otherwise open a new one."""
        endpoint = self._resolved()
        if self._connection is not None and endpoint == self._endpoint:
            return self._connection
        self._drop_connection()
        self._endpoint = endpoint
        self._connection = self._open(endpoint, seconds=self.attempt_seconds)
        return self._connection

    def _resolved(self) -> str:
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
            user=self.credentials.username,
            password=self.credentials.password,
            database=self.credentials.database,
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
    """Say goodbye if that still can be said; the socket is closed in any case."""
    with contextlib.suppress(pymysql.Error, OSError):
        connection.close()
