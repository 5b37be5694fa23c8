"""Plan for the IAM users: statements that turn the users found in the database into those in the settings.

A table lists the users that this function created, from before their creation until after their removal. Users
that are not in it are never changed.

Source: Creating a database account using IAM authentication, Amazon Aurora User Guide.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pymysql.cursors import Cursor

from .privileges import GRANT_OPTION, GrantLevel, NameRules, granted_privileges

IAM_PLUGIN = "AWSAuthenticationPlugin"
TABLE = "iam_users"
PRIVILEGES: Mapping[str, tuple[str, ...]] = {
    "read_only": ("SELECT",),
    "read_write": ("SELECT", "INSERT", "UPDATE", "DELETE"),
}
"""Privileges on the application's database, by access level."""

_REVOCABLE = {*PRIVILEGES["read_write"], GRANT_OPTION}
"""What the function's own user has, and REVOKE therefore lets it revoke. Source: REVOKE Statement, MySQL manual."""


@dataclass(frozen=True, kw_only=True)
class DatabaseAccount:
    """A database user as found in the database."""

    plugin: str
    requires_tls: bool
    is_locked: bool = False
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
class UserChange:
    """Statements that make one user match the settings, or why the user must stay as it is."""

    user: str
    statements: tuple[str, ...] = ()
    removes: bool = False
    refusal: str | None = None

    @property
    def lock_statements(self) -> tuple[str, ...]:
        """Statements for a leaver whom MySQL does not drop, because an object has this user as its definer."""
        account = f"'{self.user}'@'%'"
        return (f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {account}", f"ALTER USER {account} ACCOUNT LOCK")


def plan_changes(
    wanted: Mapping[str, str], found: FoundUsers, *, database: str, heartbeat_database: str, rules: NameRules
) -> tuple[UserChange, ...]:
    """Return the changes for the users that differ from the settings, removals first."""
    table = f"`{heartbeat_database}`.`{TABLE}`"
    scope = GrantLevel(database=database).sql(rules)
    removals = [
        UserChange(
            user=user,
            statements=(f"DROP USER IF EXISTS '{user}'@'%'", f"DELETE FROM {table} WHERE user = '{user}'"),
            removes=True,
        )
        for user in sorted(found.managed - set(wanted))
    ]
    changes = [
        UserChange(user=user, refusal=refusal)
        if (refusal := _refusal(user, found))
        else UserChange(user=user, statements=tuple(_statements(user, level, found, table=table, scope=scope)))
        for user, level in sorted(wanted.items())
    ]
    return tuple(change for change in [*removals, *changes] if change.statements or change.refusal)


def _refusal(user: str, found: FoundUsers) -> str | None:
    account = found.accounts.get(user)
    if account is None or (user in found.managed and account.plugin == IAM_PLUGIN):
        return None
    return f"exists and was not created by this stack ({account.plugin}). Remove it, or choose another name."


def _statements(user: str, level: str, found: FoundUsers, *, table: str, scope: str) -> Iterator[str]:
    name, account, wanted = f"'{user}'@'%'", found.accounts.get(user), PRIVILEGES[level]
    if user not in found.managed:
        yield f"INSERT INTO {table} (user) VALUES ('{user}')"
    if account is None:
        yield f"CREATE USER {name} IDENTIFIED WITH {IAM_PLUGIN} AS 'RDS' REQUIRE SSL"
    elif not account.requires_tls:
        yield f"ALTER USER {name} REQUIRE SSL"
    granted = account.privileges if account else frozenset[str]()
    # A leaver who could not be dropped is locked and has no privileges. An administrator's lock stays.
    if account and account.is_locked and not granted:
        yield f"ALTER USER {name} ACCOUNT UNLOCK"
    excess = granted - set(wanted)
    if excess - _REVOCABLE:
        # This form needs CREATE USER only, and revokes what was granted on tables as well.
        yield f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {name}"
        granted = frozenset[str]()
    elif excess:
        yield f"REVOKE {', '.join(sorted(excess))} ON {scope} FROM {name}"
    if missing := [privilege for privilege in wanted if privilege not in granted]:
        yield f"GRANT {', '.join(missing)} ON {scope} TO {name}"


def find_users(
    cursor: Cursor, wanted: Iterable[str], *, database: str, heartbeat_database: str, rules: NameRules
) -> FoundUsers:
    """Return the managed users and the accounts with a name in the settings. Raises pymysql.MySQLError."""
    cursor.execute(f"SELECT user FROM `{heartbeat_database}`.`{TABLE}`")
    managed = frozenset(str(row[0]) for row in cursor.fetchall())
    accounts: dict[str, DatabaseAccount] = {}
    for user in sorted({*wanted, *managed}):
        cursor.execute(f"SELECT plugin, ssl_type, account_locked FROM mysql.user WHERE user = '{user}' AND host = '%'")
        row = cursor.fetchone()
        if row:
            accounts[user] = DatabaseAccount(
                plugin=str(row[0]),
                requires_tls=bool(row[1]),
                is_locked=row[2] == "Y",
                privileges=granted_privileges(cursor, user, GrantLevel(database=database), rules),
            )
    return FoundUsers(managed=managed, accounts=accounts)
