"""database_setup against a stand-in for Aurora: what it makes, what it leaves alone, what it never says."""

import json
import logging
import math
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from functions.database_setup.config import EnvironmentProblemError, load
from functions.database_setup.connection import PATIENCE_SECONDS, connect, trusting
from functions.database_setup.handler import cold_start, handler
from functions.database_setup.model import RequestError, SetupError, SetupRequest, parse_request
from rehearsal.aurora.server import Fault
from rehearsal.network.certificates import CertificateAuthority

ALL = [
    "database failover",
    "table failover.heartbeat",
    "event failover.heartbeat_of_the_database",
    "user health_check",
    "grants of health_check on failover.heartbeat",
    "table failover.iam_users",
    "user database_setup",
    "grants of database_setup on *.*",
    "grants of database_setup on mysql.*",
    "grants of database_setup on failover.*",
    "grants of database_setup on pay_ments.*",
]
BY_THE_WAY = [
    "schedule of failover.heartbeat_of_the_database",
    "TLS for health_check",
    "TLS for database_setup",
]
EVERYTHING = [*ALL[:3], BY_THE_WAY[0], ALL[3], BY_THE_WAY[1], *ALL[4:7], BY_THE_WAY[2], *ALL[7:]]
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
    """What it does to a database."""

    def test_empty_database(self, world: Any) -> None:
        """On an empty database it makes everything; CREATE USER already requires TLS, CREATE EVENT already enables."""
        answer = handler(event(world.writer_listener.port), None)
        assert answer == {"created": ALL, "already_there": BY_THE_WAY, "removed": [], "read_only": False}

    def test_the_database_writes_heartbeats_by_itself(self, world: Any) -> None:
        """From then on a heartbeat is written each second on the writer, with nobody connected, and reaches the reader."""
        handler(event(world.writer_listener.port), None)
        second = math.ceil(time.time())
        world.global_database.clock = lambda: second + 7.5
        written = [world.writer, world.reader]
        for cluster in written:
            rows = cluster.execute("SELECT source_region, UNIX_TIMESTAMP(written_at) FROM failover.heartbeat")
            assert rows == [("database", second + 7.0)]

    def test_second_run_changes_nothing(self, world: Any) -> None:
        """A second run finds everything in place and commits nothing."""
        handler(event(world.writer_listener.port), None)
        now = time.time()
        world.global_database.clock = lambda: now  # no heartbeat becomes due
        world.writer.execute("SELECT 1")
        position = world.writer.applied_sequence
        answer = handler(event(world.writer_listener.port), None)
        assert answer == {"created": [], "already_there": EVERYTHING, "removed": [], "read_only": False}
        assert world.writer.applied_sequence == position

    def test_interrupted_run_is_finished(self, world: Any) -> None:
        """A run that was interrupted at any point is finished by the next one."""
        for undo in (
            "DROP TABLE failover.heartbeat",
            "DROP EVENT failover.heartbeat_of_the_database",
            "ALTER EVENT failover.heartbeat_of_the_database DISABLE",
            "DROP USER 'health_check'@'%'",
            "REVOKE UPDATE ON failover.heartbeat FROM 'health_check'@'%'",
            "ALTER USER 'health_check'@'%' REQUIRE NONE",
            "DROP TABLE failover.iam_users",
            "DROP USER 'database_setup'@'%'",
            "REVOKE CREATE USER ON *.* FROM 'database_setup'@'%'",
        ):
            handler(event(world.writer_listener.port), None)
            world.writer.execute(undo)
            handler(event(world.writer_listener.port), None)
            answer = handler(event(world.writer_listener.port), None)
            assert answer["created"] == []

    def test_the_user_may_do_its_work_and_no_more(self, world: Any) -> None:
        """The user logs in by IAM only, over TLS only, and has three privileges on one table."""
        handler(event(world.writer_listener.port), None)
        account = world.writer.account("health_check")
        assert (account.plugin, account.requires_tls) == ("AWSAuthenticationPlugin", True)
        grants = [str(row[0]) for row in world.writer.execute("SHOW GRANTS FOR 'health_check'@'%'")]
        assert grants == [
            "GRANT USAGE ON *.* TO `health_check`@`%`",
            "GRANT SELECT, INSERT, UPDATE ON `failover`.`heartbeat` TO `health_check`@`%`",
        ]

    def test_reader_with_everything_in_place(self, world: Any) -> None:
        """On a reader where all has arrived it succeeds and says that it is one."""
        handler(event(world.writer_listener.port), None)
        answer = handler(event(world.reader_listener.port), None)
        assert answer == {"created": [], "already_there": EVERYTHING, "removed": [], "read_only": True}

    def test_reader_with_something_missing(self, world: Any) -> None:
        """On a reader where something is missing it fails and names all of it."""
        with pytest.raises(SetupError, match="is a reader, and these are missing: database failover, table"):
            handler(event(world.reader_listener.port), None)

    def test_foreign_user_is_not_taken_over(self, world: Any) -> None:
        """A user of that name with a password is somebody else's: it fails, and leaves the user as it is."""
        world.writer.execute("CREATE USER 'health_check'@'%' IDENTIFIED BY 'theirs'")
        with pytest.raises(SetupError, match="logs in by mysql_native_password, so it isn't ours"):
            handler(event(world.writer_listener.port), None)
        assert world.writer.execute("SHOW GRANTS FOR 'health_check'@'%'") == [
            ("GRANT USAGE ON *.* TO `health_check`@`%`",)
        ]

    def test_foreign_table_is_not_used(self, world: Any) -> None:
        """A table of that name with other columns is somebody else's: it fails."""
        world.writer.execute("CREATE DATABASE failover")
        world.writer.execute("CREATE TABLE failover.heartbeat (id INT PRIMARY KEY)")
        with pytest.raises(SetupError, match="is another table: it has the columns id"):
            handler(event(world.writer_listener.port), None)

    def test_foreign_event_is_not_used(self, world: Any) -> None:
        """An event of that name that does something else is somebody else's: it fails, and leaves the event as it is."""
        world.writer.execute("CREATE DATABASE failover")
        world.writer.execute("CREATE TABLE failover.log (id INT PRIMARY KEY)")
        body = "DELETE FROM failover.log"
        world.writer.execute(f"CREATE EVENT failover.heartbeat_of_the_database ON SCHEDULE EVERY 60 SECOND DO {body}")
        with pytest.raises(SetupError, match="is another event"):
            handler(event(world.writer_listener.port), None)
        assert world.writer.execute("SELECT event_definition FROM information_schema.events") == [(body,)]


