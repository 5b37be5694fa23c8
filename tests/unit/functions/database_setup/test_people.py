"""People's users, and how database_setup comes back to make them when the password it was given is no longer the right one."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pymysql
import pytest

from functions.database_setup.handler import cold_start, handler
from functions.database_setup.model import Endpoint, SetupError
from functions.database_setup.people import IAM_PLUGIN, Account, People, plan_changes
from functions.database_setup.token import signed_token
from rehearsal.aurora.server import Fault
from tests.unit.functions.database_setup.test_setup import EVERYTHING, PASSWORD, event

PLACES = {"database": "pay_ments", "heartbeat_database": "failover"}


@pytest.fixture(autouse=True)
def fresh_process(lambda_environment: None) -> Iterator[None]:
    """Let each test start the function cold."""
    cold_start.cache_clear()
    yield
    cold_start.cache_clear()


@pytest.fixture
def run(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the function as a deployment does: the people in its environment, the first day's password in its input."""

    def run_for(people: Mapping[str, str], *, password: str = PASSWORD) -> dict[str, Any]:
        listeners = ((world.writer, world.writer_listener), (world.reader, world.reader_listener))
        clusters = [
            {"host": "localhost", "port": float(listener.port), "region": cluster.region}
            for cluster, listener in listeners
        ]
        monkeypatch.setenv("CLUSTERS", json.dumps(clusters))
        monkeypatch.setenv("IAM_USERS", json.dumps(people))
        cold_start.cache_clear()
        return handler(event(world.writer_listener.port, password=password), None)

    return run_for


def grants(world: Any, user: str) -> list[str]:
    """Return what a user was granted, as the writer says it."""
    return [str(row[0]) for row in world.writer.execute(f"SHOW GRANTS FOR '{user}'@'%'")][1:]


def ours(world: Any) -> list[str]:
    """Return the users that stand in the table of those that we made."""
    return [str(row[0]) for row in world.writer.execute("SELECT user FROM failover.iam_users ORDER BY user")]


class TestPeople:
    """Who is in the settings is in the database."""

    def test_each_gets_a_user_with_the_rights_of_its_level(self, world: Any, run: Any) -> None:
        """By IAM only, over TLS only, in the one database only; its name's underscore stands for itself alone."""
        answer = run({"ann": "read_only", "bob.b": "read_write"})
        assert ["IAM user ann", "IAM user bob.b"] == answer["created"][-2:]
        for user in ("ann", "bob.b"):
            account = world.writer.account(user)
            assert (IAM_PLUGIN, True) == (account.plugin, account.requires_tls)
        assert ["GRANT SELECT ON `pay\\_ments`.* TO `ann`@`%`"] == grants(world, "ann")
        assert ["GRANT SELECT, INSERT, UPDATE, DELETE ON `pay\\_ments`.* TO `bob.b`@`%`"] == grants(world, "bob.b")

    def test_again_changes_nothing(self, world: Any, run: Any) -> None:
        """The same people a second time: nothing is made, nothing is removed."""
        run({"ann": "read_only"})
        answer = run({"ann": "read_only"})
        assert ([], []) == (answer["created"], answer["removed"])

    def test_another_level_takes_and_gives_rights(self, world: Any, run: Any) -> None:
        """Up and down again."""
        run({"ann": "read_only"})
        run({"ann": "read_write"})
        assert ["GRANT SELECT, INSERT, UPDATE, DELETE ON `pay\\_ments`.* TO `ann`@`%`"] == grants(world, "ann")
        run({"ann": "read_only"})
        assert ["GRANT SELECT ON `pay\\_ments`.* TO `ann`@`%`"] == grants(world, "ann")

    def test_who_is_taken_out_is_removed_and_nobody_else(self, world: Any, run: Any) -> None:
        """A user that somebody made by hand stays, also one that logs in by IAM."""
        world.writer.execute(f"CREATE USER 'theirs'@'%' IDENTIFIED WITH {IAM_PLUGIN} AS 'RDS'")
        run({"ann": "read_only", "bob": "read_write"})
        answer = run({"bob": "read_write"})
        assert ["IAM user ann"] == answer["removed"]
        assert world.writer.account("ann") is None
        assert ["bob"] == ours(world)
        assert world.writer.account("theirs") is not None
        assert world.writer.account("health_check") is not None

    def test_a_user_of_that_name_that_is_not_ours_is_not_taken_over(self, world: Any, run: Any) -> None:
        """By IAM or by password: it fails, names it, and changes nobody."""
        world.writer.execute("CREATE USER 'ann'@'%' IDENTIFIED BY 'theirs'")
        with pytest.raises(SetupError, match=r"not ours: ann \(mysql_native_password\); remove or rename"):
            run({"ann": "read_write", "bob": "read_only"})
        assert [] == grants(world, "ann")
        assert world.writer.account("bob") is None

    def test_a_run_that_stopped_in_the_middle_is_finished(self, world: Any, run: Any) -> None:
        """In our table before the user is made, and until it is gone: so it is never taken for somebody else's."""
        run({"ann": "read_only"})
        world.writer.execute("DROP USER 'ann'@'%'")
        run({"ann": "read_only"})
        assert ["GRANT SELECT ON `pay\\_ments`.* TO `ann`@`%`"] == grants(world, "ann")

    def test_a_person_logs_in_with_a_token_and_works(self, world: Any, run: Any, bundle: Any) -> None:
        """What was made is what a person needs: on the writer, and on the standby's reader endpoint."""
        world.writer.execute("CREATE DATABASE pay_ments")
        world.writer.execute("CREATE TABLE pay_ments.ledger (id INT PRIMARY KEY)")
        run({"ann": "read_only"})
        for cluster, listener in ((world.writer, world.writer_listener), (world.reader, world.reader_listener)):
            endpoint = Endpoint(host="localhost", port=listener.port, region=cluster.region)
            connection = pymysql.connect(
                host=endpoint.host,
                port=endpoint.port,
                user="ann",
                password=signed_token(endpoint, "ann"),
                ssl_ca=str(bundle),
            )
            with connection, connection.cursor() as cursor:
                assert 0 == cursor.execute("SELECT id FROM pay_ments.ledger")
                with pytest.raises(pymysql.MySQLError):
                    cursor.execute("INSERT INTO pay_ments.ledger VALUES (1)")


