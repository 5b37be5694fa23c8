"""database_setup against an emulated Aurora cluster."""

import json
import logging
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from functions.database_setup.config import load
from functions.database_setup.connection import RETRY_SECONDS, connect
from functions.database_setup.handler import cold_start, handler
from functions.database_setup.model import InvalidSetupRequestError, SetupError, SetupRequest, parse_request
from functions.shared.environment import EnvironmentProblemError
from functions.shared.tls import tls_context
from rehearsal.aurora.server import Fault
from rehearsal.network.certificates import CertificateAuthority

ALL = [
    "database failover",
    "table failover.heartbeat",
    "user health_check",
    "grants of health_check on failover.heartbeat",
    "table failover.iam_users",
    "user database_setup",
    "grants of database_setup on *.*",
    "grants of database_setup on mysql.*",
    "grants of database_setup on failover.*",
    "grants of database_setup on pay_ments.*",
    "event failover.heartbeat_of_the_database",
]
IMPLIED = [
    "TLS for health_check",
    "TLS for database_setup",
    "definition of failover.heartbeat_of_the_database",
]
EVERYTHING = [*ALL[:3], IMPLIED[0], *ALL[3:6], IMPLIED[1], *ALL[6:], IMPLIED[2]]
ROOT = Path(__file__).resolve().parents[4]
PASSWORD = "correct-horse_battery%staple"


@pytest.fixture(autouse=True)
def fresh_process(lambda_environment: None) -> Iterator[None]:
    """Let each test start the function cold."""
    cold_start.cache_clear()
    yield
    cold_start.cache_clear()


def event(port: int, password: str = PASSWORD) -> dict[str, object]:
    """Return a request as the program sends it."""
    return {"host": "localhost", "port": port, "username": "admin", "password": password}


