"""MySQL users and grants: the account statements that sqlglot doesn't parse, and the privilege check.

Accounts live in the volume, so they replicate as in Aurora.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rehearsal.aurora.sql import Need, TableName
from rehearsal.aurora.sql_error import SqlError, unsupported
from rehearsal.aurora.storage import Volume

SUPERUSER = "rdsadmin"
"""AWS's administrative user. The user has every privilege and can't log in."""

IAM_PLUGIN = "AWSAuthenticationPlugin"
PASSWORD_PLUGIN = "mysql_native_password"

_Statement = tuple[str, tuple[object, ...]]
_TEXT = r"(?:'(?:[^']|'')*'|`[^`]*`|\"[^\"]*\"|[A-Za-z0-9_$]+)"
_ACCOUNT = rf"(?P<user>{_TEXT})(?:\s*@\s*(?P<host>{_TEXT}))?"
_HEAD = re.compile(
    r"\s*(?:(?:CREATE|ALTER|DROP)\s+(?:USER|ROLE)\b|(?:GRANT|REVOKE|FLUSH)\b|SHOW\s+GRANTS\b)",
    re.IGNORECASE,
)
_USER = re.compile(
    rf"\s*(?P<verb>CREATE|ALTER)\s+USER\s+(?P<condition>IF\s+(?:NOT\s+)?EXISTS\s+)?{_ACCOUNT}"
    rf"(?:\s+IDENTIFIED\s+(?:WITH\s+(?P<plugin>{_TEXT})(?:\s+AS\s+(?P<external>{_TEXT}))?|BY\s+(?P<password>{_TEXT})))?"
    r"(?:\s+REQUIRE\s+(?P<tls>SSL|NONE))?(?:\s+ACCOUNT\s+(?P<lock>LOCK|UNLOCK))?\s*;?\s*",
    re.IGNORECASE,
)
_DROP = re.compile(rf"\s*DROP\s+USER\s+(?P<condition>IF\s+EXISTS\s+)?{_ACCOUNT}\s*;?\s*", re.IGNORECASE)
_GRANT = re.compile(
    rf"\s*(?P<verb>GRANT|REVOKE)\s+(?P<privileges>.+?)\s+ON\s+(?:TABLE\s+)?(?P<database>\*|{_TEXT})"
    rf"(?:\s*\.\s*(?P<table>\*|{_TEXT}))?\s+(?:TO|FROM)\s+{_ACCOUNT}(?P<option>\s+WITH\s+GRANT\s+OPTION)?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_REVOKE_ALL = re.compile(
    rf"\s*REVOKE\s+ALL(?:\s+PRIVILEGES)?\s*,\s*GRANT\s+OPTION\s+FROM\s+{_ACCOUNT}\s*;?\s*", re.IGNORECASE
)
_SHOW = re.compile(rf"\s*SHOW\s+GRANTS(?:\s+FOR\s+(?:CURRENT_USER(?:\(\))?|{_ACCOUNT}))?\s*;?\s*", re.IGNORECASE)
_FLUSH = re.compile(r"\s*FLUSH\s+PRIVILEGES\s*;?\s*", re.IGNORECASE)

_SERVER, _DATABASE, _TABLE = 1, 2, 4
_PRIVILEGES: dict[str, int] = {
    **dict.fromkeys(("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP"), _SERVER | _DATABASE | _TABLE),
    **dict.fromkeys(("RELOAD", "PROCESS"), _SERVER),
    **dict.fromkeys(("REFERENCES", "INDEX", "ALTER"), _SERVER | _DATABASE | _TABLE),
    "SHOW DATABASES": _SERVER,
    **dict.fromkeys(("CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE"), _SERVER | _DATABASE),
    **dict.fromkeys(("REPLICATION SLAVE", "REPLICATION CLIENT"), _SERVER),
    **dict.fromkeys(("CREATE VIEW", "SHOW VIEW"), _SERVER | _DATABASE | _TABLE),
    **dict.fromkeys(("CREATE ROUTINE", "ALTER ROUTINE"), _SERVER | _DATABASE),
    "CREATE USER": _SERVER,
    "EVENT": _SERVER | _DATABASE,
    "TRIGGER": _SERVER | _DATABASE | _TABLE,
}
"""Privileges in the order of SHOW GRANTS, and the levels at which each can be granted.

