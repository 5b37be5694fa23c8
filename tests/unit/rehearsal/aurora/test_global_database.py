"""The embedded Aurora global database: SQL, transactions, privileges, replication and failover."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rehearsal.aurora.global_database import Cluster, GlobalDatabase, MasterLogin, ReplicationRefusedError, SqlError
from rehearsal.aurora.session import MysqlSession
from rehearsal.aurora.storage import ExecutionContext, Volume

EAST, WEST = "payments-us-east-1-dev", "payments-eu-west-1-dev"
START = 1_790_000_000.0


@dataclass(kw_only=True)
class Clock:
    """A clock that a test sets."""

    now: float = START

    def __call__(self) -> float:
        """Return the time in seconds since the epoch."""
        return self.now


@dataclass(kw_only=True)
class Scenario:
    """Two clusters, a ledger table and a clock."""

    clock: Clock = field(default_factory=Clock)
    database: GlobalDatabase
    east: Cluster
    west: Cluster

    def pay(self, number: int) -> None:
        """Commit a payment on the writer."""
        self.database.writer.execute("INSERT INTO ledger.payments (id, cents) VALUES (%s, 100)", number)

    def paid(self, cluster: Cluster) -> list[int]:
        """Return the payments on a cluster."""
        return [int(str(row[0])) for row in cluster.execute("SELECT id FROM ledger.payments ORDER BY id")]


@pytest.fixture
def scenario() -> Iterator[Scenario]:
    """A global database with a lag of one second and the ledger table on both clusters."""
    made = make_scenario(1.0)
    yield made
    made.database.close()


def make_scenario(lag_seconds: float) -> Scenario:
    """Return a global database with the ledger table."""
    clock = Clock()
    database = GlobalDatabase(clock=clock, replication_lag_seconds=lag_seconds)
    east = database.add_cluster(
        EAST, "us-east-1", writer=True, master=MasterLogin(name="admin", password="pw"), database="ledger"
    )
    west = database.add_cluster(WEST, "eu-west-1", writer=False)
    east.execute("CREATE TABLE ledger.payments (id BIGINT PRIMARY KEY, cents BIGINT NOT NULL)")
    clock.now += 100
    return Scenario(clock=clock, database=database, east=east, west=west)


def refusal(session: MysqlSession | Cluster, sql: str, *args: object) -> int:
    """Return the error number of a refused statement."""
    with pytest.raises(SqlError) as caught:
        if isinstance(session, MysqlSession):
            session.execute(sql, args)
        else:
            session.execute(sql, *args)
    return caught.value.code


class TestClockSkew:
    """An engine with a wrong clock."""

    def test_sql_uses_the_skewed_clock_and_the_log_the_true_one(self, scenario: Scenario) -> None:
        """UTC_TIMESTAMP is ahead by the skew; commit times are not."""
        scenario.east.clock_skew_seconds = 5.0
        skewed = str(scenario.east.execute("SELECT UNIX_TIMESTAMP(UTC_TIMESTAMP(6))")[0][0])
        scenario.pay(1)
        assert (scenario.clock.now + 5.0, scenario.clock.now) == (
            pytest.approx(float(skewed)),
            scenario.east.newest_commit_at(),
        )


class TestStorageFailure:
    """A writer that cannot commit."""

    def test_log_ins_and_reads_work_and_commits_fail(self, scenario: Scenario) -> None:
        """The commit fails as after a wait for a lock; afterwards it succeeds."""
        scenario.pay(1)
        committed_at = scenario.east.newest_commit_at()
        scenario.east.storage_failed = True
        assert refusal(scenario.east, "UPDATE ledger.payments SET id = 2 WHERE id = 1") == 1205
        assert scenario.east.execute("SELECT id FROM ledger.payments") == [(1,)]
        assert scenario.east.newest_commit_at() == committed_at
        scenario.east.storage_failed = False
        scenario.pay(2)
        assert len(scenario.east.execute("SELECT id FROM ledger.payments")) == 2


class TestReplication:
    """Replication to the reader."""

    def test_reader_applies_a_commit_at_the_lag(self, scenario: Scenario) -> None:
        """A commit is on the reader once its age reaches the lag, and not before."""
        scenario.pay(1)
        scenario.clock.now += 0.999
        assert scenario.paid(scenario.west) == []
        scenario.clock.now += 0.002
        assert scenario.paid(scenario.west) == [1]

    def test_commits_arrive_in_order(self, scenario: Scenario) -> None:
        """Commits arrive in order."""
        for number in range(1, 4):
            scenario.pay(number)
            scenario.clock.now += 0.4
        assert scenario.paid(scenario.west) == [1]
        scenario.clock.now += 0.4
        assert scenario.paid(scenario.west) == [1, 2]

    def test_new_lag_applies_to_later_commits_only(self, scenario: Scenario) -> None:
        """Commits older than the former lag are applied; younger ones wait for the new lag."""
        scenario.pay(1)
        scenario.clock.now += 1.5
        scenario.pay(2)
        scenario.database.replication_lag_seconds = 60.0
        scenario.clock.now += 30
        assert scenario.paid(scenario.west) == [1]
        scenario.database.replication_lag_seconds = 0.0
        assert scenario.paid(scenario.west) == [1, 2]

    def test_computed_values_are_replicated(self, scenario: Scenario) -> None:
        """Times, random values and session values are the same on the reader."""
        scenario.east.execute(
            "CREATE TABLE ledger.facts (id INT AUTO_INCREMENT PRIMARY KEY, at DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6), "
            "code VARCHAR(36), who VARCHAR(64))"
        )
        scenario.east.execute("INSERT INTO ledger.facts (code, who) VALUES (UUID(), CURRENT_USER()), (UUID(), USER())")
        scenario.clock.now += 50
        rows = scenario.east.execute("SELECT * FROM ledger.facts")
        assert scenario.west.execute("SELECT * FROM ledger.facts") == rows
        assert rows[0][1] != rows[0][2] and rows[0][2] != rows[1][2]

    def test_users_and_grants_replicate(self, scenario: Scenario) -> None:
        """After the lag, a new user exists on the reader with the same grants."""
        scenario.east.execute("CREATE USER app IDENTIFIED BY 'x'")
        scenario.east.execute("GRANT SELECT ON ledger.payments TO app")
        assert scenario.west.account("app") is None
        scenario.clock.now += 2
        account = scenario.west.account("app")
        assert account is not None and account.plugin == "mysql_native_password"
        assert scenario.west.session("app").execute("SELECT id FROM ledger.payments").rows == ()

    def test_status_table_shows_lags(self, scenario: Scenario) -> None:
        """The writer comes first with lags of 0 and the epoch; the reader has its measured lags."""
        scenario.pay(1)
        scenario.clock.now += 0.4
        rows = scenario.west.execute("SELECT * FROM information_schema.aurora_global_db_status")
        assert [row[0] for row in rows] == ["us-east-1", "eu-west-1"]
        assert rows[0][2:5] == (0, 0, "1970-01-01 00:00:00.000000")
        assert rows[1][2:4] == (1000, 400)

    def test_lag_is_constant_while_replication_is_stopped(self, scenario: Scenario) -> None:
        """Lag and calculation time of the reader keep their last values."""
        scenario.clock.now += 5
        before = scenario.west.execute("SELECT * FROM information_schema.aurora_global_db_status")[1]
        scenario.pay(1)
        scenario.database.stop(EAST)
        scenario.clock.now += 500
        after = scenario.west.execute("SELECT * FROM information_schema.aurora_global_db_status")[1]
        assert after[2] == before[2] and after[4] == before[4]
        assert scenario.west.replication_lag_ms() == 1000


class TestOutage:
    """Stop, failover and restart."""

    def test_stopped_writer_replicates_nothing(self, scenario: Scenario) -> None:
        """Commits younger than the lag when the writer stops never arrive."""
        scenario.pay(1)
        scenario.clock.now += 0.5
        scenario.database.stop(EAST)
        scenario.clock.now += 3600
        assert scenario.paid(scenario.west) == []

    def test_stop_first_applies_old_commits(self, scenario: Scenario) -> None:
        """Commits older than the lag at the stop have arrived, without an earlier access."""
        scenario.pay(1)
        scenario.clock.now += 1.5
        scenario.pay(2)
        scenario.database.stop(EAST)
        assert scenario.paid(scenario.west) == [1]

    def test_stopped_cluster_accepts_no_sessions(self, scenario: Scenario) -> None:
        """An open session ends and its transaction is rolled back."""
        session = scenario.east.session("admin")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        scenario.database.stop(EAST)
        assert refusal(session, "COMMIT") == 2013
        with pytest.raises(SqlError, match="Lost connection"):
            scenario.east.session("admin")
        scenario.database.start(EAST)
        assert refusal(session, "SELECT 1") == 2013
        assert scenario.paid(scenario.east) == []

    def test_failover_lists_lost_transactions(self, scenario: Scenario) -> None:
        """The outcome has each acknowledged transaction that the target lacks, in order, with time and text."""
        for number in range(1, 6):
            scenario.pay(number)
            scenario.clock.now += 0.3
        scenario.database.stop(EAST)
        scenario.clock.now += 60
        outcome = scenario.database.failover(WEST)
        assert scenario.paid(scenario.west) == [1, 2]
        lost = [row["id"] for each in outcome.lost_transactions for row in each.inserted_rows("ledger.payments")]
        assert lost == [3, 4, 5]
        assert [each.committed_at - (START + 100) for each in outcome.lost_transactions] == pytest.approx(
            [0.6, 0.9, 1.2]
        )
        assert (
            outcome.lost_transactions[0].statements[0].sql == "INSERT INTO ledger.payments (id, cents) VALUES (3, 100)"
        )
        assert outcome.lag_seconds == pytest.approx(0.9)
        assert scenario.database.lost_transactions == outcome.lost_transactions

    def test_lost_rows_of_unqualified_statements(self, scenario: Scenario) -> None:
        """A table name without a database belongs to the session's default database."""
        session = scenario.east.session("admin")
        session.use("ledger")
        session.execute("INSERT INTO payments (id, cents) VALUES (%s, %s), (8, -2)", (7, 1))
        scenario.database.stop(EAST)
        outcome = scenario.database.failover(WEST)
        expected = [{"id": 7, "cents": 1}, {"id": 8, "cents": -2}]
        assert outcome.lost_transactions[0].inserted_rows("ledger.payments") == expected
        assert outcome.lost_transactions[0].inserted_rows("payments") == expected
        assert outcome.lost_transactions[0].inserted_rows("other.payments") == []

    def test_failover_without_a_loss(self, scenario: Scenario) -> None:
        """The outcome has no lost transactions and a lag of 0."""
        scenario.pay(1)
        scenario.clock.now += 5
        scenario.database.stop(EAST)
        outcome = scenario.database.failover(WEST)
        assert (outcome.lost_transactions, outcome.lag_seconds) == ((), 0.0)

    def test_promoted_cluster_accepts_commits(self, scenario: Scenario) -> None:
        """After a failover the target is the writer and the stopped old writer is a reader."""
        scenario.database.stop(EAST)
        scenario.database.failover(WEST)
        assert (scenario.west.read_only, scenario.east.read_only) == (False, True)
        scenario.pay(9)
        assert scenario.paid(scenario.west) == [9]

    def test_old_writer_returns_as_a_copy(self, scenario: Scenario) -> None:
        """The old writer restarts as a reader with the new writer's rows and without its lost rows."""
        scenario.pay(1)
        scenario.database.stop(EAST)
        scenario.database.failover(WEST)
        scenario.pay(2)
        scenario.database.start(EAST)
        assert scenario.paid(scenario.east) == [2]
        assert refusal(scenario.east, "INSERT INTO ledger.payments VALUES (3, 1)") == 1290
        scenario.pay(4)
        scenario.clock.now += 2
        assert scenario.paid(scenario.east) == [2, 4]

    def test_writer_that_restarts_before_a_failover_stays_writer(self, scenario: Scenario) -> None:
        """A restarted writer keeps its role and replication continues if no failover happened."""
        scenario.pay(1)
        scenario.database.stop(EAST)
        scenario.clock.now += 60
        scenario.database.start(EAST)
        assert scenario.paid(scenario.west) == [1]
        assert not scenario.east.read_only

    def test_restarted_reader_catches_up(self, scenario: Scenario) -> None:
        """A restarted reader catches up."""
        scenario.database.stop(WEST)
        scenario.pay(1)
        scenario.clock.now += 60
        scenario.database.start(WEST)
        assert scenario.paid(scenario.west) == [1]

    def test_failover_demotes_a_running_writer(self, scenario: Scenario) -> None:
        """A failover leaves exactly one writer."""
        session = scenario.east.session("admin")
        scenario.pay(1)
        scenario.database.failover(WEST)
        assert [cluster.read_only for cluster in (scenario.east, scenario.west)] == [True, False]
        assert refusal(session, "INSERT INTO ledger.payments VALUES (2, 1)") == 2013
        assert scenario.paid(scenario.east) == []

    def test_cluster_rejoins_once_the_writer_runs(self, scenario: Scenario) -> None:
        """A cluster that must rejoin can't be promoted while the writer that it copies is stopped."""
        scenario.database.stop(EAST)
        scenario.database.failover(WEST)
        scenario.pay(1)
        scenario.database.stop(WEST)
        scenario.database.start(EAST)
        with pytest.raises(ReplicationRefusedError, match="rejoined"):
            scenario.database.failover(EAST)
        scenario.database.start(WEST)
        assert scenario.paid(scenario.east) == [1]

    @pytest.mark.parametrize(
        ("target", "reason"),
        [("unknown", "cluster unknown does not exist"), (EAST, "already the writer"), (WEST, "is not running")],
    )
    def test_refusals(self, scenario: Scenario, target: str, reason: str) -> None:
        """Failover and switchover refuse an unknown target, the writer and a stopped reader."""
        scenario.database.stop(WEST)
        for operation in (scenario.database.failover, scenario.database.switchover):
            with pytest.raises(ReplicationRefusedError, match=reason):
                operation(target)
        assert scenario.database.writer is scenario.east