class TestPreparing:
    """Objects and users in the database."""

    def test_empty_database(self, world: Any) -> None:
        """Everything is created; CREATE USER already requires TLS, and CREATE EVENT already defines the event."""
        answer = handler(event(world.writer_listener.port), None)
        assert answer == {"created": ALL, "already_there": IMPLIED, "removed": [], "locked": [], "read_only": False}

    def test_database_writes_heartbeats_without_a_client(self, world: Any) -> None:
        """The event writes a heartbeat each second on the writer, and the heartbeat replicates to the reader."""
        handler(event(world.writer_listener.port), None)
        query = "SELECT UNIX_TIMESTAMP(written_at) FROM failover.heartbeat WHERE source_region = 'database'"
        ((first,),) = world.writer.execute(query)
        world.global_database.clock = lambda: first + 7.5
        for cluster in (world.writer, world.reader):
            assert cluster.execute(query) == [(pytest.approx(first + 7),)]

    def test_second_run_changes_nothing(self, world: Any) -> None:
        """A second run finds every object and commits nothing."""
        handler(event(world.writer_listener.port), None)
        now = time.time()
        world.global_database.clock = lambda: now  # no heartbeat becomes due
        world.writer.execute("SELECT 1")
        position = world.writer.applied_sequence
        answer = handler(event(world.writer_listener.port), None)
        assert answer == {"created": [], "already_there": EVERYTHING, "removed": [], "locked": [], "read_only": False}
        assert world.writer.applied_sequence == position

    def test_interrupted_run_is_completed_by_the_next(self, world: Any) -> None:
        """A run interrupted at any point is completed by the next one."""
        for undo in (
            "DROP TABLE failover.heartbeat",
            "ALTER EVENT failover.heartbeat_of_the_database DISABLE",
            "DROP USER 'health_check'@'%'",
            "REVOKE UPDATE ON failover.heartbeat FROM 'health_check'@'%'",
            "ALTER USER 'health_check'@'%' REQUIRE NONE",
            "DROP TABLE failover.iam_users",
            "DROP EVENT failover.heartbeat_of_the_database",
            "REVOKE CREATE USER ON *.* FROM 'database_setup'@'%'",
        ):
            handler(event(world.writer_listener.port), None)
            world.writer.execute(undo)
            handler(event(world.writer_listener.port), None)
            answer = handler(event(world.writer_listener.port), None)
            assert answer["created"] == []

    def test_health_check_user_has_least_privilege(self, world: Any) -> None:
        """The user has IAM log-in only, over TLS only, and three privileges on one table."""
        handler(event(world.writer_listener.port), None)
        account = world.writer.account("health_check")
        assert (account.plugin, account.requires_tls) == ("AWSAuthenticationPlugin", True)
        grants = [str(row[0]) for row in world.writer.execute("SHOW GRANTS FOR 'health_check'@'%'")]
        assert grants == [
            "GRANT USAGE ON *.* TO `health_check`@`%`",
            "GRANT SELECT, INSERT, UPDATE ON `failover`.`heartbeat` TO `health_check`@`%`",
        ]

    def test_reader_with_everything_in_place(self, world: Any) -> None:
        """A reader with every object is reported as a reader and succeeds."""
        handler(event(world.writer_listener.port), None)
        answer = handler(event(world.reader_listener.port), None)
        assert answer == {"created": [], "already_there": EVERYTHING, "removed": [], "locked": [], "read_only": True}

    def test_reader_with_something_missing(self, world: Any) -> None:
        """On a reader with missing objects the setup fails and names all of them."""
        with pytest.raises(SetupError, match="missing in the database: database failover, table"):
            handler(event(world.reader_listener.port), None)

    def test_unrelated_user_is_an_error(self, world: Any) -> None:
        """A user of that name with password log-in is an error and stays unchanged."""
        world.writer.execute("CREATE USER 'health_check'@'%' IDENTIFIED BY 'theirs'")
        with pytest.raises(SetupError, match="exists and logs in with mysql_native_password"):
            handler(event(world.writer_listener.port), None)
        assert world.writer.execute("SHOW GRANTS FOR 'health_check'@'%'") == [
            ("GRANT USAGE ON *.* TO `health_check`@`%`",)
        ]

    def test_unrelated_table_is_an_error(self, world: Any) -> None:
        """A table of that name with other columns is an error."""
        world.writer.execute("CREATE DATABASE failover")
        world.writer.execute("CREATE TABLE failover.heartbeat (id INT PRIMARY KEY)")
        with pytest.raises(SetupError, match="an unrelated table with the columns id exists"):
            handler(event(world.writer_listener.port), None)

    def test_unrelated_event_is_an_error(self, world: Any) -> None:
        """An event of that name with another body is an error and stays unchanged."""
        world.writer.execute("CREATE DATABASE failover")
        world.writer.execute("CREATE TABLE failover.log (id INT PRIMARY KEY)")
        body = "DELETE FROM failover.log"
        world.writer.execute(f"CREATE EVENT failover.heartbeat_of_the_database ON SCHEDULE EVERY 60 SECOND DO {body}")
        with pytest.raises(SetupError, match="an unrelated event exists"):
            handler(event(world.writer_listener.port), None)
        assert world.writer.execute("SELECT event_definition FROM information_schema.events") == [(body,)]


class TestSecrecy:
    """Secrecy of the master password."""

    def test_in_no_answer_and_no_log(self, world: Any, caplog: pytest.LogCaptureFixture) -> None:
        """The password is neither in the answer nor in any log record."""
        with caplog.at_level(logging.DEBUG):
            answer = handler(event(world.writer_listener.port), None)
        assert PASSWORD not in json.dumps(answer)
        assert all(PASSWORD not in record.getMessage() for record in caplog.records)
        assert any("database-prepared" in record.getMessage() for record in caplog.records)

    def test_in_no_error(self, world: Any) -> None:
        """A refused log-in is not retried, and its error does not contain the password."""
        with pytest.raises(SetupError) as caught:
            handler(event(world.writer_listener.port, password="wrong-but-secret"), None)
        assert "Access denied" in str(caught.value)
        error: BaseException | None = caught.value
        while error is not None:
            assert "wrong-but-secret" not in f"{error!r}"
            error = error.__cause__

    def test_in_no_representation(self) -> None:
        """The parsed request's representation omits the password."""
        assert PASSWORD not in repr(parse_request(event(3306)))