class TestLaterRuns:
    """After the first day."""

    def test_the_rotated_password_is_not_missed(self, world: Any, run: Any) -> None:
        """The input still holds the old one: the function logs in as its own user, and does its work."""
        run({})
        answer = run({"ann": "read_only"}, password="rotated-since-then")
        assert (["IAM user ann"], EVERYTHING) == (answer["created"], answer["already_there"])

    def test_everything_that_the_function_makes_it_can_make_as_its_own_user(self, world: Any, run: Any) -> None:
        """Its rights are enough for all but itself."""
        run({})
        for undo in ("DROP EVENT failover.heartbeat_of_the_database", "DROP USER 'health_check'@'%'"):
            world.writer.execute(undo)
        answer = run({}, password="rotated-since-then")
        assert [
            "event failover.heartbeat_of_the_database",
            "user health_check",
            "grants of health_check on failover.heartbeat",
        ] == answer["created"]

    def test_the_writer_is_found_where_it_is(self, world: Any, run: Any) -> None:
        """After a failover it is the other cluster; the one that the input names may be gone."""
        run({})
        world.writer_listener.set_fault(Fault.REFUSE)
        world.global_database.switchover(world.reader.id)
        answer = run({"ann": "read_only"}, password="rotated-since-then")
        assert ["IAM user ann"] == answer["created"]

    def test_neither_way_in(self, world: Any, run: Any) -> None:
        """The error says why both were refused, and holds no secret."""
        with pytest.raises(SetupError) as caught:
            run({}, password="rotated-but-secret")
        text = str(caught.value)
        assert "Access denied for user admin" in text
        assert "database_setup at localhost: " in text
        assert "rotated-but-secret" not in text
        assert "X-Amz-Signature" not in text


class TestPlan:
    """The plan alone."""

    def test_tls_that_was_taken_away_comes_back(self) -> None:
        """A user of ours that somebody altered is as wanted again."""
        found = People(
            ours=frozenset({"ann"}),
            accounts={"ann": Account(plugin=IAM_PLUGIN, requires_tls=False, privileges=frozenset({"SELECT"}))},
        )
        (change,) = plan_changes({"ann": "read_only"}, found, **PLACES)
        assert ("ALTER USER 'ann'@'%' REQUIRE SSL",) == change.statements

    def test_a_name_of_ours_that_logs_in_otherwise_is_foreign(self) -> None:
        """Somebody dropped our user and made another: it isn't ours any more."""
        found = People(
            ours=frozenset({"ann"}), accounts={"ann": Account(plugin="caching_sha2_password", requires_tls=True)}
        )
        with pytest.raises(SetupError, match="caching_sha2_password"):
            plan_changes({"ann": "read_only"}, found, **PLACES)

    def test_nobody_wanted_and_nobody_there(self) -> None:
        """Nothing to do."""
        assert () == plan_changes({}, People(ours=frozenset()), **PLACES)