class TestSwitchover:
    """Planned role changes."""

    def test_switchover_loses_nothing(self, scenario: Scenario) -> None:
        """Every acknowledged row is on the new writer, and the old writer replicates from it."""
        scenario.database.replication_lag_seconds = 3600.0
        for number in range(1, 4):
            scenario.pay(number)
        scenario.database.switchover(WEST)
        assert scenario.paid(scenario.west) == [1, 2, 3]
        assert scenario.database.lost_transactions == ()
        scenario.database.replication_lag_seconds = 1.0
        scenario.pay(4)
        scenario.clock.now += 2
        assert scenario.paid(scenario.east) == [1, 2, 3, 4]

    def test_two_switchovers_restore_the_roles(self, scenario: Scenario) -> None:
        """Two switchovers restore the roles."""
        scenario.pay(1)
        scenario.database.switchover(WEST)
        scenario.pay(2)
        scenario.database.switchover(EAST)
        assert scenario.paid(scenario.east) == [1, 2]
        assert scenario.database.writer is scenario.east

    def test_switchover_needs_a_running_writer(self, scenario: Scenario) -> None:
        """A switchover needs a running writer."""
        scenario.database.stop(EAST)
        with pytest.raises(ReplicationRefusedError, match="only a failover"):
            scenario.database.switchover(WEST)

    def test_fenced_writer_refuses_commits(self, scenario: Scenario) -> None:
        """A fenced writer is read-only and refuses commits, also of open transactions."""
        session = scenario.east.session("admin")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        scenario.database.fence(EAST)
        assert refusal(session, "COMMIT") == 1290
        assert session.execute("SELECT @@innodb_read_only").rows == ((1,),)
        scenario.database.unfence(EAST)
        scenario.pay(2)
        assert scenario.paid(scenario.east) == [2]


