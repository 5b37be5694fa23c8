"""Tests of the write workload against an embedded database over the MySQL protocol."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rehearsal.aurora.global_database import GlobalDatabase, MasterLogin
from rehearsal.aurora.server import Fault, MySQLListener, MySQLServer
from rehearsal.network.certificates import CertificateAuthority
from rehearsal.workload import NameAnswer, WorkloadLogin, WriteAttempt, WriteWorkload
from tests.support.waiting import WAIT_SECONDS

ENDPOINTS = {"one": "one.us-east-1.rds.amazonaws.com", "two": "two.eu-west-1.rds.amazonaws.com"}


class Kit:
    """Two clusters behind listeners, and a name that resolves to one of them."""

    def __init__(
        self, server: MySQLServer, authority: CertificateAuthority, attempt_seconds: float = WAIT_SECONDS
    ) -> None:
        self.database = GlobalDatabase(clock=time.time, replication_lag_seconds=0.0)
        master = MasterLogin(name="dbadmin", password="correct horse")
        clusters = {
            "one": self.database.add_cluster("one", "us-east-1", writer=True, master=master, database="payments"),
            "two": self.database.add_cluster("two", "eu-west-1", writer=False),
        }
        self.listeners: dict[str, MySQLListener] = {
            name: server.listen(
                cluster, host_names=[ENDPOINTS[name]], ssl_context=authority.server_context([ENDPOINTS[name]])
            )
            for name, cluster in clusters.items()
        }
        self.target = "one"
        self.queries = 0
        self.attempts: list[WriteAttempt] = []
        self.attempted = threading.Condition()
        self.workload = WriteWorkload(
            writer_name="writer.payments.internal",
            login=WorkloadLogin(username="dbadmin", password="correct horse", database="payments"),
            resolve=self.resolve,
            address=lambda endpoint: ("127.0.0.1", self.port(endpoint)),
            tls=authority.client_context(),
            pace_seconds=0.005,
            attempt_seconds=lambda: attempt_seconds,
            on_attempt=self.note,
        )

    def resolve(self, name: str) -> NameAnswer:
        """Resolve the name with a TTL of 0."""
        self.queries += 1
        return NameAnswer(endpoint=ENDPOINTS[self.target], ttl_seconds=0.0)

    def port(self, endpoint: str) -> int:
        """Return the port behind an endpoint."""
        return next(self.listeners[name].port for name, each in ENDPOINTS.items() if each == endpoint)

    def note(self, attempt: WriteAttempt) -> None:
        """Record an attempt and notify the waiting thread."""
        with self.attempted:
            self.attempts.append(attempt)
            self.attempted.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until the attempts satisfy a condition."""
        with self.attempted:
            assert self.attempted.wait_for(condition, timeout=WAIT_SECONDS)


@pytest.fixture
def attempt_seconds() -> float:
    """Return the client's timeout."""
    return WAIT_SECONDS


@pytest.fixture
def kit(tmp_path: Path, attempt_seconds: float) -> Iterator[Kit]:
    """Yield a started kit; stop its client at the end."""
    with MySQLServer() as server:
        kit = Kit(server, CertificateAuthority.create(tmp_path), attempt_seconds)
        yield kit
        kit.workload.stop()
        kit.database.close()


def test_acknowledged_rows_are_in_the_database(kit: Kit) -> None:
    """A reader of the endpoint finds exactly the acknowledged rows."""
    kit.workload.start()
    kit.wait_for(lambda: len(kit.attempts) >= 10)
    kit.workload.stop()
    assert set(kit.workload.acknowledged_rows()) == kit.workload.present_rows(ENDPOINTS["one"])


def test_client_follows_the_name(kit: Kit) -> None:
    """The next rows are acknowledged by the promoted cluster."""
    kit.workload.start()
    kit.wait_for(lambda: len(kit.attempts) >= 3)
    kit.database.switchover("two")
    kit.target = "two"
    kit.wait_for(lambda: any(one.acknowledged and one.endpoint == ENDPOINTS["two"] for one in kit.attempts))


