"""The writing client, against a real stand-in over the MySQL protocol."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rehearsal.aurora.global_database import GlobalDatabase, MasterUser
from rehearsal.aurora.server import Fault, MySQLListener, MySQLServer
from rehearsal.network.certificates import CertificateAuthority
from rehearsal.workload import Credentials, NameAnswer, WriteAttempt, WriteWorkload
from tests.support.waiting import WAIT_SECONDS

ENDPOINTS = {"one": "one.us-east-1.rds.amazonaws.com", "two": "two.eu-west-1.rds.amazonaws.com"}


class Stand:
    """Two clusters behind listeners, and a name that leads to one of them."""

    def __init__(
        self, server: MySQLServer, authority: CertificateAuthority, attempt_seconds: float = WAIT_SECONDS
    ) -> None:
        self.database = GlobalDatabase(clock=time.time, replication_lag_seconds=0.0)
        master = MasterUser(name="dbadmin", password="correct horse")
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
        self.leads_to = "one"
        self.questions = 0
        self.attempts: list[WriteAttempt] = []
        self.attempted = threading.Condition()
        self.ledger = WriteWorkload(
            writer_name="writer.payments.internal",
            credentials=Credentials(username="dbadmin", password="correct horse", database="payments"),
            resolve=self.resolve,
            address=lambda endpoint: ("127.0.0.1", self.port(endpoint)),
            tls=authority.client_context(),
            pace_seconds=0.005,
            attempt_seconds=attempt_seconds,
            on_attempt=self.note,
        )

    def resolve(self, name: str) -> NameAnswer:
        """Answer the name, believed for no time."""
        self.questions += 1
        return NameAnswer(endpoint=ENDPOINTS[self.leads_to], ttl_seconds=0.0)

    def port(self, endpoint: str) -> int:
        """The port behind an endpoint."""
        return next(self.listeners[name].port for name, each in ENDPOINTS.items() if each == endpoint)

    def note(self, attempt: WriteAttempt) -> None:
        """Take down an attempt and wake who waits."""
        with self.attempted:
            self.attempts.append(attempt)
            self.attempted.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until the attempts so far satisfy a condition."""
        with self.attempted:
            assert self.attempted.wait_for(condition, timeout=WAIT_SECONDS)


@pytest.fixture
def attempt_seconds() -> float:
    """How long the client waits for an answer: as long as it takes, where one comes."""
    return WAIT_SECONDS


@pytest.fixture
def stand(tmp_path: Path, attempt_seconds: float) -> Iterator[Stand]:
    """A started stand whose client is stopped in the end."""
    with MySQLServer() as server:
        stand = Stand(server, CertificateAuthority.create(tmp_path), attempt_seconds)
        yield stand
        stand.ledger.stop()
        stand.database.close()


def test_every_acknowledged_row_is_in_the_database(stand: Stand) -> None:
    """What the client counts as acknowledged is what a reader of the same endpoint finds."""
    stand.ledger.start()
    stand.wait_for(lambda: len(stand.attempts) >= 10)
    stand.ledger.stop()
    assert set(stand.ledger.acknowledged_rows()) == stand.ledger.present_rows(ENDPOINTS["one"])


def test_the_client_follows_the_name(stand: Stand) -> None:
    """When the name leads to the promoted cluster, the next rows are acknowledged there."""
    stand.ledger.start()
    stand.wait_for(lambda: len(stand.attempts) >= 3)
    stand.database.switchover("two")
    stand.leads_to = "two"
    stand.wait_for(lambda: any(one.acknowledged and one.endpoint == ENDPOINTS["two"] for one in stand.attempts))


@pytest.mark.parametrize("attempt_seconds", [0.2])
def test_a_hanging_database_costs_one_attempt_at_a_time_and_no_row(stand: Stand) -> None:
    """While nothing answers, attempts fail with a reason; afterwards the same row is written, and none is skipped."""
    stand.ledger.start()
    stand.wait_for(lambda: len(stand.attempts) >= 3)
    stand.listeners["one"].set_fault(Fault.HANG)
    stand.wait_for(lambda: not stand.attempts[-1].acknowledged)
    stand.listeners["one"].set_fault(Fault.NONE)
    failed = next(one for one in stand.attempts if not one.acknowledged)
    stand.wait_for(lambda: any(one.acknowledged and one.row_id > failed.row_id for one in stand.attempts))
    stand.ledger.stop()
    rows = sorted(stand.ledger.acknowledged_rows())
    assert (list(range(1, len(rows) + 1)), True) == (rows, bool(failed.failure))


def test_a_standby_refuses_writes_and_is_not_counted(stand: Stand) -> None:
    """A name that leads to a reader gives failures, not acknowledged rows."""
    stand.ledger.start()
    stand.wait_for(lambda: len(stand.attempts) >= 1)
    stand.leads_to = "two"
    stand.wait_for(lambda: stand.attempts[-1].endpoint == ENDPOINTS["two"])
    assert not stand.attempts[-1].acknowledged


def test_role_is_asked_over_the_protocol(stand: Stand) -> None:
    """Writer, reader, and nobody there are told apart."""
    roles = [stand.ledger.read_only(ENDPOINTS[name]) for name in ("one", "two")]
    stand.listeners["one"].set_fault(Fault.REFUSE)
    assert [False, True, None] == [*roles, stand.ledger.read_only(ENDPOINTS["one"])]


def test_password_is_in_no_representation(stand: Stand) -> None:
    """Neither the credentials nor the client that holds them show it."""
    assert "correct horse" not in repr(stand.ledger)