class TestMembers:
    """Adding and removing clusters."""

    def test_secondary_with_master_or_database_is_refused(self, scenario: Scenario) -> None:
        """A reader with a master user or database name, and a second writer, are refused."""
        scenario.database.remove_cluster(WEST)
        for master, name in ((MasterLogin(name="a", password="b"), None), (None, "x")):
            with pytest.raises(ReplicationRefusedError, match="accepts no master user"):
                scenario.database.add_cluster(WEST, "eu-west-1", writer=False, master=master, database=name)
        with pytest.raises(ReplicationRefusedError, match="exactly one writer"):
            scenario.database.add_cluster(WEST, "eu-west-1", writer=True)

    def test_writer_is_removed_last(self, scenario: Scenario) -> None:
        """The writer can't be removed while readers remain."""
        with pytest.raises(ReplicationRefusedError, match="while readers remain"):
            scenario.database.remove_cluster(EAST)
        scenario.database.remove_cluster(WEST)
        scenario.database.remove_cluster(EAST)
        assert scenario.database.clusters == ()

    def test_log_drops_entries_that_all_clusters_applied(self, scenario: Scenario) -> None:
        """The log drops entries that all clusters applied."""
        for number in range(200):
            scenario.pay(number)
        scenario.clock.now += 2
        assert len(scenario.paid(scenario.west)) == 200
        assert len(scenario.database._log) == 0

    def test_master_password_changes(self, scenario: Scenario) -> None:
        """A new master password replaces the old one and is not in the log."""
        before = scenario.east.account("admin")
        scenario.database.change_master_password(MasterLogin(name="admin", password="another"))
        after = scenario.east.account("admin")
        assert before is not None and after is not None and before.authentication != after.authentication
        assert "another" not in str(list(scenario.database._log))
        assert "another" not in repr(MasterLogin(name="admin", password="another"))


class TestDetachment:
    """A cluster that leaves the global database."""

    def test_detached_reader_is_promoted_without_the_commits_it_lacks(self, scenario: Scenario) -> None:
        """It is read-only until the promotion ends, and keeps a record of the lost transactions."""
        scenario.pay(1)
        scenario.clock.now += 2
        scenario.pay(2)
        session = scenario.west.session("admin")
        alone = scenario.database.detach(WEST, seconds=5.0)
        promoting = (scenario.west.is_promoting, refusal(scenario.west, "INSERT INTO ledger.payments VALUES (3, 1)"))
        scenario.clock.now += 5
        scenario.west.execute("INSERT INTO ledger.payments VALUES (3, 1)")

        assert promoting == (True, 1290)
        assert refusal(session, "SELECT 1") == 2013
        assert (scenario.paid(scenario.west), scenario.west.is_promoting) == ([1, 3], False)
        assert [row["id"] for each in alone.lost_transactions for row in each.inserted_rows("payments")] == [2]
        alone.close()

    def test_detached_cluster_and_old_writer_no_longer_replicate(self, scenario: Scenario) -> None:
        """Both take writes, and neither receives those of the other one."""
        alone = scenario.database.detach(WEST)
        scenario.pay(1)
        scenario.west.execute("INSERT INTO ledger.payments VALUES (2, 1)")
        scenario.clock.now += 10

        assert (scenario.paid(scenario.east), scenario.paid(scenario.west)) == ([1], [2])
        assert (scenario.database.clusters, alone.clusters) == ((scenario.east,), (scenario.west,))
        assert scenario.west.execute("SELECT AWS_REGION FROM information_schema.aurora_global_db_status") == [
            ("eu-west-1",)
        ]
        alone.close()

    def test_detached_cluster_takes_a_new_reader(self, scenario: Scenario) -> None:
        """The reader starts as a copy, and the record of lost transactions stays."""
        scenario.pay(1)
        alone = scenario.database.detach(WEST)
        scenario.database.remove_cluster(EAST)
        scenario.west.execute("INSERT INTO ledger.payments VALUES (2, 1)")
        east = alone.add_cluster(EAST, "us-east-1", writer=False)
        scenario.west.execute("INSERT INTO ledger.payments VALUES (3, 1)")
        scenario.clock.now += 2
        alone.switchover(EAST)

        assert scenario.paid(east) == [2, 3]
        assert len(alone.lost_transactions) == 1
        alone.close()

    def test_last_cluster_leaves_as_it_is(self, scenario: Scenario) -> None:
        """The writer leaves last, and takes writes all the time."""
        with pytest.raises(ReplicationRefusedError, match="while readers remain"):
            scenario.database.detach(EAST)
        scenario.database.detach(WEST).close()
        assert scenario.database.detach(EAST, seconds=5.0) is scenario.database
        assert not scenario.east.read_only


