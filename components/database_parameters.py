"""The database's parameters: ours, and those that a stack adds.

Owns: which parameters both groups hold, and when RDS applies a change of one. Does not own: the groups
(`regional_cluster`); which of ours nobody may change (`setting_types`).
Invariant: a parameter is applied at once only if MySQL is known to take it so; RDS refuses the whole group otherwise. Any
other waits for the next restart, and a new instance starts with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Those that people set and that MySQL changes while it runs. Source: Server System Variable Reference (the column Dynamic),
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
    """A parameter, its value as RDS takes it, and when a change of it is applied."""

    name: str
    value: str

    @property
    def apply_method(self) -> str:
        """How RDS applies a change."""
        return "immediate" if self.name in DYNAMIC else "pending-reboot"


def cluster_parameters(more: Mapping[str, str]) -> list[DatabaseParameter]:
    """Return the cluster's parameters, in their order by name: ours, changed and completed by a stack's own."""
    ours = {
        "require_secure_transport": "ON",
        "binlog_format": "OFF",
        # The database writes a heartbeat by itself (functions/database_setup), which no trouble of Lambda or of the peering
        # stops. In version 3 settable only here, for the whole cluster; readers have it too, so that whichever cluster is
        # promoted goes on. Source: Aurora MySQL configuration parameters.
        "event_scheduler": "ON",
        "server_audit_logging": "1",
        "server_audit_events": "CONNECT,QUERY_DCL,QUERY_DDL",
    }
    return _parameters({**ours, **more})


def instance_parameters(more: Mapping[str, str], log_exports: Sequence[str]) -> list[DatabaseParameter]:
    """Return every instance's parameters; a log that is exported must be written first.

    Source: Publishing Amazon Aurora MySQL logs to Amazon CloudWatch Logs.
    """
    slow = {"slow_query_log": "1", "long_query_time": "1"} if "slowquery" in log_exports else {}
    general = {"general_log": "1"} if "general" in log_exports else {}
    return _parameters({**slow, **general, **more})


def _parameters(values: Mapping[str, str]) -> list[DatabaseParameter]:
    return [DatabaseParameter(name=name, value=value) for name, value in sorted(values.items())]