class TestSecrecy:
    """The password."""

    def test_in_no_answer_and_no_log(self, world: Any, caplog: pytest.LogCaptureFixture) -> None:
        """The password is neither in the answer nor in any log record."""
        with caplog.at_level(logging.DEBUG):
            answer = handler(event(world.writer_listener.port), None)
        assert PASSWORD not in json.dumps(answer)
        assert all(PASSWORD not in record.getMessage() for record in caplog.records)
        assert any("database-prepared" in record.getMessage() for record in caplog.records)

    def test_in_no_error(self, world: Any) -> None:
        """A refused log-in, which is not tried again, names the endpoint and not the password."""
        with pytest.raises(SetupError) as caught:
            handler(event(world.writer_listener.port, password="wrong-but-secret"), None)
        assert "Access denied" in str(caught.value)
        error: BaseException | None = caught.value
        while error is not None:
            assert "wrong-but-secret" not in f"{error!r}"
            error = error.__cause__

    def test_in_no_representation(self) -> None:
        """The parsed request doesn't show the password."""
        assert PASSWORD not in repr(parse_request(event(3306)))


class TestConnecting:
    """A database that may have come up a moment ago."""

    def request(self, port: int) -> SetupRequest:
        """Make a request."""
        return SetupRequest(host="localhost", port=port, username="admin", password=PASSWORD)

    def test_tries_again_until_it_answers(self, world: Any, bundle: Path) -> None:
        """A database that refuses connections at first is asked again."""
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                world.writer_listener.set_fault(Fault.NONE)

        world.writer_listener.set_fault(Fault.REFUSE)
        connection = connect(
            self.request(world.writer_listener.port), trusting(bundle), clock=lambda: sum(pauses), sleep=sleep
        )
        connection.close()
        assert pauses == [2.0, 2.0, 2.0]

    def test_gives_up_in_time(self, world: Any, bundle: Path) -> None:
        """A database that never answers is given up before the function's limit, with the last reason."""
        pauses: list[float] = []
        world.writer_listener.set_fault(Fault.REFUSE)
        with pytest.raises(SetupError, match="Connection refused"):
            connect(
                self.request(world.writer_listener.port),
                trusting(bundle),
                clock=lambda: sum(pauses),
                sleep=pauses.append,
            )
        assert 30 < sum(pauses) < PATIENCE_SECONDS

    def test_an_untrusted_server_is_not_asked_twice(self, world: Any, tmp_path: Path) -> None:
        """A certificate of another CA ends it at once, before the password was sent."""
        other = CertificateAuthority.create(tmp_path)
        pauses: list[float] = []
        with pytest.raises(SetupError, match="CERTIFICATE_VERIFY_FAILED"):
            connect(self.request(world.writer_listener.port), trusting(other.bundle), sleep=pauses.append)
        assert pauses == []

    def test_checks_the_name(self, bundle: Path) -> None:
        """The TLS context checks the server's name and chain."""
        context = trusting(bundle)
        assert context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED


class TestRequestAndSettings:
    """What is accepted."""

    @pytest.mark.parametrize(
        ("changed", "field"),
        [({"host": ""}, "host"), ({"password": None}, "password"), ({"port": "x"}, "port"), ({"port": 3306.5}, "port")],
    )
    def test_malformed_request(self, changed: dict[str, object], field: str) -> None:
        """A malformed request is refused with the name of its field."""
        with pytest.raises(RequestError, match=f"^{field}"):
            parse_request({**event(3306), **changed})

    def test_pulumis_numbers(self) -> None:
        """A port that arrives as a float, as Pulumi's numbers do, is a port."""
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


def test_what_it_prepares_is_what_health_check_needs(world: Any) -> None:
    """After database_setup, health_check's probe of the writer and of the reader succeeds, by IAM token."""
    from functions.health_check.handler import cold_start as start_health_check
    from functions.health_check.handler import handler as check_health

    handler(event(world.writer_listener.port), None)
    start_health_check.cache_clear()
    answer = check_health({"targets": [world.target(world.writer), world.target(world.reader)]}, None)
    start_health_check.cache_clear()
    probes = answer["probes"]
    assert isinstance(probes, list)
    assert [probe["failure"] for probe in probes] == [None, None]


def test_package_works_where_lambda_puts_it(tmp_path: Path) -> None:
    """The package imports by its own name alone, and needs nothing of AWS's SDK."""
    (tmp_path / "database_setup").symlink_to(ROOT / "functions" / "database_setup")
    code = "import sys; import database_setup.handler; print('botocore' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_pymysql_is_what_is_packed() -> None:
    """PyMySQL is pure Python, so that one archive fits every architecture."""
    folder = Path(pymysql.__file__).parent
    assert [path.name for path in folder.rglob("*") if path.suffix in (".so", ".pyd")] == []
