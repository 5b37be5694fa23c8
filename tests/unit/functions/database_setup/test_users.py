"""IAM users in the database, and log-in by the function's own user after the master password was rotated."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pymysql
import pytest

from functions.database_setup.handler import cold_start, handler
from functions.database_setup.model import Endpoint, SetupError
from functions.database_setup.privileges import GrantLevel, NameRules
from functions.database_setup.users import IAM_PLUGIN, DatabaseAccount, FoundUsers, plan_changes
from functions.shared.iam_token import sign_token
from rehearsal.aurora.server import Fault
from tests.unit.functions.database_setup.test_setup import EVERYTHING, PASSWORD, event

NAMES: dict[str, Any] = {
    "database": "pay_ments",
    "heartbeat_database": "failover",
    "rules": NameRules(has_wildcards=False, ignores_case=False),
}


@pytest.fixture(autouse=True)
def fresh_process(lambda_environment: None) -> Iterator[None]:
    """Let each test start the function cold."""
    cold_start.cache_clear()
    yield
    cold_start.cache_clear()


@pytest.fixture
def run(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the function as a deployment does: the users in its environment, the master password in its request."""

    def run_for(users: Mapping[str, str], *, password: str = PASSWORD) -> dict[str, Any]:
        listeners = ((world.writer, world.writer_listener), (world.reader, world.reader_listener))
        clusters = [
            {"host": "localhost", "port": float(listener.port), "region": cluster.region}
            for cluster, listener in listeners
        ]
        monkeypatch.setenv("CLUSTERS", json.dumps(clusters))
        monkeypatch.setenv("IAM_USERS", json.dumps(users))
        cold_start.cache_clear()
        return handler(event(world.writer_listener.port, password=password), None)

    return run_for


def grants(world: Any, user: str) -> list[str]:
    """Return a user's grants on the writer."""
    return [str(row[0]) for row in world.writer.execute(f"SHOW GRANTS FOR '{user}'@'%'")][1:]


def managed_users(world: Any) -> list[str]:
    """Return the users in the table of users that the function created."""
    return [str(row[0]) for row in world.writer.execute("SELECT user FROM failover.iam_users ORDER BY user")]


