"""Point-in-time restore of the embedded global database."""

import pytest

from rehearsal.aurora.global_database import GlobalDatabase, MasterLogin, ReplicationRefusedError
from rehearsal.aurora.point_in_time import ContinuousBackup
from rehearsal.aurora.replication import LogEntry, Transaction
from rehearsal.aurora.storage import ExecutionContext, RowChange, Volume

START = 1_790_000_000.0


class Ledger:
    """A global database of two clusters with a payments table and a settable clock."""

    def __init__(self) -> None:
        self.now = START
        self.database = GlobalDatabase(clock=lambda: self.now, replication_lag_seconds=5.0)
        master = MasterLogin(name="admin", password="pw")
        self.east = self.database.add_cluster("east", "us-east-1", writer=True, master=master, database="ledger")
        self.west = self.database.add_cluster("west", "eu-west-1", writer=False)
        self.database.writer.execute("CREATE TABLE ledger.payments (id BIGINT PRIMARY KEY, at DATETIME(6))")

    def pay(self, number: int, at: float) -> None:
        """Commit a payment `at` seconds after the start."""
        self.now = START + at
        self.database.writer.execute("INSERT INTO ledger.payments VALUES (%s, UTC_TIMESTAMP(6))", number)

    def copy_as_of(self, at: float) -> GlobalDatabase:
        """Restore as of `at` seconds after the start."""
        copy = GlobalDatabase(clock=lambda: self.now)
        copy.add_restored_cluster("copy", "us-east-1", source=self.database, at=START + at)
        return copy


def rows(database: GlobalDatabase) -> list[tuple[object, ...]]:
    """Return the payments on the writer."""
    return database.writer.execute("SELECT id, at FROM ledger.payments ORDER BY id")


@pytest.fixture
def ledger() -> Ledger:
    """Payments 1, 2 and 3 at 10, 20 and 30 s; the time is 40 s."""
    made = Ledger()
    for number in (1, 2, 3):
        made.pay(number, 10.0 * number)
    made.now = START + 40
    return made


@pytest.mark.parametrize(("at", "count"), [(5, 0), (9.999, 0), (10, 1), (19.9, 1), (25, 2), (40, 3)])
def test_copy_has_the_commits_until_the_restore_time(ledger: Ledger, at: float, count: int) -> None:
    """The copy has the same rows with the same computed values."""
    assert rows(ledger.copy_as_of(at)) == rows(ledger.database)[:count]


def test_users_and_databases_are_in_the_copy(ledger: Ledger) -> None:
    """The master user exists at the earliest restorable time."""
    assert ledger.copy_as_of(0).writer.account("admin") is not None


def test_copy_and_source_are_independent(ledger: Ledger) -> None:
    """Copy and source are independent."""
    copy = ledger.copy_as_of(15)
    copy.writer.execute("DELETE FROM ledger.payments")
    ledger.pay(4, 50)
    assert (len(rows(copy)), len(rows(ledger.database))) == (0, 4)


def test_copy_can_be_restored_again(ledger: Ledger) -> None:
    """The backup of a copy starts with the restored data."""
    copy = ledger.copy_as_of(25)
    ledger.now = START + 60
    copy.writer.execute("DELETE FROM ledger.payments WHERE id = 1")
    again = GlobalDatabase(clock=lambda: ledger.now)
    again.add_restored_cluster("again", "us-east-1", source=copy, at=START + 50)
    assert [row[0] for row in rows(again)] == [1, 2]


def test_lost_transactions_are_in_no_copy(ledger: Ledger) -> None:
    """Lost transactions are in no copy."""
    ledger.pay(4, 41)
    ledger.database.failover("west")
    ledger.pay(5, 50)
    assert [row[0] for row in rows(ledger.database)] == [1, 2, 3, 5]
    ledger.now = START + 60
    assert [row[0] for row in rows(ledger.copy_as_of(45))] == [1, 2, 3]
    assert [row[0] for row in rows(ledger.copy_as_of(55))] == [1, 2, 3, 5]


def test_impossible_restores_are_refused(ledger: Ledger) -> None:
    """The time is before the earliest restorable time, or the database is not empty."""
    with pytest.raises(ReplicationRefusedError, match="earliest restorable time"):
        ledger.copy_as_of(-1)
    with pytest.raises(ReplicationRefusedError, match="empty global database"):
        ledger.database.add_restored_cluster("copy", "us-east-1", source=ledger.database, at=START)


def test_old_transactions_are_merged_into_the_base_volume() -> None:
    """The backup is bounded: older restore times are refused."""
    backup = ContinuousBackup(started_at=START, limit=2)
    backup.start_with([_change("CREATE TABLE numbers (id INTEGER)")])
    for number in range(5):
        backup.record(_entry(number, START + number))
    volume = Volume(lambda: ())
    backup.restore(volume, START + 3)
    assert volume.query("SELECT id FROM numbers", (), ExecutionContext(at=START))[1] == [(0,), (1,), (2,), (3,)]
    assert backup.earliest_at == START + 2
    with pytest.raises(ReplicationRefusedError):
        backup.restore(volume, START + 1)
    backup.close()


def _change(sql: str, *parameters: object) -> RowChange:
    return RowChange(statements=((sql, parameters),), context=ExecutionContext(at=START))


def _entry(number: int, at: float) -> LogEntry:
    transaction = Transaction(sequence=number + 1, committed_at=at, user="", statements=())
    return LogEntry(transaction=transaction, changes=(_change("INSERT INTO numbers VALUES (?)", number),))
