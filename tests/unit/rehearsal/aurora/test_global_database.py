"""The stand-in for Aurora's data plane: SQL, transactions, privileges, replication, and what a failover loses."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rehearsal.aurora.global_database import Cluster, GlobalDatabase, MasterLogin, OperationRefusedError, SqlError
from rehearsal.aurora.session import MysqlSession

EAST, WEST = "payments-us-east-1-dev", "payments-eu-west-1-dev"
START = 1_790_000_000.0


@dataclass(kw_only=True)
class Clock:
    """Time that stands still until a test moves it."""

    now: float = START

    def __call__(self) -> float:
        """Return the time in seconds since the epoch."""
        return self.now


@dataclass(kw_only=True)
class Region:
    """What most tests need: two clusters, a ledger table, and a clock."""

    clock: Clock = field(default_factory=Clock)
    database: GlobalDatabase
    east: Cluster
    west: Cluster

    def pay(self, number: int) -> None:
        """Commit a payment on whoever is the writer."""
        self.database.writer.execute("INSERT INTO ledger.payments (id, cents) VALUES (%s, 100)", number)

    def paid(self, cluster: Cluster) -> list[int]:
        """Return the payments that a cluster has."""
        return [int(str(row[0])) for row in cluster.execute("SELECT id FROM ledger.payments ORDER BY id")]


@pytest.fixture
def region() -> Iterator[Region]:
    """A global database with a lag of one second, its ledger table on both clusters."""
    made = make_region(1.0)
    yield made
    made.database.close()


def make_region(lag_seconds: float) -> Region:
    """Make one."""
    clock = Clock()
    database = GlobalDatabase(clock=clock, replication_lag_seconds=lag_seconds)
    east = database.add_cluster(
        EAST, "us-east-1", writer=True, master=MasterLogin(name="admin", password="pw"), database="ledger"
    )
    west = database.add_cluster(WEST, "eu-west-1", writer=False)
    east.execute("CREATE TABLE ledger.payments (id BIGINT PRIMARY KEY, cents BIGINT NOT NULL)")
    clock.now += 100
    return Region(clock=clock, database=database, east=east, west=west)


def refusal(session: MysqlSession | Cluster, sql: str, *args: object) -> int:
    """Return the number of the error with which a statement is refused."""
    with pytest.raises(SqlError) as caught:
        if isinstance(session, MysqlSession):
            session.execute(sql, args)
        else:
            session.execute(sql, *args)
    return caught.value.code


class TestClockSkew:
    """An engine whose own clock is wrong."""

    def test_sql_takes_the_wrong_clock_and_the_log_the_true_one(self, region: Region) -> None:
        """UTC_TIMESTAMP is ahead by the skew; the commit is as old as it is, so lag and loss stay true."""
        region.east.clock_skew_seconds = 5.0
        skewed = str(region.east.execute("SELECT UNIX_TIMESTAMP(UTC_TIMESTAMP(6))")[0][0])
        region.pay(1)
        assert (region.clock.now + 5.0, region.clock.now) == (
            pytest.approx(float(skewed)),
            region.east.newest_commit_at(),
        )


class TestReplication:
    """What reaches the reader, and when."""

    def test_lag_is_kept_exactly(self, region: Region) -> None:
        """A commit is on the reader as soon as its age is the lag, and not before."""
        region.pay(1)
        region.clock.now += 0.999
        assert region.paid(region.west) == []
        region.clock.now += 0.002
        assert region.paid(region.west) == [1]

    def test_order_is_kept(self, region: Region) -> None:
        """Commits arrive one by one, in order."""
        for number in range(1, 4):
            region.pay(number)
            region.clock.now += 0.4
        assert region.paid(region.west) == [1]
        region.clock.now += 0.4
        assert region.paid(region.west) == [1, 2]

    def test_changing_the_lag_changes_no_past(self, region: Region) -> None:
        """What was old enough by the former lag is applied; what wasn't waits for the new one."""
        region.pay(1)
        region.clock.now += 1.5
        region.pay(2)
        region.database.replication_lag_seconds = 60.0
        region.clock.now += 30
        assert region.paid(region.west) == [1]
        region.database.replication_lag_seconds = 0.0
        assert region.paid(region.west) == [1, 2]

    def test_values_are_the_writers(self, region: Region) -> None:
        """Time, chance and session values that a statement computes are the same on the reader, whenever it applies it."""
        region.east.execute(
            "CREATE TABLE ledger.facts (id INT AUTO_INCREMENT PRIMARY KEY, at DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), "
            "code VARCHAR(36), who VARCHAR(64))"
        )
        region.east.execute("INSERT INTO ledger.facts (code, who) VALUES (UUID(), CURRENT_USER()), (UUID(), USER())")
        region.clock.now += 50
        rows = region.east.execute("SELECT * FROM ledger.facts")
        assert region.west.execute("SELECT * FROM ledger.facts") == rows
        assert rows[0][1] != rows[0][2] and rows[0][2] != rows[1][2]

    def test_users_and_grants_replicate(self, region: Region) -> None:
        """A user that is made on the writer can log in on the reader, with the same grants, after the lag."""
        region.east.execute("CREATE USER app IDENTIFIED BY 'x'")
        region.east.execute("GRANT SELECT ON ledger.payments TO app")
        assert region.west.account("app") is None
        region.clock.now += 2
        account = region.west.account("app")
        assert account is not None and account.plugin == "mysql_native_password"
        assert region.west.session("app").execute("SELECT id FROM ledger.payments").rows == ()

    def test_status_table(self, region: Region) -> None:
        """The status table shows the writer first, with lags of 0 and the epoch, and the reader's measured lags."""
        region.pay(1)
        region.clock.now += 0.4
        rows = region.west.execute("SELECT * FROM information_schema.aurora_global_db_status")
        assert [row[0] for row in rows] == ["us-east-1", "eu-west-1"]
        assert rows[0][2:5] == (0, 0, "1970-01-01 00:00:00.000000")
        assert rows[1][2:4] == (1000, 400)

    def test_lag_that_outgrows_the_setting(self, region: Region) -> None:
        """The lag of a reader whose stream is stopped stands still; its time of calculation shows that it is old."""
        region.clock.now += 5
        before = region.west.execute("SELECT * FROM information_schema.aurora_global_db_status")[1]
        region.pay(1)
        region.database.stop(EAST)
        region.clock.now += 500
        after = region.west.execute("SELECT * FROM information_schema.aurora_global_db_status")[1]
        assert after[2] == before[2] and after[4] == before[4]
        assert region.west.replication_lag_ms() == 1000


