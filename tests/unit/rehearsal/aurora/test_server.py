"""The embedded database's listeners: log-in, TLS, results and faults; certificates; IAM tokens."""

import datetime
import socket
import ssl
import threading
import time
import unittest.mock
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pymysql
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from rehearsal.aurora.global_database import Cluster, GlobalDatabase, MasterLogin
from rehearsal.aurora.iam_tokens import TokenAudience, token_refusal
from rehearsal.aurora.server import Fault, MySQLListener, MySQLServer
from rehearsal.network.certificates import CertificateAuthority
from tests.support.waiting import WAIT_SECONDS, wait_until

ENDPOINT = "payments.cluster-abc123.us-east-1.rds.amazonaws.com"
LONG_NAME = f"{'a' * 63}.cluster-abc123.us-east-1.rds.amazonaws.com"
SECRETS = {"AKID": "secret"}


@dataclass(kw_only=True)
class Endpoint:
    """One cluster with one listener."""

    database: GlobalDatabase
    cluster: Cluster
    listener: MySQLListener
    server: MySQLServer
    authority: CertificateAuthority

    def connect(self, *, host: str = "localhost", user: str = "admin", password: str = "pw", **more: object) -> Any:
        """Connect to the listener; PyMySQL verifies the certificate for `host`."""
        arguments: dict[str, object] = {
            "user": user,
            "password": password,
            "ssl": self.authority.client_context(),
            "read_timeout": WAIT_SECONDS,
            **more,
        }
        connection = pymysql.Connection(host=host, port=self.listener.port, defer_connect=True, **arguments)  # type: ignore[arg-type]
        connection.connect(socket.create_connection(("127.0.0.1", self.listener.port), WAIT_SECONDS))
        return connection


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """A CA for this module."""
    return CertificateAuthority.create(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def endpoint(authority: CertificateAuthority) -> Iterator[Endpoint]:
    """A running listener in front of a writer."""
    database = GlobalDatabase(clock=time.time, replication_lag_seconds=0.0)
    cluster = database.add_cluster(
        "payments-us-east-1-dev",
        "us-east-1",
        writer=True,
        master=MasterLogin(name="admin", password="pw"),
        database="ledger",
    )
    database.add_cluster("payments-eu-west-1-dev", "eu-west-1", writer=False)
    with MySQLServer(secret_key_of=SECRETS.get) as server:
        tls = authority.server_context(["localhost", ENDPOINT])
        listener = server.listen(cluster, host_names=[ENDPOINT], ssl_context=tls)
        yield Endpoint(database=database, cluster=cluster, listener=listener, server=server, authority=authority)
    assert not [thread for thread in threading.enumerate() if thread.name == "mysql-server"]
    database.close()


def token(
    user: str = "app",
    *,
    host: str = ENDPOINT,
    port: int = 3306,
    region: str = "us-east-1",
    signed_seconds_ago: float = 0.0,
    **more: str,
) -> str:
    """Sign a token as the SDKs do."""
    query = urlencode({"Action": "connect", "DBUser": user})
    request = AWSRequest(method="GET", url=f"https://{host}:{port}/?{query}")
    credentials = Credentials("AKID", more.get("secret", "secret"), more.get("session"))
    signer = SigV4QueryAuth(credentials, more.get("service", "rds-db"), region, expires=int(more.get("expires", 900)))
    signed_at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=signed_seconds_ago)
    with unittest.mock.patch("botocore.auth.get_current_datetime", return_value=signed_at):
        signer.add_auth(request)
    return str(request.url).removeprefix("https://")


