"""Creation of the heartbeat database, its objects and the database users; a second run changes nothing.

A user, table or event of the same name that was not created by this function is never changed.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from .model import SetupError, SetupReport
from .privileges import GRANT_OPTION, GrantLevel, NameRules, granted_privileges, read_name_rules
from .users import IAM_PLUGIN, PRIVILEGES, TABLE, UserChange, find_users, plan_changes

HEARTBEAT_PRIVILEGES = ("SELECT", "INSERT", "UPDATE")
EVENT = "heartbeat_of_the_database"
EVENT_SOURCE = "database"
"""`source_region` of the event's heartbeats; health_check writes its region there."""
EVENT_SECONDS = 1
"""Independent of `interval_seconds`: the controller only checks whether a new heartbeat arrived."""
HEARTBEAT_SECONDS = 8.0
"""How long the first heartbeat of the event is awaited, and the age at which one is too old."""

_PAUSE_SECONDS = 0.1
_IS_A_DEFINER = 4006  # ER_CANNOT_USER_REFERENCED_AS_DEFINER


@dataclass(frozen=True, kw_only=True)
class SetupStep:
    """One required object, how to detect it and the statement that creates it."""

    name: str
    is_done: Callable[[Cursor], bool]
    statement: str


@dataclass(kw_only=True)
class _Outcome:
    """What a run has done so far; `failures` are reported together at its end."""

    created: list[str] = field(default_factory=list)
    already_there: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    locked: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def prepare(
    cursor: Cursor,
    *,
    heartbeat_database: str,
    health_check_user: str,
    own_user: str,
    database: str,
    iam_users: Mapping[str, str],
) -> SetupReport:
    """Create missing objects, remove users that are no longer in the settings, wait for a heartbeat, and report.

    Raises:
        SetupError: the database is a reader and an object is missing, an object of the same name was not created here,
            a step or a user was refused (the others are done), or the event writes no heartbeat.
        pymysql.MySQLError: the connection is lost, or the database cannot be read.
    """
    cursor.execute("SELECT @@innodb_read_only, UTC_TIMESTAMP(6)")
    read_only, started_at = _row(cursor)
    rules = read_name_rules(cursor)
    outcome = _Outcome()
    steps = setup_steps(heartbeat_database, health_check_user, own_user, database, rules)
    is_complete = _run(cursor, steps, outcome, read_only=bool(read_only))
    if is_complete:
        names = {"database": database, "heartbeat_database": heartbeat_database}
        found = find_users(cursor, iam_users, **names, rules=rules)
        for change in plan_changes(iam_users, found, **names, rules=rules):
            _apply(cursor, change, outcome, read_only=bool(read_only))
    try:
        if is_complete:
            _run(cursor, event_steps(heartbeat_database, own_user), outcome, read_only=bool(read_only))
        if not read_only:
            _await_heartbeat(cursor, heartbeat_database, started_at, outcome)
    except (pymysql.MySQLError, SetupError) as error:
        _note(error, _event_step(heartbeat_database), cursor, outcome)
    if outcome.missing:
        raise SetupError(
            f"missing in the database: {', '.join(outcome.missing)}. "
            "The endpoint is a reader. Invoke with the writer endpoint."
        )
    if outcome.failures:
        raise SetupError("; ".join(outcome.failures))
    return SetupReport(
        created=outcome.created,
        already_there=outcome.already_there,
        removed=outcome.removed,
        locked=outcome.locked,
        read_only=bool(read_only),
    )


def _run(cursor: Cursor, steps: Iterable[SetupStep], outcome: _Outcome, *, read_only: bool) -> bool:
    """Do the steps, and return whether a reader, which cannot create objects, has all of them.

    A refused statement is noted, because it must not keep a leaver's access.
    """
    is_complete = True
    for step in steps:
        # Later steps may depend on a missing object and are reported as missing too.
        if is_complete and step.is_done(cursor):
            outcome.already_there.append(step.name)
        elif read_only:
            is_complete = False
            outcome.missing.append(step.name)
        else:
            try:
                cursor.execute(step.statement)
            except pymysql.MySQLError as error:
                _note(error, step.name, cursor, outcome)
            else:
                outcome.created.append(step.name)
    return is_complete