class TestOutage:
    """Stopping, failing over, coming back."""

    def test_stopped_stream_never_applies(self, region: Region) -> None:
        """What was not applied when the writer went dark stays unapplied, however long one waits."""
        region.pay(1)
        region.clock.now += 0.5
        region.database.stop(EAST)
        region.clock.now += 3600
        assert region.paid(region.west) == []

    def test_stop_lets_pass_what_was_old_enough(self, region: Region) -> None:
        """What was old enough at the moment of the stop has arrived, though nobody had looked."""
        region.pay(1)
        region.clock.now += 1.5
        region.pay(2)
        region.database.stop(EAST)
        assert region.paid(region.west) == [1]

    def test_stopped_cluster_takes_nothing(self, region: Region) -> None:
        """A stopped cluster takes no session, and one that was open is gone, with its transaction."""
        session = region.east.session("admin")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        region.database.stop(EAST)
        assert refusal(session, "COMMIT") == 2013
        with pytest.raises(SqlError, match="Lost connection"):
            region.east.session("admin")
        region.database.start(EAST)
        assert refusal(session, "SELECT 1") == 2013
        assert region.paid(region.east) == []

    def test_failover_says_exactly_what_is_lost(self, region: Region) -> None:
        """The outcome lists each acknowledged transaction that the target lacks, in order, with its time and text."""
        for number in range(1, 6):
            region.pay(number)
            region.clock.now += 0.3
        region.database.stop(EAST)
        region.clock.now += 60
        outcome = region.database.failover(WEST)
        assert region.paid(region.west) == [1, 2]
        lost = [row["id"] for each in outcome.lost_transactions for row in each.inserted_rows("ledger.payments")]
        assert lost == [3, 4, 5]
        assert [each.committed_at - (START + 100) for each in outcome.lost_transactions] == pytest.approx(
            [0.6, 0.9, 1.2]
        )
        assert (
            outcome.lost_transactions[0].statements[0].sql == "INSERT INTO ledger.payments (id, cents) VALUES (3, 100)"
        )
        assert outcome.lag_seconds == pytest.approx(0.9)
        assert region.database.lost_transactions == outcome.lost_transactions

    def test_lost_rows_of_unqualified_statements(self, region: Region) -> None:
        """Rows of a statement that names its table without the database are found by the session's database."""
        session = region.east.session("admin")
        session.use("ledger")
        session.execute("INSERT INTO payments (id, cents) VALUES (%s, %s), (8, -2)", (7, 1))
        region.database.stop(EAST)
        outcome = region.database.failover(WEST)
        expected = [{"id": 7, "cents": 1}, {"id": 8, "cents": -2}]
        assert outcome.lost_transactions[0].inserted_rows("ledger.payments") == expected
        assert outcome.lost_transactions[0].inserted_rows("payments") == expected
        assert outcome.lost_transactions[0].inserted_rows("other.payments") == []

    def test_failover_without_a_loss(self, region: Region) -> None:
        """When all has arrived, nothing is lost and the lag is 0."""
        region.pay(1)
        region.clock.now += 5
        region.database.stop(EAST)
        outcome = region.database.failover(WEST)
        assert (outcome.lost_transactions, outcome.lag_seconds) == ((), 0.0)

    def test_new_writer_writes(self, region: Region) -> None:
        """After the failover the target takes commits, and the old writer, still dark, is a reader."""
        region.database.stop(EAST)
        region.database.failover(WEST)
        assert (region.west.read_only, region.east.read_only) == (False, True)
        region.pay(9)
        assert region.paid(region.west) == [9]

    def test_old_writer_returns_as_a_copy(self, region: Region) -> None:
        """The old writer comes back as a reader with the new writer's rows alone; its lost rows are not in it."""
        region.pay(1)
        region.database.stop(EAST)
        region.database.failover(WEST)
        region.pay(2)
        region.database.start(EAST)
        assert region.paid(region.east) == [2]
        assert refusal(region.east, "INSERT INTO ledger.payments VALUES (3, 1)") == 1290
        region.pay(4)
        region.clock.now += 2
        assert region.paid(region.east) == [2, 4]

    def test_writer_that_returns_unchallenged(self, region: Region) -> None:
        """A writer that comes back before anybody took over is the writer still, and its stream goes on."""
        region.pay(1)
        region.database.stop(EAST)
        region.clock.now += 60
        region.database.start(EAST)
        assert region.paid(region.west) == [1]
        assert not region.east.read_only

    def test_reader_that_was_away_catches_up(self, region: Region) -> None:
        """A reader that was stopped applies on its return what it missed."""
        region.database.stop(WEST)
        region.pay(1)
        region.clock.now += 60
        region.database.start(WEST)
        assert region.paid(region.west) == [1]

    def test_failover_of_a_living_writer_fences_it(self, region: Region) -> None:
        """A failover while the writer lives demotes it at once: there are never two writers."""
        session = region.east.session("admin")
        region.pay(1)
        region.database.failover(WEST)
        assert [cluster.read_only for cluster in (region.east, region.west)] == [True, False]
        assert refusal(session, "INSERT INTO ledger.payments VALUES (2, 1)") == 2013
        assert region.paid(region.east) == []

    def test_rejoins_when_the_writer_is_there(self, region: Region) -> None:
        """A cluster that must rejoin can't be promoted before it has: the writer it would copy is dark."""
        region.database.stop(EAST)
        region.database.failover(WEST)
        region.pay(1)
        region.database.stop(WEST)
        region.database.start(EAST)
        with pytest.raises(OperationRefusedError, match="rejoined"):
            region.database.failover(EAST)
        region.database.start(WEST)
        assert region.paid(region.east) == [1]

    @pytest.mark.parametrize(
        ("target", "reason"), [("nobody", "no cluster nobody"), (EAST, "already the writer"), (WEST, "isn't running")]
    )
    def test_refusals(self, region: Region, target: str, reason: str) -> None:
        """An unknown target, the writer itself and a stopped reader are refused, by failover and switchover alike."""
        region.database.stop(WEST)
        for operation in (region.database.failover, region.database.switchover):
            with pytest.raises(OperationRefusedError, match=reason):
                operation(target)
        assert region.database.writer is region.east