class TestAnswers:
    """Results as PyMySQL reads them."""

    def test_column_types(self, endpoint: Endpoint) -> None:
        """Values have the Python types of their columns."""
        with endpoint.connect(database="ledger") as connection, connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, amount DECIMAL(12,2), at DATETIME(6), "
                "ratio DOUBLE, note VARCHAR(20), raw VARBINARY(9))"
            )
            moment = datetime.datetime(2026, 11, 24, 1, 2, 3, 4)  # noqa: DTZ001 - MySQL's DATETIME has no zone
            cursor.execute(
                "INSERT INTO t (amount, at, ratio, note, raw) VALUES (%s, %s, %s, %s, %s)",
                (Decimal("10.50"), moment, 0.25, "caf\u00e9 '\\", b"\x00\xff"),
            )
            assert (cursor.rowcount, cursor.lastrowid) == (1, 1)
            cursor.execute("SELECT * FROM t")
            assert cursor.fetchall() == ((1, Decimal("10.50"), moment, 0.25, "caf\u00e9 '\\", b"\x00\xff"),)
            cursor.execute("SELECT id FROM t WHERE id = 9")
            assert cursor.fetchall() == ()

    def test_autocommit_setting_of_the_client(self, endpoint: Endpoint) -> None:
        """A client that disables autocommit keeps rows only after COMMIT."""
        endpoint.cluster.execute("CREATE TABLE ledger.t (id INT PRIMARY KEY)")
        with endpoint.connect() as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO ledger.t VALUES (1)")
            assert endpoint.cluster.execute("SELECT id FROM ledger.t") == []
            connection.commit()
            assert endpoint.cluster.execute("SELECT id FROM ledger.t") == [(1,)]
            cursor.execute("INSERT INTO ledger.t VALUES (2)")
            connection.rollback()
        with endpoint.connect(autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO ledger.t VALUES (3)")
        assert endpoint.cluster.execute("SELECT id FROM ledger.t") == [(1,), (3,)]

    def test_disconnect_rolls_back_the_transaction(self, endpoint: Endpoint) -> None:
        """A disconnect rolls back the transaction."""
        endpoint.cluster.execute("CREATE TABLE ledger.t (id INT PRIMARY KEY)")
        connection = endpoint.connect()
        connection.cursor().execute("INSERT INTO ledger.t VALUES (1)")
        connection.close()
        endpoint.cluster.execute("INSERT INTO ledger.t VALUES (1)")
        assert endpoint.cluster.execute("SELECT id FROM ledger.t") == [(1,)]

    def test_errors_have_mysql_numbers(self, endpoint: Endpoint) -> None:
        """Errors have MySQL's number, SQLSTATE and class, and the connection stays open."""
        with endpoint.connect() as connection, connection.cursor() as cursor:
            with pytest.raises(pymysql.ProgrammingError) as caught:
                cursor.execute("SELECT 1 FROM ledger.nothing")
            assert (caught.value.args[0], getattr(caught.value, "sqlstate", None)) == (1146, "42S02")
            cursor.execute("SELECT 1")
            assert cursor.fetchall() == ((1,),)

    def test_reader_refuses_writes(self, endpoint: Endpoint) -> None:
        """A write on a reader gets Aurora's error 1290."""
        endpoint.cluster.execute("CREATE TABLE ledger.t (id INT PRIMARY KEY)")
        endpoint.database.switchover("payments-eu-west-1-dev")
        with endpoint.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@innodb_read_only")
            assert cursor.fetchone() == (1,)
            with pytest.raises(pymysql.OperationalError, match="--read-only option") as caught:
                cursor.execute("INSERT INTO ledger.t VALUES (1)")
            assert caught.value.args[0] == 1290

    def test_ping_and_select_db(self, endpoint: Endpoint) -> None:
        """COM_PING and COM_INIT_DB work."""
        with endpoint.connect() as connection:
            connection.ping()
            connection.select_db("ledger")
            with pytest.raises(pymysql.MySQLError, match="Unknown database"):
                connection.select_db("nowhere")
            connection.ping()

    def test_latency_delays_statements(self, endpoint: Endpoint) -> None:
        """Latency delays statements."""
        with endpoint.connect() as connection:
            endpoint.listener.latency_seconds = 0.1
            started_at = time.monotonic()
            connection.cursor().execute("SELECT 1")
            assert time.monotonic() - started_at >= 0.1
            endpoint.listener.latency_seconds = 0.0


class TestLogIn:
    """Authentication."""

    @pytest.fixture
    def app(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint with an IAM user and a password user."""
        endpoint.cluster.execute("CREATE USER app IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL")
        endpoint.cluster.execute("CREATE USER plain IDENTIFIED BY 'p'")
        return endpoint

    def test_master_logs_in_by_password(self, endpoint: Endpoint) -> None:
        """The master user logs in with its password; other passwords are refused."""
        endpoint.connect().close()
        for password in ("wrong", "", "pw "):
            with pytest.raises(pymysql.OperationalError, match="Access denied") as caught:
                endpoint.connect(password=password)
            assert caught.value.args[0] == 1045

    def test_unknown_user_is_refused(self, endpoint: Endpoint) -> None:
        """The error is the same as for a wrong password."""
        for password in ("x", ""):
            with pytest.raises(pymysql.OperationalError, match="Access denied"):
                endpoint.connect(user="unknown", password=password)

    def test_iam_user_logs_in_by_token(self, app: Endpoint) -> None:
        """An IAM user logs in by token."""
        with app.connect(user="app", password=token(session="a/b+c=")) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT CURRENT_USER()")
            assert cursor.fetchone() == ("app@%",)

    @pytest.mark.parametrize(
        "bad",
        [
            {"user": "other"},
            {"host": "elsewhere.example"},
            {"port": 3307},
            {"region": "eu-west-1"},
            {"secret": "wrong"},
            {"service": "rds"},
        ],
        ids=str,
    )
    def test_invalid_token_is_refused(self, app: Endpoint, bad: dict[str, str]) -> None:
        """A token for another user, host, port or region, or with a wrong signature, is refused."""
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            app.connect(user="app", password=token(**{"user": "app", **bad}))  # type: ignore[arg-type]

    def test_token_and_password_are_not_interchangeable(self, app: Endpoint) -> None:
        """A token is not accepted as a password, and a password is not accepted as a token."""
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            app.connect(user="plain", password=token("plain"))
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            app.connect(user="app", password="p")

    def test_locked_user_is_refused(self, app: Endpoint) -> None:
        """The right token does not help until the user is unlocked."""
        app.cluster.execute("ALTER USER app ACCOUNT LOCK")
        with pytest.raises(pymysql.OperationalError, match="Account is locked") as caught:
            app.connect(user="app", password=token())
        assert caught.value.args[0] == 3118
        app.cluster.execute("ALTER USER app ACCOUNT UNLOCK")
        app.connect(user="app", password=token()).close()

    def test_expired_token_is_refused(self, app: Endpoint) -> None:
        """The age of a token is checked when the client logs in."""
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            app.connect(user="app", password=token(signed_seconds_ago=901))
        app.connect(user="app", password=token(signed_seconds_ago=890)).close()

    def test_unknown_database_is_refused(self, endpoint: Endpoint) -> None:
        """A log-in to an unknown database is refused."""
        with pytest.raises(pymysql.MySQLError, match="Unknown database"):
            endpoint.connect(database="nowhere")

    def test_refused_log_in_closes_the_connection(self, app: Endpoint) -> None:
        """A refused log-in closes the connection."""
        with pytest.raises(pymysql.OperationalError):
            app.connect(user="app", password="p")
        assert wait_until(lambda: app.listener.connection_count == 0)

    def test_tls_is_required(self, endpoint: Endpoint) -> None:
        """A client without TLS is refused before its log-in."""
        with pytest.raises(pymysql.OperationalError, match="insecure transport") as caught:
            endpoint.connect(ssl=None, ssl_disabled=True)
        assert caught.value.args[0] == 3159

    def test_certificate_is_for_the_published_names(self, endpoint: Endpoint, tmp_path: Path) -> None:
        """A client that uses another name or another CA refuses the certificate."""
        endpoint.connect(host=ENDPOINT).close()
        with pytest.raises(pymysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
            endpoint.connect(host="elsewhere.example")
        other = CertificateAuthority.create(tmp_path)
        with pytest.raises(pymysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
            endpoint.connect(ssl=other.client_context())

    def test_tls_request_and_client_hello_in_one_packet(self, endpoint: Endpoint) -> None:
        """The server reads the TLS request only, not the client hello behind it."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = endpoint.authority.client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        tls_request = (
            (0x0200 | 0x0800 | 0x8000 | 0x80000).to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x2d"
        )
        with socket.create_connection(("127.0.0.1", endpoint.listener.port), 5) as sock:
            sock.recv(4096)
            body = tls_request + bytes(23)
            sock.sendall(len(body).to_bytes(3, "little") + b"\x01" + body + outgoing.read())
            while True:
                incoming.write(sock.recv(4096))
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    continue
        assert tls.version() == "TLSv1.3"

    def test_disconnect_during_log_in_is_not_logged_as_an_error(
        self, app: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A probe with a timeout disconnects like this."""

        def give_up(*_: object) -> None:
            raise OSError("no time left")

        monkeypatch.setattr(pymysql.Connection, "_process_auth", give_up)
        with pytest.raises((pymysql.OperationalError, OSError)):
            app.connect(user="app", password=token())
        assert wait_until(lambda: app.listener.connection_count == 0)
        assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


class TestTokens:
    """Validation of IAM tokens."""

    AUDIENCE = TokenAudience.of([ENDPOINT.upper()], 3306, "us-east-1")

    def refused(self, signed: str, now: float) -> str | None:
        """Return the reason of the refusal, or None."""
        return token_refusal(signed, user="app", audience=self.AUDIENCE, now=now, secret_key_of=SECRETS.get)

    def test_token_lifetime(self) -> None:
        """A token is valid for 900 s from its signing time."""
        now = time.time()
        assert self.refused(token(), now + 890) is None
        assert "expired" in str(self.refused(token(), now + 905))
        assert "in the future" in str(self.refused(token(), now - 400))
        assert "lifetime of 3600 s" in str(self.refused(token(expires="3600"), now))

    @pytest.mark.parametrize(
        ("text", "why"),
        [("", "not an IAM token"), ("pw", "not an IAM token"), ("h:x/?Action=connect", "not an IAM token")],
    )
    def test_text_other_than_a_token_is_refused(self, text: str, why: str) -> None:
        """Text other than a token is refused."""
        assert why in str(self.refused(text, time.time()))

    @pytest.mark.parametrize("changed", ["X-Amz-Date", "X-Amz-Signature", "X-Amz-Security-Token", "DBUser"])
    def test_changed_token_is_refused(self, changed: str) -> None:
        """A changed token is refused."""
        host, _, query = token(session="t").partition("?")
        fields = dict(parse_qsl(query))
        fields[changed] = {"X-Amz-Date": "20200101T000000Z", "DBUser": "root"}.get(changed, "f" * 64)
        assert self.refused(f"{host}?{urlencode(fields)}", time.time()) is not None

    def test_unknown_access_key_is_refused(self) -> None:
        """A token with an unknown access key is refused."""
        refusal = token_refusal(
            token(), user="app", audience=self.AUDIENCE, now=time.time(), secret_key_of=lambda key: None
        )
        assert refusal == "unknown access key AKID"

    def test_signature_is_not_checked_without_secrets(self) -> None:
        """The signature is not checked if the secrets are unknown."""
        assert token_refusal(token(secret="x"), user="app", audience=self.AUDIENCE, now=time.time()) is None


class TestFaults:
    """Fault injection."""

    def test_hang_sends_no_data(self, endpoint: Endpoint) -> None:
        """Established and new connections get no byte and no FIN."""
        established = endpoint.connect()
        endpoint.listener.set_fault(Fault.HANG)
        raw = established._sock
        raw.settimeout(0.2)
        raw.sendall(b"\x09\x00\x00\x00\x03SELECT 1")
        with pytest.raises(TimeoutError):
            raw.recv(1)
        with socket.create_connection(("127.0.0.1", endpoint.listener.port), WAIT_SECONDS) as fresh:
            fresh.settimeout(0.2)
            with pytest.raises(TimeoutError):
                fresh.recv(1)
        established._force_close()

    def test_hang_rolls_back_open_transactions(self, endpoint: Endpoint) -> None:
        """A hang rolls back open transactions."""
        endpoint.cluster.execute("CREATE TABLE ledger.t (id INT PRIMARY KEY)")
        connection = endpoint.connect()
        connection.cursor().execute("INSERT INTO ledger.t VALUES (1)")
        endpoint.listener.set_fault(Fault.HANG)
        endpoint.listener.set_fault(Fault.NONE)
        with pytest.raises(pymysql.MySQLError):
            connection.commit()
        assert endpoint.cluster.execute("SELECT id FROM ledger.t") == []

    def test_end_of_a_hang_resets_hanging_connections(self, endpoint: Endpoint) -> None:
        """The end of a hang resets hanging connections, and new connections are served."""
        connection = endpoint.connect()
        endpoint.listener.set_fault(Fault.HANG)
        waiting = socket.create_connection(("127.0.0.1", endpoint.listener.port), WAIT_SECONDS)
        assert wait_until(lambda: endpoint.listener.connection_count == 2)
        endpoint.listener.set_fault(Fault.NONE)
        waiting.settimeout(WAIT_SECONDS)
        with pytest.raises(ConnectionResetError):
            while waiting.recv(1):
                pass
        waiting.close()
        with pytest.raises(pymysql.OperationalError):
            connection.cursor().execute("SELECT 1")
        endpoint.connect().close()

    @pytest.mark.parametrize("fault", [Fault.RESET, Fault.REFUSE])
    def test_reset_and_refuse_end_established_connections(self, endpoint: Endpoint, fault: Fault) -> None:
        """RESET and REFUSE end established connections."""
        connection = endpoint.connect()
        endpoint.listener.set_fault(fault)
        assert endpoint.listener.connection_count == 0
        with pytest.raises(pymysql.OperationalError):
            connection.cursor().execute("SELECT 1")

    def test_refusing_port_stays_reserved(self, endpoint: Endpoint) -> None:
        """The port is closed, stays reserved and opens again."""
        port = endpoint.listener.port
        endpoint.listener.set_fault(Fault.REFUSE)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        endpoint.listener.set_fault(Fault.NONE)
        assert endpoint.listener.port == port
        endpoint.connect().close()

    def test_reset_of_a_new_connection(self, endpoint: Endpoint) -> None:
        """A new connection is reset."""
        endpoint.listener.set_fault(Fault.RESET)
        with (
            pytest.raises(ConnectionResetError),
            socket.create_connection(("127.0.0.1", endpoint.listener.port), 5) as sock,
        ):
            sock.recv(1)

    def test_fault_affects_one_listener_only(self, endpoint: Endpoint) -> None:
        """A fault affects one listener only."""
        tls = endpoint.authority.server_context(["localhost"])
        other = endpoint.server.listen(endpoint.cluster, host_names=["localhost"], ssl_context=tls)
        other.set_fault(Fault.HANG)
        endpoint.connect().close()

    def test_every_sequence_of_faults_recovers(self, endpoint: Endpoint) -> None:
        """Every sequence of faults recovers."""
        for first in Fault:
            for second in Fault:
                endpoint.listener.set_fault(first)
                endpoint.listener.set_fault(second)
                endpoint.listener.set_fault(Fault.NONE)
                endpoint.connect().close()

    def test_stopped_cluster_resets_connections(self, endpoint: Endpoint) -> None:
        """New connections are reset at once, established ones at their next command."""
        connection = endpoint.connect()
        endpoint.database.stop(endpoint.cluster.id)
        with pytest.raises(pymysql.OperationalError):
            connection.cursor().execute("SELECT 1")
        with pytest.raises((pymysql.OperationalError, ConnectionResetError)):
            endpoint.connect()
        endpoint.database.start(endpoint.cluster.id)
        endpoint.connect().close()

    def test_role_change_ends_connections(self, endpoint: Endpoint) -> None:
        """A role change ends connections."""
        connection = endpoint.connect()
        endpoint.database.switchover("payments-eu-west-1-dev")
        with pytest.raises(pymysql.OperationalError):
            connection.cursor().execute("SELECT 1")
        endpoint.connect().close()

    @pytest.mark.parametrize(
        "sent", [b"", b"\x00", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, b"\x20\x00\x00\x01" + bytes(32)]
    )
    def test_invalid_packets_leave_the_listener_working(self, endpoint: Endpoint, sent: bytes) -> None:
        """Invalid packets leave the listener working."""
        with socket.create_connection(("127.0.0.1", endpoint.listener.port), 5) as sock:
            sock.recv(4096)
            sock.sendall(sent)
        endpoint.connect().close()

    def test_close_ends_connections_and_frees_the_port(self, endpoint: Endpoint) -> None:
        """A second close has no effect."""
        connection = endpoint.connect()
        port = endpoint.listener.port
        endpoint.listener.close()
        endpoint.listener.close()
        endpoint.listener.set_fault(Fault.HANG)
        with pytest.raises(pymysql.OperationalError):
            connection.cursor().execute("SELECT 1")
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))


class TestCertificates:
    """The temporary CA."""

    def test_strict_verification(self, tmp_path: Path) -> None:
        """A certificate passes VERIFY_X509_STRICT, also with a name longer than a common name."""
        authority = CertificateAuthority.create(tmp_path)
        server = authority.server_context([LONG_NAME, "*.example.internal"])
        client = authority.client_context()
        client.verify_flags |= ssl.VERIFY_X509_STRICT
        for name in (LONG_NAME, "writer.example.internal"):
            assert _handshake(client, server, name) == "TLSv1.3"
        with pytest.raises(ssl.SSLCertVerificationError):
            _handshake(client, server, "elsewhere.example")

    def test_private_keys_are_private(self, tmp_path: Path) -> None:
        """The key files are readable only by their owner, and the bundle contains no key."""
        authority = CertificateAuthority.create(tmp_path / "made")
        authority.server_context(["a.example"])
        [path] = (tmp_path / "made").glob("server-*.pem")
        assert path.stat().st_mode & 0o777 == 0o600
        assert "PRIVATE" not in authority.bundle.read_text()

    def test_certificate_needs_a_name(self, tmp_path: Path) -> None:
        """A certificate needs a name."""
        with pytest.raises(ValueError, match="needs a name"):
            CertificateAuthority.create(tmp_path).server_context([])


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> str | None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = client.wrap_bio(to_client, to_server, server_hostname=name)
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client_side, server_side):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client_side.version()