class TestTransactions:
    """Sessions."""

    def test_uncommitted_rows_are_private(self, scenario: Scenario) -> None:
        """A transaction sees its own rows; other sessions see them after the commit."""
        first, second = scenario.east.session("admin"), scenario.east.session("admin")
        first.execute("SET AUTOCOMMIT = 0")
        first.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        count = "SELECT COUNT(*) FROM ledger.payments"
        assert (first.execute(count).rows, second.execute(count).rows) == (((1,),), ((0,),))
        first.execute("COMMIT")
        assert second.execute(count).rows == ((1,),)

    def test_rollback_and_close_discard_the_transaction(self, scenario: Scenario) -> None:
        """ROLLBACK and close discard the transaction."""
        session = scenario.east.session("admin")
        session.execute("START TRANSACTION")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        session.execute("ROLLBACK")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (2, 1)")
        session.close()
        assert scenario.paid(scenario.east) == []

    def test_transaction_replicates_as_a_whole(self, scenario: Scenario) -> None:
        """The statements of a transaction are one log entry."""
        session = scenario.east.session("admin")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        session.execute("INSERT INTO ledger.payments VALUES (2, 1)")
        session.execute("COMMIT")
        scenario.database.stop(EAST)
        outcome = scenario.database.failover(WEST)
        assert [len(each.statements) for each in outcome.lost_transactions] == [2]

    def test_conflict_is_refused_as_a_deadlock(self, scenario: Scenario) -> None:
        """A commit fails if its outcome would differ from the outcome that the client saw."""
        first, second = scenario.east.session("admin"), scenario.east.session("admin")
        for session in (first, second):
            session.execute("BEGIN")
            session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        first.execute("COMMIT")
        assert refusal(second, "COMMIT") == 1213
        assert scenario.paid(scenario.east) == [1]

    def test_row_read_for_update_that_changed_is_a_deadlock(self, scenario: Scenario) -> None:
        """Two transactions read the same row FOR UPDATE and change it: only one commits. MySQL lets the second wait."""
        scenario.pay(1)
        first, second = scenario.east.session("admin"), scenario.east.session("admin")
        for session in (first, second):
            session.execute("BEGIN")
            assert session.execute("SELECT cents FROM ledger.payments WHERE id = 1 FOR UPDATE").rows == ((100,),)
            session.execute("UPDATE ledger.payments SET cents = cents - 60 WHERE id = 1")
        first.execute("COMMIT")
        assert refusal(second, "COMMIT") == 1213
        assert scenario.east.execute("SELECT cents FROM ledger.payments") == [(40,)]

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE ledger.payments SET cents = cents - 60 WHERE id = 1",
            "UPDATE ledger.payments p SET p.cents = 1 WHERE p.id = 1",
            "DELETE FROM ledger.payments WHERE id = 1",
            "SELECT id FROM ledger.payments WHERE id = 1 FOR UPDATE",
            "SELECT -cents AS c FROM ledger.payments ORDER BY c LIMIT 1 FOR UPDATE",
            "SELECT DISTINCT id FROM ledger.payments FOR UPDATE",
            "SELECT COUNT(*) FROM ledger.payments FOR UPDATE",
            "SELECT id FROM ledger.payments WHERE id = (SELECT MAX(id) FROM ledger.payments) FOR UPDATE",
        ],
    )
    def test_row_that_changed_before_the_commit_is_a_deadlock(self, scenario: Scenario, statement: str) -> None:
        """Also in a column that the transaction did not read. MySQL lets the other session wait."""
        scenario.pay(1)
        session = scenario.east.session("admin")
        session.execute("BEGIN")
        session.execute(statement)
        session.execute("INSERT INTO ledger.payments VALUES (2, 1)")
        scenario.east.execute("UPDATE ledger.payments SET cents = 0 WHERE id = 1")
        assert refusal(session, "COMMIT") == 1213
        assert scenario.east.execute("SELECT id, cents FROM ledger.payments") == [(1, 0)]

    def test_other_tables_than_those_of_for_update_of_are_free(self, scenario: Scenario) -> None:
        """FOR UPDATE OF names the tables whose rows are locked; a query without a table locks none."""
        scenario.pay(1)
        scenario.east.execute("CREATE TABLE ledger.notes (id INT PRIMARY KEY, note TEXT)")
        scenario.east.execute("INSERT INTO ledger.notes VALUES (1, 'a')")
        session = scenario.east.session("admin")
        session.execute("BEGIN")
        session.execute("SELECT p.id FROM ledger.payments p JOIN ledger.notes n ON n.id = p.id FOR UPDATE OF p")
        session.execute("SELECT 1 FOR UPDATE")
        session.execute("UPDATE ledger.payments SET cents = 7 WHERE id = 1")
        scenario.east.execute("UPDATE ledger.notes SET note = 'b'")
        session.execute("COMMIT")
        assert scenario.east.execute("SELECT cents FROM ledger.payments") == [(7,)]

    def test_failed_update_locks_no_row(self, scenario: Scenario) -> None:
        """Another session may change the row before the COMMIT."""
        scenario.pay(1)
        session = scenario.east.session("admin")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (2, 1)")
        assert refusal(session, "UPDATE ledger.payments SET id = 2 WHERE id = 1") == 1062
        scenario.east.execute("UPDATE ledger.payments SET cents = 0 WHERE id = 1")
        session.execute("COMMIT")
        assert scenario.east.execute("SELECT id, cents FROM ledger.payments ORDER BY id") == [(1, 0), (2, 1)]

    def test_read_for_update_alone_is_no_commit(self, scenario: Scenario) -> None:
        """COMMIT writes nothing, and a reader refuses the lock."""
        scenario.pay(1)
        scenario.clock.now += 5
        position = scenario.east.applied_sequence
        session = scenario.east.session("admin")
        session.execute("BEGIN")
        session.execute("SELECT cents FROM ledger.payments FOR UPDATE")
        session.execute("COMMIT")
        assert scenario.east.applied_sequence == position
        assert refusal(scenario.west.session("admin"), "SELECT cents FROM ledger.payments FOR UPDATE") == 1290

    def test_error_leaves_the_transaction_as_it_was(self, scenario: Scenario) -> None:
        """A failed statement does not change the open transaction."""
        session = scenario.east.session("admin")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        assert refusal(session, "INSERT INTO ledger.payments VALUES (2, 1), (1, 1)") == 1062
        session.execute("COMMIT")
        assert scenario.paid(scenario.east) == [1]

    def test_create_table_commits_the_open_transaction(self, scenario: Scenario) -> None:
        """CREATE TABLE commits the open transaction."""
        session = scenario.east.session("admin")
        session.execute("BEGIN")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        session.execute("CREATE TABLE ledger.other (id INT PRIMARY KEY)")
        session.execute("ROLLBACK")
        assert scenario.paid(scenario.east) == [1]

    def test_on_duplicate_key_update(self, scenario: Scenario) -> None:
        """The update can use VALUES() and a row alias."""
        scenario.pay(1)
        scenario.east.execute(
            "INSERT INTO ledger.payments (id, cents) VALUES (1, 5) ON DUPLICATE KEY UPDATE cents = VALUES(cents)"
        )
        assert scenario.east.execute("SELECT cents FROM ledger.payments") == [(5,)]
        scenario.east.execute(
            "INSERT INTO ledger.payments (id, cents) VALUES (1, 7) AS new ON DUPLICATE KEY UPDATE cents = new.cents"
        )
        assert scenario.east.execute("SELECT cents FROM ledger.payments") == [(7,)]

    def test_auto_increment(self, scenario: Scenario) -> None:
        """The client gets the first id of its rows, and 0 for a table without AUTO_INCREMENT."""
        scenario.east.execute("CREATE TABLE ledger.n (id BIGINT AUTO_INCREMENT PRIMARY KEY, x INT)")
        session = scenario.east.session("admin")
        result = session.execute("INSERT INTO ledger.n (x) VALUES (1), (2)")
        assert (result.affected_rows, result.last_insert_id) == (2, 1)
        assert session.execute("SELECT LAST_INSERT_ID()").rows == ((1,),)
        assert session.execute("INSERT INTO ledger.payments VALUES (1, 1)").last_insert_id == 0