class TestSwitchover:
    """The planned change of roles."""

    def test_loses_nothing(self, region: Region) -> None:
        """Whatever the lag, every acknowledged row is on the new writer, and the old one follows it."""
        region.database.replication_lag_seconds = 3600.0
        for number in range(1, 4):
            region.pay(number)
        region.database.switchover(WEST)
        assert region.paid(region.west) == [1, 2, 3]
        assert region.database.lost_transactions == ()
        region.database.replication_lag_seconds = 1.0
        region.pay(4)
        region.clock.now += 2
        assert region.paid(region.east) == [1, 2, 3, 4]

    def test_there_and_back(self, region: Region) -> None:
        """Two switchovers lead back to where it began."""
        region.pay(1)
        region.database.switchover(WEST)
        region.pay(2)
        region.database.switchover(EAST)
        assert region.paid(region.east) == [1, 2]
        assert region.database.writer is region.east

    def test_needs_a_living_writer(self, region: Region) -> None:
        """A switchover with a dark writer is refused: it could not promise that nothing is lost."""
        region.database.stop(EAST)
        with pytest.raises(OperationRefusedError, match="only a failover"):
            region.database.switchover(WEST)

    def test_fence(self, region: Region) -> None:
        """A fenced writer refuses commits, those of open transactions too, and says that it is read-only."""
        session = region.east.session("admin")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        region.database.fence(EAST)
        assert refusal(session, "COMMIT") == 1290
        assert session.execute("SELECT @@innodb_read_only").rows == ((1,),)
        region.database.unfence(EAST)
        region.pay(2)
        assert region.paid(region.east) == [2]


class TestMembers:
    """Adding and removing clusters."""

    def test_secondary_takes_no_master(self, region: Region) -> None:
        """A reader with a master user or a database name is refused, as on AWS; so is a second writer."""
        region.database.remove_cluster(WEST)
        for master, name in ((MasterLogin(name="a", password="b"), None), (None, "x")):
            with pytest.raises(OperationRefusedError, match="copies its users"):
                region.database.add_cluster(WEST, "eu-west-1", writer=False, master=master, database=name)
        with pytest.raises(OperationRefusedError, match="exactly one writer"):
            region.database.add_cluster(WEST, "eu-west-1", writer=True)

    def test_writer_leaves_last(self, region: Region) -> None:
        """The writer can't be removed while a reader is there."""
        with pytest.raises(OperationRefusedError, match="while readers remain"):
            region.database.remove_cluster(EAST)
        region.database.remove_cluster(WEST)
        region.database.remove_cluster(EAST)
        assert region.database.clusters == ()

    def test_log_is_forgotten_when_all_have_it(self, region: Region) -> None:
        """What every cluster has applied isn't kept."""
        for number in range(200):
            region.pay(number)
        region.clock.now += 2
        assert len(region.paid(region.west)) == 200
        assert len(region.database._log) == 0

    def test_master_password_changes(self, region: Region) -> None:
        """A new master password is the only one, and never shows in the log of statements."""
        before = region.east.account("admin")
        region.database.change_master_password(MasterLogin(name="admin", password="another"))
        after = region.east.account("admin")
        assert before is not None and after is not None and before.authentication != after.authentication
        assert "another" not in str(list(region.database._log))
        assert "another" not in repr(MasterLogin(name="admin", password="another"))


