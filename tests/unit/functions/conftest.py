"""Databases for the functions' tests: emulated Aurora clusters, a scripted server and raw sockets."""

import contextlib
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rehearsal.aurora.global_database import Cluster, GlobalDatabase, MasterLogin
from rehearsal.aurora.server import MySQLListener, MySQLServer
from rehearsal.network.certificates import CertificateAuthority
from tests.support.waiting import WAIT_SECONDS

ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLE", "a/secret+key"
MASTER = MasterLogin(name="admin", password="correct-horse_battery%staple")


@dataclass(kw_only=True)
class World:
    """A global database of two clusters, each with one listener on loopback, known as localhost and its own port."""

    global_database: GlobalDatabase
    writer: Cluster
    reader: Cluster
    server: MySQLServer
    writer_listener: MySQLListener
    reader_listener: MySQLListener
    authority: CertificateAuthority

    def target(self, cluster: Cluster) -> dict[str, object]:
        """Return a request's target for one of the two."""
        listener = self.writer_listener if cluster is self.writer else self.reader_listener
        return {"cluster": cluster.id, "region": cluster.region, "host": "localhost", "port": listener.port}

    def prepare_heartbeat(self) -> None:
        """Create the objects that database_setup creates."""
        for statement in (
            "CREATE DATABASE IF NOT EXISTS failover",
            "CREATE TABLE IF NOT EXISTS failover.heartbeat "
            "(source_region VARCHAR(32) PRIMARY KEY, written_at DATETIME(6) NOT NULL)",
            "CREATE USER IF NOT EXISTS 'health_check'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL",
            "GRANT SELECT, INSERT, UPDATE ON failover.heartbeat TO 'health_check'@'%'",
        ):
            self.writer.execute(statement)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """A CA for the whole run."""
    return CertificateAuthority.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def world(authority: CertificateAuthority) -> Iterator[World]:
    """A new global database without replication lag that holds only its master user."""
    database = GlobalDatabase(clock=time.time, replication_lag_seconds=0.0)
    writer = database.add_cluster("payments-us-east-1-dev", "us-east-1", writer=True, master=MASTER)
    reader = database.add_cluster("payments-eu-west-1-dev", "eu-west-1", writer=False)
    tls = authority.server_context(["localhost"])
    with MySQLServer(secret_key_of={ACCESS_KEY: SECRET_KEY}.get) as server:
        listeners = [
            server.listen(cluster, host_names=["localhost"], ssl_context=tls, endpoint_port=None)
            for cluster in (writer, reader)
        ]
        yield World(
            global_database=database,
            writer=writer,
            reader=reader,
            server=server,
            writer_listener=listeners[0],
            reader_listener=listeners[1],
            authority=authority,
        )
    database.close()


@pytest.fixture
def lambda_environment(monkeypatch: pytest.MonkeyPatch, authority: CertificateAuthority) -> None:
    """Set the environment variables that Lambda and the program give a function."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in {
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": "a/session+token==",
        "DATABASE_USER": "health_check",
        "HEALTH_CHECK_USER": "health_check",
        "HEARTBEAT_DATABASE": "failover",
        "DATABASE": "pay_ments",
        "CA_BUNDLE": str(authority.bundle),
    }.items():
        monkeypatch.setenv(name, value)


@dataclass(kw_only=True)
class RawServer:
    """A listening loopback socket that handles each connection with `behave` in its own thread."""

    behave: Callable[[socket.socket], None] | None
    listening: socket.socket
    threads: list[threading.Thread] = field(default_factory=list)
    peer_is_gone: threading.Event = field(default_factory=threading.Event)
    sockets: list[socket.socket] = field(default_factory=list)

    @property
    def port(self) -> int:
        """The listening port."""
        return self.listening.getsockname()[1]

    def start(self) -> None:
        """Accept connections; without `behave` they stay in the system's backlog."""
        if self.behave is not None:
            self._run(self._accept)

    def close(self) -> None:
        """Close all sockets and join all threads."""
        for sock in (self.listening, *self.sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:  # before closing: the next socket gets a closed one's number
            thread.join(WAIT_SECONDS)
        for sock in (self.listening, *self.sockets):
            sock.close()

    def _run(self, function: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=function, args=args, name="raw-server", daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            self.sockets.append(sock)
            self._run(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        assert self.behave is not None
        try:
            self.behave(sock)
        except (OSError, ssl.SSLError):
            self.peer_is_gone.set()
        finally:
            sock.close()


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[socket.socket], None] | None], RawServer]]:
    """Return a function that starts servers with the given connection handler."""
    servers: list[RawServer] = []

    def start(behave: Callable[[socket.socket], None] | None) -> RawServer:
        server = RawServer(behave=behave, listening=socket.create_server(("127.0.0.1", 0)))
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.close()


GREETING = (
    b"\x0a8.0.42\x00" + struct.pack("<I", 7) + b"abcdefgh\x00" + struct.pack("<H", 0xFFFF) + b"\x2d" + b"\x02\x00"
    + struct.pack("<H", 0x00FF) + bytes([21]) + bytes(10) + b"ijklmnopqrst\x00" + b"mysql_native_password\x00"
)  # fmt: skip
"""The first packet of a MySQL server that offers TLS."""

OK = b"\x00\x00\x00\x02\x00\x00\x00"


def packet(payload: bytes, sequence: int) -> bytes:
    """Frame a packet."""
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


def read_packet(sock: socket.socket) -> bytes:
    """Return the payload of the next packet; raise ConnectionError at the end of the stream."""
    header = _read(sock, 4)
    return _read(sock, int.from_bytes(header[:3], "little"))


def one_value(value: str, kind: int = 0x08) -> bytes:
    """Return the answer to a query with one row and one column of a type (0x08: an integer)."""
    column = b"\x03def\x00\x00\x00\x01x\x00\x0c" + struct.pack("<HIBHBxx", 63, 20, kind, 0, 0)
    text = value.encode()
    parts = (b"\x01", column, b"\xfe\x00\x00\x02\x00", bytes([len(text)]) + text, b"\xfe\x00\x00\x02\x00")
    return b"".join(packet(part, number) for number, part in enumerate(parts, start=1))


def _read(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError("the end")
        data += more
    return data


@dataclass(kw_only=True)
class ScriptedDatabase:
    """Accepts every log-in over TLS, then answers each command with the first entry whose key it contains."""

    tls: ssl.SSLContext
    answers: dict[str, bytes | Callable[[socket.socket], None]]
    commands: list[bytes] = field(default_factory=list)

    def __call__(self, sock: socket.socket) -> None:
        """Serve one connection."""
        sock.sendall(packet(GREETING, 0))
        read_packet(sock)
        with self.tls.wrap_socket(sock, server_side=True) as secure:
            read_packet(secure)
            secure.sendall(packet(OK, 3))
            while True:
                command = read_packet(secure)
                self.commands.append(command)
                self._answer(secure, command)

    def _answer(self, sock: socket.socket, command: bytes) -> None:
        for key, answer in self.answers.items():
            if key.encode() in command:
                if callable(answer):
                    answer(sock)
                else:
                    sock.sendall(answer)
                return
        sock.sendall(packet(OK, 1))


@pytest.fixture
def bundle(authority: CertificateAuthority) -> Path:
    """The CA certificates that the functions trust."""
    return authority.bundle


@pytest.fixture
def wire() -> type:
    """Building blocks of the MySQL wire format."""

    class Wire:
        greeting = GREETING
        ok = OK
        packet = staticmethod(packet)
        read_packet = staticmethod(read_packet)
        one_value = staticmethod(one_value)
        scripted = ScriptedDatabase

    return Wire