class TestUsers:
    """Users in the settings exist in the database."""

    def test_each_user_has_the_privileges_of_its_level(self, world: Any, run: Any) -> None:
        """IAM log-in only, TLS only, one database only."""
        answer = run({"ann": "read_only", "bob.b": "read_write"})
        assert ["IAM user ann", "IAM user bob.b"] == answer["created"][-3:-1]
        for user in ("ann", "bob.b"):
            account = world.writer.account(user)
            assert (IAM_PLUGIN, True) == (account.plugin, account.requires_tls)
        assert ["GRANT SELECT ON `pay_ments`.* TO `ann`@`%`"] == grants(world, "ann")
        assert ["GRANT SELECT, INSERT, UPDATE, DELETE ON `pay_ments`.* TO `bob.b`@`%`"] == grants(world, "bob.b")

    def test_second_run_changes_nothing(self, world: Any, run: Any) -> None:
        """The same users again: none is created and none is removed."""
        run({"ann": "read_only"})
        answer = run({"ann": "read_only"})
        assert ([], []) == (answer["created"], answer["removed"])

    def test_changed_level_grants_and_revokes_privileges(self, world: Any, run: Any) -> None:
        """From read_only to read_write and back."""
        run({"ann": "read_only"})
        run({"ann": "read_write"})
        assert ["GRANT SELECT, INSERT, UPDATE, DELETE ON `pay_ments`.* TO `ann`@`%`"] == grants(world, "ann")
        run({"ann": "read_only"})
        assert ["GRANT SELECT ON `pay_ments`.* TO `ann`@`%`"] == grants(world, "ann")

    def test_only_a_managed_user_missing_from_the_settings_is_removed(self, world: Any, run: Any) -> None:
        """A user created by hand stays, even one with IAM log-in."""
        world.writer.execute(f"CREATE USER 'theirs'@'%' IDENTIFIED WITH {IAM_PLUGIN} AS 'RDS'")
        run({"ann": "read_only", "bob": "read_write"})
        answer = run({"bob": "read_write"})
        assert ["IAM user ann"] == answer["removed"]
        assert world.writer.account("ann") is None
        assert ["bob"] == managed_users(world)
        assert world.writer.account("theirs") is not None
        assert world.writer.account("health_check") is not None

    def test_unmanaged_user_with_a_wanted_name_is_an_error(self, world: Any, run: Any) -> None:
        """The error names the user, who is not changed; the other users are."""
        world.writer.execute("CREATE USER 'ann'@'%' IDENTIFIED BY 'theirs'")
        with pytest.raises(
            SetupError, match=r"^IAM user ann: exists and was not .* \(mysql_native_password\)\. Remove"
        ):
            run({"ann": "read_write", "bob": "read_only"})
        assert [] == grants(world, "ann")
        assert ["bob"] == managed_users(world)

    def test_interrupted_run_is_completed_by_the_next(self, world: Any, run: Any) -> None:
        """The managed-users table lists a user before it is created and until it is removed."""
        run({"ann": "read_only"})
        world.writer.execute("DROP USER 'ann'@'%'")
        run({"ann": "read_only"})
        assert ["GRANT SELECT ON `pay_ments`.* TO `ann`@`%`"] == grants(world, "ann")

    def test_user_logs_in_with_a_token_and_queries(self, world: Any, run: Any, bundle: Any) -> None:
        """A read_only user can read on the writer and on the standby's reader endpoint."""
        world.writer.execute("CREATE DATABASE pay_ments")
        world.writer.execute("CREATE TABLE pay_ments.ledger (id INT PRIMARY KEY)")
        run({"ann": "read_only"})
        for cluster, listener in ((world.writer, world.writer_listener), (world.reader, world.reader_listener)):
            endpoint = Endpoint(host="localhost", port=listener.port, region=cluster.region)
            connection = pymysql.connect(
                host=endpoint.host,
                port=endpoint.port,
                user="ann",
                password=sign_token(host="localhost", port=endpoint.port, region=endpoint.region, user="ann"),
                ssl_ca=str(bundle),
            )
            with connection, connection.cursor() as cursor:
                assert 0 == cursor.execute("SELECT id FROM pay_ments.ledger")
                with pytest.raises(pymysql.MySQLError):
                    cursor.execute("INSERT INTO pay_ments.ledger VALUES (1)")


class TestLaterRuns:
    """Runs after the first."""

    def test_run_with_a_rotated_password_succeeds(self, world: Any, run: Any) -> None:
        """The request holds the old password, and the function logs in as its own user."""
        run({})
        answer = run({"ann": "read_only"}, password="rotated-since-then")
        assert (["IAM user ann"], EVERYTHING) == (answer["created"], answer["already_there"])

    def test_own_user_can_create_everything_but_itself(self, world: Any, run: Any) -> None:
        """The user's grants suffice to restore dropped objects."""
        run({})
        for undo in ("DROP EVENT failover.heartbeat_of_the_database", "DROP USER 'health_check'@'%'"):
            world.writer.execute(undo)
        answer = run({}, password="rotated-since-then")
        assert [
            "user health_check",
            "grants of health_check on failover.heartbeat",
            "event failover.heartbeat_of_the_database",
        ] == answer["created"]

    def test_writer_is_found_after_a_failover(self, world: Any, run: Any) -> None:
        """The writer is the other cluster, and the endpoint in the request may be unreachable."""
        run({})
        world.writer_listener.set_fault(Fault.REFUSE)
        world.global_database.switchover(world.reader.id)
        answer = run({"ann": "read_only"}, password="rotated-since-then")
        assert ["IAM user ann"] == answer["created"]

    def test_both_refused_log_ins_are_reported(self, world: Any, run: Any) -> None:
        """The error gives both reasons and holds no secret."""
        with pytest.raises(SetupError) as caught:
            run({}, password="rotated-but-secret")
        text = str(caught.value)
        assert "Access denied for user admin" in text
        assert "database_setup at localhost: " in text
        assert "rotated-but-secret" not in text
        assert "X-Amz-Signature" not in text