class TestTransactions:
    """Sessions."""

    def test_nobody_sees_what_is_open(self, region: Region) -> None:
        """An open transaction sees its own rows; others see them after the commit."""
        mine, theirs = region.east.session("admin"), region.east.session("admin")
        mine.execute("SET AUTOCOMMIT = 0")
        mine.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        count = "SELECT COUNT(*) FROM ledger.payments"
        assert (mine.execute(count).rows, theirs.execute(count).rows) == (((1,),), ((0,),))
        mine.execute("COMMIT")
        assert theirs.execute(count).rows == ((1,),)

    def test_rollback(self, region: Region) -> None:
        """A rollback, and a client that goes, leave nothing behind."""
        session = region.east.session("admin")
        session.execute("START TRANSACTION")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        session.execute("ROLLBACK")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (2, 1)")
        session.close()
        assert region.paid(region.east) == []

    def test_transaction_replicates_as_a_whole(self, region: Region) -> None:
        """The statements of a transaction are one entry of the log: it is lost or kept as a whole."""
        session = region.east.session("admin")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        session.execute("INSERT INTO ledger.payments VALUES (2, 1)")
        session.execute("COMMIT")
        region.database.stop(EAST)
        outcome = region.database.failover(WEST)
        assert [len(each.statements) for each in outcome.lost_transactions] == [2]

    def test_conflict_is_refused_as_a_deadlock(self, region: Region) -> None:
        """A commit that would do something else than its client was told is refused, and nothing of it is kept."""
        first, second = region.east.session("admin"), region.east.session("admin")
        for session in (first, second):
            session.execute("BEGIN")
            session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        first.execute("COMMIT")
        assert refusal(second, "COMMIT") == 1213
        assert region.paid(region.east) == [1]

    def test_error_leaves_the_transaction_as_it_was(self, region: Region) -> None:
        """A statement that fails changes nothing of the open transaction."""
        session = region.east.session("admin")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        assert refusal(session, "INSERT INTO ledger.payments VALUES (2, 1), (1, 1)") == 1062
        session.execute("COMMIT")
        assert region.paid(region.east) == [1]

    def test_definition_commits_what_is_open(self, region: Region) -> None:
        """CREATE TABLE commits the open transaction first, as in MySQL."""
        session = region.east.session("admin")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        session.execute("CREATE TABLE ledger.other (id INT PRIMARY KEY)")
        session.execute("ROLLBACK")
        assert region.paid(region.east) == [1]

    def test_upsert_updates(self, region: Region) -> None:
        """INSERT ... ON DUPLICATE KEY UPDATE updates the row, by VALUES() and by a row alias."""
        region.pay(1)
        region.east.execute(
            "INSERT INTO ledger.payments (id, cents) VALUES (1, 5) ON DUPLICATE KEY UPDATE cents = VALUES(cents)"
        )
        assert region.east.execute("SELECT cents FROM ledger.payments") == [(5,)]
        region.east.execute(
            "INSERT INTO ledger.payments (id, cents) VALUES (1, 7) AS new ON DUPLICATE KEY UPDATE cents = new.cents"
        )
        assert region.east.execute("SELECT cents FROM ledger.payments") == [(7,)]

    def test_auto_increment(self, region: Region) -> None:
        """The client is told the first number of its rows, and 0 for a table that counts nothing."""
        region.east.execute("CREATE TABLE ledger.n (id BIGINT AUTO_INCREMENT PRIMARY KEY, x INT)")
        session = region.east.session("admin")
        result = session.execute("INSERT INTO ledger.n (x) VALUES (1), (2)")
        assert (result.affected_rows, result.last_insert_id) == (2, 1)
        assert session.execute("SELECT LAST_INSERT_ID()").rows == ((1,),)
        assert session.execute("INSERT INTO ledger.payments VALUES (1, 1)").last_insert_id == 0