class TestSql:
    """Translated and refused statements."""

    def test_heartbeat_statements_of_health_check(self, scenario: Scenario) -> None:
        """The statements that health_check sends run."""
        scenario.east.execute("CREATE DATABASE IF NOT EXISTS failover")
        scenario.east.execute(
            "CREATE TABLE IF NOT EXISTS failover.heartbeat (source_region VARCHAR(32) PRIMARY KEY, "
            "written_at DATETIME(6) NOT NULL)"
        )
        for _ in range(2):
            scenario.east.execute(
                "INSERT INTO failover.heartbeat (source_region, written_at) VALUES (%s, UTC_TIMESTAMP(6)) "
                "ON DUPLICATE KEY UPDATE written_at = UTC_TIMESTAMP(6)",
                "us-east-1",
            )
            scenario.clock.now += 2.25
        result = scenario.west.session("rdsadmin").execute(
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
            ("SELECT 1 FROM ledger.Payments", 1146),
            ("DROP TABLE ledger.PAYMENTS", 1051),
            ("SELECT P.id FROM ledger.payments p", 1054),
            ("UPDATE ledger.payments SET x.cents = 1", 1054),
            ("SELECT nothing FROM ledger.payments", 1054),
            ("SELECT NOT_A_FUNCTION(1) FROM ledger.payments", 1235),
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
            ("SELECT id FROM ledger.payments FOR UPDATE SKIP LOCKED", 1235),
            ("ALTER TABLE ledger.payments ADD x INT", 1235),
            ("UPDATE ledger.payments SET cents = 1 LIMIT 1", 1235),
            ("CREATE TABLE ledger.t (id INT, FOREIGN KEY (id) REFERENCES ledger.payments (id))", 1235),
            ("CREATE TABLE ledger.t (at DATETIME ON UPDATE CURRENT_TIMESTAMP)", 1235),
            ("SELECT 1; SELECT 2", 1235),
            ("SET @x = 1", 1235),
            ("SET GLOBAL read_only = 0", 1235),
            ("CREATE USER x IDENTIFIED WITH nonsense", 1524),
            ("CREATE USER admin IDENTIFIED BY 'x'", 1396),
            ("GRANT SELECT ON ledger.payments TO unknown", 1410),
            ("GRANT SELECT ON ledger.nothing TO admin", 1146),
            ("SHOW GRANTS FOR unknown", 1141),
            ("USE nowhere", 1049),
        ],
    )
    def test_refused_as_mysql_refuses(self, scenario: Scenario, sql: str, number: int) -> None:
        """Each mistake gets MySQL's error number; an unsupported feature gets 1235."""
        scenario.east.execute(
            "CREATE TABLE ledger.limits (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(5), amount INT UNSIGNED, "
            "exact DECIMAL(5,2), kind ENUM('a','b'), positive INT, CONSTRAINT positive CHECK (positive > 0))"
        )
        assert refusal(scenario.east.session("admin"), sql) == number

    def test_column_types(self, scenario: Scenario) -> None:
        """Result columns have their declared types, also through MAX and SUM, and decimals keep their scale."""
        scenario.east.execute(
            "CREATE TABLE ledger.t (id INT PRIMARY KEY, amount DECIMAL(12,2), at DATETIME(6), note TEXT, raw VARBINARY(8))"
        )
        scenario.east.execute("INSERT INTO ledger.t VALUES (1, 10.5, '2026-11-24 01:02:03.000004', 'x', X'00ff')")
        result = scenario.east.session("admin").execute("SELECT * FROM ledger.t")
        assert [column.type for column in result.columns] == ["integer", "decimal", "datetime", "text", "blob"]
        assert result.rows == ((1, "10.50", "2026-11-24 01:02:03.000004", "x", b"\x00\xff"),)
        result = scenario.east.session("admin").execute("SELECT SUM(t.amount), MAX(at), COUNT(*) FROM ledger.t t")
        assert [column.type for column in result.columns] == ["decimal", "datetime", "integer"]

    def test_qualified_columns(self, scenario: Scenario) -> None:
        """Columns can be qualified by table, database and table, or alias."""
        scenario.pay(1)
        for sql in (
            "SELECT payments.id FROM ledger.payments WHERE ledger.payments.cents = 100",
            "SELECT p.id FROM ledger.payments AS p JOIN ledger.payments AS q ON p.id = q.id",
            "SELECT id FROM ledger.payments WHERE id IN (SELECT payments.id FROM ledger.payments)",
            "WITH x AS (SELECT id FROM ledger.payments) SELECT id FROM x",
        ):
            assert scenario.east.execute(sql) == [(1,)]
        scenario.east.execute("UPDATE ledger.payments SET cents = payments.cents + 1 WHERE ledger.payments.id = 1")
        scenario.east.execute("DELETE FROM ledger.payments WHERE payments.cents = 101")
        assert scenario.paid(scenario.east) == []

    def test_time_arithmetic(self, scenario: Scenario) -> None:
        """Intervals and differences use the database's clock."""
        [row] = scenario.east.execute(
            "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6) - INTERVAL 90 SECOND, NOW(6)), "
            "TIMESTAMPDIFF(MINUTE, NOW(6), DATE_SUB(NOW(6), INTERVAL 90 SECOND)), UNIX_TIMESTAMP(NOW(6))"
        )
        assert row == (90, -1, scenario.clock.now)

    def test_show_variables_databases_and_tables(self, scenario: Scenario) -> None:
        """SHOW VARIABLES, SHOW DATABASES and SHOW TABLES return rows."""
        assert scenario.west.execute("SHOW VARIABLES LIKE 'innodb_read_only'") == [("innodb_read_only", "ON")]
        assert scenario.east.execute("SHOW GLOBAL VARIABLES LIKE 'innodb_read%'") == [("innodb_read_only", "OFF")]
        assert ("ledger",) in scenario.east.execute("SHOW DATABASES")
        assert scenario.east.execute("SHOW TABLES FROM ledger") == [("payments",)]