class TestNameRules:
    """How the server reads names of databases."""

    def test_underscore_is_escaped_only_where_it_is_a_wildcard(self) -> None:
        """With partial_revokes, a backslash would be part of the name."""
        level = GrantLevel(database="pay_ments")
        assert "`pay_ments`.*" == level.sql(NameRules(has_wildcards=False, ignores_case=False))
        assert "`pay\\_ments`.*" == level.sql(NameRules(has_wildcards=True, ignores_case=False))
        table = GrantLevel(database="pay_ments", table="a_b")
        assert "`pay_ments`.`a_b`" == table.sql(NameRules(has_wildcards=True, ignores_case=False))

    def test_case_counts_unless_the_server_ignores_it(self) -> None:
        """lower_case_table_names decides."""
        assert not NameRules(has_wildcards=False, ignores_case=False).are_same("payments", "Payments")
        assert NameRules(has_wildcards=False, ignores_case=True).are_same("payments", "Payments")


class TestPlan:
    """plan_changes without a database."""

    def test_missing_tls_requirement_is_restored(self) -> None:
        """A managed user that was altered by hand is corrected."""
        found = FoundUsers(
            managed=frozenset({"ann"}),
            accounts={"ann": DatabaseAccount(plugin=IAM_PLUGIN, requires_tls=False, privileges=frozenset({"SELECT"}))},
        )
        (change,) = plan_changes({"ann": "read_only"}, found, **NAMES)
        assert ("ALTER USER 'ann'@'%' REQUIRE SSL",) == change.statements

    def test_managed_name_with_another_plugin_is_refused(self) -> None:
        """The user was dropped and created again by hand."""
        found = FoundUsers(
            managed=frozenset({"ann"}),
            accounts={"ann": DatabaseAccount(plugin="caching_sha2_password", requires_tls=True)},
        )
        (change,) = plan_changes({"ann": "read_only"}, found, **NAMES)
        assert ((), True) == (change.statements, "caching_sha2_password" in str(change.refusal))

    def test_removals_come_first(self) -> None:
        """A change that the database refuses keeps no leaver's access."""
        found = FoundUsers(managed=frozenset({"zoe"}))
        assert ["zoe", "ann"] == [change.user for change in plan_changes({"ann": "read_only"}, found, **NAMES)]

    @pytest.mark.parametrize(
        ("granted", "statements"),
        [
            ({"SELECT", "INSERT", "GRANT OPTION"}, ["REVOKE GRANT OPTION, INSERT ON `pay_ments`.* FROM 'ann'@'%'"]),
            (
                {"SELECT", "CREATE"},
                ["REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'ann'@'%'", "GRANT SELECT ON `pay_ments`.* TO 'ann'@'%'"],
            ),
        ],
        ids=["own", "other"],
    )
    def test_own_user_revokes_what_it_may(self, granted: set[str], statements: list[str]) -> None:
        """REVOKE needs the privileges that it revokes; the form for every privilege does not."""
        account = DatabaseAccount(plugin=IAM_PLUGIN, requires_tls=True, privileges=frozenset(granted))
        found = FoundUsers(managed=frozenset({"ann"}), accounts={"ann": account})
        (change,) = plan_changes({"ann": "read_only"}, found, **NAMES)
        assert statements == list(change.statements)

    def test_no_users_give_an_empty_plan(self) -> None:
        """The plan is empty if there are neither configured nor managed users."""
        assert () == plan_changes({}, FoundUsers(managed=frozenset()), **NAMES)