class TestSql:
    """What is translated, and what is refused."""

    def test_heartbeat(self, region: Region) -> None:
        """The heartbeat's statements work as health_check sends them."""
        region.east.execute("CREATE DATABASE IF NOT EXISTS failover")
        region.east.execute(
            "CREATE TABLE IF NOT EXISTS failover.heartbeat (source_region VARCHAR(32) PRIMARY KEY, "
            "written_at DATETIME(6) NOT NULL)"
        )
        for _ in range(2):
            region.east.execute(
                "INSERT INTO failover.heartbeat (source_region, written_at) VALUES (%s, UTC_TIMESTAMP(6)) "
                "ON DUPLICATE KEY UPDATE written_at = UTC_TIMESTAMP(6)",
                "us-east-1",
            )
            region.clock.now += 2.25
        result = region.west.session("rdsadmin").execute(
            "SELECT MAX(written_at), TIMESTAMPDIFF(MICROSECOND, MAX(written_at), UTC_TIMESTAMP(6)) FROM failover.heartbeat"
        )
        assert [column.type for column in result.columns] == ["datetime", "integer"]
        assert result.rows[0][1] == 2_250_000

    @pytest.mark.parametrize(
        ("sql", "number"),
        [
            ("SELEC 1", 1064),
            ("SELECT 1 FROM nowhere.t", 1049),
            ("SELECT 1 FROM ledger.t", 1146),
            ("SELECT 1 FROM payments", 1046),
            ("SELECT nothing FROM ledger.payments", 1054),
            ("SELECT NOT_A_FUNCTION(1) FROM ledger.payments", 1305),
            ("SELECT @@nothing", 1193),
            ("INSERT INTO ledger.payments (id, cents) VALUES (1, NULL)", 1048),
            ("INSERT INTO ledger.limits (name) VALUES ('too long')", 1406),
            ("INSERT INTO ledger.limits (amount) VALUES (-1)", 1264),
            ("INSERT INTO ledger.limits (exact) VALUES (1000)", 1264),
            ("INSERT INTO ledger.limits (kind) VALUES ('c')", 1265),
            ("INSERT INTO ledger.limits (positive) VALUES (0)", 3819),
            ("CREATE DATABASE ledger", 1007),
            ("CREATE TABLE ledger.payments (id INT)", 1050),
            ("REPLACE INTO ledger.payments VALUES (1, 1)", 1235),
            ("SELECT id FROM ledger.payments FOR UPDATE", 1235),
            ("ALTER TABLE ledger.payments ADD x INT", 1235),
            ("UPDATE ledger.payments SET cents = 1 LIMIT 1", 1235),
            ("CREATE TABLE ledger.t (id INT, FOREIGN KEY (id) REFERENCES ledger.payments (id))", 1235),
            ("CREATE TABLE ledger.t (at DATETIME ON UPDATE CURRENT_TIMESTAMP)", 1235),
            ("SELECT 1; SELECT 2", 1235),
            ("SET @x = 1", 1235),
            ("SET GLOBAL read_only = 0", 1238),
            ("CREATE USER x IDENTIFIED WITH nonsense", 1524),
            ("CREATE USER admin IDENTIFIED BY 'x'", 1396),
            ("GRANT SELECT ON ledger.payments TO nobody", 1410),
            ("GRANT SELECT ON ledger.nothing TO admin", 1146),
            ("SHOW GRANTS FOR nobody", 1141),
            ("USE nowhere", 1049),
        ],
    )
    def test_refused_as_mysql_refuses(self, region: Region, sql: str, number: int) -> None:
        """Each mistake gets MySQL's number; what the stand-in can't do gets 1235 and is never half done."""
        region.east.execute(
            "CREATE TABLE ledger.limits (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(5), amount INT UNSIGNED, "
            "exact DECIMAL(5,2), kind ENUM('a','b'), positive INT, CONSTRAINT positive CHECK (positive > 0))"
        )
        assert refusal(region.east.session("admin"), sql) == number

    def test_types_of_columns(self, region: Region) -> None:
        """Result columns have the types that were declared, also through MAX and SUM; decimals keep their digits."""
        region.east.execute(
            "CREATE TABLE ledger.t (id INT PRIMARY KEY, amount DECIMAL(12,2), at DATETIME(6), note TEXT, raw VARBINARY(8))"
        )
        region.east.execute("INSERT INTO ledger.t VALUES (1, 10.5, '2026-11-24 01:02:03.000004', 'x', X'00ff')")
        result = region.east.session("admin").execute("SELECT * FROM ledger.t")
        assert [column.type for column in result.columns] == ["integer", "decimal", "datetime", "text", "blob"]
        assert result.rows == ((1, "10.50", "2026-11-24 01:02:03.000004", "x", b"\x00\xff"),)
        result = region.east.session("admin").execute("SELECT SUM(t.amount), MAX(at), COUNT(*) FROM ledger.t t")
        assert [column.type for column in result.columns] == ["decimal", "datetime", "integer"]

    def test_qualified_columns(self, region: Region) -> None:
        """Columns may be qualified by table, by database and table, and by alias."""
        region.pay(1)
        for sql in (
            "SELECT payments.id FROM ledger.payments WHERE ledger.payments.cents = 100",
            "SELECT p.id FROM ledger.payments AS p JOIN ledger.payments AS q ON p.id = q.id",
            "SELECT id FROM ledger.payments WHERE id IN (SELECT payments.id FROM ledger.payments)",
            "WITH x AS (SELECT id FROM ledger.payments) SELECT id FROM x",
        ):
            assert region.east.execute(sql) == [(1,)]
        region.east.execute("UPDATE ledger.payments SET cents = payments.cents + 1 WHERE ledger.payments.id = 1")
        region.east.execute("DELETE FROM ledger.payments WHERE payments.cents = 101")
        assert region.paid(region.east) == []

    def test_time_arithmetic(self, region: Region) -> None:
        """Intervals and differences are counted in the database's own time."""
        [row] = region.east.execute(
            "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6) - INTERVAL 90 SECOND, NOW(6)), "
            "TIMESTAMPDIFF(MINUTE, NOW(6), DATE_SUB(NOW(6), INTERVAL 90 SECOND)), UNIX_TIMESTAMP(NOW(6))"
        )
        assert row == (90, -1, region.clock.now)

    def test_show(self, region: Region) -> None:
        """SHOW VARIABLES, DATABASES and TABLES answer."""
        assert region.west.execute("SHOW VARIABLES LIKE 'innodb_read_only'") == [("innodb_read_only", "ON")]
        assert region.east.execute("SHOW GLOBAL VARIABLES LIKE 'innodb_read%'") == [("innodb_read_only", "OFF")]
        assert ("ledger",) in region.east.execute("SHOW DATABASES")
        assert region.east.execute("SHOW TABLES FROM ledger") == [("payments",)]


