"""Creation of the heartbeat database, its objects and the database users; a second run changes nothing.

A user, table or event of the same name that was not created by this function is never changed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pymysql.cursors import Cursor

from .model import SetupError, SetupReport
from .users import IAM_PLUGIN, PRIVILEGES, TABLE, find_users, granted_privileges, plan_changes, whole_database

HEARTBEAT_PRIVILEGES = ("SELECT", "INSERT", "UPDATE")
EVENT = "heartbeat_of_the_database"
EVENT_SOURCE = "database"
"""`source_region` of the event's heartbeats; health_check writes its region there."""
EVENT_SECONDS = 1
"""Independent of `interval_seconds`: the controller only checks whether a new heartbeat arrived."""


@dataclass(frozen=True, kw_only=True)
class SetupStep:
    """One required object, how to detect it and the statement that creates it."""

    name: str
    is_done: Callable[[Cursor], bool]
    statement: str


def prepare(
    cursor: Cursor,
    *,
    heartbeat_database: str,
    health_check_user: str,
    own_user: str,
    database: str,
    iam_users: Mapping[str, str],
) -> SetupReport:
    """Create missing objects, remove users that are no longer in the settings, and report.

    Raises:
        SetupError: the database is a reader and an object is missing, or an object of the same name was not created here.
        pymysql.MySQLError: the database refuses a statement.
    """
    cursor.execute("SELECT @@innodb_read_only")
    read_only = bool(_value(cursor))
    created: list[str] = []
    already_there: list[str] = []
    missing: list[str] = []
    removed: list[str] = []
    for step in setup_steps(heartbeat_database, health_check_user, own_user, database):
        # A reader cannot create objects. Later steps may depend on a missing object and are reported as missing too.
        if not missing and step.is_done(cursor):
            already_there.append(step.name)
        elif read_only:
            missing.append(step.name)
        else:
            cursor.execute(step.statement)
            created.append(step.name)
    names = {"database": database, "heartbeat_database": heartbeat_database}
    changes = () if missing else plan_changes(iam_users, find_users(cursor, iam_users, **names), **names)
    for change in changes:
        name = f"{'removal of ' if change.removes else ''}IAM user {change.user}"
        if read_only:
            missing.append(name)
            continue
        for statement in change.statements:
            cursor.execute(statement)
        (removed if change.removes else created).append(f"IAM user {change.user}")
    if missing:
        raise SetupError(
            f"missing in the database: {', '.join(missing)}. The endpoint is a reader. Invoke with the writer endpoint."
        )
    return SetupReport(created=created, already_there=already_there, removed=removed, read_only=read_only)


def setup_steps(database: str, user: str, own_user: str, application: str) -> tuple[SetupStep, ...]:
    """Return the steps in order of dependency.

    The event makes the heartbeat independent of Lambda and of the peering: it runs in the writer only, with the
    privileges of the user that creates it.

    Source: Creating a database account using IAM authentication, Amazon Aurora User Guide; CREATE EVENT Statement and
    The Event Scheduler and MySQL Privileges, MySQL 8.0 Reference Manual.
    """
    table = f"`{database}`.`heartbeat`"
    event = f"`{database}`.`{EVENT}`"
    return (
        SetupStep(
            name=f"database {database}",
            is_done=_row_exists(f"SELECT 1 FROM information_schema.schemata WHERE schema_name = '{database}'"),
            statement=f"CREATE DATABASE IF NOT EXISTS `{database}`",
        ),
        SetupStep(
            name=f"table {database}.heartbeat",
            is_done=lambda cursor: _has_heartbeat_table(cursor, database),
            statement=(
                f"CREATE TABLE IF NOT EXISTS {table} "
                "(source_region VARCHAR(32) PRIMARY KEY, written_at DATETIME(6) NOT NULL)"
            ),
        ),
        SetupStep(
            name=f"event {database}.{EVENT}",
            is_done=lambda cursor: _has_event(cursor, database),
            statement=(
                f"CREATE EVENT IF NOT EXISTS {event} ON SCHEDULE EVERY {EVENT_SECONDS} SECOND ON COMPLETION PRESERVE ENABLE "
                f"DO INSERT INTO {table} (source_region, written_at) VALUES ('{EVENT_SOURCE}', UTC_TIMESTAMP(6)) "
                "ON DUPLICATE KEY UPDATE written_at = UTC_TIMESTAMP(6)"
            ),
        ),
        SetupStep(
            name=f"schedule of {database}.{EVENT}",
            is_done=_row_exists(
                "SELECT 1 FROM information_schema.events "
                f"WHERE event_schema = '{database}' AND event_name = '{EVENT}' AND status = 'ENABLED'",
            ),
            statement=f"ALTER EVENT {event} ENABLE",
        ),
        *_user(user),
        _grant(user, table, HEARTBEAT_PRIVILEGES),
        SetupStep(
            name=f"table {database}.{TABLE}",
            is_done=_row_exists(
                f"SELECT 1 FROM information_schema.tables WHERE table_schema = '{database}' AND table_name = '{TABLE}'",
            ),
            statement=f"CREATE TABLE IF NOT EXISTS `{database}`.`{TABLE}` (user VARCHAR(32) PRIMARY KEY)",
        ),
        *_user(own_user),
        *_own_grants(own_user, database, application),
    )