class TestPrivileges:
    """Privilege checks."""

    @pytest.fixture
    def app(self, scenario: Scenario) -> MysqlSession:
        """A session of a user with SELECT and INSERT on payments."""
        scenario.east.execute("CREATE USER 'app'@'%' IDENTIFIED BY 'x'")
        scenario.east.execute("GRANT SELECT, INSERT ON ledger.payments TO 'app'@'%'")
        return scenario.east.session("app")

    def test_granted_statements_run(self, app: MysqlSession) -> None:
        """Statements with a granted privilege run."""
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
    def test_statements_without_privilege_are_refused(self, app: MysqlSession, sql: str, number: int) -> None:
        """Each statement is refused with MySQL's error number, before any other check."""
        assert refusal(app, sql) == number

    def test_revoked_privilege_is_refused(self, scenario: Scenario, app: MysqlSession) -> None:
        """A statement that needs a revoked privilege is refused."""
        scenario.east.execute("REVOKE INSERT ON ledger.payments FROM app")
        assert refusal(app, "INSERT INTO ledger.payments VALUES (1, 1)") == 1142

    def test_database_privileges_cover_tables(self, scenario: Scenario) -> None:
        """Privileges on a database apply to its tables."""
        scenario.east.execute("CREATE USER wide IDENTIFIED BY 'x'")
        scenario.east.execute("GRANT ALL PRIVILEGES ON ledger.* TO wide")
        session = scenario.east.session("wide")
        session.execute("INSERT INTO ledger.payments VALUES (1, 1)")
        session.use("ledger")
        assert session.execute("SELECT COUNT(*) FROM payments").rows == ((1,),)

    def test_names_in_grants_are_literal(self, scenario: Scenario) -> None:
        """partial_revokes is ON, as in Aurora MySQL 3: a backslash is part of the name."""
        scenario.east.execute("CREATE DATABASE led_ger")
        scenario.east.execute("CREATE TABLE led_ger.t (id INT)")
        scenario.east.execute("CREATE USER wide IDENTIFIED BY 'x'")
        scenario.east.execute("GRANT SELECT ON `led\\\\_ger`.* TO wide")
        assert refusal(scenario.east.session("wide"), "SELECT id FROM led_ger.t") == 1142
        scenario.east.execute("GRANT SELECT ON led_ger.* TO wide")
        assert scenario.east.session("wide").execute("SELECT id FROM led_ger.t").rows == ()

    def test_revoke_needs_the_privileges_that_it_revokes(self, scenario: Scenario, app: MysqlSession) -> None:
        """The form for every privilege needs CREATE USER only."""
        scenario.east.execute("CREATE USER wide IDENTIFIED BY 'x'")
        scenario.east.execute("GRANT CREATE, SELECT ON ledger.* TO wide")
        scenario.east.execute("GRANT SELECT ON ledger.* TO app WITH GRANT OPTION")
        scenario.east.execute("GRANT CREATE USER ON *.* TO app")
        assert refusal(app, "REVOKE CREATE ON ledger.* FROM wide") == 1044
        app.execute("REVOKE ALL PRIVILEGES, GRANT OPTION FROM wide")
        assert scenario.east.execute("SHOW GRANTS FOR wide") == [("GRANT USAGE ON *.* TO `wide`@`%`",)]

    def test_privileges_are_checked_before_read_only(self, scenario: Scenario, app: MysqlSession) -> None:
        """A reader refuses a missing privilege with 1142 and a permitted write with 1290."""
        scenario.clock.now += 5
        reader = scenario.west.session("app")
        assert refusal(reader, "DELETE FROM ledger.payments") == 1142
        assert refusal(reader, "INSERT INTO ledger.payments VALUES (1, 1)") == 1290


CREATE_HEARTBEAT_EVENT = (
    "CREATE EVENT IF NOT EXISTS ledger.write_heartbeat ON SCHEDULE EVERY 1 SECOND ON COMPLETION PRESERVE ENABLE DO "
    "INSERT INTO ledger.heartbeat (source, written_at) VALUES ('database', UTC_TIMESTAMP(6)) "
    "ON DUPLICATE KEY UPDATE written_at = UTC_TIMESTAMP(6)"
)


