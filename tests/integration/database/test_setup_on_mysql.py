"""database_setup against a real MySQL server: objects, users, the heartbeat event, repairs."""

import pymysql
import pytest

from functions.database_setup.model import SetupError
from functions.database_setup.setup import EVENT
from tests.integration.database.conftest import ROTATED, Deployment, grant
from tests.support.mysql_server import MASTER
from tests.support.waiting import WAIT_SECONDS, wait_until

OWN_USER = "database_setup"
HEARTBEAT = "SELECT written_at FROM failover.heartbeat WHERE source_region = 'database'"
DEFINER = f"SELECT definer FROM information_schema.events WHERE event_name = '{EVENT}'"
SCHEDULER_ERROR = "Event Scheduler: ["


class TestFirstAndLaterRuns:
    """Objects that the setup creates, and runs that find them."""

    def test_health_check_works_after_the_first_run(self, deployed: Deployment) -> None:
        """The probe writes its heartbeat, and the database's own heartbeat is there already."""
        answer = deployed.setup()
        report = deployed.probe()
        assert (None, False, {"us-east-1", "database"}) == (
            report["failure"],
            report["read_only"],
            set(report["heartbeat_sources"]),
        )
        assert "user health_check" in answer["created"]

    def test_second_run_changes_nothing(self, deployed: Deployment) -> None:
        """The second run logs in as the function's own user, whatever the master password is, and finds everything."""
        first = deployed.setup({"ann": "read_only", "bob.b-c": "read_write"})
        before = deployed.query("SELECT user, host, plugin, ssl_type FROM mysql.user"), deployed.grants("ann")
        second = deployed.setup({"ann": "read_only", "bob.b-c": "read_write"}, password=ROTATED)
        assert ([], []) == (second["created"], second["removed"])
        users = {"IAM user ann", "IAM user bob.b-c"}
        assert {*first["created"], *first["already_there"]} == {*second["already_there"], *users}
        assert before == (deployed.query("SELECT user, host, plugin, ssl_type FROM mysql.user"), deployed.grants("ann"))

    def test_health_check_has_least_privilege(self, deployed: Deployment) -> None:
        """Three privileges on one table."""
        deployed.setup()
        assert ["GRANT SELECT, INSERT, UPDATE ON `failover`.`heartbeat` TO `health_check`@`%`"] == deployed.grants(
            "health_check"
        )

    @pytest.mark.parametrize(
        "damage",
        [
            "DROP TABLE failover.heartbeat",
            f"DROP EVENT failover.{EVENT}",
            f"ALTER EVENT failover.{EVENT} DISABLE",
            f"ALTER EVENT failover.{EVENT} ON SCHEDULE EVERY 1 HOUR",
            f"ALTER DEFINER = '{MASTER}'@'%' EVENT failover.{EVENT} ENABLE",
            f"ALTER EVENT failover.{EVENT} DO SELECT 'database'",
            "DROP USER health_check",
            "REVOKE UPDATE ON failover.heartbeat FROM health_check",
            "ALTER USER health_check REQUIRE NONE",
        ],
    )
    def test_later_run_repairs_each_missing_piece(self, deployed: Deployment, damage: str) -> None:
        """The function's own user can restore everything but itself."""
        deployed.setup({"ann": "read_only"})
        deployed.query_as_master(damage)
        repaired = deployed.setup({"ann": "read_only"}, password=ROTATED)
        assert [] != repaired["created"]
        assert [] == deployed.setup({"ann": "read_only"}, password=ROTATED)["created"]
        report = deployed.probe()
        assert (None, {"us-east-1", "database"}) == (report["failure"], set(report["heartbeat_sources"]))
        assert [(f"{OWN_USER}@%",)] == deployed.query(DEFINER)

    @pytest.mark.parametrize(
        "damage",
        [
            f"DROP USER {OWN_USER}",
            f"REVOKE CREATE USER ON *.* FROM {OWN_USER}",
            f"REVOKE EVENT ON failover.* FROM {OWN_USER}",
            f"REVOKE GRANT OPTION ON pay_ments.* FROM {OWN_USER}",
        ],
    )
    def test_master_user_repairs_the_functions_own_user(self, deployed: Deployment, damage: str) -> None:
        """The next run after the repair succeeds as the function's own user."""
        deployed.setup({"ann": "read_only"})
        # The event keeps a dropped user as its definer.
        if damage.startswith("DROP"):
            deployed.query(f"DROP EVENT failover.{EVENT}")
        deployed.query(damage)
        deployed.query(f"ALTER USER IF EXISTS {OWN_USER} ACCOUNT LOCK")  # so that the master user logs in
        deployed.setup({"ann": "read_only"})
        deployed.query(f"ALTER USER {OWN_USER} ACCOUNT UNLOCK")
        answer = deployed.setup({"ann": "read_write"}, password=ROTATED)
        assert ["IAM user ann"] == answer["created"]

    def test_without_its_table_no_user_is_known(self, deployed: Deployment) -> None:
        """The dropped database is created again; a user who is in no table any more was perhaps created by hand."""
        deployed.setup({"ann": "read_only"})
        deployed.query("DROP DATABASE failover")
        with pytest.raises(SetupError, match="IAM user ann: exists and was not created by this stack"):
            deployed.setup({"ann": "read_only"}, password=ROTATED)
        deployed.query("DROP USER ann")
        assert ["IAM user ann"] == deployed.setup({"ann": "read_only"}, password=ROTATED)["created"]
        assert deployed.probe()["failure"] is None

    def test_names_at_their_limits(self, deployed: Deployment) -> None:
        """A database of 64 characters and a user of 32."""
        deployed.database, user = "D" + "_x" * 31 + "_", "a" + "-" * 30 + "z"
        deployed.query(f"CREATE DATABASE `{deployed.database}`", f"CREATE TABLE `{deployed.database}`.t (id INT)")
        deployed.setup({user: "read_only"})
        assert [] == deployed.setup({user: "read_only"})["created"]
        assert deployed.can(user, f"SELECT * FROM `{deployed.database}`.t")