class TestPrivileges:
    """What is not granted is refused."""

    @pytest.fixture
    def app(self, region: Region) -> MysqlSession:
        """A session of a user who may read and insert payments."""
        region.east.execute("CREATE USER 'app'@'%' IDENTIFIED BY 'x'")
        region.east.execute("GRANT SELECT, INSERT ON ledger.payments TO 'app'@'%'")
        return region.east.session("app")

    def test_granted(self, app: MysqlSession) -> None:
        """What was granted works."""
        app.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        assert app.execute("SELECT id FROM ledger.payments").rows == ((1,),)

    @pytest.mark.parametrize(
        ("sql", "number"),
        [
            ("UPDATE ledger.payments SET cents = 0", 1142),
            ("DELETE FROM ledger.payments", 1142),
            ("INSERT INTO ledger.payments VALUES (1, 1) ON DUPLICATE KEY UPDATE cents = 1", 1142),
            ("DROP TABLE ledger.payments", 1142),
            ("TRUNCATE TABLE ledger.payments", 1142),
            ("CREATE TABLE ledger.x (id INT)", 1142),
            ("SELECT user FROM mysql.user", 1142),
            ("INSERT INTO ledger.payments SELECT 1, 1 FROM mysql.user", 1142),
            ("CREATE DATABASE x", 1044),
            ("CREATE USER x", 1227),
            ("DROP USER admin", 1227),
            ("GRANT UPDATE ON ledger.payments TO app", 1142),
            ("GRANT SELECT ON ledger.* TO app", 1044),
            ("SHOW GRANTS FOR admin", 1142),
            ("USE mysql", 1044),
        ],
    )
    def test_refused(self, app: MysqlSession, sql: str, number: int) -> None:
        """Each statement without its privilege is refused with MySQL's number, before it is looked at any closer."""
        assert refusal(app, sql) == number

    def test_revoked(self, region: Region, app: MysqlSession) -> None:
        """A revoked privilege is gone at once."""
        region.east.execute("REVOKE INSERT ON ledger.payments FROM app")
        assert refusal(app, "INSERT INTO ledger.payments VALUES (1, 1)") == 1142

    def test_levels(self, region: Region) -> None:
        """Privileges on a database and on everything cover their tables."""
        region.east.execute("CREATE USER wide IDENTIFIED BY 'x'")
        region.east.execute("GRANT ALL PRIVILEGES ON ledger.* TO wide")
        session = region.east.session("wide")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        session.use("ledger")
        assert session.execute("SELECT COUNT(*) FROM payments").rows == ((1,),)

    def test_read_only_comes_after_privileges(self, region: Region, app: MysqlSession) -> None:
        """On a reader, what one may not do is refused as such; what one may is refused as read-only."""
        region.clock.now += 5
        reader = region.west.session("app")
        assert refusal(reader, "DELETE FROM ledger.payments") == 1142
        assert refusal(reader, "INSERT INTO ledger.payments VALUES (1, 1)") == 1290


HEARTBEAT = (
    "CREATE EVENT IF NOT EXISTS ledger.pulse ON SCHEDULE EVERY 1 SECOND ON COMPLETION PRESERVE ENABLE DO "
    "INSERT INTO ledger.beats (source, written_at) VALUES ('database', UTC_TIMESTAMP(6)) "
    "ON DUPLICATE KEY UPDATE written_at = UTC_TIMESTAMP(6)"
)