class TestConnecting:
    """Connections to a database that may be starting."""

    def request(self, port: int) -> SetupRequest:
        """Return a request."""
        return SetupRequest(host="localhost", port=port, username="admin", password=PASSWORD)

    def test_refused_connection_is_retried(self, world: Any, bundle: Path) -> None:
        """A database that refuses connections at first is retried until it accepts one."""
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                world.writer_listener.set_fault(Fault.NONE)

        world.writer_listener.set_fault(Fault.REFUSE)
        connection = connect(
            self.request(world.writer_listener.port), tls_context(bundle), clock=lambda: sum(pauses), sleep=sleep
        )
        connection.close()
        assert pauses == [2.0, 2.0, 2.0]

    def test_retries_end_before_the_functions_time_out(self, world: Any, bundle: Path) -> None:
        """The error gives the last reason."""
        pauses: list[float] = []
        world.writer_listener.set_fault(Fault.REFUSE)
        with pytest.raises(SetupError, match="Connection refused"):
            connect(
                self.request(world.writer_listener.port),
                tls_context(bundle),
                clock=lambda: sum(pauses),
                sleep=pauses.append,
            )
        assert 30 < sum(pauses) < RETRY_SECONDS

    def test_untrusted_certificate_is_not_retried(self, world: Any, tmp_path: Path) -> None:
        """A certificate of another CA fails before the password is sent."""
        other = CertificateAuthority.create(tmp_path)
        pauses: list[float] = []
        with pytest.raises(SetupError, match="CERTIFICATE_VERIFY_FAILED"):
            connect(self.request(world.writer_listener.port), tls_context(other.bundle), sleep=pauses.append)
        assert pauses == []

    def test_tls_context_verifies_name_and_chain(self, bundle: Path) -> None:
        """Host name and certificate chain are required."""
        context = tls_context(bundle)
        assert context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED


class TestRequestAndSettings:
    """Validation of request and environment."""

    @pytest.mark.parametrize(
        ("changed", "field"),
        [({"host": ""}, "host"), ({"password": None}, "password"), ({"port": "x"}, "port"), ({"port": 3306.5}, "port")],
    )
    def test_malformed_request(self, changed: dict[str, object], field: str) -> None:
        """The error names the field."""
        with pytest.raises(InvalidSetupRequestError, match=f"^{field}"):
            parse_request({**event(3306), **changed})

    def test_port_may_be_a_float(self) -> None:
        """Pulumi passes numbers as floats."""
        assert parse_request({**event(3306), "port": 3306.0}).port == 3306

    def test_every_problem_is_listed(self) -> None:
        """One error lists every variable that is missing or malformed."""
        with pytest.raises(EnvironmentProblemError) as caught:
            load({"HEARTBEAT_DATABASE": "a b", "IAM_USERS": '{"ann": "owner"}', "CLUSTERS": '[{"host": "h"}]'})
        assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
            "HEARTBEAT_DATABASE",
            "HEALTH_CHECK_USER",
            "DATABASE",
            "IAM_USERS",
            "CLUSTERS",
        ]


def test_health_check_works_after_database_setup(world: Any) -> None:
    """The probes of the writer and of the reader succeed."""
    from functions.health_check.handler import cold_start as start_health_check
    from functions.health_check.handler import handler as check_health

    handler(event(world.writer_listener.port), None)
    start_health_check.cache_clear()
    answer = check_health({"targets": [world.target(world.writer), world.target(world.reader)]}, None)
    start_health_check.cache_clear()
    probes = answer["probes"]
    assert isinstance(probes, list)
    assert [probe["failure"] for probe in probes] == [None, None]


def test_importing_the_handler_does_not_import_botocore() -> None:
    """A cold start without botocore takes half the time."""
    code = "import sys; import functions.database_setup.handler; print('botocore' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_pymysql_is_pure_python() -> None:
    """One archive fits every architecture."""
    folder = Path(pymysql.__file__).parent
    assert [path.name for path in folder.rglob("*") if path.suffix in (".so", ".pyd")] == []
