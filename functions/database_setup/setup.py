"""Makes what health_check and people need in the database: each piece is looked for first, then made.

Owns: the heartbeat's database and table, the event that writes it, the least-privileged users and their grants: of
health_check, and of this function itself.
Does not own: the connection (connection.py), or which people there are to be (people.py).
Invariant: running it again changes nothing; a user of that name that isn't ours is never taken over.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pymysql.cursors import Cursor

from .model import SetupError, SetupReport
from .people import IAM_PLUGIN, PRIVILEGES, TABLE, granted, look, plan_changes, whole_database

HEARTBEAT_PRIVILEGES = ("SELECT", "INSERT", "UPDATE")
EVENT = "heartbeat_of_the_database"
EVENT_SOURCE = "database"
"""What the event writes where health_check writes its region."""
EVENT_SECONDS = 1
"""A fixed period: the controller's beat may be shorter or longer, it only asks whether a new heartbeat came."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One thing that must be in place, and how to see and make it."""

    name: str
    is_there: Callable[[Cursor], bool]
    make: str  # the statement


def prepare(
    cursor: Cursor,
    *,
    heartbeat_database: str,
    health_check_user: str,
    own_user: str,
    database: str,
    iam_users: Mapping[str, str],
) -> SetupReport:
    """Make what is missing, remove the users that are no longer wanted, and report.

    Raises:
        SetupError: the database is a reader and something is missing, or a user of that name isn't ours.
        pymysql.MySQLError: the database refuses a statement.
    """
    cursor.execute("SELECT @@innodb_read_only")
    read_only = bool(_one(cursor))
    created: list[str] = []
    already_there: list[str] = []
    missing: list[str] = []
    removed: list[str] = []
    for piece in pieces(heartbeat_database, health_check_user, own_user, database):
        # On a reader nothing can be made, so a later piece may stand on one that is missing: it is missing too.
        if not missing and piece.is_there(cursor):
            already_there.append(piece.name)
        elif read_only:
            missing.append(piece.name)
        else:
            cursor.execute(piece.make)
            created.append(piece.name)
    places = {"database": database, "heartbeat_database": heartbeat_database}
    changes = () if missing else plan_changes(iam_users, look(cursor, iam_users, **places), **places)
    for change in changes:
        name = f"{'removal of ' if change.removes else ''}IAM user {change.user}"
        if read_only:
            missing.append(name)
            continue
        for statement in change.statements:
            cursor.execute(statement)
        (removed if change.removes else created).append(f"IAM user {change.user}")
    if missing:
        raise SetupError(f"the database is a reader, and these are missing: {', '.join(missing)}; ask the writer")
    return SetupReport(
        created=tuple(created), already_there=tuple(already_there), removed=tuple(removed), read_only=read_only
    )


def pieces(database: str, user: str, own_user: str, application: str) -> tuple[Piece, ...]:
    """Return what must be in place, each after what it stands on.

    The event is what keeps the third path independent: it writes as long as the database lives, whatever becomes of Lambda
    and of the peering. It runs with the rights of whoever makes it (on the first day the master user), and only on the
    writer.

    Source: "Creating a database account using IAM authentication" (Amazon Aurora user guide); "CREATE EVENT Statement"
    and "The Event Scheduler and MySQL Privileges" (MySQL 8.0 reference manual).
    """
    table = f"`{database}`.`heartbeat`"
    event = f"`{database}`.`{EVENT}`"
    return (
        Piece(
            name=f"database {database}",
            is_there=lambda cursor: _found(
                cursor, f"SELECT 1 FROM information_schema.schemata WHERE schema_name = '{database}'"
            ),
            make=f"CREATE DATABASE IF NOT EXISTS `{database}`",
        ),
        Piece(
            name=f"table {database}.heartbeat",
            is_there=lambda cursor: _table_is_there(cursor, database),
            make=(
                f"CREATE TABLE IF NOT EXISTS {table} "
                "(source_region VARCHAR(32) PRIMARY KEY, written_at DATETIME(6) NOT NULL)"
            ),
        ),
        Piece(
            name=f"event {database}.{EVENT}",
            is_there=lambda cursor: _event_is_there(cursor, database),
            make=(
                f"CREATE EVENT IF NOT EXISTS {event} ON SCHEDULE EVERY {EVENT_SECONDS} SECOND ON COMPLETION PRESERVE ENABLE "
                f"DO INSERT INTO {table} (source_region, written_at) VALUES ('{EVENT_SOURCE}', UTC_TIMESTAMP(6)) "
                "ON DUPLICATE KEY UPDATE written_at = UTC_TIMESTAMP(6)"
            ),
        ),
        Piece(
            name=f"schedule of {database}.{EVENT}",
            is_there=lambda cursor: _found(
                cursor,
                "SELECT 1 FROM information_schema.events "
                f"WHERE event_schema = '{database}' AND event_name = '{EVENT}' AND status = 'ENABLED'",
            ),
            make=f"ALTER EVENT {event} ENABLE",
        ),
        *_user(user),
        _grant(user, table, HEARTBEAT_PRIVILEGES),
        Piece(
            name=f"table {database}.{TABLE}",
            is_there=lambda cursor: _found(
                cursor,
                f"SELECT 1 FROM information_schema.tables WHERE table_schema = '{database}' AND table_name = '{TABLE}'",
            ),
            make=f"CREATE TABLE IF NOT EXISTS `{database}`.`{TABLE}` (user VARCHAR(32) PRIMARY KEY)",
        ),
        *_user(own_user),
        *_rights_of_its_own(own_user, database, application),
    )


