"""The stand-in's listeners: log-in, TLS, answers on the wire, faults; its certificates; the check of IAM tokens."""

import datetime
import socket
import ssl
import threading
import time
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

from rehearsal.aurora.global_database import Cluster, GlobalDatabase, MasterUser
from rehearsal.aurora.iam_tokens import TokenAudience, token_refusal
from rehearsal.aurora.server import Fault, MySQLListener, MySQLServer
from rehearsal.network.certificates import CertificateAuthority
from tests.support.waiting import WAIT_SECONDS, wait_until

ENDPOINT = "payments.cluster-abc123.us-east-1.rds.amazonaws.com"
LONG_NAME = f"{'a' * 63}.cluster-abc123.us-east-1.rds.amazonaws.com"
SECRETS = {"AKID": "secret"}


@dataclass(kw_only=True)
class Site:
    """One cluster with one listener."""

    database: GlobalDatabase
    cluster: Cluster
    listener: MySQLListener
    server: MySQLServer
    authority: CertificateAuthority

    def connect(self, *, host: str = "localhost", user: str = "admin", password: str = "pw", **more: object) -> Any:
        """Connect to it; PyMySQL checks the certificate for `host`."""
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
def site(authority: CertificateAuthority) -> Iterator[Site]:
    """A running listener in front of a writer."""
    database = GlobalDatabase(clock=time.time, replication_lag_seconds=0.0)
    cluster = database.add_cluster(
        "payments-us-east-1-dev",
        "us-east-1",
        writer=True,
        master=MasterUser(name="admin", password="pw"),
        database="ledger",
    )
    database.add_cluster("payments-eu-west-1-dev", "eu-west-1", writer=False)
    with MySQLServer(secret_key_of=SECRETS.get) as server:
        tls = authority.server_context(["localhost", ENDPOINT])
        listener = server.listen(cluster, host_names=[ENDPOINT], ssl_context=tls)
        yield Site(database=database, cluster=cluster, listener=listener, server=server, authority=authority)
    assert not [thread for thread in threading.enumerate() if thread.name == "mysql-server"]
    database.close()


def token(user: str = "app", *, host: str = ENDPOINT, port: int = 3306, region: str = "us-east-1", **more: str) -> str:
    """Sign a token as the SDKs do."""
    query = urlencode({"Action": "connect", "DBUser": user})
    request = AWSRequest(method="GET", url=f"https://{host}:{port}/?{query}")
    credentials = Credentials("AKID", more.get("secret", "secret"), more.get("session"))
    SigV4QueryAuth(credentials, more.get("service", "rds-db"), region, expires=int(more.get("expires", 900))).add_auth(
        request
    )
    return str(request.url).removeprefix("https://")