def _user(user: str) -> Iterator[SetupStep]:
    account = f"'{user}'@'%'"
    yield SetupStep(
        name=f"user {user}",
        is_done=lambda cursor: _has_user(cursor, user),
        statement=f"CREATE USER IF NOT EXISTS {account} IDENTIFIED WITH {IAM_PLUGIN} AS 'RDS' REQUIRE SSL",
    )
    yield SetupStep(
        name=f"TLS for {user}",
        is_done=_row_exists(f"SELECT 1 FROM mysql.user WHERE user = '{user}' AND host = '%' AND ssl_type <> ''"),
        statement=f"ALTER USER {account} REQUIRE SSL",
    )


def _own_grants(user: str, heartbeat_database: str, application: str) -> Iterator[SetupStep]:
    """Yield the grants with which the function's own user can repeat the setup, including the option to pass them on.

    Source: GRANT Statement and SHOW GRANTS Statement, MySQL 8.0 Reference Manual.
    """
    yield _grant(user, "*.*", ("CREATE USER",))
    yield _grant(user, "`mysql`.*", ("SELECT",))  # to list users and their grants
    read_write = PRIVILEGES["read_write"]
    yield _grant(user, whole_database(heartbeat_database), (*read_write, "CREATE", "EVENT"), grant_option=True)
    yield _grant(user, whole_database(application), read_write, grant_option=True)


def _grant(user: str, scope: str, privileges: tuple[str, ...], *, grant_option: bool = False) -> SetupStep:
    wanted = {*privileges, *(("GRANT OPTION",) if grant_option else ())}
    return SetupStep(
        name=f"grants of {user} on {scope.replace('`', '').replace(chr(92), '')}",
        is_done=lambda cursor: wanted <= granted_privileges(cursor, user, scope),
        statement=f"GRANT {', '.join(privileges)} ON {scope} TO '{user}'@'%'{' WITH GRANT OPTION' if grant_option else ''}",
    )


def _value(cursor: Cursor) -> object:
    row = cursor.fetchone()
    return row[0] if isinstance(row, tuple) else None


def _row_exists(sql: str) -> Callable[[Cursor], bool]:
    return lambda cursor: bool(cursor.execute(sql))


def _has_heartbeat_table(cursor: Cursor, database: str) -> bool:
    cursor.execute(
        "SELECT column_name FROM information_schema.columns "
        f"WHERE table_schema = '{database}' AND table_name = 'heartbeat'"
    )
    columns = {str(row[0]).lower() for row in cursor.fetchall()}
    if columns and not {"source_region", "written_at"} <= columns:
        raise SetupError(
            f"{database}.heartbeat: an unrelated table with the columns {', '.join(sorted(columns))} exists. Rename it."
        )
    return bool(columns)


def _has_event(cursor: Cursor, database: str) -> bool:
    cursor.execute(
        "SELECT event_definition FROM information_schema.events "
        f"WHERE event_schema = '{database}' AND event_name = '{EVENT}'"
    )
    body = _value(cursor)
    if body is not None and f"'{EVENT_SOURCE}'" not in str(body):
        raise SetupError(f"{database}.{EVENT}: an unrelated event exists. Drop or rename it.")
    return body is not None


def _has_user(cursor: Cursor, user: str) -> bool:
    cursor.execute(f"SELECT plugin FROM mysql.user WHERE user = '{user}' AND host = '%'")
    plugin = _value(cursor)
    if plugin not in (None, IAM_PLUGIN):
        raise SetupError(f"user {user}: exists and logs in with {plugin}. Remove it, or choose another user name.")
    return plugin is not None