def _user(user: str) -> Iterator[Piece]:
    account = f"'{user}'@'%'"
    yield Piece(
        name=f"user {user}",
        is_there=lambda cursor: _user_is_there(cursor, user),
        make=f"CREATE USER IF NOT EXISTS {account} IDENTIFIED WITH {IAM_PLUGIN} AS 'RDS' REQUIRE SSL",
    )
    yield Piece(
        name=f"TLS for {user}",
        is_there=lambda cursor: _found(
            cursor, f"SELECT 1 FROM mysql.user WHERE user = '{user}' AND host = '%' AND ssl_type <> ''"
        ),
        make=f"ALTER USER {account} REQUIRE SSL",
    )


def _rights_of_its_own(user: str, heartbeat_database: str, application: str) -> Iterator[Piece]:
    """Yield what the function's own user needs to do all of this again: it can hand on what it has, and nothing else.

    Source: "GRANT Statement", "SHOW GRANTS Statement" (MySQL 8.0 reference manual).
    """
    yield _grant(user, "*.*", ("CREATE USER",))
    yield _grant(user, "`mysql`.*", ("SELECT",))  # which users there are, and their grants
    of_people = PRIVILEGES["read_write"]
    yield _grant(user, whole_database(heartbeat_database), (*of_people, "CREATE", "EVENT"), hands_on=True)
    yield _grant(user, whole_database(application), of_people, hands_on=True)


def _grant(user: str, level: str, privileges: tuple[str, ...], *, hands_on: bool = False) -> Piece:
    wanted = {*privileges, *(("GRANT OPTION",) if hands_on else ())}
    return Piece(
        name=f"grants of {user} on {level.replace('`', '').replace(chr(92), '')}",
        is_there=lambda cursor: wanted <= granted(cursor, user, level),
        make=f"GRANT {', '.join(privileges)} ON {level} TO '{user}'@'%'{' WITH GRANT OPTION' if hands_on else ''}",
    )


def _one(cursor: Cursor) -> object:
    row = cursor.fetchone()
    return row[0] if isinstance(row, tuple) else None


def _found(cursor: Cursor, sql: str) -> bool:
    cursor.execute(sql)
    return _one(cursor) is not None


def _table_is_there(cursor: Cursor, database: str) -> bool:
    cursor.execute(
        "SELECT column_name FROM information_schema.columns "
        f"WHERE table_schema = '{database}' AND table_name = 'heartbeat'"
    )
    columns = {str(row[0]).lower() for row in cursor.fetchall()}
    if columns and not {"source_region", "written_at"} <= columns:
        raise SetupError(f"{database}.heartbeat is another table: it has the columns {', '.join(sorted(columns))}")
    return bool(columns)


def _event_is_there(cursor: Cursor, database: str) -> bool:
    cursor.execute(
        "SELECT event_definition FROM information_schema.events "
        f"WHERE event_schema = '{database}' AND event_name = '{EVENT}'"
    )
    body = _one(cursor)
    if body is not None and f"'{EVENT_SOURCE}'" not in str(body):
        raise SetupError(f"{database}.{EVENT} is another event: drop it, or rename it")
    return body is not None


def _user_is_there(cursor: Cursor, user: str) -> bool:
    cursor.execute(f"SELECT plugin FROM mysql.user WHERE user = '{user}' AND host = '%'")
    plugin = _one(cursor)
    if plugin not in (None, IAM_PLUGIN):
        raise SetupError(
            f"the user {user} exists and logs in by {plugin}, so it isn't ours: remove it, or choose another"
        )
    return plugin is not None