class TestEvents:
    """What the writer's database runs by itself. The fixture's lag is one second, and its clock begins at a whole one."""

    @pytest.fixture
    def beating(self, region: Region) -> Region:
        """A global database whose event is on both clusters; `began` is when it was made."""
        region.east.execute(
            "CREATE TABLE ledger.beats (source VARCHAR(32) PRIMARY KEY, written_at DATETIME(6) NOT NULL)"
        )
        region.east.execute(HEARTBEAT)
        return region

    def beat(self, cluster: Cluster) -> float | None:
        """Return the newest heartbeat of a cluster, in seconds since the event was made, or None."""
        rows = cluster.execute("SELECT UNIX_TIMESTAMP(MAX(written_at)) FROM ledger.beats")
        return None if rows[0][0] is None else float(str(rows[0][0])) - (START + 100)

    def test_runs_each_second_and_replicates(self, beating: Region) -> None:
        """Each execution has its due time, whenever somebody looks, and is on the reader when it is as old as the lag."""
        beating.clock.now += 10.3
        assert (self.beat(beating.west), self.beat(beating.east)) == (9.0, 10.0)
        beating.clock.now += 0.8
        assert (self.beat(beating.west), self.beat(beating.east)) == (10.0, 11.0)

    def test_who_looks_and_how_often_changes_nothing(self) -> None:
        """A database that is looked at all the time has committed the same transactions as one that nobody looked at."""
        lost: list[list[tuple[float, str]]] = []
        for looks in (1, 40):
            region = make_region(3600.0)
            region.east.execute(
                "CREATE TABLE ledger.beats (source VARCHAR(32) PRIMARY KEY, written_at DATETIME(6) NOT NULL)"
            )
            region.east.execute(HEARTBEAT)
            for _ in range(looks):
                region.clock.now += 10 / looks
                region.west.newest_commit_at()
            region.database.stop(EAST)
            outcome = region.database.failover(WEST)
            lost.append([(each.committed_at - START, each.statements[0].sql[:6]) for each in outcome.lost_transactions])
            region.database.close()
        assert lost[0] == lost[1]
        assert [at for at, verb in lost[0] if verb == "INSERT"] == [100.0 + second for second in range(1, 11)]

    def test_stopped_means_silent_and_nothing_is_made_up(self, beating: Region) -> None:
        """A stopped writer runs nothing; back unchallenged it goes on with the next second, and makes up for none."""
        beating.clock.now += 3.5
        beating.database.stop(EAST)
        beating.clock.now += 60
        assert self.beat(beating.west) == 2.0
        position = beating.east.applied_sequence
        beating.database.start(EAST)
        assert beating.east.applied_sequence == position
        beating.clock.now += 1
        assert (self.beat(beating.east), beating.east.applied_sequence) == (64.0, position + 1)

    def test_fenced_means_silent(self, beating: Region) -> None:
        """A fenced writer runs nothing; unfenced it goes on."""
        beating.clock.now += 2.5
        beating.database.fence(EAST)
        beating.clock.now += 10
        assert (self.beat(beating.east), self.beat(beating.west)) == (2.0, 2.0)
        beating.database.unfence(EAST)
        beating.clock.now += 1
        assert self.beat(beating.east) == 13.0

    def test_the_promoted_cluster_runs_it(self, beating: Region) -> None:
        """After a failover the new writer beats, and the old one, back as a copy, follows it without beating itself."""
        beating.clock.now += 5.5
        beating.database.stop(EAST)
        beating.clock.now += 30
        outcome = beating.database.failover(WEST)
        assert [each.committed_at - (START + 100) for each in outcome.lost_transactions] == [5.0]
        assert self.beat(beating.west) == 4.0
        beating.clock.now += 1
        assert self.beat(beating.west) == 36.0
        beating.database.start(EAST)
        beating.clock.now += 10
        assert (self.beat(beating.west), self.beat(beating.east)) == (46.0, 45.0)

    def test_switchover_moves_it(self, beating: Region) -> None:
        """A switchover loses no heartbeat, and there is one line of them, not two."""
        beating.clock.now += 5.5
        beating.database.switchover(WEST)
        assert (self.beat(beating.west), beating.database.lost_transactions) == (5.0, ())
        before = beating.west.applied_sequence
        beating.clock.now += 10
        assert (self.beat(beating.west), self.beat(beating.east)) == (15.0, 14.0)
        assert beating.west.applied_sequence == before + 10

    def test_lost_heartbeats_are_not_lost_rows(self, beating: Region) -> None:
        """Heartbeats stand among the lost transactions, and not among the rows that another table lost."""
        beating.database.replication_lag_seconds = 60.0
        beating.pay(1)
        beating.clock.now += 3
        beating.database.stop(EAST)
        lost = beating.database.failover(WEST).lost_transactions
        assert [row["id"] for each in lost for row in each.inserted_rows("ledger.payments")] == [1]
        assert [row["source"] for each in lost for row in each.inserted_rows("ledger.beats")] == ["database"] * 3

    def test_a_long_lag_is_the_lag_of_its_heartbeats(self, beating: Region) -> None:
        """A reader's RPO lag is the age of the oldest commit that it lacks, heartbeats included."""
        beating.database.replication_lag_seconds = 10.0
        beating.clock.now += 30.5
        rows = beating.west.execute(
            "SELECT rpo_lag_in_milliseconds FROM information_schema.aurora_global_db_status WHERE aws_region = 'eu-west-1'"
        )
        assert (rows, self.beat(beating.west)) == ([(9500.0,)], 20.0)

    def test_seen_made_changed_dropped(self, beating: Region) -> None:
        """information_schema shows it; IF NOT EXISTS leaves it; DISABLE stops it, ENABLE and DROP do what they say."""
        query = "SELECT event_schema, event_name, interval_value, status, on_completion FROM information_schema.EVENTS"
        assert beating.east.execute(query) == [("ledger", "pulse", "1", "ENABLED", "PRESERVE")]
        beating.east.execute(HEARTBEAT)
        beating.east.execute("ALTER EVENT ledger.pulse DISABLE")
        beating.clock.now += 10
        assert (self.beat(beating.east), beating.west.execute(query)[0][3]) == (None, "DISABLED")
        beating.east.execute("ALTER EVENT ledger.pulse ENABLE")
        beating.clock.now += 1
        assert self.beat(beating.east) == 11.0
        beating.east.execute("DROP EVENT ledger.pulse")
        assert beating.east.execute(query) == []

    @pytest.mark.parametrize(
        ("sql", "number"),
        [
            (HEARTBEAT.replace("IF NOT EXISTS ", ""), 1537),
            ("ALTER EVENT ledger.nobody ENABLE", 1539),
            ("DROP EVENT ledger.nobody", 1539),
            (HEARTBEAT.replace("ledger.pulse", "nowhere.pulse"), 1049),
            (HEARTBEAT.replace("ledger.pulse", "pulse"), 1046),
            ("CREATE EVENT ledger.x ON SCHEDULE AT NOW() DO SELECT 1", 1235),
            ("CREATE EVENT ledger.x ON SCHEDULE EVERY 1 SECOND DO SELECT 1", 1235),
            ("CREATE EVENT ledger.x ON SCHEDULE EVERY 0 SECOND DO DELETE FROM ledger.beats", 1542),
        ],
    )
    def test_refusals(self, beating: Region, sql: str, number: int) -> None:
        """What MySQL refuses, and what the stand-in doesn't do, is refused by number."""
        assert refusal(beating.east, sql) == number

    def test_reader_refuses(self, beating: Region) -> None:
        """On a reader no event is made."""
        beating.clock.now += 5
        assert refusal(beating.west, HEARTBEAT) == 1290

    def test_runs_with_its_definers_rights(self, beating: Region) -> None:
        """Making one takes EVENT on its database; an execution that its definer has no right to does nothing."""
        beating.east.execute("CREATE USER 'app'@'%' IDENTIFIED BY 'x'")
        beating.east.execute("GRANT SELECT ON ledger.beats TO 'app'@'%'")
        mine = "CREATE EVENT ledger.mine ON SCHEDULE EVERY 1 SECOND DO INSERT INTO ledger.payments VALUES (7, 7)"
        session = beating.east.session("app")
        assert refusal(session, mine) == 1044
        beating.east.execute("GRANT EVENT ON ledger.* TO 'app'@'%'")
        session.execute(mine)
        beating.clock.now += 3
        assert beating.paid(beating.east) == []
        beating.east.execute("GRANT INSERT ON ledger.payments TO 'app'@'%'")
        beating.clock.now += 3
        assert beating.paid(beating.east) == [7]


