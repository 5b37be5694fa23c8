"""Sessions of database_setup and health_check on a real MySQL server: a stack's parameters, and refused log-ins."""

from collections.abc import Mapping

import pymysql
import pytest

from components.database_parameters import DYNAMIC
from tests.integration.database.conftest import ROTATED, Deployment, grant
from tests.support.mysql_server import MASTER, MASTER_PASSWORD, ROLE

PARAMETERS: list[Mapping[str, object]] = [
    {"sql_mode": "ANSI_QUOTES"},
    {"sql_mode": "ANSI"},
    {"sql_mode": "PAD_CHAR_TO_FULL_LENGTH"},
    {"sql_mode": "NO_BACKSLASH_ESCAPES"},
    {"sql_mode": ""},
    {"autocommit": 0},
    {"autocommit": 0, "completion_type": "RELEASE"},
    {"autocommit": 0, "completion_type": "CHAIN"},
    {"time_zone": "+13:00", "transaction_isolation": "SERIALIZABLE"},
    {"transaction_isolation": "READ-UNCOMMITTED", "sql_mode": "TRADITIONAL"},
    {"character_set_server": "utf16", "collation_server": "utf16_bin"},
    {"character_set_server": "binary", "collation_server": "binary"},
    {"character_set_client": "latin1", "character_set_connection": "latin1", "character_set_results": "latin1"},
    {"collation_connection": "utf8mb4_bin", "default_storage_engine": "MEMORY", "sql_quote_show_create": 0},
    {"sql_select_limit": 1},
    {"max_join_size": 1, "sql_big_selects": 0},
    {"activate_all_roles_on_login": 0},
    {"init_connect": "SET autocommit = 0, sql_mode = 'ANSI_QUOTES', sql_select_limit = 1, time_zone = '-05:00'"},
    {"max_execution_time": 2000, "innodb_lock_wait_timeout": 1, "lock_wait_timeout": 1, "wait_timeout": 5},
    {"group_concat_max_len": 4, "innodb_strict_mode": 0, "sql_require_primary_key": 1, "sql_safe_updates": 1},
]


OTHERS = {
    *("connect_timeout", "interactive_timeout", "net_read_timeout", "net_write_timeout"),  # limits of idle connections
    *("max_allowed_packet", "max_connect_errors", "max_connections", "max_prepared_stmt_count", "max_user_connections"),
    *("join_buffer_size", "sort_buffer_size", "max_heap_table_size", "tmp_table_size"),  # memory
    *("general_log", "slow_query_log", "log_output", "long_query_time", "log_queries_not_using_indexes"),  # logs
    *("log_throttle_queries_not_using_indexes", "innodb_print_all_deadlocks", "innodb_stats_persistent"),
    *("server_audit_events", "server_audit_excl_users", "server_audit_incl_users", "server_audit_logging"),
    *("aurora_replica_read_consistency", "local_infile", "require_secure_transport"),
    "character_set_database",  # the database's own, which a session takes from it
    "event_scheduler",  # a test of its own
}
"""Parameters that change nothing that a session of the functions sees."""


def test_each_parameter_of_the_program_is_considered() -> None:
    """A parameter that the program knows is tried here, or listed as one without an effect."""
    tried = {name for parameters in PARAMETERS for name in parameters}
    assert set() == DYNAMIC - tried - OTHERS
    assert set() == OTHERS & tried


@pytest.mark.parametrize("parameters", PARAMETERS, ids=str)
def test_parameters_of_a_stack_change_nothing(deployed: Deployment, parameters: Mapping[str, object]) -> None:
    """Each global variable that changes what a session sees: users are added, lowered and removed, and probes work."""
    with deployed.server.global_variables(parameters):
        deployed.setup({"ann": "read_write", "bob": "read_write"})
        answer = deployed.setup({"ann": "read_only"}, password=ROTATED)
        assert (["IAM user ann"], ["IAM user bob"]) == (answer["created"], answer["removed"])
        assert [] == deployed.setup({"ann": "read_only"}, password=ROTATED)["created"]
        report = deployed.probe()
        assert (None, {"us-east-1", "database"}) == (report["failure"], set(report["heartbeat_sources"]))
    committed = deployed.query("SELECT source_region FROM failover.heartbeat ORDER BY source_region")
    assert [("database",), ("us-east-1",)] == committed
    assert [grant("SELECT", "ann")] == deployed.grants("ann")
    # An event keeps these of its creation; a time zone with daylight saving time would stop it for an hour.
    event = deployed.query("SELECT time_zone, sql_mode FROM information_schema.events")
    assert [("+00:00", "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION")] == event
    tables = deployed.query(
        "SELECT engine, table_collation FROM information_schema.tables WHERE table_schema = 'failover'"
    )
    assert [("InnoDB", "utf8mb4_bin")] * 2 == tables


class TestLogIn:
    """Refused log-ins as health_check names them."""

    def test_offline_mode(self, deployed: Deployment) -> None:
        """The server refuses every user but administrators."""
        deployed.setup()
        with deployed.server.global_variables({"offline_mode": 1}):
            assert str(deployed.probe()["failure"]).startswith("offline: log-in:")

    def test_locked_user(self, deployed: Deployment) -> None:
        """A locked user is denied."""
        deployed.setup()
        deployed.query("ALTER USER health_check ACCOUNT LOCK")
        assert str(deployed.probe()["failure"]).startswith("access-denied: log-in:")

    def test_token_of_another_user(self, deployed: Deployment) -> None:
        """The plugin of the tests refuses a token that names someone else."""
        deployed.setup({"ann": "read_only"})
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            deployed.server.connect("ann", "localhost:1/?Action=connect&DBUser=bob&X-Amz-Expires=900")

    def test_master_user_has_no_default_role(self, deployed: Deployment) -> None:
        """The server is set up as the faults need it: the role is active by the server's setting alone."""
        with deployed.server.connect(MASTER, MASTER_PASSWORD) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT CURRENT_ROLE(), @@partial_revokes, @@require_secure_transport, @@event_scheduler")
            assert (f"`{ROLE}`@`%`", 1, 1, "ON") == cursor.fetchone()
        assert [] == deployed.query("SELECT * FROM mysql.default_roles")
