"""Which people log in with IAM tokens, and what each may do: the users as they are, made into those that are wanted.

Owns: the plan, as data: what is made, changed and removed. Does not own: its execution (setup.py), or who may have a token
(IAM).
Invariant: a user that we didn't make is neither changed nor removed: those that we made stand in a table of our own, before
they are made and until they are gone.

Source: "Creating a database account using IAM authentication" (Amazon Aurora user guide); "GRANT Statement" (MySQL 8.0
reference manual): a database's name is a pattern there.
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
"""Level -> what it may do in the one database."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """A database user as it is."""

    plugin: str
    requires_tls: bool
    privileges: frozenset[str] = frozenset()
    """On the one database."""


@dataclass(frozen=True, kw_only=True)
class People:
    """Who is there: those that we made, and every account of a name that matters."""

    ours: frozenset[str]
    accounts: Mapping[str, Account] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One user's way from what is to what is wanted."""

    user: str
    statements: tuple[str, ...]
    removes: bool = False


def plan_changes(
    wanted: Mapping[str, str], found: People, *, database: str, heartbeat_database: str
) -> tuple[Change, ...]:
    """Return what is to be done; nothing for a user that is as wanted.

    Raises:
        SetupError: a user of a wanted name is somebody else's; nothing has been done then.
    """
    foreign = [
        f"{user} ({found.accounts[user].plugin})"
        for user in sorted(wanted)
        if user in found.accounts and (user not in found.ours or found.accounts[user].plugin != IAM_PLUGIN)
    ]
    if foreign:
        raise SetupError(f"users of these names are there, and not ours: {', '.join(foreign)}; remove or rename them")
    table = f"`{heartbeat_database}`.`{TABLE}`"
    changes = [
        Change(
            user=user, statements=tuple(_statements(user, level, found, table=table, level_of=whole_database(database)))
        )
        for user, level in sorted(wanted.items())
    ]
    removals = [
        Change(
            user=user,
            statements=(f"DROP USER IF EXISTS '{user}'@'%'", f"DELETE FROM {table} WHERE user = '{user}'"),
            removes=True,
        )
        for user in sorted(found.ours - set(wanted))
    ]
    return tuple(change for change in [*changes, *removals] if change.statements)


def _statements(user: str, level: str, found: People, *, table: str, level_of: str) -> Iterator[str]:
    account, is_there = f"'{user}'@'%'", found.accounts.get(user)
    if user not in found.ours:
        yield f"INSERT INTO {table} (user) VALUES ('{user}')"
    if is_there is None:
        yield f"CREATE USER {account} IDENTIFIED WITH {IAM_PLUGIN} AS 'RDS' REQUIRE SSL"
    elif not is_there.requires_tls:
        yield f"ALTER USER {account} REQUIRE SSL"
    has = is_there.privileges if is_there else frozenset[str]()
    for verb, privileges, preposition in (
        ("REVOKE", sorted(has - set(PRIVILEGES[level])), "FROM"),
        ("GRANT", [each for each in PRIVILEGES[level] if each not in has], "TO"),
    ):
        if privileges:
            yield f"{verb} {', '.join(privileges)} ON {level_of} {preposition} {account}"


def look(cursor: Cursor, wanted: Iterable[str], *, database: str, heartbeat_database: str) -> People:
    """Return who is there. Raises pymysql.MySQLError."""
    cursor.execute(f"SELECT user FROM `{heartbeat_database}`.`{TABLE}`")
    ours = frozenset(str(row[0]) for row in cursor.fetchall())
    accounts: dict[str, Account] = {}
    for user in sorted({*wanted, *ours}):
        cursor.execute(f"SELECT plugin, ssl_type FROM mysql.user WHERE user = '{user}' AND host = '%'")
        row = cursor.fetchone()
        if row:
            privileges = granted(cursor, user, whole_database(database))
            accounts[user] = Account(plugin=str(row[0]), requires_tls=bool(row[1]), privileges=privileges)
    return People(ours=ours, accounts=accounts)


def granted(cursor: Cursor, user: str, level: str) -> frozenset[str]:
    """Return the privileges on a level (`*.*`, a database, a table), as SHOW GRANTS lists them."""
    cursor.execute(f"SHOW GRANTS FOR '{user}'@'%'")
    wanted = re.compile(rf"GRANT (.+) ON {re.escape(level)} TO .*?(WITH GRANT OPTION)?$", re.IGNORECASE)
    privileges: set[str] = set()
    for row in cursor.fetchall():
        if found := wanted.match(str(row[0])):
            privileges.update(part.strip().upper() for part in found[1].split(","))
            privileges.update({"GRANT OPTION"} if found[2] else ())
    return frozenset(privileges - {"USAGE"})


def whole_database(database: str) -> str:
    """Return a database's level in a GRANT; an underscore would stand for any character."""
    escaped = database.replace("_", "\\_")
    return f"`{escaped}`.*"
