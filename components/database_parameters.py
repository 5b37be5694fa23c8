"""The parameters of the cluster and instance parameter groups: the program's and the stack's.

RDS rejects a whole parameter group if one static parameter is set to apply immediately. So only parameters that are known
to be dynamic apply immediately; all others apply with the next restart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Parameters that MySQL changes without a restart. Source: Server System Variable Reference (the column Dynamic),
# MySQL 8.0 reference manual; Aurora MySQL configuration parameters, Aurora user guide.
DYNAMIC = frozenset(
    {
        *("aurora_replica_read_consistency", "autocommit", "character_set_client", "character_set_connection"),
        *("character_set_database", "character_set_results", "character_set_server", "collation_connection"),
        *("collation_server", "connect_timeout", "default_storage_engine", "event_scheduler", "general_log"),
        *("group_concat_max_len", "innodb_lock_wait_timeout", "innodb_print_all_deadlocks", "innodb_stats_persistent"),
        *("innodb_strict_mode", "interactive_timeout", "join_buffer_size", "local_infile", "lock_wait_timeout"),
        *("log_output", "log_queries_not_using_indexes", "log_throttle_queries_not_using_indexes", "long_query_time"),
        *("max_allowed_packet", "max_connect_errors", "max_connections", "max_execution_time", "max_heap_table_size"),
        *("max_prepared_stmt_count", "max_user_connections", "net_read_timeout", "net_write_timeout"),
        *("require_secure_transport", "server_audit_events", "server_audit_excl_users", "server_audit_incl_users"),
        *("server_audit_logging", "slow_query_log", "sort_buffer_size", "sql_mode", "time_zone", "tmp_table_size"),
        *("transaction_isolation", "wait_timeout"),
    }
)


@dataclass(frozen=True, kw_only=True)
class DatabaseParameter:
    """A parameter with the value in RDS's format."""

    name: str
    value: str

    @property
    def apply_method(self) -> str:
        """When RDS applies a change."""
        return "immediate" if self.name in DYNAMIC else "pending-reboot"


def cluster_parameters(stack: Mapping[str, str]) -> list[DatabaseParameter]:
    """Return the cluster's parameters, sorted by name: the program's, overridden by the stack's."""
    parameters = {
        "require_secure_transport": "ON",
        "binlog_format": "OFF",
        # An event in the database writes the heartbeat (functions/database_setup), independent of Lambda and the peering.
        # Aurora MySQL 3 sets this for the whole cluster only. Both members have it, so a promoted cluster continues the
        # heartbeat. Source: Aurora MySQL configuration parameters.
        "event_scheduler": "ON",
        "server_audit_logging": "1",
        "server_audit_events": "CONNECT,QUERY_DCL,QUERY_DDL",
    }
    return _parameters({**parameters, **stack})


def instance_parameters(stack: Mapping[str, str], log_exports: Sequence[str]) -> list[DatabaseParameter]:
    """Return every instance's parameters; MySQL must write a log before RDS can export it.

    Source: Publishing Amazon Aurora MySQL logs to Amazon CloudWatch Logs.
    """
    slow = {"slow_query_log": "1", "long_query_time": "1"} if "slowquery" in log_exports else {}
    general = {"general_log": "1"} if "general" in log_exports else {}
    return _parameters({**slow, **general, **stack})


def _parameters(values: Mapping[str, str]) -> list[DatabaseParameter]:
    return [DatabaseParameter(name=name, value=value) for name, value in sorted(values.items())]