class TestEvents:
    """The event scheduler. The fixture's lag is one second and its clock starts at a whole second."""

    @pytest.fixture
    def heartbeat_event(self, scenario: Scenario) -> Scenario:
        """A global database with the heartbeat table and event."""
        scenario.east.execute(
            "CREATE TABLE ledger.heartbeat (source VARCHAR(32) PRIMARY KEY, written_at DATETIME(6) NOT NULL)"
        )
        scenario.east.execute(CREATE_HEARTBEAT_EVENT)
        return scenario

    def heartbeat(self, cluster: Cluster) -> float | None:
        """Return the newest heartbeat on a cluster, in seconds since the creation of the event, or None."""
        rows = cluster.execute("SELECT UNIX_TIMESTAMP(MAX(written_at)) FROM ledger.heartbeat")
        return None if rows[0][0] is None else float(str(rows[0][0])) - (START + 100)

    def test_runs_each_second_and_replicates(self, heartbeat_event: Scenario) -> None:
        """Each execution has its due time and reaches the reader after the lag."""
        heartbeat_event.clock.now += 10.3
        assert (self.heartbeat(heartbeat_event.west), self.heartbeat(heartbeat_event.east)) == (9.0, 10.0)
        heartbeat_event.clock.now += 0.8
        assert (self.heartbeat(heartbeat_event.west), self.heartbeat(heartbeat_event.east)) == (10.0, 11.0)

    def test_detached_cluster_runs_its_events_after_the_promotion(self, heartbeat_event: Scenario) -> None:
        """The heartbeat stands still while the cluster is promoted."""
        heartbeat_event.clock.now += 10
        alone = heartbeat_event.database.detach(WEST, seconds=10.0)
        seen = []
        for _ in range(3):
            seen.append(self.heartbeat(heartbeat_event.west))
            heartbeat_event.clock.now += 8
        alone.close()

        assert seen == [9.0, 9.0, 26.0]

    def test_executions_are_independent_of_accesses(self) -> None:
        """One access and many accesses give the same transactions."""
        lost: list[list[tuple[float, str]]] = []
        for accesses in (1, 40):
            scenario = make_scenario(3600.0)
            scenario.east.execute(
                "CREATE TABLE ledger.heartbeat (source VARCHAR(32) PRIMARY KEY, written_at DATETIME(6) NOT NULL)"
            )
            scenario.east.execute(CREATE_HEARTBEAT_EVENT)
            for _ in range(accesses):
                scenario.clock.now += 10 / accesses
                scenario.west.newest_commit_at()
            scenario.database.stop(EAST)
            outcome = scenario.database.failover(WEST)
            lost.append([(each.committed_at - START, each.statements[0].sql[:6]) for each in outcome.lost_transactions])
            scenario.database.close()
        assert lost[0] == lost[1]
        assert [at for at, verb in lost[0] if verb == "INSERT"] == [100.0 + second for second in range(1, 11)]

    def test_stopped_writer_skips_executions(self, heartbeat_event: Scenario) -> None:
        """A restarted writer continues with the next second and does not repeat missed executions."""
        heartbeat_event.clock.now += 3.5
        heartbeat_event.database.stop(EAST)
        heartbeat_event.clock.now += 60
        assert self.heartbeat(heartbeat_event.west) == 2.0
        position = heartbeat_event.east.applied_sequence
        heartbeat_event.database.start(EAST)
        assert heartbeat_event.east.applied_sequence == position
        heartbeat_event.clock.now += 1
        assert (self.heartbeat(heartbeat_event.east), heartbeat_event.east.applied_sequence) == (64.0, position + 1)

    def test_fenced_writer_runs_no_events(self, heartbeat_event: Scenario) -> None:
        """A fenced writer runs no events."""
        heartbeat_event.clock.now += 2.5
        heartbeat_event.database.fence(EAST)
        heartbeat_event.clock.now += 10
        assert (self.heartbeat(heartbeat_event.east), self.heartbeat(heartbeat_event.west)) == (2.0, 2.0)
        heartbeat_event.database.unfence(EAST)
        heartbeat_event.clock.now += 1
        assert self.heartbeat(heartbeat_event.east) == 13.0

    def test_promoted_cluster_runs_the_event(self, heartbeat_event: Scenario) -> None:
        """After a failover the new writer writes heartbeats, and the rejoined old writer only replicates them."""
        heartbeat_event.clock.now += 5.5
        heartbeat_event.database.stop(EAST)
        heartbeat_event.clock.now += 30
        outcome = heartbeat_event.database.failover(WEST)
        assert [each.committed_at - (START + 100) for each in outcome.lost_transactions] == [5.0]
        assert self.heartbeat(heartbeat_event.west) == 4.0
        heartbeat_event.clock.now += 1
        assert self.heartbeat(heartbeat_event.west) == 36.0
        heartbeat_event.database.start(EAST)
        heartbeat_event.clock.now += 10
        assert (self.heartbeat(heartbeat_event.west), self.heartbeat(heartbeat_event.east)) == (46.0, 45.0)

    def test_switchover_moves_the_event(self, heartbeat_event: Scenario) -> None:
        """A switchover loses no heartbeat, and only the new writer writes them."""
        heartbeat_event.clock.now += 5.5
        heartbeat_event.database.switchover(WEST)
        assert (self.heartbeat(heartbeat_event.west), heartbeat_event.database.lost_transactions) == (5.0, ())
        before = heartbeat_event.west.applied_sequence
        heartbeat_event.clock.now += 10
        assert (self.heartbeat(heartbeat_event.west), self.heartbeat(heartbeat_event.east)) == (15.0, 14.0)
        assert heartbeat_event.west.applied_sequence == before + 10

    def test_lost_heartbeats_are_separate_from_lost_rows(self, heartbeat_event: Scenario) -> None:
        """Lost transactions include heartbeats; the lost rows of another table don't."""
        heartbeat_event.database.replication_lag_seconds = 60.0
        heartbeat_event.pay(1)
        heartbeat_event.clock.now += 3
        heartbeat_event.database.stop(EAST)
        lost = heartbeat_event.database.failover(WEST).lost_transactions
        assert [row["id"] for each in lost for row in each.inserted_rows("ledger.payments")] == [1]
        assert [row["source"] for each in lost for row in each.inserted_rows("ledger.heartbeat")] == ["database"] * 3

    def test_rpo_lag_includes_heartbeats(self, heartbeat_event: Scenario) -> None:
        """The RPO lag is the age of the oldest missing commit, heartbeats included."""
        heartbeat_event.database.replication_lag_seconds = 10.0
        heartbeat_event.clock.now += 30.5
        rows = heartbeat_event.west.execute(
            "SELECT rpo_lag_in_milliseconds FROM information_schema.aurora_global_db_status WHERE aws_region = 'eu-west-1'"
        )
        assert (rows, self.heartbeat(heartbeat_event.west)) == ([(9500.0,)], 20.0)

    def test_event_lifecycle(self, heartbeat_event: Scenario) -> None:
        """information_schema shows the event. IF NOT EXISTS keeps it; DISABLE, ENABLE and DROP take effect."""
        query = "SELECT event_schema, event_name, interval_value, status, on_completion FROM information_schema.EVENTS"
        assert heartbeat_event.east.execute(query) == [("ledger", "write_heartbeat", "1", "ENABLED", "PRESERVE")]
        heartbeat_event.east.execute(CREATE_HEARTBEAT_EVENT)
        heartbeat_event.east.execute("ALTER EVENT ledger.write_heartbeat DISABLE")
        heartbeat_event.clock.now += 10
        assert (self.heartbeat(heartbeat_event.east), heartbeat_event.west.execute(query)[0][3]) == (None, "DISABLED")
        heartbeat_event.east.execute("ALTER EVENT ledger.write_heartbeat ENABLE")
        heartbeat_event.clock.now += 1
        assert self.heartbeat(heartbeat_event.east) == 11.0
        heartbeat_event.east.execute("DROP EVENT ledger.write_heartbeat")
        assert heartbeat_event.east.execute(query) == []

    @pytest.mark.parametrize(
        ("sql", "number"),
        [
            (CREATE_HEARTBEAT_EVENT.replace("IF NOT EXISTS ", ""), 1537),
            ("ALTER EVENT ledger.unknown ENABLE", 1539),
            ("DROP EVENT ledger.unknown", 1539),
            (CREATE_HEARTBEAT_EVENT.replace("ledger.write_heartbeat", "nowhere.write_heartbeat"), 1049),
            (CREATE_HEARTBEAT_EVENT.replace("ledger.write_heartbeat", "write_heartbeat"), 1046),
            ("CREATE EVENT ledger.x ON SCHEDULE AT NOW() DO SELECT 1", 1235),
            ("CREATE EVENT ledger.x ON SCHEDULE EVERY 1 SECOND DO SELECT 1", 1235),
            ("CREATE EVENT ledger.x ON SCHEDULE EVERY 0 SECOND DO DELETE FROM ledger.heartbeat", 1542),
        ],
    )
    def test_refusals(self, heartbeat_event: Scenario, sql: str, number: int) -> None:
        """Invalid and unsupported statements are refused with MySQL's error number."""
        assert refusal(heartbeat_event.east, sql) == number

    def test_reader_refuses_event_statements(self, heartbeat_event: Scenario) -> None:
        """A reader refuses event statements."""
        heartbeat_event.clock.now += 5
        assert refusal(heartbeat_event.west, CREATE_HEARTBEAT_EVENT) == 1290

    def test_executions_keep_the_fraction_of_a_second(self, scenario: Scenario) -> None:
        """Executions are whole seconds after the creation."""
        scenario.east.execute("CREATE TABLE ledger.heartbeat (source VARCHAR(32) PRIMARY KEY, written_at DATETIME(6))")
        scenario.clock.now += 0.25
        scenario.east.execute(CREATE_HEARTBEAT_EVENT)
        scenario.clock.now += 5.5
        assert self.heartbeat(scenario.east) == 5.25

    def test_creator_or_changer_becomes_the_definer(self, heartbeat_event: Scenario) -> None:
        """Another definer needs the master user, and a definer cannot be dropped or created."""
        query = "SELECT definer FROM information_schema.events"
        heartbeat_event.east.execute("CREATE USER app IDENTIFIED BY 'x'")
        heartbeat_event.east.execute("GRANT EVENT ON ledger.* TO app")
        app = heartbeat_event.east.session("app")
        assert refusal(app, "ALTER DEFINER = 'admin'@'%' EVENT ledger.write_heartbeat ENABLE") == 1227
        app.execute("ALTER EVENT ledger.write_heartbeat ENABLE")
        assert heartbeat_event.east.execute(query) == [("app@%",)]
        assert refusal(heartbeat_event.east, "DROP USER app") == 4006
        heartbeat_event.east.session("admin").execute(
            "ALTER DEFINER = 'later'@'%' EVENT ledger.write_heartbeat ON SCHEDULE EVERY 2 SECOND"
        )
        assert heartbeat_event.east.execute(query) == [("later@%",)]
        heartbeat_event.east.execute("DROP USER app")
        assert refusal(heartbeat_event.east, "CREATE USER later IDENTIFIED BY 'x'") == 4006

    def test_block_of_one_statement_runs(self, scenario: Scenario) -> None:
        """The heartbeat event of database_setup commits in a block and writes on the writer only."""
        scenario.east.execute(
            "CREATE EVENT ledger.pay ON SCHEDULE EVERY 1 SECOND DO BEGIN IF NOT @@innodb_read_only THEN "
            "INSERT INTO ledger.payments VALUES (7, 7) ON DUPLICATE KEY UPDATE cents = 8; COMMIT; END IF; END"
        )
        scenario.clock.now += 1
        assert scenario.paid(scenario.east) == [7]

    def test_event_runs_with_its_definers_privileges(self, heartbeat_event: Scenario) -> None:
        """CREATE EVENT needs EVENT on the database. An execution without its privilege fails silently."""
        heartbeat_event.east.execute("CREATE USER 'app'@'%' IDENTIFIED BY 'x'")
        heartbeat_event.east.execute("GRANT SELECT ON ledger.heartbeat TO 'app'@'%'")
        create = "CREATE EVENT ledger.mine ON SCHEDULE EVERY 1 SECOND DO INSERT INTO ledger.payments VALUES (7, 7)"
        session = heartbeat_event.east.session("app")
        assert refusal(session, create) == 1044
        heartbeat_event.east.execute("GRANT EVENT ON ledger.* TO 'app'@'%'")
        session.execute(create)
        heartbeat_event.clock.now += 3
        assert heartbeat_event.paid(heartbeat_event.east) == []
        heartbeat_event.east.execute("GRANT INSERT ON ledger.payments TO 'app'@'%'")
        heartbeat_event.clock.now += 3
        assert heartbeat_event.paid(heartbeat_event.east) == [7]