def _apply(cursor: Cursor, change: UserChange, outcome: _Outcome, *, read_only: bool) -> None:
    """Change one user. A refusal of the database concerns this user only."""
    name = f"IAM user {change.user}"
    if change.refusal:
        outcome.failures.append(f"{name}: {change.refusal}")
        return
    if read_only:
        outcome.missing.append(f"removal of {name}" if change.removes else name)
        return
    done = outcome.removed if change.removes else outcome.created
    try:
        _execute(cursor, change.statements)
    except pymysql.MySQLError as error:
        if not (change.removes and error.args[0] == _IS_A_DEFINER):
            _note(error, name, cursor, outcome)
            return
        done = outcome.locked
        try:
            _execute(cursor, change.lock_statements)
        except pymysql.MySQLError as second:
            _note(second, name, cursor, outcome)
            return
    done.append(name)


def _execute(cursor: Cursor, statements: tuple[str, ...]) -> None:
    for statement in statements:
        cursor.execute(statement)


def _note(error: Exception, name: str, cursor: Cursor, outcome: _Outcome) -> None:
    """Note a failure that concerns one object only; raise the error if the connection is lost."""
    if cursor.connection is None or not cursor.connection.open:
        raise error
    outcome.failures.append(f"{name}: {error}")


def setup_steps(database: str, user: str, own_user: str, application: str, rules: NameRules) -> tuple[SetupStep, ...]:
    """Return the steps in order of dependency, without the event, which comes after the users.

    Source: Creating a database account using IAM authentication, Amazon Aurora User Guide.
    """
    return (
        SetupStep(
            name=f"database {database}",
            is_done=_row_exists(f"SELECT 1 FROM information_schema.schemata WHERE schema_name = '{database}'"),
            statement=f"CREATE DATABASE IF NOT EXISTS `{database}`",
        ),
        SetupStep(
            name=f"table {database}.heartbeat",
            is_done=lambda cursor: _has_heartbeat_table(cursor, database),
            statement=_create_table(
                database, "heartbeat", "source_region VARCHAR(32) PRIMARY KEY, written_at DATETIME(6) NOT NULL"
            ),
        ),
        *_user(user),
        _grant(user, GrantLevel(database=database, table="heartbeat"), HEARTBEAT_PRIVILEGES, rules),
        SetupStep(
            name=f"table {database}.{TABLE}",
            is_done=_row_exists(
                f"SELECT 1 FROM information_schema.tables WHERE table_schema = '{database}' AND table_name = '{TABLE}'",
            ),
            statement=_create_table(database, TABLE, "user VARCHAR(32) PRIMARY KEY"),
        ),
        *_user(own_user),
        *_own_grants(own_user, database, application, rules),
    )


def _create_table(database: str, table: str, columns: str) -> str:
    # Explicit, because a stack may set other defaults for the server: a binary string is no name.
    options = "ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    return f"CREATE TABLE IF NOT EXISTS `{database}`.`{table}` ({columns}) {options}"


def event_steps(database: str, own_user: str) -> Iterator[SetupStep]:
    """Yield the event that makes the heartbeat independent of Lambda and of the peering.

    It runs as the function's own user: an event has the direct privileges and the default roles of its definer, and the
    master user may have its privileges from a role that is not a default one. It commits, because the server may turn
    autocommit off. On a reader it does nothing: MySQL logs three lines for each failed write.

    Source: CREATE EVENT Statement and Stored Object Access Control, MySQL 8.0 Reference Manual.
    """
    name, definer = f"`{database}`.`{EVENT}`", f"DEFINER = '{own_user}'@'%'"
    body = (
        f"BEGIN IF NOT @@innodb_read_only THEN INSERT INTO `{database}`.`heartbeat` (source_region, written_at) "
        f"VALUES ('{EVENT_SOURCE}', UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE written_at = UTC_TIMESTAMP(6); "
        "COMMIT; END IF; END"
    )
    properties = f"ON SCHEDULE EVERY {EVENT_SECONDS} SECOND ON COMPLETION PRESERVE ENABLE DO {body}"
    wanted = (body, f"{own_user}@%", str(EVENT_SECONDS), "SECOND", "ENABLED")
    yield SetupStep(
        name=_event_step(database),
        is_done=lambda cursor: _found_event(cursor, database) is not None,
        statement=f"CREATE {definer} EVENT IF NOT EXISTS {name} {properties}",
    )
    # Without DEFINER, ALTER EVENT would make the present user the definer.
    yield SetupStep(
        name=_event_definition_step(database),
        is_done=lambda cursor: _found_event(cursor, database) == wanted,
        statement=f"ALTER {definer} EVENT {name} {properties}",
    )