def test_threads_do_not_mix(region: Region) -> None:
    """Sessions of many threads, beside switchovers, lose no acknowledged row and keep no refused one."""
    acknowledged: list[int] = []

    def write(first: int) -> None:
        for number in range(first, first + 40):
            with _refusals_allowed():
                region.pay(number)
                acknowledged.append(number)

    threads = [threading.Thread(target=write, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for target in (WEST, EAST, WEST):
        region.database.switchover(target)
    for thread in threads:
        thread.join()
    assert region.paid(region.database.writer) == sorted(acknowledged)


class _refusals_allowed:
    """Let a commit be refused because its session's cluster changed its role meanwhile."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        return isinstance(error, SqlError) and error.code in (1290, 2013)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.just(0.0)),
        st.tuples(st.just("wait"), st.floats(0.01, 5.0)),
        st.tuples(st.just("lag"), st.floats(0.0, 5.0)),
        st.tuples(st.sampled_from(["stop", "start", "failover", "switchover"]), st.sampled_from([EAST, WEST])),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_every_acknowledged_row_is_kept_or_reported_lost(steps: list[tuple[str, str | float]]) -> None:
    """After any history, acknowledged rows are the writer's plus the lost ones, and a reader has a beginning of them."""
    region = make_region(1.0)
    acknowledged: list[int] = []
    try:
        for number, (step, argument) in enumerate(steps):
            try:
                if step == "pay":
                    region.pay(number)
                    acknowledged.append(number)
                elif step == "wait":
                    region.clock.now += float(argument)
                elif step == "lag":
                    region.database.replication_lag_seconds = float(argument)
                else:
                    getattr(region.database, step)(argument)
            except (SqlError, OperationRefusedError):
                pass
            assert sum(not cluster.read_only for cluster in region.database.clusters) == 1
        for cluster in region.database.clusters:
            region.database.start(cluster.id)
        lost = [
            int(str(row["id"]))
            for each in region.database.lost_transactions
            for row in each.inserted_rows("ledger.payments")
        ]
        kept = region.paid(region.database.writer)
        assert sorted([*kept, *lost]) == acknowledged
        for cluster in region.database.clusters:
            assert region.paid(cluster) == kept[: len(region.paid(cluster))]
        region.clock.now += 100
        assert {tuple(region.paid(cluster)) for cluster in region.database.clusters} == {tuple(kept)}
    finally:
        region.database.close()