def test_concurrent_sessions_and_switchovers(scenario: Scenario) -> None:
    """No acknowledged row is lost and no refused row is kept."""
    acknowledged: list[int] = []

    def write(first: int) -> None:
        for number in range(first, first + 40):
            with _refusals_allowed():
                scenario.pay(number)
                acknowledged.append(number)

    threads = [threading.Thread(target=write, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for target in (WEST, EAST, WEST):
        scenario.database.switchover(target)
    for thread in threads:
        thread.join()
    assert scenario.paid(scenario.database.writer) == sorted(acknowledged)


class _refusals_allowed:
    """Ignore refusals that a concurrent role change causes."""

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
    """After any history, the acknowledged rows are the writer's and the lost rows; a reader has a prefix of the writer's."""
    scenario = make_scenario(1.0)
    acknowledged: list[int] = []
    try:
        for number, (step, argument) in enumerate(steps):
            try:
                if step == "pay":
                    scenario.pay(number)
                    acknowledged.append(number)
                elif step == "wait":
                    scenario.clock.now += float(argument)
                elif step == "lag":
                    scenario.database.replication_lag_seconds = float(argument)
                else:
                    getattr(scenario.database, step)(argument)
            except (SqlError, ReplicationRefusedError):
                pass
            assert sum(not cluster.read_only for cluster in scenario.database.clusters) == 1
        for cluster in scenario.database.clusters:
            scenario.database.start(cluster.id)
        lost = [
            int(str(row["id"]))
            for each in scenario.database.lost_transactions
            for row in each.inserted_rows("ledger.payments")
        ]
        kept = scenario.paid(scenario.database.writer)
        assert sorted([*kept, *lost]) == acknowledged
        for cluster in scenario.database.clusters:
            assert scenario.paid(cluster) == kept[: len(scenario.paid(cluster))]
        scenario.clock.now += 100
        assert {tuple(scenario.paid(cluster)) for cluster in scenario.database.clusters} == {tuple(kept)}
    finally:
        scenario.database.close()


def test_endless_statement_is_interrupted() -> None:
    """It holds the lock of all clusters: without a limit one client would stop the probes of both regions."""
    volume = Volume(list, statement_seconds=0.0)
    endless = "WITH RECURSIVE q AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM q) SELECT COUNT(*) FROM q"
    with pytest.raises(SqlError, match="maximum statement execution time exceeded") as refused:
        volume.query(endless, (), ExecutionContext(at=0.0))
    assert refused.value.code == 3024
    volume.close()