def _event_step(database: str) -> str:
    return f"event {database}.{EVENT}"


def _event_definition_step(database: str) -> str:
    return f"definition of {database}.{EVENT}"


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


def _own_grants(user: str, heartbeat_database: str, application: str, rules: NameRules) -> Iterator[SetupStep]:
    """Yield the grants with which the function's own user can repeat the setup, including the option to pass them on.

    Source: GRANT Statement, MySQL 8.0 Reference Manual.
    """
    yield _grant(user, GrantLevel(), ("CREATE USER",), rules)
    yield _grant(user, GrantLevel(database="mysql"), ("SELECT",), rules)  # to list users and their privileges
    read_write = PRIVILEGES["read_write"]
    for level, privileges in (
        (GrantLevel(database=heartbeat_database), (*read_write, "CREATE", "EVENT")),
        (GrantLevel(database=application), read_write),
    ):
        yield _grant(user, level, privileges, rules, grant_option=True)


def _grant(
    user: str, level: GrantLevel, privileges: tuple[str, ...], rules: NameRules, *, grant_option: bool = False
) -> SetupStep:
    wanted = {*privileges, *((GRANT_OPTION,) if grant_option else ())}
    option = " WITH GRANT OPTION" if grant_option else ""
    return SetupStep(
        name=f"grants of {user} on {level}",
        is_done=lambda cursor: wanted <= granted_privileges(cursor, user, level, rules),
        statement=f"GRANT {', '.join(privileges)} ON {level.sql(rules)} TO '{user}'@'%'{option}",
    )


def _row(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if not isinstance(row, tuple):
        raise pymysql.OperationalError(0, "the database answered without a row")
    return row


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


def _found_event(cursor: Cursor, database: str) -> tuple[Any, ...] | None:
    cursor.execute(
        "SELECT event_definition, definer, interval_value, interval_field, status FROM information_schema.events "
        f"WHERE event_schema = '{database}' AND event_name = '{EVENT}'"
    )
    row = cursor.fetchone()
    if row is not None and f"'{EVENT_SOURCE}'" not in str(row[0]):
        raise SetupError("an unrelated event exists. Drop or rename it.")
    return row


def _has_user(cursor: Cursor, user: str) -> bool:
    cursor.execute(f"SELECT plugin FROM mysql.user WHERE user = '{user}' AND host = '%'")
    row = cursor.fetchone()
    if row is not None and row[0] != IAM_PLUGIN:
        raise SetupError(f"user {user}: exists and logs in with {row[0]}. Remove it, or choose another user name.")
    return row is not None


def _await_heartbeat(cursor: Cursor, database: str, started_at: datetime, outcome: _Outcome) -> None:
    """Wait for a heartbeat of the event; for a new one if this run created or changed the event."""
    since = started_at - timedelta(seconds=HEARTBEAT_SECONDS)
    if _event_step(database) in outcome.created:
        since = started_at
    elif _event_definition_step(database) in outcome.created:
        cursor.execute("SELECT UTC_TIMESTAMP(6)")
        (since,) = _row(cursor)
    query = (
        f"SELECT 1 FROM `{database}`.`heartbeat` "
        f"WHERE source_region = '{EVENT_SOURCE}' AND written_at >= %s AND written_at <= UTC_TIMESTAMP(6)"
    )
    give_up_at = time.monotonic() + HEARTBEAT_SECONDS
    while not cursor.execute(query, (since,)):
        if time.monotonic() >= give_up_at:
            cursor.execute("SELECT @@event_scheduler")
            (scheduler,) = _row(cursor)
            outcome.failures.append(
                f"{_event_step(database)}: wrote no heartbeat within {HEARTBEAT_SECONDS:g} s; event_scheduler is {scheduler}. "
                "Set the cluster parameter event_scheduler to ON, or read the error log of the writer."
            )
            return
        time.sleep(_PAUSE_SECONDS)