@pytest.mark.parametrize("attempt_seconds", [0.2])
def test_hanging_database_fails_attempts_but_loses_no_row(kit: Kit) -> None:
    """After the hang the client writes the same row, and skips no id."""
    kit.workload.start()
    kit.wait_for(lambda: len(kit.attempts) >= 3)
    kit.listeners["one"].set_fault(Fault.HANG)
    kit.wait_for(lambda: not kit.attempts[-1].acknowledged)
    kit.listeners["one"].set_fault(Fault.NONE)
    failed = next(one for one in kit.attempts if not one.acknowledged)
    kit.wait_for(lambda: any(one.acknowledged and one.row_id > failed.row_id for one in kit.attempts))
    kit.workload.stop()
    rows = sorted(kit.workload.acknowledged_rows())
    assert (list(range(1, len(rows) + 1)), True) == (rows, bool(failed.failure))


def test_writes_to_a_standby_fail(kit: Kit) -> None:
    """Writes to a standby are not counted as acknowledged."""
    kit.workload.start()
    kit.wait_for(lambda: len(kit.attempts) >= 1)
    kit.database.switchover("two")
    kit.wait_for(lambda: not kit.attempts[-1].acknowledged)
    count = len(kit.attempts)
    kit.wait_for(lambda: len(kit.attempts) >= count + 5)
    assert not any(one.acknowledged for one in kit.attempts[count:])


def test_client_without_the_advice_stays_on_the_demoted_writer(kit: Kit) -> None:
    """It connects again before the name moves, and error 1290 does not close a pooled connection."""
    unadvised: list[WriteAttempt] = []
    other = replace(kit.workload, advised=False, attempts=unadvised, on_attempt=None)
    kit.workload.start()
    other.start()
    kit.wait_for(lambda: len(kit.attempts) >= 3 and any(one.acknowledged for one in unadvised))
    kit.database.switchover("two")
    kit.wait_for(lambda: "1290" in (unadvised[-1].failure or ""))
    kit.target = "two"
    kit.wait_for(lambda: kit.attempts[-1].acknowledged and kit.attempts[-1].endpoint == ENDPOINTS["two"])
    count, ours = len(unadvised), len(kit.attempts)
    kit.wait_for(lambda: len(unadvised) >= count + 5 and len(kit.attempts) >= ours + 5)
    other.stop()
    assert {(one.acknowledged, one.endpoint) for one in unadvised[count + 1 :]} == {(False, ENDPOINTS["one"])}
    assert all("1290" in (one.failure or "") for one in unadvised[count + 1 :])


@pytest.mark.parametrize("attempt_seconds", [0.2])
def test_hanging_connection_holds_only_the_client_without_the_advice(kit: Kit) -> None:
    """PyMySQL waits for an answer for ever by default."""
    unadvised: list[WriteAttempt] = []
    other = replace(kit.workload, advised=False, attempts=unadvised, on_attempt=None)
    kit.workload.start()
    other.start()
    kit.wait_for(lambda: len(kit.attempts) >= 3 and any(one.acknowledged for one in unadvised))
    kit.listeners["one"].set_fault(Fault.HANG)
    kit.wait_for(lambda: not kit.attempts[-1].acknowledged)
    count = len(unadvised)
    kit.database.stop("one")
    kit.database.failover("two")
    kit.target = "two"
    kit.wait_for(lambda: kit.attempts[-1].acknowledged and kit.attempts[-1].endpoint == ENDPOINTS["two"])
    other.stop()
    assert len(unadvised) <= count + 1


def test_role_is_read_over_the_protocol(kit: Kit) -> None:
    """The read role is writer, reader or unreachable."""
    roles = [kit.workload.read_only(ENDPOINTS[name]) for name in ("one", "two")]
    kit.listeners["one"].set_fault(Fault.REFUSE)
    assert [False, True, None] == [*roles, kit.workload.read_only(ENDPOINTS["one"])]


def test_password_is_not_in_representations(kit: Kit) -> None:
    """The password is not in the representation of the workload."""
    assert "correct horse" not in repr(kit.workload)


def test_lost_connection_prints_nothing() -> None:
    """The pool's tracebacks stay out of the console. In this process, pytest handles every logger."""
    code = "import logging, rehearsal.workload; logging.getLogger('sqlalchemy.pool.impl.QueuePool').error('lost')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ("", "") == (done.stdout, done.stderr)