Source: "Privileges Provided by MySQL" (MySQL 8.0 reference manual).
"""
_INSERT_USER = (
    'INSERT INTO "mysql.user" (host, user, plugin, authentication_string, ssl_type, account_locked) '
    "VALUES (?, ?, ?, ?, ?, 'N')"
)
_WHERE = "WHERE user = ? AND host = ?"


@dataclass(frozen=True, kw_only=True)
class MysqlAccount:
    """A row of mysql.user."""

    user: str
    host: str
    plugin: str
    authentication: str
    requires_tls: bool
    is_locked: bool


@dataclass(frozen=True, kw_only=True)
class AccountPlan:
    """The effect of an account statement: statements for the volume, or rows to show."""

    statements: tuple[_Statement, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def is_account_statement(sql: str) -> bool:
    """Return whether the statement is about users or grants."""
    return _HEAD.match(sql) is not None


def native_password_hash(password: str) -> str:
    """Return the hash that mysql_native_password stores: SHA1(SHA1(password)), in hexadecimal."""
    return hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest()


def master_statements(user: str, password: str) -> tuple[_Statement, ...]:
    """Return the statements that create the master user with every privilege."""
    delete = [(f'DELETE FROM "{table}" WHERE user = ?', (user,)) for table in ("mysql.user", "aurora.grants")]
    grants = [_grant_row(user, "%", privilege, "*", "*") for privilege in (*_PRIVILEGES, "GRANT OPTION")]
    return (*delete, (_INSERT_USER, ("%", user, PASSWORD_PLUGIN, native_password_hash(password), "")), *grants)


def find_account(volume: Volume, user: str) -> MysqlAccount | None:
    """Return the account with this user name, or None. Names are case-sensitive, as in IAM."""
    columns = "host, user, plugin, authentication_string, ssl_type, account_locked"
    sql = f"SELECT {columns} FROM \"mysql.user\" WHERE user = ? ORDER BY host = '%'"
    for host, name, plugin, authentication, ssl_type, locked in volume.rows(sql, user):
        return MysqlAccount(
            user=str(name),
            host=str(host),
            plugin=str(plugin),
            authentication=str(authentication or ""),
            requires_tls=bool(ssl_type),
            is_locked=locked == "Y",
        )
    return None


def check_privileges(volume: Volume, user: str, needs: Sequence[Need]) -> None:
    """Check that the user has every needed privilege. Raises SqlError 1142 (table), 1044 (database) or 1227 (server)."""
    if user == SUPERUSER:
        return
    granted = _grants(volume, user)
    for need in needs:
        database, table = need.table.database, need.table.name
        if database == "information_schema":
            continue  # readable by every user
        levels = {("*", "*"), (database, "*"), (database, table)}
        if any((need.privilege, *level) in granted for level in levels):
            continue
        if database == "*":
            needed = f"Access denied; you need (at least one of) the {need.privilege} privilege(s) for this operation"
            raise SqlError(1227, "42000", needed)
        if not table:
            raise SqlError(1044, "42000", f"Access denied for user '{user}'@'%' to database '{database}'")
        raise SqlError(1142, "42000", f"{need.privilege} command denied to user '{user}'@'%' for table '{table}'")


def can_use(volume: Volume, user: str, database: str) -> bool:
    """Return whether the user has any privilege on the database."""
    if user == SUPERUSER or database == "information_schema":
        return True
    return any(level in ("*", database) for _, level, _ in _grants(volume, user))


def plan_account_statement(sql: str, user: str, volume: Volume) -> AccountPlan:
    """Check and translate an account statement. Raises SqlError."""
    if _FLUSH.fullmatch(sql):  # privileges take effect at once
        return AccountPlan()
    for pattern, planner in (
        (_USER, _create_or_alter),
        (_DROP, _drop),
        (_REVOKE_ALL, _revoke_all),
        (_GRANT, _grant),
        (_SHOW, _show_grants),
    ):
        if found := pattern.fullmatch(sql):
            return planner(volume, user, found)
    raise unsupported(" ".join(sql.split()[:2]).upper() + " in this form")


def _unquoted(text: str | None) -> str:
    if text and text[0] in "'`\"":
        return text[1:-1].replace(text[0] * 2, text[0])
    return text or ""


def _account(found: re.Match[str]) -> tuple[str, str]:
    return _unquoted(found["user"]), _unquoted(found["host"]) or "%"


def _require(volume: Volume, user: str, privilege: str) -> None:
    check_privileges(volume, user, [Need(privilege=privilege, table=TableName(database="*", name="*"))])


def _exists(volume: Volume, name: str, host: str) -> bool:
    return bool(volume.rows(f'SELECT 1 FROM "mysql.user" {_WHERE}', name, host))


def _refuse_definer(volume: Volume, verb: str, name: str, host: str) -> None:
    """Refuse a user whom an event has as its definer, as MySQL does without SET_USER_ID."""
    if volume.rows('SELECT 1 FROM "aurora.events" WHERE definer = ?', f"{name}@{host}"):
        text = (
            f"Operation {verb} USER failed for '{name}'@'{host}' as it is referenced as a definer account in an event."
        )
        raise SqlError(4006, "HY000", text)


def _create_or_alter(volume: Volume, user: str, found: re.Match[str]) -> AccountPlan:
    _require(volume, user, "CREATE USER")
    verb, (name, host) = found["verb"].upper(), _account(found)
    exists = _exists(volume, name, host)
    if exists == (verb == "CREATE"):
        if found["condition"]:
            return AccountPlan()
        raise SqlError(1396, "HY000", f"Operation {verb} USER failed for '{name}'@'{host}'")
    plugin, external = _unquoted(found["plugin"]), _unquoted(found["external"])
    if plugin and plugin not in (IAM_PLUGIN, PASSWORD_PLUGIN):
        raise SqlError(1524, "HY000", f"Plugin '{plugin}' is not loaded")
    if plugin == IAM_PLUGIN and external != "RDS":
        raise unsupported(f"{IAM_PLUGIN} AS '{external}' (AWS documents AS 'RDS')")
    tls = "ANY" if (found["tls"] or "").upper() == "SSL" else ""
    changes: list[_Statement] = []
    if verb == "CREATE":
        _refuse_definer(volume, verb, name, host)
        authentication = "RDS" if plugin == IAM_PLUGIN else native_password_hash(_unquoted(found["password"]))
        changes.append((_INSERT_USER, (host, name, plugin or PASSWORD_PLUGIN, authentication, tls)))
    elif plugin or found["password"]:
        raise unsupported("ALTER USER with IDENTIFIED")
    elif found["tls"]:
        changes.append((f'UPDATE "mysql.user" SET ssl_type = ? {_WHERE}', (tls, name, host)))
    if found["lock"]:
        locked = "Y" if found["lock"].upper() == "LOCK" else "N"
        changes.append((f'UPDATE "mysql.user" SET account_locked = ? {_WHERE}', (locked, name, host)))
    return AccountPlan(statements=tuple(changes))


def _drop(volume: Volume, user: str, found: re.Match[str]) -> AccountPlan:
    _require(volume, user, "CREATE USER")
    name, host = _account(found)
    if not _exists(volume, name, host):
        if found["condition"]:
            return AccountPlan()
        raise SqlError(1396, "HY000", f"Operation DROP USER failed for '{name}'@'{host}'")
    _refuse_definer(volume, "DROP", name, host)
    tables = ("mysql.user", "aurora.grants")
    return AccountPlan(statements=tuple((f'DELETE FROM "{table}" {_WHERE}', (name, host)) for table in tables))


def _revoke_all(volume: Volume, user: str, found: re.Match[str]) -> AccountPlan:
    _require(volume, user, "CREATE USER")
    name, host = _account(found)
    if not _exists(volume, name, host):
        raise SqlError(1269, "HY000", "Can't revoke all privileges for one or more of the requested users")
    return AccountPlan(statements=((f'DELETE FROM "aurora.grants" {_WHERE}', (name, host)),))


def _grant(volume: Volume, user: str, found: re.Match[str]) -> AccountPlan:
    if found["database"] != "*" and found["table"] is None:
        raise unsupported("GRANT on a table without its database")
    # partial_revokes is ON, as in Aurora MySQL 3: a name is literal, and a backslash is part of it.
    database, table = _unquoted(found["database"]), _unquoted(found["table"]) or "*"
    verb, (name, host) = found["verb"].upper(), _account(found)
    level = _SERVER if database == "*" else _DATABASE if table == "*" else _TABLE
    privileges = [each for part in found["privileges"].split(",") for each in _privileges(part, level)]
    # A grantor needs the privilege itself and GRANT OPTION at that level; REVOKE needs the same.
    place = TableName(database=database, name="" if level == _DATABASE else table)
    wanted = ("GRANT OPTION", *privileges)
    try:
        check_privileges(volume, user, [Need(privilege=each, table=place) for each in wanted if each != "USAGE"])
    except SqlError as error:
        if level != _SERVER:
            raise
        raise SqlError(1045, "28000", f"Access denied for user '{user}'@'%' (using password: YES)") from error
    if not _exists(volume, name, host):
        raise SqlError(1410, "42000", "You are not allowed to create a user with GRANT")
    if level == _TABLE:
        sql = 'SELECT 1 FROM "aurora.tables" WHERE table_schema = ? AND table_name = ?'
        if not volume.rows(sql, database, table):
            raise SqlError(1146, "42S02", f"Table '{database}.{table}' doesn't exist")
    if found["option"]:
        privileges.append("GRANT OPTION")
    rows = [each for each in privileges if each != "USAGE"]
    if verb == "GRANT":
        return AccountPlan(statements=tuple(_grant_row(name, host, each, database, table) for each in rows))
    if not volume.rows(
        f'SELECT 1 FROM "aurora.grants" {_WHERE} AND table_schema = ? AND table_name = ?', name, host, database, table
    ):
        text = f"There is no such grant defined for user '{name}' on host '{host}'"
        raise SqlError(1147 if level == _TABLE else 1141, "42000", text)
    delete = f'DELETE FROM "aurora.grants" {_WHERE} AND privilege = ? AND table_schema = ? AND table_name = ?'
    return AccountPlan(statements=tuple((delete, (name, host, each, database, table)) for each in rows))


def _privileges(text: str, level: int) -> list[str]:
    name = " ".join(text.upper().split())
    if name in ("ALL", "ALL PRIVILEGES"):
        return [each for each, levels in _PRIVILEGES.items() if levels & level]
    if name in ("USAGE", "GRANT OPTION"):
        return [name]
    if name not in _PRIVILEGES:
        raise unsupported(f"the privilege {name}")
    if not _PRIVILEGES[name] & level:
        if level == _TABLE:
            text = "Illegal GRANT/REVOKE command; please consult the manual to see which privileges can be used"
            raise SqlError(1144, "42000", text)
        raise SqlError(1221, "HY000", "Incorrect usage of DB GRANT and GLOBAL PRIVILEGES")
    return [name]


def _grant_row(user: str, host: str, privilege: str, database: str, table: str) -> _Statement:
    return ('INSERT OR IGNORE INTO "aurora.grants" VALUES (?, ?, ?, ?, ?)', (user, host, privilege, database, table))


def _grants(volume: Volume, user: str) -> set[tuple[object, ...]]:
    sql = 'SELECT privilege, table_schema, table_name FROM "aurora.grants" WHERE user = ?'
    return set(volume.rows(sql, user))


def _show_grants(volume: Volume, user: str, found: re.Match[str]) -> AccountPlan:
    name, host = _account(found) if found["user"] else (user, "%")
    if name != user:
        check_privileges(volume, user, [Need(privilege="SELECT", table=TableName(database="mysql", name="user"))])
    if not _exists(volume, name, host):
        raise SqlError(1141, "42000", f"There is no such grant defined for user '{name}' on host '{host}'")
    account = f"`{name}`@`{host}`"
    granted: dict[tuple[str, str], set[str]] = {("*", "*"): set()}
    for privilege, database, table in _grants(volume, name):
        granted.setdefault((str(database), str(table)), set()).add(str(privilege))
    rows: list[tuple[str, ...]] = []
    for (database, table), privileges in sorted(granted.items()):
        level = _SERVER if database == "*" else _DATABASE if table == "*" else _TABLE
        possible = [each for each, levels in _PRIVILEGES.items() if levels & level]
        listed = ", ".join(each for each in possible if each in privileges) or "USAGE"
        if level != _SERVER and privileges.issuperset(possible):
            listed = "ALL PRIVILEGES"
        option = " WITH GRANT OPTION" if "GRANT OPTION" in privileges else ""
        where = ".".join(part if part == "*" else f"`{part}`" for part in (database, table))
        rows.append((f"GRANT {listed} ON {where} TO {account}{option}",))
    return AccountPlan(columns=(f"Grants for {name}@{host}",), rows=tuple(rows))