class TestUsers:
    """The users of the settings, as they log in and work."""

    def test_each_level_gives_its_access_to_one_database(self, deployed: Deployment) -> None:
        """The name of the database has an underscore, which matches no other database."""
        deployed.query("CREATE DATABASE payXments", "CREATE TABLE payXments.ledger (id INT PRIMARY KEY)")
        deployed.setup({"ann": "read_only", "bob": "read_write"})
        reads, writes = "SELECT * FROM pay_ments.ledger", "INSERT INTO pay_ments.ledger VALUES (1)"
        assert (True, False) == (deployed.can("ann", reads), deployed.can("ann", writes))
        assert (True, True) == (deployed.can("bob", reads), deployed.can("bob", writes))
        assert deployed.can("ann", "USE pay_ments")
        for user in ("ann", "bob", OWN_USER):
            assert not deployed.can(user, "SELECT * FROM payXments.ledger")

    def test_without_partial_revokes_an_underscore_is_escaped(self, deployed: Deployment) -> None:
        """Then the name in GRANT is a pattern."""
        deployed.query("CREATE DATABASE payXments", "CREATE TABLE payXments.ledger (id INT PRIMARY KEY)")
        with deployed.server.global_variables({"partial_revokes": 0}):
            deployed.setup({"ann": "read_only"})
            assert [] == deployed.setup({"ann": "read_only"}, password=ROTATED)["created"]
            assert deployed.can("ann", "SELECT * FROM pay_ments.ledger")
            assert not deployed.can("ann", "SELECT * FROM payXments.ledger")

    def test_raised_and_lowered(self, deployed: Deployment) -> None:
        """The privileges are those of the level after each run."""
        for level, privileges in (
            ("read_only", "SELECT"),
            ("read_write", "SELECT, INSERT, UPDATE, DELETE"),
            ("read_only", "SELECT"),
        ):
            answer = deployed.setup({"ann": level})
            assert "IAM user ann" in answer["created"]
            assert [grant(privileges, "ann")] == deployed.grants("ann")

    def test_removed_and_returned(self, deployed: Deployment) -> None:
        """A user of the same name who was created by hand stays."""
        deployed.query("CREATE USER theirs IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'")
        deployed.setup({"ann": "read_write", "bob": "read_only"})
        assert ["IAM user ann"] == deployed.setup({"bob": "read_only"})["removed"]
        assert [("bob",)] == deployed.query("SELECT user FROM failover.iam_users")
        assert [("bob",), ("theirs",)] == deployed.query(
            "SELECT user FROM mysql.user WHERE user IN ('ann', 'bob', 'theirs') ORDER BY user"
        )
        assert ["IAM user ann"] == deployed.setup({"ann": "read_only", "bob": "read_only"})["created"]
        assert [grant("SELECT", "ann")] == deployed.grants("ann")

    def test_foreign_user_is_left_alone_and_stops_no_one_else(self, deployed: Deployment) -> None:
        """A user whom someone created by hand is an error at the end; colleagues are added and removed."""
        deployed.setup({"cid": "read_only"})
        deployed.query("CREATE USER ann IDENTIFIED BY 'theirs'")
        with pytest.raises(SetupError, match=r"IAM user ann: exists and was not created by this stack"):
            deployed.setup({"ann": "read_write", "bob": "read_only"})
        assert [] == deployed.grants("ann")
        assert [("ann",), ("bob",)] == deployed.query(
            "SELECT user FROM mysql.user WHERE user IN ('ann', 'bob', 'cid') ORDER BY user"
        )

    @pytest.mark.parametrize(
        "by_hand",
        [
            "GRANT CREATE, DROP ON pay_ments.* TO ann",
            "GRANT ALL ON pay_ments.* TO ann WITH GRANT OPTION",
            "GRANT INSERT ON pay_ments.* TO ann WITH GRANT OPTION",
            "GRANT SELECT ON pay_ments.* TO ann WITH GRANT OPTION",
        ],
    )
    def test_privileges_granted_by_hand_on_the_database_are_revoked(self, deployed: Deployment, by_hand: str) -> None:
        """The level is all that remains, and the other changes of the run are made."""
        deployed.setup({"ann": "read_only", "bob": "read_only"})
        deployed.query(by_hand)
        answer = deployed.setup({"ann": "read_only", "cid": "read_only"}, password=ROTATED)
        assert (["IAM user bob"], ["IAM user ann", "IAM user cid"]) == (answer["removed"], answer["created"])
        assert [grant("SELECT", "ann")] == deployed.grants("ann")
        assert [] == deployed.setup({"ann": "read_only", "cid": "read_only"}, password=ROTATED)["created"]

    def test_privileges_granted_by_hand_elsewhere_stay(self, deployed: Deployment) -> None:
        """A table's privileges stay when the level is lowered."""
        deployed.setup({"ann": "read_write"})
        by_hand = "GRANT INSERT ON `pay_ments`.`ledger` TO `ann`@`%`"
        deployed.query(by_hand)
        deployed.setup({"ann": "read_only"}, password=ROTATED)
        assert [grant("SELECT", "ann"), by_hand] == deployed.grants("ann")

    def test_leaver_who_is_a_definer_is_locked_without_privileges(self, deployed: Deployment) -> None:
        """MySQL refuses to drop a definer; the next leaver is still dropped."""
        deployed.setup({"ann": "read_write", "bob": "read_only"})
        deployed.query("CREATE DEFINER = 'ann'@'%' VIEW pay_ments.v AS SELECT * FROM pay_ments.ledger")
        answer = deployed.setup({}, password=ROTATED)
        assert (["IAM user bob"], ["IAM user ann"]) == (answer["removed"], answer["locked"])
        assert [] == deployed.grants("ann")
        with pytest.raises(pymysql.OperationalError, match="Account is locked"):
            deployed.log_in("ann")
        again = deployed.setup({}, password=ROTATED)
        assert ([], ["IAM user ann"]) == (again["removed"], again["locked"])
        deployed.query("DROP VIEW pay_ments.v")
        assert ["IAM user ann"] == deployed.setup({}, password=ROTATED)["removed"]

    def test_locked_leaver_who_returns_is_unlocked(self, deployed: Deployment) -> None:
        """The account still exists."""
        deployed.setup({"ann": "read_write"})
        deployed.query("CREATE DEFINER = 'ann'@'%' VIEW pay_ments.v AS SELECT * FROM pay_ments.ledger")
        deployed.setup({}, password=ROTATED)
        assert ["IAM user ann"] == deployed.setup({"ann": "read_only"}, password=ROTATED)["created"]
        assert deployed.can("ann", "SELECT * FROM pay_ments.ledger")

    def test_user_locked_by_hand_stays_locked(self, deployed: Deployment) -> None:
        """The person who locked the user had a reason."""
        deployed.setup({"ann": "read_only"})
        deployed.query("ALTER USER ann ACCOUNT LOCK")
        assert [] == deployed.setup({"ann": "read_only"}, password=ROTATED)["created"]
        with pytest.raises(pymysql.OperationalError, match="Account is locked"):
            deployed.log_in("ann")

    def test_returning_definer_who_was_dropped_by_hand_stops_no_one_else(self, deployed: Deployment) -> None:
        """MySQL refuses to create a user who is the definer of an object; the error at the end says so."""
        deployed.query("CREATE DEFINER = 'ann'@'%' VIEW pay_ments.v AS SELECT * FROM pay_ments.ledger")
        deployed.setup()
        with pytest.raises(SetupError, match=r"IAM user ann: .*4006.*definer"):
            deployed.setup({"ann": "read_only", "bob": "read_only"}, password=ROTATED)
        assert deployed.can("bob", "SELECT * FROM pay_ments.ledger")

    def test_databases_whose_names_differ_in_case_are_two(self, deployed: Deployment) -> None:
        """A privilege on one is none on the other."""
        deployed.query("CREATE DATABASE Pay_Ments", "CREATE TABLE Pay_Ments.ledger (id INT PRIMARY KEY)")
        deployed.setup({"ann": "read_only"})
        deployed.query("REVOKE SELECT ON pay_ments.* FROM ann", "GRANT SELECT, INSERT ON Pay_Ments.* TO ann")
        assert ["IAM user ann"] == deployed.setup({"ann": "read_only"}, password=ROTATED)["created"]
        assert deployed.can("ann", "SELECT * FROM pay_ments.ledger")
        assert grant("SELECT, INSERT", "ann", "Pay_Ments") in deployed.grants("ann")


