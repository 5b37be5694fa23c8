"""Plan for the IAM users: statements that turn the users found in the database into those in the settings.

A table lists the users that this function created, from before their creation until after their removal. Users
that are not in it are never changed.

Source: Creating a database account using IAM authentication, Amazon Aurora User Guide.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pymysql.cursors import Cursor

from .model import SetupError

IAM_PLUGIN = "AWSAuthenticationPlugin"
TABLE = "iam_users"
PRIVILEGES: Mapping[str, tuple[str, ...]] = {
    "read_only": ("SELECT",),
    "read_write": ("SELECT", "INSERT", "UPDATE", "DELETE"),
}
"""Privileges on the application's database, by access level."""


@dataclass(frozen=True, kw_only=True)
class DatabaseAccount:
    """A database user as found in the database."""

    plugin: str
    requires_tls: bool
    privileges: frozenset[str] = frozenset()
    """Privileges on the application's database."""


@dataclass(frozen=True, kw_only=True)
class FoundUsers:
    """Users found in the database."""

    managed: frozenset[str]
    """Users that this function created."""
    accounts: Mapping[str, DatabaseAccount] = field(default_factory=dict)
    """Accounts by user name, for managed users and for names in the settings."""


@dataclass(frozen=True, kw_only=True)
class PrivilegeChange:
    """Statements that make one user match the settings."""

    user: str
    statements: tuple[str, ...]
    removes: bool = False


def plan_changes(
    wanted: Mapping[str, str], found: FoundUsers, *, database: str, heartbeat_database: str
) -> tuple[PrivilegeChange, ...]:
    """Return the changes for the users that differ from the settings.

    Raises:
        SetupError: a user in the settings exists but was not created by this function.
    """
    unmanaged = [
        f"{user} ({found.accounts[user].plugin})"
        for user in sorted(wanted)
        if user in found.accounts and (user not in found.managed or found.accounts[user].plugin != IAM_PLUGIN)
    ]
    if unmanaged:
        raise SetupError(
            f"database.iam_users: {', '.join(unmanaged)} exist and were not created by this stack. Remove or rename them."
        )
    table = f"`{heartbeat_database}`.`{TABLE}`"
    changes = [
        PrivilegeChange(
            user=user, statements=tuple(_statements(user, level, found, table=table, scope=whole_database(database)))
        )
        for user, level in sorted(wanted.items())
    ]
    removals = [
        PrivilegeChange(
            user=user,
            statements=(f"DROP USER IF EXISTS '{user}'@'%'", f"DELETE FROM {table} WHERE user = '{user}'"),
            removes=True,
        )
        for user in sorted(found.managed - set(wanted))
    ]
    return tuple(change for change in [*changes, *removals] if change.statements)


def _statements(user: str, level: str, found: FoundUsers, *, table: str, scope: str) -> Iterator[str]:
    name, account = f"'{user}'@'%'", found.accounts.get(user)
    if user not in found.managed:
        yield f"INSERT INTO {table} (user) VALUES ('{user}')"
    if account is None:
        yield f"CREATE USER {name} IDENTIFIED WITH {IAM_PLUGIN} AS 'RDS' REQUIRE SSL"
    elif not account.requires_tls:
        yield f"ALTER USER {name} REQUIRE SSL"
    granted = account.privileges if account else frozenset[str]()
    for verb, privileges, preposition in (
        ("REVOKE", sorted(granted - set(PRIVILEGES[level])), "FROM"),
        ("GRANT", [privilege for privilege in PRIVILEGES[level] if privilege not in granted], "TO"),
    ):
        if privileges:
            yield f"{verb} {', '.join(privileges)} ON {scope} {preposition} {name}"


def find_users(cursor: Cursor, wanted: Iterable[str], *, database: str, heartbeat_database: str) -> FoundUsers:
    """Return the managed users and the accounts with a name in the settings. Raises pymysql.MySQLError."""
    cursor.execute(f"SELECT user FROM `{heartbeat_database}`.`{TABLE}`")
    managed = frozenset(str(row[0]) for row in cursor.fetchall())
    accounts: dict[str, DatabaseAccount] = {}
    for user in sorted({*wanted, *managed}):
        cursor.execute(f"SELECT plugin, ssl_type FROM mysql.user WHERE user = '{user}' AND host = '%'")
        row = cursor.fetchone()
        if row:
            privileges = granted_privileges(cursor, user, whole_database(database))
            accounts[user] = DatabaseAccount(plugin=str(row[0]), requires_tls=bool(row[1]), privileges=privileges)
    return FoundUsers(managed=managed, accounts=accounts)


def granted_privileges(cursor: Cursor, user: str, scope: str) -> frozenset[str]:
    """Return the privileges on a scope (`*.*`, a database or a table) that SHOW GRANTS lists."""
    cursor.execute(f"SHOW GRANTS FOR '{user}'@'%'")
    grant = re.compile(rf"GRANT (.+) ON {re.escape(scope)} TO .*?(WITH GRANT OPTION)?$", re.IGNORECASE)
    privileges: set[str] = set()
    for row in cursor.fetchall():
        if found := grant.match(str(row[0])):
            privileges.update(part.strip().upper() for part in found[1].split(","))
            privileges.update({"GRANT OPTION"} if found[2] else ())
    return frozenset(privileges - {"USAGE"})


def whole_database(database: str) -> str:
    """Return a database's scope in a GRANT, where `_` is a wildcard. Source: GRANT Statement, MySQL 8.0 Reference Manual."""
    escaped = database.replace("_", "\\_")
    return f"`{escaped}`.*"
