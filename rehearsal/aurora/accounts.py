"""MySQL users and grants: the account statements that sqlglot doesn't parse, and the privilege check.

Accounts live in the volume, so they replicate as in Aurora.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rehearsal.aurora.sql import Need, SqlError, TableName, unsupported
from rehearsal.aurora.storage import Volume

SUPERUSER = "rdsadmin"
"""AWS's administrative user. The user has every privilege and can't log in."""

IAM_PLUGIN = "AWSAuthenticationPlugin"
PASSWORD_PLUGIN = "mysql_native_password"

_Statement = tuple[str, tuple[object, ...]]
_NAME = r"(?:'((?:[^']|'')*)'|`([^`]*)`|\"([^\"]*)\"|([A-Za-z0-9_$]+))"
_ACCOUNT = rf"{_NAME}(?:\s*@\s*{_NAME})?"
_HEAD = re.compile(r"\s*(?:(CREATE|ALTER|DROP)\s+USER\b|(GRANT|REVOKE|FLUSH)\b|(SHOW)\s+GRANTS\b)", re.IGNORECASE)
_USER = re.compile(
    rf"\s*(CREATE|ALTER)\s+USER\s+(IF\s+(?:NOT\s+)?EXISTS\s+)?{_ACCOUNT}"
    rf"(?:\s+IDENTIFIED\s+(?:WITH\s+{_NAME}(?:\s+AS\s+{_NAME})?|BY\s+{_NAME}))?"
    r"(?:\s+REQUIRE\s+(SSL|NONE))?\s*;?\s*",
    re.IGNORECASE,
)
_DROP = re.compile(rf"\s*DROP\s+USER\s+(IF\s+EXISTS\s+)?{_ACCOUNT}\s*;?\s*", re.IGNORECASE)
_GRANT = re.compile(
    rf"\s*(GRANT|REVOKE)\s+(.+?)\s+ON\s+(?:TABLE\s+)?(\*|{_NAME})(?:\s*\.\s*(\*|{_NAME}))?\s+(?:TO|FROM)\s+{_ACCOUNT}"
    r"(\s+WITH\s+GRANT\s+OPTION)?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_SHOW = re.compile(rf"\s*SHOW\s+GRANTS(?:\s+FOR\s+(?:CURRENT_USER(?:\(\))?|{_ACCOUNT}))?\s*;?\s*", re.IGNORECASE)
_TABLE_PRIVILEGES = tuple(
    ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "INDEX", "ALTER", "REFERENCES", "TRIGGER"]
)
# EVENT can also be granted on one database, but not on a table.
_GLOBAL_PRIVILEGES = tuple(
    ["CREATE USER", "EVENT", "PROCESS", "RELOAD", "REPLICATION CLIENT", "REPLICATION SLAVE", "SHOW DATABASES"]
)
_INSERT_USER = 'INSERT INTO "mysql.user" (host, user, plugin, authentication_string, ssl_type) VALUES (?, ?, ?, ?, ?)'


@dataclass(frozen=True, kw_only=True)
class MysqlAccount:
    """A row of mysql.user."""

    user: str
    host: str
    plugin: str
    authentication: str
    requires_tls: bool


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
    privileges = (*_TABLE_PRIVILEGES, *_GLOBAL_PRIVILEGES, "GRANT OPTION")
    grants = [_grant_row(user, "%", privilege, "*", "*") for privilege in privileges]
    return (*delete, (_INSERT_USER, ("%", user, PASSWORD_PLUGIN, native_password_hash(password), "")), *grants)


def find_account(volume: Volume, user: str) -> MysqlAccount | None:
    """Return the account with this user name, or None. Names are case-sensitive, as in IAM."""
    sql = "SELECT host, user, plugin, authentication_string, ssl_type FROM \"mysql.user\" WHERE user = ? ORDER BY host = '%'"
    for host, name, plugin, authentication, ssl_type in volume.rows(sql, user):
        return MysqlAccount(
            user=str(name),
            host=str(host),
            plugin=str(plugin),
            authentication=str(authentication or ""),
            requires_tls=bool(ssl_type),
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
    if re.match(r"\s*FLUSH\s+PRIVILEGES\s*;?\s*$", sql, re.IGNORECASE):
        return AccountPlan()
    for pattern, planner in ((_USER, _create_or_alter), (_DROP, _drop), (_GRANT, _grant), (_SHOW, _show_grants)):
        if found := pattern.fullmatch(sql):
            return planner(volume, user, found)
    raise unsupported(" ".join(sql.split()[:2]) + " in this form")


def _first(groups: Sequence[str | None]) -> str:
    return next((group for group in groups if group is not None), "")


def _require(volume: Volume, user: str, privilege: str) -> None:
    check_privileges(volume, user, [Need(privilege=privilege, table=TableName(database="*", name="*"))])


def _exists(volume: Volume, name: str, host: str) -> bool:
    sql = 'SELECT 1 FROM "mysql.user" WHERE user = ? AND host = ?'
    return bool(volume.rows(sql, name, host))


def _create_or_alter(volume: Volume, user: str, found: re.Match[str]) -> AccountPlan:
    _require(volume, user, "CREATE USER")
    groups = found.groups()
    verb, condition = found[1].upper(), found[2]
    name, host = _first(groups[2:6]), _first(groups[6:10]) or "%"
    plugin, external, password = _first(groups[10:14]), _first(groups[14:18]), _first(groups[18:22])
    tls = "ANY" if (found[23] or "").upper() == "SSL" else ""
    exists = _exists(volume, name, host)
    if exists == (verb == "CREATE"):
        if condition:
            return AccountPlan()
        raise SqlError(1396, "HY000", f"Operation {verb} USER failed for '{name}'@'{host}'")
    if plugin and plugin not in (IAM_PLUGIN, PASSWORD_PLUGIN):
        raise SqlError(1524, "HY000", f"Plugin '{plugin}' is not loaded")
    if plugin == IAM_PLUGIN and external != "RDS":
        raise unsupported(f"{IAM_PLUGIN} AS '{external}' (AWS documents AS 'RDS')")
    if verb == "ALTER":
        if plugin or password or not found[23]:
            raise unsupported("ALTER USER other than REQUIRE")
        return AccountPlan(
            statements=(('UPDATE "mysql.user" SET ssl_type = ? WHERE user = ? AND host = ?', (tls, name, host)),)
        )
    authentication = "RDS" if plugin == IAM_PLUGIN else native_password_hash(password)
    return AccountPlan(statements=((_INSERT_USER, (host, name, plugin or PASSWORD_PLUGIN, authentication, tls)),))


def _drop(volume: Volume, user: str, found: re.Match[str]) -> AccountPlan:
    _require(volume, user, "CREATE USER")
    groups = found.groups()
    name, host = _first(groups[1:5]), _first(groups[5:9]) or "%"
    if not _exists(volume, name, host):
        if found[1]:
            return AccountPlan()
        raise SqlError(1396, "HY000", f"Operation DROP USER failed for '{name}'@'{host}'")
    where = "WHERE user = ? AND host = ?"
    tables = ("mysql.user", "aurora.grants")
    return AccountPlan(statements=tuple((f'DELETE FROM "{table}" {where}', (name, host)) for table in tables))


def _grant(volume: Volume, user: str, found: re.Match[str]) -> AccountPlan:
    groups = found.groups()
    database = "*" if found[3] == "*" else _first(groups[3:7])
    table = "*" if (found[8] or "*") == "*" else _first(groups[8:12])
    if table == "*":
        # The database name is a pattern; \_ is a literal underscore. Source: "GRANT Statement", MySQL manual.
        database = database.replace("\\_", "_")
    name, host = _first(groups[12:16]), _first(groups[16:20]) or "%"
    if found[3] != "*" and found[8] is None:
        raise unsupported("GRANT on a table without its database")
    privileges = [_privilege(part) for part in found[2].split(",")]
    if privileges == ["ALL"]:
        privileges = [*_TABLE_PRIVILEGES, *(_GLOBAL_PRIVILEGES if database == "*" else ())]
    # A grantor needs the privilege itself and GRANT OPTION at that level.
    level = TableName(database=database, name="" if table == "*" and database != "*" else table)
    check_privileges(
        volume, user, [Need(privilege=each, table=level) for each in ("GRANT OPTION", *privileges) if each != "USAGE"]
    )
    if not _exists(volume, name, host):
        raise SqlError(1410, "42000", "You are not allowed to create a user with GRANT")
    if table != "*":
        sql = 'SELECT 1 FROM "aurora.tables" WHERE table_schema = ? AND table_name = ?'
        if not volume.rows(sql, database, table):
            raise SqlError(1146, "42S02", f"Table '{database}.{table}' doesn't exist")
    if found[21]:
        privileges.append("GRANT OPTION")
    if found[1].upper() == "GRANT":
        return AccountPlan(statements=tuple(_grant_row(name, host, each, database, table) for each in privileges))
    delete = 'DELETE FROM "aurora.grants" WHERE user = ? AND host = ? AND privilege = ? AND table_schema = ? AND table_name = ?'
    return AccountPlan(statements=tuple((delete, (name, host, each, database, table)) for each in privileges))


def _privilege(text: str) -> str:
    name = " ".join(text.upper().split())
    if name in ("ALL", "ALL PRIVILEGES"):
        return "ALL"
    if name not in (*_TABLE_PRIVILEGES, *_GLOBAL_PRIVILEGES, "USAGE"):
        raise unsupported(f"the privilege {name}")
    return name


def _grant_row(user: str, host: str, privilege: str, database: str, table: str) -> _Statement:
    return ('INSERT OR IGNORE INTO "aurora.grants" VALUES (?, ?, ?, ?, ?)', (user, host, privilege, database, table))


def _grants(volume: Volume, user: str) -> set[tuple[object, ...]]:
    sql = 'SELECT privilege, table_schema, table_name FROM "aurora.grants" WHERE user = ?'
    return set(volume.rows(sql, user))


def _show_grants(volume: Volume, user: str, found: re.Match[str]) -> AccountPlan:
    groups = found.groups()
    name, host = _first(groups[0:4]) or user, _first(groups[4:8]) or "%"
    if name != user:
        check_privileges(volume, user, [Need(privilege="SELECT", table=TableName(database="mysql", name="user"))])
    if not _exists(volume, name, host):
        raise SqlError(1141, "42000", f"There is no such grant defined for user '{name}' on host '{host}'")
    account = f"`{name}`@`{host}`"
    levels: dict[tuple[str, str], set[str]] = {("*", "*"): set()}
    for privilege, database, table in _grants(volume, name):
        levels.setdefault((str(database), str(table)), set()).add(str(privilege))
    order = (*_TABLE_PRIVILEGES, *_GLOBAL_PRIVILEGES)
    rows: list[tuple[str, ...]] = []
    for (database, table), privileges in sorted(levels.items()):
        pattern = database.replace("_", "\\_") if table == "*" else database
        level = ".".join(part if part == "*" else f"`{part}`" for part in (pattern, table))
        listed = ", ".join(each for each in order if each in privileges) or "USAGE"
        option = " WITH GRANT OPTION" if "GRANT OPTION" in privileges else ""
        rows.append((f"GRANT {listed} ON {level} TO {account}{option}",))
    return AccountPlan(columns=(f"Grants for {name}@{host}",), rows=tuple(rows))