class TestHeartbeatEvent:
    """The event that writes the database's own heartbeat."""

    def beats(self, deployed: Deployment, *, seconds: float = WAIT_SECONDS) -> bool:
        """Return whether a new heartbeat comes in this time."""
        before = deployed.query(HEARTBEAT)
        return wait_until(lambda: deployed.query(HEARTBEAT) != before, seconds=seconds, pause_seconds=0.2)

    def test_runs_as_the_functions_own_user(self, deployed: Deployment) -> None:
        """The master user's privileges come from a role that is not a default role, so an event of its own would fail."""
        before = deployed.server.log.count(SCHEDULER_ERROR)
        deployed.setup()
        assert [(f"{OWN_USER}@%",)] == deployed.query(DEFINER)
        assert self.beats(deployed)
        assert before == deployed.server.log.count(SCHEDULER_ERROR)

    def test_commits_with_autocommit_off(self, deployed: Deployment) -> None:
        """A cluster parameter may turn autocommit off."""
        with deployed.server.global_variables({"autocommit": 0}):
            deployed.setup()
            assert self.beats(deployed)

    def test_stops_while_the_server_is_read_only(self, deployed: Deployment) -> None:
        """As the probe does: an administrator's privilege would let the event continue."""
        deployed.setup()
        with deployed.server.global_variables({"read_only": 1}):
            assert not self.beats(deployed, seconds=3)
            assert str(deployed.probe()["failure"]).startswith("read-only-heartbeat: heartbeat write:")
        assert self.beats(deployed)

    def test_setup_fails_without_heartbeat(self, deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error names the event and the parameter; the users of the settings exist."""
        monkeypatch.setattr("functions.database_setup.setup.HEARTBEAT_SECONDS", 0.5)
        with (
            deployed.server.global_variables({"event_scheduler": "OFF"}),
            pytest.raises(SetupError, match=rf"failover\.{EVENT}: .*event_scheduler is OFF"),
        ):
            deployed.setup({"ann": "read_only"})
        assert deployed.can("ann", "SELECT * FROM pay_ments.ledger")

    def test_refused_steps_keep_no_leaver(self, deployed: Deployment) -> None:
        """The users are still changed; the error at the end names each step."""
        deployed.setup({"ann": "read_only"})
        deployed.query(f"DROP EVENT failover.{EVENT}", f"REVOKE EVENT ON failover.* FROM {OWN_USER}")
        refused = rf"^grants of {OWN_USER} on failover\.\*: \(1044, .*; event failover\.{EVENT}: \(1044, "
        with pytest.raises(SetupError, match=refused):
            deployed.setup({"bob": "read_only"})
        assert [("bob",)] == deployed.query("SELECT user FROM failover.iam_users")

    def test_old_heartbeat_does_not_count_after_a_change(
        self, deployed: Deployment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A changed event must write a heartbeat of its own."""
        deployed.setup()
        monkeypatch.setattr("functions.database_setup.setup.HEARTBEAT_SECONDS", 0.5)
        with deployed.server.global_variables({"event_scheduler": "OFF"}):
            deployed.query_as_master(f"ALTER EVENT failover.{EVENT} DISABLE")
            with pytest.raises(SetupError, match="event_scheduler is OFF"):
                deployed.setup(password=ROTATED)
