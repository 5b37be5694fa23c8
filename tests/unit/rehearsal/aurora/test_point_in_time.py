"""The continuous backup of the stand-ins: any second, exactly what was committed until then, and nothing of the source changed."""

import pytest

from rehearsal.aurora.global_database import GlobalDatabase, MasterLogin, OperationRefusedError
from rehearsal.aurora.point_in_time import ContinuousBackup
from rehearsal.aurora.replication import LogEntry, Transaction
from rehearsal.aurora.storage import ExecutionContext, RowChange, Volume

START = 1_790_000_000.0


class WriteWorkload:
    """A global database of two clusters with a table, and a clock that a test moves."""

    def __init__(self) -> None:
        self.now = START
        self.database = GlobalDatabase(clock=lambda: self.now, replication_lag_seconds=5.0)
        master = MasterLogin(name="admin", password="pw")
        self.east = self.database.add_cluster("east", "us-east-1", writer=True, master=master, database="ledger")
        self.west = self.database.add_cluster("west", "eu-west-1", writer=False)
        self.database.writer.execute("CREATE TABLE ledger.payments (id BIGINT PRIMARY KEY, at DATETIME(6))")

    def pay(self, number: int, at: float) -> None:
        """Commit a payment at so many seconds after the start."""
        self.now = START + at
        self.database.writer.execute("INSERT INTO ledger.payments VALUES (%s, UTC_TIMESTAMP(6))", number)

    def copy_as_of(self, at: float) -> GlobalDatabase:
        """Restore as of so many seconds after the start."""
        copy = GlobalDatabase(clock=lambda: self.now)
        copy.add_restored_cluster("copy", "us-east-1", source=self.database, at=START + at)
        return copy


def rows(database: GlobalDatabase) -> list[tuple[object, ...]]:
    """Return the payments on the writer."""
    return database.writer.execute("SELECT id, at FROM ledger.payments ORDER BY id")


@pytest.fixture
def ledger() -> WriteWorkload:
    """One with payments 1, 2 and 3 at 10, 20 and 30 s; it is 40 s now."""
    made = WriteWorkload()
    for number in (1, 2, 3):
        made.pay(number, 10.0 * number)
    made.now = START + 40
    return made


@pytest.mark.parametrize(("at", "count"), [(5, 0), (9.999, 0), (10, 1), (19.9, 1), (25, 2), (40, 3)])
def test_a_copy_has_what_was_committed_until_then(ledger: WriteWorkload, at: float, count: int) -> None:
    """To the commit, with the same values: time and chance are the commit's own."""
    assert rows(ledger.copy_as_of(at)) == rows(ledger.database)[:count]


def test_users_and_databases_are_in_the_copy(ledger: WriteWorkload) -> None:
    """What the cluster was created with is older than every second that may be asked for."""
    assert ledger.copy_as_of(0).writer.account("admin") is not None


def test_a_copy_and_its_source_go_their_own_ways(ledger: WriteWorkload) -> None:
    """Writing into the copy changes nothing of the source, nor the other way round."""
    copy = ledger.copy_as_of(15)
    copy.writer.execute("DELETE FROM ledger.payments")
    ledger.pay(4, 50)
    assert (len(rows(copy)), len(rows(ledger.database))) == (0, 4)


def test_a_copy_can_be_copied(ledger: WriteWorkload) -> None:
    """Its own history begins with what it was restored to."""
    copy = ledger.copy_as_of(25)
    ledger.now = START + 60
    copy.writer.execute("DELETE FROM ledger.payments WHERE id = 1")
    again = GlobalDatabase(clock=lambda: ledger.now)
    again.add_restored_cluster("again", "us-east-1", source=copy, at=START + 50)
    assert [row[0] for row in rows(again)] == [1, 2]


def test_what_a_failover_has_lost_is_in_no_copy(ledger: WriteWorkload) -> None:
    """The promoted cluster has never had it, and its backups neither."""
    ledger.pay(4, 41)
    ledger.database.failover("west")
    ledger.pay(5, 50)
    assert [row[0] for row in rows(ledger.database)] == [1, 2, 3, 5]
    ledger.now = START + 60
    assert [row[0] for row in rows(ledger.copy_as_of(45))] == [1, 2, 3]
    assert [row[0] for row in rows(ledger.copy_as_of(55))] == [1, 2, 3, 5]


def test_nothing_is_kept_from_before_the_beginning(ledger: WriteWorkload) -> None:
    """Refused, not guessed; and only an empty database takes a restored cluster."""
    with pytest.raises(OperationRefusedError, match="earliest restorable time"):
        ledger.copy_as_of(-1)
    with pytest.raises(OperationRefusedError, match="empty global database"):
        ledger.database.add_restored_cluster("copy", "us-east-1", source=ledger.database, at=START)


def test_old_transactions_are_folded_into_the_beginning() -> None:
    """The backup stays bounded: what is too old can't be told apart any more, and is refused."""
    backup = ContinuousBackup(started_at=START, limit=2)
    backup.start_with([_change("CREATE TABLE numbers (id INTEGER)")])
    for number in range(5):
        backup.record(_entry(number, START + number))
    volume = Volume(lambda: ())
    backup.restore(volume, START + 3)
    assert volume.query("SELECT id FROM numbers", (), ExecutionContext(at=START))[1] == [(0,), (1,), (2,), (3,)]
    assert backup.earliest_at == START + 2
    with pytest.raises(OperationRefusedError):
        backup.restore(volume, START + 1)
    backup.close()


def _change(sql: str, *parameters: object) -> RowChange:
    return RowChange(statements=((sql, parameters),), context=ExecutionContext(at=START))


def _entry(number: int, at: float) -> LogEntry:
    transaction = Transaction(sequence=number + 1, committed_at=at, user="", statements=())
    return LogEntry(transaction=transaction, changes=(_change("INSERT INTO numbers VALUES (?)", number),))