class TestAnswers:
    """What PyMySQL reads."""

    def test_types(self, site: Site) -> None:
        """Values arrive as the Python types of their columns."""
        with site.connect(database="ledger") as connection, connection.cursor() as cursor:
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

    def test_autocommit_is_what_the_client_chose(self, site: Site) -> None:
        """Without autocommit nothing is kept before the commit; with it, all is."""
        site.cluster.execute("CREATE TABLE ledger.t (id INT PRIMARY KEY)")
        with site.connect() as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO ledger.t VALUES (1)")
            assert site.cluster.execute("SELECT id FROM ledger.t") == []
            connection.commit()
            assert site.cluster.execute("SELECT id FROM ledger.t") == [(1,)]
            cursor.execute("INSERT INTO ledger.t VALUES (2)")
            connection.rollback()
        with site.connect(autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO ledger.t VALUES (3)")
        assert site.cluster.execute("SELECT id FROM ledger.t") == [(1,), (3,)]

    def test_client_that_leaves_loses_its_transaction(self, site: Site) -> None:
        """What a client had open when it went is not kept, and blocks nobody."""
        site.cluster.execute("CREATE TABLE ledger.t (id INT PRIMARY KEY)")
        connection = site.connect()
        connection.cursor().execute("INSERT INTO ledger.t VALUES (1)")
        connection.close()
        site.cluster.execute("INSERT INTO ledger.t VALUES (1)")
        assert site.cluster.execute("SELECT id FROM ledger.t") == [(1,)]

    def test_errors_have_mysqls_numbers(self, site: Site) -> None:
        """Errors arrive with MySQL's number, SQLSTATE and class, and the connection goes on."""
        with site.connect() as connection, connection.cursor() as cursor:
            with pytest.raises(pymysql.ProgrammingError) as caught:
                cursor.execute("SELECT 1 FROM ledger.nothing")
            assert (caught.value.args[0], getattr(caught.value, "sqlstate", None)) == (1146, "42S02")
            cursor.execute("SELECT 1")
            assert cursor.fetchall() == ((1,),)

    def test_reader_refuses_writes(self, site: Site) -> None:
        """A write on a reader gets Aurora's error, 1290."""
        site.cluster.execute("CREATE TABLE ledger.t (id INT PRIMARY KEY)")
        site.database.switchover("payments-eu-west-1-dev")
        with site.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@innodb_read_only")
            assert cursor.fetchone() == (1,)
            with pytest.raises(pymysql.OperationalError, match="--read-only option") as caught:
                cursor.execute("INSERT INTO ledger.t VALUES (1)")
            assert caught.value.args[0] == 1290

    def test_ping_and_select_db(self, site: Site) -> None:
        """The commands that pools use work."""
        with site.connect() as connection:
            connection.ping()
            connection.select_db("ledger")
            with pytest.raises(pymysql.MySQLError, match="Unknown database"):
                connection.select_db("nowhere")
            connection.ping()

    def test_latency(self, site: Site) -> None:
        """A listener can be made slow without being dead."""
        with site.connect() as connection:
            site.listener.latency_seconds = 0.1
            started_at = time.monotonic()
            connection.cursor().execute("SELECT 1")
            assert time.monotonic() - started_at >= 0.1
            site.listener.latency_seconds = 0.0


class TestLogIn:
    """Who is let in."""

    @pytest.fixture
    def app(self, site: Site) -> Site:
        """The site with a user of each kind."""
        site.cluster.execute("CREATE USER app IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS' REQUIRE SSL")
        site.cluster.execute("CREATE USER plain IDENTIFIED BY 'p'")
        return site

    def test_master_by_password(self, site: Site) -> None:
        """The master logs in with its password, and with no other."""
        site.connect().close()
        for password in ("wrong", "", "pw "):
            with pytest.raises(pymysql.OperationalError, match="Access denied") as caught:
                site.connect(password=password)
            assert caught.value.args[0] == 1045

    def test_unknown_user(self, site: Site) -> None:
        """An unknown user is refused like a wrong password, also with an empty one."""
        for password in ("x", ""):
            with pytest.raises(pymysql.OperationalError, match="Access denied"):
                site.connect(user="nobody", password=password)

    def test_by_token(self, app: Site) -> None:
        """A user of the IAM plugin logs in with a token for the published endpoint."""
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
    def test_bad_token(self, app: Site, bad: dict[str, str]) -> None:
        """A token for another user, host, port or region, or with a wrong signature, is refused."""
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            app.connect(user="app", password=token(**{"user": "app", **bad}))  # type: ignore[arg-type]

    def test_kinds_do_not_mix(self, app: Site) -> None:
        """A token is no password, and a password no token."""
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            app.connect(user="plain", password=token("plain"))
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            app.connect(user="app", password="p")

    def test_unknown_database(self, site: Site) -> None:
        """A log-in to a database that isn't there is refused."""
        with pytest.raises(pymysql.MySQLError, match="Unknown database"):
            site.connect(database="nowhere")

    def test_refused_client_gets_no_query_in(self, app: Site) -> None:
        """After a refusal the connection is closed: nothing is answered to who isn't logged in."""
        with pytest.raises(pymysql.OperationalError):
            app.connect(user="app", password="p")
        assert wait_until(lambda: app.listener.connection_count == 0)

    def test_tls_is_required(self, site: Site) -> None:
        """A client that doesn't ask for TLS is refused before its log-in is read."""
        with pytest.raises(pymysql.OperationalError, match="insecure transport") as caught:
            site.connect(ssl=None, ssl_disabled=True)
        assert caught.value.args[0] == 3159

    def test_certificate_is_for_the_published_names(self, site: Site, tmp_path: Path) -> None:
        """A client that trusts the CA and uses a published name is content; with another name, or CA, it isn't."""
        site.connect(host=ENDPOINT).close()
        with pytest.raises(pymysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
            site.connect(host="elsewhere.example")
        other = CertificateAuthority.create(tmp_path)
        with pytest.raises(pymysql.OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
            site.connect(ssl=other.client_context())

    def test_hello_in_the_same_packet(self, site: Site) -> None:
        """A client whose wish for TLS and whose hello arrive together is served: nothing is read too far."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = site.authority.client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        wish = (0x0200 | 0x0800 | 0x8000 | 0x80000).to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x2d"
        with socket.create_connection(("127.0.0.1", site.listener.port), 5) as sock:
            sock.recv(4096)
            body = wish + bytes(23)
            sock.sendall(len(body).to_bytes(3, "little") + b"\x01" + body + outgoing.read())
            while True:
                incoming.write(sock.recv(4096))
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    continue
        assert tls.version() == "TLSv1.3"

    def test_a_client_that_hangs_up_in_its_log_in_is_no_failure(
        self, app: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As a probe does whose time is over: the server's own log is for the server's own faults."""

        def give_up(*_: object) -> None:
            raise OSError("no time left")

        monkeypatch.setattr(pymysql.Connection, "_process_auth", give_up)
        with pytest.raises((pymysql.OperationalError, OSError)):
            app.connect(user="app", password=token())
        assert wait_until(lambda: app.listener.connection_count == 0)
        assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


class TestTokens:
    """The check of a token's other properties."""

    AUDIENCE = TokenAudience.of([ENDPOINT.upper()], 3306, "us-east-1")

    def refused(self, signed: str, now: float) -> str | None:
        """Return why it is refused."""
        return token_refusal(signed, user="app", audience=self.AUDIENCE, now=now, secret_key_of=SECRETS.get)

    def test_age(self) -> None:
        """A token lives for 900 s, and not before its time."""
        now = time.time()
        assert self.refused(token(), now + 890) is None
        assert "expired" in str(self.refused(token(), now + 905))
        assert "from the future" in str(self.refused(token(), now - 400))
        assert "claims to live" in str(self.refused(token(expires="3600"), now))

    @pytest.mark.parametrize(
        ("text", "why"), [("", "isn't a token"), ("pw", "isn't a token"), ("h:x/?Action=connect", "isn't a token")]
    )
    def test_nonsense(self, text: str, why: str) -> None:
        """What isn't a token is refused as such."""
        assert why in str(self.refused(text, time.time()))

    @pytest.mark.parametrize("changed", ["X-Amz-Date", "X-Amz-Signature", "X-Amz-Security-Token", "DBUser"])
    def test_tampering(self, changed: str) -> None:
        """A token with any field changed is refused."""
        host, _, query = token(session="t").partition("?")
        fields = dict(parse_qsl(query))
        fields[changed] = {"X-Amz-Date": "20200101T000000Z", "DBUser": "root"}.get(changed, "f" * 64)
        assert self.refused(f"{host}?{urlencode(fields)}", time.time()) is not None

    def test_unknown_access_key(self) -> None:
        """A token of an access key that nobody knows is refused."""
        refusal = token_refusal(
            token(), user="app", audience=self.AUDIENCE, now=time.time(), secret_key_of=lambda key: None
        )
        assert refusal == "nobody knows the access key AKID"

    def test_without_secrets_the_rest_is_checked(self) -> None:
        """Where no secrets are known, everything but the signature counts."""
        assert token_refusal(token(secret="x"), user="app", audience=self.AUDIENCE, now=time.time()) is None


class TestFaults:
    """Listeners that break on demand."""

    def test_hang(self, site: Site) -> None:
        """A hang silences an established connection and a new one; not a byte comes, not even an end."""
        established = site.connect()
        site.listener.set_fault(Fault.HANG)
        raw = established._sock
        raw.settimeout(0.2)
        raw.sendall(b"\x09\x00\x00\x00\x03SELECT 1")
        with pytest.raises(TimeoutError):
            raw.recv(1)
        with socket.create_connection(("127.0.0.1", site.listener.port), WAIT_SECONDS) as fresh:
            fresh.settimeout(0.2)
            with pytest.raises(TimeoutError):
                fresh.recv(1)
        established._force_close()

    def test_hang_rolls_back(self, site: Site) -> None:
        """What a silenced connection had open is rolled back at once, and comes back with nobody."""
        site.cluster.execute("CREATE TABLE ledger.t (id INT PRIMARY KEY)")
        connection = site.connect()
        connection.cursor().execute("INSERT INTO ledger.t VALUES (1)")
        site.listener.set_fault(Fault.HANG)
        site.listener.set_fault(Fault.NONE)
        with pytest.raises(pymysql.MySQLError):
            connection.commit()
        assert site.cluster.execute("SELECT id FROM ledger.t") == []

    def test_healed_hang_resets(self, site: Site) -> None:
        """When the hang ends, the connections that it held are reset, and new ones are served."""
        connection = site.connect()
        site.listener.set_fault(Fault.HANG)
        waiting = socket.create_connection(("127.0.0.1", site.listener.port), WAIT_SECONDS)
        assert wait_until(lambda: site.listener.connection_count == 2)
        site.listener.set_fault(Fault.NONE)
        waiting.settimeout(WAIT_SECONDS)
        with pytest.raises(ConnectionResetError):
            while waiting.recv(1):
                pass
        waiting.close()
        with pytest.raises(pymysql.OperationalError):
            connection.cursor().execute("SELECT 1")
        site.connect().close()

    @pytest.mark.parametrize("fault", [Fault.RESET, Fault.REFUSE])
    def test_reset_and_refuse_end_established_connections(self, site: Site, fault: Fault) -> None:
        """Both end established connections at once."""
        connection = site.connect()
        site.listener.set_fault(fault)
        assert site.listener.connection_count == 0
        with pytest.raises(pymysql.OperationalError):
            connection.cursor().execute("SELECT 1")

    def test_refuse(self, site: Site) -> None:
        """A refusing port is closed, stays reserved, and opens again as the same port."""
        port = site.listener.port
        site.listener.set_fault(Fault.REFUSE)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        site.listener.set_fault(Fault.NONE)
        assert site.listener.port == port
        site.connect().close()

    def test_reset(self, site: Site) -> None:
        """A new connection is reset, be it as soon as it is made."""
        site.listener.set_fault(Fault.RESET)
        with (
            pytest.raises(ConnectionResetError),
            socket.create_connection(("127.0.0.1", site.listener.port), 5) as sock,
        ):
            sock.recv(1)

    def test_listeners_break_one_by_one(self, site: Site) -> None:
        """The fault of one listener leaves another one of the same cluster alone."""
        tls = site.authority.server_context(["localhost"])
        other = site.server.listen(site.cluster, host_names=["localhost"], ssl_context=tls)
        other.set_fault(Fault.HANG)
        site.connect().close()

    def test_every_order_of_faults_heals(self, site: Site) -> None:
        """From any fault to any other and back, the listener serves again."""
        for first in Fault:
            for second in Fault:
                site.listener.set_fault(first)
                site.listener.set_fault(second)
                site.listener.set_fault(Fault.NONE)
                site.connect().close()

    def test_stopped_cluster(self, site: Site) -> None:
        """A stopped cluster resets new connections, and ends established ones at their next word."""
        connection = site.connect()
        site.database.stop(site.cluster.id)
        with pytest.raises(pymysql.OperationalError):
            connection.cursor().execute("SELECT 1")
        with pytest.raises((pymysql.OperationalError, ConnectionResetError)):
            site.connect()
        site.database.start(site.cluster.id)
        site.connect().close()

    def test_change_of_role_ends_connections(self, site: Site) -> None:
        """A connection doesn't survive its cluster's change of role, as it doesn't on AWS."""
        connection = site.connect()
        site.database.switchover("payments-eu-west-1-dev")
        with pytest.raises(pymysql.OperationalError):
            connection.cursor().execute("SELECT 1")
        site.connect().close()

    @pytest.mark.parametrize(
        "said", [b"", b"\x00", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, b"\x20\x00\x00\x01" + bytes(32)]
    )
    def test_nonsense_harms_nobody(self, site: Site, said: bytes) -> None:
        """Clients that say nonsense, or go in the middle of a word, leave the listener as it was."""
        with socket.create_connection(("127.0.0.1", site.listener.port), 5) as sock:
            sock.recv(4096)
            sock.sendall(said)
        site.connect().close()

    def test_close_is_complete(self, site: Site) -> None:
        """Closing a listener ends its connections and frees its port; closing again does nothing."""
        connection = site.connect()
        port = site.listener.port
        site.listener.close()
        site.listener.close()
        site.listener.set_fault(Fault.HANG)
        with pytest.raises(pymysql.OperationalError):
            connection.cursor().execute("SELECT 1")
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))


class TestCertificates:
    """The throw-away CA."""

    def test_strict_verification(self, tmp_path: Path) -> None:
        """A certificate passes Python 3.13's strict form of verification, with a first name longer than a common name."""
        authority = CertificateAuthority.create(tmp_path)
        server = authority.server_context([LONG_NAME, "*.example.internal"])
        client = authority.client_context()
        client.verify_flags |= ssl.VERIFY_X509_STRICT
        for name in (LONG_NAME, "writer.example.internal"):
            assert _handshake(client, server, name) == "TLSv1.3"
        with pytest.raises(ssl.SSLCertVerificationError):
            _handshake(client, server, "elsewhere.example")

    def test_private_keys_are_private(self, tmp_path: Path) -> None:
        """Files with a private key are readable by their owner alone, and the bundle has none."""
        authority = CertificateAuthority.create(tmp_path / "made")
        authority.server_context(["a.example"])
        [path] = (tmp_path / "made").glob("server-*.pem")
        assert path.stat().st_mode & 0o777 == 0o600
        assert "PRIVATE" not in authority.bundle.read_text()

    def test_needs_a_name(self, tmp_path: Path) -> None:
        """A certificate without a name is refused."""
        with pytest.raises(ValueError, match="needs a name"):
            CertificateAuthority.create(tmp_path).server_context([])


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> str | None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours.version()
